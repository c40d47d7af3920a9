//! From the desks to the targets, and from there to receipts.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use claw_record::{Record, Severity, Status};
use serde_json::json;

use super::{Engine, Event};
use crate::channels::{self, Parcel, Refusal};
use crate::clock::{Milliseconds, rfc3339, wall};
use crate::compose;
use crate::health::{Choice, Outcome, Scene, choose};
use crate::message::{Body, Message};
use crate::spool::read::record_at;
use crate::text;

impl Engine {
    /// Sends what can be sent now, and says when there may be more.
    pub(super) fn dispatch(&mut self, now: Milliseconds) -> Milliseconds {
        /// So much is on its way at once, whereto ever.
        const MOST_SENDING: usize = 16;
        let mut due = Milliseconds::MAX;
        let mut ready = Vec::new();
        for (at, desk) in self.desks.iter().enumerate() {
            if desk.outbox.is_empty() {
                let next = desk.due(&self.silences, &self.setup.rules, self.is_ended);
                due = due.min(next.unwrap_or(Milliseconds::MAX));
            }
            ready.extend(desk.outbox.keys().map(|number| (at, *number)));
        }
        for (at, number) in ready {
            let desk = &self.desks[at];
            if self.sending.contains_key(&(desk.number, number)) {
                continue;
            }
            if self.sending.len() >= MOST_SENDING {
                break;
            }
            let Some(message) = desk.outbox.get(&number) else { continue };
            let busy = |target: &str| self.sending.values().filter(|to| *to == target).count();
            let scene = Scene {
                health: &|target| self.health.get(target),
                ledger: &self.ledger,
                busy: &busy,
                failover: self.setup.failover,
                now,
            };
            match choose(message, &desk.route, &scene) {
                Choice::Send(place) => {
                    let target = desk.route.targets[place].clone();
                    self.send(at, number, &target, now);
                }
                Choice::Wait(until) => due = due.min(until),
                Choice::Never => self.give_up(at, number),
            }
        }
        due
    }

    fn send(&mut self, at: usize, number: u64, target: &str, now: Milliseconds) {
        let Ok((channel, address)) = channels::of(target) else { return };
        let moved = self.health.get(target).and_then(|health| health.moved_to.clone());
        let address = moved.unwrap_or_else(|| address.to_owned());
        let folder = self.folder();
        let desk = &mut self.desks[at];
        let Some(message) = desk.outbox.get(&number) else { return };
        let words = match &message.body {
            Body::Words { title, text, record } => {
                Ok((title.clone(), text.clone(), record.clone()))
            }
            Body::Stored { id, offset } => record_at(&folder, id.segment, *offset)
                .and_then(|line| stored(line, &message.ids.to_string())),
        };
        let (title, text, record) = match words {
            Ok(words) => words,
            Err(error) => {
                let words = format!("record {} cannot be told: {error}", message.ids);
                if let Some(message) = desk.take(number) {
                    desk.bury(message);
                }
                return self.say("spool:record", Status::Fail, Severity::Error, &words);
            }
        };
        let parts = text::parts(&text, channel.longest);
        let done = match &message.begun {
            Some((begun, done)) if begun == target => *done,
            _ => 0,
        };
        let part = parts.get(done).cloned().unwrap_or_default();
        let answers = message.answers.as_ref().and_then(|key| {
            let thread = desk.incidents.get(key)?.thread.as_ref()?;
            (thread.target == target).then(|| thread.receipt.clone())
        });
        let (severity, ids) = (message.severity, message.ids.to_string());
        let limits = (channel.limits)(&address);
        self.ledger.send(&limits, now);
        self.ledger_changed.extend(limits.iter().map(|limit| limit.key.clone()));
        let desk = desk.number;
        self.sending.insert((desk, number), target.to_owned());
        // What is sent is counted, whatever becomes of this process.
        self.save();
        let (sender, means) = (self.sender.clone(), Arc::clone(&self.setup.means));
        let to = target.to_owned();
        let work = move || {
            let parcel = Parcel {
                address: &address,
                title: &title,
                text: &part,
                record: &record,
                severity,
                answers: answers.as_deref(),
                ids: &ids,
            };
            let outcome = (channel.send)(&parcel, &means);
            // Where nobody listens any more, it is sent again.
            let _ = sender.send(Event::Sent { desk, message: number, target: to, outcome });
        };
        const STACK_BYTES: usize = 512 * 1024;
        let thread = thread::Builder::new().name("send".to_owned()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(work) {
            let outcome = Err(Refusal::Later(format!("cannot start a thread: {error}")));
            self.settle(desk, number, target, outcome);
        }
    }

    /// Takes in what became of something that was sent.
    pub(super) fn settle(&mut self, desk: u32, number: u64, target: &str, outcome: Outcome) {
        self.sending.remove(&(desk, number));
        let now = self.clock.now();
        let Ok((channel, address)) = channels::of(target) else { return };
        let health = self.health.entry(target.to_owned()).or_default();
        let address = health.moved_to.clone().unwrap_or_else(|| address.to_owned());
        health.learn(&outcome, now);
        self.health_changed.insert(target.to_owned());
        let limits = (channel.limits)(&address);
        self.ledger.arrived(&limits, now);
        if let Err(Refusal::Wait(time)) = &outcome {
            let key = limits.first().map_or_else(|| target.to_owned(), |limit| limit.key.clone());
            let wait = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            // It counts from when the answer was written, and by its clock.
            const MARGIN: Milliseconds = 50;
            self.ledger.hold(&key, now.saturating_add(wait).saturating_add(MARGIN));
            self.ledger_changed.insert(key);
        }
        self.ledger_changed.extend(limits.into_iter().map(|limit| limit.key));
        match outcome {
            Ok(receipt) => self.arrived(desk, number, target, receipt),
            Err(Refusal::Message(why)) => {
                let desk = self.desks.iter_mut().find(|it| it.number == desk);
                if let Some(message) = desk.and_then(|desk| desk.message(number)) {
                    message.refused.push((target.to_owned(), why));
                }
            }
            Err(_) => {}
        }
        self.tell_health(target, now);
        self.save();
    }

    fn arrived(&mut self, desk: u32, number: u64, target: &str, receipt: String) {
        let Ok((channel, _)) = channels::of(target) else { return };
        let now = self.clock.now();
        let Some(desk) = self.desks.iter_mut().find(|it| it.number == desk) else { return };
        // Where nothing proves anything, that it was said is all there can be.
        let has_proof = desk
            .route
            .targets
            .iter()
            .any(|target| channels::of(target).is_ok_and(|(channel, _)| channel.proves));
        let Some(message) = desk.message(number) else { return };
        let done = match &message.begun {
            Some((begun, done)) if begun == target => *done,
            _ => 0,
        } + 1;
        let parts = match &message.body {
            Body::Words { text, .. } => text::parts(text, channel.longest).len(),
            Body::Stored { .. } => 1,
        };
        if done == 1 {
            message.receipt = Some(receipt.clone());
        }
        if done < parts {
            message.begun = Some((target.to_owned(), done));
            return;
        }
        if !channel.proves {
            message.is_shouted = true;
            if has_proof {
                return;
            }
        }
        let Some(message) = desk.take(number) else { return };
        let receipt = message.receipt.clone().unwrap_or(receipt);
        if desk.is_hungry() && self.segments.values().any(|segment| !segment.is_read) {
            self.next_look = Instant::now();
        }
        desk.thread(number, target, &receipt);
        self.keep_receipt(&message, target, &receipt, now);
    }

    /// Writes down what proves that something was told, and tells it.
    fn keep_receipt(&mut self, message: &Message, target: &str, receipt: &str, now: Milliseconds) {
        const LONGEST_BYTES: u64 = 1024 * 1024;
        let after = now.saturating_sub(message.since);
        let seconds = after as f64 / 1000.0;
        let line = json!({
            "time": rfc3339(wall()), "message": message.number, "ids": message.ids.to_string(),
            "records_total": message.count, "target": target, "receipt": receipt,
            "after_seconds": seconds,
        });
        let path = self.path("receipts");
        let write = || {
            if path.metadata().is_ok_and(|meta| meta.len() > LONGEST_BYTES) {
                std::fs::rename(&path, path.with_extension("1"))?;
            }
            let mut options = OpenOptions::new();
            let mut file = options.create(true).append(true).mode(0o600).open(&path)?;
            file.write_all(format!("{line}\n").as_bytes())
        };
        if let Err(error) = write() {
            self.complain_once(format!("cannot write '{}': {error}", path.display()));
        }
        let records = if message.count == 1 { "record" } else { "records" };
        let words = match message.count {
            // A reminder.
            0 => format!("told again: receipt {receipt}"),
            count => format!("told of {count} {records}, {}: receipt {receipt}", message.ids),
        };
        let mut record = self.setup.source.record("told", target, Status::Pass, &words);
        record.data.insert("receipt".to_owned(), receipt.into());
        record.data.insert("ids".to_owned(), message.ids.to_string().into());
        record.data.insert("records_total".to_owned(), message.count.into());
        record.data.insert("after_seconds".to_owned(), seconds.into());
        (self.told)(record);
    }

    /// A target that does not work is something to tell through the others; so is that it works again.
    fn tell_health(&mut self, target: &str, now: Milliseconds) {
        let failover = self.setup.failover;
        let Some(health) = self.health.get_mut(target) else { return };
        let (status, words) = if health.is_down(failover, now) && !health.is_told {
            health.is_told = true;
            let refuses = if health.refused.is_some() { "refuses" } else { "does not work" };
            let why = health.why.clone().unwrap_or_default();
            (Status::Fail, format!("the target {target} {refuses}: {why}"))
        } else if health.down_since.is_none() && health.is_told {
            health.is_told = false;
            (Status::Pass, format!("the target {target} works again"))
        } else {
            return;
        };
        if status == Status::Fail {
            claw_record::complain("claw-notify", &words);
        }
        let record = self.setup.source.record("check", &format!("notify:{target}"), status, &words);
        let fallback = self.setup.fallback.clone();
        self.hear_own_at(&record, |route| {
            let has_it = route.targets.iter().any(|other| other == target);
            if has_it { route.has_another_than(target) } else { fallback.contains(route) }
        });
    }

    /// Nobody takes it: it is kept, and that is said to whoever is there.
    fn give_up(&mut self, at: usize, number: u64) {
        let Some(message) = self.desks[at].take(number) else { return };
        let why: Vec<_> =
            message.refused.iter().map(|(target, why)| format!("{target}: {why}")).collect();
        let words = format!(
            "nobody takes message {number}, {}: {}; it is kept: claw-notify queue dead",
            message.ids,
            why.join("; ")
        );
        claw_record::complain("claw-notify", &words);
        self.desks[at].bury(message);
    }
}

/// Title, text and line of a record out of the spool.
fn stored(line: Vec<u8>, ids: &str) -> std::io::Result<(String, String, String)> {
    let line = String::from_utf8(line).map_err(std::io::Error::other)?;
    let record: Record = serde_json::from_str(&line)?;
    let (title, text) = compose::words(&record, ids);
    Ok((title, text, line))
}

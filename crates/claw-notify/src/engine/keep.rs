//! What is known, in the journal and out of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use claw_record::complain;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Engine;
use crate::clock::Clock;
use crate::desk::Desk;
use crate::health::Health;
use crate::limits::{Ledger, Sent};
use crate::route::Route;
use crate::silence::{Silence, Silences};

/// What the journal held.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) clock: Option<Clock>,
    pub(crate) numbers: u64,
    pub(crate) own: u32,
    pub(crate) tested: Option<u64>,
    pub(crate) desks: Vec<Desk>,
    pub(crate) ledger: Ledger,
    pub(crate) health: BTreeMap<String, Health>,
    pub(crate) silences: Silences,
    /// What of it could not be understood.
    pub(crate) damage: Vec<String>,
}

/// Understands what the journal holds.
pub(crate) fn load(values: &BTreeMap<String, Box<RawValue>>) -> Kept {
    let mut kept = Kept::default();
    let mut damage = Vec::new();
    for (key, value) in values {
        if let Err(why) = take(&mut kept, key, value) {
            damage
                .push(format!("'{key}' in the file 'state' of the spool is not understood: {why}"));
        }
    }
    kept.damage = damage;
    kept
}

fn take(kept: &mut Kept, key: &str, value: &RawValue) -> Result<(), String> {
    fn read<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Result<T, String> {
        serde_json::from_str(value.get()).map_err(|error| error.to_string())
    }
    let (what, rest) = key.split_once('/').unwrap_or((key, ""));
    match what {
        "clock" => kept.clock = Some(read(value)?),
        "tested" => kept.tested = Some(read(value)?),
        "numbers" => (kept.numbers, kept.own) = read(value)?,
        "sent" => {
            kept.ledger.sent.insert(rest.to_owned(), read::<Sent>(value)?);
        }
        "health" => {
            kept.health.insert(rest.to_owned(), read(value)?);
        }
        "silence" => {
            let number = rest.parse().map_err(|_| "not a number".to_owned())?;
            kept.silences.all.insert(number, read::<Silence>(value)?);
        }
        _ => {
            let number: u32 = what.parse().map_err(|_| "a later version wrote it".to_owned())?;
            if rest == "desk" {
                let route: Route = read(value)?;
                match kept.desks.iter_mut().find(|desk| desk.number == number) {
                    Some(desk) => desk.set_route(route),
                    None => kept.desks.push(Desk::new(number, route)),
                }
            } else {
                let at = kept.desks.iter().position(|desk| desk.number == number);
                let at = at.unwrap_or_else(|| {
                    // Its route stands behind this in the order of the keys.
                    kept.desks.push(Desk::new(number, Route::empty()));
                    kept.desks.len() - 1
                });
                kept.desks[at].load(rest, value)?;
            }
        }
    }
    Ok(())
}

impl Engine {
    /// Writes down what changed.
    pub(super) fn save(&mut self) {
        const PAUSE: Duration = Duration::from_secs(5);
        for desk in &mut self.desks {
            desk.save(&mut self.journal);
        }
        for key in std::mem::take(&mut self.ledger_changed) {
            self.journal.put(&format!("sent/{key}"), &self.ledger.sent.get(&key));
        }
        for target in std::mem::take(&mut self.health_changed) {
            self.journal.put(&format!("health/{target}"), &self.health.get(&target));
        }
        let is_behind = self.journal.is_behind();
        if self.journal.has_changes() && !is_behind {
            self.journal.put("numbers", &(self.numbers, self.own));
            self.journal.put("clock", &self.clock.kept());
        }
        let written = self.journal.commit();
        if self.journal.is_long() || (self.journal.is_behind() && Instant::now() >= self.next_save)
        {
            self.next_save = Instant::now() + PAUSE;
            if let Err(error) = self.rewrite() {
                let file = self.path("state");
                self.complain_once(format!("cannot write '{}': {error}", file.display()));
            }
        } else if let Err(error) = written
            && !is_behind
        {
            let file = self.path("state");
            self.complain_once(format!("cannot write '{}': {error}", file.display()));
        }
    }

    fn rewrite(&mut self) -> std::io::Result<()> {
        let Self { journal, desks, ledger, health, silences, clock, numbers, own, tested, .. } =
            self;
        journal.rewrite(|journal| {
            journal.put("clock", &clock.kept());
            journal.put("numbers", &(*numbers, *own));
            if let Some(tested) = tested {
                journal.put("tested", tested);
            }
            for (key, sent) in &ledger.sent {
                journal.put(&format!("sent/{key}"), sent);
            }
            for (target, health) in health.iter() {
                journal.put(&format!("health/{target}"), health);
            }
            for (number, silence) in &silences.all {
                journal.put(&format!("silence/{number}"), silence);
            }
            for desk in desks.iter() {
                desk.dump(journal);
            }
        })
    }

    /// Forgets whom nobody tells anything any more, and what has no bearing on anything.
    pub(super) fn forget(&mut self) {
        const PAUSE: Duration = Duration::from_secs(3600);
        let is_read = self.segments.values().all(|segment| segment.is_read);
        if Instant::now() < self.next_forget || !is_read {
            return;
        }
        self.next_forget = Instant::now() + PAUSE;
        let now = self.clock.now();
        for route in &self.setup.fallback.clone() {
            self.desk(route);
        }
        let is_over = |(at, desk): (usize, &Desk)| {
            let is_free = !self.segments.values().any(|segment| segment.desks.contains(&at));
            (is_free && desk.is_forgotten(now)).then_some(at)
        };
        let over: Vec<_> = self.desks.iter().enumerate().filter_map(is_over).collect();
        for at in over.into_iter().rev() {
            let desk = self.desks.remove(at);
            let places = self.segments.values_mut().flat_map(|segment| &mut segment.desks);
            places.filter(|place| **place > at).for_each(|place| *place -= 1);
            let lasting = desk.incidents.values().filter(|incident| !incident.is_over).count();
            if lasting > 0 {
                let target = desk.route.targets.first().map_or("nobody", String::as_str);
                let incidents =
                    if lasting == 1 { "incident that is" } else { "incidents that are" };
                let words = format!(
                    "nobody has told {target} anything for 30 days: forgotten, \
                     with {lasting} {incidents} not over"
                );
                complain("claw-notify", &words);
            }
            desk.forget(&mut self.journal);
        }
        let is_known =
            |target: &String| self.desks.iter().any(|desk| desk.route.targets.contains(target));
        let gone: Vec<_> = self.health.keys().filter(|it| !is_known(it)).cloned().collect();
        for target in gone {
            self.health.remove(&target);
            self.journal.remove(&format!("health/{target}"));
        }
        for key in self.ledger.forget(now) {
            self.journal.remove(&format!("sent/{key}"));
        }
        self.save();
    }

    /// Writes down what is known, once and for all that this process does.
    pub(super) fn finish(&mut self) {
        /// A filter that has only told one thing leaves its segment to the next one: to remove it safely
        /// takes the disk longer than all the rest. A power cut before that has it told again.
        const FEW: usize = 16;
        self.save();
        let has_few = self.setup.is_filter && self.segments.len() < FEW;
        if has_few && !self.journal.is_behind() {
            return;
        }
        if let Err(error) = self.journal.sync() {
            let file = self.path("state");
            self.complain_once(format!("cannot write '{}': {error}", file.display()));
        }
        self.clean();
        // That a segment is gone can be seen.
        self.save();
    }
}

//! The monitor as a source of records: what changes, and now and then that nothing did.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use claw_record::{Complaint, Format as Shape, Output, Record, Source, Status};
use serde_json::Value;

use super::change::{Change, Confirm, Heard, Memory};
use super::crashes::{self, Hung, Told};
use super::looking::{Looked, may_leave_out};
use super::overview::Overview;
use super::state::Store;
use crate::args::{Args, Format};
use crate::checks;
use crate::finding::Finding;
use crate::host::Host;

/// A stream of records.
pub(super) struct Records {
    output: Output,
    source: Source,
    confirm: Confirm,
    failing: bool,
    every: bool,
    heartbeat: Option<Duration>,
    /// When the next one is due; the first one is at the end of the first look.
    next_heartbeat: Option<Duration>,
    memory: Memory,
    /// Did it hear a look? Before that it knows no more than the last monitor kept.
    has_looked: bool,
    /// What the last look found to hang, and that stands.
    pub(super) hung: Vec<Hung>,
    store: Store,
}

impl Records {
    /// A stream on standard output, which goes on where the last monitor ended.
    pub(super) fn new(args: &Args, host: &Arc<Host>) -> Result<Self, Complaint> {
        let shape = args.format.map(|format| match format {
            Format::Human => Shape::Human,
            _ => Shape::Json,
        });
        let mut output = Output::stdout(shape);
        output.restyle(|style| claw_record::Style { time: true, ..style });
        let asked = serde_json::json!([args.targets, args.only, args.skip]).to_string();
        let (store, memory) = Store::open(host, asked);
        Ok(Self {
            source: Source::on("claw-health", host.name.clone()),
            confirm: args.confirm,
            failing: args.failing,
            every: args.every,
            heartbeat: args.heartbeat.0,
            next_heartbeat: None,
            has_looked: false,
            hung: Vec::new(),
            output,
            memory,
            store,
        })
    }

    /// Writes what a look changed; false where nobody reads any more.
    ///
    /// It is kept only after it was written: what a monitor that is killed in between has told, the
    /// next one may tell again, and nothing is lost.
    pub(super) fn hear(
        &mut self,
        looked: &Looked,
        overview: &Overview,
        now: Duration,
    ) -> Result<bool, Complaint> {
        self.source = Source::on("claw-health", looked.host.clone());
        let mut heard = BTreeSet::new();
        let absent = looked.absent.iter().map(|finding| (ABSENT, finding.is_sure, finding));
        let found = looked.found.iter().flat_map(|(target, findings)| {
            let check = target.check;
            let is_sure = |finding: &Finding| check.is_sure || finding.is_sure;
            findings.iter().map(move |finding| (check.name, is_sure(finding), finding))
        });
        for (check, is_sure, finding) in absent.chain(found) {
            // One thing may have been asked for by two names.
            let change = if heard.insert(finding.subject.clone()) {
                let heard = Heard { check, is_sure, finding };
                self.memory.hear(heard, self.confirm, looked.at)
            } else {
                None
            };
            // Told as it is, it may be the next start that hangs.
            if is_hung(check, finding) && self.memory.stands(finding) {
                let looks = if change.is_some() { 1 } else { self.confirm.needed };
                self.hung.push(Hung { subject: finding.subject.clone(), looks });
            }
            if self.every || change.is_some() {
                self.write(finding, change)?;
            }
        }
        for (finding, change) in self.end_look(looked, &heard) {
            self.write(&finding, Some(change))?;
        }
        if self.next_heartbeat.is_none() {
            self.beat(overview, now)?;
        }
        if self.output.is_closed() {
            return Ok(false);
        }
        self.has_looked = true;
        if self.memory.is_changed {
            self.store.save(&mut self.memory);
        }
        Ok(true)
    }

    fn end_look(&mut self, looked: &Looked, heard: &BTreeSet<String>) -> Vec<(Finding, Change)> {
        let names = looked.checks.iter().map(|check| check.name);
        let planned: BTreeSet<_> = names.chain([ABSENT]).collect();
        let due = |name: &&&str| !looked.resting.contains(**name);
        let looked_at: BTreeSet<_> = planned.iter().filter(due).copied().collect();
        self.memory.end_look(&looked_at, &planned, heard, self.confirm, looked.at)
    }

    /// What the last monitor kept of crashes; nothing where nothing is kept.
    pub(super) fn recall_crashes(&mut self) -> Option<Value> {
        self.store.recall(crashes::NAME)
    }

    /// Writes what crashed, and keeps that it is told; false where nobody reads any more.
    pub(super) fn crashed(&mut self, told: &Told) -> Result<bool, Complaint> {
        for crash in &told.crashes {
            let record = crash.record(&self.source);
            self.output.record(&Record { event: "crash".to_owned(), ..record })?;
        }
        if self.output.is_closed() {
            return Ok(false);
        }
        if let Some(memory) = &told.memory {
            self.store.keep(crashes::NAME, memory);
        }
        Ok(true)
    }

    /// Writes that the monitor lives, when that is due.
    pub(super) fn live(&mut self, overview: &Overview, now: Duration) -> Result<(), Complaint> {
        if self.next_heartbeat.is_some_and(|next| next <= now) {
            self.beat(overview, now)?;
        }
        Ok(())
    }

    /// When something is due that no look brings.
    pub(super) fn next(&self) -> Option<Duration> {
        self.next_heartbeat
    }

    /// Is a change at that check not confirmed yet?
    pub(super) fn is_open(&self, check: &str) -> bool {
        self.memory.is_open(check)
    }

    /// What is in trouble, of the checks that may not name it once it is well again.
    pub(super) fn in_trouble(&self) -> Vec<String> {
        /// More than that is no longer news, and every one costs time.
        const MOST: usize = 100;
        let checks = checks::ALL.iter().filter(|check| may_leave_out(check));
        let subjects = checks.flat_map(|check| self.memory.in_trouble(check.name));
        subjects.take(MOST).map(str::to_owned).collect()
    }

    /// Whoever read has ended, and may not have passed on what it read last.
    pub(super) fn lost(&mut self, unread_since: Option<Duration>, now: Duration) {
        self.store.lost(unread_since, now);
    }

    /// Keeps what is known, confirmed or not.
    pub(super) fn end(&mut self) {
        if self.has_looked {
            self.store.save(&mut self.memory);
        }
    }

    fn beat(&mut self, overview: &Overview, now: Duration) -> Result<(), Complaint> {
        let Some(every) = self.heartbeat else { return Ok(()) };
        self.next_heartbeat = Some(now + every);
        if self.failing {
            return Ok(());
        }
        self.output.record(&overview.heartbeat(&self.source, now))
    }

    fn write(&mut self, finding: &Finding, change: Option<Change>) -> Result<(), Complaint> {
        if self.failing && finding.passes() {
            return Ok(());
        }
        let mut record = finding.record(&self.source);
        if let Some(was) = change.and_then(|change| change.was) {
            record.data.insert("was".to_owned(), was.condition.status.to_string().into());
            if let Some(state) = was.condition.state {
                record.data.insert("was_state".to_owned(), state.into());
            }
            record.data.insert("since".to_owned(), was.since.rfc3339().into());
            record.data.insert("for_seconds".to_owned(), was.lasted.as_secs_f64().into());
        }
        self.output.record(&record)
    }
}

/// What is not there to be looked at is looked for at every look.
const ABSENT: &str = "absent";

/// Is it the gateway or an agent, which lives and does not answer?
fn is_hung(check: &str, finding: &Finding) -> bool {
    let state = finding.data.get("state").and_then(Value::as_str);
    matches!(check, "gateway" | "agent") && finding.status == Status::Fail && state == Some("hung")
}

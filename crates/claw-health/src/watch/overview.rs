//! How everything is that is watched, as it was seen last.

use std::collections::BTreeMap;
use std::time::Duration;

use claw_record::{Record, Source, Status};

use super::looking::Looked;
use crate::finding::{Finding, span};

/// A check and its operand.
type Place = (&'static str, String);

/// What the last look at each thing found.
#[derive(Debug)]
pub(super) struct Overview {
    start: Duration,
    every: Duration,
    pub(super) looks: u64,
    found: BTreeMap<Place, Vec<Finding>>,
    absent: Vec<Finding>,
}

impl Overview {
    /// Nothing was seen yet.
    pub(super) fn new(start: Duration, every: Duration) -> Self {
        Self { start, every, looks: 0, found: BTreeMap::new(), absent: Vec::new() }
    }

    /// Takes in a look.
    pub(super) fn see(&mut self, looked: &Looked) {
        self.looks += 1;
        self.absent.clone_from(&looked.absent);
        let mut before = std::mem::take(&mut self.found);
        for target in &looked.planned {
            let place = (target.check.name, target.operand.clone());
            // What was not due is as it was.
            if let Some(findings) = before.remove(&place) {
                self.found.insert(place, findings);
            }
        }
        for (target, findings) in &looked.found {
            self.found.insert((target.check.name, target.operand.clone()), findings.clone());
        }
    }

    /// All that was found, each with its check.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&'static str, &Finding)> {
        let absent = self.absent.iter().map(|finding| ("absent", finding));
        let found = self
            .found
            .iter()
            .flat_map(|((check, _), findings)| findings.iter().map(|finding| (*check, finding)));
        absent.chain(found)
    }

    /// One line for the service manager.
    pub(super) fn status(&self, took: Duration) -> String {
        format!("{}; look {} took {:.3} s", self.tally(), self.looks, took.as_secs_f64())
    }

    /// The record that says that the monitor lives.
    pub(super) fn heartbeat(&self, source: &Source, now: Duration) -> Record {
        let up = now.saturating_sub(self.start).as_secs();
        let looks = if self.looks == 1 { "look" } else { "looks" };
        let message = format!(
            "watching for {}, {} {looks}; as seen last: {}",
            span(up as f64),
            self.looks,
            self.tally()
        );
        let mut record = source.record("heartbeat", "monitor:claw-health", Status::Pass, &message);
        for (status, count) in self.counts() {
            record.data.insert(format!("{status}_count"), count.into());
        }
        record.data.insert("looks_total".to_owned(), self.looks.into());
        record.data.insert("interval_seconds".to_owned(), self.every.as_secs_f64().into());
        record.data.insert("up_seconds".to_owned(), up.into());
        record
    }

    fn counts(&self) -> [(Status, usize); 4] {
        [Status::Fail, Status::Warn, Status::Unknown, Status::Pass].map(|status| {
            (status, self.findings().filter(|(_, finding)| finding.status == status).count())
        })
    }

    fn tally(&self) -> String {
        let parts = self.counts().map(|(status, count)| format!("{count} {status}"));
        parts.join(", ")
    }
}

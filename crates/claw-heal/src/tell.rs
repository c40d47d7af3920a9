//! What is told of what was done.

use std::time::Duration;

use claw_box::Owner;
use claw_record::{Record, Severity, Source, Status, shown_span as shown};
use serde_json::Value;

use crate::act::{Act, LADDER, Rung, journal};
use crate::budget::Limit;
use crate::cause::Cause;
use crate::chart::{Chart, GaveUp, Trouble};
use crate::patient::{Kind, Unit};

/// Who tells, and what is the same in all of it.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(crate) source: Source,
    pub(crate) owner: Owner,
    pub(crate) limit: Limit,
    pub(crate) cool_down: Duration,
    /// How a person types what begins anew, but for the unit.
    pub(crate) reset: String,
}

impl Teller {
    /// What was done to a unit, or why it could not be.
    pub(crate) fn acted(
        &self,
        unit: &Unit,
        (act, cause): (Act, Cause),
        chart: &Chart,
        result: Result<(), String>,
    ) -> Record {
        let used = chart.budget.used();
        let what = match act {
            Act::Start if unit.agent().is_some() => format!("failed ({cause}): it was started"),
            Act::Start => {
                format!("failed ({cause}): its failure was forgotten, and it was started")
            }
            Act::Restart if cause == Cause::Hang => {
                "hangs, and did not start anew by itself: it was restarted".to_owned()
            }
            Act::Restart => {
                "is active, and nothing answers at its port: it was restarted".to_owned()
            }
            Act::Abort => "hangs: SIGABRT was sent to its main process".to_owned(),
        };
        let record = match result {
            Ok(()) => {
                let message = format!("{what}; {used} of {}", self.limit);
                self.source.record("restart", &unit.subject(), Status::Warn, &message)
            }
            Err(why) => {
                let message = format!("cannot {} it: {why}; {used} of {}", act.word(), self.limit);
                let mut record =
                    self.source.record("restart", &unit.subject(), Status::Fail, &message);
                record.remedy = Some(act.typed(unit, &self.owner));
                record
            }
        };
        let record = with(record, "act", act.word());
        with(self.with_budget(record, cause, chart), "command", act.typed(unit, &self.owner))
    }

    /// That a unit was given up.
    pub(crate) fn gave_up(&self, unit: &Unit, gave_up: &GaveUp, chart: &Chart) -> Record {
        let (cause, used) = (gave_up.trouble.cause, chart.budget.used());
        let ours = used - chart.budget.by_others();
        let often = if used >= self.limit.restarts {
            let within = shown(self.limit.within);
            format!("{used} restarts in {within}, {ours} of them by claw-heal")
        } else {
            format!("{} restarts in a row", gave_up.trouble.tries)
        };
        let message = format!(
            "gave up after {often} ({cause}): nothing more is done until somebody resets it, or for {}",
            shown(self.cool_down)
        );
        let mut record = self.source.record("gave-up", &unit.subject(), Status::Fail, &message);
        record.severity = Severity::Critical;
        let journal = journal(unit, &self.owner);
        record.remedy = Some(format!("see why: {journal}, then {} {unit}", self.reset));
        let record = self.with_budget(record, cause, chart);
        let record = with(record, "gave_up_at", gave_up.at.rfc3339());
        with(record, "down_since", gave_up.trouble.since.rfc3339())
    }

    /// That a unit is up again.
    pub(crate) fn recovered(&self, unit: &Unit, trouble: &Trouble, down: Duration) -> Record {
        let by = match trouble.tries {
            0 => "by itself".to_owned(),
            1 => "by one restart of claw-heal".to_owned(),
            tries => format!("after {tries} restarts by claw-heal"),
        };
        let message = format!("up again after {}, {by} ({})", shown(down), trouble.cause);
        let record = self.source.record("recovery", &unit.subject(), Status::Pass, &message);
        let record = with(record, "cause", trouble.cause.to_string());
        let record = with(record, "down_since", trouble.since.rfc3339());
        let seconds = (down.as_secs_f64() * 1000.0).round() / 1000.0;
        with(with(record, "down_seconds", seconds), "tries_total", trouble.tries)
    }

    /// What would be done to a unit.
    pub(crate) fn would(&self, unit: &Unit, what: &str, command: Option<String>) -> Record {
        let record = self.source.record("step", &unit.subject(), Status::Warn, what);
        match command {
            Some(command) => with(record, "command", command),
            None => record,
        }
    }

    /// That a unit is left as it is, and why.
    pub(crate) fn left(&self, unit: &Unit, why: &str) -> Record {
        let message = format!("it is left as it is: {why}");
        self.source.record("step", &unit.subject(), Status::Pass, &message)
    }

    /// The ladder, as far as it is one for this unit.
    pub(crate) fn ladder(&self, unit: &Unit, kind: Kind) -> Vec<Record> {
        let is_for = |act| match kind {
            Kind::Gateway => true,
            Kind::Agent => act != Act::Restart,
            Kind::Other => act == Act::Start,
        };
        let rungs = LADDER.iter().filter(|rung| is_for(rung.act));
        let tell = |Rung { act, when, what }: &Rung| {
            let message = format!("when {when}: {what}; {} at most", self.limit);
            let record = self.source.record("ladder", &unit.subject(), Status::Pass, &message);
            let mut command = act.typed(unit, &self.owner);
            if *act == Act::Abort {
                command = format!("{command} && {}", Act::Restart.typed(unit, &self.owner));
            }
            with(with(record, "act", act.word()), "command", command)
        };
        rungs.map(tell).collect()
    }

    /// How much of a budget is used.
    pub(crate) fn budget(&self, unit: &Unit, chart: &Chart) -> Record {
        let used = chart.budget.used();
        let spent = format!("restarts: {used} of {}", self.limit);
        let (status, message) = match (&chart.gave_up, &chart.trouble) {
            (Some(gave_up), _) => (
                Status::Fail,
                format!(
                    "given up at {} ({}); {spent}",
                    gave_up.at.rfc3339(),
                    gave_up.trouble.cause
                ),
            ),
            (None, Some(trouble)) => (
                Status::Warn,
                format!("down since {} ({}); {spent}", trouble.since.rfc3339(), trouble.cause),
            ),
            (None, None) => (Status::Pass, spent),
        };
        let mut record = self.source.record("budget", &unit.subject(), status, &message);
        if chart.gave_up.is_some() {
            let journal = journal(unit, &self.owner);
            record.remedy = Some(format!("see why: {journal}, then {} {unit}", self.reset));
        }
        let record = with(record, "restarts_total", used);
        let longest = chart.start_seconds.iter().copied().reduce(f64::max);
        match longest {
            Some(longest) => with(record, "longest_start_seconds", longest.round()),
            None => record,
        }
    }

    fn with_budget(&self, record: Record, cause: Cause, chart: &Chart) -> Record {
        let record = with(record, "cause", cause.to_string());
        let record = with(record, "restarts_total", chart.budget.used());
        let record = with(record, "restarts_by_others_total", chart.budget.by_others());
        let record = with(record, "limit_restarts", self.limit.restarts);
        with(record, "limit_seconds", self.limit.within.as_secs())
    }
}

fn with(mut record: Record, key: &str, value: impl Into<Value>) -> Record {
    record.data.insert(key.to_owned(), value.into());
    record
}

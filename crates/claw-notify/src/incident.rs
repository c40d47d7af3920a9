//! An incident: what is known of one subject on one host, and when there is something to tell of it.
//!
//! It opens with a record that does not pass, and is told after a short wait. Repeats are counted. It
//! ends with a record that passes, which is told at once as an answer. One that opens again and again
//! is told as flapping, once, and then when it is settled.

use claw_record::{Severity, Status};
use serde::{Deserialize, Serialize};

use crate::clock::Milliseconds;
use crate::fact::Fact;
use crate::spool::Ids;

/// How long is waited for what.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// From the first record of an incident until it is told, for what belongs to it.
    pub(crate) wait: Milliseconds,
    /// From one message about a subject to the next that says something new of it.
    pub(crate) again: Milliseconds,
    /// From one message about an incident that lasts to the next.
    pub(crate) remind: Milliseconds,
    /// For so long a subject has to be quiet before it is settled, or forgotten.
    pub(crate) settle: Milliseconds,
    /// So often it has to fail within that time to be flapping.
    pub(crate) flaps: usize,
}

impl Default for Rules {
    fn default() -> Self {
        const SECOND: Milliseconds = 1000;
        Self {
            wait: 5 * SECOND,
            again: 60 * SECOND,
            remind: 4 * 3600 * SECOND,
            settle: 15 * 60 * SECOND,
            flaps: 3,
        }
    }
}

/// How loud a severity is: the words of the format are not in order.
pub(crate) fn loudness(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
        Severity::Critical => 3,
    }
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) host: String,
    pub(crate) subject: String,
    /// The worst of it, and what was said then.
    pub(crate) worst: Fact,
    /// What was said last.
    pub(crate) last: Fact,
    /// When it began, by the wall.
    pub(crate) began: i64,
    /// Is it over?
    pub(crate) is_over: bool,
    /// How many records there were since it opened.
    pub(crate) count: u64,
    /// What was not told yet, and how many records that is.
    pub(crate) untold: Ids,
    pub(crate) untold_count: u64,
    /// The moments at which it opened, the last few.
    pub(crate) openings: Vec<Milliseconds>,
    /// When it opened or ended last.
    pub(crate) changed: Milliseconds,
    /// Since when there is something that cannot wait longer than the rules' `wait`.
    pub(crate) urgent: Option<Milliseconds>,
    /// When it was told last, and how loud.
    pub(crate) told: Option<Told>,
    pub(crate) is_flapping: bool,
    /// The message that answers are for, where it was delivered, and its receipt there.
    pub(crate) thread: Option<Thread>,
}

/// That an incident was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Milliseconds,
    severity: Severity,
    /// Was the end the last that was told?
    was_over: bool,
    was_flapping: bool,
    /// The message that told first of it.
    pub(crate) message: u64,
}

/// Where the first message about an incident went, and what the service called it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Thread {
    pub(crate) target: String,
    pub(crate) receipt: String,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// It began.
    Opened,
    /// It began and is over.
    CameAndWent,
    /// It got worse.
    Worse,
    /// It lasts.
    Lasts,
    /// It happened again.
    Again,
    /// It is over.
    Over,
    /// It comes and goes.
    Flapping,
    /// It came and went, and is now what it is.
    Settled,
    /// Something that is no trouble.
    Note,
}

/// What is to be done about an incident, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Tell(News),
    Forget,
}

impl Incident {
    /// The incident that a record opens. One that passes is told once, and no more.
    pub(crate) fn open(host: String, subject: String, fact: Fact, now: Milliseconds) -> Self {
        let mut incident = Self {
            host,
            subject,
            began: fact.time,
            is_over: fact.status == Status::Pass,
            worst: fact.clone(),
            last: fact,
            count: 0,
            untold: Ids::default(),
            untold_count: 0,
            openings: Vec::new(),
            changed: now,
            urgent: Some(now),
            told: None,
            is_flapping: false,
            thread: None,
        };
        incident.note();
        if !incident.is_over {
            incident.openings.push(now);
        }
        incident
    }

    /// Hears one more record about the same.
    pub(crate) fn hear(&mut self, mut fact: Fact, now: Milliseconds, rules: &Rules) {
        let is_new = fact.happened() && !self.last.says(&fact);
        if self.untold_count > 0 && fact.happened() {
            fact.follow(&self.last);
            if self.worst.status == fact.status {
                self.worst.repeat(&fact);
            }
        }
        let passes = fact.status == Status::Pass;
        let opens = self.is_over && !passes;
        let closes = !self.is_over && passes;
        if opens {
            // What was told and is over is another story, but for how often there was one.
            if self.untold_count == 0 {
                (self.count, self.began) = (0, fact.time);
                self.worst = fact.clone();
                if !self.is_flapping {
                    (self.told, self.thread) = (None, None);
                }
            }
            self.openings.push(now);
            self.openings.retain(|at| now.saturating_sub(*at) <= rules.settle);
            let excess = self.openings.len().saturating_sub(64);
            self.openings.drain(..excess);
            self.is_flapping |= self.openings.len() >= rules.flaps;
        }
        if loudness(fact.severity) > loudness(self.worst.severity)
            || (self.worst.status == Status::Pass && !passes)
        {
            self.worst = fact.clone();
        }
        (self.is_over, self.last) = (passes, fact);
        self.note();
        if opens || closes {
            self.changed = now;
        }
        let is_quiet = self.told.as_ref().is_some_and(|told| told.was_flapping);
        let is_worse = self
            .told
            .as_ref()
            .is_some_and(|told| loudness(self.worst.severity) > loudness(told.severity));
        if is_worse || (!is_quiet && (opens || closes || is_new || self.is_a_note())) {
            self.urgent.get_or_insert(now);
        }
    }

    fn note(&mut self) {
        const MOST_RANGES: usize = 16;
        self.count += 1;
        self.untold.add(self.last.id, MOST_RANGES);
        self.untold_count += 1;
    }

    /// Was there no trouble at all?
    fn is_a_note(&self) -> bool {
        self.worst.status == Status::Pass
    }

    /// What comes next, and when.
    pub(crate) fn next(&self, rules: &Rules) -> (Milliseconds, Next) {
        if let Some(since) = self.urgent {
            let news = self.news();
            // Of its end everybody wants to know at once; its beginning may be a part of something.
            let wait = if news == News::Over { 0 } else { rules.wait };
            let told = self.told.as_ref().filter(|_| news == News::Again);
            let not_before = told.map_or(0, |told| told.at + rules.again);
            return ((since + wait).max(not_before), Next::Tell(news));
        }
        let Some(told) = &self.told else { return (self.changed, Next::Forget) };
        if told.was_flapping {
            let settled = self.changed + rules.settle;
            let again = told.at + rules.remind;
            return if again < settled && self.untold_count > 0 {
                (again, Next::Tell(News::Flapping))
            } else {
                (settled, Next::Tell(News::Settled))
            };
        }
        if self.is_over {
            return (self.changed.max(told.at) + rules.settle, self.rest());
        }
        if self.last.lasts() {
            return (told.at + rules.remind, Next::Tell(News::Lasts));
        }
        (told.at + rules.settle, self.rest())
    }

    /// When it is to be sent again to whoever forgets what is not repeated, and when no more.
    pub(crate) fn next_alert(&self, rules: &Rules) -> (Milliseconds, Next) {
        /// It forgets after five minutes, and so long it wants to hear that something is over.
        const AGAIN: Milliseconds = 60_000;
        const BEYOND: Milliseconds = 5 * 60_000;
        let Some(told) = &self.told else { return (0, Next::Tell(News::Opened)) };
        if let Some(since) = self.urgent {
            return (since, Next::Tell(News::Again));
        }
        let ends = match (self.is_over, self.last.lasts()) {
            (true, _) => self.changed + BEYOND,
            (false, false) => self.changed + rules.settle,
            (false, true) => Milliseconds::MAX,
        };
        let again = told.at + AGAIN;
        if again > ends { (again, Next::Forget) } else { (again, Next::Tell(News::Lasts)) }
    }

    /// What happened again while nothing was told is told before it is forgotten.
    fn rest(&self) -> Next {
        if self.untold_count > 0 { Next::Tell(News::Again) } else { Next::Forget }
    }

    fn news(&self) -> News {
        match &self.told {
            _ if self.is_a_note() => News::Note,
            _ if self.is_flapping => News::Flapping,
            None if self.is_over => News::CameAndWent,
            None => News::Opened,
            Some(_) if self.is_over => News::Over,
            Some(told) if loudness(self.worst.severity) > loudness(told.severity) => News::Worse,
            Some(_) => News::Again,
        }
    }

    /// Everything up to now was put into that message.
    pub(crate) fn tell(&mut self, news: News, message: u64, now: Milliseconds) {
        if news == News::Settled {
            self.is_flapping = false;
            self.openings.clear();
        }
        let first = self.told.as_ref().map_or(message, |told| told.message);
        self.told = Some(Told {
            at: now,
            severity: self.worst.severity,
            was_over: self.is_over,
            was_flapping: self.is_flapping,
            message: first,
        });
        self.urgent = None;
        self.untold = Ids::default();
        self.untold_count = 0;
        self.worst.shorten();
        self.last.shorten();
    }
}

#[cfg(test)]
#[path = "incident_tests.rs"]
mod tests;

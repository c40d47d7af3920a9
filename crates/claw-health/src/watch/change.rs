//! What counts as a change, and what has to be remembered of each subject for that.
//!
//! A subject is in a condition: its status, its severity, and its state where it has one. What was
//! told of it last stands until enough looks say something else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::str::FromStr;
use std::time::Duration;

use claw_record::{Severity, Status};
use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::finding::Finding;

/// How many looks have to say it before a change counts: `2`, or `2/3` for two of the last three.
///
/// A change for the worse needs so many of the last looks; any other needs all of them, so that what
/// comes and goes is told once and not over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirm {
    pub(crate) needed: usize,
    pub(crate) of: usize,
}

impl FromStr for Confirm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const MOST: usize = 100;
        let (needed, of) = text.split_once('/').unwrap_or((text, text));
        let number = |text: &str| text.parse().ok().filter(|count| (1..=MOST).contains(count));
        match (number(needed), number(of)) {
            (Some(needed), Some(of)) if needed <= of => Ok(Self { needed, of }),
            _ => Err(format!("not a number of looks, such as 2, or 2/3; at most {MOST}")),
        }
    }
}

/// How a subject is, as far as that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Condition {
    pub(super) status: Status,
    severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
}

/// How what a look says differs from what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Same,
    Worse,
    Better,
    /// As bad, and in another state.
    Aside,
}

impl Condition {
    pub(super) fn of(finding: &Finding) -> Self {
        let state = finding.data.get("state").and_then(serde_json::Value::as_str);
        Self { status: finding.status, severity: finding.severity, state: state.map(str::to_owned) }
    }

    fn pass() -> Self {
        Self { status: Status::Pass, severity: Severity::Info, state: None }
    }

    fn passes(&self) -> bool {
        self.status == Status::Pass
    }

    fn rank(&self) -> (u8, u8) {
        let status = match self.status {
            Status::Pass => 0,
            Status::Unknown => 1,
            Status::Warn => 2,
            Status::Fail => 3,
        };
        let severity = match self.severity {
            Severity::Info => 0,
            Severity::Warning => 1,
            Severity::Error => 2,
            Severity::Critical => 3,
        };
        (status, severity)
    }

    fn direction(&self, told: &Self) -> Direction {
        match self.rank().cmp(&told.rank()) {
            std::cmp::Ordering::Greater => Direction::Worse,
            std::cmp::Ordering::Less => Direction::Better,
            // All that is well is as well as it can be.
            std::cmp::Ordering::Equal if self.passes() || self.state == told.state => {
                Direction::Same
            }
            std::cmp::Ordering::Equal => Direction::Aside,
        }
    }
}

/// What was told of a subject, or was well without being told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    #[serde(flatten)]
    condition: Condition,
    since: Moment,
    /// Its message, where it did not pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
}

/// A look at a subject since then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Glance {
    direction: Direction,
    at: Moment,
}

/// All that is remembered of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    check: String,
    /// Nothing yet where it is new, and does not pass, and that is not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    recent: VecDeque<Glance>,
    /// Since when it is not found any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<Moment>,
}

/// A change that counts: what the record of it says of before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Nothing where the subject is new.
    pub(super) was: Option<Was>,
}

/// How a subject was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Was {
    pub(super) condition: Condition,
    pub(super) since: Moment,
    /// For how long, up to the first look that said something else.
    pub(super) lasted: Duration,
}

/// What a look said of one subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard<'a> {
    pub(super) check: &'a str,
    /// Does a failure count at once?
    pub(super) is_sure: bool,
    pub(super) finding: &'a Finding,
}

/// What is remembered of all subjects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    subjects: BTreeMap<String, Known>,
    /// Is what does not pass told at the first look at it?
    #[serde(skip)]
    is_fresh: bool,
    /// Was it made by a monitor that looked at other things?
    #[serde(skip)]
    is_of_another: bool,
    /// Did anything change that has to be remembered?
    #[serde(skip)]
    pub(super) is_changed: bool,
}

impl Memory {
    /// Nothing is known: whatever does not pass is told at the first look.
    pub(super) fn fresh() -> Self {
        Self { is_fresh: true, ..Self::default() }
    }

    /// After a reboot.
    pub(super) fn of_an_earlier_boot(mut self) -> Self {
        for known in self.subjects.values_mut() {
            let told = known.told.iter_mut().map(|told| &mut told.since);
            let glances = known.recent.iter_mut().map(|glance| &mut glance.at);
            for moment in told.chain(glances).chain(&mut known.gone) {
                *moment = moment.of_an_earlier_boot();
            }
        }
        self
    }

    /// Of a monitor that looked at other things: what the first look does not find is forgotten.
    pub(super) fn of_another(self) -> Self {
        Self { is_of_another: true, ..self }
    }

    /// Hears what a look says of a subject, and tells whether that is a change.
    pub(super) fn hear(&mut self, heard: Heard, confirm: Confirm, now: Moment) -> Option<Change> {
        let subject = &heard.finding.subject;
        if !self.subjects.contains_key(subject) {
            self.subjects.insert(subject.clone(), Known::new(heard.check));
        }
        let known = self.subjects.get_mut(subject)?;
        known.check = heard.check.to_owned();
        known.gone = None;
        let condition = Condition::of(heard.finding);
        if known.told.is_none() && condition.passes() {
            known.told = Some(Told { condition, since: now, message: String::new() });
            known.recent.clear();
            self.is_changed = true;
            return None;
        }
        let direction = known.direction(&condition);
        known.glance(direction, confirm, now);
        let is_sure = heard.is_sure && condition.status == Status::Fail;
        let is_first = self.is_fresh && known.told.is_none();
        let at_once = direction == Direction::Worse && (is_sure || is_first);
        if !(at_once || known.is_confirmed(direction, confirm)) {
            return None;
        }
        self.is_changed = true;
        Some(known.change(condition, &heard.finding.message, now))
    }

    /// Is that how its subject is told to be?
    pub(super) fn stands(&self, finding: &Finding) -> bool {
        let told = self.subjects.get(&finding.subject).and_then(|known| known.told.as_ref());
        told.is_some_and(|told| told.condition == Condition::of(finding))
    }

    /// Ends a look at these checks. What was known of one of them and was not heard of is not there
    /// any more; where that did not pass, it is told as over, once that is confirmed.
    pub(super) fn end_look(
        &mut self,
        looked: &BTreeSet<&str>,
        planned: &BTreeSet<&str>,
        heard: &BTreeSet<String>,
        confirm: Confirm,
        now: Moment,
    ) -> Vec<(Finding, Change)> {
        self.is_fresh = false;
        if std::mem::take(&mut self.is_of_another) {
            self.subjects.retain(|subject, _| heard.contains(subject));
            self.is_changed = true;
        }
        let mut over = Vec::new();
        for (subject, known) in &mut self.subjects {
            let is_missed = looked.contains(known.check.as_str()) && !heard.contains(subject);
            if !is_missed && planned.contains(known.check.as_str()) {
                continue;
            }
            known.gone.get_or_insert(now);
            if is_missed {
                over.extend(known.miss(subject, confirm, now));
            }
        }
        self.is_changed |= !over.is_empty();
        self.forget(now);
        over
    }

    /// Is a change of one of its subjects not confirmed yet?
    pub(super) fn is_open(&self, check: &str) -> bool {
        let differs = |glance: &Glance| glance.direction != Direction::Same;
        let is_open = |known: &Known| known.check == check && known.recent.iter().any(differs);
        self.subjects.values().any(is_open)
    }

    /// The subjects of a check that were told and do not pass.
    pub(super) fn in_trouble(&self, check: &str) -> impl Iterator<Item = &str> {
        let is_it = move |known: &Known| {
            known.check == check && known.told.as_ref().is_some_and(|told| !told.condition.passes())
        };
        self.subjects.iter().filter(move |(_, known)| is_it(known)).map(|(name, _)| name.as_str())
    }

    /// Forgets what has not been there for long, and of many such what has been gone longest.
    fn forget(&mut self, now: Moment) {
        const KEPT: Duration = Duration::from_secs(86_400);
        const MOST_GONE: usize = 1000;
        let count = self.subjects.len();
        self.subjects.retain(|_, known| match known.gone {
            None => true,
            Some(gone) => {
                let is_new = known.told.is_none();
                let is_quiet =
                    known.recent.iter().all(|glance| glance.direction == Direction::Same);
                !(is_new && is_quiet) && now.since(gone) < KEPT
            }
        });
        let gone = |(name, known): (&String, &Known)| Some((now.since(known.gone?), name.clone()));
        let mut gone: Vec<_> = self.subjects.iter().filter_map(gone).collect();
        if gone.len() > MOST_GONE {
            gone.sort_unstable();
            for (_, name) in gone.drain(MOST_GONE..) {
                self.subjects.remove(&name);
            }
        }
        self.is_changed |= self.subjects.len() != count;
    }
}

impl Known {
    fn new(check: &str) -> Self {
        Self { check: check.to_owned(), told: None, recent: VecDeque::new(), gone: None }
    }

    fn direction(&self, condition: &Condition) -> Direction {
        match &self.told {
            Some(told) => condition.direction(&told.condition),
            None => condition.direction(&Condition::pass()),
        }
    }

    fn glance(&mut self, direction: Direction, confirm: Confirm, at: Moment) {
        self.recent.push_back(Glance { direction, at });
        while self.recent.len() > confirm.of {
            self.recent.pop_front();
        }
        // Looks that said what was told before are no part of a change.
        while self.recent.front().is_some_and(|glance| glance.direction == Direction::Same) {
            self.recent.pop_front();
        }
    }

    fn is_confirmed(&self, direction: Direction, confirm: Confirm) -> bool {
        let all = |fits: fn(Direction) -> bool| {
            self.recent.len() >= confirm.of
                && self.recent.iter().all(|glance| fits(glance.direction))
        };
        match direction {
            Direction::Same => false,
            Direction::Worse => {
                let worse = |glance: &&Glance| glance.direction == Direction::Worse;
                self.recent.iter().filter(worse).count() >= confirm.needed
            }
            Direction::Better => all(|direction| direction == Direction::Better),
            Direction::Aside => all(|to| matches!(to, Direction::Better | Direction::Aside)),
        }
    }

    /// Makes what a look said the condition that was told.
    fn change(&mut self, condition: Condition, message: &str, now: Moment) -> Change {
        /// Enough to know it again.
        const MESSAGE_CHARS: usize = 300;
        let direction = self.direction(&condition);
        let is_worse = direction == Direction::Worse;
        let is_part = |glance: &&Glance| !is_worse || glance.direction == Direction::Worse;
        let since = self.recent.iter().find(is_part).map_or(now, |glance| glance.at);
        let message = if condition.passes() {
            String::new()
        } else {
            message.chars().take(MESSAGE_CHARS).collect()
        };
        let was = self.told.replace(Told { condition, since, message });
        self.recent.clear();
        Change {
            was: was.map(|was| Was {
                lasted: since.since(was.since),
                condition: was.condition,
                since: was.since,
            }),
        }
    }

    /// A look did not find it: it passes, as far as anybody can say.
    fn miss(&mut self, subject: &str, confirm: Confirm, now: Moment) -> Option<(Finding, Change)> {
        let condition = Condition::pass();
        let direction = match &self.told {
            Some(told) if told.condition.passes() => {
                self.recent.clear();
                return None;
            }
            Some(_) => Direction::Better,
            None => Direction::Same,
        };
        self.glance(direction, confirm, now);
        if !self.is_confirmed(direction, confirm) {
            return None;
        }
        let before = self.told.as_ref().map(|told| told.message.clone()).unwrap_or_default();
        let finding = Finding::pass(subject, format!("no longer so: {before}"));
        Some((finding, self.change(condition, "", now)))
    }
}

#[cfg(test)]
mod tests;

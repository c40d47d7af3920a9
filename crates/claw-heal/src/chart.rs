//! What is remembered of a unit: its restarts, its trouble, and what was seen of it last.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::act::Act;
use crate::budget::{Budget, Limit};
use crate::cause::Cause;
use crate::facts::{Facts, Standing};
use crate::moment::Moment;

/// All that is remembered of a unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Chart {
    pub(crate) budget: Budget,
    pub(crate) gave_up: Option<GaveUp>,
    pub(crate) trouble: Option<Trouble>,
    /// What we did to it that has not been seen to work.
    pub(crate) under_way: Option<Try>,
    pub(crate) seen: Option<Seen>,
    pub(crate) row: Option<Row>,
    /// The start that is known to have answered.
    pub(crate) answered: String,
    /// How many seconds its last starts took until it answered.
    pub(crate) start_seconds: Vec<f64>,
}

/// A time in which a unit is down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) cause: Cause,
    pub(crate) since: Moment,
    /// How often we restarted it in this time.
    pub(crate) tries: usize,
    pub(crate) last_try: Option<Moment>,
}

/// That nothing is done to a unit any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GaveUp {
    pub(crate) at: Moment,
    /// The trouble that it was in.
    pub(crate) trouble: Trouble,
    /// Was it told? Until then it is told again.
    pub(crate) is_told: bool,
}

/// Something that we did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Try {
    pub(crate) act: Act,
    pub(crate) at: Moment,
    /// The start of the unit that it was done to.
    pub(crate) invocation: String,
}

/// What was seen of a unit last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    boot: String,
    invocation: String,
    restarts: u64,
}

/// How many looks in a row said the same of one start of the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) says: Sick,
    pub(crate) looks: u32,
    /// When the first of them was, and the last.
    pub(crate) since: Moment,
    last: Moment,
    invocation: String,
}

/// What is wrong with a gateway whose unit is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sick {
    Hung,
    Dead,
}

impl Chart {
    /// Sees how the unit is, and counts the restarts that came since, whoever made them.
    pub(crate) fn see(&mut self, facts: &Facts, limit: Limit, now: &Moment) {
        self.under_way.take_if(|one| one.at.boot != now.boot);
        self.row.take_if(|row| row.last.boot != now.boot);
        let standing = facts.standing();
        if !facts.load_state.is_empty() {
            // No restart of it came later than its last start.
            let started = now.before(facts.started_ago.unwrap_or_default());
            let came = self.under_way.take_if(|one| one.invocation != facts.invocation);
            let others = self.restarts_of_others(facts, came.as_ref(), now);
            if came.is_some() {
                self.budget.has_come(&started);
            }
            let cause = match (&self.trouble, standing) {
                (Some(trouble), _) => trouble.cause,
                (None, Standing::Failed(cause)) => cause,
                (None, _) => Cause::Dead,
            };
            self.budget.others(others, &started, cause, limit);
            self.row.take_if(|row| row.invocation != facts.invocation);
            let (boot, invocation) = (now.boot.clone(), facts.invocation.clone());
            self.seen = Some(Seen { boot, invocation, restarts: facts.restarts });
        }
        let may_come = self.under_way.is_some() && matches!(standing, Standing::Moving(_));
        self.budget.forget(limit, may_come, now);
    }

    /// How often it was restarted since it was seen last, by systemd or by a person. A start of ours
    /// that `came` is none of them.
    fn restarts_of_others(&self, facts: &Facts, came: Option<&Try>, now: &Moment) -> u64 {
        let count = facts.restarts;
        let Some(seen) = &self.seen else {
            // Of a time that nobody watched, only a start limit tells when it was.
            let is_limit = facts.standing() == Standing::Failed(Cause::StartLimit);
            return if is_limit { count } else { 0 };
        };
        if seen.boot != now.boot {
            return count;
        }
        // Nothing where the count began anew, as it does when somebody starts it by hand.
        let more = count.checked_sub(seen.restarts);
        match came.map(|one| one.act) {
            // Ours began the count anew.
            Some(Act::Start | Act::Restart) => count,
            Some(Act::Abort) => more.map_or(count, |more| more.saturating_sub(1)),
            None => {
                let is_new = facts.invocation != seen.invocation && !seen.invocation.is_empty();
                match more {
                    Some(0) => u64::from(is_new),
                    Some(more) => more,
                    None => count + u64::from(is_new),
                }
            }
        }
    }

    /// One more look says that the gateway is sick.
    pub(crate) fn is_sick(&mut self, says: Sick, facts: &Facts, now: &Moment) {
        /// What was longer ago was not seen in a row.
        const LONGEST_GAP: Duration = Duration::from_secs(60);
        match &mut self.row {
            Some(row) if row.says == says && now.since_at_least(&row.last) <= LONGEST_GAP => {
                row.looks = row.looks.saturating_add(1);
                row.last = now.clone();
            }
            row => {
                let (since, last, invocation) = (now.clone(), now.clone(), &facts.invocation);
                let invocation = invocation.clone();
                *row = Some(Row { says, looks: 1, since, last, invocation });
            }
        }
    }

    /// The gateway answers, and for that long by its own account.
    pub(crate) fn answers(&mut self, uptime: Option<f64>, facts: &Facts) {
        /// Longer than any start; what is more is an uptime that began anew in the same process.
        const LONGEST_START_SECONDS: f64 = 600.0;
        const KEPT: usize = 5;
        self.row = None;
        let Some(age) = facts.active_for else { return };
        if self.has_answered(facts) {
            return;
        }
        self.answered.clone_from(&facts.invocation);
        let took = uptime.map(|uptime| age.as_secs_f64() - uptime);
        self.start_seconds.extend(took.filter(|took| (0.0..LONGEST_START_SECONDS).contains(took)));
        let old = self.start_seconds.len().saturating_sub(KEPT);
        self.start_seconds.drain(..old);
    }

    /// Has this start of it answered before? Then it is not starting any more.
    pub(crate) fn has_answered(&self, facts: &Facts) -> bool {
        !facts.invocation.is_empty() && self.answered == facts.invocation
    }

    /// How long a start of it may take: as long as it is granted, or three times the longest that was
    /// measured.
    pub(crate) fn longest_start(&self, granted: Duration) -> Duration {
        let measured = self.start_seconds.iter().copied().fold(0.0, f64::max);
        granted.max(Duration::try_from_secs_f64(measured * 3.0).unwrap_or(granted))
    }

    /// From now on nothing is done to it.
    pub(crate) fn give_up(&mut self, trouble: Trouble, now: &Moment) -> GaveUp {
        let gave_up = GaveUp { at: now.clone(), trouble, is_told: false };
        self.gave_up.insert(gave_up).clone()
    }

    /// A person says that it may be tried again.
    pub(crate) fn reset(&mut self) {
        self.budget = Budget::default();
        self.gave_up = None;
        self.under_way = None;
        if let Some(trouble) = &mut self.trouble {
            (trouble.tries, trouble.last_try) = (0, None);
        }
    }
}

//! When is each check looked at next?
//!
//! Times are of a clock that no one sets and that goes on in a suspended box. Each check has a grid of
//! its own from the first look on, so that a look that took long moves none of the next, and those it
//! overran are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::checks::Check;

/// When what is looked at.
#[derive(Debug)]
pub(super) struct Schedule {
    start: Duration,
    /// How often the monitor looks.
    every: Duration,
    /// How often it looks at these checks.
    own: BTreeMap<&'static str, Duration>,
    next: BTreeMap<&'static str, Duration>,
    /// When these are looked at before that.
    hurried: BTreeMap<&'static str, Duration>,
    /// Those of which such a look is under way.
    hurrying: BTreeSet<&'static str>,
    /// When the last look was over.
    last: Duration,
    /// When there is a look even where nothing was there to be looked at.
    idle: Duration,
}

impl Schedule {
    /// A schedule in which everything is due.
    pub(super) fn new(
        start: Duration,
        every: Duration,
        own: BTreeMap<&'static str, Duration>,
    ) -> Self {
        let (next, hurried, hurrying) = Default::default();
        Self { start, every, own, next, hurried, hurrying, last: start, idle: start }
    }

    /// A look begins: the checks that are not due yet. One that was never looked at is due.
    pub(super) fn begin(&mut self, now: Duration) -> BTreeSet<&'static str> {
        let is_hurried = |name| self.hurried.get(name).is_some_and(|at| *at <= now);
        let resting = self.next.iter().filter(|(name, next)| **next > now && !is_hurried(**name));
        let resting = resting.map(|(name, _)| *name).collect();
        self.hurrying = self.hurried.keys().copied().filter(|name| is_hurried(*name)).collect();
        self.hurried.retain(|_, at| *at > now);
        resting
    }

    /// This check was looked at by now. One with a change that is not confirmed yet is looked at
    /// again as soon as the monitor looks at all, or at once where it was worth a look before its time.
    pub(super) fn looked(&mut self, check: &'static Check, now: Duration, is_open: bool) {
        let every = self.every_of(check);
        let every = if is_open { every.min(self.every) } else { every };
        self.next.insert(check.name, self.after(now, every));
        if self.hurrying.remove(check.name) && is_open {
            self.last = now;
            self.hurry(check.name, now);
        }
    }

    /// This check is worth a look before its time, be there one under way or not. What changes all the
    /// time is looked at once a second.
    pub(super) fn hurry(&mut self, check: &'static str, now: Duration) {
        /// What changes goes through more than one state within a moment.
        const SETTLED: Duration = Duration::from_millis(100);
        const AT_MOST_EVERY: Duration = Duration::from_secs(1);
        if self.next.contains_key(check) {
            let at = (self.last + AT_MOST_EVERY).max(now + SETTLED);
            self.hurried.entry(check).or_insert(at);
        }
    }

    /// A look is over. Only these checks are there to be looked at.
    pub(super) fn keep(&mut self, planned: &BTreeSet<&'static str>, now: Duration) {
        self.next.retain(|name, _| planned.contains(name));
        self.last = now;
        self.idle = self.after(now, self.every);
    }

    /// When something is due.
    pub(super) fn next(&self) -> Duration {
        let next = self.next.values().min().copied().unwrap_or(self.idle);
        self.hurried.values().min().copied().unwrap_or(next).min(next)
    }

    fn every_of(&self, check: &Check) -> Duration {
        let by_itself = Duration::from_secs(check.every_seconds).max(self.every);
        self.own.get(check.name).copied().unwrap_or(by_itself)
    }

    /// The next point of a grid.
    fn after(&self, now: Duration, every: Duration) -> Duration {
        let since = now.saturating_sub(self.start).as_nanos();
        let into = since.checked_rem(every.as_nanos()).unwrap_or(0);
        // What is left over is less than an interval, which is days at most.
        now - Duration::from_nanos(u64::try_from(into).unwrap_or(0)).min(now) + every
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks;

    fn check(name: &str) -> &'static Check {
        checks::ALL.iter().find(|check| check.name == name).unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// When each was looked at, in seconds from the start on; a look takes the time that `takes` says.
    fn looks(mut schedule: Schedule, names: &[&str], takes: fn(u64) -> u64) -> Vec<String> {
        let mut looks = Vec::new();
        let mut now = at(1000);
        while now < at(1000 + 400) {
            let resting = schedule.begin(now);
            let begun = (now - at(1000)).as_secs();
            now += at(takes(begun));
            for name in names.iter().filter(|name| !resting.contains(**name)) {
                looks.push(format!("{name} {begun}"));
                schedule.looked(check(name), now, false);
            }
            now = now.max(schedule.next());
        }
        looks
    }

    #[test]
    fn each_check_has_its_own_time() {
        let own = BTreeMap::from([("disk", at(120))]);
        let schedule = Schedule::new(at(1000), at(100), own);
        assert_eq!(
            looks(schedule, &["load", "disk", "workspace"], |_| 0),
            [
                "load 0",
                "disk 0",
                "workspace 0",
                "load 100",
                "disk 120",
                "load 200",
                "disk 240",
                "load 300",
                "workspace 300",
                "disk 360"
            ]
        );
    }

    #[test]
    fn a_look_that_takes_long_leaves_out_what_it_overran() {
        let schedule = Schedule::new(at(1000), at(100), BTreeMap::new());
        let takes = |now| if now == 100 { 150 } else { 5 };
        assert_eq!(looks(schedule, &["load"], takes), ["load 0", "load 100", "load 300"]);
    }

    #[test]
    fn a_change_that_is_not_confirmed_is_looked_at_soon() {
        let mut schedule = Schedule::new(at(0), at(30), BTreeMap::new());
        schedule.looked(check("updates"), at(60), false);
        assert_eq!(schedule.next(), at(3600));
        schedule.looked(check("updates"), at(3600), true);
        assert_eq!(schedule.next(), at(3630));
        let often = BTreeMap::from([("load", at(5))]);
        let mut schedule = Schedule::new(at(0), at(30), often);
        schedule.looked(check("load"), at(5), true);
        assert_eq!(schedule.next(), at(10));
    }

    #[test]
    fn what_changed_is_looked_at_once_a_second_at_most_and_alone() {
        let moment = Duration::from_millis(100);
        let mut schedule = Schedule::new(at(0), at(30), BTreeMap::new());
        schedule.looked(check("unit"), at(0), false);
        schedule.looked(check("load"), at(0), false);
        schedule.keep(&BTreeSet::from(["unit", "load"]), at(0));
        schedule.hurry("disk", at(9));
        assert_eq!(schedule.next(), at(30), "it is not there");
        schedule.hurry("unit", at(10));
        schedule.hurry("unit", at(10) + moment / 2);
        assert_eq!(schedule.next(), at(10) + moment);
        assert_eq!(schedule.begin(schedule.next()), BTreeSet::from(["load"]));
        // It changes once more while it is looked at.
        schedule.hurry("unit", at(10) + moment);
        schedule.looked(check("unit"), at(11), false);
        schedule.keep(&BTreeSet::from(["unit", "load"]), at(11));
        assert_eq!(schedule.next(), at(10) + moment * 2);
        schedule.begin(at(11));
        schedule.looked(check("unit"), at(11), false);
        schedule.hurry("unit", at(11));
        assert_eq!(schedule.next(), at(12), "there was a look just now");
        // What changed is not confirmed, and then it is.
        schedule.begin(at(12));
        schedule.looked(check("unit"), at(12), true);
        assert_eq!(schedule.next(), at(13));
        schedule.begin(at(13));
        schedule.looked(check("unit"), at(13), false);
        assert_eq!(schedule.next(), at(30));
    }

    #[test]
    fn what_is_gone_keeps_nobody_awake() {
        let mut schedule = Schedule::new(at(0), at(30), BTreeMap::new());
        schedule.looked(check("gateway"), at(0), false);
        schedule.keep(&BTreeSet::new(), at(100));
        assert_eq!(schedule.next(), at(120));
        assert!(schedule.begin(at(100)).is_empty());
    }
}

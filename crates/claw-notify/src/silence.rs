//! Silences: planned work is no alarm. Each has an end and a reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::{Milliseconds, wall};

/// A time in which something is not told. What comes in it is told when it is over, if it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Silence {
    pub(crate) until: Milliseconds,
    /// The same by the clock on the wall, which goes on while the box is off. The earlier one counts.
    pub(crate) until_wall: i64,
    /// About what; a `*` at its end stands for anything. Everything, where it is nothing.
    pub(crate) subject: Option<String>,
    pub(crate) why: String,
}

/// All that are.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    pub(crate) all: BTreeMap<u32, Silence>,
    /// When each ends that is not over, by the clock that counts.
    ends: BTreeMap<u32, Milliseconds>,
}

impl Silence {
    fn covers(&self, subject: &str) -> bool {
        match &self.subject {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => subject.starts_with(start),
                None => subject == pattern,
            },
        }
    }

    fn end(&self, now: Milliseconds, wall: i64) -> Milliseconds {
        let left = u64::try_from(self.until_wall.saturating_sub(wall)).unwrap_or(0);
        self.until.min(now.saturating_add(left.saturating_mul(1000)))
    }
}

impl Silences {
    /// Looks at the clocks again, and gives the numbers of those that are over.
    pub(crate) fn look(&mut self, now: Milliseconds) -> Vec<u32> {
        let wall = wall();
        self.ends = self.all.iter().map(|(n, silence)| (*n, silence.end(now, wall))).collect();
        let over: Vec<_> =
            self.ends.iter().filter(|(_, end)| **end <= now).map(|(number, _)| *number).collect();
        for number in &over {
            self.all.remove(number);
            self.ends.remove(number);
        }
        over
    }

    /// Opens one.
    pub(crate) fn open(&mut self, silence: Silence) -> u32 {
        let number = self.all.keys().last().map_or(1, |last| last + 1);
        self.ends.insert(number, silence.until);
        self.all.insert(number, silence);
        number
    }

    /// Ends one now. Was there one?
    pub(crate) fn close(&mut self, number: u32) -> bool {
        self.ends.remove(&number);
        self.all.remove(&number).is_some()
    }

    /// The numbers of those that have that reason.
    pub(crate) fn of_reason(&self, why: &str) -> Vec<u32> {
        let same = self.all.iter().filter(|(_, silence)| silence.why == why);
        same.map(|(number, _)| *number).collect()
    }

    /// Until when a subject is not told.
    pub(crate) fn until(&self, subject: &str) -> Milliseconds {
        let covering = self.all.iter().filter(|(_, silence)| silence.covers(subject));
        covering.filter_map(|(number, _)| self.ends.get(number).copied()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(until: Milliseconds, until_wall: i64, subject: Option<&str>) -> Silence {
        let subject = subject.map(str::to_owned);
        Silence { until, until_wall, subject, why: "planned".into() }
    }

    #[test]
    fn a_silence_covers_what_it_names_until_its_end() {
        let mut silences = Silences::default();
        silences.open(silence(5_000, wall() + 100, Some("unit:user/x")));
        silences.open(silence(9_000, wall() + 100, Some("disk:*")));
        assert!(silences.look(1_000).is_empty());
        assert_eq!(silences.until("unit:user/x"), 5_000);
        assert_eq!(silences.until("disk:/data"), 9_000);
        assert_eq!(silences.until("unit:user/xy"), 0);
        assert_eq!(silences.look(5_000), [1]);
        assert_eq!(silences.until("unit:user/x"), 0);
        silences.open(silence(20_000, wall() + 100, None));
        assert_eq!(silences.until("anything"), 20_000);
    }

    /// Whatever becomes of one clock, the other one ends it.
    #[test]
    fn a_clock_that_is_set_does_not_make_it_longer() {
        let now = 1_000_000;
        for (case, until, until_wall, ends_by) in [
            ("set back a day", now + 60_000, wall() + 86_460, now + 60_000),
            ("off for a day", now + 60_000, wall() - 86_400, now),
            ("set ahead", now + 60_000, wall() - 5, now),
        ] {
            let mut silences = Silences::default();
            silences.open(silence(until, until_wall, None));
            silences.look(now);
            assert!(silences.until("x") <= ends_by, "{case}");
        }
    }
}

//! How often a unit may be restarted, and how often it was.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::moment::Moment;

/// So many restarts within so long: `5/5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) restarts: usize,
    pub(crate) within: Duration,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const MOST: usize = 100;
        const SHORTEST: Duration = Duration::from_secs(1);
        let (restarts, within) = text.split_once('/').ok_or("not a limit, such as 5/5m")?;
        let restarts = restarts.parse().ok().filter(|count| (1..=MOST).contains(count));
        let restarts = restarts.ok_or_else(|| format!("not a number from 1 to {MOST}"))?;
        let within = claw_record::span(within)?;
        if within < SHORTEST {
            return Err("the time must be 1s or more".to_owned());
        }
        Ok(Self { restarts, within })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.restarts, claw_record::shown_span(self.within))
    }
}

/// Who restarted a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum By {
    ClawHeal,
    /// systemd itself, or a person: whoever it was, it was not us.
    Others,
}

/// A restart that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restart {
    pub(crate) at: Moment,
    pub(crate) by: By,
    pub(crate) cause: Cause,
    /// It was commanded, and has not been seen to come: until then it grows no older.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_under_way: bool,
}

/// The restarts of a unit that may still count, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Budget(Vec<Restart>);

impl Budget {
    /// How many count at this moment.
    pub(crate) fn used(&self) -> usize {
        self.0.len()
    }

    /// How many of them were not ours.
    pub(crate) fn by_others(&self) -> usize {
        self.0.iter().filter(|restart| restart.by == By::Others).count()
    }

    /// Counts restarts that others made, the last of them at that moment.
    pub(crate) fn others(&mut self, count: u64, at: &Moment, cause: Cause, limit: Limit) {
        // More than fill it change nothing.
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(limit.restarts + 1);
        let restart = Restart { at: at.clone(), by: By::Others, cause, is_under_way: false };
        self.0.extend(std::iter::repeat_n(restart, count));
        let most = 4 * (limit.restarts + 1);
        self.0.drain(..self.0.len().saturating_sub(most));
    }

    /// Counts a restart that we are about to make.
    pub(crate) fn ours(&mut self, at: &Moment, cause: Cause) {
        self.0.push(Restart { at: at.clone(), by: By::ClawHeal, cause, is_under_way: true });
    }

    /// What is under way is commanded anew; false where nothing is that still counts.
    pub(crate) fn again(&mut self, at: &Moment) -> bool {
        let mut under_way = self.0.iter_mut().filter(|restart| restart.is_under_way);
        let last = under_way.next_back();
        last.map(|restart| restart.at = at.clone()).is_some()
    }

    /// Our last restart has come, at that moment.
    pub(crate) fn has_come(&mut self, at: &Moment) {
        for restart in self.0.iter_mut().filter(|restart| restart.is_under_way) {
            (restart.at, restart.is_under_way) = (at.clone(), false);
        }
    }

    /// Forgets what no longer counts. What is under way counts on while `may_come`.
    pub(crate) fn forget(&mut self, limit: Limit, may_come: bool, now: &Moment) {
        self.0.retain(|restart| {
            (restart.is_under_way && may_come) || now.since_at_least(&restart.at) < limit.within
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_as_it_is_typed() {
        let limit: Limit = "5/5m".parse().unwrap();
        assert_eq!(limit, Limit { restarts: 5, within: Duration::from_secs(300) });
        assert_eq!(limit.to_string(), "5 in 5 min");
        for (text, why) in [
            ("5", "not a limit, such as 5/5m"),
            ("0/5m", "not a number from 1 to 100"),
            ("101/5m", "not a number from 1 to 100"),
            ("5/5x", "not a span of time, such as 30s, 5m or 1h"),
            ("5/0", "the time must be 1s or more"),
        ] {
            assert_eq!(text.parse::<Limit>().unwrap_err(), why, "{text}");
        }
    }
}

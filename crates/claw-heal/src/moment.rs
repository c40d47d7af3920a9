//! A moment, by the clock that nobody sets, and for people by the one on the wall.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// When something was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// The boot that it was in.
    pub(crate) boot: String,
    /// Since that boot, suspended or not.
    pub(crate) milliseconds: u64,
    /// Milliseconds since 1970, by a clock that may have been wrong.
    pub(crate) wall: i64,
}

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        // Without a number of the boot, all boots are one, and what is counted is counted longer.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        // The kernel has had this clock for as long as it has had what is asked of it elsewhere here.
        let since_boot =
            clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
        let wall = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        Self {
            boot: boot.trim().to_owned(),
            milliseconds: u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX),
            wall: i64::try_from(wall).unwrap_or(i64::MAX),
        }
    }

    /// How long ago something was, at the least. Of an earlier boot nobody can say more than that it
    /// was before this one: the clock on the wall may have been set in between.
    pub(crate) fn since_at_least(&self, then: &Self) -> Duration {
        let milliseconds = if self.boot == then.boot {
            self.milliseconds.saturating_sub(then.milliseconds)
        } else {
            self.milliseconds
        };
        Duration::from_millis(milliseconds)
    }

    /// How long ago something was, as far as anybody can say: for people, and for nothing else.
    pub(crate) fn since(&self, then: &Self) -> Duration {
        let by_wall = u64::try_from(self.wall.saturating_sub(then.wall)).unwrap_or(0);
        let at_least = self.since_at_least(then);
        if self.boot == then.boot { at_least } else { at_least.max(Duration::from_millis(by_wall)) }
    }

    /// So long before this moment, though not before its boot.
    pub(crate) fn before(&self, span: Duration) -> Self {
        let milliseconds = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let milliseconds = milliseconds.min(self.milliseconds);
        let wall = self.wall.saturating_sub_unsigned(milliseconds);
        Self { milliseconds: self.milliseconds - milliseconds, wall, boot: self.boot.clone() }
    }

    /// As it stands in a record.
    pub(crate) fn rfc3339(&self) -> String {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.wall) * 1_000_000);
        time.ok().and_then(|time| time.format(format).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot: &str, seconds: u64, wall: i64) -> Moment {
        Moment { boot: boot.to_owned(), milliseconds: seconds * 1000, wall: wall * 1000 }
    }

    #[test]
    fn a_clock_that_is_set_makes_nothing_older() {
        let then = at("a", 100, 5000);
        for (case, now, at_least, told) in [
            ("the same boot", at("a", 130, 5030), 30, 30),
            ("set ahead", at("a", 130, 8630), 30, 30),
            ("set back", at("a", 130, 1430), 30, 30),
            ("after a reboot", at("b", 20, 5060), 20, 60),
            ("after a reboot, set ahead", at("b", 20, 9000), 20, 4000),
            ("after a reboot, set back", at("b", 20, 1000), 20, 20),
        ] {
            let spans = (now.since_at_least(&then).as_secs(), now.since(&then).as_secs());
            assert_eq!(spans, (at_least, told), "{case}");
        }
        assert_eq!(then.before(Duration::from_secs(30)), at("a", 70, 4970));
        assert_eq!(then.before(Duration::from_secs(300)).milliseconds, 0);
    }
}

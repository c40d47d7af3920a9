//! A moment, by the clock on the wall and by one that nobody sets.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// When something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    /// Milliseconds since 1970.
    wall: i64,
    /// Milliseconds since boot, suspended or not; nothing for a moment of an earlier boot.
    boot: Option<u64>,
}

impl Moment {
    /// Now.
    pub(super) fn now() -> Self {
        let boot = u64::try_from(since_boot().as_millis()).ok();
        Self { boot, ..Self::of(OffsetDateTime::now_utc()) }
    }

    /// A moment that the clock on the wall told.
    pub(super) fn of(time: OffsetDateTime) -> Self {
        let wall = time.unix_timestamp_nanos() / 1_000_000;
        Self { wall: i64::try_from(wall).unwrap_or(i64::MAX), boot: None }
    }

    /// The time since an earlier moment, whatever was done to the clock on the wall within one boot.
    pub(super) fn since(self, earlier: Self) -> Duration {
        let milliseconds = match (self.boot, earlier.boot) {
            (Some(now), Some(then)) => now.saturating_sub(then),
            _ => u64::try_from(self.wall.saturating_sub(earlier.wall)).unwrap_or(0),
        };
        Duration::from_millis(milliseconds)
    }

    /// What is left of it after a reboot.
    pub(super) fn of_an_earlier_boot(self) -> Self {
        Self { boot: None, ..self }
    }

    /// As it stands in a record.
    pub(super) fn rfc3339(self) -> String {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.wall) * 1_000_000);
        time.ok().and_then(|time| time.format(format).ok()).unwrap_or_default()
    }
}

/// The time since boot. It goes on in a suspended box, and no one sets it.
pub(super) fn since_boot() -> Duration {
    // The kernel has had this clock for as long as it has had what is asked of it elsewhere here.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
impl Moment {
    /// A moment of this boot.
    pub(super) fn at(seconds: u64) -> Self {
        const BOOT: i64 = 1_700_000_000_000;
        let milliseconds = seconds * 1000;
        Self { wall: BOOT + i64::try_from(milliseconds).unwrap(), boot: Some(milliseconds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_does_not_heed_a_clock_that_is_set() {
        let then = Moment::at(100);
        let hour = 3_600_000;
        for (set_by, now) in [(0, 130), (hour, 130), (-hour, 130)] {
            let now = Moment { wall: Moment::at(now).wall + set_by, ..Moment::at(now) };
            assert_eq!(now.since(then), Duration::from_secs(30));
        }
        let before_boot = then.of_an_earlier_boot();
        assert_eq!(Moment::at(130).since(before_boot), Duration::from_secs(30));
        assert_eq!(Moment::at(70).since(before_boot), Duration::ZERO);
    }

    #[test]
    fn a_moment_is_written_as_the_time_of_a_record() {
        assert_eq!(Moment::at(1).rfc3339(), "2023-11-14T22:13:21.000Z");
    }
}

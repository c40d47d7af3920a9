//! A clock that nobody sets, and that goes on across reboots.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// Milliseconds by a [`Clock`].
pub(crate) type Milliseconds = u64;

/// Counts the time that this box was up, suspended or not. Of the time between two boots nobody knows
/// more than that it was: a wait lasts no shorter than it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    boot: String,
    /// When that was, by the clock on the wall, in seconds since 1970.
    #[serde(default)]
    booted: i64,
    /// The time since that boot, and what the clock showed then.
    since_boot: Milliseconds,
    shown: Milliseconds,
}

impl Clock {
    /// The clock that goes on from one that was kept, or a new one.
    pub(crate) fn resume(kept: Option<Self>) -> Self {
        // Without a number of the boot, all boots are one: then a wait may last longer.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = boot.trim().to_owned();
        let booted = booted();
        match kept {
            Some(kept) if kept.is_of(&boot, booted) && kept.since_boot <= since_boot() => kept,
            Some(kept) => Self { boot, booted, since_boot: 0, shown: kept.shown },
            None => Self { boot, booted, since_boot: since_boot(), shown: 0 },
        }
    }

    /// Is it of that boot? A container may show each of its processes another number for it: then it is
    /// the moment that tells, which nobody sets to that of an earlier boot.
    fn is_of(&self, boot: &str, booted: i64) -> bool {
        const DRIFT_SECONDS: u64 = 2;
        self.boot == boot || self.booted.abs_diff(booted) <= DRIFT_SECONDS
    }

    /// What it shows.
    pub(crate) fn now(&self) -> Milliseconds {
        self.shown + since_boot().saturating_sub(self.since_boot)
    }

    /// The clock as it is to be kept.
    pub(crate) fn kept(&self) -> Self {
        let since_boot = since_boot();
        let shown = self.shown + since_boot.saturating_sub(self.since_boot);
        Self { boot: self.boot.clone(), booted: booted(), since_boot, shown }
    }
}

fn since_boot() -> Milliseconds {
    // The kernel has had this clock for longer than anything else that is asked of it here.
    let since = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn booted() -> i64 {
    wall() - i64::try_from(since_boot() / 1000).unwrap_or(i64::MAX)
}

/// Seconds since 1970, by the clock on the wall, for people.
pub(crate) fn wall() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// A moment of the wall's clock, as RFC 3339 has it.
pub(crate) fn rfc3339(wall: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let time = OffsetDateTime::from_unix_timestamp(wall);
    time.ok().and_then(|time| time.format(format).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_where_it_was_and_never_back() {
        let clock = Clock::resume(None);
        let kept = clock.kept();
        assert_eq!(Clock::resume(Some(kept.clone())), kept);
        let before =
            Clock { boot: "another".into(), booted: 0, since_boot: 5_000_000, shown: 7_000 };
        let resumed = Clock::resume(Some(before));
        assert!(resumed.now() >= 7_000 + since_boot() - 100);
        // The same boot under another number.
        let (boot, shown) = ("another".to_owned(), 7_000);
        let same = Clock { boot, booted: booted(), since_boot: since_boot(), shown };
        assert!(Clock::resume(Some(same)).now() < 7_000 + 60_000);
    }

    #[test]
    fn moments_are_told_in_utc() {
        assert_eq!(rfc3339(1_795_403_655), "2026-11-23T03:14:15Z");
    }
}

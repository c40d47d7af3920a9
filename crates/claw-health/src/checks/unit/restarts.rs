//! How often a unit restarted lately, from what was seen at earlier looks.
//!
//! A unit that crashes once in half a minute is active most of the time, and never reaches its start
//! limit: only the growth of its counter shows it. The counter goes back to 0 when somebody starts
//! the unit by hand, which is no crash.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::host::Host;

/// How much a counter grew within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    /// What was seen with certainty.
    pub(super) at_least: u64,
    /// What it can have been, where the looks go back far enough.
    pub(super) at_most: Option<u64>,
}

/// A counter, and from when to when it was seen at that: seconds since boot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    restarts: u64,
    first: u64,
    last: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    boot: String,
    units: BTreeMap<String, Vec<Seen>>,
}

/// Remembers the counter of a unit, and tells how much it grew within so many seconds.
pub(super) fn note(host: &Host, unit: &str, restarts: u64, window: u64) -> Growth {
    /// Two threads must not overwrite each other's; two processes lose one look at worst.
    static LOCK: Mutex<()> = Mutex::new(());
    /// How long a unit that nobody looks at is remembered.
    const KEPT_SECONDS: u64 = 86_400;
    let _lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let boot = host.read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| time.tv_sec().unsigned_abs());
    let mut memory: Memory = host
        .recall("unit")
        .and_then(|value| serde_json::from_value(value).ok())
        .filter(|memory: &Memory| memory.boot == boot)
        .unwrap_or_default();
    memory.boot = boot;
    let ring = memory.units.entry(unit.to_owned()).or_default();
    let (growth, is_new) = grow(ring, restarts, now, window);
    if is_new {
        memory
            .units
            .retain(|_, ring| ring.last().is_some_and(|seen| seen.last + KEPT_SECONDS > now));
        // Without a memory the counter and the age of the unit still tell most loops.
        let _ = serde_json::to_value(&memory).map(|value| host.remember("unit", &value));
    }
    growth
}

/// Adds a look to a ring; also tells whether that is worth writing to the disk.
fn grow(ring: &mut Vec<Seen>, restarts: u64, now: u64, window: u64) -> (Growth, bool) {
    /// A counter that stays as it is is written down no more often.
    const REST_SECONDS: u64 = 20;
    let start = now.saturating_sub(window);
    if ring.last().is_some_and(|seen| seen.restarts > restarts || seen.last > now) {
        ring.clear();
    }
    let is_new = match ring.last_mut() {
        Some(seen) if seen.restarts == restarts => {
            let is_old = seen.last + REST_SECONDS <= now;
            seen.last = now;
            is_old
        }
        _ => {
            ring.push(Seen { restarts, first: now, last: now });
            true
        }
    };
    let before = ring.iter().rposition(|seen| seen.first <= start);
    ring.drain(..before.unwrap_or(0));
    let since = |seen: &Seen| restarts - seen.restarts.min(restarts);
    let at_least = ring.iter().find(|seen| seen.last >= start).map_or(0, since);
    let at_most = ring.first().filter(|seen| seen.first <= start).map(since);
    (Growth { at_least, at_most }, is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(looks: &[(u64, u64)]) -> Growth {
        let mut ring = Vec::new();
        let grown = looks.iter().map(|&(now, restarts)| grow(&mut ring, restarts, now, 300).0);
        let last = grown.last().unwrap();
        assert!(ring.len() <= looks.len().min(12), "{ring:?}");
        last
    }

    #[test]
    fn s7_restarts_are_counted_within_the_window() {
        for (case, seen, at_least, at_most) in [
            ("a first look knows nothing", &[(1000, 7)][..], 0, None),
            ("three in half a minute", &[(1000, 7), (1030, 10)], 3, None),
            ("long at rest", &[(100, 7), (1000, 7), (1030, 8)], 1, Some(1)),
            ("one a day, seldom looked at", &[(1000, 7), (87_400, 8)], 0, Some(1)),
            ("many, but nobody looked", &[(1000, 7), (87_400, 17)], 0, Some(10)),
            ("started by hand", &[(1000, 7), (1030, 0), (1060, 1)], 1, None),
            ("slid out of the window", &[(0, 0), (100, 3), (500, 3), (601, 3)], 0, Some(0)),
        ] {
            assert_eq!(looks(seen), Growth { at_least, at_most }, "{case}");
        }
    }

    #[test]
    fn a_ring_does_not_grow_without_bound() {
        let crashes: Vec<_> = (0..10_000).map(|n| (n * 31, n)).collect();
        assert_eq!(looks(&crashes), Growth { at_least: 9, at_most: Some(10) });
    }
}

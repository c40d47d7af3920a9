//! What lived when its manager went away: whether it goes on, or ended with it.

use std::time::Duration;

use claw_box::Scope;
use time::OffsetDateTime;

use super::{LAST_READING, Watcher, name};
use crate::crash::Cause;
use crate::journalctl::follow::Unit;
use crate::processes::lives;
use crate::watch::crashes::track::Seen;
use crate::watch::moment::since_boot;

/// A start of a unit whose manager went away while it lived.
pub(super) struct Orphan {
    unit: Unit,
    invocation: String,
    pid: u64,
    /// Since when it is gone as well, since boot and by the clock.
    gone: Option<(Duration, OffsetDateTime)>,
}

impl Watcher {
    /// A manager went away: what it had that lived is looked at without it.
    pub(super) fn orphan(&mut self, scope: Scope) {
        let alive = self.living.alive(scope).into_iter();
        let alive = alive.filter(|(unit, ..)| self.units.contains(unit));
        let orphans =
            alive.map(|(unit, invocation, pid)| Orphan { unit, invocation, pid, gone: None });
        self.orphans.extend(orphans);
    }

    /// A manager is there again, be it the same one or another.
    pub(super) fn adopt(&mut self, scope: Scope) {
        self.host = self.host.anew();
        let units: Vec<_> = self.units.iter().filter(|(of, _)| *of == scope).cloned().collect();
        let Ok(manager) = self.host.manager(scope) else { return };
        for unit in units {
            let Ok(now) = manager.unit(&unit.1) else { continue };
            for orphan in self.orphans.iter_mut().filter(|orphan| orphan.unit == unit) {
                if orphan.invocation != now.invocation_id {
                    let is_gone = (since_boot(), OffsetDateTime::now_utc());
                    orphan.gone.get_or_insert(is_gone);
                }
            }
            // It was only away, and signals the end of what it has.
            self.orphans.retain(|orphan| orphan.unit != unit || orphan.gone.is_some());
            self.living.begin(&unit, &now.invocation_id, now.main_pid);
        }
    }

    /// Tells of what ended while its manager was away, which no manager notes.
    pub(super) fn see_orphans(&mut self) {
        let now = since_boot();
        for mut orphan in std::mem::take(&mut self.orphans) {
            if orphan.gone.is_none() && !lives(&self.host, orphan.pid) {
                orphan.gone = Some((now, OffsetDateTime::now_utc()));
                self.living.lost(&orphan.unit);
            }
            // The manager may have noted the end before its own.
            let due = orphan.gone.filter(|(since, _)| since.saturating_add(LAST_READING) <= now);
            let Some((_, at)) = due else {
                self.readings.extend(orphan.gone.map(|(since, _)| since + LAST_READING));
                self.orphans.push(orphan);
                continue;
            };
            let Orphan { unit, invocation, .. } = orphan;
            let seen = Seen {
                at,
                invocation,
                cause: Cause::ManagerGone,
                end: None,
                result: None,
                restarts: None,
            };
            let track = self.memory.tracks.entry(name(&unit)).or_default();
            if !track.is_over(&seen.invocation) && track.tell(&seen) {
                self.last_crash = Some(now);
                let finding = self.incident(&unit, seen).finding();
                self.found.push(finding);
            }
        }
    }
}

//! What the managers signal of the units that are watched: who lives, and who died.

use std::collections::BTreeMap;
use std::time::Duration;

use claw_box::Scope;
use time::OffsetDateTime;

use crate::journalctl::follow::Unit;
use crate::journalctl::{Entry, Event};
use crate::systemd::listener::Change;

/// A unit as its manager signalled it last.
#[derive(Clone, Debug, Default)]
struct Life {
    invocation: String,
    pid: Option<u64>,
    /// Is it being stopped, while its main process lives?
    is_stopping: bool,
    is_dead: bool,
    /// The end of a process of a start that is not signalled yet.
    unnamed: Option<Death>,
}

/// The end of a main process that was signalled, and that the journal does not know yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Death {
    pub(super) unit: Unit,
    pub(super) invocation: String,
    /// When it was signalled, since boot.
    pub(super) since: Duration,
    at: OffsetDateTime,
    code: i64,
    status: i64,
    was_stopping: bool,
}

/// All that was signalled.
#[derive(Debug, Default)]
pub(super) struct Living {
    units: BTreeMap<Unit, Life>,
    /// The main processes of late, by the start that each is of.
    pids: Vec<(String, u64)>,
}

impl Living {
    /// A unit is seen for the first time.
    pub(super) fn begin(&mut self, unit: &Unit, invocation: &str, pid: u64) {
        let life = self.units.entry(unit.clone()).or_default();
        invocation.clone_into(&mut life.invocation);
        life.pid = Some(pid).filter(|pid| *pid > 0);
        life.is_dead &= life.pid.is_none();
        self.note_pid(unit);
    }

    /// Hears a signal; gives the death that it tells of.
    pub(super) fn hear(&mut self, unit: &Unit, change: &Change, since: Duration) -> Option<Death> {
        let life = self.units.entry(unit.clone()).or_default();
        if let Some(invocation) = &change.invocation
            && *invocation != life.invocation
        {
            *life = Life { invocation: invocation.clone(), ..life.clone() };
            life.is_stopping = false;
        }
        life.pid = change.main_pid.or(life.pid);
        match change.active_state.as_deref() {
            Some("deactivating") if !life.is_dead => life.is_stopping = true,
            Some("active") => (life.is_stopping, life.is_dead) = (false, false),
            _ => {}
        }
        let mut death = change.end.filter(|_| !life.is_dead).map(|(code, status)| Death {
            unit: unit.clone(),
            invocation: life.invocation.clone(),
            since,
            at: OffsetDateTime::now_utc(),
            code,
            status,
            was_stopping: life.is_stopping,
        });
        life.is_dead |= death.is_some();
        if change.main_pid.is_some() && change.end.is_none() {
            life.is_dead = false;
        }
        // The process of a start is signalled before the start is, dead or alive, and must not be taken
        // for that of the start before.
        let of = self.pids.iter().rev().find(|(of, _)| *of == life.invocation);
        if of.map(|(_, pid)| *pid) != life.pid {
            life.unnamed = death.take().or(life.unnamed.take());
        }
        if change.invocation.is_some() {
            let unnamed = life.unnamed.take();
            death = unnamed.map(|death| Death { invocation: life.invocation.clone(), ..death });
            self.note_pid(unit);
        }
        death
    }

    /// The starts of the units of a manager whose main processes lived when it was heard last, and
    /// that nobody stopped: each with its unit and that process.
    pub(super) fn alive(&self, scope: Scope) -> Vec<(Unit, String, u64)> {
        let is_it =
            |life: &&Life| !life.is_dead && !life.is_stopping && !life.invocation.is_empty();
        let of = self.units.iter().filter(|((of, _), _)| *of == scope);
        let alive = of.filter(|(_, life)| is_it(life)).filter_map(|(unit, life)| {
            Some((unit.clone(), life.invocation.clone(), self.pid(&life.invocation)?))
        });
        alive.collect()
    }

    /// That start of a unit is over, though nobody signalled that.
    pub(super) fn lost(&mut self, unit: &Unit) {
        self.units.entry(unit.clone()).or_default().is_dead = true;
    }

    /// The main process of that start.
    pub(super) fn pid(&self, invocation: &str) -> Option<u64> {
        self.pids.iter().rev().find(|(of, _)| of == invocation).map(|(_, pid)| *pid)
    }

    fn note_pid(&mut self, unit: &Unit) {
        const MOST: usize = 100;
        let Some(Life { invocation, pid: Some(pid), .. }) = self.units.get(unit) else { return };
        if !invocation.is_empty() {
            self.pids.retain(|(of, _)| of != invocation);
            self.pids.push((invocation.clone(), *pid));
        }
        if self.pids.len() > MOST {
            self.pids.remove(0);
        }
    }
}

impl Death {
    /// What its manager would have noted of it, before it noted that it failed.
    pub(super) fn entries(&self, failed: Option<OffsetDateTime>) -> Vec<Entry> {
        let at = failed.map_or(self.at, |failed| failed.min(self.at));
        let entry = |event| Entry { at, invocation: self.invocation.clone(), event };
        let code = match self.code {
            1 => "exited",
            2 => "killed",
            _ => "dumped",
        };
        let stopping = self.was_stopping.then(|| entry(Event::Stopping));
        let ended = entry(Event::Ended { code: code.to_owned(), status: self.status });
        stopping.into_iter().chain([ended]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Unit {
        (Scope::User, "a.service".to_owned())
    }

    fn process(pid: u64, end: Option<(i64, i64)>) -> Change {
        Change { main_pid: Some(pid), end, ..Change::default() }
    }

    fn state(state: &str, invocation: &str) -> Change {
        let (active_state, invocation) = (Some(state.to_owned()), Some(invocation.to_owned()));
        Change { active_state, invocation, ..Change::default() }
    }

    fn deaths(changes: &[Change]) -> (Living, Vec<String>) {
        let mut living = Living::default();
        living.begin(&unit(), "a", 1);
        let since = Duration::from_secs(1);
        let deaths = changes.iter().filter_map(|change| living.hear(&unit(), change, since));
        let words = deaths.map(|death| {
            let events = death.entries(None).into_iter().map(|entry| format!("{:?}", entry.event));
            format!("{} {}", death.invocation, events.collect::<Vec<_>>().join(" "))
        });
        let words = words.collect();
        (living, words)
    }

    #[test]
    fn each_death_is_told_once_and_is_of_its_start() {
        let changes = [
            process(1, Some((2, 9))),
            state("activating", "a"),
            process(1, Some((2, 9))),
            state("activating", "a"),
            process(2, None),
            state("active", "b"),
            process(2, Some((1, 3))),
            state("failed", "b"),
        ];
        let (living, deaths) = deaths(&changes);
        assert_eq!(
            deaths,
            [
                r#"a Ended { code: "killed", status: 9 }"#,
                r#"b Ended { code: "exited", status: 3 }"#
            ]
        );
        assert_eq!((living.pid("a"), living.pid("b"), living.pid("c")), (Some(1), Some(2), None));
    }

    /// A start that is over before its manager gets to signalling it: its process comes first, as ever.
    #[test]
    fn a_death_that_is_signalled_before_its_start_is_of_that_start() {
        let ends = [process(2, Some((1, 5))), state("failed", "b")];
        let word = [r#"b Ended { code: "exited", status: 5 }"#];
        let (living, deaths) = deaths(&ends);
        assert_eq!((&deaths[..], living.pid("b")), (&word.map(str::to_owned)[..], Some(2)));
        // Of a unit that had never been started.
        let mut living = Living::default();
        living.begin(&unit(), "", 0);
        let told = ends.map(|change| living.hear(&unit(), &change, Duration::from_secs(1)));
        let told = told.map(|death| death.map(|death| death.invocation));
        assert_eq!(told, [None, Some("b".to_owned())]);
    }

    #[test]
    fn what_lives_may_be_lost_with_its_manager() {
        let alive = |changes: &[Change]| deaths(changes).0.alive(Scope::User);
        assert_eq!(alive(&[]), [(unit(), "a".to_owned(), 1)]);
        assert_eq!(alive(&[process(1, Some((2, 9)))]), []);
        assert_eq!(alive(&[state("deactivating", "a")]), []);
        let (mut living, _) = deaths(&[]);
        assert_eq!(living.alive(Scope::System), []);
        living.lost(&unit());
        assert_eq!(living.alive(Scope::User), []);
        living.begin(&unit(), "b", 2);
        assert_eq!(living.alive(Scope::User), [(unit(), "b".to_owned(), 2)]);
    }

    #[test]
    fn what_is_stopped_did_not_crash() {
        let stopped = [state("deactivating", "a"), process(1, Some((1, 1))), state("failed", "a")];
        assert_eq!(deaths(&stopped).1, [r#"a Stopping Ended { code: "exited", status: 1 }"#]);
        // It dies first, and what it started is ended then.
        let crashed = [process(1, Some((2, 6))), state("deactivating", "a"), state("failed", "a")];
        assert_eq!(deaths(&crashed).1, [r#"a Ended { code: "killed", status: 6 }"#]);
    }
}

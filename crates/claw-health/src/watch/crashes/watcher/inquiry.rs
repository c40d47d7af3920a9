//! What was that crash, by all that the box still knows of it?

use std::thread;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::{READING, Watcher, name};
use crate::agent;
use crate::crash::node::last_words;
use crate::crash::{Cause, bundle};
use crate::journalctl::follow::{self, Output, Start, Unit};
use crate::remedy::{journal_around, quoted, systemctl};
use crate::watch::crashes::changed::Snapshot;
use crate::watch::crashes::evidence;
use crate::watch::crashes::incident::{self, Incident, Killed};
use crate::watch::crashes::track::Seen;
use crate::watch::moment::Moment;

impl Watcher {
    pub(super) fn incident(&self, unit: &Unit, seen: Seen) -> Incident {
        let (host, (scope, unit_name)) = (&self.host, unit);
        let is_gateway = *unit == self.gateway();
        let pid = self.living.pid(&seen.invocation);
        let bundle = match &seen.end {
            Some(end) if is_gateway => bundle::of(host, end, pid),
            _ => Ok(None),
        };
        let (bundle, evidence) = match bundle {
            Ok(Some(bundle)) => {
                let (bundle, evidence) = evidence::secure(host, bundle);
                (Some(bundle), Some(evidence))
            }
            Ok(None) => (None, None),
            Err(why) => (None, Some(Err(why))),
        };
        let output = self.output(unit, &seen, bundle.is_some());
        let at = Moment::of(seen.at).rfc3339();
        let changes = self.memory.well.as_ref().filter(|_| is_gateway);
        let changes = changes.map(|well| well.changes(&Snapshot::now(host, at.clone())));
        let killed = if seen.cause == Cause::Oom { self.killed(unit, seen.at) } else { None };
        let mut remedy = journal_around(host, *scope, unit_name, seen.at);
        if let Some(Ok(path)) = &evidence {
            remedy = format!("{remedy}; and see {}", quoted(path));
        }
        if seen.cause == Cause::StartLimit {
            let systemctl = systemctl(host, *scope);
            // Of an agent's unit, which is transient, nothing is left once its failure is forgotten.
            remedy = match agent::of_unit(unit_name) {
                Some(_) => {
                    format!("{remedy}; then {systemctl} start {unit_name}, once the limit is over")
                }
                None => format!(
                    "{remedy}; then {systemctl} reset-failed {unit_name} && {systemctl} start {unit_name}"
                ),
            };
        }
        Incident {
            subject: format!("unit:{}", name(unit)),
            is_gateway,
            seen,
            pid,
            output,
            bundle,
            evidence,
            changes,
            killed,
            remedy,
            at,
        }
    }

    /// What it said last. The journal may take in what a process said after what its manager noted of
    /// its end: where its own words are still to be expected, the journal is told to take them in.
    fn output(&self, unit: &Unit, seen: &Seen, is_known: bool) -> Result<Vec<Output>, String> {
        const TAKING_IN: Duration = Duration::from_millis(600);
        /// For whoever may not tell the journal anything.
        const LATE: Duration = Duration::from_millis(150);
        if seen.invocation.is_empty() {
            return Ok(Vec::new());
        }
        let uid = self.host.owner().uid;
        let pid = self.living.pid(&seen.invocation);
        let start = Start { invocation: &seen.invocation, pid, ended: seen.at };
        let read = || follow::output(unit, uid, start, Instant::now() + READING);
        let output = read()?;
        let texts: Vec<_> = output.iter().map(|line| line.text.as_str()).collect();
        if is_known || !incident::says_why(seen) || last_words(&texts).is_some() {
            return Ok(output);
        }
        if follow::take_in(Instant::now() + TAKING_IN).is_err() {
            thread::sleep(LATE);
        }
        read()
    }

    /// Whom the kernel killed, and what the unit may have at most.
    fn killed(&self, unit: &Unit, at: OffsetDateTime) -> Option<Killed> {
        let limit = self.host.manager(unit.0).and_then(|manager| manager.unit(&unit.1));
        let limit_bytes = limit.ok().and_then(|unit| unit.memory_max);
        // Who may not read what the kernel says does not know.
        let process = follow::killed(unit, at, Instant::now() + READING).ok().flatten();
        Some(Killed { process, limit_bytes })
    }
}

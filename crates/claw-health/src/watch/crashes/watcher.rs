//! The thread that waits for signals, and reads the journal on.

mod inquiry;
mod orphans;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use claw_box::Scope;
use claw_record::complain;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use self::orphans::Orphan;
use super::changed::Snapshot;
use super::living::{Death, Living};
use super::track::{Seen, Track};
use super::{Hung, Poke, Told};
use crate::agent;
use crate::args::Args;
use crate::checks::unit::{gateway_scope, named};
use crate::crash::Cause;
use crate::finding::Finding;
use crate::host::Host;
use crate::journalctl::follow::{self, Place, Unit};
use crate::plan::plan;
use crate::systemd::listener::Listener;
use crate::target::Target;
use crate::watch::moment::{Moment, since_boot};

/// After a signal the journal is read at once, and then until it has what was signalled. On a box that
/// is very busy that takes more than a second, and only the journal knows that memory ran out.
const READ_AFTER_MS: [u64; 7] = [0, 4, 20, 80, 300, 1000, 3000];
/// What the journal does not have then it never will.
const LAST_READING: Duration = Duration::from_millis(READ_AFTER_MS[READ_AFTER_MS.len() - 1]);
/// How often a manager that is away is called.
const CALL_EVERY: Duration = Duration::from_secs(1);
/// How long one reading of the journal may take.
const READING: Duration = Duration::from_secs(5);
/// A gateway that has been up for so long is well.
const WELL: Duration = Duration::from_secs(90);

/// What is remembered from one monitor to the next.
#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    version: u64,
    /// How far the journal was read, and until when.
    place: Place,
    read_at: i64,
    tracks: BTreeMap<String, Track>,
    /// How the box was when its gateway was last well.
    #[serde(default)]
    well: Option<Snapshot>,
}

/// What this version writes, and the latest that it reads.
const VERSION: u64 = 1;

/// Watches some units for crashes.
pub(super) struct Watcher {
    host: Host,
    units: Vec<Unit>,
    /// Is every unit of the system looked at that fails?
    is_any: bool,
    /// Did a unit change, so that a look is worth it?
    has_moved: bool,
    /// Units that were named without their manager.
    named: BTreeMap<String, Unit>,
    /// Are the agents to be watched, be there any yet or not?
    wants_agents: bool,
    memory: Memory,
    is_changed: bool,
    /// Does somebody wait for an answer?
    is_asked: bool,
    listeners: [Option<Listener>; 2],
    next_call: Duration,
    living: Living,
    deaths: Vec<Death>,
    orphans: Vec<Orphan>,
    /// When the journal is to be read.
    readings: BTreeSet<Duration>,
    /// What hindered the last reading.
    trouble: Option<String>,
    last_crash: Option<Duration>,
    /// Crashes that were found out, to be told.
    found: Vec<Finding>,
}

impl Watcher {
    /// One that goes on where that memory ends; nothing where there is nothing to watch at all.
    pub(super) fn new(args: &Args, host: Host, memory: Option<Value>) -> Option<Self> {
        let memory = memory.and_then(|value| match serde_json::from_value::<Memory>(value) {
            Ok(memory) if memory.version <= VERSION => Some(memory),
            _ => {
                say("cannot use what was remembered of crashes; it is begun anew");
                None
            }
        });
        let now = OffsetDateTime::now_utc();
        let is_new = memory.is_none();
        let memory = memory.unwrap_or_else(|| Memory {
            version: VERSION,
            place: Place::Time(micros(now)),
            read_at: micros(now),
            tracks: BTreeMap::new(),
            well: None,
        });
        let mut watcher = Self {
            units: Vec::new(),
            is_any: false,
            has_moved: false,
            named: BTreeMap::new(),
            wants_agents: false,
            memory,
            is_changed: false,
            is_asked: false,
            listeners: [None, None],
            next_call: Duration::ZERO,
            living: Living::default(),
            deaths: Vec::new(),
            orphans: Vec::new(),
            readings: BTreeSet::new(),
            trouble: None,
            last_crash: None,
            found: Vec::new(),
            host,
        };
        // A plan that cannot be made is the first look's to complain of.
        let plan = plan(args, &watcher.host).ok()?;
        watcher.wants_agents = plan.checks.iter().any(|check| check.name == "agent");
        watcher.watch(&plan.targets);
        if is_new && !watcher.units.is_empty() {
            // A clock that is set back would hide what comes.
            let end = follow::end(Instant::now() + READING);
            watcher.memory.place = end.unwrap_or(Place::Time(micros(now)));
            watcher.is_changed = true;
        }
        Some(watcher)
    }

    /// Waits until there is something to tell; nothing once nobody listens any more.
    pub(super) fn next(&mut self, pokes: &Receiver<Poke>, poked: &PipeReader) -> Option<Told> {
        loop {
            self.call();
            self.read_on();
            self.see_orphans();
            self.find_out();
            if self.is_changed || self.is_asked || self.has_moved || !self.found.is_empty() {
                let is_changed = std::mem::take(&mut self.is_changed) || !self.found.is_empty();
                let memory =
                    if is_changed { serde_json::to_value(&self.memory).ok() } else { None };
                return Some(Told {
                    crashes: std::mem::take(&mut self.found),
                    memory,
                    answers: std::mem::take(&mut self.is_asked),
                    has_moved: std::mem::take(&mut self.has_moved),
                });
            }
            if self.wait(poked) {
                loop {
                    match pokes.try_recv() {
                        Ok(Poke::Looked(planned)) => {
                            self.looked(&planned);
                            self.is_asked = true;
                        }
                        Ok(Poke::Hung(hung, begun)) => self.hung(&hung, begun),
                        Err(TryRecvError::Empty) => break,
                        Err(TryRecvError::Disconnected) => return None,
                    }
                }
            }
            self.listen();
        }
    }

    /// Waits for a signal, a poke, or the time; tells whether somebody poked.
    fn wait(&self, poked: &PipeReader) -> bool {
        let now = since_boot();
        let tracks = self.memory.tracks.values().filter_map(|track| track.next(now));
        let calls = self.is_missing().then_some(self.next_call);
        let next = self.readings.first().copied().into_iter().chain(tracks).chain(calls).min();
        let timeout = next.map_or(PollTimeout::NONE, |next| {
            let left = next.saturating_sub(now) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![PollFd::new(poked.as_fd(), PollFlags::POLLIN)];
        let listeners = self.listeners.iter().flatten();
        fds.extend(listeners.map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN)));
        // Interrupted, it is waited once more.
        let _ = poll(&mut fds, timeout);
        let is_poked = fds[0].any().unwrap_or_default();
        if is_poked {
            let mut poked = poked;
            let _ = poked.read(&mut [0; 64]);
        }
        is_poked
    }

    /// A look was made at these things: they are what is watched from now on.
    fn looked(&mut self, planned: &[Target]) {
        self.host = self.host.anew();
        self.watch(planned);
        self.readings.insert(since_boot());
        self.is_changed |= self.take_snapshot();
    }

    fn watch(&mut self, planned: &[Target]) {
        let mut units = BTreeSet::new();
        for target in planned {
            match (target.check.name, target.operand.as_str()) {
                ("unit", "") | ("gateway", _) if self.host.has_openclaw() => {
                    units.insert(self.gateway());
                }
                ("unit", "") => {}
                ("unit", operand) => units.extend(self.named(operand)),
                ("agent", operand) => {
                    let named = agent::named(&self.host, operand).ok();
                    units.extend(named.map(|(scope, name)| (scope, agent::unit(name))));
                }
                _ => {}
            }
        }
        let is_any = |target: &Target| target.check.name == "unit" && target.operand.is_empty();
        self.is_any = planned.iter().any(is_any);
        let before = std::mem::replace(&mut self.units, units.iter().cloned().collect());
        for unit in units.iter().filter(|unit| !before.contains(unit)) {
            self.begin(unit);
        }
        for scope in [Scope::System, Scope::User] {
            if !self.wants(scope) {
                self.listeners[scope as usize] = None;
            }
        }
    }

    /// A unit whose manager was not said is that which has it now.
    fn named(&mut self, operand: &str) -> Option<Unit> {
        if let Some(unit) = self.named.get(operand) {
            return Some(unit.clone());
        }
        let unit = named(&self.host, operand).ok()?;
        self.named.insert(operand.to_owned(), unit.clone());
        Some(unit)
    }

    fn gateway(&self) -> Unit {
        (gateway_scope(&self.host), self.host.gateway_unit.clone())
    }

    /// A unit is watched from now on.
    fn begin(&mut self, unit: &Unit) {
        let track = self.memory.tracks.entry(name(unit)).or_default();
        self.next_call = Duration::ZERO;
        self.readings.insert(since_boot());
        // What its manager does not say now it signals later.
        let Ok(manager) = self.host.manager(unit.0) else { return };
        if let Ok(now) = manager.unit(&unit.1) {
            track.begin(now.restarts);
            self.living.begin(unit, &now.invocation_id, now.main_pid);
        }
    }

    /// Is there something that this manager is to tell?
    fn wants(&self, scope: Scope) -> bool {
        scope == Scope::System && self.is_any || self.units.iter().any(|(of, _)| *of == scope)
    }

    fn is_away(&self, scope: Scope) -> bool {
        self.wants(scope) && self.listeners[scope as usize].is_none()
    }

    /// Is a manager away that is to tell?
    fn is_missing(&self) -> bool {
        [Scope::System, Scope::User].into_iter().any(|scope| self.is_away(scope))
    }

    /// Calls the managers that are away.
    fn call(&mut self) {
        let now = since_boot();
        if self.next_call > now || !self.is_missing() {
            return;
        }
        self.next_call = now + CALL_EVERY;
        for scope in [Scope::System, Scope::User] {
            if self.is_away(scope) {
                self.listeners[scope as usize] = Listener::connect(&self.host, scope).ok();
                // What it did not signal meanwhile it has noted.
                if self.listeners[scope as usize].is_some() {
                    self.has_moved = true;
                    self.readings.insert(now);
                    self.adopt(scope);
                }
            }
        }
    }

    /// Hears what the managers signalled.
    fn listen(&mut self) {
        let now = since_boot();
        let mut is_new = false;
        for scope in [Scope::System, Scope::User] {
            let units: Vec<_> = self.units.iter().filter(|(of, _)| *of == scope).cloned().collect();
            let names: Vec<_> = units.iter().map(|(_, name)| name.as_str()).collect();
            let Some(listener) = &mut self.listeners[scope as usize] else { continue };
            match listener.heard(&names, agent::PREFIX) {
                Ok(heard) => {
                    is_new |= heard.is_another_new;
                    self.has_moved |= heard.another_failed;
                    for (number, change) in heard.changes {
                        self.has_moved |= change.active_state.is_some();
                        let death = self.living.hear(&units[number], &change, now);
                        if death.is_some() || change.active_state.as_deref() == Some("failed") {
                            self.readings.extend(after_a_signal(now));
                        }
                        self.deaths.extend(death);
                    }
                }
                Err(_) => {
                    self.listeners[scope as usize] = None;
                    self.has_moved = true;
                    self.next_call = now;
                    self.readings.extend(after_a_signal(now));
                    self.orphan(scope);
                }
            }
        }
        if is_new && self.wants_agents {
            self.find_agents();
        }
    }

    /// An agent that was not there at the last look is watched from its first sign on.
    fn find_agents(&mut self) {
        self.host = self.host.anew();
        for operand in agent::all(&self.host) {
            let Ok((scope, name)) = agent::named(&self.host, &operand) else { continue };
            let unit = (scope, agent::unit(name));
            if !self.units.contains(&unit) {
                self.begin(&unit);
                self.units.push(unit);
            }
        }
    }

    /// Reads the journal on, if it is time to.
    fn read_on(&mut self) {
        let now = since_boot();
        let due: Vec<_> = self.readings.iter().copied().take_while(|at| *at <= now).collect();
        due.iter().for_each(|at| _ = self.readings.remove(at));
        if due.is_empty() || self.units.is_empty() {
            return;
        }
        let is_all = match self.read() {
            Ok(is_all) => {
                self.trouble = None;
                is_all
            }
            Err(why) => {
                if self.trouble.as_ref() != Some(&why) {
                    say(&format!("{why}; of crashes only what is signalled is known"));
                }
                self.trouble = Some(why);
                true
            }
        };
        if !is_all {
            // What was read is told before more is.
            self.readings.insert(now);
            return;
        }
        self.settle(now);
        if self.deaths.is_empty() {
            // All that was signalled is noted: there is nothing to wait for.
            self.readings.retain(|at| *at <= now);
        }
    }

    /// Reads the next part; true where there was none.
    fn read(&mut self) -> Result<bool, String> {
        let uid = self.host.owner().uid;
        let deadline = Instant::now() + READING;
        let part = match follow::next(&self.units, uid, &self.memory.place, deadline) {
            // The journal that it is a place of is gone.
            Err(why) if why.contains("seek to cursor") => {
                self.memory.place = Place::Time(self.memory.read_at);
                follow::next(&self.units, uid, &self.memory.place, deadline)?
            }
            part => part?,
        };
        let Some(place) = part.place else { return Ok(true) };
        self.memory.place = place;
        self.is_changed = true;
        let heard = since_boot();
        for (unit, entry) in part.entries {
            self.memory.read_at = self.memory.read_at.max(micros(entry.at));
            self.memory.tracks.entry(name(&unit)).or_default().hear(entry, heard);
        }
        Ok(false)
    }

    /// Deaths that the journal knows are no longer waited for; those that it never hears of are told
    /// by what was signalled.
    fn settle(&mut self, now: Duration) {
        for death in std::mem::take(&mut self.deaths) {
            let track = self.memory.tracks.entry(name(&death.unit)).or_default();
            if track.knows(&death.invocation) {
                continue;
            }
            let failed = track.failed(&death.invocation);
            if failed.is_none() && now < death.since + LAST_READING {
                self.deaths.push(death);
                continue;
            }
            // Nothing more will be noted of it.
            let entries = death.entries(failed).into_iter();
            entries.for_each(|entry| track.hear(entry, death.since));
            self.is_changed = true;
        }
    }

    /// Finds out about the crashes that are not told yet.
    fn find_out(&mut self) {
        let now = since_boot();
        for unit in self.units.clone() {
            let track = self.memory.tracks.entry(name(&unit)).or_default();
            for seen in track.take(now) {
                self.last_crash = Some(now);
                let finding = self.incident(&unit, seen).finding();
                self.found.push(finding);
            }
        }
    }

    /// The gateway or an agent hangs, which no manager notes.
    fn hung(&mut self, hung: &Hung, begun: Duration) {
        let agent = hung.subject.strip_prefix("agent:").map(|it| agent::named(&self.host, it));
        let unit = match agent {
            None => self.gateway(),
            Some(Ok((scope, name))) => (scope, agent::unit(name)),
            Some(Err(_)) => return,
        };
        let Ok(manager) = self.host.manager(unit.0) else { return };
        let Ok(now) = manager.unit(&unit.1) else { return };
        // That look was at the start before, if at any.
        let is_later = now.active_since.is_some_and(|age| since_boot().saturating_sub(age) > begun);
        if now.main_pid == 0 || is_later {
            return;
        }
        self.living.begin(&unit, &now.invocation_id, now.main_pid);
        let seen = Seen {
            at: OffsetDateTime::now_utc(),
            invocation: now.invocation_id,
            cause: Cause::Hang,
            end: None,
            result: None,
            restarts: Some(now.restarts),
        };
        if self.memory.tracks.entry(name(&unit)).or_default().tell_hang(&seen, hung.looks) {
            let finding = self.incident(&unit, seen).finding();
            self.found.push(finding);
        }
    }

    /// Sees how the box is while its gateway is well; true where it is other than before.
    fn take_snapshot(&mut self) -> bool {
        let (scope, unit) = self.gateway();
        if !self.units.iter().any(|(_, name)| *name == unit) {
            return false;
        }
        let calm = self.last_crash.is_none_or(|crash| crash + WELL <= since_boot());
        let state = self.host.manager(scope).and_then(|manager| manager.unit(&unit));
        let is_well =
            calm && state.is_ok_and(|unit| unit.active_since.is_some_and(|age| age >= WELL));
        if !is_well {
            return false;
        }
        let at = Moment::of(OffsetDateTime::now_utc()).rfc3339();
        let snapshot = Snapshot::now(&self.host, at);
        let is_other =
            self.memory.well.as_ref().is_none_or(|well| !well.changes(&snapshot).is_empty());
        self.memory.well = Some(snapshot);
        is_other
    }
}

/// A unit as it stands in a subject.
fn name((scope, name): &Unit) -> String {
    format!("{scope}/{name}")
}

fn after_a_signal(now: Duration) -> [Duration; READ_AFTER_MS.len()] {
    READ_AFTER_MS.map(|after| now + Duration::from_millis(after))
}

fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

fn say(words: &str) {
    complain("claw-health", words);
}

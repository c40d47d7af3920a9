//! Whoever delivers: takes in what was accepted, writes messages, sends them, keeps the receipts.

mod deliver;
mod ingest;
pub(crate) mod keep;
mod obey;
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use claw_record::{Complaint, Record, Severity, Source, Status, complain};

use crate::channels::Takes;
use crate::clock::{Clock, Milliseconds};
use crate::desk::Desk;
use crate::health::{Delay, Health, Outcome};
use crate::incident::Rules;
use crate::limits::Ledger;
use crate::means::Means;
use crate::route::Route;
use crate::silence::Silences;
use crate::spool::journal::Journal;
use crate::spool::{Id, Lock, lock};

/// Something that whoever delivers has to know of.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something was accepted.
    Accepted,
    /// Records that could not be put on the disk, for these routes.
    Unspooled(Vec<Route>, Vec<Vec<u8>>),
    /// A part of a message was sent, or was not.
    Sent { desk: u32, message: u64, target: String, outcome: Outcome },
    /// Nothing more will come: what waits only for company waits no more.
    End,
}

/// What the engine is set up with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) spool: PathBuf,
    pub(crate) source: Source,
    pub(crate) means: Arc<Means>,
    pub(crate) rules: Rules,
    pub(crate) failover: Milliseconds,
    /// It accepts as well, and others will come after it.
    pub(crate) is_filter: bool,
    /// How often it is tried whether the targets work.
    pub(crate) test_every: Option<Milliseconds>,
    /// Where damaged segments go, whose routes nobody knows any more.
    pub(crate) fallback: Vec<Route>,
}

/// Whoever delivers, as long as it holds the lock.
pub(crate) struct Engine {
    setup: Setup,
    clock: Clock,
    journal: Journal,
    desks: Vec<Desk>,
    ledger: Ledger,
    health: BTreeMap<String, Health>,
    silences: Silences,
    /// What the last message was numbered, and the last record of its own.
    numbers: u64,
    own: u32,
    /// When it was last tried whether the targets work.
    tested: Option<Milliseconds>,
    /// The desks of each segment, and where its lines begin.
    segments: BTreeMap<u32, Segment>,
    /// What is on its way: desk and message, and the target.
    sending: BTreeMap<(u32, u64), String>,
    ledger_changed: BTreeSet<String>,
    health_changed: BTreeSet<String>,
    /// Where those report who send.
    sender: Sender<Event>,
    /// Where it is told what was told.
    told: Told,
    is_ended: bool,
    next_look: Instant,
    next_save: Instant,
    next_forget: Instant,
    complaints: BTreeSet<String>,
    _lock: Lock,
}

/// Where it is told what was told.
pub(crate) type Told = Box<dyn Fn(Record) + Send>;

/// What is known of a segment.
#[derive(Debug)]
struct Segment {
    desks: Vec<usize>,
    start: u64,
    /// All of it was read, and nobody had more to write.
    is_read: bool,
}

impl Engine {
    /// The engine of a spool; nothing where another one delivers.
    pub(crate) fn open(
        setup: Setup,
        sender: Sender<Event>,
        told: Told,
    ) -> Result<Result<Self, (Setup, Told)>, Complaint> {
        let name = setup.spool.display().to_string();
        let cannot = |error: std::io::Error| Complaint::cannot("use", &name, error);
        let Some(lock) = lock(&setup.spool).map_err(cannot)? else { return Ok(Err((setup, told))) };
        let (journal, contents) = Journal::open(&setup.spool.join("state")).map_err(cannot)?;
        let kept = keep::load(&contents.values);
        let mut engine = Self {
            clock: Clock::resume(kept.clock),
            journal,
            desks: kept.desks,
            ledger: kept.ledger,
            health: kept.health,
            silences: kept.silences,
            numbers: kept.numbers,
            own: kept.own,
            tested: kept.tested,
            segments: BTreeMap::new(),
            sending: BTreeMap::new(),
            ledger_changed: BTreeSet::new(),
            health_changed: BTreeSet::new(),
            sender,
            told,
            is_ended: false,
            next_look: Instant::now(),
            next_save: Instant::now(),
            next_forget: Instant::now(),
            complaints: BTreeSet::new(),
            setup,
            _lock: lock,
        };
        for route in &engine.setup.fallback.clone() {
            engine.desk(route);
        }
        let now = engine.clock.now();
        // An earlier version did not know when.
        engine.desks.iter_mut().filter(|desk| !desk.was_used()).for_each(|it| it.touch(now));
        let mut damage = kept.damage;
        if contents.is_damaged {
            damage.push(
                "the file 'state' of the spool was damaged: what it knew last is lost, \
                         and some may be told again; it is kept as 'state.damaged'"
                    .to_owned(),
            );
        }
        for why in damage {
            engine.say("spool:state", Status::Fail, Severity::Error, &why);
        }
        Ok(Ok(engine))
    }

    /// Delivers until nothing is left, or `patience` has passed since the end of what comes.
    pub(crate) fn run(&mut self, events: &Receiver<Event>, patience: Duration) {
        let mut deadline = None;
        loop {
            while let Ok(event) = events.try_recv() {
                self.handle(event);
            }
            if self.is_ended && deadline.is_none() {
                deadline = Some(Instant::now() + patience);
            }
            let wait = self.step();
            let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if self.is_ended && (self.is_done() || (is_late && self.sending.is_empty())) {
                self.forget();
                self.finish();
                return;
            }
            let wait = deadline.map_or(wait, |deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                if is_late { wait.max(Duration::from_millis(20)) } else { wait.min(left) }
            });
            match events.recv_timeout(wait) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody is left who could say anything.
                Err(RecvTimeoutError::Disconnected) => self.is_ended = true,
            }
        }
    }

    /// Does what was asked, and nothing else.
    pub(crate) fn only_obey(&mut self) {
        self.commands();
        self.finish();
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Accepted => self.next_look = Instant::now(),
            Event::Unspooled(routes, payloads) => self.take_unspooled(&routes, &payloads),
            Event::Sent { desk, message, target, outcome } => {
                self.settle(desk, message, &target, outcome);
            }
            Event::End => {
                self.is_ended = true;
                self.next_look = Instant::now();
            }
        }
    }

    /// Does what is to be done now, and says how long nothing will be.
    fn step(&mut self) -> Duration {
        /// So often others may have written something.
        const LOOK: Duration = Duration::from_secs(1);
        let mut has_more = false;
        if Instant::now() >= self.next_look {
            has_more = self.ingest();
            self.commands();
            self.next_look = Instant::now() + if has_more { Duration::ZERO } else { LOOK };
        }
        let now = self.clock.now();
        if !self.silences.all.is_empty() {
            for number in self.silences.look(now) {
                self.journal.remove(&format!("silence/{number}"));
            }
        }
        self.try_targets(now);
        for desk in &mut self.desks {
            desk.compose(
                (now, self.is_ended && !has_more),
                (&self.silences, &self.setup.rules),
                &mut self.numbers,
                &self.setup.source,
            );
        }
        self.save();
        let due = self.dispatch(now);
        // At the end it is done once.
        if !has_more && !self.is_ended {
            self.clean();
            self.forget();
        }
        let until_look = self.next_look.saturating_duration_since(Instant::now());
        until_look.min(Duration::from_millis(due.saturating_sub(now)))
    }

    /// Is there nothing left that can be done?
    fn is_done(&self) -> bool {
        self.sending.is_empty()
            && self.desks.iter().all(|desk| desk.is_idle() || self.is_silent(desk))
            && self.segments.values().all(|segment| segment.is_read)
    }

    fn is_silent(&self, desk: &Desk) -> bool {
        desk.outbox.is_empty()
            && desk.flood.is_none()
            && desk.incidents.iter().all(|(key, incident)| {
                incident.urgent.is_none() || self.silences.until(&key.1) > self.clock.now()
            })
    }

    /// How many messages wait, and why the first of them does.
    pub(crate) fn left(&self) -> (usize, Option<Delay>) {
        let waiting = |desk: &Desk| {
            let unwritten = if self.is_silent(desk) { 0 } else { usize::from(!desk.is_idle()) };
            if desk.outbox.is_empty() { unwritten } else { desk.outbox.len() }
        };
        let count = self.desks.iter().map(waiting).sum();
        let now = self.clock.now();
        let targets = self.desks.iter().filter(|desk| !desk.outbox.is_empty());
        let mut targets = targets.flat_map(|desk| &desk.route.targets);
        let delay = targets
            .find_map(|target| Delay::of(target, self.health.get(target), &self.ledger, now));
        (count, delay)
    }

    /// What can be remembered nowhere: records that are lost with this process, and whether something
    /// will be told again.
    pub(crate) fn forgotten(&self) -> (u64, bool) {
        if !self.journal.is_behind() {
            return (0, false);
        }
        const OURS: u32 = 0;
        let lost = |desk: &Desk| {
            let told = desk.outbox.values().chain(desk.dead.values()).map(|it| &it.ids);
            let untold = desk.incidents.values().map(|incident| &incident.untold);
            let more = desk.flood.iter().map(|flood| &flood.ids);
            told.chain(untold).chain(more).map(|ids| ids.count_in(OURS)).sum::<u64>()
        };
        (self.desks.iter().map(lost).sum(), true)
    }

    /// How many messages nobody will take.
    pub(crate) fn dead(&self) -> usize {
        self.desks.iter().map(|desk| desk.dead.len()).sum()
    }

    /// The place of a route's desk, which somebody uses.
    fn desk(&mut self, route: &Route) -> usize {
        let now = self.clock.now();
        if let Some(at) = self.desks.iter().position(|desk| desk.route == *route) {
            self.desks[at].touch(now);
            return at;
        }
        let number = self.desks.iter().map(|desk| desk.number + 1).max().unwrap_or(0);
        let mut desk = Desk::new(number, route.clone());
        desk.touch(now);
        self.journal.put(&format!("{number}/desk"), route);
        self.desks.push(desk);
        self.desks.len() - 1
    }

    /// Tells people something of itself, and whoever started it.
    fn say(&mut self, subject: &str, status: Status, severity: Severity, message: &str) {
        if status != Status::Pass {
            complain("claw-notify", message);
        }
        let mut record = self.setup.source.record("check", subject, status, message);
        record.severity = severity;
        self.hear_own(&record);
    }

    fn hear_own(&mut self, record: &Record) {
        self.hear_own_at(record, |_| true);
    }

    /// Tells something of itself to those routes.
    fn hear_own_at(&mut self, record: &Record, is_for: impl Fn(&Route) -> bool) {
        self.own += 1;
        let id = Id { segment: 0, index: self.own };
        let now = self.clock.now();
        for desk in self.desks.iter_mut().filter(|desk| is_for(&desk.route)) {
            if desk.takes != Takes::Records {
                desk.hear(id, record, None, &mut self.numbers, (now, &self.setup.rules));
            }
        }
    }

    /// Complains once of one thing.
    fn complain_once(&mut self, words: String) {
        if self.complaints.insert(words.clone()) {
            complain("claw-notify", &words);
        }
    }

    fn folder(&self) -> PathBuf {
        self.setup.spool.join("in")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.setup.spool).join(name)
    }
}

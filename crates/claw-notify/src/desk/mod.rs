//! What one route has to tell: its incidents, and the messages that wait for a receipt.

mod kept;

use std::collections::{BTreeMap, BTreeSet};

use claw_record::{Record, Source, Status};

use self::kept::Item;
use crate::channels::{self, Takes};
use crate::clock::Milliseconds;
use crate::compose;
use crate::fact::Fact;
use crate::flood::Flood;
use crate::incident::{Incident, News, Next, Rules, loudness};
use crate::message::{Body, Key, Message};
use crate::route::Route;
use crate::silence::Silences;
use crate::spool::read::Cursor;
use crate::spool::{Id, Ids};
use crate::text;

/// Everything that is known for one route.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) number: u32,
    pub(crate) route: Route,
    pub(crate) takes: Takes,
    pub(crate) incidents: BTreeMap<Key, Incident>,
    /// Subjects of which it was told that they fail, where each record is told by itself.
    failing: BTreeSet<Key>,
    pub(crate) flood: Option<Flood>,
    pub(crate) outbox: BTreeMap<u64, Message>,
    /// What nobody will ever take.
    pub(crate) dead: BTreeMap<u64, Message>,
    pub(crate) cursors: BTreeMap<u32, Cursor>,
    /// When somebody wanted to tell something here last, to the day.
    used: Option<Milliseconds>,
    changed: BTreeSet<Item>,
}

/// So many subjects are followed one by one.
pub(crate) const MOST_INCIDENTS: usize = 1000;
/// So many records wait for their receipts at once, where each is told by itself.
const MOST_RECORDS: usize = 64;

impl Desk {
    /// A desk where nothing is known.
    pub(crate) fn new(number: u32, route: Route) -> Self {
        let first = route.targets.first().map_or("", String::as_str);
        let takes = channels::of(first).map_or(Takes::Incidents, |(channel, _)| channel.takes);
        Self {
            number,
            route,
            takes,
            incidents: BTreeMap::new(),
            failing: BTreeSet::new(),
            flood: None,
            outbox: BTreeMap::new(),
            dead: BTreeMap::new(),
            cursors: BTreeMap::new(),
            used: None,
            changed: BTreeSet::new(),
        }
    }

    /// Gives it its route.
    pub(crate) fn set_route(&mut self, route: Route) {
        self.takes = Self::new(self.number, route.clone()).takes;
        self.route = route;
    }

    /// Somebody wants to tell something here.
    pub(crate) fn touch(&mut self, now: Milliseconds) {
        const DAY: Milliseconds = 86_400_000;
        if self.used.is_none_or(|used| used + DAY <= now) {
            self.used = Some(now);
            self.changed.insert(Item::Used);
        }
    }

    /// Is it known when it was used?
    pub(crate) fn was_used(&self) -> bool {
        self.used.is_some()
    }

    /// Has nobody used it for so long that it will not be again, and does nothing wait in it?
    pub(crate) fn is_forgotten(&self, now: Milliseconds) -> bool {
        const LONG: Milliseconds = 30 * 86_400_000;
        self.used.is_some_and(|used| used + LONG <= now)
            && self.outbox.is_empty()
            && self.dead.is_empty()
            && self.flood.is_none()
            && self.cursors.is_empty()
            && self.incidents.values().all(|incident| incident.untold_count == 0)
    }

    /// Can it hear more?
    pub(crate) fn has_room(&self) -> bool {
        self.takes == Takes::Incidents || self.outbox.len() < MOST_RECORDS
    }

    /// Has it had room for so long that it is time for more?
    pub(crate) fn is_hungry(&self) -> bool {
        self.takes == Takes::Records && self.outbox.len() <= MOST_RECORDS / 2
    }

    /// Hears a record: that of the spool at `offset`, or one that is nowhere else.
    pub(crate) fn hear(
        &mut self,
        id: Id,
        record: &Record,
        at: Option<u64>,
        numbers: &mut u64,
        (now, rules): (Milliseconds, &Rules),
    ) {
        const LONGEST_NAME: usize = 300;
        let cut = |name: &str| text::cut(&claw_record::shown(name), LONGEST_NAME);
        let key = (cut(&record.host), cut(&record.subject));
        let is_loud = self.route.hears(record.severity);
        let passes = record.status == Status::Pass;
        if self.takes == Takes::Records {
            let ends = passes && self.failing.remove(&key);
            let begins = is_loud && !passes && self.failing.len() < MOST_INCIDENTS;
            if ends || (begins && self.failing.insert(key.clone())) {
                self.changed.insert(Item::Failing(key));
            }
            if is_loud || ends {
                self.queue_record(id, record, at, numbers, now);
            }
            return;
        }
        let fact = Fact::of(id, record);
        // What is louder finds room also where there is none for others.
        let most = MOST_INCIDENTS + usize::from(loudness(record.severity)) * MOST_INCIDENTS / 8;
        let has_room = self.incidents.len() < most;
        match self.incidents.get_mut(&key) {
            Some(incident) if is_loud || !incident.is_over => incident.hear(fact, now, rules),
            None if is_loud && has_room => {
                let (host, subject) = key.clone();
                self.incidents.insert(key.clone(), Incident::open(host, subject, fact, now));
            }
            None if is_loud => {
                match &mut self.flood {
                    Some(flood) => flood.add(key.1, fact),
                    None => self.flood = Some(Flood::begin(key.1, fact, now)),
                }
                self.changed.insert(Item::Flood);
                return;
            }
            _ => return,
        }
        self.changed.insert(Item::Incident(key));
    }

    fn queue_record(
        &mut self,
        id: Id,
        record: &Record,
        at: Option<u64>,
        numbers: &mut u64,
        now: Milliseconds,
    ) {
        let mut ids = Ids::default();
        ids.add(id, 1);
        let body = match at {
            Some(offset) => Body::Stored { id, offset },
            None => compose::record(record, &ids),
        };
        *numbers += 1;
        self.post(Message::new(*numbers, record.severity, body, ids, 1, now));
    }

    /// Puts a message where it waits for its receipt.
    pub(crate) fn post(&mut self, message: Message) {
        self.changed.insert(Item::Message(message.number));
        self.outbox.insert(message.number, message);
    }

    /// The message, to be changed.
    pub(crate) fn message(&mut self, number: u64) -> Option<&mut Message> {
        self.changed.insert(Item::Message(number));
        self.outbox.get_mut(&number)
    }

    /// Takes a message out of those that wait.
    pub(crate) fn take(&mut self, number: u64) -> Option<Message> {
        self.changed.insert(Item::Message(number));
        self.outbox.remove(&number)
    }

    /// Nobody will ever take that message.
    pub(crate) fn bury(&mut self, message: Message) {
        self.changed.insert(Item::Dead(message.number));
        self.dead.insert(message.number, message);
    }

    /// Brings the messages back that nobody would take, and says how many these are.
    pub(crate) fn raise(&mut self, now: Milliseconds) -> usize {
        let dead = std::mem::take(&mut self.dead);
        let count = dead.len();
        for (number, mut message) in dead {
            self.changed.insert(Item::Dead(number));
            message.refused.clear();
            message.since = now;
            self.post(message);
        }
        count
    }

    /// Tells nothing of these records. A message that tells of others too is told all the same.
    pub(crate) fn drop_ids(&mut self, ids: &[Id]) {
        let is_all = |message: &Message| {
            let held = ids.iter().filter(|id| message.ids.holds(**id)).count();
            held as u64 == message.count
        };
        for number in
            self.outbox.iter().filter(|(_, it)| is_all(it)).map(|(n, _)| *n).collect::<Vec<_>>()
        {
            self.take(number);
        }
        for number in
            self.dead.iter().filter(|(_, it)| is_all(it)).map(|(n, _)| *n).collect::<Vec<_>>()
        {
            self.dead.remove(&number);
            self.changed.insert(Item::Dead(number));
        }
        let untold = |incident: &Incident| {
            let held = ids.iter().filter(|id| incident.untold.holds(**id)).count();
            incident.told.is_none() && held as u64 == incident.untold_count
        };
        let keys: Vec<_> = self
            .incidents
            .iter()
            .filter(|(_, it)| untold(it))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.incidents.remove(&key);
            self.changed.insert(Item::Incident(key));
        }
    }

    /// Answers to that incident go where its first message went.
    pub(crate) fn thread(&mut self, message: u64, target: &str, receipt: &str) {
        for (key, incident) in &mut self.incidents {
            let is_it = incident.told.as_ref().is_some_and(|told| told.message == message);
            if is_it && incident.thread.is_none() {
                let (target, receipt) = (target.to_owned(), receipt.to_owned());
                incident.thread = Some(crate::incident::Thread { target, receipt });
                self.changed.insert(Item::Incident(key.clone()));
            }
        }
    }

    /// Moves the cursor of a segment; without one the segment is gone.
    pub(crate) fn set_cursor(&mut self, segment: u32, cursor: Option<Cursor>) {
        match cursor {
            Some(cursor) => self.cursors.insert(segment, cursor),
            None => self.cursors.remove(&segment),
        };
        self.changed.insert(Item::Cursor(segment));
    }

    /// Is something of that segment still to be told?
    pub(crate) fn needs(&self, segment: u32) -> bool {
        self.flood.as_ref().is_some_and(|flood| flood.ids.touches(segment))
            || self.outbox.values().chain(self.dead.values()).any(|it| it.ids.touches(segment))
            || self.incidents.values().any(|incident| incident.untold.touches(segment))
    }

    /// Is there anything that people wait for?
    pub(crate) fn is_idle(&self) -> bool {
        self.outbox.is_empty()
            && self.flood.is_none()
            && self.incidents.values().all(|incident| incident.urgent.is_none())
    }

    /// When the next message is to be written; with `hurry` at once, where something is new.
    pub(crate) fn due(
        &self,
        silences: &Silences,
        rules: &Rules,
        hurry: bool,
    ) -> Option<Milliseconds> {
        let incidents = self.incidents.iter().map(|(key, incident)| {
            let (at, next) = self.next(incident, rules);
            let at = if hurry && incident.urgent.is_some() { 0 } else { at };
            if next == Next::Forget { at } else { at.max(silences.until(&key.1)) }
        });
        let flood = self.flood.iter().map(|flood| if hurry { 0 } else { flood.since + rules.wait });
        incidents.chain(flood).min()
    }

    fn next(&self, incident: &Incident, rules: &Rules) -> (Milliseconds, Next) {
        if self.takes == Takes::Alerts { incident.next_alert(rules) } else { incident.next(rules) }
    }

    /// Writes the next message, where one is due, and forgets what is over.
    pub(crate) fn compose(
        &mut self,
        (now, hurry): (Milliseconds, bool),
        (silences, rules): (&Silences, &Rules),
        numbers: &mut u64,
        source: &Source,
    ) -> bool {
        /// So many incidents may be due at once before they are told as one.
        const FEW: usize = 3;
        const MOST_RANGES: usize = 120;
        if self.takes == Takes::Records || !self.outbox.is_empty() {
            return false;
        }
        let mut due: Vec<(Milliseconds, Key, News)> = Vec::new();
        let mut over = Vec::new();
        for (key, incident) in &self.incidents {
            let (at, next) = self.next(incident, rules);
            let is_due = at <= now || (hurry && incident.urgent.is_some());
            match next {
                Next::Forget if is_due => over.push(key.clone()),
                Next::Tell(news) if is_due && silences.until(&key.1) <= now => {
                    due.push((at, key.clone(), news));
                }
                _ => {}
            }
        }
        for key in over {
            self.incidents.remove(&key);
            self.changed.insert(Item::Incident(key));
        }
        let flood_is_due =
            self.flood.as_ref().is_some_and(|flood| hurry || flood.since + rules.wait <= now);
        let flood = if flood_is_due { self.flood.take() } else { None };
        if due.is_empty() && flood.is_none() {
            return false;
        }
        due.sort();
        if due.len() <= FEW && flood.is_none() && self.takes == Takes::Incidents {
            due.truncate(1);
        }
        let mut ids = Ids::default();
        let mut count = 0;
        for (_, key, _) in &due {
            let incident = &self.incidents[key];
            ids.add_all(&incident.untold, MOST_RANGES);
            count += incident.untold_count;
        }
        if let Some(flood) = &flood {
            ids.add_all(&flood.ids, MOST_RANGES);
            count += flood.count;
            self.changed.insert(Item::Flood);
        }
        // A reminder tells of no new record, but of the last that there was.
        if let [(_, key, _)] = &due[..]
            && count == 0
        {
            ids.add(self.incidents[key].last.id, MOST_RANGES);
        }
        let told: Vec<_> = due.iter().map(|(_, key, news)| (&self.incidents[key], *news)).collect();
        let (body, severity, answers) = match &told[..] {
            _ if self.takes == Takes::Alerts => (
                compose::alerts(&told, flood.as_ref()),
                compose::worst(&told, flood.as_ref()),
                None,
            ),
            [(incident, news)] if flood.is_none() => {
                let body = compose::incident(incident, *news, &ids, source);
                let is_answer = incident.thread.is_some();
                let key = is_answer.then(|| due[0].1.clone());
                (body, compose::severity(incident, *news), key)
            }
            _ => {
                let body = compose::many(&told, flood.as_ref(), (&ids, count), source);
                (body, compose::worst(&told, flood.as_ref()), None)
            }
        };
        *numbers += 1;
        for (_, key, news) in due {
            if let Some(incident) = self.incidents.get_mut(&key) {
                incident.tell(news, *numbers, now);
            }
            self.changed.insert(Item::Incident(key));
        }
        let message = Message::new(*numbers, severity, body, ids, count, now);
        self.post(Message { answers, ..message });
        true
    }
}

//! A desk in the journal and out of it.

use serde_json::value::RawValue;

use super::Desk;
use crate::message::Key;
use crate::route::Route;
use crate::spool::journal::Journal;

/// Something that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Incident(Key),
    Failing(Key),
    Flood,
    Used,
    Message(u64),
    Dead(u64),
    Cursor(u32),
}

impl Desk {
    /// Puts what changed into the journal.
    pub(crate) fn save(&mut self, journal: &mut Journal) {
        for item in std::mem::take(&mut self.changed) {
            self.put(&item, journal);
        }
    }

    /// Puts all of it into the journal.
    pub(crate) fn dump(&self, journal: &mut Journal) {
        journal.put(&format!("{}/desk", self.number), &self.route);
        for item in self.items() {
            self.put(&item, journal);
        }
    }

    /// Takes all of it out of the journal.
    pub(crate) fn forget(self, journal: &mut Journal) {
        let nothing = Self::new(self.number, Route::empty());
        for item in self.items() {
            nothing.put(&item, journal);
        }
        journal.remove(&format!("{}/desk", self.number));
    }

    /// All that is kept of it, but for its route.
    fn items(&self) -> Vec<Item> {
        let incidents = self.incidents.keys().cloned().map(Item::Incident);
        let failing = self.failing.iter().cloned().map(Item::Failing);
        let messages = self.outbox.keys().copied().map(Item::Message);
        let dead = self.dead.keys().copied().map(Item::Dead);
        let cursors = self.cursors.keys().copied().map(Item::Cursor);
        let flood = self.flood.iter().map(|_| Item::Flood);
        let used = self.used.iter().map(|_| Item::Used);
        let all = incidents.chain(failing).chain(messages).chain(dead).chain(cursors);
        all.chain(flood).chain(used).collect()
    }

    fn put(&self, item: &Item, journal: &mut Journal) {
        let number = self.number;
        let named = |what: &str, key: &Key| format!("{number}/{what}/{}\n{}", key.0, key.1);
        match item {
            Item::Incident(key) => {
                journal.put(&named("incident", key), &self.incidents.get(key));
            }
            Item::Failing(key) => {
                journal.put(&named("failing", key), &self.failing.get(key).map(|_| true));
            }
            Item::Used => journal.put(&format!("{number}/used"), &self.used),
            Item::Flood => journal.put(&format!("{number}/flood"), &self.flood),
            Item::Message(message) => {
                journal.put(&format!("{number}/message/{message}"), &self.outbox.get(message));
            }
            Item::Dead(message) => {
                journal.put(&format!("{number}/dead/{message}"), &self.dead.get(message));
            }
            Item::Cursor(segment) => {
                journal.put(&format!("{number}/cursor/{segment}"), &self.cursors.get(segment));
            }
        }
    }

    /// Takes in what the journal holds under a key behind the number of this desk.
    pub(crate) fn load(&mut self, key: &str, value: &RawValue) -> Result<(), String> {
        fn read<'a, T: serde::Deserialize<'a>>(value: &'a RawValue) -> Result<T, String> {
            serde_json::from_str(value.get()).map_err(|error| error.to_string())
        }
        let (what, rest) = key.split_once('/').unwrap_or((key, ""));
        let named = || {
            let (host, subject) = rest.split_once('\n').unwrap_or_default();
            (host.to_owned(), subject.to_owned())
        };
        let number = || rest.parse::<u64>().map_err(|_| format!("not a number: {rest}"));
        match what {
            "incident" => {
                self.incidents.insert(named(), read(value)?);
            }
            "failing" => {
                self.failing.insert(named());
            }
            "used" => self.used = read(value)?,
            "flood" => self.flood = read(value)?,
            "message" => {
                self.outbox.insert(number()?, read(value)?);
            }
            "dead" => {
                self.dead.insert(number()?, read(value)?);
            }
            "cursor" => {
                let segment = rest.parse().map_err(|_| format!("not a number: {rest}"))?;
                self.cursors.insert(segment, read(value)?);
            }
            _ => {}
        }
        Ok(())
    }
}

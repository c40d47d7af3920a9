//! More subjects than are followed one by one: counted, and told with the next message.

use serde::{Deserialize, Serialize};

use crate::clock::Milliseconds;
use crate::fact::Fact;
use crate::incident::loudness;
use crate::spool::Ids;

/// What came beyond that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flood {
    pub(crate) since: Milliseconds,
    pub(crate) ids: Ids,
    pub(crate) count: u64,
    /// The worst of it, and what it is about.
    pub(crate) worst: Fact,
    pub(crate) subject: String,
}

impl Flood {
    /// A flood that begins with this.
    pub(crate) fn begin(subject: String, fact: Fact, now: Milliseconds) -> Self {
        let mut ids = Ids::default();
        ids.add(fact.id, 1);
        Self { since: now, ids, count: 1, worst: fact, subject }
    }

    /// One more.
    pub(crate) fn add(&mut self, subject: String, fact: Fact) {
        const MOST_RANGES: usize = 64;
        self.ids.add(fact.id, MOST_RANGES);
        self.count += 1;
        if loudness(fact.severity) > loudness(self.worst.severity) {
            (self.worst, self.subject) = (fact, subject);
        }
    }
}

//! A message: what is told at once, and how far that got.

use claw_record::Severity;
use serde::{Deserialize, Serialize};

use crate::clock::Milliseconds;
use crate::spool::{Id, Ids};

/// Host and subject of an incident.
pub(crate) type Key = (String, String);

/// Something to be told, until there is a receipt for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) severity: Severity,
    pub(crate) body: Body,
    /// The records that it tells, and how many these are.
    pub(crate) ids: Ids,
    pub(crate) count: u64,
    /// The incident whose first message it answers.
    pub(crate) answers: Option<Key>,
    /// When it was written.
    pub(crate) since: Milliseconds,
    /// Where its first parts went, and how many these are.
    pub(crate) begun: Option<(String, usize)>,
    /// The receipt of its first part.
    pub(crate) receipt: Option<String>,
    /// The targets that will never take it, and why.
    pub(crate) refused: Vec<(String, String)>,
    /// Whoever is logged in was told.
    pub(crate) is_shouted: bool,
}

impl Message {
    /// One that went nowhere yet.
    pub(crate) fn new(
        number: u64,
        severity: Severity,
        body: Body,
        ids: Ids,
        count: u64,
        since: Milliseconds,
    ) -> Self {
        Self {
            number,
            severity,
            body,
            ids,
            count,
            answers: None,
            since,
            begun: None,
            receipt: None,
            refused: Vec::new(),
            is_shouted: false,
        }
    }
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// Words for people, and a record for programs.
    Words { title: String, text: String, record: String },
    /// A record as it stands in the spool.
    Stored { id: Id, offset: u64 },
}

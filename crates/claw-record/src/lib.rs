//! One JSON line is one fact: what the claw tools must agree on, or they cannot be joined.
//!
//! The record itself, reading and writing its lines, the writing for people, the exit status and
//! the settings file. The format is described for everybody in `claw-record(5)`.

mod exit;
mod human;
mod read;
mod record;
mod settings;
mod span;
mod write;

pub use exit::{Complaint, Outcome, complain, report};
pub use human::{Style, shown};
pub use read::{Line, Lines, pass_on};
pub use record::{LINE_LIMIT, Record, Severity, Source, Status};
pub use settings::{parse, seconds};
pub use span::{shown_span, span};
pub use write::{Format, Output};

//! How a tool ends: its exit status and its last words, in one place.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// How the work of a tool turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well: status 0.
    Well,
    /// Something is not: a check fails, a port is open, a step would change. Status 1.
    NotWell,
    /// Some of the work could not be done, and each case was named on standard error. Status 2.
    Unable,
    /// A status that another convention asks for, such as that of the Nagios plug-ins.
    Status(u8),
}

/// Why a tool could not do its work, in the words `cannot verb 'thing': reason`.
#[derive(Debug)]
pub struct Complaint(String);

impl Complaint {
    /// A complaint in its own words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// `cannot verb 'thing': reason`.
    pub fn cannot(verb: &str, thing: &str, reason: impl fmt::Display) -> Self {
        Self(format!("cannot {verb} '{thing}': {reason}"))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says something on standard error, control characters shown, as `tool: words`.
pub fn complain(tool: &str, words: &str) {
    // There is nobody left to tell when standard error cannot be written.
    let _ = writeln!(io::stderr(), "{tool}: {}", crate::human::shown(words));
}

/// Ends a tool: says what went wrong, if anything did, and gives its exit status.
pub fn report(tool: &str, result: Result<Outcome, Complaint>) -> ExitCode {
    match result {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::NotWell) => ExitCode::from(1),
        Ok(Outcome::Unable) => ExitCode::from(2),
        Ok(Outcome::Status(status)) => ExitCode::from(status),
        Err(complaint) => {
            complain(tool, &complaint.0);
            ExitCode::from(2)
        }
    }
}

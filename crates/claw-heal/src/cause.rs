//! Why a unit is down.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a unit is down: the words of a crash's `data.cause`, and one of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    Exit,
    Signal,
    Oom,
    Watchdog,
    UncaughtException,
    UnhandledRejection,
    StartLimit,
    Hang,
    /// It is active, and what it is there for is not; also any word of a later version.
    #[serde(other)]
    Dead,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Oom => "oom",
            Self::Watchdog => "watchdog",
            Self::UncaughtException => "uncaught-exception",
            Self::UnhandledRejection => "unhandled-rejection",
            Self::StartLimit => "start-limit",
            Self::Hang => "hang",
            Self::Dead => "dead",
        })
    }
}

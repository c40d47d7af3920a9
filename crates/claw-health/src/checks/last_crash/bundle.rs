//! What OpenClaw wrote of a crash, where it still could.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::Cause;
use super::end::End;
use crate::gateway::stability::{self, bundles};
use crate::host::Host;

/// The reasons that are crashes. The others are of a gateway that lives, or that was told to end.
const CRASHES: &[(&str, Cause)] = &[
    ("uncaught_exception", Cause::UncaughtException),
    ("unhandled_rejection", Cause::UnhandledRejection),
    ("fatal_unhandled_rejection", Cause::UnhandledRejection),
    ("gateway.startup_failed", Cause::StartupFailed),
    ("gateway.restart_startup_failed", Cause::StartupFailed),
    ("configuration_error", Cause::StartupFailed),
];

/// A crash that OpenClaw wrote a bundle of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bundle {
    pub(super) at: OffsetDateTime,
    pub(super) cause: Cause,
    pub(super) pid: u64,
    /// The name of the error and its first line.
    pub(super) error: Option<String>,
    file: stability::Bundle,
}

impl Bundle {
    pub(super) fn new(file: stability::Bundle, cause: Cause, error: Option<String>) -> Self {
        Self { at: file.at, cause, pid: file.pid, error, file }
    }

    /// Is it of this end? It is written while the process still runs; a process that fails to start
    /// takes its time then, to find out why.
    pub(super) fn is_of(&self, end: &End) -> bool {
        /// How long that may be, where the journal does not know when the process began.
        const LONGEST: Duration = Duration::minutes(2);
        let began = end.began.unwrap_or(end.at - LONGEST);
        end.exit_code.is_some() && (began..=end.at).contains(&self.at)
    }

    /// Where it is.
    pub(super) fn path(&self, host: &Host) -> String {
        self.file.path(host).display().to_string()
    }
}

/// The newest of them; one of a time that has not come is passed over, as it would hide all others.
pub(super) fn latest(host: &Host, now: OffsetDateTime) -> Result<Option<Bundle>, String> {
    let newest = newest(bundles(host)?, now);
    Ok(newest.map(|(file, cause)| {
        // What cannot be read is told by its name alone.
        let error = host.read_owned(file.path(host)).ok().and_then(|text| parse(&text));
        Bundle::new(file, cause, error)
    }))
}

pub(super) fn newest(
    bundles: Vec<stability::Bundle>,
    now: OffsetDateTime,
) -> Option<(stability::Bundle, Cause)> {
    let crash = |bundle: stability::Bundle| {
        let (_, cause) = CRASHES.iter().find(|(reason, _)| *reason == bundle.reason)?;
        (bundle.at <= now).then_some((bundle, *cause))
    };
    bundles.into_iter().filter_map(crash).max_by_key(|(bundle, _)| bundle.at)
}

/// What went wrong, in one line.
pub(super) fn parse(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Content {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        name: Option<String>,
        message: Option<String>,
    }
    /// An agent may have written it, and a message is read by people.
    const LONGEST: usize = 200;
    let Error { name, message } = serde_json::from_str::<Content>(text).ok()?.error;
    let parts = [name, message].into_iter().flatten();
    let lines = parts.filter_map(|part| Some(part.trim().lines().next()?.trim_end().to_owned()));
    let line = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(": ");
    (!line.is_empty()).then(|| line.chars().take(LONGEST).collect())
}

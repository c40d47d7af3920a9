//! What OpenClaw wrote of a crash, where it still could.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::Cause;
use super::end::End;
use super::failure::{Failure, own_line};
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
pub(crate) struct Bundle {
    pub(crate) at: OffsetDateTime,
    pub(crate) cause: Cause,
    pub(crate) pid: u64,
    pub(crate) error: Option<Failure>,
    pub(crate) file: stability::Bundle,
}

impl Bundle {
    pub(crate) fn new(file: stability::Bundle, cause: Cause, error: Option<Failure>) -> Self {
        Self { at: file.at, cause, pid: file.pid, error, file }
    }

    /// Is it of this end? It is written while the process still runs; a process that fails to start
    /// takes its time then, to find out why.
    pub(crate) fn is_of(&self, end: &End) -> bool {
        /// How long that may be, where the journal does not know when the process began.
        const LONGEST: Duration = Duration::minutes(2);
        let began = end.began.unwrap_or(end.at - LONGEST);
        end.exit_code.is_some() && (began..=end.at).contains(&self.at)
    }

    /// Where it is.
    pub(crate) fn path(&self, host: &Host) -> String {
        self.file.path(host).display().to_string()
    }
}

/// The newest of them; one of a time that has not come is passed over, as it would hide all others.
pub(crate) fn latest(host: &Host, now: OffsetDateTime) -> Result<Option<Bundle>, String> {
    let newest = newest(bundles(host)?, now);
    Ok(newest.map(|(file, cause)| {
        // What cannot be read is told by its name alone.
        let error = host.read_owned(file.path(host)).ok().and_then(|text| parse(&text));
        Bundle::new(file, cause, error)
    }))
}

/// The one that was written of this end by that process, where it is known.
pub(crate) fn of(host: &Host, end: &End, pid: Option<u64>) -> Result<Option<Bundle>, String> {
    let its = bundles(host)?.into_iter().filter(|bundle| pid.is_none_or(|pid| pid == bundle.pid));
    let newest = newest(its.collect(), end.at);
    let bundle = newest.map(|(file, cause)| Bundle::new(file, cause, None));
    Ok(bundle.filter(|bundle| bundle.is_of(end)))
}

pub(crate) fn newest(
    bundles: Vec<stability::Bundle>,
    now: OffsetDateTime,
) -> Option<(stability::Bundle, Cause)> {
    let crash = |bundle: stability::Bundle| {
        let (_, cause) = CRASHES.iter().find(|(reason, _)| *reason == bundle.reason)?;
        (bundle.at <= now).then_some((bundle, *cause))
    };
    bundles.into_iter().filter_map(crash).max_by_key(|(bundle, _)| bundle.at)
}

/// What went wrong.
pub(crate) fn parse(text: &str) -> Option<Failure> {
    #[derive(Deserialize)]
    struct Content {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(flatten)]
        failure: Failure,
        stack: Option<String>,
    }
    let Error { failure, stack } = serde_json::from_str::<Content>(text).ok()?.error;
    let stack = stack.unwrap_or_default();
    let failure = Failure { own_line: own_line(stack.lines()), ..failure }.short();
    (!failure.line().is_empty()).then_some(failure)
}

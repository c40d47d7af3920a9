//! How the gateway's process ended, by what systemd noted of it.

use time::{Duration, OffsetDateTime};

use super::Cause;
use crate::checks::unit::CONFIGURATION_STATUS;
use crate::journalctl::{Entry, Event};

/// An end that was a crash.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) at: OffsetDateTime,
    /// The start of the unit that it is the end of.
    pub(crate) invocation: String,
    /// When the process was started, where the journal still has it.
    pub(crate) began: Option<OffsetDateTime>,
    pub(crate) cause: Cause,
    pub(crate) exit_code: Option<i64>,
    pub(crate) signal: Option<i64>,
    pub(crate) is_dumped: bool,
}

impl End {
    /// Of a process that ended so: `exited`, `killed` or `dumped`, and the exit status or the signal.
    pub(crate) fn of(entry: &Entry, code: &str, status: i64) -> Self {
        let is_exit = code == "exited";
        Self {
            at: entry.at,
            invocation: entry.invocation.clone(),
            began: None,
            cause: if is_exit { Cause::Exit } else { Cause::Signal },
            exit_code: is_exit.then_some(status),
            signal: (!is_exit).then_some(status),
            is_dumped: code == "dumped",
        }
    }
}

/// The newest of them that was a crash: no success, and nobody had asked for it.
pub(crate) fn last_crash(entries: &[Entry]) -> Option<End> {
    entries.iter().filter_map(|entry| crash(entry, entries)).max_by_key(|end| end.at)
}

/// What an entry tells of an end that was a crash, with the others of its time.
pub(crate) fn crash(entry: &Entry, entries: &[Entry]) -> Option<End> {
    let Event::Ended { code, status } = &entry.event else { return None };
    let is_exit = code == "exited";
    if is_clean(is_exit, *status) {
        return None;
    }
    let same = || {
        let is_of =
            |other: &&Entry| !entry.invocation.is_empty() && other.invocation == entry.invocation;
        entries.iter().filter(is_of)
    };
    let timed_out = timed_out(&entry.invocation, entries);
    if timed_out.is_none()
        && same().any(|other| other.event == Event::Stopping && other.at <= entry.at)
    {
        return None;
    }
    // The first one after it: a start limit that is hit later is another.
    let failures = same().filter(|other| other.at >= entry.at).filter_map(|other| {
        let Event::Failed(result) = &other.event else { return None };
        Some((other.at, result.as_str()))
    });
    let result = failures.min().map(|(_, result)| result);
    /// A unit that goes on when the kernel kills one of its processes fails by the signal alone.
    const AT_ONCE: Duration = Duration::seconds(10);
    let is_killed = !is_exit && *status == i64::from(libc::SIGKILL);
    let ran_out = || {
        let is_near = |other: &Entry| (other.at - entry.at).abs() <= AT_ONCE;
        is_killed && same().any(|other| other.event == Event::OutOfMemory && is_near(other))
    };
    let cause = match result {
        Some("oom-kill") => Cause::Oom,
        // By then it may have been killed, or have ended as it likes.
        None | Some("timeout") if timed_out.is_some() => timed_out.unwrap_or(Cause::StartTimeout),
        Some("watchdog") => Cause::Watchdog,
        _ if !is_exit && same().any(|other| other.event == Event::WatchdogTimeout) => {
            Cause::Watchdog
        }
        _ if ran_out() => Cause::Oom,
        _ if is_exit && *status == CONFIGURATION_STATUS => Cause::StartupFailed,
        _ if is_exit => Cause::Exit,
        _ => Cause::Signal,
    };
    let began = same().filter(|other| other.event == Event::Started).map(|other| other.at).max();
    Some(End { began, cause, ..End::of(entry, code, *status) })
}

/// What of its time that start used up, so that its manager ends it; nothing where it did not, or
/// where its end was asked for before.
pub(crate) fn timed_out(invocation: &str, entries: &[Entry]) -> Option<Cause> {
    let same = || entries.iter().filter(|entry| entry.invocation == invocation);
    let noted = same().find_map(|entry| match entry.event {
        Event::StartTimeout => Some(Cause::StartTimeout),
        Event::RuntimeLimit => Some(Cause::RuntimeLimit),
        _ => None,
    });
    let has = |event: &Event| same().any(|entry| entry.event == *event);
    // A start that is refused has the result of the start before.
    let is_other = || has(&Event::Stopping) || has(&Event::StartLimit);
    let is_result = || has(&Event::Failed("timeout".to_owned())) && !is_other();
    noted.or_else(|| {
        // What is no warning may be all that is left.
        let cause = if has(&Event::Started) { Cause::RuntimeLimit } else { Cause::StartTimeout };
        is_result().then_some(cause)
    })
}

/// Is it an end that somebody asked for? 143 is what a shell makes of SIGTERM.
fn is_clean(is_exit: bool, status: i64) -> bool {
    if is_exit {
        return matches!(status, 0 | 143);
    }
    // As systemd has it.
    let asking = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGPIPE];
    asking.iter().any(|&signal| i64::from(signal) == status)
}

//! What a crash was, by what systemd noted of the end of a process and what OpenClaw wrote of it.

pub(crate) mod bundle;
pub(crate) mod end;
pub(crate) mod failure;
pub(crate) mod node;
pub(crate) mod redact;

use time::OffsetDateTime;

use crate::checks::unit::{exit_meaning, signal};
use bundle::Bundle;
use end::End;
use failure::Failure;

/// What a crash was. The words stand in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Exit,
    Signal,
    Oom,
    /// The heap of its JavaScript is full.
    HeapOom,
    Watchdog,
    UncaughtException,
    UnhandledRejection,
    StartupFailed,
    /// The manager does not start it any more.
    StartLimit,
    /// It lives and does not answer.
    Hang,
    /// It did not come up in its time.
    StartTimeout,
    /// It ran for as long as it may.
    RuntimeLimit,
    /// The manager that had it is gone, and it went as well.
    ManagerGone,
}

impl Cause {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal | Self::ManagerGone => "signal",
            Self::Oom | Self::HeapOom => "oom",
            Self::Watchdog => "watchdog",
            Self::UncaughtException => "uncaught-exception",
            Self::UnhandledRejection => "unhandled-rejection",
            Self::StartupFailed => "startup-failed",
            Self::StartLimit => "start-limit",
            Self::Hang | Self::StartTimeout | Self::RuntimeLimit => "hang",
        }
    }

    /// As people read it; empty where the end of the process says it all.
    fn told(self) -> &'static str {
        match self {
            Self::Exit | Self::Signal => "",
            Self::Oom => "out of memory, killed by the kernel",
            Self::HeapOom => "out of memory, its JavaScript heap is full",
            Self::Watchdog => "its watchdog timed out",
            Self::UncaughtException => "uncaught exception",
            Self::UnhandledRejection => "unhandled rejection",
            Self::StartupFailed => "it could not start",
            Self::StartLimit => {
                "it ended too often, and systemd does not start it any more (start limit)"
            }
            Self::Hang => "it lives and does not answer",
            Self::StartTimeout => "it did not come up in its time",
            Self::RuntimeLimit => "it ran for as long as it may (RuntimeMaxSec)",
            Self::ManagerGone => "its manager ended, and it ended with that",
        }
    }
}

/// A crash, by what is known of it: at least one of the two.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Crash {
    pub(crate) end: Option<End>,
    pub(crate) bundle: Option<Bundle>,
}

impl Crash {
    pub(crate) fn at(&self) -> OffsetDateTime {
        let end = self.end.as_ref().map(|end| end.at);
        end.or_else(|| self.bundle.as_ref().map(|bundle| bundle.at))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// What OpenClaw says it died of goes before what systemd saw of that.
    pub(crate) fn cause(&self) -> Cause {
        let bundle = self.bundle.as_ref().map(|bundle| bundle.cause);
        bundle.or_else(|| self.end.as_ref().map(|end| end.cause)).unwrap_or(Cause::Exit)
    }

    /// What the gateway died of.
    pub(crate) fn words(&self) -> String {
        let error = self.bundle.as_ref().and_then(|bundle| bundle.error.as_ref());
        words(self.cause(), error, self.end.as_ref(), true)
    }
}

/// What a process died of, as people read it. An exit status of the gateway has a meaning of its own.
pub(crate) fn words(
    cause: Cause,
    error: Option<&Failure>,
    end: Option<&End>,
    is_gateway: bool,
) -> String {
    // What the kernel killed it by is no news, and a limit ends nothing.
    let is_said = matches!(cause, Cause::Oom | Cause::StartLimit);
    let end = end.filter(|_| !is_said).map(|end| end_in_words(end, is_gateway)).unwrap_or_default();
    let join = |parts: [String; 2], with: &str| {
        let parts: Vec<_> = parts.into_iter().filter(|words| !words.is_empty()).collect();
        parts.join(with)
    };
    let error = error.map(Failure::line).unwrap_or_default();
    join([join([cause.told().to_owned(), error], ": "), end], ", ")
}

fn end_in_words(end: &End, is_gateway: bool) -> String {
    let dumped = if end.is_dumped { ", core dumped" } else { "" };
    match (end.exit_code, end.signal) {
        (Some(code), _) => format!("exit status {code}{}", exit_meaning(code, is_gateway)),
        (None, Some(number)) => format!("killed by {}{dumped}", signal(number)),
        (None, None) => String::new(),
    }
}

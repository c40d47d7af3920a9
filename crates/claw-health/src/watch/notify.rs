//! Interface to the service manager: that the monitor is ready, that it lives, and how it is.
//!
//! Where nobody asked for it, nothing is said.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::parent_id;
use std::time::Duration;

/// What the service manager is told.
#[derive(Debug)]
pub(super) struct Notify {
    is_ready: bool,
    /// How often it has to hear that the monitor lives.
    every: Option<Duration>,
    next: Duration,
}

impl Notify {
    /// As the environment asks for it.
    pub(super) fn new() -> Self {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let every = watchdog(number("WATCHDOG_USEC"), number("WATCHDOG_PID"), ours());
        Self { is_ready: false, every, next: Duration::ZERO }
    }

    /// Is there a service manager that wants to know?
    pub(super) fn is_service() -> bool {
        std::env::var_os("NOTIFY_SOCKET").is_some()
    }

    /// A look is complete.
    pub(super) fn looked(&mut self, status: &str) {
        if !self.is_ready {
            self.is_ready = true;
            tell("READY=1");
        }
        tell(&format!("STATUS={status}"));
    }

    /// The monitor lives, which is said often enough and no more often.
    pub(super) fn live(&mut self, now: Duration) {
        if let Some(every) = self.every
            && self.next <= now
        {
            tell("WATCHDOG=1");
            self.next = now + every;
        }
    }

    /// When it has to be said next.
    pub(super) fn next(&self) -> Option<Duration> {
        self.every.map(|_| self.next)
    }

    /// The monitor ends.
    pub(super) fn stopping(&self) {
        tell("STOPPING=1");
    }
}

/// The processes whose watchdog this one feeds: itself, and the shell that made it part of a pipe.
fn ours() -> [u64; 2] {
    [std::process::id().into(), parent_id().into()]
}

/// Half the time of the watchdog, where it watches one of these processes.
fn watchdog(microseconds: Option<u64>, watched: Option<u64>, ours: [u64; 2]) -> Option<Duration> {
    let is_ours = watched.is_none_or(|watched| ours.contains(&watched));
    microseconds.filter(|count| is_ours && *count > 1).map(|count| Duration::from_micros(count / 2))
}

/// Says a line as `sd_notify(3)` does.
fn tell(line: &str) {
    // A manager that cannot be told has other means to find out.
    let _ = std::env::var_os("NOTIFY_SOCKET").map(|path| send(&path, line));
}

fn send(path: &OsStr, line: &str) -> io::Result<usize> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    // One that does not listen must not hold the monitor.
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to_addr(line.as_bytes(), &address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_of_the_pipe_is_fed_and_that_of_others_is_not() {
        let half = Some(Duration::from_secs(5));
        for (microseconds, watched, expected) in [
            (None, None, None),
            (Some(10_000_000), None, half),
            (Some(10_000_000), Some(7), half),
            (Some(10_000_000), Some(6), half),
            (Some(10_000_000), Some(1), None),
            (Some(0), Some(7), None),
        ] {
            assert_eq!(watchdog(microseconds, watched, [7, 6]), expected);
        }
    }
}

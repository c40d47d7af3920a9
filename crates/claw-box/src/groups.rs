//! The process groups of the programs that were started here. None of them outlives this process.
//!
//! They are groups of their own, so that the Ctrl-C of a terminal never reaches them.

use std::ffi::c_int;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, Signal, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::session;

static GROUPS: Mutex<Groups> = Mutex::new(Groups { live: Vec::new(), is_over: false });

struct Groups {
    live: Vec<Pid>,
    /// Nothing is started any more.
    is_over: bool,
}

/// At its end the groups that still run are ended.
#[derive(Debug)]
pub struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        end_all();
    }
}

/// Sees to it that no group is left behind; where programs will be started, also by a signal that ends
/// this process. Where that cannot be, the signals do what they always do.
pub fn guard(starts_programs: bool) -> Guard {
    if starts_programs {
        watched(Duration::ZERO);
    }
    Guard
}

/// As [`guard`], for a filter, which is ended with the rest of its pipe: at a SIGTERM its programs are
/// ended at once, and it has so much time to pass on what it was sent.
pub fn guard_filter(patience: Duration) -> Guard {
    watched(patience);
    Guard
}

fn watched(patience: Duration) {
    const STACK_BYTES: usize = 64 * 1024;
    let (not_yet, ready) = mpsc::channel();
    let watch = move || {
        if let Ok(signals) = Signals::new(deadly()) {
            drop(not_yet);
            watch(signals, patience);
        }
    };
    if thread::Builder::new().stack_size(STACK_BYTES).spawn(watch).is_ok() {
        // It says nothing, and hangs up once it is ready.
        let _: Result<(), _> = ready.recv();
    }
}

/// Waits for a signal, ends the groups, and lets it do what it does to everybody, so that the exit
/// status tells of it.
///
/// The signals are caught and not blocked: a program inherits what is blocked, and could not be ended.
fn watch(mut signals: Signals, patience: Duration) {
    if let Some(signal) = signals.forever().next() {
        // Nothing is started after this; and whoever waits for one that was ended here gets no further
        // than to this lock, or it would tell of that and end with another status.
        let mut groups = locked();
        groups.end();
        if signal == SIGTERM && !patience.is_zero() {
            drop(groups);
            thread::sleep(patience);
        }
        let _ = emulate_default_handler(signal);
    }
}

/// Starts a program in a group of its own, which cannot speak for this one to the service manager. One
/// in a session of its own makes that group itself.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] {
        command.env_remove(name);
    }
    // Until the group is in the list, nobody goes through it.
    let mut groups = locked();
    if groups.is_over {
        return Err(io::ErrorKind::Interrupted.into());
    }
    if !session::is_opened_by(command) {
        command.process_group(0);
    }
    let child = command.spawn()?;
    groups.live.extend(group(&child));
    Ok(child)
}

/// Ends what is left of its group. The child must not be waited for before, so that its number, and
/// with it the group's, is nobody else's.
pub(crate) fn end(child: &Child) {
    let mut groups = locked();
    if let Some(group) = group(child) {
        kill(group);
        groups.live.retain(|live| *live != group);
    }
}

impl Groups {
    fn end(&mut self) {
        self.is_over = true;
        self.live.drain(..).for_each(kill);
    }
}

fn kill(group: Pid) {
    // The first of it, which may be about to make it and then cannot any more; and the others, of whom
    // there may be nobody left.
    let _ = signal::kill(group, Signal::SIGKILL);
    let _ = killpg(group, Signal::SIGKILL);
}

fn group(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().map(Pid::from_raw)
}

/// Ends all groups; none is started any more.
pub fn end_all() {
    locked().end();
}

/// Were all ended, as this process is to end?
pub fn is_over() -> bool {
    locked().is_over
}

/// The signals by which people and systemd end a process, but for those that this one ignores.
pub fn deadly() -> Vec<c_int> {
    let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
    let all = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
    all.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0).collect()
}

/// The bits of the signals that a process ignores: `SigIgn:` and a number of base 16.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// No thread panics while it holds the lock, so it is never poisoned.
fn locked() -> MutexGuard<'static, Groups> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signals_that_are_ignored_are_read() {
        let hup_and_pipe = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t01\n";
        for (status, expected) in [(hup_and_pipe, 0x1001), ("SigIgn:\tx\n", 0), ("", 0)] {
            assert_eq!(ignored(status), expected, "{status}");
        }
    }
}

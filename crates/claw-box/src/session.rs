//! Programs that run as another user, each in a session of its own.
//!
//! Whoever shares a terminal with root can type into it, and a user can take hold of what runs as
//! that user. So root starts this very program again: it leaves the terminal, then gives up root's
//! rights, and then becomes the program that is meant.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::unistd::{geteuid, setsid};

use crate::child::Ended;
use crate::owner::Owner;

/// The word by which this program is told that the numbers of a user and a group, a program and its
/// arguments follow.
const WORD: &str = "in-a-session";
const SELF: &str = "/proc/self/exe";
/// As a shell says it: there is no such program.
const NOT_STARTED: i32 = 127;

/// A program to be run with that user's rights, as far as this process can give others than its own.
///
/// A tool that asks for it calls [`serve`] first of all. The environment is for the program, and root
/// is given it as well: it must hold nothing that a loader heeds.
pub fn of(owner: &Owner, program: impl AsRef<OsStr>) -> Command {
    if !geteuid().is_root() || owner.uid == 0 {
        return Command::new(program);
    }
    let mut command = Command::new(SELF);
    command.args([WORD, &owner.uid.to_string(), &owner.gid.to_string()]).arg(program);
    command
}

/// Becomes the program that this process was started for; nothing where it was started for something
/// else. What comes back is why it did not.
pub fn serve() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != WORD {
        return None;
    }
    let Err(error) = become_program(words);
    // There is nobody left to tell when standard error cannot be written.
    let _ = writeln!(io::stderr(), "{error}");
    Some(ExitCode::from(NOT_STARTED as u8))
}

fn become_program(mut words: impl Iterator<Item = OsString>) -> io::Result<Infallible> {
    let mut number = || words.next()?.to_str()?.parse().ok();
    let (Some(uid), Some(gid)) = (number(), number()) else {
        return Err(io::Error::other("not the numbers of a user and a group"));
    };
    let program = words.next().ok_or_else(|| io::Error::other("no program"))?;
    setsid()?;
    // With the user the further groups of root are left as well.
    Err(Command::new(program).args(words).uid(uid).gid(gid).exec())
}

/// Will it open a session? It cannot where it is the first of a group already.
pub(crate) fn is_opened_by(command: &Command) -> bool {
    command.get_program() == SELF && command.get_args().next() == Some(OsStr::new(WORD))
}

/// Why the program did not start.
pub(crate) fn objection(command: &Command, ended: &Ended) -> Option<String> {
    let has_failed = is_opened_by(command) && ended.status.code() == Some(NOT_STARTED);
    has_failed.then(|| ended.reason())
}

/// The program that is meant, and its arguments.
pub(crate) fn meant(command: &Command) -> impl Iterator<Item = &OsStr> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.skip(if is_opened_by(command) { 4 } else { 0 })
}

//! Running another program to its end, or to the end of its time, with bounded memory.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::{groups, session};

/// As much of its output as is kept. The rest is read and thrown away, so that it never waits.
const KEPT_BYTES: usize = 256 * 1024;

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// The beginning of what it wrote.
    pub stdout: Vec<u8>,
    /// The beginning of what it complained of.
    pub stderr: Vec<u8>,
}

impl Ended {
    /// Why it failed: the first thing that it said of it, as what follows is advice.
    pub fn reason(&self) -> String {
        let stderr = String::from_utf8_lossy(&self.stderr);
        let said = stderr.lines().map(str::trim).find(|line| !line.is_empty());
        said.map_or_else(|| self.status.to_string(), str::to_owned)
    }
}

/// Why there is no end to tell of.
#[derive(Debug)]
pub enum NotEnded {
    /// It could not be started.
    NotStarted(io::Error),
    /// Its time was up, and it was killed with all that it had started.
    Late,
}

/// Runs a program in a process group of its own, without input, and waits until it ends or its time
/// is up. What is left of the group then is killed: a look leaves nothing behind.
pub fn run(command: &mut Command, deadline: Instant) -> Result<Ended, NotEnded> {
    run_with(Stdio::null(), command, deadline)
}

/// As [`run`], with these few lines as its input.
pub fn tell(lines: &str, command: &mut Command, deadline: Instant) -> Result<Ended, NotEnded> {
    let input = input(lines).map_err(NotEnded::NotStarted)?;
    run_with(input, command, deadline)
}

/// As [`tell`], for a program that opens a session of its own, which the first of a group cannot. It
/// outlives this process, so that it can finish what it has begun.
pub(crate) fn send(
    lines: &str,
    command: &mut Command,
    deadline: Instant,
) -> Result<Ended, NotEnded> {
    let input = input(lines).map_err(NotEnded::NotStarted)?;
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(NotEnded::NotStarted)?;
    attend(child, deadline, |child| {
        // It may have ended by itself.
        let _ = child.kill();
    })
}

/// Runs it as people type it, and gives what it wrote; the reason why not names it.
pub fn output(command: &mut Command, deadline: Instant) -> Result<String, String> {
    let typed = typed(command);
    let program = program(command);
    match run(command.env("LC_ALL", "C"), deadline) {
        Ok(ended) if ended.status.success() => {
            Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
        }
        Ok(ended) => Err(format!("'{typed}' failed: {}", ended.reason())),
        Err(NotEnded::NotStarted(error)) => Err(format!("cannot run '{program}': {error}")),
        Err(NotEnded::Late) => Err(format!("'{typed}' did not end in time")),
    }
}

fn typed(command: &Command) -> String {
    session::meant(command).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The program that is run, as a message names it.
pub fn program(command: &Command) -> String {
    session::meant(command).next().unwrap_or_default().to_string_lossy().into_owned()
}

/// A pipe that holds all of it, so that nobody has to wait until it is read.
fn input(lines: &str) -> io::Result<Stdio> {
    let (reader, mut writer) = io::pipe()?;
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    writer.write_all(lines.as_bytes())?;
    Ok(Stdio::from(reader))
}

/// As [`run`], with that as its input.
pub fn run_with(input: Stdio, command: &mut Command, deadline: Instant) -> Result<Ended, NotEnded> {
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = groups::start(command).map_err(NotEnded::NotStarted)?;
    let ended = attend(child, deadline, |child| groups::end(child))?;
    match session::objection(command, &ended) {
        Some(why) => Err(NotEnded::NotStarted(io::Error::other(why))),
        None => Ok(ended),
    }
}

/// Waits until it ends or its time is up, and sees to it that there is an end.
fn attend(
    mut child: Child,
    deadline: Instant,
    end: impl FnOnce(&mut Child),
) -> Result<Ended, NotEnded> {
    let mut pipes = [
        child.stdout.take().map(OwnedFd::from).map_or_else(Pipe::closed, Pipe::new),
        child.stderr.take().map(OwnedFd::from).map_or_else(Pipe::closed, Pipe::new),
    ];
    let ended = wait(&child, &mut pipes, deadline);
    end(&mut child);
    let status = child.wait();
    let [stdout, stderr] = pipes.map(|pipe| pipe.kept);
    match (ended, status) {
        (true, Ok(status)) => Ok(Ended { status, stdout, stderr }),
        (true, Err(error)) => Err(NotEnded::NotStarted(error)),
        (false, _) => Err(NotEnded::Late),
    }
}

/// Reads until the child has ended; false when its time was up first. The end of the pipes is not
/// waited for: a child of the child may hold them for ever.
fn wait(child: &Child, pipes: &mut [Pipe; 2], deadline: Instant) -> bool {
    let mut pause = Duration::from_millis(1);
    let mut is_silent = false;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let mut open: Vec<_> = pipes
            .iter()
            .filter_map(|pipe| Some(PollFd::new(pipe.fd.as_ref()?.as_fd(), PollFlags::POLLIN)))
            .collect();
        if open.is_empty() && !is_silent {
            // It ends within a moment, and nothing wakes whoever waits for that.
            (is_silent, pause) = (true, Duration::from_micros(50));
        }
        let timeout = TimeSpec::from(left.min(pause));
        // An interrupted wait is a short one.
        let _ = ppoll(&mut open, Some(timeout), None);
        drop(open);
        let ended = has_ended(child);
        for pipe in &mut *pipes {
            pipe.read();
        }
        if ended {
            return true;
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Has it ended? It is left to be waited for.
fn has_ended(child: &Child) -> bool {
    let Ok(pid) = i32::try_from(child.id()) else { return true };
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    // A signal that has no name here is an end as well.
    !matches!(waitid(Id::Pid(Pid::from_raw(pid)), flags), Ok(WaitStatus::StillAlive))
}

/// One of its two ways to speak.
struct Pipe {
    /// Nothing once it is at its end.
    fd: Option<std::fs::File>,
    kept: Vec<u8>,
}

impl Pipe {
    fn new(fd: OwnedFd) -> Self {
        // Without it a read might wait; a pipe always takes the flag.
        let _ = fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        Self { fd: Some(fd.into()), kept: Vec::new() }
    }

    fn closed() -> Self {
        Self { fd: None, kept: Vec::new() }
    }

    /// Reads what is there, though no more than a pipe holds: a program that never stops talking
    /// does not keep anybody here.
    fn read(&mut self) {
        const PIPE_BYTES: usize = 1024 * 1024;
        let mut part = [0; 16 * 1024];
        let mut total = 0;
        while let Some(pipe) = &mut self.fd
            && total < PIPE_BYTES
        {
            match pipe.read(&mut part) {
                Ok(0) => self.fd = None,
                Ok(count) => {
                    let room = KEPT_BYTES.saturating_sub(self.kept.len());
                    self.kept.extend_from_slice(&part[..count.min(room)]);
                    total += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.fd = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Ended, NotEnded> {
        run(Command::new("/bin/sh").args(["-c", script]), Instant::now() + limit)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_megabyte_is_read_and_little_of_it_kept() {
        let ended = shell("head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2; exit 3", LONG);
        let ended = ended.unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!([ended.stdout.len(), ended.stderr.len()], [KEPT_BYTES, KEPT_BYTES]);
    }

    #[test]
    fn what_never_ends_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; yes", file.display());
        let started = Instant::now();
        let late = shell(&script, Duration::from_millis(300));
        assert!(matches!(late, Err(NotEnded::Late)), "{late:?}");
        assert!(started.elapsed() < Duration::from_secs(5));
        let pid = std::fs::read_to_string(&file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z"));
        assert!((0..100).any(|_| gone() || {
            std::thread::sleep(Duration::from_millis(20));
            false
        }));
    }

    #[test]
    fn a_background_child_that_holds_the_pipe_is_not_waited_for() {
        let started = Instant::now();
        let ended = shell("sleep 60 & echo done", LONG).unwrap();
        assert_eq!(ended.stdout, b"done\n");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_a_program_says_is_given_and_its_first_complaint_where_it_fails() {
        let said = |script: &str| {
            output(Command::new("/bin/sh").args(["-c", script]), Instant::now() + LONG)
        };
        assert_eq!(said("echo a; echo b >&2").as_deref(), Ok("a\n"));
        assert_eq!(
            said("echo >&2; echo one >&2; echo two >&2; exit 3"),
            Err("'/bin/sh -c echo >&2; echo one >&2; echo two >&2; exit 3' failed: one".to_owned())
        );
        assert_eq!(said("exit 3"), Err("'/bin/sh -c exit 3' failed: exit status: 3".to_owned()));
        let none = output(&mut Command::new("/no/such"), Instant::now() + LONG);
        assert_eq!(
            none,
            Err("cannot run '/no/such': No such file or directory (os error 2)".to_owned())
        );
        let late = output(Command::new("sleep").arg("20"), Instant::now());
        assert_eq!(late, Err("'sleep 20' did not end in time".to_owned()));
    }

    #[test]
    fn what_is_told_arrives_whole() {
        for tell in [tell, send] {
            let ended = tell("one\ntwo", &mut Command::new("cat"), Instant::now() + LONG).unwrap();
            assert_eq!(ended.stdout, b"one\ntwo");
        }
    }

    #[test]
    fn whoever_is_sent_is_not_the_first_of_a_group() {
        const SCRIPT: &str = "read -r line < /proc/$$/stat; set -- $line; [ $5 = $$ ]";
        let leads = |tell: fn(&str, &mut Command, Instant) -> Result<Ended, NotEnded>| {
            let mut shell = Command::new("/bin/sh");
            tell("", shell.args(["-c", SCRIPT]), Instant::now() + LONG).unwrap().status.success()
        };
        assert!(leads(tell) && !leads(send));
    }

    #[test]
    fn who_was_sent_and_is_late_is_killed() {
        let late = send("", Command::new("sleep").arg("20"), Instant::now());
        assert!(matches!(late, Err(NotEnded::Late)), "{late:?}");
    }
}

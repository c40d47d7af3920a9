//! Running another program to its end, or to the end of its time, with bounded memory.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// As much of its output as is kept. The rest is read and thrown away, so that it never waits.
const KEPT_BYTES: usize = 256 * 1024;

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Why it failed: the first thing that it said of it, as what follows is advice.
    pub(crate) fn reason(&self) -> String {
        let said = self.stderr.lines().find(|line| !line.trim().is_empty());
        said.map_or_else(|| self.status.to_string(), |line| line.trim().to_owned())
    }
}

/// Why there is no end to tell of.
#[derive(Debug)]
pub(crate) enum NotEnded {
    /// It could not be started.
    NotStarted(io::Error),
    /// Its time was up, and it was killed.
    Late,
}

/// Runs a program without input, and waits until it ends or its time is up.
pub(crate) fn run(command: &mut Command, deadline: Instant) -> Result<Ended, NotEnded> {
    run_with(Stdio::null(), command, deadline)
}

/// As [`run`], with these few lines as its input.
pub(crate) fn tell(
    lines: &str,
    command: &mut Command,
    deadline: Instant,
) -> Result<Ended, NotEnded> {
    let input = input(lines).map_err(NotEnded::NotStarted)?;
    run_with(input, command, deadline)
}

/// Runs it as people type it, and gives what it wrote; the reason why not names it.
pub(crate) fn output(command: &mut Command, deadline: Instant) -> Result<String, String> {
    let typed = typed(command);
    let program = command.get_program().to_string_lossy().into_owned();
    match run(command.env("LC_ALL", "C"), deadline) {
        Ok(ended) if ended.status.success() => Ok(ended.stdout),
        Ok(ended) => Err(format!("'{typed}' failed: {}", ended.reason())),
        Err(NotEnded::NotStarted(error)) => Err(format!("cannot run '{program}': {error}")),
        Err(NotEnded::Late) => Err(format!("'{typed}' did not end in time")),
    }
}

fn typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A pipe that holds all of it, so that nobody has to wait until it is read.
fn input(lines: &str) -> io::Result<Stdio> {
    let (reader, mut writer) = io::pipe()?;
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    writer.write_all(lines.as_bytes())?;
    Ok(Stdio::from(reader))
}

fn run_with(input: Stdio, command: &mut Command, deadline: Instant) -> Result<Ended, NotEnded> {
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(NotEnded::NotStarted)?;
    let mut pipes = [
        child.stdout.take().map(OwnedFd::from).map_or_else(Pipe::closed, Pipe::new),
        child.stderr.take().map(OwnedFd::from).map_or_else(Pipe::closed, Pipe::new),
    ];
    let status = wait(&mut child, &mut pipes, deadline);
    if !matches!(status, Ok(Some(_))) {
        // It may have ended by itself in between.
        let _ = child.kill();
        let _ = child.wait();
    }
    let [stdout, stderr] = pipes.map(|pipe| String::from_utf8_lossy(&pipe.kept).into_owned());
    match status {
        Ok(Some(status)) => Ok(Ended { status, stdout, stderr }),
        Ok(None) => Err(NotEnded::Late),
        Err(error) => Err(NotEnded::NotStarted(error)),
    }
}

/// Reads until the child has ended; nothing when its time was up first. The end of the pipes is not
/// waited for: a child of the child may hold them for ever.
fn wait(
    child: &mut Child,
    pipes: &mut [Pipe; 2],
    deadline: Instant,
) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_micros(200);
    loop {
        let ended = child.try_wait()?;
        pipes.iter_mut().for_each(Pipe::read);
        if ended.is_some() || Instant::now() >= deadline {
            return Ok(ended);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
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

    fn shell(script: &str, limit: Duration) -> Result<String, String> {
        output(Command::new("/bin/sh").args(["-c", script]), Instant::now() + limit)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_a_program_says_is_given_and_its_first_complaint_where_it_fails() {
        assert_eq!(shell("echo a; echo b >&2", LONG).as_deref(), Ok("a\n"));
        assert_eq!(
            shell("echo one >&2; echo two >&2; exit 3", LONG),
            Err("'/bin/sh -c echo one >&2; echo two >&2; exit 3' failed: one".to_owned())
        );
        let none = output(&mut Command::new("/no/such"), Instant::now() + LONG);
        assert_eq!(
            none,
            Err("cannot run '/no/such': No such file or directory (os error 2)".to_owned())
        );
    }

    #[test]
    fn what_never_ends_is_cut_off() {
        let started = Instant::now();
        let late = shell("yes", Duration::from_millis(300));
        assert_eq!(late, Err("'/bin/sh -c yes' did not end in time".to_owned()));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_background_child_that_holds_the_pipe_is_not_waited_for() {
        let started = Instant::now();
        assert_eq!(shell("sleep 20 & echo done", LONG).as_deref(), Ok("done\n"));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_is_told_arrives_whole() {
        let ended = tell("one\ntwo", &mut Command::new("cat"), Instant::now() + LONG).unwrap();
        assert_eq!(ended.stdout, "one\ntwo");
    }
}

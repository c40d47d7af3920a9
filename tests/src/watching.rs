//! A claw-health that watches, and what it is given to watch.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, what is not there is the failure"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{assert_fits_the_schema, hearing};

/// Long enough for anything on a box that is busy.
pub const SOON: Duration = Duration::from_secs(20);
/// Some looks, of which none may tell anything.
pub const SOME_LOOKS: Duration = Duration::from_millis(900);

/// A monitor that runs; it is killed when it is dropped.
#[derive(Debug)]
pub struct Monitor {
    /// Its process.
    pub child: Child,
    /// The lines that it writes.
    pub lines: Receiver<String>,
    /// The lines that it complains in.
    pub errors: Receiver<String>,
}

impl Monitor {
    /// Looks ten times a second, and keeps its state in that folder.
    pub fn start(state: &Path, arguments: &[&str]) -> Self {
        Self::with(state, arguments, |_| {})
    }

    /// The same, changed before it starts.
    pub fn with(state: &Path, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = hearing("claw-health");
        for name in ["CLAW_FORMAT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        command.env("CLAW_STATE", state).env("CLAW_CONFIRM", "2").args(["--watch", "100ms"]);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let lines = child.stdout.take().map_or_else(|| channel().1, lines_of);
        let errors = lines_of(child.stderr.take().unwrap());
        Self { child, lines, errors }
    }

    /// The next record.
    pub fn record(&self) -> Value {
        let line = self.lines.recv_timeout(SOON);
        assert!(line.is_ok(), "nothing came; stderr: {:?}", self.said());
        let record = serde_json::from_str(&line.unwrap()).unwrap();
        assert_fits_the_schema(&record);
        record
    }

    /// The next records, as `event subject status`.
    pub fn told(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| in_short(&self.record())).collect()
    }

    /// Panics where it writes something within some looks.
    pub fn is_silent(&self) {
        let line = self.lines.recv_timeout(SOME_LOOKS);
        assert_eq!(line, Err(RecvTimeoutError::Timeout));
    }

    /// What it has complained of so far.
    pub fn said(&self) -> Vec<String> {
        self.errors.try_iter().collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Asks for an end; its status, and how long that took.
    pub fn end(mut self, signal: Signal) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        self.signal(signal);
        let status = self.child.wait().unwrap();
        (status.code(), asked.elapsed())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from).lines().map_while(Result::ok);
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    receiver
}

/// A record as `event subject status`.
pub fn in_short(record: &Value) -> String {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    format!("{} {} {}", text("event"), text("subject"), text("status"))
}

/// What says that all is well, in short.
pub const HEARTBEAT: &str = "heartbeat monitor:claw-health pass";

/// A folder with a place for the state and a file to be looked at.
#[derive(Debug)]
pub struct Place {
    /// The folder.
    pub folder: TempDir,
    /// The file as what is to be looked at.
    pub target: String,
}

impl Place {
    /// One where the file is not there.
    pub fn empty() -> Self {
        let folder = TempDir::new().unwrap();
        let target = format!("file:{}", folder.path().join("file").display());
        Self { folder, target }
    }

    /// Where the state is kept.
    pub fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// The file of what is kept from one monitor to the next.
    pub fn kept(&self) -> std::path::PathBuf {
        self.state().join("health/watch.json")
    }

    /// Looks at the file, and at these.
    pub fn start(&self, arguments: &[&str]) -> Monitor {
        Monitor::start(&self.state(), &[&[self.target.as_str()], arguments].concat())
    }

    /// The file is there from now on.
    pub fn appears(&self) {
        fs::write(self.folder.path().join("file"), "").unwrap();
    }

    /// It is gone from now on.
    pub fn vanishes(&self) {
        fs::remove_file(self.folder.path().join("file")).unwrap();
    }

    /// What is told of the file, in short.
    pub fn line(&self, status: &str) -> String {
        format!("check {} {status}", self.target)
    }
}

/// Waits until it is so; false where it never is.
pub fn comes(is: impl Fn() -> bool) -> bool {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if is() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

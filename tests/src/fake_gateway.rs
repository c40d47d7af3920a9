//! A gateway that does on command what a real one cannot be made to do.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A fake gateway that runs; it ends when it is dropped.
#[derive(Debug)]
pub struct FakeGateway {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Where it answers.
    pub url: String,
}

impl FakeGateway {
    /// Starts one in that mode; nothing, and a word about it, where there is no Node.
    pub fn start(mode: &str) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fake-gateway.mjs");
        let child = Command::new("node")
            .args([script, mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(why) => {
                crate::skip(&format!("the fake gateway needs node: {why}"));
                return None;
            }
        };
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut gateway = Self { child, stdin, stdout, url: String::new() };
        gateway.url = format!("http://127.0.0.1:{}", gateway.line());
        Some(gateway)
    }

    /// Tells it something: the mode to change to, or `crash`.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is a pipe");
        writeln!(stdin, "{line}").expect("it listens");
        // What clients say to it may come first.
        while self.line() != "ok" {}
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) {
        self.child.wait().expect("it was started");
    }

    /// The next line that it writes.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let count = self.stdout.read_line(&mut line).expect("it writes UTF-8");
        assert!(count > 0, "the fake gateway has ended");
        line.trim_end().to_owned()
    }
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.stdin = None;
        // One that hangs on a connection ends here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! What the tests of the tools share: running a tool whole, and the schema that every line fits.

#![allow(clippy::panic, reason = "a test that finds something wrong panics")]

pub mod bad_telegram;
pub mod crashes;
pub mod deploy;
pub mod ear;
pub mod fake_gateway;
pub mod pipe;
pub mod proxy;
pub mod testbed;
pub mod tls;
pub mod watching;

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use assert_cmd::Command;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// A run of a tool that has ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit status; -1 where a signal ended it.
    pub status: i32,
    /// What it wrote.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// A tool that hears every signal, also where the tests were started in the background by a shell that
/// ignores some there: what is ignored is inherited.
pub fn hearing(name: &str) -> std::process::Command {
    let mut command = std::process::Command::new("env");
    command.arg("--default-signal=HUP,INT,QUIT,TERM").arg(assert_cmd::cargo::cargo_bin(name));
    command
}

/// A tool that the workspace built, ready to be given arguments. Nothing of the caller's settings
/// reaches it, and what it remembers goes to a folder of its own.
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin(name));
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("CLAW_") || key == "STATE_DIRECTORY" {
            command.env_remove(key);
        }
    }
    command
        .env("CLAW_STATE", std::env::temp_dir().join(format!("claw-tests-{}", std::process::id())));
    command
}

/// Runs a tool to its end.
pub fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().expect("the tool starts");
    Run {
        status: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).expect("a tool writes UTF-8"),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Runs `claw-health` with these arguments, as records.
pub fn health(arguments: &[&str]) -> Run {
    run(tool("claw-health").args(["--format", "json"]).args(arguments))
}

impl Run {
    /// The records it wrote. Every line has to fit the schema, whatever the test is about.
    pub fn records(&self) -> Vec<Value> {
        let read = |line: &str| {
            let record: Value =
                serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
            assert_fits_the_schema(&record);
            record
        };
        self.stdout.lines().map(read).collect()
    }

    /// The only record it wrote.
    pub fn record(&self) -> Value {
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{}{}", self.stdout, self.stderr);
        records.remove(0)
    }
}

/// Feeds a filter that line again and again, where nobody reads what it writes; its status, and what it
/// complains of. The writer starts after the reader has gone, or it would prove nothing.
pub fn fed_without_a_reader(
    filter: &mut std::process::Command,
    line: &str,
) -> (Option<i32>, String) {
    filter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = filter.spawn().expect("the filter starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("a pipe");
    let line = format!("{line}\n");
    let feeder = std::thread::spawn(move || {
        const ENOUGH: usize = 100_000;
        (0..ENOUGH).all(|_| stdin.write_all(line.as_bytes()).is_ok())
    });
    let mut stderr = String::new();
    let mut complaints = child.stderr.take().expect("a pipe");
    complaints.read_to_string(&mut stderr).expect("a tool writes UTF-8");
    let status = child.wait().expect("it ends").code();
    feeder.join().expect("the feeder ends");
    (status, stderr)
}

/// Says why a test, or a part of it, cannot be had here. `scripts/test` prints these at its end.
pub fn skip(why: &str) {
    let line = format!("SKIP: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("CLAW_TEST_SKIPS")
        && let Ok(mut list) = OpenOptions::new().append(true).open(list)
    {
        let _ = list.write_all(line.as_bytes());
    }
}

/// Panics where a record does not fit the schema that the project gives away.
pub fn assert_fits_the_schema(record: &Value) {
    static SCHEMA: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    let (schemas, index) = SCHEMA.get_or_init(|| {
        let text = include_str!("../../crates/claw-record/record.schema.json");
        let schema = serde_json::from_str(text).expect("the schema is JSON");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("record", schema).expect("a resource");
        let index = compiler.compile("record", &mut schemas).expect("a schema");
        (schemas, index)
    });
    if let Err(error) = schemas.validate(record, *index) {
        panic!("{error}\n{record}");
    }
}

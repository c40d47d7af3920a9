//! Hosts of the test bed, with the tools on /opt/bind, and what claw-health finds there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{Run, assert_fits_the_schema, skip};

/// The machine lacks what is needed, and the last line of stderr says what.
const CANNOT: i32 = 69;

/// A host of the test bed; it is shut down when it is dropped.
#[derive(Debug)]
pub struct Host {
    name: String,
}

/// What a record has to say: the state (empty where its check has none), the status and the
/// severity, and words of the message and the remedy.
pub type Expected<'a> = (&'a str, &'a str, &'a [&'a str]);

/// The folder of the project.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn testbed(suite: &str) -> Command {
    let mut command = Command::new(project().join("scripts/testbed"));
    command.env("SUITE", suite);
    command
}

/// Runs the test bed: done, or the reason why it cannot be done on this machine.
fn done(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            assert_eq!(output.status.code(), Some(CANNOT), "{why}");
            Err(why)
        }
        Err(error) => Err(format!("cannot run scripts/testbed: {error}")),
    }
}

impl Host {
    /// A host that has just booted, by default a container; nothing where the machine cannot have
    /// one.
    pub fn boot(suite: &str, purpose: &str, kind: &[&str]) -> Option<Self> {
        let health = assert_cmd::cargo::cargo_bin("claw-health");
        Self::boot_with(suite, purpose, kind, health.parent().expect("a folder"))
    }

    /// The same, with the tools of that folder.
    pub fn boot_with(suite: &str, purpose: &str, kind: &[&str], tools: &Path) -> Option<Self> {
        let name = format!("{purpose}-{suite}");
        // One that an interrupted test left is in an unknown state.
        let _ = testbed(suite).args(["destroy", &name]).output();
        let up = done(testbed(suite).env("BIND", tools).arg("up").args(kind).arg(&name));
        up.map_err(|why| skip(&format!("{purpose} on {suite}: {why}"))).ok()?;
        Some(Self { name })
    }

    /// Sets up a real OpenClaw gateway of user dev; false where it cannot be had.
    pub fn openclaw(&self) -> bool {
        let set_up = done(testbed("").args(["openclaw", &self.name]));
        set_up.map_err(|why| skip(&format!("claw-health and a real OpenClaw: {why}"))).is_ok()
    }

    fn execute(&self, user: &str, command: &[&str]) -> Output {
        let mut exec = testbed("");
        exec.arg("exec");
        if user != "root" {
            exec.args(["-u", user]);
        }
        exec.arg(&self.name).args(command).output().expect("it runs")
    }

    /// Runs a command inside as this user, and gives what it wrote.
    pub fn run(&self, user: &str, command: &[&str]) -> String {
        let output = self.execute(user, command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.stderr.is_empty(), "{command:?}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs a command inside as this user, however it ends.
    pub fn attempt(&self, user: &str, command: &[&str]) -> Run {
        let Output { status, stdout, stderr } = self.execute(user, command);
        Run {
            status: status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Copies what `deploy` takes from the project to /opt/claw inside, with the tools in its build
    /// folder.
    pub fn copy_project(&self) {
        let parts = ["Cargo.toml", "man", "scripts", "crates"];
        let mut tar = Command::new("tar")
            .args(["--create", "--directory"])
            .arg(project())
            .args(parts)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let unpack = "mkdir -p /opt/claw/target/host/release && tar --extract --no-same-owner \
            --directory /opt/claw && ln -s /opt/bind/claw-* /opt/claw/target/host/release";
        let unpacked = testbed("")
            .args(["exec", "-i", &self.name, "sh", "-c", unpack])
            .stdin(tar.stdout.take().expect("a pipe"))
            .status()
            .expect("it runs");
        assert!(unpacked.success() && tar.wait().expect("it ends").success());
    }

    /// Copies a file of the machine to that path inside.
    pub fn put(&self, file: &Path, path: &str) {
        let file = std::fs::File::open(file).expect("it is there");
        let put = testbed("")
            .args(["exec", "-i", &self.name, "sh", "-c", "cat >\"$0\" && chmod 755 \"$0\"", path])
            .stdin(file)
            .status();
        assert!(put.expect("it runs").success(), "{path}");
    }

    /// Starts the monitor's unit with these lines in a drop-in; see [`Host::copy_project`].
    pub fn monitor(&self, lines: &[&str]) {
        self.run("root", &[&["bash", "/opt/testbed/monitor.sh", "start"], lines].concat());
    }

    /// The records that the monitor wrote.
    pub fn monitored(&self) -> Vec<Value> {
        let text = self.run("root", &["bash", "/opt/testbed/monitor.sh", "told"]);
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let records: Vec<_> = records.collect();
        records.iter().for_each(assert_fits_the_schema);
        records
    }

    /// Runs lines of shell inside as dev, who owns the gateway; they have to succeed.
    pub fn shell(&self, lines: &str) -> String {
        self.shell_of("dev", lines)
    }

    /// Runs lines of shell inside as this user; they have to succeed.
    pub fn shell_of(&self, user: &str, lines: &str) -> String {
        let output = self.execute(user, &["bash", "-euc", lines]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{lines}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs one of the tools inside as this user, as records, to whatever end it comes.
    pub fn tool(&self, user: &str, name: &str, arguments: &[&str]) -> Run {
        let path = format!("/opt/bind/{name}");
        self.attempt(user, &[&[&path, "--format", "json"], arguments].concat())
    }

    /// Shuts it down in order, and boots it again.
    pub fn reboot(&self) {
        self.boot_after("down");
    }

    /// Cuts its power, and boots it again.
    pub fn power_cut(&self) {
        self.boot_after("crash");
    }

    fn boot_after(&self, end: &str) {
        for verb in [end, "up"] {
            done(testbed("").args([verb, &self.name])).expect("what went up once goes down and up");
        }
    }

    /// What claw-health finds at these targets.
    pub fn health(&self, user: &str, arguments: &[&str]) -> Vec<Value> {
        let tool = ["/opt/bind/claw-health", "--user", "dev", "--format", "json"];
        let text = self.run(user, &[&tool, arguments].concat());
        let records: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        records.iter().for_each(assert_fits_the_schema);
        records
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = testbed("").args(["destroy", &self.name]).output();
    }
}

/// Everything that a record does not say as it should.
pub fn mismatches(seen_by: &str, record: &Value, (state, loud, words): Expected) -> Vec<String> {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    let said = format!("{} {}", text("message"), text("remedy"));
    let mut wrong = Vec::new();
    if record["data"]["state"].as_str().unwrap_or_default() != state {
        wrong.push(format!("state {}, not {state}", record["data"]["state"]));
    }
    let is = format!("{} {}", text("status"), text("severity"));
    if is != loud {
        wrong.push(format!("{is}, not {loud}"));
    }
    wrong.extend(
        words.iter().filter(|word| !said.contains(**word)).map(|word| format!("no {word:?}")),
    );
    wrong.iter().map(|wrong| format!("{seen_by}, {}: {wrong}: {said}", text("subject"))).collect()
}

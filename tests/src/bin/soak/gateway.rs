//! Every kind of gateway is told from every other, each time.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Case, Chance};

/// What the gateway does, and what is to be said of it.
const KINDS: &[(&str, &str)] = &[
    ("ready", "ready"),
    ("starting", "starting"),
    ("sidecars", "starting"),
    ("degraded", "degraded"),
    ("channel-down", "useless"),
    ("hang", "hung"),
    ("dribble", "hung"),
    ("half-head", "hung"),
    ("draining", "starting"),
];

pub(crate) fn run(chance: &mut Chance, tools: &Path) -> Case {
    let &(kind, expected) = chance.of(KINDS);
    let mut gateway = Running::start(kind)?;
    let url = format!("http://127.0.0.1:{}", gateway.port()?);
    let output = Command::new(tools.join("claw-health"))
        .args(["--format", "json", "--timeout", "0.5", "--state", "/nonexistent"])
        .arg(format!("gateway:{url}"))
        .output()
        .map_err(|error| error.to_string())?;
    let record: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let state = record["data"]["state"].as_str().unwrap_or("none");
    if state == expected {
        Ok(format!("{kind} told as {state}"))
    } else {
        Err(format!("{kind} told as {state}: {record}"))
    }
}

/// A gateway that ends with the case.
struct Running(Child);

impl Running {
    fn start(kind: &str) -> Result<Self, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fake-gateway.mjs");
        let child = Command::new("node").args([script, kind]).stdout(Stdio::piped()).spawn();
        child.map(Self).map_err(|error| format!("cannot run 'node': {error}"))
    }

    fn port(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let stdout = self.0.stdout.as_mut().ok_or("no pipe")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

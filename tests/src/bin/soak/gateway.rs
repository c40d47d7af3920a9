//! Every kind of gateway is told from every other, each time.

use std::path::Path;
use std::process::Command;

use claw_tests::fake_gateway::FakeGateway;

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
    let gateway = FakeGateway::start(kind).ok_or("there is no node")?;
    let output = Command::new(tools.join("claw-health"))
        .args(["--format", "json", "--timeout", "0.5", "--state", "/nonexistent"])
        .arg(format!("gateway:{}", gateway.url))
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

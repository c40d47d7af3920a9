//! Crashes under a real systemd: each is told at once, once, and with its cause.
//!
//! Where there can be no host, the test says so and passes.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use claw_tests::crashes::Crashing;
use claw_tests::testbed::Host;

fn each_crash_is_told_once(suite: &str) {
    let Some(host) = Host::boot(suite, "crashes", &[]) else { return };
    let mut crashing = Crashing::new(host);
    let kinds = crashing.kinds();
    let mut kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    crashing.happen(&kinds);
    // Five in a row.
    crashing.happen(&["signal", "signal", "exit", "signal", "exit"]);
    assert_eq!(crashing.differences(), Vec::<String>::new());
    let delays = crashing.delays();
    let (median, worst) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    assert!(median < 500 && worst < 5000, "{delays:?}");

    // What they say.
    let told = crashing.told();
    let of = |cause: &str| {
        let is_it = |record: &&serde_json::Value| record["data"]["cause"] == cause;
        let found = told.iter().find(is_it);
        assert!(found.is_some(), "no {cause}");
        found.unwrap()
    };
    let rejection = of("unhandled-rejection");
    assert_eq!(rejection["severity"], "ERROR");
    let exception = of("uncaught-exception");
    assert_eq!(
        (&exception["severity"], &exception["status"]),
        (&"CRITICAL".into(), &"fail".into())
    );
    let data = &exception["data"];
    assert_eq!(
        (&data["error_name"], &data["error_message"], &data["error_at"], &data["exit_code"]),
        (&"TypeError".into(), &"bundled".into(), &"run (/home/dev/agent.js:1:2)".into(), &1.into())
    );
    let evidence = data["evidence"].as_str().unwrap();
    let copy = crashing.host().run("root", &["stat", "-c", "%a %U", evidence]);
    assert_eq!(copy, "600 root\n");
    assert!(data["pid"].as_u64().is_some(), "{exception}");
    let lines = data["last_lines"].as_array().unwrap();
    assert!(lines.contains(&"ready, token=[redacted]".into()), "{lines:?}");
    assert_eq!(of("signal")["data"]["signal"], "SIGKILL");
    assert_eq!(of("watchdog")["data"]["signal"], "SIGABRT");

    // What falls between two monitors, and with the user manager away in between.
    kinds.reverse();
    for part in kinds.chunks(5) {
        crashing.kill_monitor();
        crashing.happen(part);
    }
    crashing.restart_manager();
    crashing.happen(&["signal", "exception", "dog"]);
    crashing.host().run("root", &["systemctl", "restart", "systemd-journald"]);
    crashing.happen(&["exit", "signal"]);
    assert_eq!(crashing.differences(), Vec::<String>::new());
    assert!(crashing.count() > 40, "{}", crashing.count());
}

#[test]
fn a1_each_crash_is_told_once_on_trixie() {
    each_crash_is_told_once("trixie");
}

#[test]
fn a1_each_crash_is_told_once_on_bookworm() {
    each_crash_is_told_once("bookworm");
}

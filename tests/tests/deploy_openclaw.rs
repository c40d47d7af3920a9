//! `deploy` and its monitor around a real OpenClaw gateway, installed by its own `openclaw gateway install`.
//!
//! Where the gateway cannot be had, the test says so and passes.

#![allow(clippy::panic, reason = "a test that finds something wrong panics")]

use std::thread;
use std::time::{Duration, Instant};

use claw_tests::testbed::Host;
use serde_json::Value;

const DROP_IN: &str = "/home/dev/.config/systemd/user/openclaw-gateway.service.d/claw.conf";

fn property(host: &Host, name: &str) -> String {
    let show = ["systemctl", "--user", "show", "--value", "openclaw-gateway.service", "-p", name];
    host.run("dev", &show).trim().to_owned()
}

#[test]
fn s1_a_real_gateway_is_extended_and_never_fought() {
    let Some(host) = Host::boot("trixie", "deploy-openclaw", &[]) else { return };
    if !host.openclaw() {
        return;
    }
    host.copy_project();
    let deploy = |arguments: &[&str]| {
        let run = host.attempt("root", &[&["/opt/claw/scripts/deploy"], arguments].concat());
        assert_eq!(run.status, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
        run.stdout
    };
    // Without a unit there is nothing to extend, and nothing stands in OpenClaw's way.
    host.shell("openclaw gateway uninstall >/dev/null 2>&1");
    let without = host.attempt("root", &["/opt/claw/scripts/deploy", "install", "--user", "dev"]);
    assert_eq!(without.status, 1, "{}{}", without.stdout, without.stderr);
    assert!(
        without.stderr.contains("as dev: openclaw gateway install; then: "),
        "{}",
        without.stderr
    );
    host.shell("openclaw gateway install --json >/dev/null 2>&1");
    let unit = host.shell("cat ~/.config/systemd/user/openclaw-gateway.service");
    let process = property(&host, "MainPID");
    deploy(&["install", "--user", "dev"]);
    assert_eq!(property(&host, "MainPID"), process, "it is not restarted for its limits");
    assert_eq!(host.shell("cat ~/.config/systemd/user/openclaw-gateway.service"), unit);
    let limits = || {
        [
            "MemoryMax",
            "CPUQuotaPerSecUSec",
            "RestartUSec",
            "StartLimitBurst",
            "TimeoutStopUSec",
            "DropInPaths",
        ]
        .map(|name| property(&host, name))
    };
    let expected = ["2147483648", "800ms", "10s", "5", "5min 30s", DROP_IN];
    assert_eq!(limits(), expected);

    // It writes its unit anew, and restarts itself.
    host.shell("openclaw gateway install --force --json >/dev/null 2>&1");
    assert_eq!(limits(), expected);
    let said = deploy(&["restart"]);
    assert!(
        said.contains("restarted the gateway\nrestarted the monitor\nthe gateway is ready"),
        "{said}"
    );
    let said = deploy(&["stop", "gateway"]);
    assert!(said.contains("stopped the gateway"), "{said}");
    assert_eq!(property(&host, "ActiveState"), "inactive");
    assert_eq!(property(&host, "Result"), "success");
    host.reboot();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(property(&host, "ActiveState"), "inactive", "what a person stopped stays so");
    assert_eq!(
        deploy(&["start"]),
        "started the gateway\nthe monitor runs already\nthe gateway is ready\n"
    );
    let status = host.attempt("root", &["deploy", "status"]);
    for subject in
        ["unit:user/openclaw-gateway.service", "unit:system/openclaw-agent-monitor.service"]
    {
        let record = status.records().into_iter().find(|record| record["subject"] == subject);
        let record = record.unwrap_or_else(|| panic!("{subject}: {}", status.stdout));
        assert_eq!(record["data"]["state"], "active", "{record}");
        assert_eq!(record["data"]["restarts_total"], 0, "{record}");
    }

    // A configuration that it refuses: it says so, and nothing restarts it.
    host.shell(
        "cp ~/.openclaw/openclaw.json ~/good && echo '{\"gateway\":{}}' >~/.openclaw/openclaw.json",
    );
    let refused = host.attempt("root", &["deploy", "restart", "gateway"]);
    assert_eq!(refused.status, 1, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.contains("exit status 78"), "{}", refused.stdout);
    assert_eq!(property(&host, "NRestarts"), "0");
    host.shell("cp ~/good ~/.openclaw/openclaw.json");
    assert_eq!(deploy(&["start", "gateway"]), "started the gateway\nthe gateway is ready\n");

    deploy(&["uninstall"]);
    assert_eq!(
        host.shell("cat ~/.config/systemd/user/openclaw-gateway.service.d/* 2>/dev/null || true"),
        ""
    );
    assert_eq!(property(&host, "ActiveState"), "active", "it is OpenClaw's, and goes on");
    assert_eq!(property(&host, "MemoryMax"), "infinity");
}

/// What the monitor did and told of the gateway's unit since it was installed, an event and its cause.
fn told(host: &Host) -> Vec<String> {
    let journal = ["journalctl", "-u", "openclaw-agent-monitor", "-o", "cat", "-q"];
    let lines = host.run("root", &journal);
    let records = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_the_gateway = records.filter(|record| {
        record["subject"] == "unit:user/openclaw-gateway.service"
            && (record["event"] == "crash" || record["tool"] == "claw-heal")
    });
    let words = |record: Value| {
        let data = &record["data"];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let words = [&record["event"], &data["cause"], &data["act"]].map(word);
        words.join(" ").trim().to_owned()
    };
    of_the_gateway.map(words).collect()
}

/// Waits until so much is told.
fn tells(host: &Host, expected: &[&str]) {
    let end = Instant::now() + Duration::from_secs(200);
    while told(host).len() < expected.len() && Instant::now() < end {
        thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(told(host), expected);
}

#[test]
fn a1_a2_a3_a4_a_real_gateway_is_healed_and_left_alone() {
    let Some(host) = Host::boot("trixie", "heal-openclaw", &[]) else { return };
    if !host.openclaw() {
        return;
    }
    host.copy_project();
    let deploy = |verb: &[&str]| {
        let run = host.attempt("root", &[&["/opt/claw/scripts/deploy"], verb].concat());
        assert_eq!(run.status, 0, "{verb:?}: {}{}", run.stdout, run.stderr);
    };
    deploy(&["install", "--user", "dev"]);
    // systemd starts it anew, and it takes its time: there is nothing to heal.
    host.shell("systemctl --user kill -s KILL openclaw-gateway");
    tells(&host, &["crash signal", "recovery signal"]);
    assert_eq!(property(&host, "NRestarts"), "1");

    // It hangs: the trace is asked for, and then it is started anew.
    host.shell("systemctl --user kill -s STOP openclaw-gateway");
    let healed = [
        "crash signal",
        "recovery signal",
        "crash hang",
        "restart hang abort",
        "restart hang restart",
        "recovery hang",
    ];
    tells(&host, &healed);
    assert_eq!(property(&host, "ActiveState"), "active");

    // What a person stops is left alone, for more than one look.
    host.shell("systemctl --user stop openclaw-gateway");
    thread::sleep(Duration::from_secs(45));
    assert_eq!(property(&host, "ActiveState"), "inactive");
    host.shell("systemctl --user start openclaw-gateway");
    thread::sleep(Duration::from_secs(30));
    assert_eq!(told(&host), healed);
}

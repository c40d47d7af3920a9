//! The gateway and its WebSocket, told apart on a fake one that does everything on command.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::time::{Duration, Instant};

use claw_tests::fake_gateway::FakeGateway;
use claw_tests::health;
use serde_json::Value;

/// Each mode, and what is said of the gateway and of its WebSocket, as `status severity message`.
const MODES: &[[&str; 4]] = &[
    [
        "ready",
        "ready",
        "pass INFO ready: version 2026.9.6, up for 4 min 2 s, first byte after",
        "pass INFO it greets after",
    ],
    ["ready-bare", "ready", "pass INFO ready: first byte after", "pass INFO it greets after"],
    [
        "warm",
        "starting",
        "warn INFO starting: its event loop is busy (event_loop_delay), delay p99 1519 ms, utilization 100 %, 9 s after its start; limit 90 s",
        "pass",
    ],
    ["starting", "starting", "warn INFO starting: it says so itself", "pass"],
    [
        "sidecars",
        "starting",
        "warn INFO starting: it says so itself, 3 s after its start; limit 90 s",
        "pass",
    ],
    [
        "draining",
        "starting",
        "warn INFO starting: it drains before it stops or starts anew",
        "pass",
    ],
    [
        "degraded",
        "degraded",
        "warn WARNING degraded: its event loop is busy (event_loop_delay), delay p99 1519 ms, utilization 100 %;",
        "pass",
    ],
    [
        "channel-down",
        "useless",
        "fail ERROR useless: it lives, and says that it cannot work; failing: telegram",
        "pass",
    ],
    [
        "database-down",
        "useless",
        "fail ERROR useless: it lives, and says that it cannot work; failing: agent-database:main",
        "pass",
    ],
    [
        "not-ready-bare",
        "useless",
        "fail ERROR useless: it lives, and says that it cannot work; it does not say what is failing",
        "pass",
    ],
    [
        "proxy-403",
        "degraded",
        "warn WARNING degraded: it lives, and refuses what the proxy before it passes on (403 proxy_attribution_required)",
        "warn WARNING the gateway refuses what the proxy before it passes on",
    ],
    [
        "proxy-502",
        "dead",
        "fail CRITICAL dead: a proxy answers, with status 502",
        "fail ERROR no WebSocket: it answers with status 502",
    ],
    [
        "webpage",
        "dead",
        "fail CRITICAL dead: another program answers at 127.0.0.1:PORT: status 200 and text/html",
        "fail ERROR no WebSocket: it answers with status 200",
    ],
    [
        "deep",
        "dead",
        "fail CRITICAL dead: another program answers at 127.0.0.1:PORT: status 200 and application/json",
        "fail ERROR no WebSocket: it answers with status 200",
    ],
    [
        "utf8",
        "dead",
        "fail CRITICAL dead: another program answers at 127.0.0.1:PORT: status 200 and application/json",
        "fail ERROR no WebSocket: it answers with status 200",
    ],
    [
        "huge",
        "dead",
        "fail CRITICAL dead: another program answers at 127.0.0.1:PORT: status 200 and more than 1 MiB of application/json",
        "fail ERROR no WebSocket: it answers with status 200",
    ],
    [
        "garbage",
        "dead",
        "fail CRITICAL dead: another program answers at 127.0.0.1:PORT: that is not HTTP: it says 'SSH-2.0-OpenSSH_9.2p1'",
        "fail ERROR it does not greet: that is not HTTP",
    ],
    [
        "endless-head",
        "dead",
        "fail CRITICAL dead: another program answers at 127.0.0.1:PORT: that is not HTTP: more than 128 headers",
        "fail ERROR it does not greet: that is not HTTP",
    ],
    [
        "hang",
        "hung",
        "fail CRITICAL hung: it accepts connections and sends no byte within 2.0 s",
        "unknown WARNING the gateway does not answer: it accepts connections and sends no byte within 1.0 s",
    ],
    ["dribble", "hung", "fail CRITICAL hung: ", "unknown WARNING the gateway does not answer:"],
    [
        "half-head",
        "hung",
        "fail CRITICAL hung: 35 bytes of an answer within 2.0 s, and no end of it",
        "unknown WARNING the gateway does not answer:",
    ],
    [
        "close",
        "hung",
        "fail CRITICAL hung: it accepts connections and closes them without a byte",
        "fail ERROR it does not greet: it accepts connections and closes them without a byte",
    ],
    [
        "reset",
        "hung",
        "fail CRITICAL hung: it reset the connection",
        "fail ERROR it does not greet: it reset the connection",
    ],
    ["ws-ping-first", "ready", "pass", "pass INFO it greets after"],
    [
        "ws-hang",
        "ready",
        "pass",
        "fail ERROR it does not greet: it accepts connections and sends no byte within 1.0 s",
    ],
    [
        "ws-silent",
        "ready",
        "pass",
        "fail ERROR it does not greet: 129 bytes of an answer within 1.0 s, and no end of it",
    ],
    [
        "ws-fragment",
        "ready",
        "pass",
        "fail ERROR it does not greet: that is not a WebSocket: a frame that is only a part",
    ],
    [
        "ws-large",
        "ready",
        "pass",
        "fail ERROR it does not greet: that is not a WebSocket: a frame of 1073741824 bytes; limit 65536",
    ],
    [
        "ws-masked",
        "ready",
        "pass",
        "fail ERROR it does not greet: that is not a WebSocket: a frame that is masked, which a server must not do",
    ],
    ["ws-other", "ready", "pass", "fail ERROR it does not greet: it sends the event tick"],
    [
        "ws-close",
        "ready",
        "pass",
        "fail ERROR it does not greet: it sends a close frame: 1008 policy",
    ],
    [
        "ws-wrong-key",
        "ready",
        "pass",
        "fail ERROR it does not greet: it sends an upgrade with the wrong key",
    ],
];

const TIMEOUT: Duration = Duration::from_secs(2);

#[test]
fn a1_m2_every_way_to_answer_has_its_verdict_in_time() {
    let Some(mut gateway) = FakeGateway::start("ready") else { return };
    let targets = [format!("gateway:{}", gateway.url), format!("websocket:{}", gateway.url)];
    let port = gateway.url.rsplit_once(':').unwrap().1.to_owned();
    for [mode, state, of_gateway, of_websocket] in MODES {
        gateway.tell(mode);
        let begin = Instant::now();
        let run = health(&["--timeout", "2", &targets[0], &targets[1]]);
        assert!(
            begin.elapsed() < TIMEOUT + Duration::from_secs(1),
            "{mode}: {:?}",
            begin.elapsed()
        );
        let records = run.records();
        let [one, other] = &records[..] else { panic!("{mode}: {}{}", run.stdout, run.stderr) };
        assert_eq!(one["subject"], targets[0], "{mode}");
        assert_eq!(other["subject"], targets[1], "{mode}");
        assert_eq!(one["data"]["state"], *state, "{mode}: {one}");
        for (record, expected) in [(one, of_gateway), (other, of_websocket)] {
            let line = line(record).replace(&port, "PORT");
            assert!(line.starts_with(expected), "{mode}: {line}");
        }
        let well = line(one).starts_with("pass") && line(other).starts_with("pass");
        assert_eq!(run.status, i32::from(!well), "{mode}");
    }
}

fn line(record: &Value) -> String {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    format!("{} {} {}", text("status"), text("severity"), text("message"))
}

#[test]
fn a1_a_gateway_that_crashed_is_dead() {
    let Some(mut gateway) = FakeGateway::start("ready") else { return };
    let target = format!("gateway:{}", gateway.url);
    assert_eq!(health(&[&target]).record()["data"]["state"], "ready");
    gateway.tell("crash");
    gateway.wait();
    let record = health(&["gateway", "--gateway-url", &gateway.url]).record();
    assert_eq!(record["data"]["state"], "dead");
    assert_eq!(line(&record), "fail CRITICAL dead: nothing listens there: connection refused");
    assert!(record["remedy"].as_str().unwrap().contains("openclaw gateway "));
    let websocket = health(&[&format!("websocket:{}", gateway.url)]).record();
    assert_eq!(line(&websocket), "unknown WARNING nothing listens there: connection refused");
}

/// What a probe says to a WebSocket is a goodbye and nothing else: 1000, masked with zeros.
#[test]
fn m2_a_probe_asks_nothing_of_the_websocket() {
    let Some(mut gateway) = FakeGateway::start("ready") else { return };
    let run = health(&[&format!("websocket:{}", gateway.url)]);
    assert_eq!(run.status, 0, "{}", run.stdout);
    assert_eq!(gateway.line(), "client: 88820000000003e8");
}

#[test]
fn m2_an_endless_answer_is_read_in_little_memory() {
    let Some(gateway) = FakeGateway::start("huge") else { return };
    for target in [format!("gateway:{}", gateway.url), gateway.url.clone()] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("claw-health"))
            .args(["--timeout", "5", "--format", "json", &target])
            .env("CLAW_STATE", std::env::temp_dir())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut peak_kib = 0;
        while child.try_wait().unwrap().is_none() {
            let file = format!("/proc/{}/status", child.id());
            let status = std::fs::read_to_string(file).unwrap_or_default();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
            peak_kib = peak_kib.max(peak.unwrap_or(0));
        }
        assert!(peak_kib > 0 && peak_kib < 20_000, "{target}: {peak_kib} KiB");
    }
}

/// A box whose home and users are those of a folder, in a mount namespace of its own.
fn look_in(tree: &std::path::Path) -> Value {
    let script = "mount --bind \"$0/etc/passwd\" /etc/passwd && mount --bind \"$0/home\" /home && \
                  exec \"$1\" --user claw --format json gateway";
    // The build may be below the /home that is hidden.
    let tool = tree.join("claw-health");
    std::fs::copy(assert_cmd::cargo::cargo_bin("claw-health"), &tool).unwrap();
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .args([tree, &tool])
        .env("CLAW_STATE", tree.join("state"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let record = serde_json::from_slice(&output.stdout);
    assert!(record.is_ok(), "{said}");
    record.unwrap()
}

/// The files of a user whose gateway is the fake one.
fn tree(gateway: &FakeGateway) -> tempfile::TempDir {
    let tree = tempfile::TempDir::new().unwrap();
    let home = tree.path().join("home/claw/.openclaw");
    std::fs::create_dir_all(home.join("logs/stability")).unwrap();
    std::fs::create_dir_all(tree.path().join("etc")).unwrap();
    let passwd = "root:x:0:0::/root:/bin/sh\nclaw:x:0:0::/home/claw:/bin/sh\n";
    std::fs::write(tree.path().join("etc/passwd"), passwd).unwrap();
    let port = gateway.url.rsplit_once(':').unwrap().1;
    let configuration = format!("{{ // the port\n gateway: {{port: {port}}} }}");
    std::fs::write(home.join("openclaw.json"), configuration).unwrap();
    tree
}

#[test]
fn m2_the_gateway_is_found_by_its_configuration_and_its_safe_mode_by_its_bundle() {
    let Some(gateway) = FakeGateway::start("ready") else { return };
    if !nix::unistd::geteuid().is_root() {
        return claw_tests::skip("the gateway of another home needs root, for a mount namespace");
    }
    let tree = tree(&gateway);
    let look = || look_in(tree.path());
    let record = look();
    assert_eq!(record["subject"], format!("gateway:{}", gateway.url));
    assert_eq!((&record["status"], &record["data"]["safe_mode"]), (&"pass".into(), &false.into()));
    for (ago, expected) in [("1000 seconds ago", false), ("250 seconds ago", true)] {
        let time = std::process::Command::new("date")
            .args(["-u", "-d", ago, "+%Y-%m-%dT%H-%M-%S-123Z"])
            .output()
            .unwrap();
        let time = String::from_utf8(time.stdout).unwrap();
        let bundle =
            format!("openclaw-stability-{}-7-gateway.crash_loop_breaker.json", time.trim());
        let folder = tree.path().join("home/claw/.openclaw/logs/stability");
        std::fs::write(folder.join(bundle), "{}").unwrap();
        let record = look();
        assert_eq!(record["data"]["safe_mode"], expected, "{ago}: {record}");
        assert_eq!(record["data"]["state"], "ready");
        assert_eq!(record["status"], if expected { "warn" } else { "pass" });
    }
    assert!(look()["message"].as_str().unwrap().contains("channels are held back"));
}

#[test]
fn a1_since_when_a_gateway_is_starting_is_remembered() {
    let Some(mut gateway) = FakeGateway::start("starting") else { return };
    let state = tempfile::TempDir::new().unwrap();
    let file = state.path().join("health/gateway.json");
    let folder = state.path().to_str().unwrap();
    let url = gateway.url.clone();
    let look = || health(&["gateway", "--gateway-url", &url, "--state", folder]).record();
    let remembered = || std::fs::read_to_string(&file).unwrap();
    assert_eq!(look()["data"]["state"], "starting");
    let first = remembered();
    assert!(first.contains("\"starting_since\":1"), "{first}");
    look();
    assert_eq!(remembered(), first);
    gateway.tell("ready");
    assert_eq!(look()["data"]["state"], "ready");
    assert!(remembered().contains("\"starting_since\":null"));
}

//! claw-health that watches: what changes is told once, whatever comes between.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, what is not there is the failure"
)]

use std::fs;
use std::process::{Command, Stdio};

use claw_tests::fake_gateway::FakeGateway;
use claw_tests::watching::{HEARTBEAT, Monitor, Place, SOME_LOOKS, comes, in_short};
use claw_tests::{health, run, tool};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn m2_a_change_says_how_it_was_and_since_when() {
    let place = Place::empty();
    place.appears();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    monitor.is_silent();
    place.vanishes();
    let failed = monitor.record();
    assert_eq!(in_short(&failed), place.line("fail"));
    assert_eq!(failed["data"]["was"], "pass");
    assert!(failed["data"]["for_seconds"].as_f64().unwrap() > 0.5, "{failed}");
    place.appears();
    let recovered = monitor.record();
    assert_eq!(in_short(&recovered), place.line("pass"));
    assert_eq!(
        (&recovered["severity"], &recovered["data"]["was"]),
        (&"INFO".into(), &"fail".into())
    );
    let since = |record: &Value| record["data"]["since"].as_str().unwrap().to_owned();
    assert!(since(&failed) < since(&recovered));
    // It was told at the second look that found it.
    assert!(since(&recovered).as_str() < failed["time"].as_str().unwrap(), "{failed} {recovered}");
    monitor.is_silent();
}

#[test]
fn m2_a_moment_is_not_told_and_everything_is_where_that_is_asked() {
    let place = Place::empty();
    place.appears();
    let monitor = place.start(&["--confirm", "100"]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    place.vanishes();
    monitor.is_silent();
    drop(monitor);
    let monitor = place.start(&["--every", "--heartbeat", "0", "--confirm", "100"]);
    assert_eq!(monitor.told(3), [place.line("fail"), place.line("fail"), place.line("fail")]);
}

#[test]
fn n3_a_monitor_that_is_killed_is_followed_by_one_that_tells_nothing_twice() {
    let place = Place::empty();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    // What was written is kept within the same look.
    monitor.is_silent();
    monitor.signal(Signal::SIGKILL);
    drop(monitor);
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    monitor.is_silent();
    monitor.signal(Signal::SIGKILL);
    drop(monitor);
    // It recovers while nobody looks.
    place.appears();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    let recovered = monitor.record();
    assert_eq!(in_short(&recovered), place.line("pass"));
    assert_eq!(recovered["data"]["was"], "fail");
    assert!(recovered["data"]["for_seconds"].as_f64().unwrap() > 1.0, "{recovered}");
    assert_eq!(monitor.end(Signal::SIGTERM).0, Some(0));
    // And falls ill again.
    place.vanishes();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(2), [HEARTBEAT.to_owned(), place.line("fail")]);
    monitor.is_silent();
}

#[test]
fn a1_a_gateway_that_crashes_is_told_and_so_is_its_return() {
    let Some(mut gateway) = FakeGateway::start("ready") else { return };
    let folder = TempDir::new().unwrap();
    let target = format!("gateway:{}", gateway.url);
    let monitor = Monitor::start(folder.path(), &[&target]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    gateway.tell("channel-down");
    let useless = monitor.record();
    assert_eq!(
        (&useless["data"]["state"], &useless["data"]["was_state"]),
        (&"useless".into(), &"ready".into())
    );
    gateway.tell("crash");
    gateway.wait();
    let dead = monitor.record();
    assert_eq!(
        (&dead["data"]["state"], &dead["data"]["was_state"]),
        (&"dead".into(), &"useless".into())
    );
    assert_eq!((&dead["severity"], &dead["data"]["was"]), (&"CRITICAL".into(), &"fail".into()));
}

/// The tree of a box where OpenClaw is set up while the monitor runs.
#[test]
fn what_there_is_to_look_at_is_found_out_at_each_look() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("tree");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir_all(root.join("home/claw")).unwrap();
    fs::write(root.join("etc/passwd"), "claw:x:1000:1000::/home/claw:/bin/sh\n").unwrap();
    let root_flag = root.to_str().unwrap();
    let skip = "disk,memory,load,pressure,oom,certificate,journal,process,updates,reboot-required";
    let monitor = Monitor::start(folder.path(), &["--root", root_flag, "--skip", skip]);
    assert_eq!(monitor.told(2), ["check openclaw unknown", HEARTBEAT]);
    fs::create_dir_all(root.join("home/claw/.openclaw")).unwrap();
    let mut told = monitor.told(4);
    told.sort_unstable();
    assert_eq!(
        told,
        ["check backup warn", "check linger fail", "check openclaw pass", "check workspace fail"]
    );
}

#[test]
fn a_heartbeat_counts_and_comes_as_often_as_was_asked() {
    let place = Place::empty();
    let monitor =
        place.start(&["load", "--heartbeat", "300ms", "--load-warn", "1e9", "--load-fail", "1e9"]);
    assert_eq!(monitor.told(1), [place.line("fail")]);
    let data = |record: Value| record["data"].clone();
    let first = data(monitor.record());
    assert_eq!(
        (&first["looks_total"], &first["fail_count"], &first["pass_count"]),
        (&1.into(), &1.into(), &1.into())
    );
    let second = data(monitor.record());
    assert!(second["looks_total"].as_u64().unwrap() > 1, "{second}");
    drop(monitor);
    let monitor = place.start(&["--heartbeat", "0"]);
    monitor.is_silent();
}

#[test]
fn failing_writes_no_recovery_and_no_heartbeat() {
    let place = Place::empty();
    let monitor = place.start(&["--failing"]);
    assert_eq!(monitor.told(1), [place.line("fail")]);
    place.appears();
    monitor.is_silent();
    place.vanishes();
    assert_eq!(monitor.told(1), [place.line("fail")]);
}

#[test]
fn metrics_are_replaced_at_each_look_and_nothing_else_is_written() {
    let place = Place::empty();
    let file = place.folder.path().join("claw.prom");
    let output = file.to_str().unwrap();
    let monitor = Monitor::with(&place.state(), &[], |command| {
        *command = Command::new(assert_cmd::cargo::cargo_bin("claw-health"));
        command.env("CLAW_STATE", place.state()).args(["--watch", "100ms", &place.target]);
        command.args(["--format", "textfile", "--output", output]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    let says = |number: u8| {
        let expected =
            format!("claw_health_status{{check=\"file\",subject=\"{}\"}} {number}\n", place.target);
        comes(|| fs::read_to_string(&file).is_ok_and(|text| text.contains(&expected)))
    };
    assert!(says(2));
    place.appears();
    assert!(says(0));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    std::thread::sleep(SOME_LOOKS);
    fs::remove_dir(&file).unwrap();
    assert!(says(0));
    monitor.is_silent();
    let said = monitor.said();
    assert!(said.len() == 1 && said[0].contains("it is there and not a regular file"), "{said:?}");
    assert!(!place.kept().exists());
}

#[test]
fn an_option_that_would_do_nothing_is_wrong_usage() {
    let metrics = ["--watch", "1s", "--format", "textfile", "--output", "/tmp/none/x"];
    for (arguments, words) in [
        (vec!["--watch", "99ms"], "it must be from 100ms to 7d"),
        (vec!["--watch", "soon"], "not a span of time, such as 30s, 5m or 1h"),
        (vec!["--watch", "1s", "--list"], "cannot be used with '--list'"),
        (vec!["--watch", "1s", "--completions", "zsh"], "cannot be used with '--completions"),
        (vec!["--watch", "1s", "--format", "nagios"], "--watch does not go with --format nagios"),
        (vec!["--watch", "1s", "--format", "textfile"], "say which with --output"),
        (vec!["--watch", "1s", "--output", "x"], "--watch replaces a file with metrics alone"),
        (vec!["--watch", "1s", "--confirm", "3/2"], "not a number of looks"),
        (vec!["--watch", "1s", "--interval", "disk"], "not CHECK=INTERVAL"),
        (vec!["--watch", "1s", "--interval", "dusk=1s"], "there is no such check"),
        (vec!["--watch", "1s", "dusk"], "there is no such check"),
        (vec!["--watch", "1s", "disk", "--skip", "disk"], "nothing is left to look at"),
        (vec!["--every"], "--every is about --watch, which is not there"),
        (vec!["--interval", "disk=1s"], "--interval is about --watch, which is not there"),
        ([&metrics[..], &["--every"]].concat(), "--every is about records"),
    ] {
        let look = run(tool("claw-health").args(&arguments));
        assert_eq!((look.status, look.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(look.stderr.contains(words), "{arguments:?}: {}", look.stderr);
    }
    // In the environment they are settings, for whoever watches.
    let look = run(tool("claw-health")
        .args(["load"])
        .env("CLAW_CONFIRM", "3")
        .env("CLAW_INTERVAL", "disk=1m,load=5s"));
    assert_ne!(look.status, 2, "{}", look.stderr);
    assert_eq!(health(&["--list"]).status, 0);
}

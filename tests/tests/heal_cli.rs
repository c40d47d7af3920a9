//! claw-heal as a filter and at its command line: what holds on any machine, with systemd or without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Command;

use claw_tests::{fed_without_a_reader, run, tool};

const RECORD: &str = r#"{"time":"2026-11-22T03:14:15.000Z","host":"elsewhere","tool":"t","event":"check","subject":"unit:user/openclaw-gateway.service","status":"fail","severity":"CRITICAL","message":"m","data":{"state":"failed"},"later":1}"#;

fn heal(state: &std::path::Path) -> assert_cmd::Command {
    let mut heal = tool("claw-heal");
    heal.args(["--format", "json", "--state"]).arg(state);
    heal
}

#[test]
fn a2_passes_every_line_on_unchanged_and_names_what_is_no_record() {
    let state = tempfile::tempdir().unwrap();
    for (what, input, status, complaint) in [
        ("nothing", b"".to_vec(), 0, ""),
        ("a record of another host", format!("{RECORD}\n").into_bytes(), 0, ""),
        ("blank lines", b"\n\n".to_vec(), 0, ""),
        ("CRLF", format!("{RECORD}\r\n").into_bytes(), 0, ""),
        (
            "text between records",
            format!("{RECORD}\nhello\n{RECORD}\n").into_bytes(),
            2,
            "claw-heal: line 2, column 1: not a record: expected value\n",
        ),
        (
            "a line of 3 MiB",
            [vec![b'x'; 3 << 20], b"\n".to_vec(), RECORD.into(), b"\n".to_vec()].concat(),
            2,
            "claw-heal: line 1, not a record: longer than 1048576 bytes\n",
        ),
        (
            "a NUL and no newline",
            b"\0".to_vec(),
            2,
            "claw-heal: line 1, column 1: not a record: expected value\n",
        ),
    ] {
        let output = heal(state.path()).write_stdin(input.clone()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(status), complaint), "{what}");
        let expected = if input.ends_with(b"\0") { b"\0\n".to_vec() } else { input };
        assert!(output.stdout == expected, "{what}: what went in did not come out");
    }
    // What is about nobody who is looked after leaves nothing behind.
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let end =
        fed_without_a_reader(&mut Command::new(assert_cmd::cargo::cargo_bin("claw-heal")), RECORD);
    assert_eq!(end, (Some(0), String::new()));
}

#[test]
fn bad_usage_exits_2() {
    let state = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["--unit", "gateway"][..], "not user/NAME or system/NAME"),
        (
            &["--unit", "system/openclaw-agent-monitor"],
            "is the monitor, which systemd itself restarts",
        ),
        (&["--limit", "many"], "not a limit, such as 5/5m"),
        (&["--grace", "30s"], "it must be 90s or more"),
        (&["--user", "no-such-user"], "there is no such user on this box"),
        (&["reset", "user/a"], "cannot reset 'user/a.service': nothing is remembered of it"),
    ] {
        let run = run(heal(state.path()).args(arguments));
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn the_ladder_is_printed_whole_and_nothing_is_done() {
    let state = tempfile::tempdir().unwrap();
    let run = run(heal(state.path()).args(["--dry-run", "--unit", "user/agent"]));
    let told: Vec<_> = run
        .records()
        .iter()
        .map(|record| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            assert_eq!(record["event"], "ladder");
            (text(&record["subject"]), text(&record["data"]["act"]))
        })
        .collect();
    let gateway = "unit:user/openclaw-gateway.service".to_owned();
    let expected = [
        (gateway.clone(), "start".to_owned()),
        (gateway.clone(), "restart".to_owned()),
        (gateway, "abort".to_owned()),
        ("unit:user/agent.service".to_owned(), "start".to_owned()),
    ];
    assert_eq!((run.status, told), (0, expected.to_vec()));
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn status_says_what_is_used_and_reset_begins_anew() {
    let state = tempfile::tempdir().unwrap();
    let heal_status = || run(heal(state.path()).arg("status"));
    let fresh = heal_status();
    assert_eq!(
        (fresh.status, &fresh.record()["message"]),
        (0, &"restarts: 0 of 5 in 5 min".into())
    );
    // As a claw-heal leaves it that gave up in another boot.
    let user = run(tool("claw-health").arg("--whose")).stdout;
    let user = user.split(' ').next().unwrap();
    let at = r#"{"boot":"x","milliseconds":5000,"wall":1795380000000}"#;
    let trouble = format!(r#"{{"cause":"exit","since":{at},"tries":5,"last_try":{at}}}"#);
    let text = format!(
        r#"{{"version":1,"units":{{"user/agent.service":{{"budget":[],"gave_up":{{"at":{at},"trouble":{trouble},"is_told":true}},"trouble":{trouble}}}}}}}"#
    );
    std::fs::create_dir(state.path().join("heal")).unwrap();
    std::fs::write(state.path().join(format!("heal/{user}.json")), text).unwrap();
    let given_up = heal_status();
    let records = given_up.records();
    assert_eq!((given_up.status, records.len()), (1, 2), "{}", given_up.stdout);
    assert_eq!(records[0]["subject"], "unit:user/agent.service");
    let message = records[0]["message"].as_str().unwrap();
    assert_eq!(message, "given up at 2026-11-22T20:40:00.000Z (exit); restarts: 0 of 5 in 5 min");
    let reset = run(heal(state.path()).args(["reset", "user/agent"]));
    assert_eq!((reset.status, &reset.record()["event"]), (0, &"reset".into()));
    assert_eq!(heal_status().status, 0);
}

/// What cannot be read is no budget that nobody used.
#[test]
fn a_state_that_is_damaged_or_of_others_is_never_begun_anew() {
    let state = tempfile::tempdir().unwrap();
    let user = run(tool("claw-health").arg("--whose")).stdout;
    let user = user.split(' ').next().unwrap();
    let file = state.path().join(format!("heal/{user}.json"));
    std::fs::create_dir(state.path().join("heal")).unwrap();
    std::fs::write(&file, "{\"version\":1,\"un").unwrap();
    let run = run(heal(state.path()).arg("status"));
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("claw-heal: cannot read '"), "{}", run.stderr);
    assert_eq!(std::fs::read(&file).unwrap(), b"{\"version\":1,\"un");
}

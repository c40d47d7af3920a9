//! What claw-notify keeps of whom it told, and for how long.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use claw_tests::ear::Ear;
use claw_tests::{Run, skip};
use serde_json::Value;
use tempfile::TempDir;

const DAY: u64 = 86_400;

struct Place(TempDir);

impl Place {
    /// Runs it so many days after this box was started, by the clock that counts; nothing where that
    /// cannot be had.
    fn run(&self, day: u64, arguments: &[&str], input: &str) -> Option<Run> {
        let mut unshare = Command::new("unshare");
        unshare.args(["-T", "--boottime", &(day * DAY).to_string()]);
        // Nobody is shouted at.
        unshare.args(["env", "PATH=/nowhere"]);
        unshare.arg(assert_cmd::cargo::cargo_bin("claw-notify"));
        unshare.args(["--format", "json", "--failover", "100ms", "--spool"]);
        unshare.arg(self.0.path().join("spool")).args(arguments);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("CLAW_") {
                unshare.env_remove(key);
            }
        }
        unshare.env("CLAW_NOTIFY_PATIENCE", "2s");
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = unshare.spawn().ok()?;
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok()?;
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if stderr.contains("unshare") {
            skip(&format!("no clock of one's own here: {}", stderr.trim()));
            return None;
        }
        let stdout = String::from_utf8(output.stdout).unwrap();
        Some(Run { status: output.status.code().unwrap_or(-1), stdout, stderr })
    }

    /// The keys of its state that are set.
    fn keys(&self) -> Vec<String> {
        let mut values = BTreeMap::new();
        for line in fs::read_to_string(self.0.path().join("spool/state")).unwrap().lines() {
            let changes = &line[line.find('[').unwrap()..];
            let changes: Vec<(String, Value)> = serde_json::from_str(changes).unwrap();
            values.extend(changes);
        }
        let set = values.into_iter().filter(|(_, value)| !value.is_null());
        set.map(|(key, _)| key)
            .filter(|key| !["clock", "numbers"].contains(&key.as_str()))
            .collect()
    }
}

fn record(subject: &str, status: &str, severity: &str) -> String {
    format!(
        r#"{{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"t","event":"check","subject":"{subject}","status":"{status}","severity":"{severity}","message":"full"}}"#
    ) + "\n"
}

#[test]
fn who_is_told_nothing_for_thirty_days_is_forgotten_but_not_what_waits() {
    let place = Place(tempfile::tempdir().unwrap());
    let answer = r#"{"id":"x","ok":true,"result":{"message_id":1}}"#;
    let ear = Ear::start(200, answer, Duration::ZERO);
    let url = ear.url();
    let up = ["--ntfy-url", &url, "--telegram-api", &url];
    let fail = record("disk:/", "fail", "ERROR");
    for (target, input) in [
        ("ntfy:lasting", fail.clone()),
        ("ntfy:over", fail.clone() + &record("disk:/", "pass", "INFO")),
        ("ntfy:used", fail.clone()),
        // It waits for its token.
        ("telegram:5", fail.clone()),
    ] {
        let Some(run) = place.run(0, &[&["--to", target][..], &up].concat(), &input) else {
            return;
        };
        assert_eq!(run.status, i32::from(target == "telegram:5"), "{target}: {}", run.stderr);
    }
    let desks = |keys: &[String]| -> Vec<String> {
        keys.iter().filter(|key| key.ends_with("/desk")).cloned().collect()
    };
    assert_eq!(desks(&place.keys()), ["0/desk", "1/desk", "2/desk", "3/desk"]);
    // Not yet, and one of them is used again.
    let again = place.run(20, &[&["--to", "ntfy:used"][..], &up].concat(), &fail).unwrap();
    assert_eq!(again.status, 1, "another one waits: {}", again.stderr);
    assert_eq!(desks(&place.keys()), ["0/desk", "1/desk", "2/desk", "3/desk"]);
    let told = ear.heard().len();
    let flush = place.run(31, &[&["flush", "--remind", "365d"][..], &up].concat(), "").unwrap();
    // Its own one, and that another target does not work.
    let words = "claw-notify: nobody has told ntfy:lasting anything for 30 days: forgotten, \
        with 2 incidents that are not over\n";
    assert!(flush.stderr.contains(words), "{}", flush.stderr);
    assert_eq!(ear.heard().len(), told);
    let keys = place.keys();
    assert_eq!(desks(&keys), ["2/desk", "3/desk"]);
    let stale = |key: &String| key.starts_with(['0', '1']) || key.contains("lasting");
    assert_eq!(keys.iter().filter(|key| stale(key)).count(), 0, "{keys:?}");
    assert!(!keys.iter().any(|key| key == "sent/ntfy:used"), "{keys:?}");
    let token = place.0.path().join("token");
    fs::write(&token, "123:token").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let token = ["--telegram-token-file", token.to_str().unwrap()];
    place.run(31, &["queue", "retry"], "").unwrap();
    let flush =
        place.run(31, &[&["flush", "--patience", "20s"][..], &up, &token].concat(), "").unwrap();
    assert_eq!((flush.status, flush.stderr.as_str()), (0, ""));
    assert!(ear.heard().iter().any(|heard| heard.json()["chat_id"] == "5"));
    // A route that comes back begins anew.
    let told = ear.heard().len();
    let arguments = [&["--to", "ntfy:lasting"][..], &up, &token].concat();
    let back = place.run(32, &arguments, &fail).unwrap();
    assert_eq!((back.status, back.stderr.as_str()), (0, ""));
    assert!(ear.heard()[told..].iter().any(|heard| heard.json()["topic"] == "lasting"));
}

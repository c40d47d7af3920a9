//! claw-notify and everybody else whom it can tell: what each is told, and what is never shown.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claw_tests::ear::Ear;
use claw_tests::{Run, run, skip, tool};
use tempfile::TempDir;

fn record(subject: &str, status: &str, severity: &str) -> String {
    format!(
        r#"{{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"t","event":"check","subject":"{subject}","status":"{status}","severity":"{severity}","message":"full *of* <it>","remedy":"look","later":1}}"#
    )
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn notify(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut notify = tool("claw-notify");
        notify.env("CLAW_NOTIFY_PATIENCE", "3s").env("CLAW_NOTIFY_FAILOVER", "1s");
        notify.args(["--format", "json", "--spool"]).arg(self.path("spool")).args(arguments);
        notify
    }

    fn tell(&self, arguments: &[&str], input: &str) -> Run {
        run(self.notify(arguments).write_stdin(format!("{input}\n")))
    }

    /// A secret in a file, and its path.
    fn secret(&self, name: &str, text: &str) -> String {
        self.file(name, text, 0o600)
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn receipt(run: &Run) -> String {
    let told = run.stdout.lines().filter_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        (record["event"] == "told")
            .then(|| record["data"]["receipt"].as_str().map(str::to_owned))?
    });
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn m6_any_program_reads_the_record_and_learns_nothing_else() {
    let place = Place::new();
    let out = place.path("out");
    let script = format!(
        "#!/bin/sh\ncat >'{0}'\nenv >>'{0}'\ntr '\\0' ' ' <\"/proc/$PPID/cmdline\" >>'{0}'\necho ticket-7\n",
        out.display()
    );
    let program = place.file("program", &script, 0o700);
    let token = place.secret("token", "123:secret-token");
    let mut notify = place.notify(&["--to", &format!("exec:{program}")]);
    notify.args(["--telegram-token-file", &token]).env("CLAW_ANYTHING", "x");
    let line = record("disk:/", "fail", "ERROR");
    let told = run(notify.write_stdin(format!("{line}\n")));
    assert_eq!((told.status, told.stderr.as_str()), (0, ""));
    assert_eq!(receipt(&told), "ticket-7");
    let seen = fs::read_to_string(out).unwrap();
    assert_eq!(seen.lines().next(), Some(line.as_str()));
    assert!(seen.contains("\nCLAW_NOTIFY_ID=#1.1\n"), "{seen}");
    assert!(!seen.contains("secret-token") && !seen.contains("CLAW_ANYTHING"), "{seen}");
}

#[test]
fn a_program_that_fails_gets_it_again_and_then_it_stays() {
    let place = Place::new();
    let program = place.file("program", "#!/bin/sh\necho no >&2\nexit 3\n", 0o700);
    let told =
        place.tell(&["--to", &format!("exec:{program}")], &record("disk:/", "fail", "ERROR"));
    assert_eq!(told.status, 1);
    let words = format!("(exec:{program}: '{program}' failed: no");
    assert!(told.stderr.contains(&words), "{}", told.stderr);
    assert!(told.stderr.contains("): 'claw-notify flush' goes on"), "{}", told.stderr);
}

/// The log of the day on which it was written, which is named after that day.
fn log(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap();
    let path = entries.map(|entry| entry.unwrap().path()).next().unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let day = name.strip_prefix("health-").and_then(|name| name.strip_suffix(".log")).unwrap();
    let parts: Vec<_> = day.split('-').map(|part| part.parse::<u32>().unwrap()).collect();
    assert!(parts.len() == 3 && parts[0] >= 2026 && parts[1] <= 12 && parts[2] <= 31, "{name}");
    path
}

#[test]
fn m5_each_alert_is_a_line_of_the_file_of_its_day() {
    let place = Place::new();
    let folder = place.path("logs/agents");
    let also = format!("file:{}", folder.display());
    let told = place.tell(&["--also", &also], &record("disk:/", "fail", "ERROR"));
    assert_eq!((told.status, told.stderr.as_str()), (0, ""));
    assert_eq!(
        fs::read_to_string(log(&folder)).unwrap(),
        "2026-11-22T03:14:15Z ERROR vps disk:/ fail: full *of* <it> → look [#1.1]\n"
    );
    // What ends it is written, and what was never told is not.
    let lines = format!("{}\n{}", record("disk:/", "pass", "INFO"), record("x", "pass", "INFO"));
    place.tell(&["--also", &also], &lines);
    let text = fs::read_to_string(log(&folder)).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    // Nobody can have it written elsewhere by a link.
    let link = log(&folder);
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), &link).unwrap();
    let told = place.tell(&["--also", &also], &record("disk:/", "fail", "ERROR"));
    assert_eq!(told.status, 1, "{}", told.stderr);
    assert!(!place.path("elsewhere").exists());
}

/// In the folder of an agent it is written as that agent, wherever a link leads.
#[test]
fn m5_root_writes_nothing_in_a_folder_that_is_not_its_own() {
    if !nix::unistd::geteuid().is_root() {
        return skip("not root: nothing was written for somebody else");
    }
    let place = Place::new();
    let folder = PathBuf::from(format!("/var/tmp/claw-notify-test-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let nobody = nix::unistd::Uid::from_raw(65534);
    nix::unistd::chown(&folder, Some(nobody), None).unwrap();
    let also = format!("file:{}/logs", folder.display());
    let told = place.tell(&["--also", &also], &record("disk:/", "fail", "ERROR"));
    let file = log(&folder.join("logs"));
    let owner = fs::metadata(&file).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
    fs::remove_file(&file).unwrap();
    let target = place.path("root-only");
    std::os::unix::fs::symlink(&target, &file).unwrap();
    let linked = place.tell(&["--also", &also], &record("y", "fail", "ERROR"));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!((told.status, told.stderr.as_str(), owner.unwrap()), (0, "", 65534));
    assert_eq!(linked.status, 1, "{}", linked.stderr);
    assert!(!target.exists());
}

#[test]
fn a_webhook_gets_each_record_signed_and_many_at_once() {
    let place = Place::new();
    let ear = Ear::start(204, "", Duration::from_millis(20));
    let secret = place.secret("key", "Jefe");
    let to = format!("webhook:{}/hook", ear.url());
    let lines: Vec<_> =
        (0..200).map(|number| record(&format!("disk:/{number}"), "fail", "ERROR")).collect();
    let started = Instant::now();
    let arguments = ["--to", &to, "--webhook-secret-file", &secret, "--patience", "30s"];
    let told = place.tell(&arguments, &lines.join("\n"));
    let took = started.elapsed();
    assert_eq!((told.status, told.stderr.as_str()), (0, ""));
    let heard = ear.heard();
    assert_eq!(heard.len(), 200);
    // One after the other they would take four seconds.
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let mut bodies: Vec<_> = heard.iter().map(|heard| heard.body.clone()).collect();
    let mut expected = lines.clone();
    bodies.sort();
    expected.sort();
    assert_eq!(bodies, expected, "each record as it came, unknown keys and all");
    let signature = heard[0].header("x-claw-signature-256").unwrap();
    let signed = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "Jefe", "-hex"])
        .arg(place.secret("body", &heard[0].body))
        .output();
    match signed {
        Ok(signed) => {
            let hex = String::from_utf8(signed.stdout).unwrap();
            let hex = hex.trim().rsplit(' ').next().unwrap().to_owned();
            assert_eq!(signature, format!("sha256={hex}"));
        }
        Err(_) => skip("no openssl: the signature was not checked"),
    }
    assert_eq!(heard.iter().filter(|heard| heard.header("x-claw-id") == Some("#1.1")).count(), 1);
}

/// The chats that are told by a URL which is a secret.
#[test]
fn each_chat_is_told_in_its_own_way_without_markup() {
    for (channel, answer, told, pointer, text) in [
        ("slack", "ok", "ok", "/blocks/0/text/text", "full *of* <it>"),
        ("discord", r#"{"id":"77"}"#, "77", "/content", "full \\*of\\* \\<it\\>"),
        ("wecom", r#"{"errcode":0,"errmsg":"ok"}"#, "errcode 0", "/text/content", "full *of* <it>"),
    ] {
        let place = Place::new();
        let ear = Ear::start(200, answer, Duration::ZERO);
        let file = place.secret("url", &format!("{}/secret-path", ear.url()));
        let run =
            place.tell(&["--to", &format!("{channel}:{file}")], &record("disk:/", "fail", "ERROR"));
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{channel}");
        assert_eq!(receipt(&run), told, "{channel}");
        let heard = ear.heard();
        let body = heard[0].json();
        let said = body.pointer(pointer).and_then(|said| said.as_str()).unwrap();
        assert!(said.contains(text) && said.contains("1.1"), "{channel}: {said}");
        assert!(heard[0].path.starts_with("/secret-path"), "{channel}");
        assert!(!run.stdout.contains("secret-path"), "{channel}");
    }
}

#[test]
fn ntfy_gets_a_title_a_priority_and_its_token() {
    let place = Place::new();
    let ear = Ear::start(200, r#"{"id":"abc"}"#, Duration::ZERO);
    let token = place.secret("token", "tk_secret");
    let run = place.tell(
        &["--to", "ntfy:ops", "--ntfy-url", &ear.url(), "--ntfy-token-file", &token],
        &record("disk:/", "fail", "CRITICAL"),
    );
    assert_eq!((run.status, receipt(&run).as_str()), (0, "abc"), "{}", run.stderr);
    let heard = &ear.heard()[0];
    let body = heard.json();
    assert_eq!((&body["topic"], &body["priority"]), (&"ops".into(), &5.into()));
    assert_eq!(body["title"], "🚨 CRITICAL: disk:/ on vps");
    assert_eq!(heard.header("authorization"), Some("Bearer tk_secret"));
}

#[test]
fn healthchecks_is_pinged_with_how_it_is() {
    let place = Place::new();
    let ear = Ear::start(200, "OK", Duration::ZERO);
    let file = place.secret("url", &format!("{}/ping/secret", ear.url()));
    for (status, severity) in [("pass", "INFO"), ("fail", "ERROR")] {
        let also = format!("healthchecks:{file}");
        let run = place.tell(&["--also", &also], &record("monitor:x", status, severity));
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    }
    let paths: Vec<_> = ear.heard().iter().map(|heard| heard.path.clone()).collect();
    assert_eq!(paths, ["/ping/secret", "/ping/secret/fail"]);
}

/// A service that refuses says what it likes; nothing of the address is in what is shown.
#[test]
fn a_refusal_shows_no_secret() {
    for channel in ["slack", "discord", "wecom", "healthchecks", "webhook"] {
        let place = Place::new();
        let ear = Ear::start(500, "secret-path is wrong", Duration::ZERO);
        let file = place.secret("url", &format!("{}/secret-path", ear.url()));
        for url in [format!("{}/secret-path", ear.url()), "http://127.0.0.1:1/secret-path".into()] {
            fs::write(&file, &url).unwrap();
            let to = format!("{channel}:{file}");
            let run =
                place.tell(&["--also", &to, "--patience", "100ms"], &record("x", "fail", "ERROR"));
            assert_eq!(run.status, 1, "{channel}: {}", run.stderr);
            let said = run.stderr.replace(&url, "SHOWN");
            assert!(!said.contains("SHOWN"), "{channel}: {said}");
        }
    }
}

#[test]
fn every_target_can_be_tried() {
    let place = Place::new();
    let ear = Ear::start(200, r#"{"id":"abc"}"#, Duration::ZERO);
    let run = place
        .tell(&["test", "--to", "ntfy:ops", "--to", "telegram:5", "--ntfy-url", &ear.url()], "");
    assert_eq!(run.status, 1);
    let said: Vec<_> = run
        .records()
        .iter()
        .filter(|record| record["subject"] != "wall")
        .map(|record| (record["subject"].to_string(), record["message"].to_string()))
        .collect();
    assert_eq!(said[0], ("\"ntfy:ops\"".into(), "\"receipt abc\"".into()));
    assert!(said[1].1.contains("no secret: CLAW_TELEGRAM_TOKEN_FILE names no file"), "{said:?}");
}

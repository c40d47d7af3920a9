//! claw-notify as a filter and at its command line, and what becomes of its spool.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use claw_tests::bad_telegram::{BadTelegram, Mood};
use claw_tests::{Run, run, skip, tool};
use tempfile::TempDir;

const RECORD: &str = r#"{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"t","event":"check","subject":"disk:/","status":"fail","severity":"ERROR","message":"full","later":1}"#;

struct Place {
    folder: TempDir,
    telegram: BadTelegram,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "123:secret-token").unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        Self { folder, telegram: BadTelegram::start() }
    }

    fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// The words of its environment.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let token = self.folder.path().join("token").display().to_string();
        vec![
            ("CLAW_NOTIFY_TO", "telegram:5".to_owned()),
            ("CLAW_NOTIFY_SPOOL", self.spool().display().to_string()),
            ("CLAW_TELEGRAM_API", self.telegram.url()),
            ("CLAW_TELEGRAM_TOKEN_FILE", token),
            ("CLAW_NOTIFY_PATIENCE", "5s".to_owned()),
            ("CLAW_FORMAT", "json".to_owned()),
        ]
    }

    fn notify(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut notify = tool("claw-notify");
        notify.envs(self.settings()).args(arguments);
        notify
    }

    fn tell(&self, arguments: &[&str], input: &str) -> Run {
        run(self.notify(arguments).write_stdin(input))
    }

    fn texts(&self) -> Vec<String> {
        self.telegram.delivered().iter().map(|seen| seen.text().to_owned()).collect()
    }

    /// A record is in the spool, and could not be told.
    fn with_one_left(self) -> Self {
        self.telegram.next([Mood::Says(500, "Internal Server Error")]);
        let left = self.tell(&["--patience", "0s"], &format!("{RECORD}\n"));
        assert_eq!(left.status, 1, "{}", left.stderr);
        assert!(self.texts().is_empty());
        self
    }
}

fn record(subject: &str, status: &str, severity: &str) -> String {
    RECORD
        .replace("disk:/", subject)
        .replace("\"fail\"", &format!("\"{status}\""))
        .replace("ERROR", severity)
        + "\n"
}

#[test]
fn passes_every_line_on_unchanged_and_names_what_is_no_record() {
    for (what, input, status, complaint) in [
        ("nothing", b"".to_vec(), 0, ""),
        ("a record", format!("{RECORD}\n").into_bytes(), 0, ""),
        ("blank lines", b"\n\n".to_vec(), 0, ""),
        ("CRLF", format!("{RECORD}\r\n").into_bytes(), 0, ""),
        (
            "text between records",
            format!("{RECORD}\nhello\n{RECORD}\n").into_bytes(),
            2,
            "claw-notify: line 2, column 1: not a record: expected value\n",
        ),
        (
            "a line of 3 MiB",
            [vec![b'x'; 3 << 20], b"\n".to_vec(), RECORD.into(), b"\n".to_vec()].concat(),
            2,
            "claw-notify: line 1, not a record: longer than 1048576 bytes\n",
        ),
        (
            "a NUL and no newline",
            b"\0".to_vec(),
            2,
            "claw-notify: line 1, column 1: not a record: expected value\n",
        ),
    ] {
        let place = Place::new();
        let output = place.notify(&[]).write_stdin(input.clone()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(status), complaint), "{what}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let passed: String =
            stdout.split_inclusive('\n').filter(|line| !line.contains("\"told\"")).collect();
        let expected = if input.ends_with(b"\0") { b"\0\n".to_vec() } else { input };
        assert!(passed.as_bytes() == expected, "{what}: what went in did not come out");
        let told = usize::from(String::from_utf8_lossy(&expected).contains("disk:/"));
        assert_eq!(place.texts().len(), told, "{what}");
    }
}

/// Nobody reads what it passes on, and everybody is told.
#[test]
fn a_closed_pipe_is_not_an_error_and_no_end() {
    let place = Place::new();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("claw-notify"));
    command.envs(place.settings());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..2000 {
        stdin.write_all(record(&format!("disk:/{number}"), "fail", "ERROR").as_bytes()).unwrap();
    }
    drop(stdin);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
    assert!(place.texts().iter().any(|text| text.contains("#1.2000") || text.contains("-2000")));
}

#[test]
fn bad_usage_exits_2() {
    let place = Place::new();
    for (arguments, words) in [
        (&["--to", "telegram:me"][..], "not telegram:CHAT"),
        (&["--to", "slack:https://hooks.example.org/x"], "such a URL is a secret"),
        (&["--smtp-url", "smtp://me:secret@mail.example.org"], "a password has no place in it"),
        (&["silence", "--for", "30m"], "a silence has an end and a reason"),
        (&["silence", "--why", "x"], "a silence has an end and a reason"),
        (&["queue", "drop", "x"], "not the id of a record, such as 12.3"),
    ] {
        let run = place.tell(arguments, "");
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
    let run = run(tool("claw-notify").write_stdin(""));
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("cannot tell anybody: nobody is named: --to"), "{}", run.stderr);
}

#[test]
fn lines_of_the_journal_are_taken_as_they_are() {
    let place = Place::new();
    let line = r#"{"__REALTIME_TIMESTAMP":"1795403655123456","_HOSTNAME":"box","PRIORITY":"2","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"Out of memory"}"#;
    let quiet = line.replace("\"2\"", "\"6\"");
    let run = place.tell(&[], &format!("{line}\n{quiet}\n"));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let told = run.stdout.lines().last().unwrap();
    assert_eq!(run.stdout, format!("{line}\n{quiet}\n{told}\n"));
    assert!(place.texts()[0].starts_with("🚨 CRITICAL: log:kernel on box\nOut of memory"));
}

/// As cron would have mailed it: all of its lines, in one message.
#[test]
fn what_a_command_printed_is_one_message() {
    let place = Place::new();
    let text = "tar: a: file changed as we read it\ntar: exiting\n";
    let arguments = ["--text", "--severity", "ERROR", "--subject", "cron:backup"];
    let run = place.tell(&arguments, text);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let texts = place.texts();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].starts_with("🔴 ERROR: cron:backup on "), "{texts:?}");
    assert!(
        texts[0].ends_with("\ntar: a: file changed as we read it\ntar: exiting\n#1.1"),
        "{texts:?}"
    );
}

#[test]
fn what_is_left_is_listed_and_told_by_the_next_one() {
    let place = Place::new().with_one_left();
    let queue = place.tell(&["queue"], "");
    assert_eq!(queue.status, 1);
    let records = queue.records();
    assert_eq!(records[0]["data"]["ids"], "#1.1");
    assert_eq!(records[1]["message"], "it does not work: 500: Internal Server Error");
    let flush = place.tell(&["flush", "--until-empty"], "");
    assert_eq!((flush.status, flush.stderr.as_str()), (0, ""));
    assert_eq!(place.texts(), ["🔴 ERROR: disk:/ on vps\nfull\n#1.1"]);
    assert_eq!((place.tell(&["queue"], "").status, place.tell(&["flush"], "").status), (0, 0));
    assert_eq!(place.texts().len(), 1);
    let receipts = fs::read_to_string(place.spool().join("receipts")).unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&receipts).unwrap();
    assert_eq!((&receipt["ids"], &receipt["receipt"]), (&"#1.1".into(), &"1".into()));
    assert_eq!(fs::metadata(place.spool().join("in/00000001")).unwrap().len(), 0);
}

#[test]
fn what_is_dropped_is_not_told() {
    let place = Place::new().with_one_left();
    let dropped = place.tell(&["queue", "drop", "#1.1"], "");
    assert_eq!((dropped.status, dropped.stderr.as_str()), (0, ""));
    assert_eq!(place.tell(&["queue"], "").records().len(), 1, "but for the target");
    assert_eq!(place.tell(&["flush"], "").status, 0);
    assert!(place.texts().is_empty());
}

#[test]
fn what_nobody_takes_is_kept_and_can_be_tried_again() {
    let place = Place::new();
    place.telegram.always("5", Mood::Says(400, "Bad Request: message text is odd"));
    let mut notify = place.notify(&["--failover", "100ms"]);
    let told = run(notify.env("PATH", "/nowhere").write_stdin(format!("{RECORD}\n")));
    assert_eq!(told.status, 1, "{}", told.stderr);
    let dead = place.tell(&["queue", "dead"], "");
    let why = "telegram:5: 400: Bad Request: message text is odd";
    assert!(dead.stdout.contains(why), "{}{}", dead.stdout, told.stderr);
    assert_eq!(dead.status, 1);
    place.telegram.always("5", Mood::Well);
    assert_eq!(place.tell(&["queue", "retry"], "").status, 0);
    assert_eq!(place.tell(&["flush"], "").status, 0);
    assert_eq!(place.texts(), ["🔴 ERROR: disk:/ on vps\nfull\n#1.1"]);
}

#[test]
fn a_silence_has_an_end_and_what_lasts_is_told_then() {
    let place = Place::new();
    let silence = place.tell(&["silence", "--for", "3s", "--why", "new disk", "disk:*"], "");
    assert_eq!((silence.status, silence.stderr.as_str()), (0, ""));
    let two = format!("{RECORD}\n{}", record("memory", "fail", "ERROR"));
    let told = place.tell(&["--patience", "100ms"], &two);
    assert_eq!((told.status, told.stderr.as_str()), (0, ""));
    assert_eq!(place.texts().len(), 1);
    assert!(place.texts()[0].starts_with("🔴 ERROR: memory on vps"));
    let queue = place.tell(&["queue"], "");
    let silences = queue.records();
    let silences: Vec<_> = silences.iter().filter(|record| record["event"] == "silence").collect();
    let words = silences[0]["message"].as_str().unwrap();
    assert!(words.starts_with("silence 1 about disk:* ends at "), "{words}");
    assert!(words.ends_with(": new disk"), "{words}");
    sleep(Duration::from_secs(3));
    assert_eq!(place.tell(&["flush"], "").status, 0);
    assert_eq!(place.texts()[1], "🔴 ERROR: disk:/ on vps\nfull\n#1.1");
}

#[test]
fn a_silence_that_is_ended_is_over() {
    let place = Place::new();
    place.tell(&["silence", "--for", "1h", "--why", "work"], "");
    place.tell(&["--patience", "100ms"], &format!("{RECORD}\n"));
    assert!(place.texts().is_empty());
    assert_eq!(place.tell(&["silence", "--end", "1"], "").status, 0);
    assert_eq!(place.tell(&["flush"], "").status, 0);
    assert_eq!(place.texts().len(), 1);
}

/// Two at once tell everything once.
#[test]
fn two_at_once_are_safe() {
    let place = Place::new();
    let settings = place.settings();
    let children: Vec<_> = (0..4)
        .map(|number| {
            let mut child = Command::new(assert_cmd::cargo::cargo_bin("claw-notify"))
                .envs(settings.clone())
                .env("CLAW_NOTIFY_PATIENCE", "20s")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            for disk in 0..5 {
                let line = record(&format!("disk:/{number}.{disk}"), "fail", "ERROR");
                stdin.write_all(line.as_bytes()).unwrap();
            }
            child
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(place.tell(&["flush"], "").status, 0);
    let texts = place.texts().join("\n");
    for number in 0..4 {
        for disk in 0..5 {
            let subject = format!("disk:/{number}.{disk}");
            assert_eq!(texts.matches(&subject).count(), 1, "{subject} in {texts}");
        }
    }
    assert!(place.telegram.wrongs().is_empty(), "{:?}", place.telegram.wrongs());
}

/// A spool that was damaged says so, and tells all that can be read.
#[test]
fn a_damaged_spool_loses_nothing_else() {
    let place = Place::new().with_one_left();
    let segment = place.spool().join("in/00000001");
    let mut bytes = fs::read(&segment).unwrap();
    bytes.extend_from_slice(b"garbage \0\xff\n");
    fs::write(&segment, bytes).unwrap();
    fs::write(place.spool().join("in/00000007"), "\0\0garbage\n").unwrap();
    // Of the state nothing is left.
    let state = fs::read(place.spool().join("state")).unwrap();
    let damaged: Vec<_> = state.iter().map(|byte| byte ^ 1).chain(*b"\n").collect();
    fs::write(place.spool().join("state"), damaged).unwrap();
    let flush = place.tell(&["flush"], "");
    assert!(flush.stderr.contains("the file 'state' of the spool was damaged"), "{}", flush.stderr);
    assert!(
        flush.stderr.contains("lines of the spool are damaged, #1.2 among them"),
        "{}",
        flush.stderr
    );
    assert!(flush.stderr.contains("the first line of segment 7"), "{}", flush.stderr);
    let texts = place.texts().join("\n");
    assert!(texts.contains("disk:/"), "{texts}");
    assert!(place.spool().join("state.damaged").exists() && place.spool().join("damaged").exists());
}

/// Runs a script in a file system of its own of that size, where the spool is.
fn on_a_disk(place: &Place, options: &str, before: &str) -> Option<Run> {
    let spool = place.spool();
    fs::create_dir_all(&spool).unwrap();
    let script = format!(
        "set -e; mount -t tmpfs -o {options} tmpfs \"$CLAW_NOTIFY_SPOOL\"; {before}\nset +e; exec \"$NOTIFY\""
    );
    let mut child = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .envs(place.settings())
        .env("NOTIFY", assert_cmd::cargo::cargo_bin("claw-notify"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        for number in 0..500 {
            let severity = if number % 2 == 0 { "INFO" } else { "ERROR" };
            let status = if number % 2 == 0 { "pass" } else { "fail" };
            let line = record(&format!("disk:/{number}"), status, severity);
            if stdin.write_all(line.as_bytes()).is_err() {
                break;
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if stderr.contains("unshare") || stderr.contains("mount:") {
        skip(&format!("no file system of one's own here: {}", stderr.trim()));
        return None;
    }
    let stdout = String::from_utf8(output.stdout).unwrap();
    Some(Run { status: output.status.code().unwrap_or(-1), stdout, stderr })
}

/// The disk is full: that is said, and everything that is loud is told all the same.
#[test]
fn a_full_disk_is_said_and_every_alert_is_told() {
    for (size, fill) in [("2m", 0), ("2m", 2000), ("64k", 0), ("1100k", 0)] {
        let place = Place::new();
        let fill = format!(
            "dd if=/dev/zero of=\"$CLAW_NOTIFY_SPOOL/fill\" bs=1k count={fill} 2>/dev/null || :"
        );
        let Some(run) = on_a_disk(&place, &format!("size={size},mode=700"), &fill) else { return };
        let passed = run.stdout.lines().filter(|line| line.contains("\"check\"")).count();
        assert_eq!(passed, 500, "{size}: {}", run.stderr);
        let told = place.texts().join("\n");
        let is_told = ["250 subjects", "251 subjects"].iter().any(|words| told.contains(words));
        assert!(is_told, "{size}: {told}\n{}", run.stderr);
        if size != "2m" {
            assert!(run.stderr.contains("No space left on device"), "{size}: {}", run.stderr);
            assert_eq!(run.status, 2, "{size}");
        }
    }
}

#[test]
fn a_spool_that_cannot_be_written_is_said_and_everything_is_told() {
    let place = Place::new();
    let read_only = "mount -o remount,ro \"$CLAW_NOTIFY_SPOOL\"";
    let Some(run) = on_a_disk(&place, "size=1m,mode=700", read_only) else { return };
    assert_eq!(run.status, 2, "{}", run.stderr);
    assert!(run.stderr.contains("Read-only file system"), "{}", run.stderr);
    assert!(run.stderr.contains("which no reboot outlives"), "{}", run.stderr);
    assert!(
        place.texts().join("\n").contains("250 records about 250 subjects"),
        "{:?}",
        place.texts()
    );
}

//! claw-notify and a Telegram that behaves badly: what is told, how often, and what is never done.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use claw_tests::bad_telegram::{BadTelegram, Mood};
use claw_tests::{Run, run, tool};
use tempfile::TempDir;

const TOKEN: &str = "123456:secret-token-of-the-bot";

/// A box with a spool and a token of its own.
struct Place {
    folder: TempDir,
    telegram: BadTelegram,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        Self { folder, telegram: BadTelegram::start() }
    }

    fn notify(&self, arguments: &[&str]) -> assert_cmd::Command {
        self.notify_at(&self.telegram.url(), arguments)
    }

    fn notify_at(&self, api: &str, arguments: &[&str]) -> assert_cmd::Command {
        let mut notify = tool("claw-notify");
        notify.args(["--format", "json", "--spool"]).arg(self.folder.path().join("spool"));
        notify.args(["--telegram-api", api]);
        notify.arg("--telegram-token-file").arg(self.folder.path().join("token"));
        notify.env("PATH", self.folder.path());
        notify.args(arguments);
        notify
    }

    fn tell(&self, arguments: &[&str], input: &str) -> Run {
        run(self.notify(arguments).write_stdin(input))
    }

    fn texts(&self) -> Vec<String> {
        self.telegram.delivered().iter().map(|seen| seen.text().to_owned()).collect()
    }
}

fn record(subject: &str, status: &str, severity: &str, message: &str) -> String {
    format!(
        r#"{{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"claw-health","event":"check","subject":"{subject}","status":"{status}","severity":"{severity}","message":"{message}"}}"#
    ) + "\n"
}

#[test]
fn m4_a_text_as_a_person_types_it() {
    let place = Place::new();
    let run = place.tell(&["--text", "--to", "telegram:5"], "backup done\n");
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let told = place.telegram.delivered();
    assert_eq!(told.len(), 1);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let expected = format!("🔵 INFO: text on {}\nbackup done\n#1.1", host.trim());
    assert_eq!((told[0].text(), told[0].chat()), (expected.as_str(), "5".to_owned()));
    assert_eq!(told[0].body["disable_notification"], true);
    assert_eq!(told[0].body.get("parse_mode"), None);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines[0], "backup done");
    let receipt: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(receipt["subject"], "telegram:5");
    assert_eq!(receipt["data"]["receipt"], "1");
}

#[test]
fn m3_an_incident_is_one_message_and_its_end_answers_it() {
    let place = Place::new();
    let down = record("unit:user/x", "fail", "CRITICAL", "it \\u001b[31mcrashed\\u202e <b>_*");
    let first = place.tell(&["--to", "telegram:-100/7"], &format!("{down}{down}"));
    assert_eq!((first.status, first.stderr.as_str()), (0, ""));
    let still = place.tell(&["--to", "telegram:-100/7"], &down);
    assert_eq!(still.status, 0);
    let up = record("unit:user/x", "pass", "INFO", "active");
    place.tell(&["--to", "telegram:-100/7"], &up);
    assert_eq!(
        place.texts(),
        [
            "🚨 CRITICAL: unit:user/x on vps\nit \\u{1b}[31mcrashed\\u{202e} <b>_*\n2 records, 2 in all\n#1.1-2",
            "🟢 well again: unit:user/x on vps\nafter less than a second: active\n2 records, 4 in all\n#2.1 #3.1",
        ]
    );
    let told = place.telegram.delivered();
    assert_eq!(told[0].body["message_thread_id"], 7);
    assert_eq!(told[1].body["reply_parameters"]["message_id"], 1);
    assert!(place.telegram.wrongs().is_empty(), "{:?}", place.telegram.wrongs());
}

/// What is asked to wait is not sent a moment earlier, and then it is.
#[test]
fn a_wait_is_obeyed_to_the_second() {
    let place = Place::new();
    place.telegram.next([Mood::Wait(2)]);
    let down = record("disk:/", "fail", "ERROR", "full");
    let run = place.tell(&["--to", "telegram:5"], &down);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let seen = place.telegram.seen();
    assert_eq!(seen.len(), 2);
    let pause = seen[1].at - seen[0].at;
    assert!(pause >= Duration::from_secs(2) && pause < Duration::from_secs(4), "{pause:?}");
    assert!(place.telegram.wrongs().is_empty());
}

/// It is obeyed by the next process as well.
#[test]
fn a_wait_outlives_the_process() {
    let place = Place::new();
    place.telegram.next([Mood::Wait(3)]);
    let down = record("disk:/", "fail", "ERROR", "full");
    let run = place.tell(&["--to", "telegram:5", "--patience", "500ms"], &down);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("1 message waits in "), "{}", run.stderr);
    let flush = place.tell(&["flush"], "");
    assert_eq!((flush.status, flush.stderr.as_str()), (0, ""));
    assert_eq!(place.texts().len(), 1);
    assert!(place.telegram.wrongs().is_empty(), "{:?}", place.telegram.wrongs());
}

#[test]
fn whatever_it_does_the_message_arrives() {
    for mood in [
        Mood::Says(500, "Internal Server Error"),
        Mood::Says(400, "Bad Request: can't parse entities: unclosed tag"),
        Mood::Garbage,
        Mood::Silent,
        Mood::Slow,
        Mood::Elsewhere("http://127.0.0.1:9/".to_owned()),
    ] {
        let place = Place::new();
        place.telegram.next([mood.clone()]);
        let down = record("disk:/", "fail", "ERROR", "full");
        let run = place.tell(&["--to", "telegram:5", "--timeout", "1s"], &down);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{mood:?}");
        assert_eq!(place.texts(), ["🔴 ERROR: disk:/ on vps\nfull\n#1.1"], "{mood:?}");
        let seen = place.telegram.seen().len();
        assert_eq!(seen, 2, "{mood:?}");
    }
}

/// Nobody can know whether it was delivered: it is, twice, with the same id.
#[test]
fn an_answer_that_is_cut_off_is_no_receipt() {
    let place = Place::new();
    place.telegram.next([Mood::Cut]);
    let run = place.tell(&["--to", "telegram:5"], &record("disk:/", "fail", "ERROR", "full"));
    assert_eq!(run.status, 0);
    assert_eq!(place.texts(), ["🔴 ERROR: disk:/ on vps\nfull\n#1.1"; 2]);
}

#[test]
fn a_group_that_moved_is_followed_and_remembered() {
    let place = Place::new();
    place.telegram.always("-5", Mood::Moved(-1005));
    for disk in ["a", "b"] {
        place.tell(&["--to", "telegram:-5"], &record(disk, "fail", "ERROR", "full"));
    }
    let chats: Vec<_> = place.telegram.seen().iter().map(|seen| seen.chat()).collect();
    assert_eq!(chats, ["-5", "-1005", "-1005"]);
}

/// One that refuses for good is told through the next one, and left alone.
#[test]
fn a_chat_that_refuses_is_left_alone_and_the_next_one_hears_of_it() {
    for (code, words) in [
        (403, "Forbidden: bot was blocked by the user"),
        (400, "Bad Request: chat not found"),
        (403, "Forbidden: bot was kicked from the group chat"),
    ] {
        let place = Place::new();
        place.telegram.always("5", Mood::Says(code, words));
        let targets = ["--to", "telegram:5", "--to", "telegram:6"];
        let first = place.tell(&targets, &record("disk:/", "fail", "ERROR", "full"));
        let refusal = format!("claw-notify: the target telegram:5 refuses: {code}: {words}\n");
        assert_eq!((first.status, first.stderr), (0, refusal), "{words}");
        place.tell(&targets, &record("disk:/data", "fail", "ERROR", "full"));
        let chats: Vec<_> = place.telegram.seen().iter().map(|seen| seen.chat()).collect();
        assert_eq!(chats, ["5", "6", "6", "6"], "{words}");
        assert_eq!(
            place.texts()[1],
            format!(
                "🔴 ERROR: notify:telegram:5 on {}\nthe target telegram:5 refuses: {code}: {words}\n#0.1",
                fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim()
            )
        );
    }
}

#[test]
fn n3_the_next_target_is_told_when_the_first_has_no_receipt_in_time() {
    let place = Place::new();
    place.telegram.always("5", Mood::Says(500, "Internal Server Error"));
    let targets = ["--to", "telegram:5", "--to", "telegram:6", "--failover", "2s"];
    let run = place.tell(&targets, &record("disk:/", "fail", "ERROR", "full"));
    assert_eq!(run.status, 0);
    let told = place.telegram.delivered();
    assert!(told[0].at - place.telegram.seen()[0].at >= Duration::from_millis(1900));
    assert_eq!(told[0].chat(), "6");
    assert_eq!(told[0].text(), "🔴 ERROR: disk:/ on vps\nfull\n#1.1");
}

#[test]
fn a_storm_is_a_handful_of_messages_and_every_record_is_in_one() {
    let place = Place::new();
    let storm: String = (0..10_000)
        .map(|number| record(&format!("disk:/{}", number % 3000), "fail", "ERROR", "full"))
        .collect();
    let run = place.tell(&["--to", "telegram:-5", "--wait", "0s"], &storm);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(
        run.stdout.lines().filter(|line| line.contains("\"event\":\"check\"")).count(),
        10_000
    );
    let told = place.telegram.delivered();
    assert!(told.len() <= 12, "{}", told.len());
    // What repeats what was told waits until there is more to say.
    let waits = place.tell(&["queue"], "");
    let counted = |run: &Run, event: &str| -> u64 {
        let records = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        let records = records.filter(|record: &serde_json::Value| record["event"] == event);
        records.map(|record| record["data"]["records_total"].as_u64().unwrap()).sum()
    };
    assert_eq!(counted(&run, "told") + counted(&waits, "queue"), 10_000);
    assert_eq!(waits.status, 1);
    assert!(place.telegram.wrongs().is_empty(), "{:?}", place.telegram.wrongs());
}

#[test]
fn a_long_text_comes_in_numbered_parts() {
    let place = Place::new();
    let lines: String = (0..800).map(|number| format!("line {number} 😀\n")).collect();
    let run = place.tell(&["--text", "--to", "telegram:5"], &lines);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(place.telegram.wrongs().is_empty(), "{:?}", place.telegram.wrongs());
    let texts = place.texts();
    assert!(texts.iter().all(|text| text.encode_utf16().count() <= 4096));
    let parts: Vec<_> = (1..)
        .zip(&texts)
        .map(|(number, text)| text.strip_prefix(&format!("({number}/3) ")).unwrap())
        .collect();
    assert_eq!(parts.len(), 3);
    assert!(parts.concat().contains(lines.trim()), "joined, the parts are the text");
    // What would be endless ends, and how much was left out is said to the byte.
    let run = place.tell(&["--text", "--to", "telegram:6"], &"x".repeat(3 * 1024 * 1024));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout.lines().next().map(str::len), Some(3 * 1024 * 1024));
    let last = place.texts().pop().unwrap();
    assert!(last.contains("… (") && last.contains(" more bytes)"), "{last}");
}

/// Two jobs that say what went wrong are told each, whatever their words are about.
#[test]
fn m4_each_text_is_told_in_its_own_words() {
    let place = Place::new();
    let tell = |text: &str| {
        let arguments = ["--text", "--severity", "ERROR", "--to", "telegram:5"];
        let run = place.tell(&arguments, text);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    };
    tell("job A failed\n");
    tell("job B failed\n");
    let texts = place.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].ends_with("\njob A failed\n#1.1"), "{texts:?}");
    assert!(texts[1].ends_with("\njob B failed\n#2.1"), "{texts:?}");
    // Lines of the journal are the same, and what says the same again is counted.
    let line = |text: &str| {
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1795403655123456\",\"_SYSTEMD_UNIT\":\"a.service\",\"PRIORITY\":\"3\",\"MESSAGE\":\"{text}\"}}\n"
        )
    };
    place.tell(&["--to", "telegram:5"], &line("disk error sda"));
    place.tell(&["--to", "telegram:5"], &(line("segfault") + &line("segfault")));
    let last = place.texts().pop().unwrap();
    assert!(last.contains("\nsegfault\n2 records"), "{last}");
}

/// A record cannot write lines or ids that look like ours.
#[test]
fn a_line_break_in_a_record_is_shown() {
    let place = Place::new();
    let forged = record("disk:/\\n🚨 fake\\n#9.9", "fail", "ERROR", "full\\n#9.8");
    place.tell(&["--to", "telegram:5"], &forged);
    let text = place.texts().pop().unwrap();
    let lines: Vec<_> = text.lines().collect();
    let expected = ["🔴 ERROR: disk:/\\n🚨 fake\\n#9.9 on vps", "full\\n#9.8", "#1.1"];
    assert_eq!(lines, expected);
}

/// The token is in the path of the request, and nowhere else.
#[test]
fn the_token_is_never_seen() {
    let place = Place::new();
    for (mood, api) in [
        (Mood::Says(401, "Unauthorized: secret-token-of-the-bot"), place.telegram.url()),
        (Mood::Well, "http://127.0.0.1:1".to_owned()),
        (Mood::Well, "http://no-such-host.invalid".to_owned()),
        (Mood::Well, "no url".to_owned()),
        (Mood::Well, "http://[".to_owned()),
    ] {
        place.telegram.always("5", mood);
        let words = ["--to", "telegram:5", "--patience", "100ms", "--failover", "50ms"];
        let record = record(&api, "fail", "ERROR", "full");
        let run = run(place.notify_at(&api, &words).write_stdin(record));
        let is_usage = !api.starts_with("http");
        assert_eq!(run.status, if is_usage { 2 } else { 1 }, "{api}: {}", run.stderr);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains("secret-token"), "{said}");
        assert!(!said.contains("123456:"), "{said}");
    }
    for entry in fs::read_dir(place.folder.path().join("spool")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("secret-token"), "{}: {text}", path.display());
    }
}

/// Whoever finds out when it matters that nobody is told finds out too late.
#[test]
fn m6_every_target_is_tried_from_time_to_time_and_one_that_fails_is_told_by_the_others() {
    let place = Place::new();
    place.telegram.always("6", Mood::Says(403, "Forbidden: bot was blocked by the user"));
    let every = |time| {
        ["--patience", "1500ms", "--test-every", time, "--to", "telegram:5", "--also", "telegram:6"]
    };
    let first = place.tell(&every("1h"), "");
    assert_eq!(first.status, 1, "{}", first.stderr);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let told = place.texts();
    assert_eq!(told.len(), 2, "{told:?}");
    let trial =
        format!("🔵 INFO: notify:test on {}\nthis is a test: all is well\n#0.1", host.trim());
    assert_eq!(told[0], trial);
    assert!(told[1].contains("the target telegram:6 refuses"), "{told:?}");
    // It is not time for the next one, which waits behind the first where that did not come through.
    place.tell(&every("1h"), "");
    assert_eq!(place.texts().len(), 2);
    place.tell(&every("2s"), "");
    assert_eq!(place.texts().len(), 3);
    // Never, as long as nobody asks for it.
    let other = Place::new();
    assert_eq!(other.tell(&["--to", "telegram:5"], "").status, 0);
    assert!(other.texts().is_empty());
}

/// What a record says is told without the secrets in it, and does not lie about in the spool either.
#[test]
fn l7_no_secret_leaves_the_box_in_an_alert() {
    let place = Place::new();
    let held = "Zk3vQ9xT1mB7sR5wLpN2yHcD";
    let credentials = place.folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("claw_anything"), held).unwrap();
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let line = record("job:x", "fail", "ERROR", &format!("pushed with {token}, then {held}"));
    let mut notify = place.notify(&["--to", "telegram:5"]);
    notify.arg("--state").arg(place.folder.path().join("state"));
    notify.env("CREDENTIALS_DIRECTORY", &credentials);
    let run = run(notify.write_stdin(line.clone()));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout.lines().next(), Some(line.trim()), "what is passed on is unchanged");
    let text = place.texts().pop().unwrap();
    assert!(!text.contains(token) && !text.contains(held), "{text}");
    assert!(
        text.contains("pushed with [redacted:") && text.matches("[redacted:").count() == 2,
        "{text}"
    );
    for file in ["in/00000001", "state", "receipts"] {
        let kept = fs::read_to_string(place.folder.path().join("spool").join(file)).unwrap();
        assert!(!kept.contains(token) && !kept.contains(held), "{file}: {kept}");
    }
}

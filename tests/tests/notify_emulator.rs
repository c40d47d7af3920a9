//! claw-notify and a Bot API that somebody else wrote: what it holds in the end, by its own word.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use claw_tests::{Run, run, skip, tool};
use serde_json::Value;
use tempfile::TempDir;

const PACKAGE: &str = "telegram-test-api@4.2.1";
const TOKEN: &str = "123456:token";

/// The folder that the emulator is installed in; nothing where it cannot be had.
fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE);
    if folder.join("done").exists() {
        return Some(folder);
    }
    fs::create_dir_all(&folder).unwrap();
    let install = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&folder)
        .arg(PACKAGE)
        .output();
    let why = match install {
        Ok(output) if output.status.success() => {
            fs::write(folder.join("done"), "").unwrap();
            return Some(folder);
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            said.lines().find(|line| line.contains("error")).unwrap_or_default().to_owned()
        }
        Err(error) => error.to_string(),
    };
    skip(&format!("npm cannot install {PACKAGE}: {why}"));
    None
}

struct Emulator {
    spool: TempDir,
    port: u16,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Emulator {
    fn start() -> Option<Self> {
        let folder = installed()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("emulator.mjs"))
            .args([folder.to_str().unwrap(), &port.to_string(), TOKEN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let spool = tempfile::tempdir().unwrap();
        let mut emulator = Self { spool, port, child, input, output: BufReader::new(output) };
        assert_eq!(emulator.line(), "ready\n");
        Some(emulator)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// What it holds that the bot has sent: its number, and the message.
    fn holds(&mut self) -> Vec<(i64, Value)> {
        writeln!(self.input, "history").unwrap();
        let history: Vec<Value> = serde_json::from_str(&self.line()).unwrap();
        let sent = history
            .into_iter()
            .map(|mut update| (update["messageId"].as_i64().unwrap(), update["message"].take()));
        sent.collect()
    }

    fn tell(&self, arguments: &[&str], input: &str) -> Run {
        let token = self.spool.path().join("token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let mut notify = tool("claw-notify");
        notify.args(["--format", "json", "--to", "telegram:5", "--telegram-token-file"]);
        notify.arg(token).args(["--telegram-api", &format!("http://127.0.0.1:{}", self.port)]);
        notify.arg("--spool").arg(self.spool.path().join("spool")).args(arguments);
        let told = run(notify.write_stdin(input));
        assert_eq!((told.status, told.stderr.as_str()), (0, ""), "{}", told.stdout);
        told
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn record(status: &str, severity: &str, message: &str) -> String {
    format!(
        r#"{{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"claw-health","event":"check","subject":"disk:/","status":"{status}","severity":"{severity}","message":"{message}"}}"#
    ) + "\n"
}

fn receipt(told: &Run) -> i64 {
    let records: Vec<Value> =
        told.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = records.iter().find(|record| record["event"] == "told").unwrap();
    told["data"]["receipt"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_message_its_answer_and_a_long_text_are_what_an_emulator_holds() {
    let Some(mut emulator) = Emulator::start() else { return };
    let first = receipt(&emulator.tell(&[], &record("fail", "ERROR", "80 % <b>_*` 😀")));
    let second = receipt(&emulator.tell(&[], &record("pass", "INFO", "60 %")));
    let held = emulator.holds();
    assert_eq!(held.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [first, second]);
    let [(_, opened), (_, over)] = &held[..] else { panic!("{held:?}") };
    assert_eq!(opened["text"], "🔴 ERROR: disk:/ on vps\n80 % <b>_*` 😀\n#1.1");
    assert_eq!((&opened["chat_id"], opened.get("parse_mode")), (&"5".into(), None));
    let text = over["text"].as_str().unwrap();
    assert!(text.starts_with("🟢 well again: disk:/ on vps\nafter "), "{text}");
    assert_eq!(over["reply_parameters"]["message_id"], first);
    assert_eq!(over["disable_notification"], true);
    // It is cut only where the words or the remedy alone are longer than this.
    let lines: String =
        (0..80).map(|number| format!("line {number} of a long text 😀\\n")).collect();
    let long =
        record("fail", "ERROR", &lines).replace("\"}", &format!("\",\"remedy\":\"{lines}\"}}"));
    let third = receipt(&emulator.tell(&[], &long));
    let parts = emulator.holds().split_off(2);
    assert!(parts.len() > 1 && parts[0].0 == third, "{third}: {parts:?}");
    let all = parts.len();
    let mut whole = String::new();
    for (number, (_, part)) in (1..).zip(&parts) {
        let text = part["text"].as_str().unwrap();
        assert!(text.encode_utf16().count() <= 4096);
        whole += text.strip_prefix(&format!("({number}/{all}) ")).unwrap();
    }
    // The line breaks of a record are shown.
    assert_eq!(whole.matches(&lines).count(), 2, "{whole}");
}

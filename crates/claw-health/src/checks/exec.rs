//! What does a command say, a monitoring plug-in or any other?

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use claw_box::child::{self, Ended, NotEnded};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::Finding;
use crate::look::Look;
use crate::performance;

pub(super) const CHECK: Check = Check {
    name: "exec",
    about: "any command by its exit status, and any Nagios plug-in with its performance data",
    operand: "COMMAND",
    settings: &[],
    find: Find::Asked,
    needs: Needs::Running,
    waits: true,
    runs_programs: true,
    every_seconds: 0,
    is_sure: false,
    run,
};

fn run(look: &Look) -> Found {
    if !look.host.is_running() {
        return Err("a command looks at this box, not at a tree of files".to_owned());
    }
    let limit = look.time_left();
    let mut shell = Command::new("/bin/sh");
    let shell = shell.arg("-c").arg(&look.operand).env("LC_ALL", "C");
    match child::run(shell, look.deadline) {
        Ok(ended) => Ok(vec![judge(look.subject(), &ended)]),
        Err(NotEnded::NotStarted(error)) => Err(format!("cannot run '/bin/sh': {error}")),
        Err(NotEnded::Late) => {
            let seconds = (limit.as_secs_f64() * 10.0).round() / 10.0;
            Err(format!("it did not end within {seconds} s and was killed"))
        }
    }
}

pub(super) fn judge(subject: String, ended: &Ended) -> Finding {
    let stdout = String::from_utf8_lossy(&ended.stdout);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let (line, values) = performance::split(&stdout);
    let complaint = stderr.lines().map(str::trim).find(|line| !line.is_empty());
    // What it says itself, cut to what a sentence bears.
    let told = shortened(if line.is_empty() { complaint.unwrap_or_default() } else { line });
    let or = |words: &str| if told.is_empty() { words.to_owned() } else { told.clone() };
    if let Some(signal) = signal_name(ended.status) {
        let told = if told.is_empty() { told } else { format!(": {told}") };
        return Finding::fail(subject, format!("it was ended by {signal}{told}"))
            .note("signal", signal);
    }
    let status = ended.status.code().unwrap_or_default();
    let finding = match status {
        0 => Finding::pass(subject, or("it ended with status 0 and said nothing")),
        // A plug-in warns with a line of output; `false` and `test` say nothing.
        1 if !stdout.trim().is_empty() => {
            Finding::warn(subject, or("it ended with status 1 and its first line says nothing"))
        }
        3 => Finding::unknown(subject, or("it ended with status 3 and said nothing")),
        126 => Finding::unknown(
            subject,
            format!("cannot run it: {}", or("it is not a program, or not for me to run")),
        ),
        127 => Finding::unknown(subject, format!("cannot run it: {}", or("no such command"))),
        // The shell of a child that a signal ended.
        129..=192 if told.is_empty() => {
            let signal = Signal::try_from(status - 128);
            let signal = signal.map_or_else(|_| status.to_string(), |signal| signal.to_string());
            Finding::fail(subject, format!("it ended with status {status}, as after {signal}"))
        }
        _ => Finding::fail(subject, or(&format!("it ended with status {status} and said nothing"))),
    };
    let finding = finding.note("exit_status", status);
    if values.is_empty() { finding } else { finding.note("performance", Value::from(values)) }
}

/// How a program ended that did not exit by itself: the signal's name.
fn signal_name(status: ExitStatus) -> Option<String> {
    let number = status.signal()?;
    Some(Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |s| s.to_string()))
}

fn shortened(text: &str) -> String {
    const LONGEST_CHARS: usize = 500;
    match text.char_indices().nth(LONGEST_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: i32, stdout: &str, stderr: &str) -> Finding {
        let status = ExitStatus::from_raw(status << 8);
        judge(
            "exec:x".into(),
            &Ended { status, stdout: stdout.as_bytes().into(), stderr: stderr.as_bytes().into() },
        )
    }

    #[test]
    fn each_exit_status_means_what_it_means_to_a_plug_in() {
        for (status, stdout, stderr, expected) in [
            (0, "LOAD OK | a=1\nmore", "", "pass LOAD OK"),
            (0, "", "", "pass it ended with status 0 and said nothing"),
            (0, "\n\nlate words", "", "pass late words"),
            (1, "DISK WARNING", "", "warn DISK WARNING"),
            (1, " | a=1", "", "warn it ended with status 1 and its first line says nothing"),
            (1, "", "", "fail it ended with status 1 and said nothing"),
            (1, "", "oh\n", "fail oh"),
            (2, "", "\n sh: syntax\n", "fail sh: syntax"),
            (2, "HTTP CRITICAL", "noise", "fail HTTP CRITICAL"),
            (3, "who knows", "", "unknown who knows"),
            (
                126,
                "",
                "sh: 1: /: Permission denied",
                "unknown cannot run it: sh: 1: /: Permission denied",
            ),
            (126, "", "", "unknown cannot run it: it is not a program, or not for me to run"),
            (127, "", "", "unknown cannot run it: no such command"),
            (137, "", "", "fail it ended with status 137, as after SIGKILL"),
            (255, "", "", "fail it ended with status 255 and said nothing"),
        ] {
            let finding = ended(status, stdout, stderr);
            assert_eq!(format!("{} {}", finding.status, finding.message), expected);
            assert_eq!(finding.data["exit_status"], status);
        }
    }

    #[test]
    fn a_signal_has_a_name() {
        let killed = Ended { status: ExitStatus::from_raw(11), stdout: vec![], stderr: vec![] };
        let finding = judge("exec:x".into(), &killed);
        assert_eq!(finding.message, "it was ended by SIGSEGV");
        assert_eq!(finding.data["signal"], "SIGSEGV");
    }

    #[test]
    fn a_long_line_is_cut() {
        let finding = ended(0, &"é".repeat(60_000), "");
        assert_eq!(finding.message.chars().count(), 501);
    }
}

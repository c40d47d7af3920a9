//! A crash as it is told: what it was, what was said last, and what to look at.

use claw_record::Severity;
use serde_json::Value;

use super::changed::Changes;
use super::track::Seen;
use crate::checks::unit::signal;
use crate::crash::bundle::Bundle;
use crate::crash::end::End;
use crate::crash::failure::Failure;
use crate::crash::node::last_words;
use crate::crash::redact::{redact, redacted};
use crate::crash::{Cause, words};
use crate::finding::{Finding, bytes};
use crate::journalctl::follow::Output;

/// All that is known of a crash.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) subject: String,
    pub(super) is_gateway: bool,
    pub(super) seen: Seen,
    /// The main process.
    pub(super) pid: Option<u64>,
    /// What it wrote last, or why nobody can tell.
    pub(super) output: Result<Vec<Output>, String>,
    /// What OpenClaw wrote of it.
    pub(super) bundle: Option<Bundle>,
    /// Where that was copied to, or why it was not.
    pub(super) evidence: Option<Result<String, String>>,
    pub(super) changes: Option<Changes>,
    /// Where memory ran out.
    pub(super) killed: Option<Killed>,
    /// What to type.
    pub(super) remedy: String,
    /// When it was, as records have it.
    pub(super) at: String,
}

/// What is known of a want of memory.
#[derive(Debug)]
pub(super) struct Killed {
    /// The process that the kernel killed, and its name.
    pub(super) process: Option<(u64, String)>,
    /// What the unit may have.
    pub(super) limit_bytes: Option<u64>,
}

impl Killed {
    /// As it follows the cause.
    fn words(&self) -> String {
        let process = self.process.as_ref();
        let process = process.map(|(pid, name)| format!("; killed was process {pid} ({name})"));
        let limit = self.limit_bytes.map(|limit| format!("; limit {}", bytes(limit as f64)));
        [process, limit].into_iter().flatten().collect()
    }
}

impl Incident {
    /// The finding of it, without anything secret that the lines held.
    pub(super) fn finding(&self) -> Finding {
        let last = last_words(&self.said()).filter(|_| self.may_have_said());
        // OpenClaw's own word goes before what was said, and that before what systemd saw.
        let of_bundle = self.bundle.as_ref().map(|bundle| bundle.cause);
        let cause = of_bundle.or(last.as_ref().map(|last| last.cause)).unwrap_or(self.seen.cause);
        let is_either = of_bundle.is_none() && last.as_ref().is_some_and(|last| last.is_either);
        let failure = self.bundle.as_ref().and_then(|bundle| bundle.error.clone());
        let failure = failure.or(last.map(|last| last.failure)).map(|failure| failure.map(redact));
        let mut said = words(cause, failure.as_ref(), self.seen.end.as_ref(), self.is_gateway);
        if is_either {
            said = said.replacen("uncaught exception", "uncaught exception or rejection", 1);
        }
        if let Some(result) = self.seen.result.as_deref().filter(|_| said.is_empty()) {
            said = format!("systemd gave it the result '{result}'");
        }
        let what = match cause {
            Cause::Hang => "hangs",
            Cause::StartLimit => "given up",
            _ => "crashed",
        };
        let mut message = format!("{what}: {said}");
        message.extend(self.killed.iter().map(Killed::words));
        if let Some(count) = self.seen.restarts.filter(|count| *count > 0) {
            message += &format!("; {count} restart{} so far", if count == 1 { "" } else { "s" });
        }
        if let Some(changes) = self.changes.as_ref().filter(|changes| !changes.is_empty()) {
            message += &format!("; since it was last well, {changes}");
        }
        let finding = match cause {
            Cause::UnhandledRejection => Finding::fail(&self.subject, message),
            _ => Finding { severity: Severity::Critical, ..Finding::fail(&self.subject, message) },
        };
        let word = match cause {
            // What kept it from starting is told by its exit status.
            Cause::StartupFailed => Cause::Exit.word(),
            cause => cause.word(),
        };
        let mut finding = finding.note("cause", word).note("at", self.at.as_str());
        if !self.remedy.is_empty() {
            finding = finding.remedy(self.remedy.clone());
        }
        if is_either {
            finding = finding.note("may_be_rejection", true);
        }
        self.with_data(finding, failure)
    }

    fn with_data(&self, finding: Finding, failure: Option<Failure>) -> Finding {
        /// As many lines as people read.
        const LAST_LINES: usize = 10;
        const LONGEST_CHARS: usize = 1000;
        let mut notes: Vec<(&str, Option<Value>)> = Vec::new();
        let end = self.seen.end.as_ref();
        notes.push(("exit_code", end.and_then(|end| end.exit_code).map(Value::from)));
        notes.push(("signal", end.and_then(|end| end.signal).map(|number| signal(number).into())));
        notes.push(("core", end.filter(|end| end.is_dumped).map(|_| true.into())));
        notes.push(("result", self.seen.result.clone().map(Value::from)));
        let pid = self.pid.or(self.bundle.as_ref().map(|bundle| bundle.pid));
        notes.push(("pid", pid.map(Value::from)));
        let invocation = Some(self.seen.invocation.clone()).filter(|text| !text.is_empty());
        notes.push(("invocation", invocation.map(Value::from)));
        notes.push(("restarts_total", self.seen.restarts.map(Value::from)));
        if let Some(Killed { process, limit_bytes }) = &self.killed {
            notes.push(("killed_pid", process.as_ref().map(|(pid, _)| (*pid).into())));
            notes.push(("killed_name", process.as_ref().map(|(_, name)| name.clone().into())));
            notes.push(("memory_limit_bytes", limit_bytes.map(Value::from)));
        }
        if let Some(Failure { name, message, own_line }) = failure {
            notes.push(("error_name", name.map(Value::from)));
            notes.push(("error_message", message.map(Value::from)));
            notes.push(("error_at", own_line.map(Value::from)));
        }
        match &self.output {
            Ok(lines) => {
                let lines = redacted(lines.iter().map(|line| line.text.as_str()));
                let short = |line: &String| line.chars().take(LONGEST_CHARS).collect::<String>();
                let last = lines.iter().skip(lines.len().saturating_sub(LAST_LINES)).map(short);
                notes.push(("last_lines", Some(last.collect::<Vec<_>>().into())));
            }
            Err(why) => notes.push(("journal_unread", Some(why.clone().into()))),
        }
        match &self.evidence {
            Some(Ok(path)) => notes.push(("evidence", Some(path.clone().into()))),
            Some(Err(why)) => notes.push(("evidence_lost", Some(why.clone().into()))),
            None => {}
        }
        if let Some(changes) = &self.changes {
            notes.push(("changed", Some(changes.names().into())));
            notes.push(("well_at", Some(changes.well_at().into())));
        }
        notes.into_iter().fold(finding, |finding, (key, value)| match value {
            Some(value) => finding.note(key, value),
            None => finding,
        })
    }

    /// What the main process said, or where nobody knows which one that was, any of them.
    fn said(&self) -> Vec<&str> {
        let lines = || self.output.iter().flatten();
        let main = lines().any(|line| line.pid.is_some() && line.pid == self.pid);
        let said = lines().filter(|line| !main || line.pid == self.pid);
        said.map(|line| line.text.as_str()).collect()
    }

    /// Did it end so that what it said last is about its end?
    fn may_have_said(&self) -> bool {
        const OWN: [i32; 3] = [libc::SIGABRT, libc::SIGTRAP, libc::SIGILL];
        let is_own = |number: i64| OWN.iter().any(|own| i64::from(*own) == number);
        let is_of_cause = matches!(self.seen.cause, Cause::Exit | Cause::Signal);
        let end = self.seen.end.as_ref().filter(|_| is_of_cause);
        end.is_some_and(|end| end.exit_code.is_some() || end.signal.is_some_and(is_own))
    }
}

/// Did it end as Node does that says why?
pub(super) fn says_why(seen: &Seen) -> bool {
    /// Of what nobody caught, and of what went wrong in catching it.
    const OWN: [i64; 2] = [1, 7];
    let abort = Some(i64::from(libc::SIGABRT));
    let is_own =
        |end: &End| end.exit_code.is_some_and(|code| OWN.contains(&code)) || end.signal == abort;
    matches!(seen.cause, Cause::Exit | Cause::Signal) && seen.end.as_ref().is_some_and(is_own)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::journalctl::{Entry, Event};

    /// A gateway that ended so, and wrote these lines.
    fn incident(code: &str, status: i64, lines: &[&str]) -> Incident {
        let at = datetime!(2026-11-22 14:00 UTC);
        let entry = Entry { at, invocation: "ab".to_owned(), event: Event::Started };
        let end = End::of(&entry, code, status);
        let line = |text: &&str| Output { pid: Some(7), text: (*text).to_owned() };
        Incident {
            subject: "unit:user/gw.service".to_owned(),
            is_gateway: true,
            seen: Seen {
                at,
                invocation: "ab".to_owned(),
                cause: end.cause,
                end: Some(end),
                result: None,
                restarts: Some(1),
            },
            pid: Some(7),
            output: Ok(lines.iter().map(line).collect()),
            bundle: None,
            evidence: None,
            changes: None,
            killed: None,
            remedy: "look".to_owned(),
            at: "2026-11-22T14:00:00.000Z".to_owned(),
        }
    }

    fn told(incident: &Incident) -> String {
        let finding = incident.finding();
        let mut data = finding.data.clone();
        for key in ["at", "pid", "invocation", "last_lines", "restarts_total"] {
            assert!(data.remove(key).is_some(), "{key}");
        }
        format!("{} {}", finding.line(), Value::Object(data))
    }

    const TRACE: [&str; 6] = [
        "/home/dev/a.js:1",
        "throw new TypeError('boom')",
        "^",
        "TypeError: boom",
        "    at run (/home/dev/a.js:1:7)",
        "Node.js v26.10.0",
    ];

    #[test]
    fn a1_a_crash_is_told_in_full() {
        for (code, status, lines, expected) in [
            (
                "killed",
                9,
                &["ready"][..],
                r#"fail CRITICAL crashed: killed by SIGKILL; 1 restart so far > look {"cause":"signal","signal":"SIGKILL"}"#,
            ),
            (
                "dumped",
                11,
                &[],
                r#"fail CRITICAL crashed: killed by SIGSEGV, core dumped; 1 restart so far > look {"cause":"signal","core":true,"signal":"SIGSEGV"}"#,
            ),
            (
                "exited",
                1,
                &TRACE,
                r#"fail CRITICAL crashed: uncaught exception or rejection: TypeError: boom, exit status 1; 1 restart so far > look {"cause":"uncaught-exception","error_at":"run (/home/dev/a.js:1:7)","error_message":"boom","error_name":"TypeError","exit_code":1,"may_be_rejection":true}"#,
            ),
            (
                "exited",
                1,
                &[
                    r#"claw-preload: {"origin":"unhandledRejection","name":"Error","message":"token=abc"}"#,
                ],
                r#"fail ERROR crashed: unhandled rejection: Error: token=[redacted], exit status 1; 1 restart so far > look {"cause":"unhandled-rejection","error_message":"token=[redacted]","error_name":"Error","exit_code":1}"#,
            ),
            (
                "killed",
                6,
                &[
                    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
                ],
                r#"fail CRITICAL crashed: out of memory, its JavaScript heap is full: Reached heap limit Allocation failed - JavaScript heap out of memory, killed by SIGABRT; 1 restart so far > look {"cause":"oom","error_message":"Reached heap limit Allocation failed - JavaScript heap out of memory","signal":"SIGABRT"}"#,
            ),
            // What was said before it was killed is not why.
            (
                "killed",
                9,
                &TRACE,
                r#"fail CRITICAL crashed: killed by SIGKILL; 1 restart so far > look {"cause":"signal","signal":"SIGKILL"}"#,
            ),
        ] {
            assert_eq!(told(&incident(code, status, lines)), expected);
        }
    }

    #[test]
    fn a1_want_of_memory_is_told_with_whom_the_kernel_killed_and_the_limit() {
        let mut incident = incident("killed", 9, &[]);
        incident.seen.cause = Cause::Oom;
        let process = Some((7, "node".to_owned()));
        incident.killed = Some(Killed { process, limit_bytes: Some(2_000_000_000) });
        assert_eq!(
            told(&incident),
            r#"fail CRITICAL crashed: out of memory, killed by the kernel; killed was process 7 (node); limit 2.0 GB; 1 restart so far > look {"cause":"oom","killed_name":"node","killed_pid":7,"memory_limit_bytes":2000000000,"signal":"SIGKILL"}"#
        );
    }

    #[test]
    fn the_last_lines_are_ten_and_hold_no_secret() {
        let lines: Vec<_> = (0..30).map(|number| format!("{number} password=x{number}")).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let last = incident("exited", 3, &lines).finding().data["last_lines"].clone();
        let last = last.as_array().unwrap().clone();
        assert_eq!((last.len(), &last[9]), (10, &"29 password=[redacted]".into()));
    }

    /// A child of it may have written a stack of its own.
    #[test]
    fn only_what_the_main_process_said_is_about_its_end() {
        let mut incident = incident("exited", 1, &TRACE);
        if let Ok(lines) = &mut incident.output {
            lines.iter_mut().for_each(|line| line.pid = Some(8));
            lines.push(Output { pid: Some(7), text: "gone".to_owned() });
        }
        assert_eq!(incident.finding().data["cause"], "exit");
    }
}

//! Interface to journalctl: what a manager of systemd noted of a unit.
//!
//! Only entries that the manager itself wrote count, by the fields that the journal adds and nobody
//! can write. To a user's manager that means: whatever runs as that user can write them as well.

pub(crate) mod follow;

use std::process::Command;
use std::time::Instant;

use claw_box::Scope;
use claw_box::child::{self, Ended, NotEnded};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

/// The journal of one unit, as far as whoever asks may read it.
pub(crate) struct Journal<'a> {
    pub(crate) scope: Scope,
    pub(crate) unit: &'a str,
    /// The user whose manager it is.
    pub(crate) uid: u32,
    pub(crate) deadline: Instant,
}

/// Something that the manager noted of the unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(with = "time::serde::timestamp::microseconds")]
    pub(crate) at: OffsetDateTime,
    /// The start of the unit that it belongs to.
    pub(crate) invocation: String,
    pub(crate) event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Started,
    /// Somebody asked for its end.
    Stopping,
    /// The kernel killed one of its processes.
    OutOfMemory,
    /// Its main process ended without success: `exited`, `killed` or `dumped`, and the exit status
    /// or the signal.
    Ended {
        code: String,
        status: i64,
    },
    /// A process that only prepares it ended so.
    HelperEnded {
        code: String,
        status: i64,
    },
    /// It did not feed its watchdog, and is killed for that.
    WatchdogTimeout,
    /// It did not come up in its time, and is ended for that.
    StartTimeout,
    /// It ran for as long as it may, and is ended for that.
    RuntimeLimit,
    /// It is over, and all is well.
    Succeeded,
    /// It failed, and with what result: `signal`, `watchdog` …
    Failed(String),
    /// The manager starts it anew by itself, for the so-many-th time.
    Restarting(u64),
    /// It was to be started too often, and is not any more.
    StartLimit,
}

/// What is asked for, by the ids of sd-messages(3).
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";
const OUT_OF_MEMORY: &str = "fe6faa94e7774663a0da52717891d8ef";
const ENDED: &str = "98e322203f7a4ed290d09fe03c09fe15";
const SUCCEEDED: &str = "7ad2d189f7e94e70a38c781354912448";
const RESTARTING: &str = "5eb03494b6584870a536b337290809b3";
const FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";

impl Journal<'_> {
    /// What is noted of the latest ends of the unit that were no success, the newest first.
    pub(crate) fn ends(&self) -> Result<Vec<Entry>, String> {
        /// What comes back is a few kilobytes. Of so many ends that were asked for and still no
        /// success, one may be the last.
        const MOST: &str = "--lines=10";
        const ALL_OF_THEM: &str = "--lines=60";
        let ends = self.read(MOST, &[format!("MESSAGE_ID={ENDED}")])?;
        let mut matches: Vec<_> = [STARTED, STOPPING, OUT_OF_MEMORY, ENDED, FAILED]
            .map(|id| format!("MESSAGE_ID={id}"))
            .to_vec();
        let field = match self.scope {
            Scope::System => "INVOCATION_ID",
            Scope::User => "USER_INVOCATION_ID",
        };
        let invocations: Vec<_> = ends
            .iter()
            .filter(|entry| !entry.invocation.is_empty())
            .map(|entry| format!("{field}={}", entry.invocation))
            .collect();
        if invocations.is_empty() {
            return Ok(ends);
        }
        matches.extend(invocations);
        self.read(ALL_OF_THEM, &matches)
    }

    /// The time of the oldest entry of the manager; nothing where there is none to be read.
    pub(crate) fn oldest(&self) -> Result<Option<OffsetDateTime>, String> {
        // From the oldest on, until nobody reads on: versions before 254 cannot count from there.
        let mut command = Command::new("sh");
        command.args(["-c", r#"journalctl "$@" | head -n 1"#, "journalctl"]);
        let text = run(command.args(OPTIONS).arg(self.writer()), self.deadline)?;
        Ok(text.lines().find_map(|line| serde_json::from_str::<Line>(line).ok()?.at()))
    }

    fn read(&self, lines: &str, matches: &[String]) -> Result<Vec<Entry>, String> {
        let unit = match self.scope {
            Scope::System => format!("UNIT={}", self.unit),
            Scope::User => format!("USER_UNIT={}", self.unit),
        };
        let mut command = Command::new("journalctl");
        command.args(OPTIONS).args(["--reverse", lines, &unit, &self.writer()]).args(matches);
        Ok(parse(&run(&mut command, self.deadline)?))
    }

    fn writer(&self) -> String {
        writer(self.scope, self.uid)
    }
}

/// Who writes what the manager notes.
fn writer(scope: Scope, uid: u32) -> String {
    match scope {
        Scope::System => "_PID=1".to_owned(),
        Scope::User => format!("_UID={uid}"),
    }
}

/// Runs journalctl, and gives what it wrote.
fn run(command: &mut Command, deadline: Instant) -> Result<String, String> {
    command.env_clear().env("LC_ALL", "C");
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    let ended = child::run(command, deadline).map_err(|why| match why {
        NotEnded::NotStarted(error) => format!("cannot run 'journalctl': {error}"),
        NotEnded::Late => "'journalctl' did not end in time".to_owned(),
    })?;
    match complaint(&ended) {
        Some(why) => Err(format!("'journalctl' failed: {why}")),
        None => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
    }
}

const OPTIONS: [&str; 4] = [
    "--quiet",
    "--no-pager",
    "--output=json",
    "--output-fields=MESSAGE_ID,EXIT_CODE,EXIT_STATUS,COMMAND,UNIT_RESULT,INVOCATION_ID,USER_INVOCATION_ID",
];

/// Why there is no answer. What it wrote is one, whatever it complained of beside: of a file that was
/// cut by a power cut it reads the rest. No entry at all is an answer as well, with any status.
fn complaint(ended: &Ended) -> Option<String> {
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let words = stderr.lines().map(str::trim).find(|line| !line.is_empty());
    if !ended.stdout.is_empty() {
        return None;
    }
    words.map(|words| words.chars().take(200).collect())
}

/// An entry as `journalctl --output=json` writes it.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    time: String,
    #[serde(rename = "MESSAGE_ID")]
    id: Option<String>,
    #[serde(rename = "EXIT_CODE")]
    code: Option<String>,
    #[serde(rename = "EXIT_STATUS")]
    status: Option<String>,
    #[serde(rename = "COMMAND")]
    command: Option<String>,
    #[serde(rename = "UNIT_RESULT")]
    result: Option<String>,
    #[serde(rename = "INVOCATION_ID")]
    invocation: Option<String>,
    #[serde(rename = "USER_INVOCATION_ID")]
    user_invocation: Option<String>,
    #[serde(rename = "N_RESTARTS")]
    restarts: Option<String>,
    /// Text, or bytes, or nothing where it is too large.
    #[serde(rename = "MESSAGE", default)]
    message: Value,
}

impl Line {
    fn at(&self) -> Option<OffsetDateTime> {
        let microseconds: i128 = self.time.parse().ok()?;
        OffsetDateTime::from_unix_timestamp_nanos(microseconds.checked_mul(1000)?).ok()
    }

    fn event(&self) -> Option<Event> {
        let Some(id) = self.id.as_deref() else { return self.said() };
        Some(match id {
            STARTED => Event::Started,
            STOPPING => Event::Stopping,
            SUCCEEDED => Event::Succeeded,
            OUT_OF_MEMORY => Event::OutOfMemory,
            FAILED => Event::Failed(self.result.clone()?),
            RESTARTING => Event::Restarting(self.restarts.as_ref()?.parse().ok()?),
            ENDED => {
                let (code, status) = (self.code.clone()?, self.status.as_ref()?.parse().ok()?);
                // That of a process which only prepares or ends it is none of its own.
                match self.command.as_deref() {
                    None | Some("ExecStart") => Event::Ended { code, status },
                    Some(_) => Event::HelperEnded { code, status },
                }
            }
            _ => return None,
        })
    }

    /// What has no id of its own, only words: `NAME: WORDS`.
    fn said(&self) -> Option<Event> {
        let (_, words) = self.message.as_str()?.split_once(": ")?;
        if words.starts_with("Start request repeated too quickly") {
            Some(Event::StartLimit)
        } else if words.starts_with("Watchdog timeout") {
            Some(Event::WatchdogTimeout)
        } else if words.starts_with("start") && words.contains(" operation timed out") {
            Some(Event::StartTimeout)
        } else if words.starts_with("Service reached runtime time limit") {
            Some(Event::RuntimeLimit)
        } else {
            None
        }
    }

    fn entry(self) -> Option<Entry> {
        let (at, event) = (self.at()?, self.event()?);
        // It becomes a match again, which must be what it looks like.
        let is_id = |id: &String| id.chars().all(|c| c.is_ascii_hexdigit());
        let invocation = self.user_invocation.or(self.invocation).filter(is_id);
        Some(Entry { at, invocation: invocation.unwrap_or_default(), event })
    }
}

/// One entry a line; what is none, or of another kind, is passed over.
pub(crate) fn parse(text: &str) -> Vec<Entry> {
    text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()?.entry()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn what_a_manager_noted_is_read() {
        let entries = parse(include_str!("../../fixtures/openclaw/journal-crash.jsonl"));
        let told: Vec<_> =
            entries.iter().take(4).map(|entry| (&entry.invocation[..4], &entry.event)).collect();
        let ended = |code: &str, status| Event::Ended { code: code.to_owned(), status };
        assert_eq!(
            told,
            [
                ("3f76", &Event::Started),
                ("3f76", &ended("killed", 9)),
                ("3f76", &Event::Failed("signal".to_owned())),
                ("7a92", &Event::Started),
            ]
        );
        assert_eq!(entries[1].at.unix_timestamp(), 1_795_356_042);
    }

    #[test]
    fn what_is_no_entry_of_the_kind_is_passed_over() {
        for line in [
            "",
            "{",
            r#"{"__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"__REALTIME_TIMESTAMP":"x","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf"}"#,
            r#"{"__REALTIME_TIMESTAMP":"999999999999999999999999999999999999","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf"}"#,
            // A field that was written twice is an array, one that is too large null.
            r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE_ID":["39f53479d3a045ac8e11786248231fbf","x"]}"#,
            r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":null}"#,
            r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":"x.service: Something else."}"#,
            r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":"Watchdog timeout"}"#,
        ] {
            assert_eq!(parse(line), [], "{line}");
        }
        let odd = r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf","INVOCATION_ID":"+"}"#;
        assert_eq!(parse(odd)[0].invocation, "");
    }

    #[test]
    fn only_what_it_complained_of_without_an_answer_is_a_failure() {
        let refused = "No journal files were opened due to insufficient permissions.";
        for (status, stdout, stderr, expected) in [
            (1, "", refused, Some(refused)),
            (0, "", "sh: 1: journalctl: not found\n", Some("sh: 1: journalctl: not found")),
            (0, "{}\n", "Journal file uses an unsupported feature, ignoring file.", None),
            (1, "", "", None),
            (0, "", "", None),
        ] {
            let status = ExitStatus::from_raw(status << 8);
            let ended = Ended { status, stdout: stdout.into(), stderr: stderr.into() };
            assert_eq!(complaint(&ended).as_deref(), expected, "{stdout}{stderr}");
        }
    }
}

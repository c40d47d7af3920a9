//! What managers note of some units, from one reading to the next, and what the units say themselves.

use std::process::Command;
use std::time::Instant;

use claw_box::Scope;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::{Entry, Line, run, writer};

/// A unit and the manager that has it.
pub(crate) type Unit = (Scope, String);

/// How far the journal was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    /// To the entry that the journal calls so.
    Cursor(String),
    /// To that many microseconds since 1970, where there was no entry yet.
    Time(i64),
}

/// A part of what is noted.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// The entries that mean something, each with its unit.
    pub(crate) entries: Vec<(Unit, Entry)>,
    /// How far it goes; nothing where there is nothing new.
    pub(crate) place: Option<Place>,
}

/// A line that a unit wrote, and the process that did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub(crate) pid: Option<u64>,
    pub(crate) text: String,
}

/// As much as one reading brings: more would not be kept.
const MOST_ENTRIES: &str = "--lines=50";

/// Where the journal ends now.
pub(crate) fn end(deadline: Instant) -> Result<Place, String> {
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=json", "--output-fields=_PID", "--lines=1"]);
    let text = run(&mut command, deadline)?;
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000;
    let none = Place::Time(i64::try_from(now).unwrap_or(i64::MAX));
    Ok(text.lines().filter_map(cursor).next_back().map_or(none, Place::Cursor))
}

/// What comes next that the managers noted of these units, the oldest first.
pub(crate) fn next(
    units: &[Unit],
    uid: u32,
    place: &Place,
    deadline: Instant,
) -> Result<Part, String> {
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=json", FIELDS, MOST_ENTRIES]);
    command.arg(match place {
        // Versions before 254 take `--after-cursor` for "but for the first", be that of the units or
        // not: the one that was read already is left out here.
        Place::Cursor(cursor) => format!("--cursor={cursor}"),
        Place::Time(at) => format!("--since=@{}.{:06}", at / 1_000_000, at % 1_000_000),
    });
    command.args(matches(units, uid));
    let text = run(&mut command, deadline)?;
    let mut part = Part::default();
    for line in text.lines() {
        // What is cut off comes again with the next part.
        let Some(cursor) = cursor(line).map(Place::Cursor).filter(|at| at != place) else {
            continue;
        };
        part.place = Some(cursor);
        part.entries.extend(noted(line).filter(|(unit, _)| units.contains(unit)));
    }
    Ok(part)
}

/// A start of a unit that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) invocation: &'a str,
    /// Its main process, where that is known.
    pub(crate) pid: Option<u64>,
    pub(crate) ended: OffsetDateTime,
}

/// The last lines that a unit wrote since that start of it; the oldest first.
pub(crate) fn output(
    unit: &Unit,
    uid: u32,
    start: Start<'_>,
    deadline: Instant,
) -> Result<Vec<Output>, String> {
    let Start { invocation, pid, ended } = start;
    let of_start = format!("_SYSTEMD_INVOCATION_ID={invocation}");
    let of_unit = match unit.0 {
        Scope::System => vec![format!("_SYSTEMD_UNIT={}", unit.1)],
        Scope::User => vec![format!("_SYSTEMD_USER_UNIT={}", unit.1), format!("_UID={uid}")],
    };
    let lines = lines(&[&[of_start][..], &of_unit].concat(), deadline)?;
    if !lines.is_empty() {
        return Ok(lines.into_iter().map(|(line, _)| line).collect());
    }
    // The journal does not always find out of which start a line is.
    const BEFORE_SECONDS: i64 = 60;
    let (since, until) = (ended.unix_timestamp() - BEFORE_SECONDS, ended.unix_timestamp() + 1);
    let span = [format!("--since=@{since}"), format!("--until=@{until}")];
    let of_no_start = |of: &[String]| -> Result<Vec<Output>, String> {
        let lines = self::lines(&[&span[..], of].concat(), deadline)?;
        Ok(lines.into_iter().filter(|(_, start)| start.is_none()).map(|(line, _)| line).collect())
    };
    let lines = of_no_start(&of_unit)?;
    // Nor of which unit, where a process is gone before the journal gets to what it said.
    match (unit.0, pid) {
        (Scope::User, Some(pid)) if lines.is_empty() => {
            of_no_start(&["_TRANSPORT=stdout".into(), format!("_PID={pid}"), format!("_UID={uid}")])
        }
        _ => Ok(lines),
    }
}

/// Has the journal take in all that was written to it until now. Only root may.
pub(crate) fn take_in(deadline: Instant) -> Result<(), String> {
    run(Command::new("journalctl").arg("--sync"), deadline).map(drop)
}

/// Lines of units, each with the start that it is of, as far as the journal knows.
fn lines(matches: &[String], deadline: Instant) -> Result<Vec<(Output, Option<String>)>, String> {
    /// A stack and what was said before it; no more is kept.
    const LINES: &str = "--lines=60";
    const FIELDS: &str = "--output-fields=MESSAGE,_PID,_SYSTEMD_INVOCATION_ID";
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=json", FIELDS, "--reverse", LINES]);
    let text = run(command.args(matches), deadline)?;
    let start = |line: &str| {
        let value: Value = serde_json::from_str(line).ok()?;
        Some(value["_SYSTEMD_INVOCATION_ID"].as_str()?.to_owned())
    };
    let mut lines: Vec<_> =
        text.lines().filter_map(|line| Some((said(line)?, start(line)))).collect();
    lines.reverse();
    Ok(lines)
}

/// Whom of a unit the kernel killed last by then for want of memory: its number and its name.
pub(crate) fn killed(
    unit: &Unit,
    at: OffsetDateTime,
    deadline: Instant,
) -> Result<Option<(u64, String)>, String> {
    /// It kills before the end is noted.
    const BEFORE_SECONDS: i64 = 30;
    let (since, until) = (at.unix_timestamp() - BEFORE_SECONDS, at.unix_timestamp() + 1);
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=json", "--output-fields=MESSAGE"]);
    command.args(["--reverse", "--lines=100", "_TRANSPORT=kernel"]);
    command.args([format!("--since=@{since}"), format!("--until=@{until}")]);
    let text = run(&mut command, deadline)?;
    Ok(text.lines().filter_map(said).find_map(|line| killed_in(&line.text, &unit.1)))
}

/// `oom-kill:constraint=…,task_memcg=/…/a.service,task=node,pid=71,uid=1000`
fn killed_in(text: &str, unit: &str) -> Option<(u64, String)> {
    let fields = text.strip_prefix("oom-kill:")?;
    let (_, fields) = fields.split_once(",task_memcg=")?;
    // A process may have given itself any name, but for what comes after it.
    let (group, rest) = fields.split_once(",task=")?;
    let (name, rest) = rest.rsplit_once(",pid=")?;
    let pid = rest.split(',').next()?.parse().ok()?;
    let is_of = group.split('/').any(|part| part == unit);
    is_of.then(|| (pid, name.chars().take(16).collect()))
}

const FIELDS: &str = "--output-fields=MESSAGE_ID,MESSAGE,EXIT_CODE,EXIT_STATUS,COMMAND,UNIT_RESULT,\
    INVOCATION_ID,USER_INVOCATION_ID,UNIT,USER_UNIT,N_RESTARTS";

/// Everything that the managers of these units note of them.
fn matches(units: &[Unit], uid: u32) -> Vec<String> {
    let mut matches: Vec<String> = Vec::new();
    for (scope, key) in [(Scope::System, "UNIT"), (Scope::User, "USER_UNIT")] {
        let mut names = units.iter().filter(|(of, _)| *of == scope).peekable();
        if names.peek().is_none() {
            continue;
        }
        if !matches.is_empty() {
            matches.push("+".to_owned());
        }
        matches.push(writer(scope, uid));
        matches.extend(names.map(|(_, name)| format!("{key}={name}")));
    }
    matches
}

fn cursor(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Cursor {
        #[serde(rename = "__CURSOR")]
        cursor: String,
    }
    Some(serde_json::from_str::<Cursor>(line).ok()?.cursor)
}

fn noted(line: &str) -> impl Iterator<Item = (Unit, Entry)> {
    #[derive(Deserialize)]
    struct Noted {
        #[serde(rename = "UNIT")]
        unit: Option<String>,
        #[serde(rename = "USER_UNIT")]
        user_unit: Option<String>,
        #[serde(flatten)]
        line: Line,
    }
    let read = || {
        let Noted { unit, user_unit, line } = serde_json::from_str(line).ok()?;
        let system = unit.map(|name| (Scope::System, name));
        let unit = user_unit.map(|name| (Scope::User, name)).or(system)?;
        Some((unit, line.entry()?))
    };
    read().into_iter()
}

/// A line is text, or the bytes of something else.
fn said(line: &str) -> Option<Output> {
    #[derive(Deserialize)]
    struct Said {
        #[serde(rename = "MESSAGE", default)]
        message: Value,
        #[serde(rename = "_PID")]
        pid: Option<String>,
    }
    let Said { message, pid } = serde_json::from_str(line).ok()?;
    let text = match message {
        Value::String(text) => text,
        Value::Array(bytes) => {
            let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
            let bytes: Option<Vec<_>> = bytes.iter().map(byte).collect();
            String::from_utf8_lossy(&bytes?).into_owned()
        }
        _ => "(a line that is too long)".to_owned(),
    };
    Some(Output { pid: pid.and_then(|pid| pid.parse().ok()), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journalctl::Event;

    fn unit(scope: Scope, name: &str) -> Unit {
        (scope, name.to_owned())
    }

    #[test]
    fn each_manager_is_asked_for_its_own_units() {
        let gateway = unit(Scope::User, "a.service");
        let other = unit(Scope::User, "b.service");
        let system = unit(Scope::System, "c.service");
        for (units, expected) in [
            (vec![gateway.clone(), other], "_UID=7 USER_UNIT=a.service USER_UNIT=b.service"),
            (vec![gateway, system.clone()], "_PID=1 UNIT=c.service + _UID=7 USER_UNIT=a.service"),
            (vec![system], "_PID=1 UNIT=c.service"),
        ] {
            assert_eq!(matches(&units, 7).join(" "), expected);
        }
    }

    #[test]
    fn an_entry_is_of_its_unit() {
        let head = r#"{"__CURSOR":"s=d4a2;i=92","__REALTIME_TIMESTAMP":"1795356042609899","_PID":"68","_UID":"1000","USER_INVOCATION_ID":"3f764164b27647378d13ba5393190c1d","USER_UNIT":"openclaw-gateway.service""#;
        let id = |id: &str, more: &str| format!(r#""MESSAGE_ID":"{id}",{more}"#);
        let killed = r#""EXIT_CODE":"killed","EXIT_STATUS":"9","COMMAND":"ExecStart""#;
        for (rest, expected) in [
            (
                id("98e322203f7a4ed290d09fe03c09fe15", killed),
                Event::Ended { code: "killed".to_owned(), status: 9 },
            ),
            (
                id("98e322203f7a4ed290d09fe03c09fe15", &killed.replace("Start", "StartPre")),
                Event::HelperEnded { code: "killed".to_owned(), status: 9 },
            ),
            (id("5eb03494b6584870a536b337290809b3", r#""N_RESTARTS":"2""#), Event::Restarting(2)),
            (
                r#""MESSAGE":"a.service: Start request repeated too quickly.""#.to_owned(),
                Event::StartLimit,
            ),
            (
                r#""MESSAGE":"a.service: Watchdog timeout (limit 1s)!""#.to_owned(),
                Event::WatchdogTimeout,
            ),
            (
                r#""MESSAGE":"a.service: start-pre operation timed out. Terminating.""#.to_owned(),
                Event::StartTimeout,
            ),
            (
                r#""MESSAGE":"a.service: Service reached runtime time limit. Stopping.""#
                    .to_owned(),
                Event::RuntimeLimit,
            ),
        ] {
            let line = format!("{head},{rest}}}");
            let (of, entry) = noted(&line).next().unwrap();
            assert_eq!(of, unit(Scope::User, "openclaw-gateway.service"));
            assert_eq!((&entry.invocation[..4], entry.event), ("3f76", expected), "{line}");
            assert_eq!(cursor(&line).unwrap(), "s=d4a2;i=92");
        }
        assert_eq!(noted("{").count() + noted("{}").count(), 0);
        assert_eq!(cursor("{}"), None);
    }

    #[test]
    fn whom_the_kernel_killed_is_read() {
        let line = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/x,\
            task_memcg=/user.slice/user@1000.service/app.slice/a.service,task=node,pid=71,uid=1000";
        for (line, unit, expected) in [
            (line, "a.service", Some((71, "node"))),
            (line, "b.service", None),
            (line, "node", None),
            (&line.replace("node,", "n,pid=1,"), "a.service", Some((71, "n,pid=1"))),
            ("Memory cgroup out of memory: Killed process 71 (node)", "a.service", None),
        ] {
            let killed = killed_in(line, unit);
            let killed = killed.as_ref().map(|(pid, name)| (*pid, name.as_str()));
            assert_eq!(killed, expected, "{line}");
        }
    }

    #[test]
    fn a_line_is_read_though_it_is_no_text() {
        for (line, expected) in [
            (r#"{"MESSAGE":"hi","_PID":"7"}"#, Some((Some(7), "hi"))),
            (r#"{"MESSAGE":[104,105,255],"_PID":"x"}"#, Some((None, "hi\u{fffd}"))),
            (r#"{"MESSAGE":null}"#, Some((None, "(a line that is too long)"))),
            (r#"{"MESSAGE":[300]}"#, None),
            ("{", None),
        ] {
            let read = said(line);
            let read = read.as_ref().map(|line| (line.pid, line.text.as_str()));
            assert_eq!(read, expected, "{line}");
        }
    }
}

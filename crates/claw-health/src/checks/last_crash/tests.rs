//! What is said of each crash.

use time::macros::datetime;

use super::*;
use crate::crash::bundle::{newest, parse as parse_bundle};
use crate::crash::end::last_crash;
use crate::gateway::stability;
use crate::journalctl::parse;

const JOURNAL: &str = include_str!("../../../fixtures/openclaw/journal-crash.jsonl");
const BUNDLE: &str = include_str!("../../../fixtures/openclaw/uncaught_exception.json");
const NOW: OffsetDateTime = datetime!(2026-11-22 15:00 UTC);
const DAY: f64 = 86_400.0;

/// The first so many lines of the journal of a gateway that crashed in several ways.
fn journal(lines: usize) -> String {
    JOURNAL.lines().take(lines).map(|line| format!("{line}\n")).collect()
}

/// The end of a process, one entry a word: `ended:exited:3`.
fn noted(entries: &str) -> String {
    let line = |(at, entry): (usize, &str)| {
        let words: Vec<_> = entry.split(':').collect();
        let more = match words[..] {
            ["started"] => r#""MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf""#.to_owned(),
            ["stopping"] => r#""MESSAGE_ID":"de5b426a63be47a7b6ac3eaac82e2f6f""#.to_owned(),
            ["oom"] => r#""MESSAGE_ID":"fe6faa94e7774663a0da52717891d8ef""#.to_owned(),
            ["failed", result] => {
                format!(
                    r#""MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","UNIT_RESULT":"{result}""#
                )
            }
            ["ended", code, status] => format!(
                r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"{code}","EXIT_STATUS":"{status}""#
            ),
            _ => unreachable!("{entry}"),
        };
        // A second each, from 14:00:00 on.
        let time = 1_795_356_000 + at;
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"{time}000000\",\"USER_INVOCATION_ID\":\"ab\",{more}}}\n"
        )
    };
    entries.split(' ').enumerate().map(line).collect()
}

fn bundle(at: OffsetDateTime, reason: &str) -> Option<Bundle> {
    let file = stability::Bundle { at, pid: 1865, reason: reason.to_owned(), name: "a".to_owned() };
    newest(vec![file], NOW).map(|(file, cause)| Bundle::new(file, cause, parse_bundle(BUNDLE)))
}

fn said(journal: &str, bundle: Option<Bundle>) -> String {
    let end = last_crash(&parse(journal));
    let known = Known { end: Ok(end.clone()), since: Some(datetime!(2026-11-20 8:00 UTC)) };
    let finding = judge(latest(end, bundle).as_ref(), &known, NOW, DAY);
    let mut data = finding.data.clone();
    data.remove("at");
    format!("{} {}", finding.line(), serde_json::to_string(&data).unwrap())
}

#[test]
fn m2_the_last_crash_is_told_with_its_cause() {
    for (lines, expected) in [
        (
            1,
            "pass INFO no crash in the journal since its first entry, 2026-11-20T08:00:00.000Z {\"since\":\"2026-11-20T08:00:00.000Z\"}",
        ),
        (
            3,
            "warn WARNING the last one was 59 min 17 s ago: killed by SIGKILL; limit 1 d \
             {\"cause\":\"signal\",\"signal\":\"SIGKILL\"}",
        ),
        (
            34,
            "warn WARNING the last one was 55 min 51 s ago: it could not start, exit status 78: \
             OpenClaw refuses its configuration; limit 1 d {\"cause\":\"startup-failed\",\"exit_code\":78}",
        ),
    ] {
        assert_eq!(said(&journal(lines), None), expected);
    }
}

#[test]
fn m2_each_way_to_end_has_its_word() {
    for (entries, expected) in [
        ("started ended:exited:3 failed:exit-code", "exit: exit status 3"),
        (
            "started ended:exited:78 failed:exit-code",
            "startup-failed: it could not start, exit status 78: OpenClaw refuses its configuration",
        ),
        ("started ended:killed:9 failed:signal", "signal: killed by SIGKILL"),
        ("started ended:dumped:11 failed:core-dump", "signal: killed by SIGSEGV, core dumped"),
        (
            "started ended:killed:6 failed:watchdog",
            "watchdog: its watchdog timed out, killed by SIGABRT",
        ),
        ("started oom ended:killed:9 failed:oom-kill", "oom: out of memory, killed by the kernel"),
        // With OOMPolicy=continue, as the gateway's unit has it.
        ("started oom ended:killed:9 failed:signal", "oom: out of memory, killed by the kernel"),
        ("started ended:killed:9 oom failed:signal", "oom: out of memory, killed by the kernel"),
        // Of a helper, which the gateway outlived for a while.
        ("started oom X X X X X X X X X X X ended:killed:9", "signal: killed by SIGKILL"),
        ("ended:exited:1", "exit: exit status 1"),
        ("started ended:exited:0", "none"),
        ("started ended:exited:143", "none"),
        ("started ended:killed:15", "none"),
        ("started stopping ended:exited:1 failed:exit-code", "none"),
        ("started stopping ended:killed:9 failed:timeout", "none"),
        ("started ended:killed:9 stopping", "signal: killed by SIGKILL"),
        (
            "started ended:killed:6 failed:watchdog failed:start-limit-hit",
            "watchdog: its watchdog timed out, killed by SIGABRT",
        ),
        // A result that came before is of an earlier end.
        ("failed:watchdog started ended:exited:1", "exit: exit status 1"),
    ] {
        let end = last_crash(&parse(&noted(&entries.replace('X', "started"))));
        let told = latest(end, None).map_or("none".to_owned(), |crash| {
            format!("{}: {}", crash.cause().word(), crash.words())
        });
        assert_eq!(told, expected, "{entries}");
    }
}

#[test]
fn m2_a_bundle_and_the_end_after_it_are_one_crash_and_the_newest_counts() {
    let journal = noted("started ended:exited:1 failed:exit-code");
    let killed = noted("started ended:killed:9 failed:signal");
    let of_it = datetime!(2026-11-22 14:00:00.5 UTC);
    let before = datetime!(2026-11-22 13:59:58 UTC);
    let after = datetime!(2026-11-22 14:30 UTC);
    let exception = "uncaught exception: TypeError: injected uncaught exception";
    for (journal, at, reason, expected) in [
        (
            &journal,
            of_it,
            "uncaught_exception",
            format!("59 min 59 s ago: {exception}, exit status 1;"),
        ),
        (&journal, before, "uncaught_exception", "59 min 59 s ago: exit status 1;".to_owned()),
        (&killed, of_it, "uncaught_exception", "59 min 59 s ago: killed by SIGKILL;".to_owned()),
        (&journal, after, "uncaught_exception", format!("30 min ago: {exception};")),
        (&String::new(), before, "uncaught_exception", format!("1 h ago: {exception};")),
        (
            &journal,
            after,
            "gateway.crash_loop_breaker",
            "59 min 59 s ago: exit status 1;".to_owned(),
        ),
        (
            &journal,
            after,
            "gateway.stop_shutdown_timeout",
            "59 min 59 s ago: exit status 1;".to_owned(),
        ),
        // It would hide every crash until then.
        (
            &journal,
            datetime!(2027-01-01 0:00 UTC),
            "uncaught_exception",
            "59 min 59 s ago: exit status 1;".to_owned(),
        ),
    ] {
        let said = said(journal, bundle(at, reason));
        assert!(said.contains(&format!("the last one was {expected}")), "{reason} {at}: {said}");
    }
    let both = said(&journal, bundle(of_it, "uncaught_exception"));
    assert!(both.ends_with(
        r#" {"cause":"uncaught-exception","error":"TypeError: injected uncaught exception","exit_code":1,"pid":1865}"#
    ), "{both}");
}

#[test]
fn m2_an_old_crash_passes_and_where_nobody_can_tell_it_is_unknown() {
    let why = || "'journalctl' failed: no".to_owned();
    let crash = |at| latest(None, bundle(at, "unhandled_rejection"));
    let (young, old) = (datetime!(2026-11-21 15:00:01 UTC), datetime!(2026-11-21 15:00 UTC));
    for (crash, end, since, expected) in [
        (None, Err(why()), None, "unknown WARNING 'journalctl' failed: no"),
        (crash(young), Ok(None), None, "warn WARNING the last one was 23 h 59 min ago: unhandled"),
        (
            crash(young),
            Err(why()),
            None,
            "warn WARNING the last one was 23 h 59 min ago: unhandled",
        ),
        (crash(old), Ok(None), Some(old), "pass INFO the last one was 1 d ago: unhandled"),
        (
            crash(old),
            Err(why()),
            None,
            "unknown WARNING the last one was 1 d ago: unhandled rejection: \
            TypeError: injected uncaught exception; limit 1 d; of a later one nobody can tell: 'journalctl' failed: no",
        ),
    ] {
        let said = judge(crash.as_ref(), &Known { end, since }, NOW, DAY).line();
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn what_a_bundle_says_went_wrong_is_one_short_line() {
    let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(9000));
    for (text, expected) in [
        (r#"{"error":{"name":"E","message":"a\nb"}}"#, Some("E: a".to_owned())),
        (r#"{"error":{"name":"","message":" a "}}"#, Some("a".to_owned())),
        (r#"{"error":{}}"#, None),
        (r#"{"error":"x"}"#, None),
        ("{", None),
        (&long, Some("x".repeat(200))),
    ] {
        assert_eq!(parse_bundle(text).map(|failure| failure.line()), expected, "{text:.60}");
    }
}

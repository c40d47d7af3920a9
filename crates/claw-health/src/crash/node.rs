//! What the last lines of a Node.js process say of its end.
//!
//! Node writes the same for an exception and for a rejection of an error. Who tells them apart is
//! OpenClaw, and scripts/claw-preload.cjs.

use serde::Deserialize;

use super::Cause;
use super::failure::Failure;

/// The end of a process in its own words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LastWords {
    pub(crate) cause: Cause,
    /// May it as well have been a rejection?
    pub(crate) is_either: bool,
    pub(crate) failure: Failure,
}

/// What the preload writes before the process ends.
const PRELOAD: &str = "claw-preload: ";

/// Reads the last lines, without the empty ones, which the journal does not keep.
pub(crate) fn last_words(lines: &[&str]) -> Option<LastWords> {
    /// The preload may have told of an exception that the process outlived, long before: what it says
    /// counts where it stands beside Node's own end, above it or below, or at the very end.
    const NEAR_LINES: usize = 3;
    let places = || (0..lines.len()).rev();
    let own = places()
        .find_map(|at| Some((at, openclaw(lines[at], &lines[at + 1..])?)))
        .or_else(|| places().find_map(|at| bare(&lines[..at], lines[at])))
        .or_else(|| places().find_map(|at| Some((at, heap(lines[at])?))));
    let begin = own.as_ref().map_or(lines.len(), |(at, _)| *at);
    let told = places().take_while(|at| at + NEAR_LINES >= begin).find_map(|at| preload(lines[at]));
    told.or(own.map(|(_, words)| words))
}

/// The line of the preload.
fn preload(line: &str) -> Option<LastWords> {
    #[derive(Deserialize)]
    struct Told {
        origin: String,
        #[serde(flatten)]
        failure: Failure,
        at: Option<String>,
    }
    let told: Told = serde_json::from_str(line.strip_prefix(PRELOAD)?).ok()?;
    let cause = match told.origin.as_str() {
        "unhandledRejection" => Cause::UnhandledRejection,
        "uncaughtException" => Cause::UncaughtException,
        _ => return None,
    };
    let failure = Failure { own_line: told.at, ..told.failure }.short();
    Some(LastWords { cause, is_either: false, failure })
}

/// What OpenClaw says before it ends, and the lines below it.
fn openclaw(line: &str, below: &[&str]) -> Option<LastWords> {
    let (_, words) = line.split_once("[openclaw] ")?;
    let known = |cause, failure| Some(LastWords { cause, is_either: false, failure });
    if let Some(error) = words.strip_prefix("Unhandled promise rejection: ") {
        let stack = below.iter().copied().take_while(|line| line.starts_with(' '));
        return known(Cause::UnhandledRejection, Failure::of_stack(error, stack));
    }
    if words.starts_with("OpenClaw hit an unexpected runtime error.") {
        let reason = below.iter().find_map(|line| line.split_once("[openclaw] Reason: "));
        let reason = reason.map(|(_, reason)| reason).unwrap_or_default();
        return known(Cause::UncaughtException, Failure::of_stack(reason, []));
    }
    None
}

/// `Node.js v26.10.0`, the last line of all that Node says.
fn is_version(line: &str) -> bool {
    let version = line.strip_prefix("Node.js v").unwrap_or_default();
    version.starts_with(|c: char| c.is_ascii_digit())
}

/// Node gives up where its own heap is full.
fn heap(line: &str) -> Option<LastWords> {
    let words = line.strip_prefix("FATAL ERROR: ").filter(|words| words.contains("heap"))?;
    let failure = Failure::of_stack(words, []);
    Some(LastWords { cause: Cause::HeapOom, is_either: false, failure })
}

/// The place in the source, a line of it, a caret below; then the error and its stack; and at the end
/// the version. With the line at which that begins.
fn bare(above: &[&str], last: &str) -> Option<(usize, LastWords)> {
    if !is_version(last) {
        return None;
    }
    let is_caret = |line: &&str| line.contains('^') && line.trim().chars().all(|c| c == '^');
    let caret = above.iter().rposition(is_caret)?;
    let (first, stack) = above.get(caret + 1..)?.split_first()?;
    // Without a stack, Node shows an error in brackets.
    let first = first.trim_start_matches('[');
    let first = rejected(first).unwrap_or_else(|| (*first).to_owned());
    let failure = Failure::of_stack(&first, stack.iter().copied());
    // A rejection with what is no error is told as such.
    let is_rejection = failure.name.as_deref().is_some_and(|name| {
        name == "UnhandledPromiseRejection" || name.contains("ERR_UNHANDLED_REJECTION")
    });
    let cause = if is_rejection { Cause::UnhandledRejection } else { Cause::UncaughtException };
    /// The place, and the line of it.
    const ABOVE_THE_CARET: usize = 2;
    let words = LastWords { cause, is_either: !is_rejection, failure };
    Some((caret.saturating_sub(ABOVE_THE_CARET), words))
}

/// What a promise was rejected with, of all that Node explains of it.
fn rejected(first: &str) -> Option<String> {
    let (name, words) = first.split_once(": ")?;
    let (_, reason) = words.split_once("rejected with the reason \"")?;
    let reason = reason.rfind('"').map_or(reason, |end| &reason[..end]);
    Some(format!("{name}: rejected with {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STDERR: &str = include_str!("../../fixtures/node/stderr.txt");

    #[test]
    fn a1_what_node_and_openclaw_say_of_their_end_is_understood() {
        let mut told = Vec::new();
        for case in STDERR.split("== ").filter(|case| !case.is_empty()) {
            let mut lines = case.lines().filter(|line| !line.is_empty());
            let name = lines.next().unwrap();
            let words = last_words(&lines.collect::<Vec<_>>());
            told.push(match words {
                None => format!("{name}: nothing"),
                Some(LastWords { cause, is_either, failure }) => format!(
                    "{name}: {}{} | {} | {}",
                    cause.word(),
                    if is_either { " or rejection" } else { "" },
                    failure.line(),
                    failure.own_line.unwrap_or_default()
                ),
            });
        }
        assert_eq!(
            told,
            [
                "oom (as version 24 wrote it): oom | Reached heap limit Allocation failed - JavaScript heap out of memory | ",
                "throw: uncaught-exception or rejection | TypeError: boom: cannot read tool result | deep (/home/claw/agents/throw.js:1:24)",
                "reject: uncaught-exception or rejection | Error: upstream 503 | run (/home/claw/agents/reject.js:1:31)",
                "reject-nonerror: unhandled-rejection | UnhandledPromiseRejection: rejected with #<Object> | ",
                "throw-cause: uncaught-exception or rejection | Error: outer | Timeout._onTimeout (file:///home/claw/agents/throw-cause.mjs:1:24)",
                "syntax: uncaught-exception or rejection | SyntaxError: Unexpected token ';' | ",
                "missing: uncaught-exception or rejection | Error: Cannot find module './does-not-exist' | Object.<anonymous> (/home/claw/agents/missing.js:1:1)",
                "abort: nothing",
                "preload: unhandled-rejection | Error: upstream 503 | run (/home/claw/agents/reject.js:1:31)",
                "openclaw-exception: uncaught-exception | injected uncaught exception | ",
                "openclaw-rejection: unhandled-rejection | Error: injected unhandled rejection | Timeout._onTimeout (/home/claw/agent.js:1:473)",
                "openclaw-lives: nothing",
                "thrown-number: uncaught-exception or rejection | 5 | ",
                "silent: nothing",
            ]
        );
        let in_brackets = [
            "node:internal/process/promises:394",
            "      ^",
            "[UnhandledPromiseRejection: This error originated either … The promise rejected with the reason \"nope\".] {",
            "  code: 'ERR_UNHANDLED_REJECTION'",
            "}",
            "Node.js v24.1.0",
        ];
        let words = last_words(&in_brackets).unwrap();
        assert_eq!(words.cause, Cause::UnhandledRejection);
        assert_eq!(words.failure.line(), "UnhandledPromiseRejection: rejected with nope");
    }

    #[test]
    fn a_secret_that_is_cut_is_gone_all_the_same() {
        let line = format!("Error: {} token=abcdefghijklmnop", "x".repeat(182));
        let lines = ["a.js:1", "^", line.as_str(), "Node.js v24.1.0"];
        let message = last_words(&lines).unwrap().failure.message.unwrap();
        assert!(message.ends_with(" token=[redacted]"), "{message}");
    }

    /// Node 20 lets the preload speak before it does itself.
    #[test]
    fn m7_the_preload_is_heard_above_the_stack_as_well() {
        let told =
            r#"claw-preload: {"origin":"unhandledRejection","name":"Error","message":"boom"}"#;
        let stack = ["    at deep (a.js:1:1)"; 8];
        let ends = ["a.js:1", "throw", "^", "Error: boom"];
        let lines = [&[told][..], &ends[..], &stack[..], &["Node.js v20.20.2"][..]].concat();
        let words = last_words(&lines).unwrap();
        assert_eq!((words.cause, words.is_either), (Cause::UnhandledRejection, false));
    }

    #[test]
    fn what_the_preload_told_long_before_is_not_the_end() {
        let line = r#"claw-preload: {"origin":"uncaughtException","message":"outlived"}"#;
        let later = ["x"; 30];
        assert_eq!(last_words(&[&[line][..], &later[..]].concat()), None);
        assert!(last_words(&[&later[..], &[line][..]].concat()).is_some());
        for odd in ["claw-preload: {", r#"claw-preload: {"origin":"x"}"#, "claw-preload: 1"] {
            assert_eq!(last_words(&[odd]), None, "{odd}");
        }
    }
}

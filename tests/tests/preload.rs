//! The preload for Node: what it says, and that nothing else is different with it.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::process::{Command, Output};

use claw_tests::skip;
use serde_json::Value;

const PRELOAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/claw-preload.cjs");
const SAYS: &str = "claw-preload: ";

/// An agent with a name of its own, and what the preload says of its end: origin, name, message and
/// where, as far as it says so; nothing where it says nothing.
const AGENTS: &[(&str, &str, &str)] = &[
    (
        "throw.js",
        "function run() { throw new TypeError('boom\\nmore') }\nsetTimeout(() => run(), 5)",
        "uncaughtException|TypeError|boom|run (/throw.js:1:24)",
    ),
    (
        "reject.js",
        "async function run() { throw new Error('gone') }\nsetTimeout(() => run(), 5); setInterval(() => {}, 1000)",
        "unhandledRejection|Error|gone|run (/reject.js:1:30)",
    ),
    ("null.js", "Promise.reject(null)", "unhandledRejection|UnhandledPromiseRejection|This error|"),
    ("five.js", "throw 5", "uncaughtException||5|"),
    ("syntax.js", "const x = ;", "uncaughtException|SyntaxError|Unexpected token ';'|"),
    ("module.mjs", "await null; throw new Error('esm')", "unhandledRejection|Error|esm|file:"),
    // It reads what it must not touch.
    (
        "hostile.js",
        "const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw e } }); throw e",
        "",
    ),
    ("symbol.js", "throw Symbol('x')", "uncaughtException||Symbol(x)|"),
    ("exit.js", "console.log('out'); process.exit(3)", ""),
    ("well.js", "console.error('err')", ""),
    (
        "caught.js",
        "process.on('uncaughtException', (e) => console.log('caught', e.message)); throw new Error('x')",
        "",
    ),
    (
        "caught-rejection.js",
        "process.on('unhandledRejection', (e) => console.log('caught', e.message)); Promise.reject(new Error('x'))",
        "",
    ),
    (
        "captured.js",
        "process.setUncaughtExceptionCaptureCallback((e) => console.log('had', e.message)); throw new Error('x')",
        "",
    ),
    (
        "worker.js",
        "const { Worker } = require('worker_threads'); \
         new Worker('throw new Error(1)', { eval: true }).on('error', () => console.log('event'))",
        "",
    ),
    ("killed.js", "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)", ""),
    (
        "listeners.js",
        "console.log(process.listenerCount('unhandledRejection'), process.listenerCount('uncaughtException'))",
        "",
    ),
];

fn node(how: &[&str], script: &str) -> Output {
    Command::new("node").env_remove("NODE_OPTIONS").args(how).arg(script).output().unwrap()
}

/// The lines that the preload wrote, and all others.
fn parted(output: &Output) -> (Vec<String>, Vec<String>) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().map(str::to_owned).partition(|line| line.starts_with(SAYS))
}

#[test]
fn a1_the_preload_tells_the_origin_and_changes_nothing() {
    if Command::new("node").arg("--version").output().is_err() {
        return skip("the preload needs node");
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, text, expected) in AGENTS {
        let script = folder.path().join(name).display().to_string();
        std::fs::write(&script, text).unwrap();
        // With anything imported, even nothing, Node itself prints some ends in another way.
        for (how, nothing) in [("--require", "/dev/null"), ("--import", "data:text/javascript,")] {
            let plain = node(&[how, nothing], &script);
            let with = node(&[how, PRELOAD], &script);
            assert_eq!(with.status, plain.status, "{name} {how}");
            assert_eq!(with.stdout, plain.stdout, "{name} {how}");
            let (told, rest) = parted(&with);
            assert_eq!(rest, parted(&plain).1, "{name} {how}");
            let told: Vec<_> = told
                .iter()
                .map(|line| {
                    let told: Value = serde_json::from_str(&line[SAYS.len()..]).unwrap();
                    assert!(told["pid"].as_u64().is_some(), "{line}");
                    let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
                    let at = text("at").replace(folder.path().to_str().unwrap(), "");
                    format!("{}|{}|{}|{at}", text("origin"), text("name"), text("message"))
                })
                .collect();
            match told.first() {
                None => assert_eq!(*expected, "", "{name} {how}"),
                Some(first) => {
                    assert_eq!(told.len(), 1, "{name} {how}");
                    let (is, wanted): (Vec<_>, Vec<_>) =
                        (first.split('|').collect(), expected.split('|').collect());
                    // Node itself runs the whole script in a promise where anything is imported.
                    let from = usize::from(how == "--import");
                    let (is, wanted) = (&is[from..], &wanted[from..]);
                    let fits = is.len() == wanted.len()
                        && is.iter().zip(wanted).all(|(is, wanted)| is.starts_with(wanted));
                    assert!(fits && !expected.is_empty(), "{name} {how}: {first}");
                }
            }
        }
    }
}

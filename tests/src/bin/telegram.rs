//! A Bot API that takes everything: prints its address, and ends with its standard input.
//!
//! `telegram SECONDS` asks whoever comes first to wait for so long, and tells at its end what came, one
//! JSON line a request: the milliseconds since the one before, whether it was taken, its text; and what
//! the caller did wrong.

use std::io::{Read, Write};
use std::time::Duration;

use claw_tests::bad_telegram::{BadTelegram, Mood};
use serde_json::json;

fn main() -> std::io::Result<()> {
    let telegram = BadTelegram::start();
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok());
    telegram.next(seconds.filter(|seconds| *seconds > 0).map(Mood::Wait));
    let mut out = std::io::stdout();
    writeln!(out, "{}", telegram.url())?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    if seconds.is_none() {
        return Ok(());
    }
    let mut before = Duration::ZERO;
    for seen in telegram.seen() {
        let after = u64::try_from((seen.at - before).as_millis()).unwrap_or(u64::MAX);
        let (is_taken, text) = (seen.delivered.is_some(), seen.text());
        writeln!(out, "{}", json!({"after_ms": after, "is_taken": is_taken, "text": text}))?;
        before = seen.at;
    }
    for wrong in telegram.wrongs() {
        writeln!(out, "{}", json!({ "wrong": wrong }))?;
    }
    Ok(())
}

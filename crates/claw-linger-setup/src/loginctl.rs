//! Interface to loginctl: who lingers, and who is logged in.

use std::process::Command;
use std::time::{Duration, Instant};

use claw_box::child;

/// A session that logind knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// `user`, `background`, `manager` …
    pub(crate) class: String,
}

/// Runs it with these arguments. It never asks for a password.
pub(crate) fn run(arguments: &[String], deadline: Instant) -> Result<String, String> {
    child::output(Command::new("loginctl").arg("--no-ask-password").args(arguments), deadline)
}

/// The sessions of a user, but for those that the user manager itself has.
pub(crate) fn sessions(uid: u32, deadline: Instant) -> Result<Vec<Session>, String> {
    let list = run(&words(&["list-sessions", "--no-legend"]), deadline)?;
    let mut sessions = Vec::new();
    for id in ids(&list, uid) {
        // One that has ended in between is none.
        if let Ok(text) = run(&words(&["show-session", &id, "-p", "Class"]), deadline) {
            let class = text.trim().strip_prefix("Class=").unwrap_or("unknown").to_owned();
            sessions.push(Session { id, class });
        }
    }
    sessions.retain(|session| !session.class.starts_with("manager"));
    Ok(sessions)
}

/// Does logind still know that session?
pub(crate) fn knows(session: &str, deadline: Instant) -> Result<bool, String> {
    let list = run(&words(&["list-sessions", "--no-legend"]), deadline)?;
    Ok(list.lines().any(|line| line.split_whitespace().next() == Some(session)))
}

/// How long a user manager lives on after the last session; nothing where that is for ever.
pub(crate) fn stop_delay(deadline: Instant) -> Result<Option<Duration>, String> {
    let text = run(&words(&["show-user", "-p", "UserStopDelayUSec"]), deadline)?;
    let value = text.trim().strip_prefix("UserStopDelayUSec=").unwrap_or_default();
    span(value).ok_or_else(|| format!("loginctl does not tell UserStopDelaySec: {:?}", text.trim()))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `SESSION UID USER …`, a line a session.
fn ids(list: &str, uid: u32) -> Vec<String> {
    let id = |line: &str| {
        let mut words = line.split_whitespace();
        let id = words.next()?;
        (words.next()?.parse() == Ok(uid)).then(|| id.to_owned())
    };
    list.lines().filter_map(id).collect()
}

/// A span as systemd writes it, `1min 30s`; the inner nothing is for ever.
fn span(text: &str) -> Option<Option<Duration>> {
    const UNITS: [(&str, u64); 9] = [
        ("us", 1),
        ("ms", 1_000),
        ("s", 1_000_000),
        ("min", 60_000_000),
        ("h", 3_600_000_000),
        ("d", 86_400_000_000),
        ("w", 604_800_000_000),
        ("month", 2_629_800_000_000),
        ("y", 31_557_600_000_000),
    ];
    if text == "infinity" {
        return Some(None);
    }
    let mut micros: u64 = 0;
    let mut any = false;
    for word in text.split_whitespace() {
        let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (number, unit) = word.split_at(end);
        let number: f64 = number.parse().ok()?;
        let unit = if unit.is_empty() && number == 0.0 {
            0
        } else {
            UNITS.iter().find(|(name, _)| *name == unit)?.1
        };
        micros = micros.checked_add((number * unit as f64) as u64)?;
        any = true;
    }
    any.then(|| Some(Duration::from_micros(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_of_a_user_are_those_with_its_number() {
        let of_257 = "c5 1000 dev - 236 manager    - no -\nc6 1000 dev - 264 background - no -\n7 0 root - 1 user - no -\n";
        let of_252 = "133 1000 dev   \n 1000 0 root seat0 tty1\n";
        assert_eq!(ids(of_257, 1000), ["c5", "c6"]);
        assert_eq!(ids(of_252, 1000), ["133"]);
        assert_eq!(ids(of_252, 0), ["1000"]);
        assert_eq!(ids("No sessions.\n\n", 1000), Vec::<String>::new());
    }

    #[test]
    fn a_span_is_read_as_systemd_writes_it() {
        let seconds = |seconds| Some(Some(Duration::from_secs_f64(seconds)));
        for (text, expected) in [
            ("10s", seconds(10.0)),
            ("1min 30s", seconds(90.0)),
            ("1.500000s", seconds(1.5)),
            ("250ms", seconds(0.25)),
            ("2h", seconds(7200.0)),
            ("0", seconds(0.0)),
            ("infinity", Some(None)),
            ("", None),
            ("soon", None),
            ("5parsecs", None),
        ] {
            assert_eq!(span(text), expected, "{text}");
        }
    }
}

//! The value behind a name that says that it is secret: `password=…`, `"botToken": "…"`.

use super::Found;
use super::name::Name;
use super::value::{self, Tie, Value};
use crate::text::{Text, looks_random};

/// Looks at a place where the word of a name stands.
pub(crate) fn find(name: &Name, text: Text, start: usize) -> Option<Found> {
    if !text.has_word(start, name.word) {
        return None;
    }
    let (name_end, several) = name.end(text, start, start + name.word.len())?;
    let value = value::behind(text, name_end)?;
    if several && !value.quoted {
        return None;
    }
    let bytes = &text.0[value.start..value.end];
    let found = || Found { kind: name.kind, start: value.start, end: value.end };
    (is_secret(name, value, bytes) && !value::is_ordinary(bytes)).then(found)
}

fn is_secret(name: &Name, value: Value, bytes: &[u8]) -> bool {
    let digits = bytes.iter().all(u8::is_ascii_digit);
    let is_fixed = matches!(bytes, b"pass" | b"fail");
    if is_fixed {
        return false;
    }
    let has_mark = bytes.iter().any(|byte| {
        byte.is_ascii_punctuation()
            && !matches!(byte, b'-' | b'.' | b',' | b':' | b'/' | b'_' | b'(' | b')' | b'=')
    });
    let is_chance = looks_random(bytes) || has_mark;
    match (name.chosen, value.tie) {
        // A pass is one of a test as well, a pin one of a plug: a number behind them is a count.
        (true, Tie::Firm) => {
            bytes.len() >= 3 && !(digits && name.word.len() <= 4 && bytes.len() < 4)
        }
        (true, Tie::Colon) if value.quoted => bytes.len() >= 3,
        (true, Tie::Colon) => {
            bytes.len() >= 4 && (!digits || name.word.len() > 4 || bytes.len() >= 6)
        }
        (true, Tie::Loose) => {
            name.word.len() > 4
                && bytes.len() >= 4
                && (is_chance || (value.quoted && !bytes.contains(&b' ')))
        }
        (false, Tie::Firm) if value.quoted => bytes.len() >= 4 && !digits || bytes.len() >= 8,
        (false, Tie::Firm) => {
            bytes.len() >= 6 && (!digits || bytes.len() >= 10) && is_likely(bytes)
                || bytes.len() >= 4 && is_chance
        }
        (false, Tie::Colon) if value.quoted => bytes.len() >= 6,
        (false, Tie::Colon) => bytes.len() >= 8 && is_chance,
        (false, Tie::Loose) => bytes.len() >= 12 && looks_random(bytes),
    }
}

/// A single word of lower-case letters is what a program has for a name.
fn is_likely(bytes: &[u8]) -> bool {
    bytes.len() >= 16
        || !bytes.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.'))
        || bytes.len() >= 8
}

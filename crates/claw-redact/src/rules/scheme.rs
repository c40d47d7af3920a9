//! `Bearer …` and `Basic …` without the name of a header before them.

use super::{Found, Rule};
use crate::text::{Class, Text, looks_random};

pub(super) const RULE: Rule = Rule { words: &["bearer", "basic", "x-amz-signature="], find };

fn find(text: Text, start: usize, end: usize) -> Option<Found> {
    if Class::Word.has(text.before(start)) {
        return None;
    }
    let mut at = text.skip_blanks(end);
    for code in ["%20", "+", "\\u0020", ":", "=", "\"", "'"] {
        if text.has_word(at, code) {
            at = text.skip_blanks(at + code.len());
        }
    }
    if at == end && text.before(end) != b'=' {
        at = text.over_break(at).filter(|next| *next > at)?;
    }
    let is_basic = text.has_word(start, "basic");
    let stop = dotted_base64(text, at);
    let value = &text.0[at..stop];
    let least = if is_basic { 6 } else { 8 };
    let padded = is_basic && value.ends_with(b"=");
    let is_it = value.len() >= least && (padded || looks_random(value));
    let kind = if is_basic { "password" } else { "token" };
    is_it.then_some(Found { kind, start: at, end: stop })
}

fn dotted_base64(text: Text, from: usize) -> usize {
    let mut at = from;
    loop {
        let end = text.end_of_broken(Class::Base64, at);
        let goes_on =
            matches!(text.at(end), b'.' | b'~' | b':') && Class::Base64.has(text.at(end + 1));
        if !goes_on {
            return end;
        }
        at = end + 1;
    }
}

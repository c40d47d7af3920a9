//! Private keys as a whole, of any number of lines.

use memchr::memmem;

use super::{Found, Rule};
use crate::text::{Class, Text};

pub(super) const RULE: Rule =
    Rule { words: &["-----begin", "putty-user-key-file-", "---- begin ssh2 encrypted"], find };

/// The longest key that is taken whole: one of 16384 bits, in the widest form.
const LONGEST: usize = 24 * 1024;

fn find(text: Text, start: usize, end: usize) -> Option<Found> {
    let found = |stop| Some(Found { kind: "private-key", start, end: stop });
    if text.at(start) != b'-' {
        return found(end_of_putty(text, end));
    }
    let head = text.from(end);
    let head = &head[..head.len().min(60)];
    let is_private = memmem::find(head, b"PRIVATE").is_some() || text.at(start + 4) == b' ';
    if !is_private {
        return None;
    }
    let body = text.from(end);
    let body = &body[..body.len().min(LONGEST)];
    for mark in [&b"-----END"[..], b"---- END"] {
        if let Some(at) = memmem::find(body, mark) {
            return found(end_of_mark(text, end + at + mark.len()));
        }
    }
    found(end_of_cut(text, end))
}

/// Behind `PRIVATE KEY-----`, of which the blanks may be coded.
fn end_of_mark(text: Text, from: usize) -> usize {
    const LONGEST_MARK: usize = 60;
    let rest = text.from(from);
    let rest = &rest[..rest.len().min(LONGEST_MARK)];
    memmem::find(rest, b"----").map_or(from, |at| {
        let stop = from + at + 4;
        stop + usize::from(text.at(stop) == b'-')
    })
}

/// A key whose end is missing goes as far as lines look like those of one.
fn end_of_cut(text: Text, from: usize) -> usize {
    let mut end =
        from + text.from(from).iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count();
    while let Some(next) = text.over_break(end) {
        let next = next
            + usize::from(matches!(text.at(next), b'+' | b'|' | b'>') && text.at(next + 1) == b' ');
        let stop = text.end_of(Class::Base64, next);
        let is_header = text.has_word(next, "Proc-Type") || text.has_word(next, "DEK-Info");
        let line_end =
            next + text.from(next).iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count();
        let is_empty = line_end == next && Class::Base64.has(text.at(line_end + 1));
        if !(is_header || is_empty || (stop == line_end && stop - next >= 16)) {
            break;
        }
        end = line_end;
    }
    end
}

/// A key of PuTTY's ends with its `Private-MAC`.
fn end_of_putty(text: Text, from: usize) -> usize {
    let body = text.from(from);
    let body = &body[..body.len().min(LONGEST)];
    let Some(at) = memmem::find(body, b"Private-MAC") else { return end_of_cut(text, from) };
    let mac = from + at;
    mac + text.from(mac).iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count()
}

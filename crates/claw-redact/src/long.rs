//! What is told by its length: tokens that begin like nothing else, and text in base64.
//!
//! Words are short. So only every sixteenth byte or so is looked at, until one stands in a long run.

use crate::engine::{Redactor, Span};
use crate::text::{Class, Text, looks_random};

/// A run that is shorter holds nothing that is looked for here.
const LEAST: usize = 16;

impl Redactor {
    /// The secrets that are told by their length.
    pub(crate) fn long(&self, text: Text, is_inside: bool, spans: &mut Vec<Span>) {
        const HALF: usize = LEAST / 2;
        let is_in = |at: usize| Class::Sixtyfour.has(text.at(at));
        let mut at = LEAST - 1;
        while at < text.0.len() {
            // A long run goes on for half its length to one side at least.
            if !is_in(at) || !(is_in(at - HALF) || is_in(at + HALF - 1)) {
                at += LEAST;
                continue;
            }
            let start = text.start_of(Class::Sixtyfour, at);
            let end = text.end_of(Class::Sixtyfour, at);
            at = end;
            if end - start >= LEAST
                && let Some(span) = self.judge(text, start, end, is_inside)
            {
                at = span.end;
                spans.push(span);
            }
            at += LEAST - 1;
        }
    }

    fn judge(&self, text: Text, start: usize, end: usize, is_inside: bool) -> Option<Span> {
        let run = &text.0[start..end];
        let span = |kind, start, end| Some(self.span(kind, text, start, end));
        let hex = run.iter().all(|byte| Class::Hex.has(*byte));
        // As `openssl rand -hex 24` makes them, and OpenClaw its own. No hash has this length.
        let stop = if hex { text.end_of_broken(Class::Hex, start) } else { end };
        let digits = text.0[start..stop].iter().filter(|byte| Class::Hex.has(**byte)).count();
        if hex && digits == 48 && run.iter().any(u8::is_ascii_alphabetic) {
            return span("token", start, stop);
        }
        if let Some((start, end)) = telegram(text, start, end) {
            return span("telegram-token", start, end);
        }
        if let Some((start, end)) = discord(text, start, end) {
            return span("discord-token", start, end);
        }
        if is_inside || hex {
            return None;
        }
        self.within_base64(text, start, end).and_then(|(kind, end)| span(kind, start, end))
    }

    /// Is it base64 of a text with a secret in it? It may be broken into lines.
    fn within_base64(&self, text: Text, start: usize, end: usize) -> Option<(&'static str, usize)> {
        const SAMPLES: [usize; 2] = [8, 24];
        if SAMPLES.iter().any(|length| !is_text(&decode(&text.0[start..end.min(start + length)]))) {
            return None;
        }
        let mut stop = text.end_of(Class::Base64, end);
        while let Some(next) = text.over_break(stop).filter(|_| stop - start >= 56) {
            let rest = text.end_of(Class::Base64, next);
            if rest == next || !matches!(text.at(rest), 0 | b'\n' | b'\r' | b'"' | b'\'') {
                break;
            }
            stop = rest;
        }
        let plain = decode(&text.0[start..stop]);
        let first = self.inside(&plain)?;
        Some((first, stop))
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let plain =
        |byte: &&u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
    bytes.len() >= 6 && bytes.iter().filter(plain).count() == bytes.len()
}

/// Base64 of either kind; what is not of it is passed over.
pub(crate) fn decode(coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(coded.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in coded {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            plain.push((bits >> count) as u8);
        }
    }
    plain
}

/// `123456789:` and 35 bytes, as BotFather gives them; a line break may cut them.
fn telegram(text: Text, start: usize, end: usize) -> Option<(usize, usize)> {
    let colon = match text.before(start) {
        b':' => start - 1,
        // `%3A` before it.
        _ if start >= 1 && text.has_word(start.wrapping_sub(1), "%3a") => start - 1,
        _ => return None,
    };
    let behind = if text.at(colon) == b'%' { colon + 3 } else { colon + 1 };
    let digits = text.start_of(Class::Digit, colon);
    let stop = text.end_of_broken(Class::Url, behind).max(text.end_of(Class::Url, behind));
    let length = text.0[behind..stop].iter().filter(|byte| Class::Url.has(**byte)).count();
    let is_it = (6..=12).contains(&(colon - digits))
        && (30..=50).contains(&length)
        && looks_random(&text.0[behind..stop])
        && stop >= end.min(stop);
    is_it.then_some((digits, stop))
}

/// Three parts: who, when, and the proof.
fn discord(text: Text, start: usize, end: usize) -> Option<(usize, usize)> {
    let first = end - start;
    if !(23..=28).contains(&first)
        || text.at(end) != b'.'
        || !matches!(text.at(start), b'M' | b'N' | b'O')
    {
        return None;
    }
    let second = text.end_of(Class::Url, end + 1);
    if !(5..=7).contains(&(second - end - 1)) || text.at(second) != b'.' {
        return None;
    }
    let third = text.end_of_broken(Class::Url, second + 1);
    (third - second > 27).then_some((start, third))
}

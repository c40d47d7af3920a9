//! The forms in which a secret may stand in text.

use crate::text::Text;

/// A way to write bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As they are.
    Plain,
    /// As in an address: `%2B`.
    Percent,
    /// As in JSON and in most languages: `\/`, `\"`, `\u002f`.
    Escaped,
    /// Base64 of either kind, wherever in it they begin.
    Base64,
    /// Two digits a byte.
    Hex,
}

/// One form of a secret: how it begins, and what is compared once it was gathered.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) coding: Coding,
    pub(crate) anchor: Vec<u8>,
    /// The bytes that are gathered; for base64 and hexadecimal digits as they are written.
    pub(crate) whole: Vec<u8>,
}

/// By so many bytes a form is recognised. More of a secret is not kept as it is.
const ANCHOR_BYTES: usize = 8;
/// So many kinds of marks among them are tried in every choice.
const MOST_MARKS: usize = 4;

/// All forms of a secret.
pub(crate) fn forms(secret: &[u8]) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut add = |coding, coded: &[u8], whole: &[u8]| {
        let anchor = coded[..coded.len().min(ANCHOR_BYTES)].to_ascii_lowercase();
        let is_new =
            |form: &Form| form.coding == coding && form.anchor == anchor && form.whole == whole;
        if !forms.iter().any(is_new) {
            forms.push(Form { coding, anchor, whole: whole.to_vec() });
        }
    };
    // What is coded behind the anchor alone is gathered from the same one.
    for coding in [Coding::Plain, Coding::Percent, Coding::Escaped] {
        add(coding, secret, secret);
    }
    // Who codes an address may leave this or that as it is.
    let mut marks: Vec<u8> = secret.iter().take(ANCHOR_BYTES).copied().collect();
    marks.retain(|byte| !byte.is_ascii_alphanumeric());
    marks.sort_unstable();
    marks.dedup();
    marks.truncate(MOST_MARKS);
    for choice in 0..1usize << marks.len() {
        let is_coded = |byte: u8| {
            marks
                .iter()
                .position(|mark| *mark == byte)
                .map_or(!byte.is_ascii_alphanumeric(), |at| choice >> at & 1 == 1)
        };
        add(Coding::Percent, &percent(secret, is_coded), secret);
    }
    add(Coding::Percent, &percent(secret, |_| true), secret);
    for coded in [escaped(secret, false), escaped(secret, true)] {
        add(Coding::Escaped, &coded, secret);
    }
    for offset in 0..3 {
        let core = base64_core(secret, offset);
        if core.len() >= ANCHOR_BYTES {
            add(Coding::Base64, &core, &core);
            let address: Vec<u8> = core
                .iter()
                .map(|byte| match byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    byte => *byte,
                })
                .collect();
            add(Coding::Base64, &address, &core);
            add(Coding::Base64, &percent(&core, |_| true), &core);
            add(Coding::Base64, &percent(&core, |byte| !byte.is_ascii_alphanumeric()), &core);
            add(Coding::Base64, &escaped(&core, true), &core);
        }
    }
    let hex: Vec<u8> = secret.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
    forms.push(Form {
        coding: Coding::Hex,
        anchor: hex[..hex.len().min(2 * ANCHOR_BYTES)].to_vec(),
        whole: hex,
    });
    forms
}

/// Those bytes as `%XX`.
fn percent(bytes: &[u8], is_coded: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut coded = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if is_coded(*byte) {
            coded.extend_from_slice(format!("%{byte:02x}").as_bytes());
        } else {
            coded.push(*byte);
        }
    }
    coded
}

fn escaped(bytes: &[u8], slash: bool) -> Vec<u8> {
    let mut coded = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'"' | b'\\' => coded.extend([b'\\', *byte]),
            b'/' if slash => coded.extend(b"\\/"),
            b'&' | b'<' | b'>' | b'\'' | b'+' if slash => {
                coded.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            }
            byte => coded.push(*byte),
        }
    }
    coded
}

/// The digits of base64 that the bytes alone decide, where so many stand before them.
fn base64_core(bytes: &[u8], before: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let first = (before * 8).div_ceil(6);
    let last = (before + bytes.len()) * 8 / 6;
    let bit = |at: usize| {
        let byte = bytes[at / 8 - before];
        usize::from(byte >> (7 - at % 8) & 1)
    };
    (first..last)
        .map(|digit| DIGITS[(0..6).fold(0, |six, at| six << 1 | bit(digit * 6 + at))])
        .collect()
}

/// Gathers so many bytes of a form from a place on, over line breaks; where they end, and what they are.
pub(crate) fn gather(
    text: Text,
    start: usize,
    coding: Coding,
    count: usize,
) -> Option<(usize, Vec<u8>)> {
    let mut whole = Vec::with_capacity(count);
    let mut at = start;
    while whole.len() < count {
        if at > start
            && let Some(next) = text.over_break(at)
        {
            at = next;
        }
        let (byte, length) = one(text, at, coding)?;
        whole.push(byte);
        at += length;
    }
    Some((at, whole))
}

/// One byte of a form, and how long it is as it is written.
fn one(text: Text, at: usize, coding: Coding) -> Option<(u8, usize)> {
    let byte = *text.0.get(at)?;
    let hex = |from: usize, digits: usize| {
        let digits = text.0.get(from..from + digits)?;
        u8::try_from(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?).ok()
    };
    let percent = || hex(at + 1, 2).map(|byte| (byte, 3)).filter(|_| byte == b'%');
    let escape = || match text.at(at + 1) {
        _ if byte != b'\\' => None,
        b'u' => hex(at + 2, 4).map(|byte| (byte, 6)),
        b'n' => Some((b'\n', 2)),
        b't' => Some((b'\t', 2)),
        b'r' => Some((b'\r', 2)),
        other if other.is_ascii_punctuation() => Some((other, 2)),
        _ => None,
    };
    let plain = Some((byte, 1));
    match coding {
        Coding::Plain => plain,
        Coding::Percent => percent().or(plain),
        Coding::Escaped => escape().or(plain),
        Coding::Hex => Some((byte.to_ascii_lowercase(), 1)),
        Coding::Base64 => percent().or_else(escape).or(plain).map(|(byte, length)| match byte {
            b'-' => (b'+', length),
            b'_' => (b'/', length),
            byte => (byte, length),
        }),
    }
}

/// So many bytes before a place, over line breaks and the indents behind them: where they begin.
pub(crate) fn back(text: Text, end: usize, count: usize) -> Option<usize> {
    let mut at = end;
    for _ in 0..count {
        if at < end
            && let Some(before) = before_break(text, at)
        {
            at = before;
        }
        at = at.checked_sub(1)?;
    }
    Some(at)
}

/// Where the line before ends, where this is the beginning of a line behind its indent.
fn before_break(text: Text, at: usize) -> Option<usize> {
    let indent = text.0[..at].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let mut end = at - indent;
    if text.before(end) != b'\n' {
        return None;
    }
    end -= 1;
    if text.before(end) == b'\r' {
        end -= 1;
    }
    // As a shell breaks lines.
    end -= usize::from(text.before(end) == b'\\');
    Some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_core_of_base64_stands_in_every_base64_of_it() {
        // "xx" + "secret-value" in base64.
        assert_eq!(base64_core(b"secret-value", 0), b"c2VjcmV0LXZhbHVl");
        assert!(
            b"eHhzZWNyZXQtdmFsdWU="
                .windows(14)
                .any(|it| base64_core(b"secret-value", 2).starts_with(it))
        );
    }

    proptest! {
        #[test]
        fn what_is_coded_is_gathered_again(secret in "[ -~]{8,40}", keep in 0usize..3) {
            let keeps: &[u8] = [b"".as_slice(), b"-_.~", b"-_.~/:"][keep];
            let coded = percent(secret.as_bytes(), |byte| byte == b'%' || !keeps.contains(&byte));
            let got = gather(Text(&coded), 0, Coding::Percent, secret.len());
            prop_assert_eq!(got, Some((coded.len(), secret.clone().into_bytes())));
            let coded = escaped(secret.as_bytes(), true);
            let got = gather(Text(&coded), 0, Coding::Escaped, secret.len());
            prop_assert_eq!(got, Some((coded.len(), secret.into_bytes())));
        }
    }
}

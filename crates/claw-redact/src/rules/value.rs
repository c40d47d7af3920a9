//! What stands behind a name: where the value begins and ends, and whether it can be a secret.

use crate::text::{Class, Text};

/// How the value is tied to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tie {
    /// By nothing but a blank, a comma, a bracket, or `is`.
    Loose,
    /// By `: `, as in prose as well.
    Colon,
    /// By `=`, `=>`, `:` before a quote, or a tag.
    Firm,
}

/// A value, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) tie: Tie,
    pub(crate) quoted: bool,
}

/// What opens and closes a quoted value, the longer one first.
const QUOTES: &[&str] =
    &["\\\\\\\"", "\\\"", "\\u0022", "&quot;", "&#34;", "%22", "%27", "\"", "'", "`"];
/// What ties firmly.
const FIRM: &[&str] = &["=>", ":=", "==", "=", "%3d", "%253d", "%3a", "\\u003d", "&#61;"];

fn one_of(text: Text, at: usize, words: &[&'static str]) -> Option<&'static str> {
    if !matches!(text.at(at), b'"' | b'\'' | b'`' | b'\\' | b'&' | b'%' | b'=' | b':') {
        return None;
    }
    words.iter().copied().find(|word| text.has_word(at, word))
}

/// The value behind a name that ends there.
pub(crate) fn behind(text: Text, name_end: usize) -> Option<Value> {
    // Most words that are names elsewhere are followed by other words.
    let next = text.at(name_end);
    if next.is_ascii_alphanumeric() || matches!(next, b'.' | b'/' | b'-' | b'_' | b'\n' | 0) {
        return None;
    }
    let mut at = name_end;
    let mut closed = false;
    if let Some(quote) = one_of(text, at, QUOTES) {
        (at, closed) = (at + quote.len(), true);
    }
    if text.at(at) == b']' || (closed && text.at(at) == b')') {
        at += 1;
    }
    // `<add key="Password" value="…">`, `"name":"TOKEN","value":"…"`, `<string name="password">…`.
    if let Some(value) = in_a_pair(text, at, closed) {
        return Some(value);
    }
    if text.at(at) == b'>' || (text.at(at) == b'?' && text.at(at + 1) == b'=') {
        at += usize::from(text.at(at) == b'?');
        return value(text, at + 1, Tie::Firm, closed);
    }
    let blank = text.skip_blanks(at);
    if let Some(tie) = one_of(text, blank, FIRM) {
        return value(text, blank + tie.len(), Tie::Firm, closed);
    }
    if text.at(blank) == b':' || text.from(blank).starts_with("：".as_bytes()) {
        let behind = blank + if text.at(blank) == b':' { 1 } else { "：".len() };
        let is_close = !matches!(text.at(behind), b' ' | b'\t' | b'\r' | b'\n' | 0);
        let firm = closed || (is_close && text.at(behind) != b':');
        return value(text, behind, if firm { Tie::Firm } else { Tie::Colon }, closed);
    }
    if matches!(text.at(blank), b',' | b'(') && (closed || text.at(blank) == b'(') {
        return value(text, blank + 1, Tie::Loose, closed).filter(|value| value.quoted);
    }
    if blank > at || closed {
        let first = text.at(blank).to_ascii_lowercase();
        let is_said = matches!(first, b'i' | b's' | b'w' | b't' | b'b');
        for word in is_said
            .then_some(["is set to ", "set to ", "is ", "was ", "to ", "BY ", "WITH "])
            .into_iter()
            .flatten()
        {
            if text.has_word(blank, word) {
                return value(text, blank + word.len(), Tie::Loose, closed);
            }
        }
        if blank > at {
            return value(text, blank, Tie::Loose, closed);
        }
    }
    None
}

/// The value of a pair that says `value` of its own.
fn in_a_pair(text: Text, at: usize, closed: bool) -> Option<Value> {
    if !closed {
        return None;
    }
    let mut from = text.skip_blanks(at);
    if text.at(from) == b',' {
        from = text.skip_blanks(from + 1);
    }
    let quote = one_of(text, from, QUOTES).map_or(0, str::len);
    if !text.has_word(from + quote, "value") {
        return None;
    }
    behind(text, from + quote + "value".len())
}

/// The value that begins behind this.
fn value(text: Text, from: usize, tie: Tie, _closed: bool) -> Option<Value> {
    let mut start = blanks(text, from);
    if text.at(start) == b'{' && tie == Tie::Firm {
        return in_a_pair(text, start + 1, true);
    }
    if let Some(next) = text.over_break(start) {
        // On the next line it has to be quoted, or alone there.
        let is_quoted = one_of(text, next, QUOTES).is_some();
        let rest = text.end_of(Class::Shell, next);
        let is_alone =
            matches!(text.at(rest), 0 | b'\n' | b'\r') && text.before(rest) != b':' && rest > next;
        if tie == Tie::Loose
            || !(is_quoted || (is_alone && crate::text::looks_random(&text.0[next..rest])))
        {
            return None;
        }
        start = next;
    }
    if matches!(text.at(start), b'[' | b'(') && one_of(text, start + 1, QUOTES).is_some() {
        start += 1;
    }
    if let Some(quote) = one_of(text, start, QUOTES) {
        start += quote.len();
        start = behind_scheme(text, start);
        let end = end_of_quoted(text, start, quote);
        return (end > start).then_some(Value { start, end, tie, quoted: true });
    }
    start = behind_scheme(text, start);
    let end = end_of_bare(text, start);
    (end > start).then_some(Value { start, end, tie, quoted: false })
}

fn blanks(text: Text, from: usize) -> usize {
    let mut at = text.skip_blanks(from);
    while text.has_word(at, "%20") {
        at = text.skip_blanks(at + 3);
    }
    at
}

/// Behind `Bearer` and the like, which are no secret.
fn behind_scheme(text: Text, at: usize) -> usize {
    for scheme in [
        "bearer",
        "basic",
        "token",
        "digest",
        "negotiate",
        "apikey",
        "bot",
        "aws4-hmac-sha256",
        "key",
    ] {
        if !text.has_word(at, scheme) {
            continue;
        }
        let end = at + scheme.len();
        let behind = blanks(text, end);
        let behind = if text.at(end) == b'+' { end + 1 } else { behind };
        if behind > end {
            return behind;
        }
    }
    at
}

/// Where a quoted value ends: at the quote that opened it. One that nobody closes ends with its line.
fn end_of_quoted(text: Text, from: usize, quote: &str) -> usize {
    const LONGEST: usize = 16 * 1024;
    let mut at = from;
    let mut broken = None;
    while at < text.0.len() && at - from < LONGEST {
        if text.has_word(at, quote) {
            return at;
        }
        match text.at(at) {
            b'\\' if quote.len() == 1 => at += 1,
            b'\n' => broken = broken.or(Some(at)),
            _ => {}
        }
        // A quote that closes three lines on belongs to something else.
        if broken.is_some_and(|broken| at - broken > 512) {
            break;
        }
        at += 1;
    }
    let line_end = broken.unwrap_or(at.min(text.0.len()));
    line_end - usize::from(text.before(line_end) == b'\r' && line_end > from)
}

/// Where a bare value ends. A comma, a semicolon or an ampersand ends it where another pair follows.
fn end_of_bare(text: Text, from: usize) -> usize {
    let mut at = from;
    let shell = text.0.get(from).is_some_and(|byte| *byte == b'{' || *byte == b'[');
    if shell {
        return from;
    }
    loop {
        let byte = text.at(at);
        if !Class::Shell.has(byte) && byte != b';' {
            break;
        }
        if text.has_word(at, "%26")
            || text.has_word(at, "%22")
            || text.has_word(at, "%20")
            || text.has_word(at, "&quot;")
        {
            break;
        }
        if matches!(byte, b',' | b';' | b'&') && ends_a_pair(text, at + 1) {
            break;
        }
        if matches!(byte, b')' | b']' | b'}') && !Class::Alnum.has(text.at(at + 1)) {
            break;
        }
        if matches!(byte, b'.' | b'!' | b'?' | b':')
            && matches!(text.at(at + 1), 0 | b' ' | b'\n' | b'\r')
        {
            break;
        }
        at += 1;
    }
    if at == text.0.len() || matches!(text.at(at), b'\n' | b'\r' | b'\\') {
        let more = text.end_of_broken(Class::Base64, at);
        if more > at && crate::text::looks_random(&text.0[from..at]) {
            return more;
        }
    }
    at
}

fn ends_a_pair(text: Text, at: usize) -> bool {
    let at = text.skip_blanks(at);
    let end = text.end_of(Class::Dotted, at);
    matches!(text.at(at), 0 | b'\n' | b'\r' | b'"' | b'\'' | b'{' | b'}' | b'[' | b'#')
        || text.before(at) == b' '
        || (end > at && matches!(text.at(end), b'=' | b':'))
}

/// Words that stand behind such names and are no secrets.
const ORDINARY: &[&str] = &[
    "accepted",
    "added",
    "already",
    "and",
    "auth",
    "authentication",
    "bad",
    "bearer",
    "by",
    "can",
    "cannot",
    "changed",
    "check",
    "copied",
    "correct",
    "could",
    "count",
    "created",
    "default",
    "deleted",
    "denied",
    "disabled",
    "empty",
    "enabled",
    "env",
    "error",
    "expired",
    "expires",
    "expiry",
    "fail",
    "failed",
    "failure",
    "false",
    "field",
    "file",
    "for",
    "forgotten",
    "found",
    "from",
    "generated",
    "given",
    "has",
    "have",
    "hidden",
    "identifier",
    "in",
    "incorrect",
    "invalid",
    "is",
    "issued",
    "key",
    "keyword",
    "length",
    "limit",
    "loaded",
    "manager",
    "mismatch",
    "missing",
    "must",
    "needed",
    "never",
    "new",
    "nil",
    "no",
    "none",
    "not",
    "null",
    "number",
    "of",
    "off",
    "ok",
    "omitted",
    "on",
    "optional",
    "or",
    "pass",
    "passed",
    "password",
    "pending",
    "policy",
    "present",
    "protected",
    "provided",
    "punctuation",
    "reader",
    "read",
    "received",
    "redacted",
    "refresh",
    "refreshed",
    "rejected",
    "removed",
    "renewed",
    "required",
    "requires",
    "reset",
    "revoked",
    "rotated",
    "rotation",
    "saved",
    "secret",
    "sent",
    "set",
    "should",
    "skipped",
    "stored",
    "string",
    "success",
    "the",
    "then",
    "this",
    "to",
    "token",
    "true",
    "type",
    "undefined",
    "unchanged",
    "unexpected",
    "unix",
    "unknown",
    "unset",
    "unused",
    "updated",
    "use",
    "used",
    "user",
    "using",
    "valid",
    "validated",
    "value",
    "verified",
    "was",
    "when",
    "will",
    "with",
    "wrong",
    "yes",
    "your",
    "any",
    "all",
    "n/a",
    "na",
    "ask",
    "prompt",
    "loopback",
    "trusted-proxy",
    "both",
    "basic",
    "plain",
    "login",
    "cram-md5",
    "oauth",
    "oauth2",
];

/// Is it a word that is no secret, a place-holder, a reference, or the name of a file?
pub(crate) fn is_ordinary(value: &[u8]) -> bool {
    const HOLDERS: &[&[u8]] = &[
        b"$",
        b"<",
        b"{",
        b"%(",
        b"***",
        b"xxx",
        b"XXX",
        b"...",
        "…".as_bytes(),
        "•".as_bytes(),
        b"[",
        b"process.env",
        b"os.environ",
        b"os.getenv",
        b"getenv(",
        b"env(",
        b"env:",
        b"vault:",
        b"secretRef",
        b"!vault",
        b"!secret",
        b"@",
        b"(",
        b"none",
        b"None",
        b"//",
    ];
    // A crypted one begins as a variable does.
    let is_crypted = value.len() > 20 && value[0] == b'$' && value[1..].contains(&b'$');
    let is_held = HOLDERS.iter().any(|holder| value.starts_with(holder)) && !is_crypted;
    let is_stars = value.iter().all(|byte| {
        matches!(
            byte,
            b'*' | b'.' | b'-' | b'_' | b'?' | b'#' | b',' | b';' | b'|' | b'=' | b')' | b'/'
        )
    });
    let trimmed = value.trim_ascii_end().strip_suffix(b",").unwrap_or(value);
    let is_word = ORDINARY.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(trimmed));
    is_held || is_stars || is_word || is_path(value)
}

/// `/etc/claw/token`, `./token`, `~/.ssh/id`: the name of a file.
fn is_path(value: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    let begins = value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"~/");
    begins
        && (value.iter().all(plain)
            || value[1..].iter().filter(|byte| **byte == b'/').count() >= 2
                && value.iter().filter(|byte| plain(byte)).count() * 10 >= value.len() * 8)
}

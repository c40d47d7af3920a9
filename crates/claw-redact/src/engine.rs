//! One pass over a text: the words by which secrets may begin, and a look at each place.

use std::borrow::Cow;

use crate::coding::Coding;
use crate::held::Held;
use crate::key::Key;
use crate::rules::{Found, NAMES, RULES, TOKENS, named};
use crate::text::Text;
use crate::words::{BEGIN_BYTES, Begin, Words};

/// Takes secrets out of text.
#[derive(Debug)]
pub struct Redactor {
    words: Words,
    meanings: Vec<Meaning>,
    held: Held,
    key: Key,
}

/// What a word may be the beginning of.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Token(usize),
    Name(usize),
    Rule(usize, &'static str),
    Held(usize),
}

/// A secret that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What it is.
    pub kind: &'static str,
    /// Its print.
    pub print: String,
}

/// Where a secret stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) secret: Secret,
}

impl Redactor {
    /// One that knows the rules and what is held, and makes prints with that key.
    pub fn new(key: Key, held: Held) -> Self {
        let mut words = Words::new();
        let mut meanings = Vec::new();
        let mut add = |word: &[u8], meaning| {
            words.add(word, meanings.len());
            meanings.push(meaning);
        };
        for (number, rule) in RULES.iter().enumerate() {
            for word in rule.words {
                add(word.as_bytes(), Meaning::Rule(number, word));
            }
        }
        for (number, name) in NAMES.iter().enumerate() {
            for word in name.begins() {
                add(word.as_bytes(), Meaning::Name(number));
            }
        }
        for (number, token) in TOKENS.iter().enumerate() {
            add(token.prefix.as_bytes(), Meaning::Token(number));
        }
        // What is held comes first.
        for (number, anchor) in held.anchors().enumerate() {
            add(anchor, Meaning::Held(number));
        }
        Self { words, meanings, held, key }
    }

    /// The text with a mark in the place of each secret.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A mark is ASCII, and a secret is cut out at ASCII.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The bytes with a mark in the place of each secret.
    pub fn bytes<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let spans = self.spans(text);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut to = Vec::with_capacity(text.len());
        let mut at = 0;
        for span in &spans {
            to.extend_from_slice(&text[at..span.start]);
            span.mark(text, &mut to);
            at = span.end;
        }
        to.extend_from_slice(&text[at..]);
        Cow::Owned(to)
    }

    /// The secrets that stand in a text, in order.
    pub fn secrets(&self, text: &[u8]) -> Vec<Secret> {
        self.spans(text).into_iter().map(|span| span.secret).collect()
    }

    /// The mark for something that is known to be a secret of a kind.
    pub fn mark(&self, kind: &str, secret: &[u8]) -> String {
        format!("[redacted:{kind}:{}]", self.key.print(secret))
    }

    /// Where the secrets stand, in order; none overlaps another.
    pub(crate) fn spans(&self, text: &[u8]) -> Vec<Span> {
        self.all(Text(text), false)
    }

    /// The kind of the first secret in what was decoded.
    pub(crate) fn inside(&self, text: &[u8]) -> Option<&'static str> {
        self.all(Text(text), true).first().map(|span| span.secret.kind)
    }

    fn all(&self, text: Text, is_inside: bool) -> Vec<Span> {
        let mut spans = Vec::new();
        self.pass(text, &mut spans);
        let found = spans.len();
        self.long(text, is_inside, &mut spans);
        if self.held.count() > 0 {
            self.breaks(text, &mut spans);
        }
        if spans.len() > found && found > 0 {
            // What was found first stays.
            let later = spans.split_off(found);
            let is_free = |span: &Span| {
                let next = spans.partition_point(|first| first.end <= span.start);
                spans.get(next).is_none_or(|first| first.start >= span.end)
            };
            let free: Vec<_> = later.into_iter().filter(is_free).collect();
            spans.extend(free);
            spans.sort_by_key(|span| span.start);
            spans.dedup_by(|later, earlier| later.start < earlier.end);
        }
        spans
    }

    /// Goes through the text once.
    fn pass(&self, text: Text, spans: &mut Vec<Span>) {
        let bytes = text.0;
        let (mut at, mut known) = (0, 0);
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let begins = |four: &[u8]| match *four {
                [a, b, c, d] => self.words.may_begin(Begin::of([a, b, c, d])),
                _ => false,
            };
            let Some(length) = rest.windows(BEGIN_BYTES).position(begins) else { return };
            at += length;
            if let Some(found) = self.look(text, at, at, known) {
                known = found.end;
                spans.push(found);
                at = known.max(at + 1);
            } else {
                at += 1;
            }
        }
    }

    /// Looks for what is held and begins before a line break and goes on behind it.
    fn breaks(&self, text: Text, spans: &mut Vec<Span>) {
        for line in memchr::memchr_iter(b'\n', text.0) {
            for before in 1..BEGIN_BYTES {
                let Some(next) = text.over_break(line) else { continue };
                let end = next + BEGIN_BYTES - before;
                if end > text.0.len() {
                    continue;
                }
                let Some(start) = crate::coding::back(text, end, BEGIN_BYTES) else { continue };
                if let Some(found) = self.look(text, start, usize::MAX, 0) {
                    spans.push(found);
                }
            }
        }
    }

    /// What begins there. Where it is broken by a line, which is where `whole` is another place, only
    /// what is held counts.
    fn look(&self, text: Text, start: usize, whole: usize, known: usize) -> Option<Span> {
        let four = if whole == start {
            <[u8; BEGIN_BYTES]>::try_from(text.0.get(start..start + BEGIN_BYTES)?).ok()?
        } else {
            let (_, four) = crate::coding::gather(text, start, Coding::Plain, BEGIN_BYTES)?;
            <[u8; BEGIN_BYTES]>::try_from(four).ok()?
        };
        for number in self.words.beginning(Begin::of(four)) {
            let found = match self.meanings[number] {
                Meaning::Held(anchor) => {
                    let found = self.held.find(&self.key, text, anchor, start);
                    if let Some((stop, secret)) = found.filter(|_| start >= known) {
                        return Some(Span { start, end: stop, secret });
                    }
                    continue;
                }
                _ if whole != start => continue,
                Meaning::Token(token) => TOKENS[token].find(text, start),
                Meaning::Name(name) => named(&NAMES[name], text, start),
                Meaning::Rule(rule, word) if text.has_word(start, word) => {
                    (RULES[rule].find)(text, start, start + word.len())
                }
                Meaning::Rule(..) => None,
            };
            if let Some(Found { kind, start, end }) = found
                && start >= known
                && end > start
                && !is_mark(text, start)
            {
                return Some(self.span(kind, text, start, end));
            }
        }
        None
    }

    /// The span of a secret. Line breaks are no part of what its print is made of.
    pub(crate) fn span(&self, kind: &'static str, text: Text, start: usize, end: usize) -> Span {
        let bytes = &text.0[start..end];
        let print = if bytes.contains(&b'\n') {
            let joined: Vec<u8> =
                bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            self.key.print(&joined)
        } else {
            self.key.print(bytes)
        };
        Span { start, end, secret: Secret { kind, print } }
    }
}

/// Does a mark stand there, or a part of one?
fn is_mark(text: Text, at: usize) -> bool {
    const MARK: &[u8] = b"[redacted:";
    const LONGEST: usize = 40;
    let from = at.saturating_sub(LONGEST);
    let before = &text.0[from..at];
    let last = memchr::memmem::rfind(before, MARK);
    text.from(at).starts_with(MARK) || last.is_some_and(|last| !before[last..].contains(&b']'))
}

impl Span {
    /// Writes what stands in its place. As many lines as it had, but for a key, remain lines.
    pub(crate) fn mark(&self, text: &[u8], to: &mut Vec<u8>) {
        to.extend_from_slice(b"[redacted:");
        to.extend_from_slice(self.secret.kind.as_bytes());
        to.push(b':');
        to.extend_from_slice(self.secret.print.as_bytes());
        to.push(b']');
        if self.secret.kind != "private-key" {
            let breaks = text[self.start..self.end].iter().filter(|byte| **byte == b'\n').count();
            to.extend(std::iter::repeat_n(b'\n', breaks));
        }
    }
}

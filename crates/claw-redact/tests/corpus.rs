//! How many of the leaks that are known are found, and how many ordinary lines are taken for one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use claw_redact::{Held, Key, Redactor, Stream};

fn redactor() -> Redactor {
    Redactor::new(Key::of(b"key"), Held::default())
}

/// A form of leak: what it is, the text, and the secrets in it.
struct Leak {
    what: String,
    text: String,
    secrets: Vec<String>,
}

fn leaks() -> Vec<Leak> {
    include_str!("../corpus/leaks.tsv").lines().map(leak).collect()
}

fn leak(line: &str) -> Leak {
    let (what, text) = line.split_once('\t').unwrap();
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match (char, char == '\\') {
            (_, true) => plain.push(match rest.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            (char, false) => plain.push(char),
        }
    }
    let secrets =
        plain.split('⟦').skip(1).map(|part| part.split('⟧').next().unwrap().to_owned()).collect();
    Leak { what: what.to_owned(), text: plain.replace(['⟦', '⟧'], ""), secrets }
}

#[test]
fn l7_ninety_nine_of_a_hundred_leaks_are_found() {
    let redactor = redactor();
    let leaks = leaks();
    assert!(leaks.len() >= 300);
    let mut missed = Vec::new();
    for leak in &leaks {
        let clean = redactor.text(&leak.text);
        if leak.secrets.iter().any(|secret| clean.contains(secret.as_str())) {
            missed.push(format!("{}: {}\n    => {clean}", leak.what, leak.text));
        }
    }
    let share = missed.len() * 100;
    assert!(
        share <= leaks.len(),
        "{} of {} missed:\n{}",
        missed.len(),
        leaks.len(),
        missed.join("\n")
    );
}

/// In a stream that comes in pieces of any size the same is found as in one piece.
#[test]
fn l7_a_stream_is_redacted_as_the_whole_text_is() {
    let redactor = redactor();
    let text: String = leaks().iter().map(|leak| format!("{}\n\n", leak.text)).collect();
    let text = text.repeat(12);
    let whole = redactor.bytes(text.as_bytes());
    for size in [1000, 4096, 65_537, 1 << 20] {
        let mut stream = Stream::new(&redactor);
        let mut clean = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            stream.push(piece, &mut clean);
        }
        stream.finish(&mut clean);
        assert!(clean == *whole, "pieces of {size}");
    }
}

/// What is clean stays as it is, so that two tools on the way do no more than one.
#[test]
fn l7_what_is_redacted_is_not_redacted_again() {
    let redactor = redactor();
    for leak in leaks() {
        let clean = redactor.text(&leak.text).into_owned();
        assert_eq!(redactor.text(&clean), clean, "{}", leak.what);
    }
}

/// What fills a `{…}`, different each time.
struct Fill(u64);

impl Fill {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn digits(&mut self, count: usize, digits: &[u8]) -> String {
        (0..count).map(|_| char::from(digits[self.next() as usize % digits.len()])).collect()
    }

    fn fill(&mut self, name: &str) -> Option<String> {
        const HEX: &[u8] = b"0123456789abcdef";
        const B64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const WORDS: &[&str] = &[
            "openclaw",
            "gateway",
            "memory",
            "workspace",
            "nginx",
            "backup",
            "monitor",
            "agent",
            "session",
            "tokenizer",
            "keyring",
            "passport",
            "secretary",
            "authors",
            "compass",
        ];
        Some(match name {
            "n" => (self.next() % 65_000).to_string(),
            "d" => format!("{:02}", 1 + self.next() % 28),
            "time" => format!(
                "2026-11-{:02}T{:02}:14:15.{:03}Z",
                1 + self.next() % 28,
                self.next() % 24,
                self.next() % 1000
            ),
            "word" => WORDS[self.next() as usize % WORDS.len()].to_owned(),
            "sha1" => self.digits(40, HEX),
            "sha256" => self.digits(64, HEX),
            "md5" => self.digits(32, HEX),
            "b64" => self.digits(43, B64),
            "uuid" => {
                let hex = self.digits(32, HEX);
                format!(
                    "{}-{}-{}-{}-{}",
                    &hex[..8],
                    &hex[8..12],
                    &hex[12..16],
                    &hex[16..20],
                    &hex[20..]
                )
            }
            _ => return None,
        })
    }

    fn line(&mut self, form: &str) -> String {
        let mut line = String::new();
        let mut rest = form;
        while let Some(open) = rest.find('{') {
            line.push_str(&rest[..open]);
            let filled = rest[open..].find('}').and_then(|close| {
                Some((self.fill(&rest[open + 1..open + close])?, open + close + 1))
            });
            match filled {
                Some((word, next)) => {
                    line.push_str(&word);
                    rest = &rest[next..];
                }
                None => {
                    line.push('{');
                    rest = &rest[open + 1..];
                }
            }
        }
        line + rest
    }
}

#[test]
fn l7_one_of_a_hundred_ordinary_lines_is_touched_at_most() {
    const LINES: usize = 100_000;
    let redactor = redactor();
    let forms: Vec<_> = include_str!("../corpus/ordinary.txt").lines().collect();
    let mut fill = Fill(88_172_645_463_325_252);
    let mut touched = std::collections::BTreeMap::new();
    let mut count = 0;
    for number in 0..LINES {
        let line = fill.line(forms[number % forms.len()]);
        let clean = redactor.text(&line);
        if clean != line {
            count += 1;
            touched.insert(number % forms.len(), format!("{line}\n    => {clean}"));
        }
    }
    let shown: Vec<_> = touched.into_values().collect();
    assert!(count * 100 <= LINES, "{count} of {LINES}:\n{}", shown.join("\n"));
}

/// Whatever stands there, nothing panics, and what is given back is the text with marks in it.
#[test]
fn l7_no_bytes_break_it() {
    let redactor = redactor();
    let mut fill = Fill(1234);
    let leaks = leaks();
    for round in 0..20_000 {
        let leak = &leaks[fill.next() as usize % leaks.len()];
        let mut bytes = leak.text.clone().into_bytes();
        for _ in 0..1 + round % 5 {
            let at = fill.next() as usize % bytes.len();
            match fill.next() % 3 {
                0 => bytes[at] = fill.next() as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"\n\\\"%:= @-"[fill.next() as usize % 9]),
            }
        }
        let clean = redactor.bytes(&bytes);
        assert!(clean.len() <= bytes.len() + 64 * (1 + bytes.len() / 4));
    }
}

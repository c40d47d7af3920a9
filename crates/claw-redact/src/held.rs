//! The secrets that this host really holds, as the first bytes and a keyed hash of each of their forms.

use std::collections::HashMap;

use crate::coding::{self, Coding, Form};
use crate::engine::Secret;
use crate::key::{Key, print_of};
use crate::text::{Class, Text, looks_random};

/// What this host holds. None of it can be had from here again.
#[derive(Debug, Default)]
pub struct Held {
    /// The bytes by which forms begin, and those forms.
    anchors: Vec<(Vec<u8>, Vec<usize>)>,
    /// Which anchor it is.
    numbers: HashMap<Vec<u8>, usize>,
    forms: Vec<Known>,
    /// How many secrets there are.
    count: usize,
}

/// A form of a secret.
#[derive(Debug)]
struct Known {
    kind: &'static str,
    coding: Coding,
    /// How many bytes are gathered.
    length: usize,
    hash: [u8; 32],
    print: String,
    /// It is so short that it may stand in a longer word by chance.
    short: bool,
}

/// So many are held at most: who can write a file that is read here could bring any number.
const MOST: usize = 400;

impl Held {
    /// Holds one more secret, unless it is too short or too common to be told from words.
    pub fn add(&mut self, key: &Key, kind: &'static str, secret: &[u8]) {
        const LONG: usize = 12;
        if self.count >= MOST || !can_be_held(secret) {
            return;
        }
        let print = print_of(&key.hash(secret));
        if self.forms.iter().any(|known| known.print == print && known.length == secret.len()) {
            return;
        }
        self.count += 1;
        for Form { coding, anchor, whole } in coding::forms(secret) {
            let known = Known {
                kind,
                coding,
                length: whole.len(),
                hash: key.hash(&whole),
                print: print.clone(),
                short: secret.len() < LONG
                    && matches!(coding, Coding::Plain | Coding::Percent | Coding::Escaped),
            };
            let new = self.anchors.len();
            let number = *self.numbers.entry(anchor).or_insert_with_key(|anchor| {
                self.anchors.push((anchor.clone(), Vec::new()));
                new
            });
            self.anchors[number].1.push(self.forms.len());
            self.forms.push(known);
        }
    }

    /// How many secrets are held.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The bytes by which their forms begin.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = &[u8]> {
        self.anchors.iter().map(|(anchor, _)| anchor.as_slice())
    }

    /// The secret whose form begins there by the anchor of that number, and where it ends.
    pub(crate) fn find(
        &self,
        key: &Key,
        text: Text,
        anchor: usize,
        start: usize,
    ) -> Option<(usize, Secret)> {
        let (bytes, forms) = self.anchors.get(anchor)?;
        let (_, begin) = coding::gather(text, start, Coding::Plain, bytes.len())?;
        if !begin.eq_ignore_ascii_case(bytes) {
            return None;
        }
        forms.iter().find_map(|form| {
            let known = &self.forms[*form];
            let (stop, whole) = coding::gather(text, start, known.coding, known.length)?;
            let is_within = Class::Alnum.has(text.before(start)) || Class::Alnum.has(text.at(stop));
            let is_it = !(known.short && is_within) && key.hash(&whole) == known.hash;
            let secret = || Secret { kind: known.kind, print: known.print.clone() };
            is_it.then(|| (stop, secret()))
        })
    }
}

fn can_be_held(secret: &[u8]) -> bool {
    const SHORTEST: usize = 5;
    const PLAIN: usize = 8;
    const LONGEST: usize = 4096;
    let has_mark = secret.iter().any(u8::is_ascii_punctuation);
    let is_told = looks_random(secret) || has_mark || secret.len() >= PLAIN;
    // All of one kind, as a number of milliseconds is.
    let digits = secret.iter().all(u8::is_ascii_digit) && secret.len() < PLAIN;
    (SHORTEST..=LONGEST).contains(&secret.len())
        && is_told
        && !digits
        && !secret.contains(&b'\n')
        && !crate::rules::is_ordinary(secret)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Place, Redactor};

    /// Base64 as everybody makes it.
    fn base64(bytes: &[u8], digits: &[u8; 64]) -> String {
        let mut text = String::new();
        for part in bytes.chunks(3) {
            let word = part
                .iter()
                .enumerate()
                .fold(0u32, |word, (at, byte)| word | u32::from(*byte) << (16 - 8 * at));
            for digit in 0..=part.len() {
                text.push(char::from(digits[(word >> (18 - 6 * digit)) as usize & 63]));
            }
        }
        text
    }

    const PLAIN: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const ADDRESS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// All that a secret may look like.
    fn codings(secret: &str) -> Vec<String> {
        let percent =
            |keep: fn(u8) -> bool| -> String {
                secret
                    .bytes()
                    .map(|byte| {
                        if keep(byte) {
                            char::from(byte).to_string()
                        } else {
                            format!("%{byte:02X}")
                        }
                    })
                    .collect()
            };
        let half = secret.len() / 2;
        let mut all = vec![
            secret.to_owned(),
            percent(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)),
            percent(|_| false),
            percent(|_| false).to_lowercase(),
            percent(|byte| byte != b'%' && byte != b'/'),
            secret.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/"),
            secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
            secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ];
        for before in ["", "x", "xy", "xyz: "] {
            let around = format!("{before}{secret}!");
            all.push(base64(around.as_bytes(), PLAIN));
            all.push(base64(around.as_bytes(), ADDRESS));
            all.push(base64(around.as_bytes(), PLAIN).replace('+', "%2B").replace('/', "%2F"));
        }
        for cut in [1, 3, half, secret.len() - 1] {
            for link in ["\n", "\r\n", "\n    ", "\\\n  "] {
                all.push(format!("{}{link}{}", &secret[..cut], &secret[cut..]));
            }
        }
        all
    }

    /// L7: whatever this host holds is found wherever it stands, in every coding.
    #[test]
    fn l7_what_is_held_is_found_in_every_coding() {
        let key = Key::of(b"key");
        let secrets = [
            "hunter2",
            "correct horse/battery+staple",
            "a\"bcd/e\\f&g",
            "4f9d8e7c6b5a49382716f5e4d3c2b1a0",
            "swordfishes",
            "p%41ss/word+1",
        ];
        let mut held = Held::default();
        for secret in secrets {
            held.add(&key, "password", secret.as_bytes());
        }
        assert_eq!(held.count(), secrets.len());
        let redactor = Redactor::new(key, held);
        for secret in secrets {
            let prints: Vec<_> = codings(secret)
                .iter()
                .map(|coded| {
                    let text = format!("said ({coded}) twice ({coded})");
                    let secrets = redactor.secrets(text.as_bytes());
                    assert_eq!(secrets.len(), 2, "{text}");
                    let clean = redactor.text(&text);
                    // What stands before and behind it in base64 is none of it.
                    assert!(clean.starts_with("said (") && clean.ends_with(')'), "{clean}");
                    secrets[0].print.clone()
                })
                .collect();
            assert!(prints.iter().all(|print| *print == prints[0]), "{secret}: {prints:?}");
        }
    }

    #[test]
    fn what_is_no_secret_is_not_held() {
        let mut held = Held::default();
        for word in [
            "",
            "abc",
            "token",
            "12345",
            "true",
            "$HOME",
            "${TOKEN}",
            "/etc/passwd",
            "***",
            "undefined",
        ] {
            held.add(&Key::of(b"k"), "password", word.as_bytes());
            assert_eq!(held.count(), 0, "{word}");
        }
    }

    /// The files of a home, as they really are.
    #[test]
    fn l7_the_secrets_of_a_host_are_read_from_where_they_are() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            ".openclaw/openclaw.json",
            "{ // mine\n gateway: { auth: { mode: 'token', token: 'swordfishes and more' } },\n channels: { telegram: { botToken: \"not-a-real-one\\/x\" } },\n port: 18789 }",
        );
        write(".openclaw/openclaw.json.bak.1", "{\"password\":\"older-one\"}");
        write(".openclaw/.env", "# comment\nOPENAI_API_KEY=plainwordkey\nLANG=C.UTF-8\n");
        write(
            ".openclaw/credentials/whatsapp/creds.json",
            "{\"noiseKey\":{\"private\":\"uKJ8s7dhjk28hdjs82hs\"}}",
        );
        write(
            ".ssh/id_rsa",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAxyzxyzxyz1234567890abcdefghijkl\nshort\n-----END RSA PRIVATE KEY-----\n",
        );
        write(".ssh/config", "Host x\n  User me\n");
        let key = Key::of(b"k");
        let nowhere = home.path().join("none");
        let places: Vec<Place> = crate::places(&nowhere, &[home.path()]);
        let redactor = Redactor::new(key.clone(), Held::read(&key, &places));
        for said in [
            "x swordfishes and more x",
            "x not-a-real-one/x x",
            "x older-one x",
            "x plainwordkey x",
            "x uKJ8s7dhjk28hdjs82hs x",
            "x MIIEowIBAAKCAQEAxyzxyzxyz1234567890abcdefghijkl x",
        ] {
            let clean = redactor.text(said);
            assert!(clean.starts_with("x [redacted:") && clean.ends_with("] x"), "{clean}");
        }
        for said in ["18789", "C.UTF-8", "token", "Host x"] {
            assert_eq!(redactor.text(said), said);
        }
    }
}

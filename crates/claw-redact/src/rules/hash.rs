//! Passwords as `crypt` keeps them, which can be guessed at leisure.

use super::{Found, Rule};
use crate::text::{Class, Text};

pub(super) const RULE: Rule = Rule {
    words: &[
        "$1$",
        "$5$",
        "$6$",
        "$7$",
        "$y$",
        "$gy$",
        "$2a$",
        "$2b$",
        "$2y$",
        "$apr1$",
        "$argon2",
        "$pbkdf2",
        "$scrypt$",
        "{ssha",
        "{sha}",
        "pbkdf2_sha256$",
        "scram-sha-256$",
    ],
    find,
};

fn find(text: Text, start: usize, end: usize) -> Option<Found> {
    let inside =
        |byte: &u8| Class::Base64.has(*byte) || matches!(byte, b'.' | b'$' | b',' | b':' | b'}');
    let length = text.from(end).iter().take_while(|byte| inside(byte)).count();
    let stop = end + length;
    // The fields of /etc/shadow that follow are no part of it.
    let field =
        text.0[end..stop].iter().position(|byte| *byte == b':').filter(|_| text.at(start) == b'$');
    let stop = field.map_or(stop, |at| end + at);
    (stop - end >= 16).then_some(Found { kind: "password-hash", start, end: stop })
}

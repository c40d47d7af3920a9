//! Bytes and what kinds of them there are, and going through them.

/// A kind of byte; a table row each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Digits.
    Digit,
    /// Digits and a to f, in either case.
    Hex,
    /// Letters and digits.
    Alnum,
    /// Upper-case letters and digits.
    Upper,
    /// Letters, digits and `_`.
    Word,
    /// Letters, digits, `_` and `-`, as base64 for addresses has it.
    Url,
    /// The same, and `.`, for what has parts.
    Dotted,
    /// Letters, digits, `+`, `/`, `=`, `_` and `-`: base64 of either kind.
    Base64,
    /// The digits of base64, without what fills it up.
    Sixtyfour,
    /// Whatever may stand in a word of a shell: no space, no quote, nothing that ends a command.
    Shell,
}

const fn bit(class: Class) -> u16 {
    1 << class as u16
}

const CLASSES: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let mut bits = 0;
        if byte.is_ascii_digit() {
            bits |= bit(Class::Digit) | bit(Class::Upper);
        }
        if byte.is_ascii_hexdigit() {
            bits |= bit(Class::Hex);
        }
        if byte.is_ascii_uppercase() {
            bits |= bit(Class::Upper);
        }
        if byte.is_ascii_alphanumeric() {
            bits |= bit(Class::Alnum);
        }
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            bits |= bit(Class::Word);
        }
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            bits |= bit(Class::Url) | bit(Class::Dotted);
            bits |= bit(Class::Base64) | bit(Class::Sixtyfour);
        }
        if byte == b'.' {
            bits |= bit(Class::Dotted);
        }
        if byte == b'+' || byte == b'/' {
            bits |= bit(Class::Base64) | bit(Class::Sixtyfour);
        }
        if byte == b'=' {
            bits |= bit(Class::Base64);
        }
        let ends = matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'|' | b';' | b'\\');
        if byte > b' ' && byte != 0x7f && !ends {
            bits |= bit(Class::Shell);
        }
        table[at] = bits;
        at += 1;
    }
    table
};

impl Class {
    /// Is the byte of this kind?
    pub(crate) fn has(self, byte: u8) -> bool {
        CLASSES[usize::from(byte)] & bit(self) != 0
    }
}

/// Text, with a short way to say what is looked for at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a>(pub(crate) &'a [u8]);

impl<'a> Text<'a> {
    /// The byte at a place; 0 behind the end.
    pub(crate) fn at(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// The byte before a place; 0 before the beginning.
    pub(crate) fn before(self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |at| self.at(at))
    }

    /// What follows from a place on.
    pub(crate) fn from(self, at: usize) -> &'a [u8] {
        self.0.get(at..).unwrap_or_default()
    }

    /// Where the bytes of a kind end that begin there.
    pub(crate) fn end_of(self, class: Class, from: usize) -> usize {
        let run = self.from(from).iter().take_while(|byte| class.has(**byte)).count();
        from + run
    }

    /// Where the bytes of a kind begin that end there.
    pub(crate) fn start_of(self, class: Class, to: usize) -> usize {
        to - self.0[..to].iter().rev().take_while(|byte| class.has(**byte)).count()
    }

    /// Behind blanks.
    pub(crate) fn skip_blanks(self, from: usize) -> usize {
        from + self.from(from).iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    /// The start of the line that follows where this place is a line break, behind its indent. A
    /// backslash before the break, as a shell has it, belongs to it.
    pub(crate) fn over_break(self, from: usize) -> Option<usize> {
        let mut at = from;
        if matches!(self.at(at), b'\\' | b'=') && matches!(self.at(at + 1), b'\n' | b'\r') {
            at += 1;
        }
        if self.at(at) == b'\r' {
            at += 1;
        }
        (self.at(at) == b'\n').then(|| self.skip_blanks(at + 1))
    }

    /// Where a run of bytes of a kind ends, also one that a line break cuts: its rest is all that stands
    /// on the next line, up to a quote perhaps, and does not look like words.
    pub(crate) fn end_of_broken(self, class: Class, from: usize) -> usize {
        /// What is shorter is not told from a word.
        const LEAST: usize = 4;
        let end = self.end_of(class, from);
        let Some(next) = self.over_break(end) else { return end };
        let rest = self.end_of(class, next);
        let is_alone = matches!(self.at(rest), 0 | b'\n' | b'\r' | b'"' | b'\'' | b',' | b' ');
        let is_rest = rest - next >= LEAST && is_alone && looks_random(&self.0[next..rest]);
        if is_rest { rest } else { end }
    }

    /// Does this word stand there, in either case?
    pub(crate) fn has_word(self, at: usize, word: &str) -> bool {
        self.from(at).get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// Does it look like chance rather than like words: letters and digits mixed, or upper case within?
pub(crate) fn looks_random(bytes: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| bytes.iter().filter(|byte| is(byte)).count();
    let (digits, upper) = (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase));
    let lower = count(u8::is_ascii_lowercase);
    let turns = bytes
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        .count();
    (digits > 0 && lower + upper > 0) || (turns > 0 && turns * 8 >= bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_told_from_words() {
        for (text, expected) in [
            ("a1b2c3d4", true),
            ("xKqPzRtYwLmN", true),
            ("correct-horse", false),
            ("ERROR", false),
            ("gatewayReady", false),
            ("12345678", false),
            ("hunter2", true),
        ] {
            assert_eq!(looks_random(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_run_goes_on_behind_a_line_break_where_that_is_all_of_the_next_line() {
        for (text, expected) in [
            ("abc1 def2", 4),
            ("abc1\ndef2\nx", 9),
            ("abc1\\\n   def2\"", 13),
            ("abc1\ndone\n", 4),
            ("abc1\n2026-11-23 x=1", 4),
        ] {
            let end = Text(text.as_bytes()).end_of_broken(Class::Word, 0);
            assert_eq!(end, expected, "{text:?}");
        }
    }
}

//! The words by which secrets may begin, all looked for at once.
//!
//! A table of bits says of any four bytes whether a word begins so. No look at four bytes waits for the
//! one before, and there is next to nothing to build: an automaton of these words takes longer to make
//! than most texts to read.

/// So many bytes decide whether there is a closer look.
pub(crate) const BEGIN_BYTES: usize = 4;
const BITS_LOG: u32 = 17;
const HEADS_LOG: u32 = 12;
/// With this bit, letters are the same in either case.
const CASE: u32 = 0x2020_2020;

/// The beginnings of all words.
pub(crate) struct Words {
    bits: Box<[u64; (1 << BITS_LOG) / 64]>,
    heads: Box<[u32; 1 << HEADS_LOG]>,
    /// The beginning of a word, the word, and where the next one of its list is.
    links: Vec<(u32, u32, u32)>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

/// No link.
const NONE: u32 = u32::MAX;

/// Four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begin(u32);

impl Begin {
    #[inline]
    pub(crate) fn of(bytes: [u8; BEGIN_BYTES]) -> Self {
        Self(u32::from_le_bytes(bytes) | CASE)
    }

    #[inline]
    fn hash(self) -> u32 {
        self.0.wrapping_mul(0x9e37_79b1)
    }

    #[inline]
    fn bit(self) -> usize {
        (self.hash() >> (32 - BITS_LOG)) as usize
    }

    fn head(self) -> usize {
        (self.hash() >> (32 - HEADS_LOG)) as usize
    }
}

impl Words {
    pub(crate) fn new() -> Self {
        let bits = Box::new([0; (1 << BITS_LOG) / 64]);
        Self { bits, heads: Box::new([NONE; 1 << HEADS_LOG]), links: Vec::new() }
    }

    /// Adds a word under a number; at least three bytes of it. Of words that begin alike the one that
    /// was added last comes first.
    pub(crate) fn add(&mut self, word: &[u8], number: usize) {
        match *word {
            [a, b, c, d, ..] => self.link(Begin::of([a, b, c, d]), number),
            // Anything may follow.
            [a, b, c] => {
                for last in (0..=u8::MAX).filter(|last| last & 0x20 != 0) {
                    self.link(Begin::of([a, b, c, last]), number);
                }
            }
            _ => {}
        }
    }

    fn link(&mut self, begin: Begin, number: usize) {
        self.bits[begin.bit() / 64] |= 1 << (begin.bit() % 64);
        let link = self.links.len() as u32;
        let next = std::mem::replace(&mut self.heads[begin.head()], link);
        self.links.push((begin.0, number as u32, next));
    }

    /// May a word begin so?
    #[inline]
    pub(crate) fn may_begin(&self, begin: Begin) -> bool {
        let bit = begin.bit();
        self.bits[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// The words that begin so.
    #[inline]
    pub(crate) fn beginning(&self, begin: Begin) -> impl Iterator<Item = usize> {
        let mut link = self.heads[begin.head()];
        std::iter::from_fn(move || {
            while link != NONE {
                let (key, number, next) = self.links[link as usize];
                link = next;
                if key == begin.0 {
                    return Some(number as usize);
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_how_they_begin() {
        let mut words = Words::new();
        for (number, word) in ["pw=", "token", "tok-x", "ghp_"].iter().enumerate() {
            words.add(word.as_bytes(), number);
        }
        let found = |text: &[u8; 4]| {
            let begin = Begin::of(*text);
            let mut found: Vec<_> = words.beginning(begin).collect();
            assert_eq!(words.may_begin(begin), !found.is_empty(), "{text:?}");
            found.sort_unstable();
            found
        };
        assert_eq!(found(b"TOKE"), [1]);
        assert_eq!(found(b"ghp_"), [3]);
        assert_eq!(found(b"pw=x"), [0]);
        assert_eq!(found(b"tok-"), [2]);
        assert!(found(b"word").is_empty());
    }
}

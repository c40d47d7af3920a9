//! Text of any length, in memory that does not grow with it.

use crate::engine::Redactor;

/// So much is looked at at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// So much of what follows is seen before something is judged: the longest key, and more.
const AHEAD_BYTES: usize = 32 * 1024;
/// So much of what was judged is seen with it.
const BEHIND_BYTES: usize = 1024;

/// A stream of text that comes in pieces of any size.
#[derive(Debug)]
pub struct Stream<'a> {
    redactor: &'a Redactor,
    text: Vec<u8>,
    /// So far it was given out.
    done: usize,
    /// How many secrets were found.
    found: u64,
}

impl<'a> Stream<'a> {
    /// A stream from its beginning.
    pub fn new(redactor: &'a Redactor) -> Self {
        let text = Vec::with_capacity(PIECE_BYTES + AHEAD_BYTES + BEHIND_BYTES);
        Self { redactor, text, done: 0, found: 0 }
    }

    /// Takes more text, and gives what is judged.
    pub fn push(&mut self, more: &[u8], to: &mut Vec<u8>) {
        for part in more.chunks(PIECE_BYTES) {
            self.text.extend_from_slice(part);
            if self.text.len() - self.done >= PIECE_BYTES / 2 + AHEAD_BYTES {
                self.give(self.text.len() - AHEAD_BYTES, to);
            }
        }
    }

    /// Gives whole lines that wait, as nothing more comes for now: who looks on should see them. What
    /// a secret there has on the next line is then not seen.
    pub fn pause(&mut self, to: &mut Vec<u8>) {
        let lines = self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let is_within_key = memchr::memmem::rfind(&self.text, b"-----BEGIN")
            > memchr::memmem::rfind(&self.text, b"-----END");
        if lines > self.done && !is_within_key {
            self.give(lines, to);
        }
    }

    /// Gives the rest, and tells how many secrets there were.
    pub fn finish(mut self, to: &mut Vec<u8>) -> u64 {
        self.give(self.text.len(), to);
        self.found
    }

    fn give(&mut self, until: usize, to: &mut Vec<u8>) {
        let mut at = self.done;
        for span in self.redactor.spans(&self.text) {
            if span.end <= at {
                continue;
            }
            if span.start >= until {
                break;
            }
            // One that was judged otherwise when less of it was to be seen goes on from here.
            to.extend_from_slice(&self.text[at..span.start.max(at)]);
            span.mark(&self.text, to);
            self.found += 1;
            at = span.end;
        }
        if at < until {
            to.extend_from_slice(&self.text[at..until]);
            at = until;
        }
        let behind = at.saturating_sub(BEHIND_BYTES);
        // A window begins with a line where it can, so that no half a word is taken for a whole one.
        let line = self.text[behind..at]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(behind, |line| behind + line + 1);
        self.text.drain(..line);
        self.done = at - line;
    }
}

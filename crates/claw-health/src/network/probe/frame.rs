//! The frames of a WebSocket, as far as one needs them to hear a server out: RFC 6455, section 5.

use super::{Conversation, Failure};

/// What a server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(Vec<u8>),
    /// It closes the connection, for this reason.
    Close(String),
}

/// A longer one is not read.
const LIMIT_BYTES: u64 = 64 * 1024;

/// A close frame with the status 1000 and a mask of zeros.
pub(crate) const GOODBYE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

impl Conversation<'_> {
    /// The next frame that says something.
    pub(crate) fn frame(&mut self) -> Result<Frame, Failure> {
        let garbled = |what: &str| Err(Failure::NotWebSocket(format!("a frame {what}")));
        loop {
            let head = self.take(2)?;
            let (is_last, kind) = (head[0] & 0x80 != 0, head[0] & 0x0f);
            if head[0] & 0x70 != 0 {
                return garbled("of an extension that nobody asked for");
            }
            if head[1] & 0x80 != 0 {
                return garbled("that is masked, which a server must not do");
            }
            let length = match head[1] {
                126 => self.number(2)?,
                127 => self.number(8)?,
                length => u64::from(length),
            };
            if length > LIMIT_BYTES {
                return garbled(&format!("of {length} bytes; limit {LIMIT_BYTES}"));
            }
            let content = self.take(length as usize)?;
            match (kind, is_last) {
                (1, true) => return Ok(Frame::Text(content)),
                (8, true) => return Ok(Frame::Close(reason(&content))),
                (9 | 10, true) => {}
                (0..=2, false) | (0, true) => return garbled("that is only a part"),
                _ => return garbled(&format!("of kind {kind}, where text was due")),
            }
        }
    }

    fn number(&mut self, bytes: usize) -> Result<u64, Failure> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// The status of a close frame, and what it says besides.
fn reason(content: &[u8]) -> String {
    match content {
        [high, low, text @ ..] => {
            let status = u16::from_be_bytes([*high, *low]);
            format!("{status} {}", String::from_utf8_lossy(text)).trim_end().to_owned()
        }
        _ => "without a reason".to_owned(),
    }
}

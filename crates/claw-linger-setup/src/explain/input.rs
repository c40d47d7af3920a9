//! The text that somebody has read in an error: taken from standard input, however it came.

use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::FileTypeExt;

use claw_record::Complaint;

use super::text::Text;

/// As much of it as is read. What is longer is no error text, and its cause is told at its head.
const READ_BYTES: u64 = 1024 * 1024;

/// The text, or nothing where nobody gave one: at a terminal, and where there is nothing in it.
pub(crate) fn text() -> Result<Option<Text>, Complaint> {
    let stdin = io::stdin();
    if stdin.is_terminal() || is_device() {
        return Ok(None);
    }
    read(stdin.lock()).map_err(|error| Complaint::cannot("read", "standard input", error))
}

/// Is it `/dev/null`, or another device? Those that never end are none that hold a text.
fn is_device() -> bool {
    std::fs::metadata("/proc/self/fd/0").is_ok_and(|meta| meta.file_type().is_char_device())
}

fn read(from: impl Read) -> io::Result<Option<Text>> {
    let mut bytes = Vec::new();
    match from.take(READ_BYTES).read_to_end(&mut bytes) {
        // It was closed before we started.
        Err(error) if error.raw_os_error() == Some(nix::libc::EBADF) => return Ok(None),
        result => result?,
    };
    let text = Text::new(&bytes);
    Ok(if text.is_empty() { None } else { Some(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_an_end_is_read_to_its_limit() {
        let endless = io::repeat(b'x');
        let text = read(endless).unwrap().unwrap();
        assert_eq!(text.lines().map(str::len).sum::<usize>() as u64, READ_BYTES);
    }

    #[test]
    fn a_text_of_nothing_is_none() {
        for nothing in ["", "\n", " \r\n\t\0\n", "\u{1b}[0m\n"] {
            assert!(read(nothing.as_bytes()).unwrap().is_none(), "{nothing:?}");
        }
    }
}

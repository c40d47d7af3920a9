//! Does whoever reads the records go on to read them?
//!
//! In a pipe each tool would go on alone where the next one is stuck, with nobody told of anything. So
//! the watchdog's ping stands for the whole pipe: it stays away while something written long ago is
//! still to be read.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::ioctl_fionread;

/// For how long what was written may wait to be read. A filter that acts reads on meanwhile.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// The other end of standard output.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Since when there was something to be read, at each moment that it was looked at.
    since: Option<Duration>,
    /// When the oldest of what may be unread was written.
    written: Option<Duration>,
}

impl Reader {
    /// Looks whether all was read. What is no pipe has nothing to read, as far as can be told.
    pub(super) fn look(&mut self, now: Duration) {
        self.hear(unread(&io::stdout()) > 0, now);
    }

    fn hear(&mut self, is_waiting: bool, now: Duration) {
        self.since = is_waiting.then(|| self.since.unwrap_or(now));
        self.written = self.written.filter(|_| is_waiting);
    }

    /// Something may have been written.
    pub(super) fn wrote(&mut self, now: Duration) {
        self.written.get_or_insert(now);
    }

    /// Since when there may be something that it has not read.
    pub(super) fn unread_since(&self) -> Option<Duration> {
        self.written.into_iter().chain(self.since).min()
    }

    /// Has it stopped to read?
    pub(super) fn is_stuck(&self, now: Duration) -> bool {
        self.since.is_some_and(|since| since + LIMIT <= now)
    }
}

/// How many bytes of a pipe are still to be read.
fn unread(pipe: &impl AsFd) -> u64 {
    ioctl_fionread(pipe).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn what_is_written_is_unread_until_it_is_read() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        assert_eq!(unread(&writer), 0);
        writer.write_all(b"a record\n").unwrap();
        assert_eq!(unread(&writer), 9);
        reader.read_exact(&mut [0; 9]).unwrap();
        assert_eq!(unread(&writer), 0);
        assert_eq!(unread(&std::fs::File::open("/dev/null").unwrap()), 0);
    }

    /// It may be long from one look to the next.
    #[test]
    fn what_is_unread_was_written_before_it_was_looked_at() {
        let at = Duration::from_secs;
        let mut reader = Reader::default();
        reader.wrote(at(100));
        reader.wrote(at(110));
        reader.hear(true, at(130));
        assert_eq!(reader.unread_since(), Some(at(100)));
        reader.hear(false, at(140));
        assert_eq!(reader.unread_since(), None);
    }

    #[test]
    fn a_reader_is_stuck_that_reads_nothing_for_long() {
        let mut reader = Reader::default();
        for (is_waiting, at, expected) in [
            (true, 100, false),
            (true, 119, false),
            (true, 120, true),
            (true, 300, true),
            (false, 301, false),
            (true, 302, false),
            (true, 321, false),
            (true, 322, true),
        ] {
            reader.hear(is_waiting, Duration::from_secs(at));
            assert_eq!(reader.is_stuck(Duration::from_secs(at)), expected, "{at}");
        }
    }
}

//! What is known of what was accepted: keys and values in a file that only grows, until it is
//! written anew.
//!
//! Each line is a transaction, `[["key",value],…]` behind its checksum, and holds as a whole or not at
//! all. A value of `null` removes its key.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::value::RawValue;

use super::line;

/// The kind of its lines.
const CHANGES: u8 = b'j';

/// A journal that is written to.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// How long it was when it was written anew.
    fresh_bytes: u64,
    changes: Vec<u8>,
    is_synced: bool,
    /// It lacks something that could not be written.
    is_behind: bool,
}

/// What stands in a journal.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) values: BTreeMap<String, Box<RawValue>>,
    /// The bytes up to the end of the last transaction that is whole.
    end: u64,
    /// What follows them is more than the half line that a process leaves when it is killed.
    pub(crate) is_damaged: bool,
}

impl Journal {
    /// Opens the journal at that path, and gives what stands in it. What is damaged is kept beside.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Contents)> {
        let contents = load(path)?;
        if contents.is_damaged {
            std::fs::copy(path, path.with_extension("damaged"))?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        if file.metadata()?.len() > contents.end {
            file.set_len(contents.end)?;
        }
        let journal = Self {
            path: path.to_owned(),
            file,
            bytes: contents.end,
            fresh_bytes: 0,
            changes: Vec::new(),
            is_synced: true,
            is_behind: false,
        };
        Ok((journal, contents))
    }

    /// Sets a key, as a part of the transaction.
    pub(crate) fn put(&mut self, key: &str, value: &impl Serialize) {
        self.changes.push(if self.changes.is_empty() { b'[' } else { b',' });
        // Strings, numbers and maps with string keys always serialize, and to memory without error.
        let _ = serde_json::to_writer(&mut self.changes, &(key, value));
    }

    /// Removes a key, as a part of the transaction.
    pub(crate) fn remove(&mut self, key: &str) {
        self.put(key, &());
    }

    /// Is there anything to commit?
    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Writes the transaction. It outlives this process, and once synced a power cut.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.changes.push(b']');
        let mut bytes = Vec::with_capacity(self.changes.len() + 16);
        line::write(&mut bytes, CHANGES, &self.changes);
        self.changes.clear();
        if self.is_behind {
            return Err(io::Error::other("an earlier change could not be written"));
        }
        match self.file.write_all(&bytes) {
            Ok(()) => {
                self.bytes += bytes.len() as u64;
                self.is_synced = false;
                Ok(())
            }
            Err(error) => {
                let _ = self.file.set_len(self.bytes);
                self.is_behind = true;
                Err(error)
            }
        }
    }

    /// Does it lack something, so that it has to be written anew?
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Is it long enough to be written anew?
    pub(crate) fn is_long(&self) -> bool {
        const LONG_BYTES: u64 = 1024 * 1024;
        self.bytes > LONG_BYTES + 3 * self.fresh_bytes
    }

    /// Once this returns, all that was committed is there after a power cut.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if !self.is_synced {
            self.file.sync_data()?;
            self.is_synced = true;
        }
        Ok(())
    }

    /// Writes it anew, with what `dump` puts, all of what is known.
    pub(crate) fn rewrite(&mut self, dump: impl FnOnce(&mut Self)) -> io::Result<()> {
        self.changes.clear();
        dump(self);
        if self.changes.is_empty() {
            self.changes.push(b'[');
        }
        self.changes.push(b']');
        let mut bytes = Vec::with_capacity(self.changes.len() + 16);
        line::write(&mut bytes, CHANGES, &self.changes);
        self.changes.clear();
        self.changes.shrink_to(64 * 1024);
        let beside = self.path.with_extension("new");
        let write = || {
            let mut options = OpenOptions::new();
            let mut file =
                options.create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
            OpenOptions::new().append(true).open(&self.path)
        };
        match write() {
            Ok(file) => {
                self.file = file;
                self.bytes = bytes.len() as u64;
                self.fresh_bytes = self.bytes;
                (self.is_behind, self.is_synced) = (false, true);
                Ok(())
            }
            Err(error) => {
                let _ = std::fs::remove_file(&beside);
                self.is_behind = true;
                Err(error)
            }
        }
    }
}

/// Reads a journal up to where it is whole; nothing is changed.
pub(crate) fn load(path: &Path) -> io::Result<Contents> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Contents::default()),
        Err(error) => return Err(error),
    };
    let mut input = BufReader::with_capacity(64 * 1024, file);
    let mut contents = Contents::default();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let length = input.read_until(b'\n', &mut bytes)?;
        if length == 0 {
            return Ok(contents);
        }
        let is_whole = bytes.pop_if(|last| *last == b'\n').is_some();
        let changes = line::read(&bytes).filter(|(kind, _)| is_whole && *kind == CHANGES);
        let changes: Option<Vec<(String, Box<RawValue>)>> =
            changes.and_then(|(_, changes)| serde_json::from_slice(changes).ok());
        let Some(changes) = changes else {
            contents.is_damaged = is_whole;
            return Ok(contents);
        };
        for (key, value) in changes {
            if value.get() == "null" {
                contents.values.remove(&key);
            } else {
                contents.values.insert(key, value);
            }
        }
        contents.end += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(path: &Path) -> Vec<String> {
        let contents = load(path).unwrap();
        contents.values.iter().map(|(key, value)| format!("{key}={}", value.get())).collect()
    }

    #[test]
    fn a_transaction_holds_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.put("a", &1);
        journal.put("b", &"two");
        journal.commit().unwrap();
        journal.remove("a");
        journal.put("c", &[3]);
        journal.commit().unwrap();
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for end in 0..=whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let expected = match end {
                _ if end < first => vec![],
                _ if end < whole.len() => vec!["a=1", "b=\"two\""],
                _ => vec!["b=\"two\"", "c=[3]"],
            };
            assert_eq!(values(&path), expected, "cut off at {end}");
            // And it goes on from there.
            let (mut journal, contents) = Journal::open(&path).unwrap();
            assert!(!contents.is_damaged);
            journal.put("z", &0);
            journal.commit().unwrap();
            assert_eq!(values(&path).len(), expected.len() + 1);
        }
    }

    #[test]
    fn what_is_damaged_in_between_is_seen_and_kept_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (mut journal, _) = Journal::open(&path).unwrap();
        for key in ["a", "b", "c"] {
            journal.put(key, &1);
            journal.commit().unwrap();
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (_, contents) = Journal::open(&path).unwrap();
        assert!(contents.is_damaged);
        assert_eq!(contents.values.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(std::fs::read(path.with_extension("damaged")).unwrap(), bytes);
        assert_eq!(values(&path), ["a=1"]);
    }

    #[test]
    fn written_anew_it_holds_what_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.put("a", &"x".repeat(2 << 20));
        journal.commit().unwrap();
        assert!(journal.is_long());
        journal.rewrite(|journal| journal.put("b", &2)).unwrap();
        assert!(!journal.is_long());
        journal.put("c", &3);
        journal.commit().unwrap();
        assert_eq!(values(&path), ["b=2", "c=3"]);
    }
}

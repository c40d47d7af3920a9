//! Writing what was accepted: a file of lines, on the disk before anybody is told that it is.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::line;
use crate::route::Route;

/// A segment that grows beyond this is followed by another one.
const LONGEST_BYTES: u64 = 4 * 1024 * 1024;

/// Whoever accepts records for some routes.
#[derive(Debug)]
pub(crate) struct Writer {
    folder: PathBuf,
    routes: Vec<Route>,
    open: Option<Open>,
    /// The segments that it wrote.
    pub(crate) written: Vec<u32>,
    /// How many records could not be put on the disk since one could.
    pub(crate) unspooled: u64,
}

#[derive(Debug)]
struct Open {
    /// As long as it is locked, more may come.
    file: Flock<File>,
    bytes: u64,
}

impl Writer {
    /// A writer in a spool; nothing is made until something is accepted.
    pub(crate) fn new(spool: &Path, routes: Vec<Route>) -> Self {
        Self { folder: spool.join("in"), routes, open: None, written: Vec::new(), unspooled: 0 }
    }

    /// The spool that it writes to.
    pub(crate) fn spool(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// Accepts records: once this returns, they are there after a power cut.
    pub(crate) fn append<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let mut open = match self.open.take().filter(|open| open.bytes < LONGEST_BYTES) {
            Some(open) => open,
            None => self.create()?,
        };
        match write(&mut open.file, payloads) {
            Ok(bytes) => {
                open.bytes += bytes;
                self.open = Some(open);
                Ok(())
            }
            Err(error) => {
                // What is there of it was not accepted. If it cannot be taken back, it is told twice.
                let _ = open.file.set_len(open.bytes);
                Err(error)
            }
        }
    }

    /// Nothing more will come: who delivers may remove what was told.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    fn create(&mut self) -> io::Result<Open> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut number = numbers(&self.folder)?.last().map_or(1, |last| last + 1);
        let (number, mut file) = loop {
            let mut options = OpenOptions::new();
            options.create_new(true).append(true).mode(0o600);
            match options.open(path(&self.folder, number)) {
                Ok(file) => {
                    // Before it was locked, who delivers may have taken it for one left behind.
                    if let Ok(file) = Flock::lock(file, FlockArg::LockExclusiveNonblock)
                        && file.metadata()?.nlink() > 0
                    {
                        break (number, file);
                    }
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            number += 1;
        };
        let mut head = Vec::new();
        line::write(&mut head, line::HEAD, &serde_json::to_vec(&self.routes)?);
        let written = file.write_all(&head).and_then(|()| File::open(&self.folder)?.sync_all());
        if let Err(error) = written {
            // Nobody else has a use for it.
            let _ = std::fs::remove_file(path(&self.folder, number));
            return Err(error);
        }
        self.written.push(number);
        Ok(Open { file, bytes: head.len() as u64 })
    }
}

/// Writes records as lines, a piece at a time, and syncs them once. Gives how many bytes these are.
fn write<'a>(file: &mut File, payloads: impl Iterator<Item = &'a [u8]>) -> io::Result<u64> {
    const PIECE_BYTES: usize = 64 * 1024;
    let mut piece = Vec::new();
    let mut bytes = 0;
    for payload in payloads {
        line::write(&mut piece, line::RECORD, payload);
        if piece.len() >= PIECE_BYTES {
            file.write_all(&piece)?;
            bytes += piece.len() as u64;
            piece.clear();
        }
    }
    file.write_all(&piece)?;
    file.sync_data()?;
    Ok(bytes + piece.len() as u64)
}

/// Where a segment is.
pub(crate) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}"))
}

/// The segments that there are, in order. The last one is never removed, so that no number comes
/// again.
pub(crate) fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

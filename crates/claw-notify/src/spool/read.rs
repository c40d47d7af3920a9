//! Reading what was accepted, wherever it ends and whatever became of it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use claw_record::LINE_LIMIT;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::id::Id;
use super::line;
use super::segment::{numbers, path};
use crate::route::Route;

/// How far a segment was read: to which byte, and how many lines behind its first one that were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(crate) offset: u64,
    pub(crate) lines: u32,
}

/// What stands on a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A record.
    Record(&'a [u8]),
    /// Something that does not fit its checksum, as far as a line goes.
    Damaged(&'a [u8]),
}

/// The first line of a segment.
#[derive(Debug)]
pub(crate) enum Head {
    /// For whom it is, and where the lines begin.
    Routes(Vec<Route>, u64),
    /// It is not there yet, or all that was there was told.
    Empty,
    Damaged,
}

/// Reads the first line of a segment.
pub(crate) fn head(folder: &Path, segment: u32) -> io::Result<Head> {
    let mut input = BufReader::new(File::open(path(folder, segment))?);
    let mut bytes = Vec::new();
    let is_whole = next_line(&mut input, &mut bytes)?;
    Ok(match line::read(&bytes) {
        Some((line::HEAD, routes)) if is_whole.is_some() => match serde_json::from_slice(routes) {
            Ok(routes) => Head::Routes(routes, bytes.len() as u64 + 1),
            Err(_) => Head::Damaged,
        },
        _ if is_whole.is_none() => Head::Empty,
        _ => Head::Damaged,
    })
}

/// Gives what stands behind the cursor, at most so many lines, and moves the cursor on. Was that all
/// that there is?
pub(crate) fn read(
    folder: &Path,
    segment: u32,
    cursor: &mut Cursor,
    most: usize,
    mut each: impl FnMut(Id, Cursor, Found<'_>) -> bool,
) -> io::Result<bool> {
    let mut file = File::open(path(folder, segment))?;
    if file.metadata()?.len() <= cursor.offset {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(cursor.offset))?;
    let mut input = BufReader::with_capacity(64 * 1024, file);
    let mut bytes = Vec::new();
    for _ in 0..most {
        bytes.clear();
        let Some(length) = next_line(&mut input, &mut bytes)? else { return Ok(true) };
        let id = Id { segment, index: cursor.lines + 1 };
        let found = match line::read(&bytes) {
            Some((line::RECORD, payload)) => Found::Record(payload),
            _ => Found::Damaged(&bytes),
        };
        if !each(id, *cursor, found) {
            return Ok(false);
        }
        cursor.offset += length;
        cursor.lines += 1;
    }
    Ok(false)
}

/// The record at a place where one was read before.
pub(crate) fn record_at(folder: &Path, segment: u32, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path(folder, segment))?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    next_line(&mut BufReader::new(file), &mut bytes)?;
    match line::read(&bytes) {
        Some((line::RECORD, payload)) => Ok(payload.to_vec()),
        _ => Err(io::Error::other("the record in the spool is damaged")),
    }
}

/// Reads up to a newline, which is left out; nothing where there is none. Gives how many bytes that
/// were; of a line that is longer than any that is written the end is passed over.
fn next_line(input: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
    const LONGEST_BYTES: u64 = LINE_LIMIT as u64 + 64;
    let mut length = input.by_ref().take(LONGEST_BYTES).read_until(b'\n', bytes)? as u64;
    if bytes.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(length));
    }
    if length < LONGEST_BYTES {
        return Ok(None);
    }
    loop {
        let ready = match input.fill_buf() {
            Ok(ready) => ready,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if ready.is_empty() {
            return Ok(None);
        }
        let end = ready.iter().position(|&byte| byte == b'\n');
        let count = end.map_or(ready.len(), |at| at + 1);
        input.consume(count);
        length += count as u64;
        if end.is_some() {
            return Ok(Some(length));
        }
    }
}

/// Does nobody write to it any more?
pub(crate) fn is_closed(folder: &Path, segment: u32) -> bool {
    let file = OpenOptions::new().write(true).open(path(folder, segment));
    file.is_ok_and(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok())
}

/// Removes what is left of a segment that was told when it was the last one.
pub(crate) fn remove_empty(folder: &Path, segment: u32) -> io::Result<()> {
    let path = path(folder, segment);
    let file = OpenOptions::new().write(true).open(&path)?;
    // Whoever has just made it looks whether it is still there once it has the lock.
    if let Ok(file) = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        && file.metadata()?.len() == 0
        && numbers(folder)?.last() != Some(&segment)
    {
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

/// Removes a segment to which nobody writes any more, if it ends where it was read to.
pub(crate) fn remove(folder: &Path, segment: u32, end: u64) -> io::Result<bool> {
    let path = path(folder, segment);
    let file = OpenOptions::new().write(true).open(&path)?;
    let Ok(file) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else { return Ok(false) };
    let mut rest = Vec::new();
    let mut input = BufReader::new(File::open(&path)?);
    input.seek(SeekFrom::Start(end))?;
    if next_line(&mut input, &mut rest)?.is_some() {
        return Ok(false);
    }
    // Half a line at its end was never accepted.
    if numbers(folder)?.last() == Some(&segment) {
        file.set_len(0)?;
    } else {
        std::fs::remove_file(&path)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::segment::Writer;
    use super::*;

    fn all(folder: &Path, segment: u32, cursor: &mut Cursor) -> Vec<String> {
        let mut seen = Vec::new();
        read(folder, segment, cursor, 1000, |id, _, found| {
            seen.push(match found {
                Found::Record(bytes) => format!("{id} {}", String::from_utf8_lossy(bytes)),
                Found::Damaged(bytes) => format!("{id} damaged: {}", bytes.len()),
            });
            true
        })
        .unwrap();
        seen
    }

    fn writer(spool: &Path) -> Writer {
        Writer::new(spool, vec![Route::new(vec!["file:/x".into()], claw_record::Severity::Info)])
    }

    #[test]
    fn what_is_accepted_is_read_once_and_in_order() {
        let spool = tempfile::tempdir().unwrap();
        let folder = spool.path().join("in");
        let mut writer = writer(spool.path());
        writer.append([b"one".as_slice(), b"two"].into_iter()).unwrap();
        let Head::Routes(routes, offset) = head(&folder, 1).unwrap() else { panic!("no head") };
        assert_eq!(routes[0].targets, ["file:/x"]);
        let mut cursor = Cursor { offset, lines: 0 };
        assert_eq!(all(&folder, 1, &mut cursor), ["1.1 one", "1.2 two"]);
        assert!(all(&folder, 1, &mut cursor).is_empty());
        assert!(!remove(&folder, 1, cursor.offset).unwrap(), "somebody writes there");
        writer.append([b"three".as_slice()].into_iter()).unwrap();
        let end = cursor;
        assert_eq!(all(&folder, 1, &mut cursor), ["1.3 three"]);
        writer.close();
        assert!(!remove(&folder, 1, end.offset).unwrap(), "more was written since");
        assert!(remove(&folder, 1, cursor.offset).unwrap());
        assert!(matches!(head(&folder, 1).unwrap(), Head::Empty));
        writer.append([b"four".as_slice()].into_iter()).unwrap();
        assert_eq!(writer.written, [1, 2], "no number comes twice");
        remove_empty(&folder, 2).unwrap();
        remove_empty(&folder, 1).unwrap();
        assert_eq!(numbers(&folder).unwrap(), [2]);
    }

    /// A file that was cut off at any byte, and one with garbage at any byte, loses nothing else.
    #[test]
    fn a_file_cut_or_damaged_anywhere_gives_all_the_rest() {
        let spool = tempfile::tempdir().unwrap();
        let folder = spool.path().join("in");
        let mut writer = writer(spool.path());
        let lines = ["alpha", "beta", "gamma"];
        writer.append(lines.iter().map(|line| line.as_bytes())).unwrap();
        let whole = std::fs::read(path(&folder, 1)).unwrap();
        let Head::Routes(_, offset) = head(&folder, 1).unwrap() else { panic!("no head") };
        for end in offset as usize..whole.len() {
            std::fs::write(path(&folder, 1), &whole[..end]).unwrap();
            let read = all(&folder, 1, &mut Cursor { offset, lines: 0 });
            let expected = whole[offset as usize..end].iter().filter(|b| **b == b'\n').count();
            assert_eq!(read.len(), expected, "cut off at {end}");
        }
        for at in offset as usize..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] = if damaged[at] == b'!' { b'?' } else { b'!' };
            std::fs::write(path(&folder, 1), &damaged).unwrap();
            let read = all(&folder, 1, &mut Cursor { offset, lines: 0 });
            let intact = read.iter().filter(|line| !line.contains("damaged")).count();
            let hit_a_newline = whole[at] == b'\n';
            let lost = if hit_a_newline { 2 } else { 1 };
            let last = hit_a_newline && at + 1 == whole.len();
            assert_eq!(intact, if last { 2 } else { 3 - lost }, "damaged at {at}: {read:?}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_passed_over_in_bounded_memory() {
        let spool = tempfile::tempdir().unwrap();
        let folder = spool.path().join("in");
        let mut writer = writer(spool.path());
        writer.append([b"one".as_slice()].into_iter()).unwrap();
        let mut file = OpenOptions::new().append(true).open(path(&folder, 1)).unwrap();
        file.write_all(&vec![b'x'; 3 * LINE_LIMIT]).unwrap();
        file.write_all(b"\n").unwrap();
        let mut bytes = Vec::new();
        line::write(&mut bytes, line::RECORD, b"two");
        file.write_all(&bytes).unwrap();
        let Head::Routes(_, offset) = head(&folder, 1).unwrap() else { panic!("no head") };
        let read = all(&folder, 1, &mut Cursor { offset, lines: 0 });
        assert_eq!((read[0].as_str(), read[2].as_str()), ("1.1 one", "1.3 two"));
        assert!(read[1].starts_with("1.2 damaged: 10"), "{read:?}");
    }
}

//! One delivers at a time; and room for the day on which the disk is full.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, posix_fallocate};

/// The right to deliver, as long as it is held. The kernel takes it back from a process that dies.
pub(crate) type Lock = Flock<File>;

/// Takes the lock of a spool; nothing where another one delivers.
pub(crate) fn lock(spool: &Path) -> io::Result<Option<Lock>> {
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(spool.join("lock"))?;
    claw_box::lock(open, Duration::ZERO)
}

/// Room that is kept for the day on which the disk is full.
const RESERVE_BYTES: i64 = 1024 * 1024;

/// Keeps room for the day on which the disk is full. Where there is none, that is not the day.
pub(crate) fn keep_reserve(spool: &Path) {
    let mut open = OpenOptions::new();
    let path = spool.join("reserve");
    if let Ok(file) = open.create_new(true).write(true).mode(0o600).open(&path)
        && posix_fallocate(&file, 0, RESERVE_BYTES).is_err()
    {
        let _ = fs::remove_file(path);
    }
}

/// Gives back the room that was kept. Was there any?
pub(crate) fn give_reserve(spool: &Path) -> bool {
    fs::remove_file(spool.join("reserve")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_delivers_at_a_time() {
        let spool = tempfile::tempdir().unwrap();
        let held = lock(spool.path()).unwrap();
        assert!(held.is_some());
        assert!(lock(spool.path()).unwrap().is_none());
        drop(held);
        assert!(lock(spool.path()).unwrap().is_some());
    }
}

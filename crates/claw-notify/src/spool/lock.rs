//! One delivers at a time; and where a spool may be.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, posix_fallocate};
use nix::unistd::geteuid;

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

/// Makes the spool where it is missing. Root refuses one that others could change under it.
pub(crate) fn make(spool: &Path) -> io::Result<()> {
    let mut above = spool.ancestors();
    let is_there = above.find(|folder| folder.symlink_metadata().is_ok());
    is_there.map_or(Ok(()), no_objection)?;
    DirBuilder::new().recursive(true).mode(0o700).create(spool)?;
    no_objection(spool)
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

fn no_objection(folder: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let objection = folder.canonicalize()?.ancestors().find_map(|above| {
        const STICKY: u32 = 0o1000;
        let meta = fs::symlink_metadata(above).ok()?;
        let is_open = meta.mode() & 0o022 != 0 && meta.mode() & STICKY == 0;
        let shown = above.display();
        (meta.uid() != 0 || is_open).then(|| format!("others than root can write '{shown}'"))
    });
    objection.map_or(Ok(()), |why| Err(io::Error::other(why)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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

    #[test]
    fn root_makes_nothing_where_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let foreign = folder.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o777)).unwrap();
        let made = make(&foreign.join("notify"));
        assert_eq!(made.is_err(), geteuid().is_root());
        assert_eq!(foreign.join("notify").exists(), !geteuid().is_root());
    }
}

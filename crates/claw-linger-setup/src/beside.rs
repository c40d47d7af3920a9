//! A new file beside an old one, which it replaces at once and as a whole.

use std::fs::{File, remove_file};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use claw_box::lock;
use nix::fcntl::Flock;
use tempfile::NamedTempFile;

/// A file that is being written. Its name is always the same, so that what a power cut leaves is the
/// last one of its kind; only one at a time is written in a folder.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) file: NamedTempFile,
    lock: Flock<File>,
}

impl Beside {
    /// A new file in that folder, for its owner alone.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        const NAME: &str = ".claw-linger-setup.tmp";
        const PATIENCE: Duration = Duration::from_secs(2);
        let lock = lock(File::open(folder)?, PATIENCE)?
            .ok_or_else(|| io::Error::other("another program is writing beside it"))?;
        match remove_file(folder.join(NAME)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = tempfile::Builder::new().prefix(NAME).rand_bytes(0).tempfile_in(folder)?;
        Ok(Self { file, lock })
    }

    /// Gives it the name of the old one, once it is on the disk.
    pub(crate) fn replace(self, old: &Path) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(old).map_err(|error| error.error)?;
        // The name is to be there after a power cut as well; where that cannot be asked for, it will
        // be soon.
        let _ = self.lock.sync_all();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_many_write_at_once_is_one_of_them_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let (file, folder) = (&file, folder.path());
                scope.spawn(move || {
                    for _ in 0..20 {
                        let mut beside = Beside::new(folder).unwrap();
                        for _ in 0..64 {
                            beside.file.write_all(&[b'0' + writer; 64]).unwrap();
                        }
                        beside.replace(file).unwrap();
                        let text = std::fs::read(file).unwrap();
                        assert_eq!(text.len(), 4096);
                        assert!(text.iter().all(|byte| *byte == text[0]));
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_kill_has_left_is_no_hindrance() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".claw-linger-setup.tmp"), "half").unwrap();
        let mut beside = Beside::new(folder.path()).unwrap();
        beside.file.write_all(b"whole").unwrap();
        beside.replace(&folder.path().join("file")).unwrap();
        assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"whole");
    }
}

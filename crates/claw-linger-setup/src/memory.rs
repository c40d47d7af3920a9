//! What has to be remembered from run to run, for nobody else to read.

use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use claw_record::{Complaint, complain};
use serde::{Deserialize, Serialize};

use crate::beside::Beside;
use crate::made;

/// The memory of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// Linger was off, and was turned on here.
    pub(crate) turned_linger_on: bool,
    /// The boot in which the proof of a reboot was begun.
    pub(crate) proof_begun_in: Option<String>,
    /// The boot in which that proof passed.
    pub(crate) proof_passed_in: Option<String>,
    /// The folders that were made in the user's home.
    pub(crate) made_folders: Vec<PathBuf>,
}

impl Memory {
    /// Adds the folders that have to be made for a file in that home.
    pub(crate) fn will_make(&mut self, home: &Path, file: &Path) {
        let new = made::missing(home, file);
        let new: Vec<_> = new.into_iter().filter(|it| !self.made_folders.contains(it)).collect();
        self.made_folders.extend(new);
    }
}

/// Where it is kept.
#[derive(Debug)]
pub(crate) struct Store {
    file: PathBuf,
}

impl Store {
    /// The store of that user in a state folder.
    pub(crate) fn new(state: &Path, name: &str) -> Self {
        Self { file: state.join("linger-setup").join(format!("{name}.json")) }
    }

    /// The file in which it is kept.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What is remembered; nothing where there is nothing, or nothing that anybody understands.
    pub(crate) fn recall(&self) -> Result<Memory, Complaint> {
        let cannot = |why: String| Complaint::cannot("read", &self.file.display().to_string(), why);
        match fs::read(&self.file) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                let file = self.file.display();
                let words = format!("cannot use '{file}': {error}; it is begun anew");
                complain("claw-linger-setup", &words);
                Memory::default()
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Memory::default()),
            Err(error) => Err(cannot(error.to_string())),
        }
    }

    /// Remembers it: written beside and renamed. Where there is nothing to remember, the file goes,
    /// and its folder with the last one.
    pub(crate) fn remember(&self, memory: &Memory) -> Result<(), Complaint> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let write = || {
            if *memory == Memory::default() {
                return match fs::remove_file(&self.file) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                    Err(_) => Ok(()),
                    Ok(()) => {
                        // It stays where another user's is still in it.
                        let _ = fs::remove_dir(folder);
                        Ok(())
                    }
                };
            }
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            // The library makes it for its owner alone.
            let mut beside = Beside::new(folder)?;
            serde_json::to_writer(&mut beside.file, memory)?;
            beside.file.write_all(b"\n")?;
            beside.replace(&self.file)
        };
        write().map_err(|error: std::io::Error| {
            Complaint::cannot("write", &self.file.display().to_string(), error)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_remembered_is_for_its_owner_alone_and_goes_when_it_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("state"), "dev");
        assert_eq!(store.recall().unwrap(), Memory::default());
        let memory = Memory { turned_linger_on: true, ..Memory::default() };
        store.remember(&memory).unwrap();
        assert_eq!(store.recall().unwrap(), memory);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = folder.path().join("state/linger-setup/dev.json");
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        store.remember(&Memory::default()).unwrap();
        assert!(!file.parent().unwrap().exists());
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(store.recall().unwrap_err().to_string().starts_with("cannot read '"));
    }

    #[test]
    fn a_garbled_memory_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "dev");
        let file = folder.path().join("linger-setup/dev.json");
        fs::create_dir(file.parent().unwrap()).unwrap();
        for garbled in [&b"{"[..], b"", b"\xff\0", b"[]x", b"{\"turned_linger_on\":7}"] {
            fs::write(&file, garbled).unwrap();
            assert_eq!(store.recall().unwrap(), Memory::default(), "{garbled:?}");
        }
        let memory = Memory { proof_passed_in: Some("b".into()), ..Memory::default() };
        store.remember(&memory).unwrap();
        assert_eq!(store.recall().unwrap(), memory);
        fs::write(&file, "{").unwrap();
        store.remember(&Memory::default()).unwrap();
        assert!(!file.exists());
    }
}

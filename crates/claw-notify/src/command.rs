//! What a person asks of whoever delivers: a file each, which is removed once it is done.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spool::Id;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Tell nothing for a while.
    Silence { subject: Option<String>, milliseconds: u64, why: String },
    /// End a silence now.
    EndSilence { number: u32 },
    /// End all silences of that reason now.
    EndSilences { why: String },
    /// Try everything again at once.
    Retry,
    /// Tell nothing of these records.
    Drop { ids: Vec<Id> },
}

/// Puts a command where whoever delivers finds it, and gives its place.
pub(crate) fn put(spool: &Path, command: &Command) -> io::Result<PathBuf> {
    let folder = spool.join("commands");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&folder)?;
    serde_json::to_writer(&mut file, command)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    let name = file.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = folder.join(name.trim_start_matches('.'));
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

/// The commands that wait. What is none is removed.
pub(crate) fn waiting(spool: &Path) -> io::Result<Vec<(PathBuf, Command)>> {
    let entries = match fs::read_dir(spool.join("commands")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_whole =
            path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
        if !is_whole {
            continue;
        }
        match serde_json::from_slice(&fs::read(&path)?) {
            Ok(command) => found.push((path, command)),
            Err(_) => fs::remove_file(&path)?,
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_until_it_is_removed() {
        let spool = tempfile::tempdir().unwrap();
        assert!(waiting(spool.path()).unwrap().is_empty());
        let path = put(spool.path(), &Command::Retry).unwrap();
        fs::write(spool.path().join("commands/odd"), "no command").unwrap();
        assert_eq!(waiting(spool.path()).unwrap(), [(path.clone(), Command::Retry)]);
        assert!(!spool.path().join("commands/odd").exists());
        fs::remove_file(path).unwrap();
        assert!(waiting(spool.path()).unwrap().is_empty());
    }
}

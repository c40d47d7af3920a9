//! The environment of later shells: which files a login shell really reads, and our block in them.
//!
//! All of this runs with the rights of the user whose files they are.

mod block;
mod edit;
mod shell;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use block::Block;
pub(crate) use block::Dialect;
use shell::Reads;

use crate::owner::Owner;

/// A file that a shell reads, and what was found in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spot {
    pub(crate) file: PathBuf,
    pub(crate) dialect: Dialect,
    pub(crate) found: Found,
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    /// Our block, as it has to be.
    Good,
    /// There is no such file.
    NoFile,
    /// A file without our block.
    NoBlock,
    /// Our block is another one, or half of one: this is what is the matter with it.
    Wrong(String),
    /// Something begins as our block does and does not end: people have to look at it.
    Torn(String),
    /// The file is not touched, and why.
    Untouchable(String),
}

/// What the files of a user say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Files {
    /// These are read.
    Read(Vec<Spot>),
    /// The shell lets nobody in, so nobody needs an environment.
    NoShell,
    /// Nobody here knows what that shell reads.
    UnknownShell,
}

/// The files that the user's login shell reads, and what is in them.
pub(crate) fn look(owner: &Owner) -> Result<Files, String> {
    let home = owner.home.display();
    match std::fs::metadata(&owner.home) {
        Ok(meta) if meta.is_dir() => Ok(files(owner)),
        Ok(_) => Err(format!("cannot look into '{home}': it is not a folder")),
        Err(error) => Err(format!("cannot look into '{home}': {error}")),
    }
}

fn files(owner: &Owner) -> Files {
    let dialect = |file: &str| Dialect::of(Path::new(file));
    let spots = |files: Vec<&str>| {
        let spot = |file: &str| {
            let dialect = dialect(file);
            let path = owner.home.join(file);
            let found = edit::found(&path, &Block::new(owner.uid, dialect));
            Spot { file: path, dialect, found }
        };
        Files::Read(files.into_iter().map(spot).collect())
    };
    match shell::reads(&owner.shell) {
        Reads::Files(files) => spots(files.to_vec()),
        Reads::BashFiles => {
            let text = |file: &str| edit::text(&owner.home.join(file));
            spots(shell::bash_files(text))
        }
        Reads::Nothing => Files::NoShell,
        Reads::Unknown => Files::UnknownShell,
    }
}

/// Is it one of the files that may ever get our block?
pub(crate) fn is_ours(owner: &Owner, file: &Path) -> bool {
    shell::ALL_FILES.iter().any(|name| owner.home.join(name) == file)
}

/// Every file that holds a block of ours, whatever shell the user had then.
pub(crate) fn blocks(owner: &Owner) -> Vec<Spot> {
    let spot = |file: &&str| {
        let path = owner.home.join(file);
        let dialect = Dialect::of(&path);
        let found = edit::found(&path, &Block::new(owner.uid, dialect));
        Spot { file: path, dialect, found }
    };
    let is_ours =
        |spot: &Spot| matches!(spot.found, Found::Good | Found::Wrong(_) | Found::Torn(_));
    shell::ALL_FILES.iter().map(spot).filter(is_ours).collect()
}

/// Puts our block at the top of a file.
pub(crate) fn put(owner: &Owner, file: &Path) -> Result<(), String> {
    let block = Block::new(owner.uid, Dialect::of(file));
    edit::replace(file, owner.uid, |text| block.put(text))
}

/// Takes our block out of a file. What we made is gone again.
pub(crate) fn take(owner: &Owner, file: &Path) -> Result<(), String> {
    let block = Block::new(owner.uid, Dialect::of(file));
    edit::replace(file, owner.uid, |text| match text {
        Some(text) => block.take(text),
        None => Ok(None),
    })
}

/// The lines of our block, as they come into a file, be it one that was not there.
pub(crate) fn lines(owner: &Owner, dialect: Dialect, is_new: bool) -> Vec<String> {
    let text = Block::new(owner.uid, dialect).text(is_new);
    text.lines().map(str::to_owned).collect()
}

//! The environment of later shells: which files a login shell really reads, and our block in them.
//!
//! All of this runs with the rights of the user whose files they are.

mod block;
mod edit;
mod shell;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use claw_box::Owner;
use serde::{Deserialize, Serialize};

use block::Block;
pub(crate) use block::Dialect;
pub(crate) use edit::FOREIGN_GROUP;
use shell::Reads;

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

/// Every file that holds a block of ours, whatever shell the user had then, or of which nobody can
/// tell whether it does.
pub(crate) fn blocks(owner: &Owner) -> Vec<Spot> {
    let spot = |file: &&str| {
        let path = owner.home.join(file);
        let dialect = Dialect::of(&path);
        let found = edit::found(&path, &Block::new(owner.uid, dialect));
        Spot { file: path, dialect, found }
    };
    let may_be_ours = |spot: &Spot| match spot.found {
        Found::Good | Found::Wrong(_) | Found::Torn(_) => true,
        Found::NoFile | Found::NoBlock => false,
        // Where a file stands in the place of its folder, it is not there.
        Found::Untouchable(_) => {
            let looked = spot.file.symlink_metadata();
            !looked.is_err_and(|error| error.kind() == ErrorKind::NotADirectory)
        }
    };
    shell::ALL_FILES.iter().map(spot).filter(may_be_ours).collect()
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_looked_into_may_hold_our_block() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let owner =
            Owner { home: folder.path().to_owned(), ..Owner::parse("dev:x:1000:1000:::").unwrap() };
        assert_eq!(blocks(&owner), []);
        mkfifo(&at(".bashrc"), Mode::S_IRWXU).unwrap();
        symlink("nowhere", at(".bash_profile")).unwrap();
        fs::write(at(".profile"), "alias a=b\n").unwrap();
        fs::write(at(".config"), "no folder\n").unwrap();
        let found: Vec<_> =
            blocks(&owner).into_iter().map(|spot| (spot.file, spot.found)).collect();
        let why = |why: &str| Found::Untouchable(why.to_owned());
        assert_eq!(
            found,
            [
                (at(".bashrc"), why("it is not a regular file")),
                (at(".bash_profile"), why("it is a link that leads nowhere")),
            ]
        );
    }
}

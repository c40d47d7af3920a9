//! The folders in a home that come with what is written there, and go with it.

use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

/// The folders of a home that have to be made for a file, the deepest first.
pub(crate) fn missing(home: &Path, file: &Path) -> Vec<PathBuf> {
    let is_missing = |folder: &&Path| {
        folder.starts_with(home)
            && folder.symlink_metadata().is_err_and(|error| error.kind() == NotFound)
    };
    file.ancestors().skip(1).take_while(is_missing).map(Path::to_owned).collect()
}

/// Takes away those that are empty. Runs with the rights of the user whose home it is.
pub(crate) fn prune(home: &Path, folders: &[PathBuf]) {
    let mut folders: Vec<_> = folders.iter().filter(|folder| folder.starts_with(home)).collect();
    folders.sort_unstable_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    for folder in folders {
        // One in which somebody keeps something stays.
        let _ = fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_for_a_file_goes_if_it_is_empty_and_what_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::create_dir_all(home.join(".config")).unwrap();
        let fish = home.join(".config/fish/conf.d/claw.fish");
        let made = missing(&home, &fish);
        assert_eq!(made, [home.join(".config/fish/conf.d"), home.join(".config/fish")]);
        assert!(missing(&home, &home.join(".bashrc")).is_empty());
        assert!(missing(&home, &folder.path().join("else/where")).is_empty());
        fs::create_dir_all(&made[0]).unwrap();
        fs::write(home.join(".config/fish/mine"), "").unwrap();
        prune(&home, &made);
        assert!(!made[0].exists() && made[1].exists());
        fs::remove_file(home.join(".config/fish/mine")).unwrap();
        prune(&home, &[made[1].clone(), folder.path().join("else")]);
        assert!(!made[1].exists() && home.join(".config").exists());
    }
}

//! How this very program is typed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const NAME: &str = "claw-linger-setup";

/// Where root looks for a program, be it by sudo(8) or in a login of its own.
const ROOT_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// As root has to type it: by its full path where root would not find it, or would find another.
pub(crate) fn for_root() -> String {
    let Ok(me) = std::env::current_exe() else { return NAME.to_owned() };
    let mut files = ROOT_PATH.iter().map(|folder| Path::new(folder).join(NAME));
    named(files.find(|file| file.exists()), me)
}

fn named(found: Option<PathBuf>, me: PathBuf) -> String {
    let inode = |file: &Path| file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    let is_me = found.is_some_and(|found| inode(&found).is_some_and(|it| Some(it) == inode(&me)));
    if is_me { NAME.to_owned() } else { me.display().to_string() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_named_by_its_path_where_root_finds_none_or_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("me"), "").unwrap();
        fs::write(at("other"), "").unwrap();
        std::os::unix::fs::symlink("me", at("link")).unwrap();
        let full = at("me").display().to_string();
        assert_eq!(named(Some(at("me")), at("me")), NAME);
        assert_eq!(named(Some(at("link")), at("me")), NAME);
        assert_eq!(named(None, at("me")), full);
        assert_eq!(named(Some(at("other")), at("me")), full);
    }
}

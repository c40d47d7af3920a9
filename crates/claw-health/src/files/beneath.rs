//! A folder that somebody else writes, looked at without ever following a link.

use std::fs::{File, Metadata};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use claw_box::beneath;
use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;

/// A folder that is held open: what it is cannot change below us.
#[derive(Debug)]
pub(crate) struct Beneath(OwnedFd);

/// The repositories within another one.
#[derive(Debug, Default)]
pub(crate) struct Nested {
    /// Their folders, from the outer one on.
    pub(crate) found: Vec<String>,
    /// Was all of it looked at?
    pub(crate) complete: bool,
}

impl Beneath {
    /// Looks into a folder that was opened.
    pub(crate) fn new(folder: OwnedFd) -> Self {
        Self(folder)
    }

    /// Where it really is, whatever links led to it.
    pub(crate) fn path(&self) -> std::io::Result<PathBuf> {
        std::fs::read_link(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// Whose it is.
    pub(crate) fn uid(&self) -> nix::Result<u32> {
        Ok(nix::sys::stat::fstat(&self.0)?.st_uid)
    }

    /// What the kernel keeps of something in it, be it a link; nothing where it is not there, or a
    /// folder on the way to it is a link.
    pub(crate) fn meta(&self, path: &str) -> Option<Metadata> {
        File::from(self.at(Path::new(path), OFlag::O_PATH | OFlag::O_NOFOLLOW).ok()?)
            .metadata()
            .ok()
    }

    /// The repositories below it. Folders that hold other people's code by the thousand are left
    /// out, and so is what lies on another file system.
    pub(crate) fn nested(&self, deadline: Instant) -> Nested {
        /// A workspace holds hundreds; a box must not be searched because an agent unpacked one.
        const MOST_ENTRIES: usize = 20_000;
        const DEEPEST: usize = 24;
        let mut nested = Nested { found: Vec::new(), complete: true };
        let device = nix::sys::stat::fstat(&self.0).ok().map(|stat| stat.st_dev);
        let mut entries = 0;
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let at = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            let Ok(opened) = self.at(at, OFlag::O_RDONLY | OFlag::O_DIRECTORY) else { continue };
            let Ok(mut opened) = Dir::from_fd(opened) else { continue };
            for entry in opened.iter().flatten() {
                entries += 1;
                let name = entry.file_name().to_string_lossy();
                if matches!(&*name, "." | "..") {
                    continue;
                }
                if entries > MOST_ENTRIES || Instant::now() > deadline {
                    nested.complete = false;
                    nested.found.sort_unstable();
                    return nested;
                }
                if name == ".git" {
                    if !folder.as_os_str().is_empty() {
                        nested.found.push(folder.display().to_string());
                    }
                    continue;
                }
                // A file system that does not tell the kind is asked by the opening itself.
                let may_be_folder = matches!(entry.file_type(), Some(Type::Directory) | None);
                if may_be_folder && name != "node_modules" {
                    let below = folder.join(&*name);
                    let same = || {
                        let meta = self.meta(&below.to_string_lossy());
                        meta.map(|meta| meta.dev()) == device
                    };
                    if folder.components().count() >= DEEPEST {
                        nested.complete = false;
                    } else if same() {
                        folders.push(below);
                    }
                }
            }
        }
        nested.found.sort_unstable();
        nested
    }

    fn at(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        beneath::open(self.0.as_fd(), path, flags)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    fn opened(folder: &Path) -> Beneath {
        Beneath::new(File::open(folder).unwrap().into())
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn r5_nested_repositories_are_found_and_links_not_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let make = |path: &str| std::fs::create_dir_all(folder.path().join(path)).unwrap();
        make(".git");
        make("skills/a/.git/objects/.git");
        make("b");
        std::fs::write(folder.path().join("b/.git"), "gitdir: ../x\n").unwrap();
        make("node_modules/c/.git");
        std::fs::create_dir_all(outside.path().join(".git")).unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        symlink(".", folder.path().join("loop")).unwrap();
        let beneath = opened(folder.path());
        let nested = beneath.nested(later());
        assert_eq!((nested.found, nested.complete), (vec!["b".into(), "skills/a".into()], true));
        assert!(beneath.meta("link/.git").is_none() && beneath.meta("link").unwrap().is_symlink());
        assert!(beneath.meta("../x").is_none() && beneath.meta("skills/a/.git").is_some());
    }

    #[test]
    fn a_walk_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let deep = (0..60).map(|_| "d").collect::<Vec<_>>().join("/");
        std::fs::create_dir_all(folder.path().join(deep)).unwrap();
        assert!(!opened(folder.path()).nested(later()).complete);
    }
}

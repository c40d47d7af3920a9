//! A folder that is open, so that nobody can put another in its place.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use claw_box::beneath;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    file: OwnedFd,
}

impl Folder {
    /// A folder that only root can change.
    pub(crate) fn trusted(path: &str) -> Option<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Some(Self { path: path.into(), file: open(path, flags, Mode::empty()).ok()? })
    }

    /// A folder below one that a user can change. Root follows no links there.
    pub(crate) fn below(above: &Path, name: &str) -> Option<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let path = above.join(name);
        let file = if geteuid().is_root() {
            let above = open(above, flags, Mode::empty()).ok()?;
            beneath::open(above.as_fd(), Path::new(name), flags).ok()?
        } else {
            open(&path, flags, Mode::empty()).ok()?
        };
        Some(Self { path, file })
    }

    /// The names in it, in order; as many as anybody has.
    pub(crate) fn names(&self) -> Vec<String> {
        const MOST: usize = 10_000;
        let entries = fs::read_dir(self.opened()).into_iter().flatten().flatten().take(MOST);
        let mut names: Vec<_> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.opened().join(name).symlink_metadata().is_ok()
    }

    /// Where a link in it leads to.
    pub(crate) fn link(&self, name: &str) -> Option<PathBuf> {
        fs::read_link(self.opened().join(name)).ok()
    }

    fn opened(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }
}

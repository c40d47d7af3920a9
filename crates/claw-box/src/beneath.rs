//! Opening what lies below a folder that somebody else writes: no link is followed on the way.
//!
//! The kernel does it in one call, `openat2`. Old kernels do not have it, and neither has a service
//! with `RestrictSUIDSGID=` nor an old container: there the way is gone part by part.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open as open_file, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

/// Opens what is at a relative path below a folder. A link on the way is `ELOOP`, and a way that could
/// lead out, by `..` or from the root on, is `EXDEV`. A link at its end is opened itself where
/// `O_PATH` and `O_NOFOLLOW` ask for it.
pub fn open(folder: BorrowedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let flags = flags | OFlag::O_CLOEXEC;
    let leads_out = |part| matches!(part, Component::ParentDir | Component::RootDir);
    if path.components().any(leads_out) {
        return Err(Errno::EXDEV);
    }
    match at_once(folder, path, flags) {
        // An old container forbids what it does not know.
        Err(Errno::ENOSYS | Errno::EPERM) => by_parts(folder, path, flags),
        opened => opened,
    }
}

/// Opens what is at an absolute path, in the same way: no link is followed from the root on.
pub fn open_absolute(path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let below = path.strip_prefix("/").map_err(|_| Errno::EXDEV)?;
    let root = open_file("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    open(root.as_fd(), below, flags)
}

fn at_once(folder: BorrowedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    openat2(folder, path, OpenHow::new().flags(flags).resolve(resolve))
}

fn by_parts(folder: BorrowedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let path = path.as_os_str().as_bytes();
    let mut parts: Vec<_> = path.split(|byte| *byte == b'/').filter(|it| !it.is_empty()).collect();
    if path.ends_with(b"/") {
        // It is to be a folder.
        parts.push(b".");
    }
    let last = parts.pop().ok_or(Errno::ENOENT)?;
    let mut reached: Option<OwnedFd> = None;
    for part in parts {
        let from = reached.as_ref().map_or(folder, AsFd::as_fd);
        reached = Some(step(from, part, OFlag::O_PATH | OFlag::O_CLOEXEC)?);
    }
    step(reached.as_ref().map_or(folder, AsFd::as_fd), last, flags)
}

/// Opens a name in a folder. `O_PATH` opens a link itself, and the kernel says of another that it is
/// no folder where one is asked for.
fn step(folder: BorrowedFd, name: &[u8], flags: OFlag) -> nix::Result<OwnedFd> {
    let opened = openat(folder, name, flags | OFlag::O_NOFOLLOW, Mode::empty());
    if flags.contains(OFlag::O_NOFOLLOW) {
        return opened;
    }
    let seen = match &opened {
        Ok(file) => fstat(file),
        Err(Errno::ENOTDIR) => fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW),
        Err(_) => return opened,
    };
    if seen.as_ref().is_ok_and(is_link) { Err(Errno::ELOOP) } else { opened }
}

fn is_link(file: &FileStat) -> bool {
    SFlag::from_bits_truncate(file.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, metadata};
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::PathBuf;

    use super::*;

    /// Which file it is, or why there is none.
    fn seen(opened: nix::Result<OwnedFd>) -> nix::Result<u64> {
        opened.map(|file| File::from(file).metadata().unwrap().ino())
    }

    /// A folder with a file, a link and a folder of each kind, and what it must not lead to.
    fn folder() -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        let at = |path: &str| top.path().join(path);
        fs::create_dir_all(at("in/deep/er")).unwrap();
        fs::create_dir(at("out")).unwrap();
        for file in ["in/file", "in/deep/er/file", "out/file"] {
            fs::write(at(file), "").unwrap();
        }
        for (to, link) in [
            ("../out", "in/away"),
            ("deep", "in/near"),
            ("/", "in/root"),
            ("nowhere", "in/broken"),
            ("file", "in/alias"),
            ("turn", "in/turn"),
            ("/proc/self/root", "in/magic"),
            ("../../../out/file", "in/deep/er/link"),
        ] {
            symlink(to, at(link)).unwrap();
        }
        top
    }

    const PATHS: [&str; 24] = [
        "",
        ".",
        "./",
        "file",
        "file/",
        "file/.",
        "file/x",
        "./deep//er/file",
        "deep/",
        "deep/er/.",
        "deep/none/file",
        "none",
        "away",
        "away/",
        "away/file",
        "near/er/file",
        "root/etc",
        "broken",
        "alias",
        "turn",
        "turn/x",
        "magic/etc",
        "deep/er/link",
        "deep/er/link/.",
    ];

    const KINDS: [OFlag; 6] = [
        OFlag::O_RDONLY,
        OFlag::O_DIRECTORY,
        OFlag::O_PATH,
        OFlag::O_PATH.union(OFlag::O_DIRECTORY),
        OFlag::O_PATH.union(OFlag::O_NOFOLLOW),
        OFlag::O_NOFOLLOW.union(OFlag::O_DIRECTORY),
    ];

    #[test]
    fn both_ways_open_the_same_and_refuse_the_same() {
        let top = folder();
        let folder = File::open(top.path().join("in")).unwrap();
        if at_once(folder.as_fd(), Path::new("."), OFlag::O_PATH).is_err() {
            return;
        }
        for path in PATHS.map(Path::new) {
            for flags in KINDS {
                let both = [at_once, by_parts].map(|way| seen(way(folder.as_fd(), path, flags)));
                assert_eq!(both[0], both[1], "{path:?} {flags:?}");
            }
        }
    }

    #[test]
    fn no_way_leads_along_a_link_or_out() {
        let top = folder();
        let folder = File::open(top.path().join("in")).unwrap();
        let inode = |path: &str| Ok(metadata(top.path().join("in").join(path)).unwrap().ino());
        let cases = [
            ("file", inode("file")),
            ("deep/er/file", inode("deep/er/file")),
            (".", inode(".")),
            ("none", Err(Errno::ENOENT)),
            ("file/x", Err(Errno::ENOTDIR)),
            ("file/", Err(Errno::ENOTDIR)),
            ("alias", Err(Errno::ELOOP)),
            ("away/file", Err(Errno::ELOOP)),
            ("near/er/file", Err(Errno::ELOOP)),
            ("root/etc/passwd", Err(Errno::ELOOP)),
            ("magic/etc/passwd", Err(Errno::ELOOP)),
        ];
        for (path, expected) in cases {
            for way in [open, by_parts] {
                assert_eq!(
                    seen(way(folder.as_fd(), Path::new(path), OFlag::O_PATH)),
                    expected,
                    "{path}"
                );
            }
        }
        for path in ["..", "../out/file", "deep/../file", "/etc/passwd"] {
            let opened = open(folder.as_fd(), Path::new(path), OFlag::O_PATH);
            assert_eq!(seen(opened), Err(Errno::EXDEV), "{path}");
        }
    }

    #[test]
    fn a_link_itself_is_opened_where_that_is_asked_for() {
        let top = folder();
        let folder = File::open(top.path().join("in")).unwrap();
        for way in [at_once, by_parts] {
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let opened = way(folder.as_fd(), Path::new("deep/er/link"), flags);
            // Where there is but one of the ways.
            if opened.as_ref().err() != Some(&Errno::ENOSYS) {
                assert!(File::from(opened.unwrap()).metadata().unwrap().is_symlink());
            }
        }
    }

    #[test]
    fn an_absolute_path_is_gone_from_the_root_on() {
        let top = folder();
        let open = |path: PathBuf| seen(open_absolute(&path, OFlag::O_PATH));
        let real = top.path().canonicalize().unwrap();
        assert_eq!(open(real.join("in/file")), Ok(metadata(real.join("in/file")).unwrap().ino()));
        assert_eq!(open(real.join("in/away/file")), Err(Errno::ELOOP));
        assert_eq!(open("in/file".into()), Err(Errno::EXDEV));
    }
}

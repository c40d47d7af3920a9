//! A file of a user, read and replaced with that user's own rights.

use std::fs::{self, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::Found;
use super::block::{Block, Held};
use crate::beside::Beside;

/// A larger one is no file that somebody wrote for a shell.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// How the reason ends where a file could not keep its group.
pub(crate) const FOREIGN_GROUP: &str = "which its owner is not in";

/// What a file holds.
pub(super) fn found(file: &Path, block: &Block) -> Found {
    let text = match read(file) {
        Ok(Some((text, _))) => text,
        Ok(None) => return Found::NoFile,
        Err(why) => return Found::Untouchable(why),
    };
    match block.held(&text) {
        Held::Nothing => Found::NoBlock,
        Held::Good => Found::Good,
        Held::Wrong(why) => Found::Wrong(why),
        Held::Torn(why) => Found::Torn(why),
    }
}

/// The text of a file that a shell could read; nothing where there is none, or none that can be read.
pub(super) fn text(file: &Path) -> Option<Vec<u8>> {
    read(file).ok().flatten().map(|(text, _)| text)
}

/// Replaces a file by what `change` makes of it, at once and as a whole; where it makes nothing of it,
/// the file goes. Its mode, and the links that lead to it, stay.
pub(super) fn replace(
    file: &Path,
    uid: u32,
    change: impl FnOnce(Option<&[u8]>) -> Result<Option<Vec<u8>>, String>,
) -> Result<(), String> {
    let before = read(file)?;
    let text = before.as_ref().map(|(text, _)| &text[..]);
    let after = change(text)?;
    if text == after.as_deref() {
        return Ok(());
    }
    if let Some((_, meta)) = &before
        && meta.uid() != uid
    {
        return Err(format!("it belongs to user id {}, and would become another's", meta.uid()));
    }
    let is_link = fs::symlink_metadata(file).is_ok_and(|meta| meta.is_symlink());
    let real = if before.is_some() { real(file)? } else { file.to_owned() };
    let Some(after) = after else {
        // A link stays: somebody keeps the file elsewhere.
        return if is_link {
            write(&real, b"", before.as_ref())
        } else {
            fs::remove_file(&real).map_err(|error| reason(&error))
        };
    };
    write(&real, &after, before.as_ref())
}

fn write(file: &Path, text: &[u8], before: Option<&(Vec<u8>, Metadata)>) -> Result<(), String> {
    let folder = file.parent().ok_or("it has no folder")?;
    if before.is_none() {
        fs::create_dir_all(folder).map_err(|error| reason(&error))?;
    }
    let write = || -> io::Result<Beside> {
        let mut beside = Beside::new(folder)?;
        beside.file.write_all(text)?;
        let new = beside.file.as_file();
        let mode = before.map_or(0o644, |(_, meta)| meta.mode() & 0o7777);
        if let Some((_, meta)) = before
            && new.metadata()?.gid() != meta.gid()
        {
            fchown(new, None, Some(meta.gid())).map_err(|error| match error.kind() {
                ErrorKind::PermissionDenied => {
                    let gid = meta.gid();
                    io::Error::other(format!("it belongs to group id {gid}, {FOREIGN_GROUP}"))
                }
                _ => error,
            })?;
        }
        new.set_permissions(Permissions::from_mode(mode))?;
        Ok(beside)
    };
    let beside = write().map_err(|error| reason(&error))?;
    // Whoever has written it in the meantime must not lose that.
    let now = read(file)?.map(|(text, _)| text);
    if now.as_deref() != before.map(|(text, _)| &text[..]) {
        return Err("somebody else has just changed it".to_owned());
    }
    beside.replace(file).map_err(|error| reason(&error))
}

fn read(file: &Path) -> Result<Option<(Vec<u8>, Metadata)>, String> {
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let opened = match OpenOptions::new().read(true).custom_flags(flags).open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let is_link = fs::symlink_metadata(file).is_ok();
            return if is_link {
                Err("it is a link that leads nowhere".to_owned())
            } else {
                Ok(None)
            };
        }
        Err(error) => return Err(reason(&error)),
    };
    let meta = opened.metadata().map_err(|error| reason(&error))?;
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut text = Vec::new();
    opened.take(LIMIT_BYTES + 1).read_to_end(&mut text).map_err(|error| reason(&error))?;
    if text.len() as u64 > LIMIT_BYTES {
        return Err(format!("it is larger than {LIMIT_BYTES} bytes"));
    }
    if text.contains(&0) {
        return Err("it is not text".to_owned());
    }
    Ok(Some((text, meta)))
}

fn real(file: &Path) -> Result<PathBuf, String> {
    fs::canonicalize(file).map_err(|error| reason(&error))
}

/// What the system says of it, without the number.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        // Where a path is told as well, it is the one beside the file.
        None => error.to_string().split(" (os error").next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use nix::sys::stat::Mode;
    use nix::unistd::{geteuid, mkfifo};

    use super::super::block::Dialect;
    use super::*;

    fn block() -> Block {
        Block::new(1000, Dialect::Posix)
    }

    fn put(file: &Path) -> Result<(), String> {
        replace(file, geteuid().as_raw(), |text| block().put(text))
    }

    fn take(file: &Path) -> Result<(), String> {
        replace(file, geteuid().as_raw(), |text| block().take(text.unwrap_or_default()))
    }

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| name(entry).unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn s6_a_file_keeps_its_mode_and_comes_back_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".bashrc");
        for mode in [0o600, 0o644, 0o444, 0o750] {
            let before = b"alias a=b\r\n\xff no newline";
            fs::write(&file, before).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            put(&file).unwrap();
            assert_eq!(found(&file, &block()), Found::Good);
            let with = fs::metadata(&file).unwrap();
            put(&file).unwrap();
            assert_eq!(fs::metadata(&file).unwrap().ino(), with.ino(), "nothing was to be done");
            assert_eq!(with.mode() & 0o7777, mode);
            take(&file).unwrap();
            assert_eq!(fs::read(&file).unwrap(), before);
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, mode);
            assert_eq!(names(folder.path()), [".bashrc"], "nothing is left beside it");
            fs::remove_file(&file).unwrap();
        }
    }

    #[test]
    fn s6_a_file_that_was_made_goes_again_and_one_that_was_empty_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("conf.d/claw.fish");
        put(&file).unwrap();
        assert_eq!(found(&file, &block()), Found::Good);
        take(&file).unwrap();
        assert_eq!(found(&file, &block()), Found::NoFile);
        fs::write(&file, "").unwrap();
        put(&file).unwrap();
        take(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"");
    }

    #[test]
    fn s6_a_file_is_written_where_a_link_leads_and_the_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dotfiles")).unwrap();
        let (file, real) = (folder.path().join(".bashrc"), folder.path().join("dotfiles/bashrc"));
        fs::write(&real, "alias a=b\n").unwrap();
        symlink("dotfiles/bashrc", &file).unwrap();
        put(&file).unwrap();
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
        assert_eq!(found(&real, &block()), Found::Good);
        take(&file).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"alias a=b\n");
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    }

    #[test]
    fn what_is_no_file_of_a_shell_is_left_alone_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("nowhere", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        fs::write(at("binary"), b"ELF\0\n").unwrap();
        fs::write(at("huge"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
        let before = names(folder.path());
        for (name, why) in [
            ("dangling", "it is a link that leads nowhere"),
            ("loop", "Too many symbolic links encountered"),
            ("folder", "it is not a regular file"),
            ("pipe", "it is not a regular file"),
            ("binary", "it is not text"),
            ("huge", "it is larger than 1048576 bytes"),
        ] {
            assert_eq!(found(&at(name), &block()), Found::Untouchable(why.to_owned()), "{name}");
            assert_eq!(put(&at(name)), Err(why.to_owned()), "{name}");
        }
        assert_eq!(names(folder.path()), before);
    }

    #[test]
    fn a_file_of_another_owner_is_not_made_this_ones() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".bashrc");
        fs::write(&file, "a\n").unwrap();
        let (me, other) = (geteuid().as_raw(), geteuid().as_raw() + 1);
        let why = replace(&file, other, |text| block().put(text)).unwrap_err();
        assert_eq!(why, format!("it belongs to user id {me}, and would become another's"));
        assert_eq!(fs::read(&file).unwrap(), b"a\n");
    }

    #[test]
    fn what_somebody_else_wrote_in_the_meantime_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".bashrc");
        fs::write(&file, "a\n").unwrap();
        let why = replace(&file, geteuid().as_raw(), |text| {
            fs::write(&file, "precious\n").unwrap();
            block().put(text)
        });
        assert_eq!(why, Err("somebody else has just changed it".to_owned()));
        assert_eq!(fs::read(&file).unwrap(), b"precious\n");
        assert_eq!(names(folder.path()), [".bashrc"]);
    }
}

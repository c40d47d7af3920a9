//! A file of a user, read and replaced with that user's own rights.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::Found;
use super::block::{Block, Held};

/// A larger one is no file that somebody wrote for a shell.
const LIMIT_BYTES: u64 = 1024 * 1024;

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
    let write = || -> io::Result<tempfile::NamedTempFile> {
        let mut beside =
            tempfile::Builder::new().prefix(".claw-").suffix(".tmp").tempfile_in(folder)?;
        beside.write_all(text)?;
        let mode = before.map_or(0o644, |(_, meta)| meta.mode() & 0o7777);
        if let Some((_, meta)) = before
            && beside.as_file().metadata()?.gid() != meta.gid()
        {
            fchown(beside.as_file(), None, Some(meta.gid()))?;
        }
        beside.as_file().set_permissions(Permissions::from_mode(mode))?;
        beside.as_file().sync_all()?;
        Ok(beside)
    };
    let beside = write().map_err(|error| reason(&error))?;
    // Whoever has written it in the meantime must not lose that.
    let now = read(file)?.map(|(text, _)| text);
    if now.as_deref() != before.map(|(text, _)| &text[..]) {
        return Err("somebody else has just changed it".to_owned());
    }
    beside.persist(file).map_err(|error| reason(&error.error))?;
    // The name is to be there after a power cut as well; where that cannot be asked for, it will be soon.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
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
        None => error.to_string(),
    }
}

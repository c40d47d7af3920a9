//! Replacing a file at once: whoever reads it sees the old one or the new one, whole.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Makes a folder and those above it that are missing, for their owner alone.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file beside `file` and renames it. The new name ends in `.tmp`, which no reader of a folder of `*.prom` or `*.json` takes.
pub(crate) fn replace(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut beside =
        tempfile::Builder::new().prefix(".claw-").suffix(".tmp").tempfile_in(folder)?;
    beside.write_all(content)?;
    fs::set_permissions(beside.path(), Permissions::from_mode(mode))?;
    beside.as_file().sync_data()?;
    beside.persist(file).map_err(|error| error.error)?;
    Ok(())
}

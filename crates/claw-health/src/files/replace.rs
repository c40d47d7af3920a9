//! Replacing a file at once: whoever reads it sees the old one or the new one, whole.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Writes a file beside `file` and renames it; folders that are missing are made, for their owner
/// alone. The new name ends in `.tmp`, which no reader of a folder of `*.prom` or `*.json` takes.
pub(crate) fn replace(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut beside =
        tempfile::Builder::new().prefix(".claw-").suffix(".tmp").tempfile_in(folder)?;
    beside.write_all(content)?;
    fs::set_permissions(beside.path(), Permissions::from_mode(mode))?;
    beside.as_file().sync_data()?;
    beside.persist(file).map_err(|error| error.error)?;
    Ok(())
}

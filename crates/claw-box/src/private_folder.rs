//! A folder of a tool's own, into which nobody else can put anything.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use nix::unistd::geteuid;

/// Makes a folder for oneself alone where it is missing. Root refuses one that others could change under
/// it.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    let mut above = folder.ancestors();
    let is_there = above.find(|folder| folder.symlink_metadata().is_ok());
    is_there.map_or(Ok(()), no_objection)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    no_objection(folder)
}

fn no_objection(folder: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let objection = folder.canonicalize()?.ancestors().find_map(|above| {
        const STICKY: u32 = 0o1000;
        let meta = fs::symlink_metadata(above).ok()?;
        let is_open = meta.mode() & 0o022 != 0 && meta.mode() & STICKY == 0;
        let shown = above.display();
        (meta.uid() != 0 || is_open).then(|| format!("others than root can write '{shown}'"))
    });
    objection.map_or(Ok(()), |why| Err(io::Error::other(why)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn root_makes_nothing_where_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let foreign = folder.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o777)).unwrap();
        let made = private_folder(&foreign.join("notify"));
        assert_eq!(made.is_err(), geteuid().is_root());
        assert_eq!(foreign.join("notify").exists(), !geteuid().is_root());
    }
}

//! What is there to set up on: a box that systemd runs, or one that it will?

use std::path::Path;

use claw_record::Complaint;

/// How systemd is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// It runs.
    Running,
    /// It is installed and does not run, as in a chroot or while an image is built.
    Installed,
}

/// How systemd is here; a complaint where it is not.
pub(crate) fn ground() -> Result<Ground, Complaint> {
    // The test is that of sd_booted(3).
    if Path::new("/run/systemd/system").is_dir() {
        return Ok(Ground::Running);
    }
    let installed = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
    if installed.iter().any(|file| Path::new(file).exists()) {
        return Ok(Ground::Installed);
    }
    Err(Complaint::new("cannot set up anything: this box has no systemd, which runs user services"))
}

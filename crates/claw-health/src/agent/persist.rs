//! An agent that is started at each boot: its transient unit, kept as a file among its owner's units.
//!
//! All of it is done with the owner's rights, below a folder that the owner can write.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use claw_box::{Owner, Scope, session};

use super::systemd_run::{reason, run};

/// Keeps the file that systemd made: `$1` is that file, `$2` the folder, `$3` the unit, `$4` the target.
const KEEP: &str = r#"set -eu
mkdir -p "$2/$4.wants"
{ grep -v '^# This is a transient unit file' "$1"; printf '\n[Install]\nWantedBy=%s\n' "$4"; } >"$2/.$3.new"
mv "$2/.$3.new" "$2/$3"
ln -sf "../$3" "$2/$4.wants/$3""#;

/// Takes it away again: `$1` is the folder, `$2` the unit, `$3` the target.
const DROP: &str = r#"exec rm -f "$1/$3.wants/$2" "$1/$2""#;

/// Keeps the unit whose file that is.
pub(super) fn keep(
    owner: &Owner,
    scope: Scope,
    unit: &str,
    file: &str,
    deadline: Instant,
) -> Result<(), String> {
    let (folder, target) = place(owner, scope);
    let folder = folder.display().to_string();
    shell(owner, scope, &[KEEP, "sh", file, &folder, unit, target], deadline)
}

/// Is a unit of that name kept?
pub(super) fn is_kept(owner: &Owner, scope: Scope, unit: &str) -> bool {
    let (folder, _) = place(owner, scope);
    folder.join(unit).symlink_metadata().is_ok()
}

/// Keeps it no longer.
pub(super) fn forget(
    owner: &Owner,
    scope: Scope,
    unit: &str,
    deadline: Instant,
) -> Result<(), String> {
    let (folder, target) = place(owner, scope);
    let folder = folder.display().to_string();
    shell(owner, scope, &[DROP, "sh", &folder, unit, target], deadline)
}

/// The folder of the units, and the target that starts them.
fn place(owner: &Owner, scope: Scope) -> (PathBuf, &'static str) {
    match scope {
        Scope::System => ("/etc/systemd/system".into(), "multi-user.target"),
        Scope::User => (owner.home.join(".config/systemd/user"), "default.target"),
    }
}

fn shell(owner: &Owner, scope: Scope, words: &[&str], deadline: Instant) -> Result<(), String> {
    const SHELL: &str = "/bin/sh";
    let mut command = match scope {
        Scope::User => session::of(owner, SHELL),
        Scope::System => Command::new(SHELL),
    };
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    let ended = run(command.arg("-c").args(words), deadline)?;
    if ended.status.success() { Ok(()) } else { Err(reason(&ended)) }
}

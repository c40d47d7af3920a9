//! What a step does: a value that is shown as it is typed, and carried out.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Instant;

use claw_box::Owner;
use nix::unistd::geteuid;

use crate::at_home::{self, Job};
use crate::environment::FOREIGN_GROUP;
use crate::systemctl::{JOB_FAILED, TOO_OFTEN};
use crate::{linger, loginctl, mounts, systemctl};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Run loginctl.
    Loginctl(Vec<String>),
    /// Run systemctl for the system's manager.
    Systemctl(Vec<String>),
    /// Run systemctl for the manager of the user.
    UserSystemctl(Vec<String>),
    /// Make an empty file of root's that everybody may read.
    Touch(PathBuf),
    /// Remove a file of root's.
    Remove(PathBuf),
    /// Do something with the user's rights.
    AtHome(Job),
}

impl Act {
    pub(crate) fn loginctl(words: &[&str]) -> Self {
        Self::Loginctl(words.iter().map(|word| (*word).to_owned()).collect())
    }

    pub(crate) fn systemctl(words: &[&str]) -> Self {
        Self::Systemctl(words.iter().map(|word| (*word).to_owned()).collect())
    }

    pub(crate) fn user_systemctl(words: &[&str]) -> Self {
        Self::UserSystemctl(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// How a person types it. What is done in a file has no command: see [`Act::edits`].
    pub(crate) fn typed(&self, owner: &Owner) -> Option<String> {
        let sudo = if geteuid().is_root() { "" } else { "sudo " };
        let dir = owner.runtime_dir();
        Some(match self {
            Self::Loginctl(words) => format!("{sudo}loginctl {}", words.join(" ")),
            Self::Systemctl(words) => format!("{sudo}systemctl {}", words.join(" ")),
            Self::UserSystemctl(words) if owner.is_me() => {
                format!("XDG_RUNTIME_DIR={} systemctl --user {}", dir.display(), words.join(" "))
            }
            Self::UserSystemctl(words) => format!(
                "{sudo}runuser -u {} -- env XDG_RUNTIME_DIR={} systemctl --user {}",
                owner.name,
                dir.display(),
                words.join(" ")
            ),
            Self::Touch(file) => format!("{sudo}install -D -m 0644 /dev/null {}", file.display()),
            Self::Remove(file) => format!("{sudo}rm {}", file.display()),
            Self::AtHome(Job::CloseRuntimeDir) => format!("{sudo}chmod 0700 {}", dir.display()),
            Self::AtHome(_) => return None,
        })
    }

    /// The file that it edits, where it edits one of the user's.
    pub(crate) fn edits(&self) -> Option<&PathBuf> {
        match self {
            Self::AtHome(Job::Put(file) | Job::Take(file)) => Some(file),
            _ => None,
        }
    }

    /// What lets it succeed where it failed for this reason; nothing where it is to be typed itself.
    pub(crate) fn cure(&self, owner: &Owner, why: &str) -> Option<String> {
        let sudo = if geteuid().is_root() { "" } else { "sudo " };
        if let Some(file) = self.writes()
            && why.contains("Read-only file system")
        {
            return mounts::make_writable(&file).map(|command| format!("{sudo}{command}"));
        }
        if let Self::Systemctl(words) = self {
            let unit = words.last()?;
            return if why.ends_with(TOO_OFTEN) {
                Some(format!("{sudo}systemctl reset-failed {unit} && {sudo}systemctl start {unit}"))
            } else {
                // It was started, and ended.
                why.contains(JOB_FAILED).then(|| format!("{sudo}journalctl -u {unit} -n 50"))
            };
        }
        let file = self.edits()?.display();
        // The owner of a file is not permitted to change it only where it was made immutable.
        Some(if why.ends_with("Operation not permitted") {
            format!("{sudo}chattr -i '{file}'")
        } else if why.ends_with(FOREIGN_GROUP) {
            format!("chgrp {} '{file}'", owner.gid)
        } else if why.ends_with("No space left on device") {
            format!("df -h '{}'", owner.home.display())
        } else {
            format!("ls -lL '{file}'")
        })
    }

    /// The file that it makes, changes or removes, be it by another program.
    fn writes(&self) -> Option<PathBuf> {
        match self {
            Self::Touch(file) | Self::Remove(file) => Some(file.clone()),
            Self::Loginctl(_) => Some(linger::FOLDER.into()),
            Self::AtHome(_) => self.edits().cloned(),
            Self::Systemctl(_) | Self::UserSystemctl(_) => None,
        }
    }

    /// Does it.
    pub(crate) fn perform(&self, owner: &Owner, deadline: Instant) -> Result<(), String> {
        let cannot = |verb: &str, file: &PathBuf, error: io::Error| {
            format!("cannot {verb} '{}': {error}", file.display())
        };
        match self {
            Self::Loginctl(words) => loginctl::run(words, deadline).map(drop),
            Self::Systemctl(words) => systemctl::system(words, deadline).map(drop),
            Self::UserSystemctl(words) => systemctl::user(owner, words, deadline).map(drop),
            Self::Touch(file) => touch(file).map_err(|error| cannot("make", file, error)),
            Self::Remove(file) => {
                fs::remove_file(file).map_err(|error| cannot("remove", file, error))
            }
            Self::AtHome(job) => {
                at_home::ask(owner, job.clone(), deadline).map(drop).map_err(|why| {
                    match self.edits() {
                        Some(file) => format!("cannot change '{}': {why}", file.display()),
                        None => why,
                    }
                })
            }
        }
    }
}

fn touch(file: &PathBuf) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(file)?;
    made.set_permissions(Permissions::from_mode(0o644))?;
    made.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_not_told_to_be_typed_again_where_the_reason_says_what_helps() {
        let owner = Owner::parse("dev:x:1000:1000::/home/dev:").unwrap();
        let cure =
            |act: Act, why: &str| act.cure(&owner, why).map(|cure| cure.replace("sudo ", ""));
        let start = || Act::systemctl(&["start", "user@1000.service"]);
        let put = || Act::AtHome(Job::Put("/home/dev/.bashrc".into()));
        let often = format!("'user@1000.service' was not tried: {TOO_OFTEN}");
        let reset = "systemctl reset-failed user@1000.service && systemctl start user@1000.service";
        let failed = "Job for user@1000.service failed because the control process exited with error \
                      code.";
        let group =
            format!("cannot change '/home/dev/.bashrc': it belongs to group id 0, {FOREIGN_GROUP}");
        for (act, why, expected) in [
            (start(), &*often, Some(reset)),
            (start(), failed, Some("journalctl -u user@1000.service -n 50")),
            (start(), "Interactive authentication required.", None),
            (put(), &*group, Some("chgrp 1000 '/home/dev/.bashrc'")),
            (put(), "Operation not permitted", Some("chattr -i '/home/dev/.bashrc'")),
            (put(), "x", Some("ls -lL '/home/dev/.bashrc'")),
        ] {
            assert_eq!(cure(act, why).as_deref(), expected, "{why}");
        }
        let read_only = "Could not enable linger: Read-only file system";
        let linger = cure(Act::loginctl(&["enable-linger", "dev"]), read_only).unwrap();
        assert!(linger.starts_with("mount -o remount,"), "{linger}");
    }
}

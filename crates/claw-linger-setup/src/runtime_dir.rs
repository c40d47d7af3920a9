//! Is the runtime folder of the user the one that systemd made?

use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use claw_box::Owner;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use crate::act::Act;
use crate::at_home::Job;
use crate::bus;
use crate::manager;
use crate::plan::{State, World};

/// The folder as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) is_folder: bool,
    pub(crate) uid: u32,
    pub(crate) mode: u32,
    /// Is a file system in memory mounted there, which is not the one of `/run`?
    pub(crate) is_own_tmpfs: bool,
}

impl Folder {
    /// The runtime folder of that user; nothing where there is none.
    pub(crate) fn of(owner: &Owner) -> io::Result<Option<Self>> {
        let path = owner.runtime_dir();
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let above = fs::symlink_metadata("/run/user").as_ref().map(Metadata::dev).ok();
        let kind = statfs(&path).map(|stat| stat.filesystem_type());
        Ok(Some(Self {
            is_folder: meta.is_dir(),
            uid: meta.uid(),
            mode: meta.mode() & 0o7777,
            is_own_tmpfs: kind == Ok(TMPFS_MAGIC) && above != Some(meta.dev()),
        }))
    }
}

/// How it stands with the folder.
pub(crate) fn look(world: &World) -> State {
    let owner = &world.owner;
    let folder = match Folder::of(owner) {
        Ok(folder) => folder,
        Err(error) => {
            let path = owner.runtime_dir();
            return State::unknown(format!("cannot look at '{}': {error}", path.display()));
        }
    };
    let manager_runs = manager::runs(owner.uid);
    judge(owner, folder, manager_runs, || bus::manager_answers(owner))
}

/// Closes the folder to everybody but its owner.
pub(crate) fn close(owner: &Owner) -> Result<(), String> {
    let path = owner.runtime_dir();
    fs::set_permissions(&path, Permissions::from_mode(0o700))
        .map_err(|error| format!("cannot change the mode of '{}': {error}", path.display()))
}

/// A folder that somebody made is cured by systemd making its own: nothing here ever makes one.
fn judge(
    owner: &Owner,
    folder: Option<Folder>,
    manager_runs: bool,
    manager_answers: impl Fn() -> bool,
) -> State {
    let Owner { name, uid, .. } = owner;
    let path = format!("/run/user/{uid}");
    let unit = format!("user-runtime-dir@{uid}.service");
    // The user manager goes down and up with it; where it was down, somebody has to start it.
    let anew = || {
        if manager_runs {
            vec![Act::systemctl(&["restart", &unit]), manager::start(*uid)]
        } else {
            vec![manager::start(*uid)]
        }
    };
    let would = |what: String| {
        let price = if manager_runs { ", which restarts its services" } else { "" };
        State::would(format!("{what}: {unit} would make its own{price}"), anew())
    };
    match folder {
        None if manager_runs => would(format!("{path} is not there, though the user manager runs")),
        None => would(format!("{path} is not there")),
        Some(found) if !found.is_folder => {
            let remedy = std::iter::once(Act::Remove(path.clone().into())).chain(anew());
            let typed: Vec<_> = remedy.filter_map(|act| act.typed(owner)).collect();
            State::cannot(format!("{path} is not a folder"), typed.join(" && "))
        }
        // In a container without the right to mount, systemd itself leaves a plain folder.
        Some(found) if !found.is_own_tmpfs && !manager_answers() => would(format!(
            "{path} was made by hand: no tmpfs is mounted there, and no user manager answers in it"
        )),
        Some(found) if found.uid != *uid => {
            would(format!("{path} belongs to user id {}, not to {name}", found.uid))
        }
        Some(found) if found.mode != 0o700 => State::would(
            format!("{path} has mode {:04o}, not 0700", found.mode),
            vec![Act::AtHome(Job::CloseRuntimeDir)],
        ),
        Some(found) => {
            let kind = if found.is_own_tmpfs { "a tmpfs" } else { "but no tmpfs" };
            State::So(format!("{path} is {name}'s, mode 0700, {kind}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Folder = Folder { is_folder: true, uid: 1000, mode: 0o700, is_own_tmpfs: true };

    #[test]
    fn s6_a_folder_is_only_ever_made_by_systemd() {
        let owner = Owner::parse("dev:x:1000:1000::/home/dev:").unwrap();
        let restart = "restart user-runtime-dir@1000.service; start user@1000.service";
        let start = "start user@1000.service";
        let by_hand = Folder { uid: 0, mode: 0o755, is_own_tmpfs: false, ..GOOD };
        for (folder, runs, answers, expected) in [
            (Some(GOOD), true, true, "so"),
            (Some(Folder { is_own_tmpfs: false, ..GOOD }), true, true, "so"),
            (None, false, false, start),
            (None, true, false, restart),
            (Some(by_hand), false, false, start),
            (Some(by_hand), true, false, restart),
            (
                Some(Folder { is_folder: false, ..GOOD }),
                true,
                false,
                "/run/user/1000 is not a folder",
            ),
            (Some(Folder { uid: 7, ..GOOD }), true, true, restart),
            (Some(Folder { mode: 0o755, ..GOOD }), true, true, "close"),
            (Some(Folder { mode: 0o500, ..GOOD }), true, true, "close"),
        ] {
            let told = match judge(&owner, folder, runs, || answers) {
                State::So(_) => "so".to_owned(),
                State::Would { acts, .. } => acts
                    .iter()
                    .map(|act| match act {
                        Act::Systemctl(words) => words.join(" "),
                        Act::AtHome(Job::CloseRuntimeDir) => "close".to_owned(),
                        other => format!("{other:?}"),
                    })
                    .collect::<Vec<_>>()
                    .join("; "),
                State::Cannot { message, .. } => message,
            };
            assert_eq!(told, expected, "{folder:?} {runs} {answers}");
        }
    }
}

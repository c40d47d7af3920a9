//! Is the runtime folder of the gateway's owner the one that systemd made?

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::Finding;
use crate::look::Look;
use crate::systemd::user_manager_runs;

pub(super) const CHECK: Check = Check {
    name: "runtime-dir",
    about: "/run/user/UID of the gateway's owner: its owner, its mode, its file system",
    operand: "",
    settings: &[],
    find: Find::Once,
    needs: Needs::Systemd,
    waits: false,
    runs_programs: false,
    every_seconds: 0,
    is_sure: true,
    run,
};

/// The folder as it was found.
#[derive(Clone, Copy, Debug)]
struct Folder {
    is_folder: bool,
    uid: u32,
    mode: u32,
    is_tmpfs: bool,
    /// Is it mounted there, and not a part of `/run`, which is a tmpfs as well?
    is_mounted: bool,
}

fn run(look: &Look) -> Found {
    let owner = look.host.owner();
    let path = format!("/run/user/{}", owner.uid);
    let cannot = |error| format!("cannot look at '{path}': {error}");
    let folder = match std::fs::symlink_metadata(&path) {
        Ok(meta) => {
            let above = std::fs::symlink_metadata("/run/user").as_ref().map(Metadata::dev).ok();
            let kind = statfs(path.as_str()).map(|stat| stat.filesystem_type());
            Some(Folder {
                is_folder: meta.is_dir(),
                uid: meta.uid(),
                mode: meta.mode() & 0o7777,
                is_tmpfs: kind == Ok(TMPFS_MAGIC),
                is_mounted: above != Some(meta.dev()),
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(cannot(error)),
    };
    if folder.is_none() && !look.host.has_openclaw() {
        let message =
            format!("there is no {path}, and {} has no gateway that needs it", owner.name);
        return Ok(vec![Finding::pass("runtime-dir", message)]);
    }
    let manager_runs = user_manager_runs(&look.host);
    Ok(vec![judge(&path, &owner.name, owner.uid, folder, look.host.lingers(), manager_runs)])
}

fn judge(
    path: &str,
    name: &str,
    uid: u32,
    folder: Option<Folder>,
    lingers: bool,
    manager_runs: bool,
) -> Finding {
    let (linger, restart) = (
        format!("sudo loginctl enable-linger {name}"),
        format!("sudo systemctl restart user-runtime-dir@{uid}.service user@{uid}.service"),
    );
    let fail = |message: String| Finding::fail("runtime-dir", message);
    let cure = if lingers { restart.clone() } else { linger };
    let finding = match folder {
        None if lingers => {
            fail(format!("there is no {path}, though {name} lingers: no user service runs"))
                .remedy(cure)
        }
        None => fail(format!(
            "there is no {path}: {name} has no session and does not linger, so no user service runs"
        ))
        .remedy(cure),
        Some(found) if !found.is_folder => {
            fail(format!("{path} is not a folder; systemd did not make it")).remedy(cure)
        }
        // In a container without the right to mount, systemd itself leaves a plain folder.
        Some(found) if !(manager_runs || found.is_tmpfs && found.is_mounted) => fail(format!(
            "{path} was made by hand: no tmpfs is mounted there and no user manager runs in it, \
             so it helps nothing (failed to connect to bus)"
        ))
        .remedy(cure),
        Some(found) if found.uid != uid => {
            fail(format!("{path} belongs to user id {}, not to {name} ({uid})", found.uid))
                .remedy(restart)
        }
        Some(found) if found.mode & 0o077 != 0 => Finding::warn(
            "runtime-dir",
            format!("{path} has mode {:04o}: others can look into it; limit 0700", found.mode),
        )
        .remedy(format!("sudo chmod 0700 {path}")),
        Some(found) if found.mode != 0o700 => {
            fail(format!("{path} has mode {:04o}, not 0700", found.mode))
                .remedy(format!("sudo chmod 0700 {path}"))
        }
        Some(found) if !found.is_tmpfs => {
            Finding::pass("runtime-dir", format!("{path} is {name}'s, mode 0700, but no tmpfs"))
        }
        Some(_) => Finding::pass("runtime-dir", format!("{path} is {name}'s, mode 0700, a tmpfs")),
    };
    let finding = finding.note("path", path);
    match folder {
        Some(found) => finding
            .note("mode", format!("{:04o}", found.mode))
            .note("uid", found.uid)
            .note("tmpfs", found.is_tmpfs && found.is_mounted),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Folder =
        Folder { is_folder: true, uid: 1000, mode: 0o700, is_tmpfs: true, is_mounted: true };

    #[test]
    fn s7_a_runtime_folder_made_by_hand_is_told_and_its_cure_makes_none() {
        let by_hand = Folder { is_mounted: false, uid: 0, mode: 0o755, ..GOOD };
        for (folder, lingers, manager, expected) in [
            (Some(GOOD), true, true, "pass INFO /run/user/1000 is dev's, mode 0700, a tmpfs"),
            (
                None,
                false,
                false,
                "fail ERROR there is no /run/user/1000: dev has no session and does not linger, \
                 so no user service runs > sudo loginctl enable-linger dev",
            ),
            (
                None,
                true,
                false,
                "fail ERROR there is no /run/user/1000, though dev lingers: no user service runs \
                 > sudo systemctl restart user-runtime-dir@1000.service user@1000.service",
            ),
            (
                Some(by_hand),
                false,
                false,
                "fail ERROR /run/user/1000 was made by hand: no tmpfs is mounted there and no user \
                 manager runs in it, so it helps nothing (failed to connect to bus) \
                 > sudo loginctl enable-linger dev",
            ),
            (
                Some(Folder { uid: 7, ..GOOD }),
                true,
                true,
                "fail ERROR /run/user/1000 belongs to user id 7, not to dev (1000) \
                 > sudo systemctl restart user-runtime-dir@1000.service user@1000.service",
            ),
            (
                Some(Folder { mode: 0o755, ..GOOD }),
                true,
                true,
                "warn WARNING /run/user/1000 has mode 0755: others can look into it; limit 0700 \
                 > sudo chmod 0700 /run/user/1000",
            ),
            (
                Some(Folder { mode: 0o500, ..GOOD }),
                true,
                true,
                "fail ERROR /run/user/1000 has mode 0500, not 0700 > sudo chmod 0700 /run/user/1000",
            ),
        ] {
            let finding = judge("/run/user/1000", "dev", 1000, folder, lingers, manager);
            assert_eq!(finding.line(), expected);
        }
    }
}

//! The small unit that proves a reboot: it notes in which boot it started, whether its user lingered
//! then, and with which sessions.
//!
//! All of this runs with the rights of the user whose unit it is.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use claw_box::Owner;

use crate::beside::Beside;

const NAME: &str = "claw-linger-proof.service";

/// The first start in a boot counts: the manager may be restarted later, with somebody logged in.
const UNIT: &str = r#"# Written by claw-linger-setup --prove --after-reboot, which takes it away again.
[Unit]
Description=Proof that services of this user start at boot with nobody logged in

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'note=$$1; read -r boot </proc/sys/kernel/random/boot_id; read -r had <"$$note"; [ "$$had" != "$$boot" ] || exit 0; { echo "$$boot"; [ ! -e "/var/lib/systemd/linger/$$(id -un)" ] || echo lingers; sessions=$$(loginctl show-user "$$(id -u)" -p Sessions --value) || echo unknown; for one in $$sessions; do loginctl show-session "$$one" -p Class --value; done; echo end; } >"$$note.new" && mv "$$note.new" "$$note"' sh %h/.local/state/claw/linger-proof

[Install]
WantedBy=default.target
"#;

struct Places {
    unit: PathBuf,
    link: PathBuf,
    note: PathBuf,
}

fn places(owner: &Owner) -> Places {
    let units = owner.home.join(".config/systemd/user");
    Places {
        unit: units.join(NAME),
        link: units.join("default.target.wants").join(NAME),
        note: owner.home.join(".local/state/claw/linger-proof"),
    }
}

/// The files that are put in a home.
pub(crate) fn files(owner: &Owner) -> [PathBuf; 3] {
    let Places { unit, link, note } = places(owner);
    [unit, link, note]
}

/// Puts the unit in place, enabled, and forgets what an older one has noted.
pub(crate) fn plant(owner: &Owner) -> Result<(), String> {
    let Places { unit, link, note } = places(owner);
    let plant = || {
        for file in [&unit, &link, &note] {
            fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        }
        let folder = unit.parent().unwrap_or(Path::new("/"));
        let mut beside = Beside::new(folder)?;
        beside.file.write_all(UNIT.as_bytes())?;
        beside.replace(&unit)?;
        remove(&note)?;
        remove(&link)?;
        symlink(Path::new("..").join(NAME), &link)?;
        File::open(link.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    plant().map_err(|error| format!("cannot write '{}': {error}", unit.display()))
}

/// Takes the unit and its note away.
pub(crate) fn uproot(owner: &Owner) -> Result<(), String> {
    let Places { unit, link, note } = places(owner);
    for file in [link, unit, note] {
        remove(&file).map_err(|error| format!("cannot remove '{}': {error}", file.display()))?;
    }
    Ok(())
}

/// What the unit has noted; nothing where it has not.
pub(crate) fn evidence(owner: &Owner) -> Result<Option<String>, String> {
    const LONGEST_BYTES: u64 = 4096;
    let note = places(owner).note;
    let mut text = String::new();
    match File::open(&note).and_then(|file| file.take(LONGEST_BYTES).read_to_string(&mut text)) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read '{}': {error}", note.display())),
    }
}

fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_planted_goes_again_and_where_there_is_nothing_nothing_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner {
            home: folder.path().join("home"),
            ..Owner::parse("dev:x:1000:1000:::").unwrap()
        };
        uproot(&owner).unwrap();
        plant(&owner).unwrap();
        let Places { unit, link, note } = places(&owner);
        assert!(fs::read_to_string(&link).unwrap().contains("WantedBy=default.target"));
        fs::write(&note, "b\nend\n").unwrap();
        uproot(&owner).unwrap();
        assert!([unit, link, note].iter().all(|file| file.symlink_metadata().is_err()));
        uproot(&Owner { home: "/dev/null".into(), ..owner }).unwrap();
    }
}

//! Does the user manager run?

use std::fs::read_link;
use std::path::Path;

use crate::act::Act;
use crate::plan::{self, State, World};

/// Does this user's manager run?
pub(crate) fn runs(uid: u32) -> bool {
    is_up(&format!("user@{uid}.service"))
}

/// Does a unit of the system run? systemd keeps a link for as long as it does.
pub(crate) fn is_up(unit: &str) -> bool {
    let link = Path::new("/run/systemd/units").join(format!("invocation:{unit}"));
    link.symlink_metadata().is_ok()
}

/// A link to nowhere that keeps systemd from starting a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mask {
    unit: String,
    at_runtime: bool,
}

impl Mask {
    /// What takes it away, and starts the manager then.
    pub(crate) fn end(&self, uid: u32) -> Vec<Act> {
        let mut unmask = vec!["unmask"];
        if self.at_runtime {
            unmask.push("--runtime");
        }
        unmask.push(&self.unit);
        vec![Act::systemctl(&unmask), start(uid)]
    }
}

/// Where a mask can be, and whether it is gone after a reboot.
const PLACES: [(&str, bool); 2] = [("/etc/systemd/system", false), ("/run/systemd/system", true)];

/// What masks this user's manager, be it by the folder that it takes.
pub(crate) fn mask(uid: u32) -> Option<Mask> {
    mask_in(&PLACES.map(|(folder, at_runtime)| (Path::new(folder), at_runtime)), uid)
}

/// Does the system never start this unit?
pub(crate) fn is_masked(unit: &str) -> bool {
    PLACES.iter().any(|(folder, _)| is_masked_in(Path::new(folder), unit))
}

fn is_masked_in(folder: &Path, unit: &str) -> bool {
    read_link(folder.join(unit)).is_ok_and(|to| to == Path::new("/dev/null"))
}

fn mask_in(folders: &[(&Path, bool)], uid: u32) -> Option<Mask> {
    let units = [
        format!("user@{uid}.service"),
        "user@.service".to_owned(),
        format!("user-runtime-dir@{uid}.service"),
        "user-runtime-dir@.service".to_owned(),
    ];
    units.into_iter().find_map(|unit| {
        let (_, at_runtime) = folders.iter().find(|(folder, _)| is_masked_in(folder, &unit))?;
        Some(Mask { at_runtime: *at_runtime, unit })
    })
}

/// How it stands with the manager.
pub(crate) fn look(world: &World) -> State {
    let owner = &world.owner;
    if let Some(mask) = mask(owner.uid) {
        let remedy = plan::typed(owner, &mask.end(owner.uid));
        return State::cannot(
            format!("{} is masked: systemd does not start it", mask.unit),
            remedy,
        );
    }
    if runs(owner.uid) {
        return State::So(format!("the user manager of {} runs", owner.name));
    }
    State::would(
        format!("no user manager of {} runs, and so none of its services", owner.name),
        vec![start(owner.uid)],
    )
}

/// What starts it, and waits until it has started.
pub(crate) fn start(uid: u32) -> Act {
    Act::systemctl(&["start", &format!("user@{uid}.service")])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_mask_is_found_wherever_it_is_and_taken_away_there() {
        let folder = tempfile::tempdir().unwrap();
        let (etc, run) = (folder.path().join("etc"), folder.path().join("run"));
        for folder in [&etc, &run] {
            std::fs::create_dir(folder).unwrap();
        }
        let look = || mask_in(&[(&etc, false), (&run, true)], 1000).map(|mask| mask.end(1000));
        symlink("/usr/lib/x.service", etc.join("user@1000.service")).unwrap();
        symlink("/dev/null", etc.join("user@1001.service")).unwrap();
        assert_eq!(look(), None);
        symlink("/dev/null", run.join("user-runtime-dir@.service")).unwrap();
        let unmask = ["unmask", "--runtime", "user-runtime-dir@.service"];
        assert_eq!(look(), Some(vec![Act::systemctl(&unmask), start(1000)]));
        symlink("/dev/null", etc.join("user@.service")).unwrap();
        assert_eq!(look(), Some(vec![Act::systemctl(&["unmask", "user@.service"]), start(1000)]));
    }
}

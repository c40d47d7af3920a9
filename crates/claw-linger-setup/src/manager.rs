//! Does the user manager run?

use std::fs::read_link;
use std::path::{Path, PathBuf};

use crate::act::Act;
use crate::plan::{self, State, World};

/// The number of the start of this user's manager, where it runs. systemd keeps it as a link that is
/// there as long as the unit is up.
pub(crate) fn invocation(uid: u32) -> Option<String> {
    let link = PathBuf::from(format!("/run/systemd/units/invocation:user@{uid}.service"));
    Some(read_link(link).ok()?.to_string_lossy().into_owned())
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

/// What masks this user's manager, be it by the folder that it takes.
pub(crate) fn mask(uid: u32) -> Option<Mask> {
    mask_in(
        [(Path::new("/etc/systemd/system"), false), (Path::new("/run/systemd/system"), true)],
        uid,
    )
}

fn mask_in(folders: [(&Path, bool); 2], uid: u32) -> Option<Mask> {
    let units = [
        format!("user@{uid}.service"),
        "user@.service".to_owned(),
        format!("user-runtime-dir@{uid}.service"),
        "user-runtime-dir@.service".to_owned(),
    ];
    units.into_iter().find_map(|unit| {
        let is_masked = |folder: &Path| {
            read_link(folder.join(&unit)).is_ok_and(|to| to == Path::new("/dev/null"))
        };
        let (_, at_runtime) = folders.into_iter().find(|(folder, _)| is_masked(folder))?;
        Some(Mask { unit, at_runtime })
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
    match invocation(owner.uid) {
        Some(_) => State::So(format!("the user manager of {} runs", owner.name)),
        None => State::would(
            format!("no user manager of {} runs, and so none of its services", owner.name),
            vec![start(owner.uid)],
        ),
    }
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
        let look = || mask_in([(&etc, false), (&run, true)], 1000).map(|mask| mask.end(1000));
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

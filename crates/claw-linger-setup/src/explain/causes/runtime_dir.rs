//! Is the runtime folder the one that systemd made, and its owner's alone?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, set_up};
use super::{BUS, Cause, Looks};

pub(super) const CAUSE: Cause =
    Cause { name: "runtime-dir", texts: &[BUS], looks: Looks::Alone, judge };

fn judge(scene: &Scene, _: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let (name, uid, path) = (&scene.owner.name, scene.owner.uid, scene.runtime_dir());
    // Without one, it is linger or the manager that is missing.
    let found = scene.runtime?;
    let chmod = || line(scene, &[Step::Plain(format!("chmod 0700 {path}"))]);
    if !found.is_folder {
        return Some(
            Diagnosis::fail(format!("{path} is not a folder; systemd did not make it"))
                .remedy(line(scene, &[Step::Root(format!("rm {path}"))]) + " && " + &set_up(scene)),
        );
    }
    // In a container without the right to mount, systemd itself leaves a plain folder.
    if !found.is_own_tmpfs && !scene.manager.listens() {
        return Some(
            Diagnosis::fail(format!(
                "{path} was made by hand: no tmpfs is mounted there and no user manager runs in it, \
                 so it helps nothing"
            ))
            .remedy(set_up(scene)),
        );
    }
    if found.uid != uid {
        let chown = Step::Root(format!("chown {uid}:{} {path}", scene.owner.gid));
        return Some(
            Diagnosis::fail(format!("{path} belongs to {}, not to {name}", scene.user(found.uid)))
                .remedy(line(scene, &[chown])),
        );
    }
    match found.mode {
        0o700 => None,
        mode if mode & 0o077 != 0 && mode & 0o700 == 0o700 => Some(
            Diagnosis::warn(format!("{path} has mode {mode:04o}: others can look into it"))
                .remedy(chmod()),
        ),
        mode => Some(
            Diagnosis::fail(format!(
                "{path} has mode {mode:04o}, so {name} cannot get through it to the manager"
            ))
            .remedy(chmod()),
        ),
    }
}

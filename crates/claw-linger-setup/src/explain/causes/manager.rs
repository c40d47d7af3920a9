//! Does the user manager of one who lingers run?

use super::super::diagnosis::Diagnosis;
use super::super::scene::{Init, Scene, Shell};
use super::super::sockets::Socket;
use super::super::text::Heard;
use super::super::typed::{Step, line};
use super::{BUS, Cause, Looks, REBOOT};

pub(super) const CAUSE: Cause = Cause {
    name: "manager",
    texts: &[&["is not logged in or lingering"], REBOOT, BUS],
    looks: Looks::Always,
    judge,
};

fn judge(scene: &Scene, _: Option<&Heard<'_>>) -> Option<Diagnosis> {
    if !scene.lingers || scene.init != Init::Systemd {
        return None;
    }
    let (name, uid, path) = (&scene.owner.name, scene.owner.uid, scene.runtime_dir());
    let how = match scene.manager {
        Socket::Listens => return None,
        Socket::Left => format!("nobody listens at {path}/systemd/private"),
        Socket::Absent => format!("there is no {path}/systemd/private"),
    };
    let mut steps = vec![Step::Root(format!("claw-linger-setup --apply --user {name}"))];
    if scene.is_own() && scene.shell() != Shell::Right {
        steps.push(Step::Environment);
    }
    Some(
        Diagnosis::fail(format!("{name} lingers, but user@{uid}.service does not run: {how}"))
            .remedy(line(scene, &steps)),
    )
}

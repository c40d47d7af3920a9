//! Does the user manager of one who lingers run?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::init::Init;
use super::super::scene::{Now, Scene, Shell, Stillness};
use super::super::sockets::Socket;
use super::super::states::Sight;
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
    // What is masked is a cause of its own, and nothing starts before.
    if scene.init != Init::Systemd || scene.masked_below().is_some() {
        return None;
    }
    if scene.sight == Sight::Silent {
        return Some(silent(scene));
    }
    if !scene.lingers {
        return None;
    }
    let (name, path, unit) = (&scene.owner.name, scene.runtime_dir(), scene.own_unit());
    let how = match scene.manager {
        Socket::Listens => return None,
        Socket::Left => format!("nobody listens at {path}/systemd/private"),
        Socket::Absent => format!("there is no {path}/systemd/private"),
    };
    let mut steps = vec![Step::Root(format!("claw-linger-setup --apply --user {name}"))];
    if matches!(scene.now(Scope::System, &unit), Now::Failed(_)) {
        steps.insert(0, Step::System(format!("reset-failed {unit}")));
    }
    if scene.is_own() && scene.shell() != Shell::Right {
        steps.push(Step::Environment);
    }
    Some(
        Diagnosis::fail(format!("{name} lingers, but {unit} does not run: {how}"))
            .remedy(line(scene, &steps)),
    )
}

/// It is there, and does nothing.
fn silent(scene: &Scene) -> Diagnosis {
    let (unit, path) = (scene.own_unit(), scene.runtime_dir());
    let (why, cure) = match scene.stillness {
        Stillness::Frozen => ("it is frozen", format!("thaw {unit}")),
        Stillness::Stopped => {
            ("a signal has stopped it", format!("kill --kill-who=main -s CONT {unit}"))
        }
        Stillness::None => ("a new start ends all of its services", format!("restart {unit}")),
    };
    Diagnosis::fail(format!("{unit} runs, but does not answer at {path}/systemd/private: {why}"))
        .remedy(line(scene, &[Step::System(cure)]))
}

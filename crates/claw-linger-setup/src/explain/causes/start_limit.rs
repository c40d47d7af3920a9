//! Did a unit start so often that systemd gave it up?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::scene::{Now, Scene};
use super::super::states::Failure;
use super::super::text::Heard;
use super::super::typed::{Step, again, line, quoted};
use super::{Cause, Looks};

/// What systemd and systemctl say of it.
pub(super) const TEXTS: &[&str] = &[
    "start request repeated too quickly",
    "attempted too often",
    "start-limit-hit",
    "start limit hit",
];

pub(super) const CAUSE: Cause =
    Cause { name: "start-limit", texts: &[TEXTS], looks: Looks::Alone, judge };

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let Some(heard) = heard else {
        let (unit, ()) =
            scene.failed_gateway(|failure| (failure == Failure::StartLimit).then_some(()))?;
        return Some(found(scene, Scope::User, unit));
    };
    let Some(unit) = heard.unit() else {
        return Some(
            Diagnosis::fail(
                "a unit failed again and again until systemd gave it up, and the text does not name \
                 it",
            )
            .remedy(line(scene, &[Step::Manager("--failed".to_owned())])),
        );
    };
    let scope = scene.scope(heard, &unit);
    match scene.now(scope, &unit) {
        Now::Runs => {
            let name = quoted(&unit);
            let journal = match scope {
                Scope::System => Step::Root(format!("journalctl -u {name} -n 50")),
                Scope::User => Step::Journal(name),
            };
            let message = format!("{unit} failed again and again, and runs by now");
            Some(Diagnosis::warn(message).remedy(line(scene, &[journal])))
        }
        Now::Rests | Now::Absent => None,
        Now::Failed(_) | Now::Unseen => Some(found(scene, scope, &unit)),
    }
}

fn found(scene: &Scene, scope: Scope, unit: &str) -> Diagnosis {
    let whose = match scope {
        Scope::System => "the system",
        Scope::User => &scene.owner.name,
    };
    Diagnosis::fail(format!(
        "{unit} of {whose} failed again and again until systemd gave it up: its last lines say \
         why, and it starts only after that is reset"
    ))
    .remedy(again(scene, scope, unit))
}

//! Did a unit fail by itself?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::scene::{Now, Scene};
use super::super::states::Failure;
use super::super::text::Heard;
use super::super::typed::again;
use super::{Cause, Looks, start_limit};

pub(super) const CAUSE: Cause = Cause {
    name: "unit-failed",
    texts: &[&["job for * failed", "job for * canceled"]],
    looks: Looks::Alone,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let Some(heard) = heard else {
        let (unit, how) = scene.failed_gateway(|failure| match failure {
            Failure::Other(how) => Some(how),
            _ => None,
        })?;
        return Some(found(scene, Scope::User, unit, &how));
    };
    // A cause of its own.
    if heard.says(start_limit::TEXTS) {
        return None;
    }
    let unit = heard.unit()?;
    let scope = scene.scope(heard, &unit);
    let how = match scene.now(scope, &unit) {
        Now::Runs | Now::Rests | Now::Absent => return None,
        Now::Failed(Failure::Other(how)) => how,
        Now::Failed(Failure::Configuration) => "ended with status 78".to_owned(),
        Now::Failed(Failure::StartLimit) => "failed until systemd gave it up".to_owned(),
        Now::Unseen => "could not be started".to_owned(),
    };
    Some(found(scene, scope, &unit, &how))
}

fn found(scene: &Scene, scope: Scope, unit: &str, how: &str) -> Diagnosis {
    let whose = match scope {
        Scope::System => "the system",
        Scope::User => &scene.owner.name,
    };
    Diagnosis::fail(format!("{unit} of {whose} {how}: its last lines say why"))
        .remedy(again(scene, scope, unit))
}

//! Is the unit masked?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "unit-masked",
    texts: &[&["unit * is masked", "loaded: masked"]],
    looks: Looks::Always,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    if let Some(unit) = scene.masked_below()
        && (heard.is_none() || heard.and_then(Heard::unit).is_some_and(|named| is_below(&named)))
    {
        return Some(below(scene, unit));
    }
    let Some(heard) = heard else {
        let is_masked =
            |unit: &&str| scene.units.file(Scope::User, unit).is_some_and(|file| file.is_masked);
        return scene
            .units
            .gateways()
            .into_iter()
            .find(is_masked)
            .map(|unit| found(scene, Scope::User, unit));
    };
    let unit = heard.unit()?;
    let is_masked = |scope| scene.units.file(scope, &unit).is_some_and(|file| file.is_masked);
    let scopes = match heard.text.scope() {
        Some(Scope::System) => [Scope::System, Scope::User],
        _ => [Scope::User, Scope::System],
    };
    let scope = scopes.into_iter().find(|scope| is_masked(*scope));
    Some(match scope {
        Some(scope) => found(scene, scope, &unit),
        None => {
            let start = format!("start {}", quoted(&unit));
            let is_systems = scopes[0] == Scope::System
                || scene.units.file(Scope::User, &unit).is_none()
                    && scene.units.file(Scope::System, &unit).is_some();
            let start = if is_systems { Step::System(start) } else { Step::Manager(start) };
            Diagnosis::warn(format!("by now {unit} is not masked")).remedy(line(scene, &[start]))
        }
    })
}

fn found(scene: &Scene, scope: Scope, unit: &str) -> Diagnosis {
    let name = quoted(unit);
    let step = |verbs: String| match scope {
        Scope::System => Step::System(verbs),
        Scope::User => Step::Manager(verbs),
    };
    let whose = match scope {
        Scope::System => "the system's manager".to_owned(),
        Scope::User => format!("the manager of {}", scene.owner.name),
    };
    let mut steps = vec![step(format!("unmask {name}"))];
    let behind = if scene.units.is_behind_mask(scope, unit) {
        steps.push(step(format!("start {name}")));
        "until it is unmasked"
    } else {
        "and no unit is behind the mask"
    };
    let path = scene.units.file(scope, unit).map(|file| file.path.display().to_string());
    Diagnosis::fail(format!(
        "{unit} is masked in {whose} ({}): nothing can start it {behind}",
        path.unwrap_or_default()
    ))
    .remedy(line(scene, &steps))
}

/// Is it one of those that a user manager stands on?
fn is_below(unit: &str) -> bool {
    unit.starts_with("user@") || unit.starts_with("user-runtime-dir@")
}

/// Without it there is no user manager at all.
fn below(scene: &Scene, unit: &str) -> Diagnosis {
    let name = &scene.owner.name;
    let path = scene.units.file(Scope::System, unit).map(|file| file.path.display().to_string());
    let steps = [
        Step::System(format!("unmask {}", quoted(unit))),
        Step::Root(format!("claw-linger-setup --apply --user {name}")),
    ];
    Diagnosis::fail(format!(
        "{unit} is masked in the system's manager ({}): without it no user manager of {name} starts",
        path.unwrap_or_default()
    ))
    .remedy(line(scene, &steps))
}

//! Is there such a unit, and whose manager has it?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "unit-not-found",
    texts: &[&[
        "unit * not found",
        "unit * could not be found",
        "unit * not loaded",
        "unit * does not exist",
        "changed on disk",
    ]],
    looks: Looks::Heard,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let heard = heard?;
    let Some(unit) = heard.unit() else {
        return Some(
            Diagnosis::unknown("the text names no unit whose name can be one")
                .remedy(line(scene, &[Step::Manager("list-unit-files".to_owned())])),
        );
    };
    // A cause of its own.
    if unit == "network-online.target" {
        return None;
    }
    let name = &scene.owner.name;
    let file = |scope| scene.units.file(scope, &unit);
    let told = |scope, steps: &[String]| {
        let steps: Vec<_> = steps
            .iter()
            .cloned()
            .map(
                |verbs| {
                    if scope == Scope::User { Step::Manager(verbs) } else { Step::System(verbs) }
                },
            )
            .collect();
        line(scene, &steps)
    };
    let quoted = quoted(&unit);
    let reload = "daemon-reload".to_owned();
    if heard.says(&["changed on disk"]) {
        let scope = match (heard.text.scope(), file(Scope::User)) {
            (Some(scope), _) => scope,
            (None, Some(_)) => Scope::User,
            (None, None) => Scope::System,
        };
        let message = format!("{unit} was changed, and its manager still has what it read before");
        let steps = [reload, format!("restart {quoted}")];
        return Some(Diagnosis::warn(message).remedy(told(scope, &steps)));
    }
    let start = [reload, format!("start {quoted}")];
    Some(match (file(Scope::User), file(Scope::System), heard.text.scope()) {
        (Some(file), None, Some(Scope::User)) => Diagnosis::fail(format!(
            "the manager of {name} has not read {} yet, or another user's manager was asked",
            file.path.display()
        ))
        .remedy(told(Scope::User, &start)),
        (Some(file), None, _) => Diagnosis::fail(format!(
            "{unit} is a unit of {name}'s own ({}): the system's manager was asked, or another \
             user's, or {name}'s before it was told to read its files anew",
            file.path.display()
        ))
        .remedy(told(Scope::User, &start)),
        (None, Some(file), _) => Diagnosis::fail(format!(
            "{unit} is a unit of the system ({}), and a user manager was asked for it",
            file.path.display()
        ))
        .remedy(told(Scope::System, &start[1..])),
        (Some(_), Some(_), scope) => Diagnosis::fail(format!(
            "both the system and {name} have {unit}, and the manager that was asked has not read \
             its file yet"
        ))
        .remedy(told(scope.unwrap_or(Scope::User), &start)),
        (None, None, _) => absent(scene, &unit),
    })
}

fn absent(scene: &Scene, unit: &str) -> Diagnosis {
    let name = &scene.owner.name;
    let nobody = format!("neither {name} nor the system has {unit}");
    if let Some((scope, near)) = scene.units.nearest(unit) {
        let start = format!("start {}", quoted(near));
        let step = if scope == Scope::User { Step::Manager(start) } else { Step::System(start) };
        return Diagnosis::fail(format!("{nobody}; there is {near}")).remedy(line(scene, &[step]));
    }
    if unit.starts_with("openclaw-gateway") || unit.starts_with("clawdbot-gateway") {
        return Diagnosis::fail(format!("{nobody}: OpenClaw has not installed its service yet"))
            .remedy(line(scene, &[Step::Owner("openclaw gateway install".to_owned())]));
    }
    Diagnosis::fail(nobody)
        .remedy(line(scene, &[Step::Manager("list-unit-files --type=service".to_owned())]))
}

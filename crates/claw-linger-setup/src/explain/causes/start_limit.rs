//! Did a unit start so often that systemd gave it up?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::super::units::Scope;
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "start-limit",
    texts: &[&["start request repeated too quickly", "start-limit-hit", "start limit hit"]],
    looks: Looks::Heard,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let heard = heard?;
    let Some(unit) = heard.unit() else {
        return Some(
            Diagnosis::fail(
                "a unit failed again and again until systemd gave it up, and the text does not name \
                 it",
            )
            .remedy(line(scene, &[Step::Manager("--failed".to_owned())])),
        );
    };
    let is_users = scene.units.file(Scope::User, &unit).is_some();
    let is_systems = scene.units.file(Scope::System, &unit).is_some();
    let scope = match heard.text.scope() {
        Some(scope) => scope,
        None if is_systems && !is_users => Scope::System,
        None => Scope::User,
    };
    let name = quoted(&unit);
    let verbs = [format!("reset-failed {name}"), format!("start {name}")];
    let (whose, mut steps) = match scope {
        Scope::System => {
            ("the system".to_owned(), vec![Step::Root(format!("journalctl -u {name} -n 50"))])
        }
        Scope::User => (scene.owner.name.clone(), vec![Step::Journal(name)]),
    };
    steps.extend(verbs.map(|verbs| match scope {
        Scope::System => Step::System(verbs),
        Scope::User => Step::Manager(verbs),
    }));
    if scope == Scope::User && scene.runs(&unit) {
        return Some(
            Diagnosis::warn(format!("{unit} failed again and again, and runs by now"))
                .remedy(line(scene, &steps[..1])),
        );
    }
    Some(
        Diagnosis::fail(format!(
            "{unit} of {whose} failed again and again until systemd gave it up: its last lines say \
             why, and it starts only after that is reset"
        ))
        .remedy(line(scene, &steps)),
    )
}

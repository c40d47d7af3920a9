//! Does this shell know where the user manager is, which runs?

use super::super::caller::Way;
use super::super::diagnosis::Diagnosis;
use super::super::scene::{Scene, Shell};
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::{BUS, Cause, Looks};

pub(super) const CAUSE: Cause =
    Cause { name: "environment", texts: &[BUS], looks: Looks::Alone, judge };

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    if !scene.manager.listens() {
        return None;
    }
    let name = &scene.owner.name;
    let way = scene.caller.way.words();
    if !scene.is_own() {
        // systemd 252 has the same words for the system's bus.
        return heard.filter(|_| scene.system_bus.listens()).map(|heard| roots(scene, heard));
    }
    let why = match scene.shell() {
        Shell::Right => return None,
        Shell::Unset => match scene.caller.way {
            Way::Cron => "cron sets no XDG_RUNTIME_DIR".to_owned(),
            _ => format!(
                "XDG_RUNTIME_DIR is not set in this shell, which came {way}: only a login session \
                 of {name}'s own sets it"
            ),
        },
        Shell::Foreign(uid) => format!(
            "XDG_RUNTIME_DIR is the one of {} in this shell, which came {way} and kept it",
            scene.user(uid)
        ),
        Shell::Wrong(path) => format!("XDG_RUNTIME_DIR is '{path}' in this shell"),
    };
    let message = format!("{why}; the user manager of {name} runs, at {}", scene.runtime_dir());
    Some(Diagnosis::fail(message).remedy(line(scene, &[Step::Environment])))
}

/// Root has a manager of its own, and is nobody to another's.
fn roots(scene: &Scene, heard: &Heard<'_>) -> Diagnosis {
    let name = &scene.owner.name;
    let why = match scene.shell() {
        Shell::Right => {
            format!("root may not use the runtime folder of {name} and is let in by nobody there")
        }
        _ => format!(
            "root asked for its own user manager, or a shell without a login session for {name}'s"
        ),
    };
    let asked = match heard.unit() {
        Some(unit) => format!("status {}", quoted(&unit)),
        None => "status".to_owned(),
    };
    let message = format!("{why}; the user manager of {name} runs");
    Diagnosis::fail(message).remedy(line(scene, &[Step::Manager(asked)]))
}

//! Was something asked that only root may do, or that nobody was asked about?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted, set_up};
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "rights",
    texts: &[&[
        "could not enable linger: no such device",
        "interactive authentication required",
        "authentication is required",
        "could not enable linger: access denied",
        "could not enable linger: permission denied",
    ]],
    looks: Looks::Heard,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let heard = heard?;
    let name = &scene.owner.name;
    if heard.says(&["could not enable linger"]) {
        if scene.lingers {
            return None;
        }
        let why = if heard.says(&["no such device"]) {
            "without a name, loginctl takes the user whose login session it runs in, and it ran in \
             none"
                .to_owned()
        } else {
            format!("polkit lets nobody but root make another user linger, and {name} does not")
        };
        // Where polkit asks for a password, it would do so again.
        let remedy = if heard.says(&["authentication"]) {
            line(scene, &[Step::Root(format!("claw-linger-setup --apply --user {name}"))])
        } else {
            set_up(scene)
        };
        return Some(Diagnosis::fail(why).remedy(remedy));
    }
    let verb = verb_in(heard.line);
    let Some(unit) = heard.unit() else {
        return Some(
            Diagnosis::fail(
                "the system's manager was told to do something, which only root may; for one's own \
                 units it is systemctl --user",
            )
            .remedy(line(scene, &[Step::Manager("daemon-reload".to_owned())])),
        );
    };
    let told = format!("{verb} {}", quoted(&unit));
    let is_users = scene.units.file(Scope::User, &unit).is_some();
    let is_systems = scene.units.file(Scope::System, &unit).is_some();
    Some(if is_users && !is_systems {
        Diagnosis::fail(format!(
            "the system's manager was asked for {unit}, which is a unit of {name}'s own: --user was \
             left out"
        ))
        .remedy(line(scene, &[Step::Manager(told)]))
    } else {
        Diagnosis::fail(format!("{unit} is asked of the system's manager, which only root may do"))
            .remedy(line(scene, &[Step::System(told)]))
    })
}

/// What systemctl was told to do, by its own words.
fn verb_in(line: &str) -> &'static str {
    const VERBS: [&str; 9] =
        ["start", "stop", "restart", "reload", "enable", "disable", "mask", "unmask", "kill"];
    let lower = line.to_lowercase();
    let is_it = |verb: &&&str| lower.contains(&format!("failed to {verb} "));
    VERBS.iter().find(is_it).copied().unwrap_or("start")
}

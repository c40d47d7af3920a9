//! May the user manager run while nobody is logged in?

use super::super::diagnosis::Diagnosis;
use super::super::init::Init;
use super::super::scene::{Scene, Shell};
use super::super::text::Heard;
use super::super::typed::set_up;
use super::{BUS, Cause, Looks, REBOOT};

pub(super) const CAUSE: Cause = Cause {
    name: "linger",
    texts: &[&["is not logged in or lingering"], REBOOT, BUS],
    looks: Looks::Always,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    // What is masked is a cause of its own, and its remedy makes the user linger too.
    if scene.lingers || scene.init != Init::Systemd || scene.masked_below().is_some() {
        return None;
    }
    let name = &scene.owner.name;
    let found = if scene.manager.listens() {
        let message = format!(
            "linger is off for {name}: the user manager runs only as long as {name} is logged in, \
             and after a reboot not before"
        );
        if heard.is_some_and(|heard| heard.says(REBOOT)) {
            Diagnosis::fail(message)
        } else {
            Diagnosis::warn(message)
        }
    } else {
        let shell = match scene.shell() {
            _ if !scene.is_own() => String::new(),
            Shell::Right => String::new(),
            Shell::Unset => format!(
                "; that XDG_RUNTIME_DIR is not set in this shell, which came {}, comes second",
                scene.caller.way.words()
            ),
            Shell::Foreign(uid) => format!(
                "; that XDG_RUNTIME_DIR is the one of {} in this shell, which came {}, comes second",
                scene.user(uid),
                scene.caller.way.words()
            ),
            Shell::Wrong(path) => {
                format!("; that XDG_RUNTIME_DIR is '{path}' in this shell comes second")
            }
        };
        let message = format!(
            "linger is off for {name} and nobody of that name is logged in, so there is no user \
             manager to connect to{shell}"
        );
        if heard.is_none() && !scene.units.has_own(&scene.owner.home) {
            Diagnosis::warn(message)
        } else {
            Diagnosis::fail(message)
        }
    };
    Some(found.remedy(set_up(scene)))
}

//! The causes, the most fundamental first: without what stands above, nothing below can work.

mod configuration;
mod environment;
mod linger;
mod logind;
mod machine;
mod manager;
mod network_online;
mod no_systemd;
mod not_enabled;
mod rights;
mod runtime_dir;
mod session_bus;
mod start_limit;
mod system_bus;
mod twin;
mod unit_failed;
mod unit_masked;
mod unit_not_found;
mod user_unknown;

use claw_box::Scope;
use claw_record::Status;

use super::diagnosis::Diagnosis;
use super::scene::{Now, Scene};
use super::states::Sight;
use super::text::{Heard, Text};
use super::typed::{Step, line, quoted};

/// What can be broken. To add one: write its file and its two lines here.
struct Cause {
    /// As in the subject `cause:NAME`.
    name: &'static str,
    /// The texts that it can be behind, in lower case; a `*` stands for anything.
    texts: &'static [&'static [&'static str]],
    looks: Looks,
    /// Is it so on this box? A text that was heard may say where to look.
    judge: fn(&Scene, Option<&Heard<'_>>) -> Option<Diagnosis>,
}

/// When a cause is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    /// Only where a text may come from it.
    Heard,
    /// Without a text as well.
    Alone,
    /// With any text too: what a unit's remedy stands on.
    Always,
}

static ALL: [&Cause; 19] = [
    &no_systemd::CAUSE,
    &system_bus::CAUSE,
    &logind::CAUSE,
    &user_unknown::CAUSE,
    &rights::CAUSE,
    &runtime_dir::CAUSE,
    &linger::CAUSE,
    &manager::CAUSE,
    &environment::CAUSE,
    &machine::CAUSE,
    &session_bus::CAUSE,
    &twin::CAUSE,
    &unit_masked::CAUSE,
    &unit_not_found::CAUSE,
    &network_online::CAUSE,
    &not_enabled::CAUSE,
    &configuration::CAUSE,
    &start_limit::CAUSE,
    &unit_failed::CAUSE,
];

/// A user manager could not be reached.
const BUS: &[&str] = &[
    "failed to connect to bus",
    "failed to connect to user scope bus",
    "failed to set bus address",
    "failed to get d-bus connection",
    "no medium found",
    "$dbus_session_bus_address and $xdg_runtime_dir not defined",
    "transport endpoint is not connected",
    "systemctl --user unavailable",
    "systemd user services are unavailable",
];

/// What somebody writes who has no text of a program.
const REBOOT: &[&str] = &["after reboot", "after a reboot", "after the reboot", "after rebooting"];

/// What is the cause: by the text, where there is one, and by the box.
pub(super) fn diagnose(scene: &Scene, text: Option<&Text>) -> Vec<(&'static str, Diagnosis)> {
    let Some(text) = text else {
        let found = alone(scene);
        return if found.is_empty() { vec![("none", nothing(scene))] } else { found };
    };
    let heard = |cause: &Cause| cause.texts.iter().find_map(|patterns| text.heard(patterns));
    let is_known = ALL.iter().any(|cause| heard(cause).is_some());
    if !is_known {
        let mut found = alone(scene);
        found.insert(0, ("unknown", unknown(scene, !found.is_empty())));
        return found;
    }
    let mut found: Vec<_> = ALL
        .iter()
        .filter_map(|cause| {
            let diagnosis = match heard(cause) {
                Some(heard) => (cause.judge)(scene, Some(&heard)).map(|diagnosis| {
                    diagnosis.note("text", heard.line.chars().take(200).collect::<String>())
                }),
                None if cause.looks == Looks::Always && text.scope() != Some(Scope::System) => {
                    (cause.judge)(scene, None).filter(|found| found.status == Status::Fail)
                }
                None => None,
            }?;
            Some((cause.name, diagnosis))
        })
        .collect();
    if found.is_empty() {
        found.push(("elsewhere", elsewhere(scene, text)));
    }
    // What is broken is told before what may break.
    found.sort_by_key(|(_, found)| found.status != Status::Fail);
    found
}

fn alone(scene: &Scene) -> Vec<(&'static str, Diagnosis)> {
    let mut found: Vec<_> = ALL
        .iter()
        .filter(|cause| cause.looks != Looks::Heard)
        .filter_map(|cause| Some((cause.name, (cause.judge)(scene, None)?)))
        .collect();
    found.sort_by_key(|(_, found)| found.status != Status::Fail);
    found
}

fn nothing(scene: &Scene) -> Diagnosis {
    let name = &scene.owner.name;
    let reached = if scene.is_own() { ", and this shell reaches it" } else { "" };
    let runs = format!("{name} lingers and the user manager of {name} runs{reached}");
    if let Sight::None(why) = &scene.sight {
        return Diagnosis::unknown(format!(
            "{runs}; whether its units failed cannot be seen: {why}"
        ))
        .remedy(line(scene, &[Step::Manager("--failed".to_owned())]));
    }
    let rests = |unit: &&str| scene.now(Scope::User, unit) == Now::Rests;
    // Somebody may have stopped it, and nothing is wrong with that.
    Diagnosis::pass(match scene.units.gateways().into_iter().find(rests) {
        Some(unit) => format!("{runs}; {unit} is not started, and has not failed"),
        None => runs,
    })
}

fn unknown(scene: &Scene, is_more: bool) -> Diagnosis {
    let here = if is_more {
        "; what follows was found on the box by itself"
    } else {
        "; and nothing is wrong that can be seen on the box by itself"
    };
    // The lines that the manager wrote say more than what a program made of them.
    let try_next = if scene.is_own() {
        "journalctl --user -n 50 | claw-linger-setup --explain".to_owned()
    } else {
        let uid = scene.owner.uid;
        format!("journalctl _UID={uid} -n 50 | claw-linger-setup --explain")
    };
    Diagnosis::unknown(format!("the text is none that is known here{here}")).remedy(try_next)
}

/// The text is known, and what is behind it is not so here.
fn elsewhere(scene: &Scene, text: &Text) -> Diagnosis {
    let (name, path) = (&scene.owner.name, scene.runtime_dir());
    if let Some((scope, unit, state)) = told_of(scene, text) {
        let manager = match scope {
            Scope::System => "the system's manager".to_owned(),
            Scope::User => format!("the manager of {name}"),
        };
        let status = format!("status {}", quoted(&unit));
        let look = if scope == Scope::User { Step::Manager(status) } else { Step::System(status) };
        return Diagnosis::warn(format!(
            "what the text tells of {unit} is not so here and now: {manager} says that it is \
             {state}; it was so before, or is so on another box"
        ))
        .remedy(line(scene, &[look]));
    }
    let message = format!(
        "nothing that leads to this text is so here and now: {name} lingers, the user manager of \
         {name} runs{}; it was printed before, or by another shell, a cron job or another user",
        if scene.is_own() { " and this shell reaches it" } else { "" }
    );
    let is_lost = text.says(&["no medium found", "xdg_runtime_dir not defined"]);
    Diagnosis::warn(message).remedy(if is_lost {
        format!("where it was printed: export XDG_RUNTIME_DIR={path}")
    } else {
        line(scene, &[Step::Manager("is-system-running".to_owned())])
    })
}

/// The unit that a text tells of, and what its manager says of it by now.
fn told_of(scene: &Scene, text: &Text) -> Option<(Scope, String, String)> {
    let causes = [&start_limit::CAUSE, &configuration::CAUSE, &unit_failed::CAUSE];
    let heard = causes.iter().flat_map(|cause| cause.texts).find_map(|texts| text.heard(texts))?;
    let unit = heard
        .unit()
        .or_else(|| configuration::is_told(text).then(|| configuration::GATEWAY.to_owned()))?;
    let scope = scene.scope(&heard, &unit);
    let state = match scene.states.of(scope, &unit) {
        Some(state) => state.word().to_owned(),
        None if scene.now(scope, &unit) == Now::Absent => "not there".to_owned(),
        None if scene.now(scope, &unit) == Now::Runs => "active".to_owned(),
        None => return None,
    };
    Some((scope, unit, state))
}

#[cfg(test)]
mod tests;

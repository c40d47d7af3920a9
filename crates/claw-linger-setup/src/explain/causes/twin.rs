//! Does the system's manager have a unit of the gateway's name as well?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "twin",
    texts: &[&[
        "already owns this gateway unit name",
        "systemsystemdownershiperror",
        "system_systemd_ownership",
        "systemd-competing-managers",
        "sigterm each other",
    ]],
    looks: Looks::Alone,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let users = scene.units.gateways().into_iter().map(str::to_owned);
    let named = heard.and_then(Heard::unit);
    let twin = users.chain(named.clone()).find_map(|unit| {
        let file = scene.units.file(Scope::System, &unit).filter(|file| !file.is_masked)?;
        Some((unit, file))
    });
    let Some((unit, file)) = twin else {
        heard?;
        let unit = named.unwrap_or_else(|| "openclaw-gateway.service".to_owned());
        return Some(
            Diagnosis::warn(format!("by now the system's manager has no file of {unit}"))
                .remedy(line(scene, &[Step::Manager(format!("restart {}", quoted(&unit)))])),
        );
    };
    let (path, name) = (file.path.display().to_string(), quoted(&unit));
    let is_written_by_hand = path.starts_with("/etc/");
    let mut steps = if is_written_by_hand {
        vec![
            Step::System(format!("disable --now {name}")),
            Step::Root(format!("rm {}", quoted(&path))),
            Step::System("daemon-reload".to_owned()),
        ]
    } else {
        // What is not in /etc comes back.
        vec![Step::System(format!("mask --now {name}"))]
    };
    if scene.units.file(Scope::User, &unit).is_some() {
        steps.push(Step::Manager(format!("restart {name}")));
    } else {
        steps.push(Step::Owner("openclaw gateway install".to_owned()));
    }
    let unmask = format!("the mask is taken back by systemctl unmask {name}");
    let origin = if is_written_by_hand {
        String::new()
    } else if path.starts_with("/run/") {
        format!("; it was made at run time, by a generator or a program; {unmask}")
    } else if path.starts_with("/usr/local/") {
        format!("; somebody installed it there; {unmask}")
    } else {
        format!("; a package brought it; {unmask}")
    };
    Some(
        Diagnosis::fail(format!(
            "the system's manager has {unit} too ({path}): both end each other's gateway, and \
             OpenClaw refuses to start{origin}"
        ))
        .remedy(line(scene, &steps)),
    )
}

//! Does the system's manager have a unit of the gateway's name as well?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::super::units::Scope;
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
    let mut steps = vec![Step::System(format!("disable --now {name}"))];
    if is_written_by_hand {
        steps.push(Step::Root(format!("rm {}", quoted(&path))));
        steps.push(Step::System("daemon-reload".to_owned()));
    }
    if scene.units.file(Scope::User, &unit).is_some() {
        steps.push(Step::Manager(format!("restart {name}")));
    } else {
        steps.push(Step::Owner("openclaw gateway install".to_owned()));
    }
    let packaged = if is_written_by_hand { "" } else { "; a package brought it, which has to go" };
    Some(
        Diagnosis::fail(format!(
            "the system's manager has {unit} too ({path}): both end each other's gateway, and \
             OpenClaw refuses to start{packaged}"
        ))
        .remedy(line(scene, &steps)),
    )
}

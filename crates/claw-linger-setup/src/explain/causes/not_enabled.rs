//! Does the gateway's unit start with the user manager?

use claw_box::Scope;

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::{Cause, Looks, REBOOT};

pub(super) const CAUSE: Cause =
    Cause { name: "not-enabled", texts: &[REBOOT], looks: Looks::Alone, judge };

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let named = heard.and_then(Heard::unit);
    let units = scene.units.gateways().into_iter().map(str::to_owned).chain(named);
    let unit = units.into_iter().find(|unit| {
        let file = scene.units.file(Scope::User, unit);
        file.is_some_and(|file| !file.is_masked) && !scene.units.is_enabled(unit)
    })?;
    let message = format!(
        "{unit} is not enabled: it does not start with the user manager of {}, so not after a \
         reboot either",
        scene.owner.name
    );
    let steps = [Step::Manager(format!("enable {}", quoted(&unit)))];
    let found = if heard.is_some() { Diagnosis::fail(message) } else { Diagnosis::warn(message) };
    Some(found.remedy(line(scene, &steps)))
}

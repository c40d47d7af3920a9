//! Did the gateway refuse its configuration?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line, quoted};
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "configuration",
    texts: &[&[
        "missing config",
        "gateway start blocked",
        "status=78",
        "78/config",
        "exit code 78",
        "exited with 78",
    ]],
    looks: Looks::Heard,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let heard = heard?;
    let name = &scene.owner.name;
    let unit = heard.unit().filter(|unit| unit.ends_with(".service"));
    let unit = unit.unwrap_or_else(|| "openclaw-gateway.service".to_owned());
    let ended = format!(
        "{unit} ended with status 78, which says that its configuration is wrong: systemd does not \
         start it again, and a restart helps nothing"
    );
    let start = Step::Manager(format!("restart {}", quoted(&unit)));
    let said_missing = heard.text.says(&["missing config"]);
    let (why, cure) = if !scene.has_configuration {
        (format!("there is no ~/.openclaw/openclaw.json of {name}"), Some("openclaw setup"))
    } else if said_missing {
        ("by now there is a configuration".to_owned(), None)
    } else if heard.text.says(&["missing gateway.mode", "set gateway.mode=local"]) {
        ("gateway.mode is not set in it".to_owned(), Some("openclaw config set gateway.mode local"))
    } else {
        ("what is wrong with it, the doctor says".to_owned(), Some("openclaw doctor"))
    };
    let steps: Vec<_> =
        cure.map(|command| Step::Owner(command.to_owned())).into_iter().chain([start]).collect();
    let message = format!("{ended}; {why}");
    let found = if cure.is_some() { Diagnosis::fail(message) } else { Diagnosis::warn(message) };
    Some(found.remedy(line(scene, &steps)))
}

//! Did the gateway refuse its configuration?

use super::super::diagnosis::Diagnosis;
use super::super::scene::{Now, Scene};
use super::super::states::Failure;
use super::super::text::{Heard, Text};
use super::super::typed::{Step, line, quoted};
use super::{Cause, Looks};

const TEXTS: &[&str] = &[
    "missing config",
    "gateway start blocked",
    "status=78",
    "78/config",
    "exit code 78",
    "exited with 78",
];

/// The gateway of no profile.
pub(super) const GATEWAY: &str = "openclaw-gateway.service";

pub(super) const CAUSE: Cause =
    Cause { name: "configuration", texts: &[TEXTS], looks: Looks::Alone, judge };

/// Does a text tell of it?
pub(super) fn is_told(text: &Text) -> bool {
    text.says(TEXTS)
}

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let name = &scene.owner.name;
    let says = |words: &[&str]| heard.is_some_and(|heard| heard.text.says(words));
    let unit = match heard {
        None => {
            let is_it = |failure| (failure == Failure::Configuration).then_some(());
            scene.failed_gateway(is_it)?.0.to_owned()
        }
        Some(heard) => {
            let named = heard.unit().filter(|unit| unit.ends_with(".service"));
            // A line without a name may be of another unit than the one before.
            let is_named = named.as_ref().is_some_and(|unit| heard.line.contains(&**unit));
            let unit = named.unwrap_or_else(|| GATEWAY.to_owned());
            match scene.now(scene.scope(heard, &unit), &unit) {
                Now::Runs => return None,
                Now::Rests | Now::Absent if is_named => return None,
                _ => unit,
            }
        }
    };
    let ended = format!(
        "{unit} ended with status 78, which says that its configuration is wrong: systemd does not \
         start it again, and a restart helps nothing"
    );
    let start = Step::Manager(format!("restart {}", quoted(&unit)));
    let said_missing = says(&["missing config"]);
    let (why, cure) = if !scene.has_configuration {
        (format!("there is no ~/.openclaw/openclaw.json of {name}"), Some("openclaw setup"))
    } else if said_missing {
        ("by now there is a configuration".to_owned(), None)
    } else if says(&["missing gateway.mode", "set gateway.mode=local"]) {
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

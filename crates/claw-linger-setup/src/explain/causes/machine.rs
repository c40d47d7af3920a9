//! Was the user manager asked for by `-M`, which is root's way?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line};
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "machine",
    texts: &[&["via machine transport", "failed to connect to bus: permission denied"]],
    looks: Looks::Heard,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let heard = heard?;
    // systemd 252 does not say which way it took, but what it says next is of that way.
    let is_machine = heard.says(&["via machine transport"])
        || heard.text.says(&["transport endpoint is not connected"]);
    (is_machine && !scene.caller.is_root() && scene.manager.listens()).then(|| {
        Diagnosis::fail(
            "only root may reach a user manager by -M USER@; its owner reaches it without",
        )
        .remedy(line(scene, &[Step::Manager("status".to_owned())]))
    })
}

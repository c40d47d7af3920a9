//! May logind run, which makes runtime folders and starts user managers?

use super::super::diagnosis::Diagnosis;
use super::super::init::Init;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line};
use super::{BUS, Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "logind",
    texts: &[&["login1", "systemd-logind", "could not enable linger"], BUS],
    looks: Looks::Alone,
    judge,
};

fn judge(scene: &Scene, _: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let steps = ["unmask systemd-logind.service", "start systemd-logind.service"]
        .map(|verbs| Step::System(verbs.to_owned()));
    (scene.is_logind_masked && scene.init == Init::Systemd).then(|| {
        Diagnosis::fail(
            "systemd-logind.service is masked: nobody makes runtime folders, starts user managers \
             or remembers who lingers",
        )
        .remedy(line(scene, &steps))
    })
}

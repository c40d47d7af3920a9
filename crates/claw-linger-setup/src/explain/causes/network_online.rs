//! Does a user unit wait for the network, which a user manager cannot?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line};
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "network-online",
    texts: &[&["network-online.target"]],
    looks: Looks::Heard,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    heard?;
    let (name, uid) = (&scene.owner.name, scene.owner.uid);
    let why = format!(
        "a user manager has no network-online.target: After= and Wants= of it are passed over, so \
         the units of {name} start whether the network is there or not"
    );
    let folder = format!("/etc/systemd/system/user@{uid}.service.d");
    if scene.waits_for_network {
        return Some(
            Diagnosis::warn(format!(
                "{why}; here that is cured: user@{uid}.service itself waits for the network"
            ))
            .remedy(format!("systemctl cat user@{uid}.service")),
        );
    }
    let write = format!(
        "sh -c 'mkdir -p {folder} && printf \"[Unit]\\nWants=network-online.target\\n\
         After=network-online.target\\n\" >{folder}/network-online.conf'"
    );
    let steps = [Step::Root(write), Step::System("daemon-reload".to_owned())];
    Some(
        Diagnosis::warn(format!(
            "{why}; the manager of one who lingers can be made to wait for it as a whole, from the \
             next boot on"
        ))
        .remedy(line(scene, &steps)),
    )
}

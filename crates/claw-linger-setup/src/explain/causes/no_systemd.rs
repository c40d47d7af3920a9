//! Does systemd run here at all?

use super::super::diagnosis::Diagnosis;
use super::super::init::Init;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::{BUS, Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "no-systemd",
    texts: &[
        &["has not been booted with systemd", "host is down", "running in chroot, ignoring"],
        BUS,
        &["failed to connect to system scope bus"],
    ],
    looks: Looks::Always,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let run = "openclaw gateway run";
    let found = match &scene.init {
        Init::Systemd => {
            let heard = heard?;
            let said = ["has not been booted with systemd", "host is down", "running in chroot"];
            return heard.says(&said).then(|| {
                Diagnosis::warn(
                    "systemd runs here: the text was printed in a container or a chroot, where \
                     there are no user services",
                )
                .remedy("outside of it: claw-linger-setup --check")
            });
        }
        Init::Container => Diagnosis::fail(
            "this is a container that was not booted with systemd: there are no user services, and \
             whoever runs the container has to restart it",
        )
        .remedy(format!(
            "as the container's command: {run}; outside: docker update --restart=always CONTAINER"
        )),
        Init::Wsl => Diagnosis::fail(
            "this WSL was not booted with systemd: there are no user services until it is",
        )
        .remedy(
            "in /etc/wsl.conf: [boot] and below it systemd=true; then in Windows: wsl --shutdown",
        ),
        Init::Chroot => Diagnosis::fail(
            "this is a chroot: systemd runs outside of it and is not seen here, so there are no \
             user services",
        )
        .remedy("outside of it: claw-linger-setup --check"),
        Init::Other(name) => Diagnosis::fail(format!(
            "the first process of this box is {name} and not systemd: there are no user services"
        ))
        .remedy(format!("under {name}'s own supervision: {run}")),
    };
    Some(found)
}

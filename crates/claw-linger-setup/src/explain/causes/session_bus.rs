//! Does the session bus run beside the user manager?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::sockets::Socket;
use super::super::text::Heard;
use super::super::typed::{Step, line};
use super::{BUS, Cause, Looks};

pub(super) const CAUSE: Cause =
    Cause { name: "session-bus", texts: &[BUS], looks: Looks::Alone, judge };

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    if !scene.manager.listens() {
        return None;
    }
    let (name, path) = (&scene.owner.name, scene.runtime_dir());
    let start = Step::Manager("restart dbus.socket".to_owned());
    match scene.bus {
        Socket::Listens => None,
        Socket::Left => Some(
            Diagnosis::fail(format!(
                "the session bus of {name} does not run: nobody listens at {path}/bus"
            ))
            .remedy(line(scene, &[start])),
        ),
        // systemctl --user works without it.
        Socket::Absent => heard.map(|_| {
            let install = Step::Root("apt-get install dbus-user-session".to_owned());
            let reload = Step::Manager("daemon-reload".to_owned());
            Diagnosis::warn(format!(
                "{name} has no session bus (package dbus-user-session): systemctl --user works \
                 without it, and other programs do not"
            ))
            .remedy(line(scene, &[install, reload, start]))
        }),
    }
}

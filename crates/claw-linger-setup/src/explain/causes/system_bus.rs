//! Does the system bus run, at which logind is reached?

use super::super::diagnosis::Diagnosis;
use super::super::init::Init;
use super::super::scene::Scene;
use super::super::sockets::Socket;
use super::super::text::Heard;
use super::super::typed::{Step, line};
use super::{BUS, Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "system-bus",
    texts: &[&["failed to connect to system scope bus", "could not enable linger"], BUS],
    looks: Looks::Alone,
    judge,
};

fn judge(scene: &Scene, _: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let how = match scene.system_bus {
        Socket::Listens => return None,
        Socket::Left => "nobody listens at /run/dbus/system_bus_socket",
        Socket::Absent => "there is no /run/dbus/system_bus_socket",
    };
    (scene.init == Init::Systemd).then(|| {
        Diagnosis::fail(format!("the system bus does not run, and logind with it: {how}"))
            .remedy(line(scene, &[Step::System("restart dbus.socket".to_owned())]))
    })
}

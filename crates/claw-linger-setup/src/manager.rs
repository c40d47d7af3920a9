//! Does the user manager run?

use std::fs::read_link;
use std::path::PathBuf;

use crate::act::Act;
use crate::plan::{State, World};

/// The number of the start of this user's manager, where it runs. systemd keeps it as a link that is
/// there as long as the unit is up.
pub(crate) fn invocation(uid: u32) -> Option<String> {
    let link = PathBuf::from(format!("/run/systemd/units/invocation:user@{uid}.service"));
    Some(read_link(link).ok()?.to_string_lossy().into_owned())
}

/// How it stands with the manager.
pub(crate) fn look(world: &World) -> State {
    let owner = &world.owner;
    match invocation(owner.uid) {
        Some(_) => State::So(format!("the user manager of {} runs", owner.name)),
        None => State::would(
            format!("no user manager of {} runs, and so none of its services", owner.name),
            vec![start(owner.uid)],
        ),
    }
}

/// What starts it, and waits until it has started.
pub(crate) fn start(uid: u32) -> Act {
    Act::systemctl(&["start", &format!("user@{uid}.service")])
}

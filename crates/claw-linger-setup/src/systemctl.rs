//! Interface to systemctl: the system's manager, and a user's.

use std::process::Command;
use std::time::Instant;

use nix::unistd::geteuid;

use crate::at_home::{self, Answer, Job};
use crate::child;
use crate::owner::Owner;

/// What a manager says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) active_state: String,
    pub(crate) main_pid: String,
    pub(crate) invocation_id: String,
}

/// Commands the system's manager. It never asks for a password.
pub(crate) fn system(arguments: &[String], deadline: Instant) -> Result<String, String> {
    child::output(Command::new("systemctl").arg("--no-ask-password").args(arguments), deadline)
}

/// Commands the manager of a user, with that user's rights and at that user's own socket: a look by
/// `-M` would open a session, and start what it looks at.
pub(crate) fn user(
    owner: &Owner,
    arguments: &[String],
    deadline: Instant,
) -> Result<String, String> {
    if geteuid().is_root() && owner.uid != 0 {
        return match at_home::ask(owner, Job::Systemctl(arguments.to_vec()), deadline)? {
            Answer::Said(text) => Ok(text),
            _ => Err("systemctl was not run".to_owned()),
        };
    }
    let mut command = Command::new("systemctl");
    command.arg("--user").args(arguments).env("HOME", &owner.home);
    command.env("XDG_RUNTIME_DIR", owner.runtime_dir()).env_remove("DBUS_SESSION_BUS_ADDRESS");
    child::output(&mut command, deadline)
}

/// What the manager of a user says of a unit.
pub(crate) fn user_unit(owner: &Owner, unit: &str, deadline: Instant) -> Result<Unit, String> {
    let arguments = ["show", unit, "-p", "ActiveState", "-p", "MainPID", "-p", "InvocationID"];
    Ok(parse(&user(owner, &arguments.map(str::to_owned), deadline)?))
}

fn parse(text: &str) -> Unit {
    let value = |key: &str| {
        let find = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned());
        text.lines().find_map(find).unwrap_or_default()
    };
    Unit {
        active_state: value("ActiveState"),
        main_pid: value("MainPID"),
        invocation_id: value("InvocationID"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_in_whatever_order_and_one_that_is_gone_has_nothing() {
        let text =
            "MainPID=272\nInvocationID=86973ce603244ac999900fcc5e66c4cd\nActiveState=active\n";
        let unit = parse(text);
        assert_eq!((&*unit.active_state, &*unit.main_pid), ("active", "272"));
        assert_eq!(unit.invocation_id, "86973ce603244ac999900fcc5e66c4cd");
        assert_eq!(parse("MainPID=0\nInvocationID=\nActiveState=inactive\n").invocation_id, "");
    }
}

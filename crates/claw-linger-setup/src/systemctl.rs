//! Interface to systemctl: the system's manager, and a user's.

use std::process::Command;
use std::time::Instant;

use claw_box::{Owner, child};
use nix::unistd::geteuid;

use crate::at_home::{self, Answer, Job};

/// What a manager says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) active_state: String,
    pub(crate) main_pid: String,
    pub(crate) invocation_id: String,
}

/// How the reason ends where a unit was given up by its start limit.
pub(crate) const TOO_OFTEN: &str = "it was started too often";

/// Commands the system's manager. It never asks for a password.
pub(crate) fn system(arguments: &[String], deadline: Instant) -> Result<String, String> {
    let ended =
        child::output(Command::new("systemctl").arg("--no-ask-password").args(arguments), deadline);
    ended.map_err(|why| match arguments.last() {
        Some(unit) if why.contains(JOB_FAILED) && is_given_up(unit, deadline) => {
            format!("'{unit}' was not tried: {TOO_OFTEN}")
        }
        _ => why,
    })
}

/// Stands in what systemctl says of a unit that was started, and did not come up.
pub(crate) const JOB_FAILED: &str = "Job for ";

/// Did the system's manager not even try to start it? Only its journal tells: the unit keeps the result
/// of the try before.
fn is_given_up(unit: &str, deadline: Instant) -> bool {
    // What cannot be asked for, because only root may, is most likely there.
    let _ = child::output(Command::new("journalctl").args(["--quiet", "--sync"]), deadline);
    let lines = ["--quiet", "--lines=3", "--output=cat", "_PID=1"];
    let mut journal = Command::new("journalctl");
    journal.args(lines).arg(format!("UNIT={unit}"));
    child::output(&mut journal, deadline).is_ok_and(|text| tells_of_limit(&text))
}

/// A try that was one ends with more lines than these.
fn tells_of_limit(text: &str) -> bool {
    text.lines().any(|line| line.ends_with("Start request repeated too quickly."))
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
    fn a_start_that_was_not_tried_is_told_from_one_that_failed() {
        let limit = "user@1000.service: Start request repeated too quickly.\n\
                     user@1000.service: Failed with result 'exit-code'.\n\
                     Failed to start user@1000.service - User Manager for UID 1000.\n";
        let tried = "user@1000.service: Main process exited, code=exited, status=1/FAILURE\n\
                     user@1000.service: Failed with result 'exit-code'.\n\
                     Failed to start user@1000.service - User Manager for UID 1000.\n";
        assert!(tells_of_limit(limit));
        assert!(!tells_of_limit(tried) && !tells_of_limit(""));
    }

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

//! Interface to journalctl: did somebody ask for the end of a unit?
//!
//! A unit whose process does not end well when it is stopped is `failed`, as after a crash; only the
//! journal tells the two apart.

use std::process::Command;
use std::time::Instant;

use claw_box::{Owner, Scope, child};

use crate::patient::Unit;

/// By sd-messages(3): a manager begins to stop a unit, because it was told to.
const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";

/// Was this start of the unit stopped? Where the journal cannot be asked, nobody knows.
pub(crate) fn was_stopped(
    unit: &Unit,
    invocation: &str,
    owner: &Owner,
    deadline: Instant,
) -> Result<bool, String> {
    if invocation.is_empty() {
        return Ok(false);
    }
    let name = &unit.name;
    // By fields that the journal itself adds: nobody else can have written the entry.
    let matches = match unit.scope {
        Scope::System => {
            [format!("UNIT={name}"), format!("INVOCATION_ID={invocation}"), "_PID=1".to_owned()]
        }
        Scope::User => [
            format!("USER_UNIT={name}"),
            format!("USER_INVOCATION_ID={invocation}"),
            format!("_UID={}", owner.uid),
        ],
    };
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=cat", "--lines=1"]);
    command.arg(format!("MESSAGE_ID={STOPPING}")).args(matches);
    Ok(!child::output(&mut command, deadline)?.trim().is_empty())
}

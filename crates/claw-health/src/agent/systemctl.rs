//! Interface to systemctl: the end of an agent.

use std::time::Instant;

use claw_box::{Owner, Scope};

use super::systemd_run::{as_owner, reason, run};

/// Commands the manager of an agent.
pub(crate) fn command(
    owner: &Owner,
    scope: Scope,
    words: &[&str],
    deadline: Instant,
) -> Result<(), String> {
    let mut command = as_owner("systemctl", owner, scope)?;
    let ended = run(command.args(words), deadline)?;
    if ended.status.success() { Ok(()) } else { Err(reason(&ended)) }
}

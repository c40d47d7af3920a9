//! Interface to systemctl: the system's manager, and the owner's.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use claw_box::{Owner, Scope, child};
use nix::time::{ClockId, clock_gettime};

use crate::as_owner::{AS_OWNER, Job};
use crate::facts::Facts;
use crate::patient::Unit;

/// What is asked for.
const PROPERTIES: &str = "LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainCode,\
    ExecMainStatus,NRestarts,Restart,StartLimitBurst,InvocationID,ActiveEnterTimestampMonotonic,\
    InactiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,ExecMainStartTimestampMonotonic";

/// What the manager says of a unit; of one whose manager does not run, nothing.
pub(crate) fn show(unit: &Unit, owner: &Owner, deadline: Instant) -> Result<Facts, String> {
    if !manager_runs(unit.scope, owner) {
        return Ok(Facts::default());
    }
    let property = format!("--property={PROPERTIES}");
    let text = run(unit.scope, owner, &["show", &property, "--", &unit.name], deadline)?;
    let facts = Facts::parse(&text, monotonic());
    if facts.load_state.is_empty() {
        return Err(format!("systemctl does not say how {unit} is"));
    }
    Ok(facts)
}

/// Commands a manager.
pub(crate) fn run(
    scope: Scope,
    owner: &Owner,
    words: &[&str],
    deadline: Instant,
) -> Result<String, String> {
    let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
    match scope {
        Scope::System => {
            let mut command = Command::new("systemctl");
            child::output(command.arg("--no-ask-password").args(words), deadline)
        }
        Scope::User => AS_OWNER.ask(owner, Job::Systemctl(words), deadline),
    }
}

/// Commands the manager of the user who this process runs as, at that user's own socket: a look by
/// `-M` would open a session, and start what it looks at.
pub(crate) fn as_user(
    owner: &Owner,
    words: &[String],
    deadline: Instant,
) -> Result<String, String> {
    let mut command = Command::new("systemctl");
    command.arg("--user").args(words).env("HOME", &owner.home);
    command.env("XDG_RUNTIME_DIR", owner.runtime_dir()).env_remove("DBUS_SESSION_BUS_ADDRESS");
    child::output(&mut command, deadline)
}

/// Does the manager run? Asking does not start it.
fn manager_runs(scope: Scope, owner: &Owner) -> bool {
    let sign = match scope {
        // The test is that of sd_booted(3).
        Scope::System => PathBuf::from("/run/systemd/system"),
        Scope::User => owner.runtime_dir().join("systemd/private"),
    };
    !sign.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The clock of systemd's time stamps.
fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

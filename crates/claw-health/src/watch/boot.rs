//! Does the box still come up?
//!
//! A monitor may be started before the user managers of those who linger are: whoever looks then tells
//! of a gateway that is down, though it is only about to be started.

use std::time::Duration;

use claw_box::Scope;

use crate::host::Host;

/// How long after its start a box may take to start the manager of whoever lingers.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(500);

/// What is waited for before the first look.
#[derive(Debug)]
pub(super) struct Boot {
    /// When to ask again; nothing once the box is up.
    next: Option<Duration>,
}

impl Boot {
    /// A boot that may go on; in the tree of another box nothing starts.
    pub(super) fn new(host: &Host, now: Duration) -> Self {
        let can_go_on = host.is_running() && host.has_systemd();
        Self { next: can_go_on.then_some(now) }
    }

    /// When to ask again.
    pub(super) fn next(&self) -> Option<Duration> {
        self.next
    }

    /// Is it over? What is over once stays so.
    pub(super) fn is_over(&mut self, host: &Host, now: Duration) -> bool {
        if self.next.is_some_and(|next| next <= now) {
            self.next = goes_on(&host.anew()).then_some(now + PAUSE);
        }
        self.next.is_none()
    }
}

/// Is the manager of the gateway's owner still to be started? Where nobody can tell, it is not.
fn goes_on(host: &Host) -> bool {
    let owner = host.owner();
    let Ok(system) = host.manager(Scope::System) else { return false };
    if !system.age().is_ok_and(|age| age < LIMIT) || !host.lingers() {
        return false;
    }
    let manager = system.unit(&format!("user@{}.service", owner.uid));
    manager.is_ok_and(|unit| matches!(unit.active_state.as_str(), "inactive" | "activating"))
}

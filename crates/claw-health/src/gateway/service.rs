//! What systemd knows of the gateway's unit.

use std::time::Duration;

use claw_box::Scope;

use crate::host::Host;

/// The gateway's unit in its owner's manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// `active`, `activating`, `failed` …
    pub(crate) state: String,
    /// How long it has been active.
    pub(crate) age: Option<Duration>,
    /// How often systemd restarted it by itself.
    pub(crate) restarts: u64,
    pub(crate) main_pid: Option<u32>,
    /// Does it stop only to be started anew?
    pub(crate) is_restarting: bool,
    /// Was it stopped, by hand or at its own end, or is it just being, or is it not to start at all?
    /// Since its manager started, or, as `deploy stop` leaves it, for good.
    pub(crate) is_put_away: bool,
}

/// The gateway's unit, where there is one and a manager can be asked.
pub(crate) fn service(host: &Host) -> Option<Service> {
    // The managers are those of this very box.
    let host = Some(host).filter(|host| host.is_running())?;
    let unit = host.manager(Scope::User).ok()?.unit(&host.gateway_unit).ok()?;
    let is_there = unit.load_state != "not-found";
    is_there.then(|| Service {
        age: unit.active_since,
        restarts: unit.restarts,
        is_restarting: unit.is_restarting(),
        is_put_away: match unit.active_state.as_str() {
            "inactive" => {
                unit.file_state == "disabled" || unit.was_active && unit.result == "success"
            }
            // One that crashed ends without anybody's asking.
            "deactivating" => unit.job == "stop",
            _ => false,
        },
        main_pid: u32::try_from(unit.main_pid).ok().filter(|pid| *pid > 0),
        state: unit.active_state,
    })
}

impl Service {
    /// Is it meant to run, and did it start so lately that it may still be warming up?
    pub(crate) fn is_young(&self, grace: Duration) -> bool {
        match self.state.as_str() {
            "activating" | "reloading" => true,
            "deactivating" => self.is_restarting,
            "active" => self.age.is_some_and(|age| age < grace),
            _ => false,
        }
    }
}

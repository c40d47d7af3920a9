//! Does the owner's user manager outlive log-out, and start at boot?

use claw_box::Scope;

use crate::checks::unit::gateway_scope;
use crate::checks::{Check, Find, Found, Needs};
use crate::finding::Finding;
use crate::look::Look;
use crate::systemd::user_manager_runs;

pub(super) const CHECK: Check = Check {
    name: "linger",
    about: "the gateway's owner lingers: services outlive log-out and start at boot",
    operand: "",
    settings: &[],
    find: Find::Once,
    needs: Needs::OpenClaw,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: true,
    run,
};

/// What is known of a user's manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    /// It runs.
    Up,
    /// It does not run.
    Down,
    /// Nobody can tell: no systemd runs here.
    Unseen,
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let owner = host.owner();
    if gateway_scope(host) == Scope::System {
        let message = "not needed: the gateway is a unit of the system";
        return Ok(vec![Finding::pass("linger", message)]);
    }
    let file = host.path("/var/lib/systemd/linger").join(&owner.name);
    let lingers = match file.symlink_metadata() {
        Ok(_) => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(format!("cannot look at '{}': {error}", file.display())),
    };
    let manager = if host.is_running() && host.has_systemd() {
        // The unit is the truth; where the system manager cannot be asked, the socket tells as much.
        let unit = host
            .manager(Scope::System)
            .and_then(|system| system.unit(&format!("user@{}.service", owner.uid)));
        match unit.map_or_else(|_| user_manager_runs(host), |unit| unit.active_state == "active") {
            true => Manager::Up,
            false => Manager::Down,
        }
    } else {
        Manager::Unseen
    };
    Ok(vec![judge(&owner.name, owner.uid, lingers, manager)])
}

fn judge(name: &str, uid: u32, lingers: bool, manager: Manager) -> Finding {
    let finding = match (lingers, manager) {
        (true, Manager::Up) => {
            Finding::pass("linger", format!("{name} lingers, and user@{uid}.service is active"))
        }
        (true, Manager::Unseen) => Finding::pass("linger", format!("{name} lingers")),
        (true, Manager::Down) => Finding::fail(
            "linger",
            format!(
                "{name} lingers, but user@{uid}.service is not active, and the gateway with it"
            ),
        )
        .remedy(format!("sudo systemctl restart user@{uid}.service")),
        (false, manager) => {
            let now = match manager {
                Manager::Up => {
                    format!("; user@{uid}.service runs only as long as {name} is logged in")
                }
                Manager::Down => format!("; user@{uid}.service is not active now"),
                Manager::Unseen => String::new(),
            };
            Finding::fail(
                "linger",
                format!(
                    "linger is off for {name}: the gateway dies at log-out and does not start \
                     after a reboot{now}"
                ),
            )
            .remedy(format!("sudo loginctl enable-linger {name}"))
        }
    };
    let finding = finding.note("user", name).note("lingers", lingers);
    match manager {
        Manager::Unseen => finding,
        manager => finding.note("manager_active", manager == Manager::Up),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_linger_that_is_off_is_told_with_its_cure() {
        for (lingers, manager, expected) in [
            (true, Manager::Up, "pass INFO dev lingers, and user@1000.service is active"),
            (true, Manager::Unseen, "pass INFO dev lingers"),
            (
                true,
                Manager::Down,
                "fail ERROR dev lingers, but user@1000.service is not active, and the gateway \
                 with it > sudo systemctl restart user@1000.service",
            ),
            (
                false,
                Manager::Up,
                "fail ERROR linger is off for dev: the gateway dies at log-out and does not start \
                 after a reboot; user@1000.service runs only as long as dev is logged in \
                 > sudo loginctl enable-linger dev",
            ),
            (
                false,
                Manager::Down,
                "fail ERROR linger is off for dev: the gateway dies at log-out and does not start \
                 after a reboot; user@1000.service is not active now > sudo loginctl enable-linger dev",
            ),
        ] {
            assert_eq!(judge("dev", 1000, lingers, manager).line(), expected);
        }
    }
}

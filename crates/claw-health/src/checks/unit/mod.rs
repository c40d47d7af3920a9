//! Does a unit run, and if not, why not?

mod judge;
mod lint;
mod restarts;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use claw_box::Scope;
use claw_record::{Severity, Status};
use nix::unistd::geteuid;

use crate::agent;
use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, worse};
use crate::host::Host;
use crate::look::Look;
use crate::remedy::{edit, enable_linger, journal, said_to_owner, systemctl};
use crate::settings::Setting;
use crate::systemd::{Unit, user_manager_runs, user_socket};
pub(crate) use judge::{CONFIGURATION_STATUS, exit_meaning, signal};
use judge::{Role, View, judge};

pub(super) const CHECK: Check = Check {
    name: "unit",
    about: "the gateway's unit, the monitor's, and every one that failed or is restarted",
    operand: "[user/|system/]UNIT",
    settings: &[
        Setting::limit("unit-loop-restarts", "count", 3.0, "Restarts that are a crash loop"),
        Setting::limit("unit-loop-window", "seconds", 300.0, "Time within which they are counted"),
        Setting::limit(
            "unit-memory-warn-percent",
            "percent",
            90.0,
            "Use of its memory limit that is worth a look",
        ),
    ],
    find: Find::Once,
    needs: Needs::Systemd,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: true,
    run,
};

fn run(look: &Look) -> Found {
    if !look.operand.is_empty() {
        let (scope, name) = named(&look.host, &look.operand)?;
        return Ok(vec![look_at(look, scope, &name)]);
    }
    let host = &look.host;
    let mut units = Vec::new();
    if host.has_openclaw() {
        units.push((gateway_scope(host), host.gateway_unit.clone()));
    }
    units.push((Scope::System, host.monitor_unit.clone()));
    let mut unknown = Vec::new();
    for scope in [Scope::User, Scope::System] {
        if scope == Scope::User && !user_manager_runs(host) {
            continue;
        }
        match host.manager(scope).and_then(|manager| manager.in_trouble()) {
            Ok(names) => {
                // What an agent is like is told by its own check.
                let others = names.into_iter().filter(|name| agent::of_unit(name).is_none());
                units.extend(others.map(|name| (scope, name)));
            }
            // What is looked at in that manager tells it already.
            Err(_) if units.iter().any(|(of, _)| *of == scope) => {}
            Err(why) => unknown.push(Finding::unknown(look.subject(), why)),
        }
    }
    let mut seen = BTreeSet::new();
    units.retain(|(scope, name)| seen.insert((scope.to_string(), name.clone())));
    let found = units.iter().map(|(scope, name)| look_at(look, *scope, name));
    Ok(found.chain(unknown).collect())
}

/// The unit that an operand names, and the manager that has it.
pub(crate) fn named(host: &Host, operand: &str) -> Result<(Scope, String), String> {
    let with_kind = |name: &str| match name.contains('.') {
        true => name.to_owned(),
        false => format!("{name}.service"),
    };
    if let Some(name) = operand.strip_prefix("user/") {
        return Ok((Scope::User, with_kind(name)));
    }
    if let Some(name) = operand.strip_prefix("system/") {
        return Ok((Scope::System, with_kind(name)));
    }
    let name = with_kind(operand);
    let mut scopes = [Scope::User, Scope::System];
    if geteuid().is_root() {
        scopes.reverse();
    }
    for scope in scopes {
        if scope == Scope::User && !user_manager_runs(host) {
            continue;
        }
        if host.manager(scope)?.unit(&name)?.load_state != "not-found" {
            return Ok((scope, name));
        }
    }
    Ok((scopes[0], name))
}

/// What the gateway's own unit is like.
pub(super) fn of_gateway(look: &Look) -> Finding {
    look_at(look, gateway_scope(&look.host), &look.host.gateway_unit)
}

/// What the unit of an agent is like.
pub(super) fn of_agent(look: &Look, scope: Scope, unit: &str) -> Finding {
    look_at(look, scope, unit)
}

/// The gateway is a user's unit, unless somebody wrote one for the box instead.
pub(crate) fn gateway_scope(host: &Host) -> Scope {
    let has = |scope| lint::file_of(host, scope, &host.gateway_unit).is_some();
    if !has(Scope::User) && has(Scope::System) { Scope::System } else { Scope::User }
}

fn look_at(look: &Look, scope: Scope, name: &str) -> Finding {
    let host = &look.host;
    let subject = format!("unit:{scope}/{name}");
    if scope == Scope::User && !user_manager_runs(host) {
        return without_manager(host, subject, name);
    }
    let unit = match host.manager(scope).and_then(|manager| manager.unit(name)) {
        Ok(unit) => unit,
        Err(why) => return Finding::unknown(subject, why),
    };
    let window = look.number("unit-loop-window");
    let growth = if matches!(unit.active_state.as_str(), "active" | "activating") {
        restarts::note(host, &format!("{scope}/{name}"), unit.restarts, window as u64)
    } else {
        restarts::Growth::default()
    };
    let role = match scope {
        _ if name == host.gateway_unit => Role::Gateway,
        Scope::System if name == host.monitor_unit => Role::Monitor,
        _ => Role::Other,
    };
    let view = View {
        subject,
        role,
        growth,
        loop_restarts: (look.number("unit-loop-restarts") as u64).max(1),
        loop_window: window,
        memory_warn: look.number("unit-memory-warn-percent"),
        droppable: droppable(host, &unit),
        systemctl: systemctl(host, scope),
        journal: journal(host, scope, name),
        edit: edit(host, scope, name),
        linger: if scope == Scope::User { enable_linger(host) } else { None },
        idle_timer: if role == Role::Monitor { idle_timer(host, scope, &unit) } else { None },
        as_owner: said_to_owner(host),
    };
    let finding = judge(&unit, &view);
    with_lints(host, scope, &unit, role, finding)
}

/// The bytes of a unit's memory that the kernel takes back before it kills anything; where it does not
/// say, none.
fn droppable(host: &Host, unit: &Unit) -> u64 {
    let group = &unit.control_group;
    // A user's manager may say anything.
    if !group.starts_with('/') || group.split('/').any(|part| part == "..") {
        return 0;
    }
    let stat = host.read(format!("/sys/fs/cgroup{group}/memory.stat")).unwrap_or_default();
    judge::droppable(&stat)
}

/// The timer of a unit, where there is one and it does not run.
fn idle_timer(host: &Host, scope: Scope, unit: &Unit) -> Option<String> {
    let (stem, _) = unit.name.rsplit_once('.')?;
    let own = format!("{stem}.timer");
    let loaded = unit.triggers.iter().find(|name| name.ends_with(".timer"));
    let timer =
        loaded.cloned().or_else(|| lint::file_of(host, scope, &own).is_some().then_some(own))?;
    let state = host.manager(scope).ok()?.unit(&timer).ok()?.active_state;
    (state != "active").then_some(timer)
}

/// A user's unit, where its manager does not run: nothing of it does.
fn without_manager(host: &Host, subject: String, name: &str) -> Finding {
    let owner = host.owner();
    let down = format!(
        "the user manager of {} does not run (failed to connect to bus: nobody listens at {})",
        owner.name,
        user_socket(owner)
    );
    if lint::file_of(host, Scope::User, name).is_none() {
        let message = format!("there is no such unit, and {down}");
        let finding = Finding::warn(subject, message).note("state", "missing");
        if name != host.gateway_unit {
            return finding;
        }
        let install = format!("{}openclaw gateway install", said_to_owner(host));
        let how = [enable_linger(host), Some(install)].into_iter().flatten().collect::<Vec<_>>();
        return finding.remedy(how.join(", then "));
    }
    let (message, how) = match enable_linger(host) {
        None => (
            format!("not started: {down}"),
            format!("sudo systemctl start user@{}.service", owner.uid),
        ),
        Some(linger) => (
            format!(
                "not started: {down}; without linger it dies at log-out and is not started after a reboot"
            ),
            linger,
        ),
    };
    Finding::critical(subject, message).remedy(how).note("state", "stopped")
}

/// Adds what is wrong with the files of a unit.
fn with_lints(host: &Host, scope: Scope, unit: &Unit, role: Role, mut finding: Finding) -> Finding {
    if matches!(unit.load_state.as_str(), "not-found" | "masked") {
        return finding;
    }
    if role == Role::Gateway
        && let (Some(user), Some(system)) = (
            lint::file_of(host, Scope::User, &unit.name),
            lint::file_of(host, Scope::System, &unit.name),
        )
    {
        let (user, system) = (user.display(), system.display());
        finding.message += &format!(
            "; {system} is its twin, a system unit of the same name beside {user}: \
             the two stop each other in a restart loop"
        );
        finding = worsened(finding, Status::Fail).note("twin", system.to_string()).remedy(format!(
            "sudo systemctl disable --now {} && sudo rm {system} && sudo systemctl daemon-reload",
            unit.name
        ));
    }
    for found in lint::deprecated(host, scope, unit) {
        finding.message += &format!(
            "; {} has the deprecated {}=, write {}= instead",
            found.file, found.directive, found.replacement
        );
        let how = format!(
            "put {}= in the place of {}= in {}, then daemon-reload",
            found.replacement, found.directive, found.file
        );
        finding.remedy.get_or_insert(how);
        finding = worsened(finding, Status::Warn);
    }
    let gateway = if role == Role::Gateway { host.recall("gateway") } else { None };
    let start = gateway.and_then(|gateway| gateway.get("start_seconds")?.as_f64());
    let lints = lint::harmless(host, scope, unit, start);
    with_notes(finding, lints)
}

/// What does no harm by itself is told, and changes nothing else.
fn with_notes(mut finding: Finding, lints: Vec<String>) -> Finding {
    if lints.is_empty() {
        return finding;
    }
    finding.message += &format!("; note: {}", lints.join(", and "));
    finding.note("lint", lints)
}

fn worsened(finding: Finding, status: Status) -> Finding {
    let worse = worse(finding.status, status);
    if worse == finding.status {
        return finding;
    }
    Finding { status: worse, severity: Severity::of(worse), ..finding }
}

//! Is the OpenClaw gateway dead, starting, hung, degraded, useless or ready?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::checks::unit::{gateway_scope, of_gateway};
use crate::checks::{Check, Find, Found, Needs};
use crate::finding::Finding;
use crate::gateway::{self, Seen, Service, safe_mode};
use crate::host::Host;
use crate::look::Look;
use crate::network::probe::{self, Failure};
use crate::network::tls::Trust;
use crate::network::url::Url;
use crate::remedy::{journal, said_to_owner, systemctl};
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "gateway",
    about: "the OpenClaw gateway: dead, starting, hung, degraded, useless or ready",
    operand: "URL",
    settings: &[
        Setting::limit(
            "gateway-grace",
            "seconds",
            90.0,
            "How long a start may take before it is an outage",
        ),
        Setting::limit(
            "gateway-warn",
            "seconds",
            1.0,
            "Time to the first byte that is worth a look",
        ),
    ],
    find: Find::On(own),
    needs: Needs::Gateway,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

/// What is remembered from look to look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// How long the gateway took from the start of its unit until it was up.
    start_seconds: Option<f64>,
    /// The process that this was measured of.
    pid: Option<u32>,
    /// The process that was ready, and was not seen starting or about to stop since.
    ready_pid: Option<u32>,
    /// Since when every look found it starting, in seconds since 1970.
    starting_since: Option<f64>,
}

/// The gateway of this box. Where its address is no URL, the check itself says so.
pub(super) fn own(host: &Host) -> Vec<String> {
    vec![gateway::url(host).map(|url| url.to_string()).unwrap_or_default()]
}

fn run(look: &Look) -> Found {
    let own = gateway::url(&look.host);
    let url =
        if look.operand.is_empty() { own.clone()? } else { Url::parse(&look.operand)?.at("") };
    // What systemd and the files say is about the gateway of this box and no other.
    let is_own = own.is_ok_and(|own| own.endpoint == url.endpoint);
    let get = |path| probe::get(&url.at(path), Trust::Anybody, look.deadline);
    let mut service = if is_own { gateway::service(&look.host) } else { None };
    let life = get("/healthz");
    if let Err(failure @ Failure::Local(_)) = &life.outcome {
        return Ok(vec![failure.finding(format!("gateway:{url}"))]);
    }
    // It may just have been stopped or killed, which systemd knows by now.
    if is_own && life.outcome.is_err() && !look.time_left().is_zero() {
        service = gateway::service(&look.host);
    }
    let memory = if is_own { recall(&look.host) } else { Memory::default() };
    let mut seen = Seen {
        life,
        start: None,
        readiness: None,
        remedy: None,
        starting_for: memory.starting_for(),
        is_looping: false,
        was_ready: memory.was_ready(service.as_ref()),
        service,
        safe_mode: false,
        grace: Duration::from_secs_f64(look.number("gateway-grace").min(1e9)),
        warn: look.number("gateway-warn"),
        url: url.clone(),
    };
    if is_own && seen.service.as_ref().is_some_and(|service| service.restarts > 0) {
        let state = of_gateway(look).data.remove("state");
        seen.is_looping = state.is_some_and(|state| state == "crash-looping");
    }
    if seen.is_alive() {
        seen.start = Some(get("/startupz"));
        seen.readiness = Some(get("/readyz"));
        seen.safe_mode = is_own && safe_mode(&look.host, seen.uptime(), seen.holds_back());
    } else if is_own && look.host.is_running() {
        seen.remedy = Some(remedy(look));
    }
    let finding = gateway::judge(&seen);
    if is_own {
        let next = memory.after(&finding, seen.service.as_ref(), seen.uptime());
        // What is not remembered, for want of time or room, is measured again at the next look.
        if next != memory && !look.time_left().is_zero() {
            let _ = serde_json::to_value(&next).map(|value| look.host.remember("gateway", &value));
        }
    }
    Ok(vec![finding])
}

/// What is to be done about its unit, or else a start anew.
fn remedy(look: &Look) -> String {
    let host = &look.host;
    if !host.has_systemd() {
        return format!("start it anew: {}openclaw gateway run", said_to_owner(host));
    }
    of_gateway(look).remedy.unwrap_or_else(|| {
        let (scope, unit) = (gateway_scope(host), &host.gateway_unit);
        let (journal, systemctl) = (journal(host, scope, unit), systemctl(host, scope));
        format!("see why: {journal}, then {systemctl} restart {unit}")
    })
}

fn recall(host: &Host) -> Memory {
    let value = host.recall("gateway");
    value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl Memory {
    /// For how long it has been starting; nothing where the clock was set back.
    fn starting_for(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(now() - self.starting_since?).ok()
    }

    /// Was it this very process that was ready?
    fn was_ready(&self, service: Option<&Service>) -> bool {
        let pid = service.and_then(|service| service.main_pid);
        pid.is_some() && pid == self.ready_pid
    }

    /// What to remember after a look.
    fn after(
        &self,
        finding: &Finding,
        service: Option<&Service>,
        uptime: Option<Duration>,
    ) -> Self {
        /// Longer than any start; what is more is an uptime that began anew in the same process.
        const LONGEST_START: Duration = Duration::from_secs(600);
        let mut next = self.clone();
        let is = |word| finding.data.get("state").is_some_and(|state| state == word);
        let is_starting = is("starting");
        if is_starting {
            next.ready_pid = None;
        } else if is("ready") {
            next.ready_pid = service.and_then(|service| service.main_pid).or(self.ready_pid);
        }
        next.starting_since = is_starting.then(|| self.starting_since.unwrap_or_else(now));
        let age = service.and_then(|service| service.age);
        let start = age.zip(uptime).and_then(|(age, uptime)| age.checked_sub(uptime));
        if let Some(start) = start.filter(|start| *start < LONGEST_START) {
            let pid = service.and_then(|service| service.main_pid);
            let seconds = start.as_secs_f64().round();
            let is_same = pid == self.pid;
            let known = self.start_seconds.filter(|_| is_same).unwrap_or(f64::INFINITY);
            next.start_seconds = Some(seconds.min(known));
            next.pid = pid;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_the_start_of_each_process_is_remembered_once() {
        let service = |age| Service {
            state: "active".to_owned(),
            age: Some(Duration::from_secs(age)),
            restarts: 0,
            main_pid: Some(7),
            is_restarting: false,
            is_put_away: false,
        };
        let ready = Finding::pass("gateway", "ready").note("state", "ready");
        let after = |memory: &Memory, age, uptime| {
            memory.after(&ready, Some(&service(age)), Some(Duration::from_secs(uptime)))
        };
        let first = after(&Memory::default(), 100, 70);
        assert_eq!((first.start_seconds, first.pid), (Some(30.0), Some(7)));
        assert_eq!(after(&first, 200, 170), first);
        // It began anew within its process, which is no start of the unit.
        assert_eq!(after(&first, 300, 5), first);
        assert_eq!(after(&first, 5000, 5), first);
        let other = Memory { pid: Some(6), ..first.clone() };
        assert_eq!(after(&other, 60, 20).start_seconds, Some(40.0));
        assert_eq!(first.after(&ready, None, None), first);
    }

    #[test]
    fn a1_a_start_is_timed_from_the_first_look_that_found_it() {
        let starting = Finding::warn("gateway", "starting").note("state", "starting");
        let first = Memory::default().after(&starting, None, None);
        assert!(first.starting_since.is_some());
        assert_eq!(first.after(&starting, None, None), first);
        let ready = Finding::pass("gateway", "ready").note("state", "ready");
        assert_eq!(first.after(&ready, None, None).starting_since, None);
    }

    #[test]
    fn s7_the_process_that_was_ready_is_known_until_it_starts_anew() {
        let of = |pid| Service {
            state: "active".to_owned(),
            age: None,
            restarts: 0,
            main_pid: Some(pid),
            is_restarting: false,
            is_put_away: false,
        };
        let found = |word: &str| Finding::pass("gateway", word).note("state", word);
        let ready = Memory::default().after(&found("ready"), Some(&of(7)), None);
        assert!(ready.was_ready(Some(&of(7))));
        assert!(!ready.was_ready(Some(&of(8))) && !ready.was_ready(None));
        let hung = ready.after(&found("hung"), Some(&of(7)), None);
        assert!(hung.was_ready(Some(&of(7))));
        let drains = ready.after(&found("starting"), Some(&of(7)), None);
        assert!(!drains.was_ready(Some(&of(7))));
    }
}

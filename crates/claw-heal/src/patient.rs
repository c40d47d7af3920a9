//! The units that may be restarted at all. A record never names another one.

use std::fmt;
use std::str::FromStr;

use claw_box::Scope;

/// A service, as it is named on the command line: `user/openclaw-gateway.service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unit {
    pub(crate) scope: Scope,
    pub(crate) name: String,
}

impl Unit {
    /// What a record about it has as its subject.
    pub(crate) fn subject(&self) -> String {
        format!("unit:{self}")
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.name)
    }
}

impl FromStr for Unit {
    type Err = String;

    /// `user/NAME`, `system/NAME`, or the subject of a record; `.service` may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let unit = text.strip_prefix("unit:").unwrap_or(text);
        let (scope, name) = match unit.split_once('/') {
            Some(("user", name)) => (Scope::User, name),
            Some(("system", name)) => (Scope::System, name),
            _ => return Err("not user/NAME or system/NAME".to_owned()),
        };
        Ok(Self { scope, name: service(name)? })
    }
}

/// The whole name of a service. What is no such name never reaches systemctl.
pub(crate) fn service(name: &str) -> Result<String, String> {
    const LONGEST: usize = 255;
    let stem = name.strip_suffix(".service").unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let kinds = [".socket", ".timer", ".target", ".path", ".mount", ".slice", ".scope", ".device"];
    if kinds.iter().any(|kind| stem.ends_with(kind)) {
        return Err("only services are restarted".to_owned());
    }
    let is_name = !stem.is_empty() && !stem.starts_with(['-', '.']) && stem.chars().all(plain);
    let name = format!("{stem}.service");
    if is_name && name.len() <= LONGEST { Ok(name) } else { Err("not a unit's name".to_owned()) }
}

/// A unit that is looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patient {
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The gateway, which answers at a port as well.
    Gateway,
    /// An agent that claw-health runs, which may have a check of its own.
    Agent,
    Other,
}

impl Patient {
    pub(crate) fn is_gateway(&self) -> bool {
        self.kind == Kind::Gateway
    }
}

impl Unit {
    /// The agent whose unit it is, as claw-health names it: one of the owner's manager. It is that
    /// manager's to say what it runs, and nothing that the owner cannot do is done to it.
    pub(crate) fn agent(&self) -> Option<&str> {
        const LONGEST_BYTES: usize = 64;
        let name = self.name.strip_prefix("claw-agent-")?.strip_suffix(".service")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(fits)
            && name.len() <= LONGEST_BYTES;
        (self.scope == Scope::User && is_name).then_some(name)
    }

    /// The unit of the agent that a subject names, `agent:NAME`.
    pub(crate) fn of_agent(subject: &str) -> Option<Self> {
        let name = subject.strip_prefix("agent:")?;
        let unit = Self { scope: Scope::User, name: format!("claw-agent-{name}.service") };
        (unit.agent() == Some(name)).then_some(unit)
    }
}

/// The gateway, in whichever manager has it, and the units that were named. The monitor is never
/// among them: it would end whoever restarts it.
pub(crate) fn patients(
    gateway: &str,
    monitor: &str,
    named: &[Unit],
) -> Result<Vec<Patient>, String> {
    let monitor = Unit { scope: Scope::System, name: service(monitor)? };
    let name = service(gateway)?;
    let of_gateway = [Scope::User, Scope::System].map(|scope| Unit { scope, name: name.clone() });
    let mut patients: Vec<Patient> = Vec::new();
    for unit in of_gateway.iter().chain(named) {
        if *unit == monitor {
            return Err(format!("{unit} is the monitor, which systemd itself restarts"));
        }
        if !patients.iter().any(|patient| patient.unit == *unit) {
            let kind = match of_gateway.contains(unit) {
                true => Kind::Gateway,
                false if unit.agent().is_some() => Kind::Agent,
                false => Kind::Other,
            };
            patients.push(Patient { unit: unit.clone(), kind });
        }
    }
    Ok(patients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_a_service_of_one_of_two_managers_and_nothing_else() {
        for (text, expected) in [
            ("user/agent", Ok("user/agent.service")),
            ("system/agent@1.service", Ok("system/agent@1.service")),
            ("unit:user/a-b.c.service", Ok("user/a-b.c.service")),
            ("agent", Err("not user/NAME or system/NAME")),
            ("root/agent", Err("not user/NAME or system/NAME")),
            ("user/", Err("not a unit's name")),
            ("user/--now", Err("not a unit's name")),
            ("user/a b", Err("not a unit's name")),
            ("user/a;reboot", Err("not a unit's name")),
            ("user/../x", Err("not a unit's name")),
            ("user/*", Err("not a unit's name")),
            ("system/reboot.target", Err("only services are restarted")),
        ] {
            let read = text.parse::<Unit>().map(|unit| unit.to_string());
            assert_eq!(read.as_deref().map_err(|why| &**why), expected, "{text}");
        }
    }

    #[test]
    fn m7_an_agent_is_a_unit_of_the_owners_manager_by_its_name_alone() {
        for (unit, agent) in [
            ("user/claw-agent-bot", Some("bot")),
            ("user/claw-agent-a.b-c_1.service", Some("a.b-c_1")),
            ("system/claw-agent-bot", None),
            ("user/claw-agent-", None),
            ("user/claw-agent-@x", None),
            ("user/claw-agent-a\\x2d", None),
            ("user/claw-agent--a", None),
            ("user/my-claw-agent-bot", None),
        ] {
            assert_eq!(unit.parse::<Unit>().ok().as_ref().and_then(Unit::agent), agent, "{unit}");
        }
        let of = |subject| Unit::of_agent(subject).map(|unit| unit.to_string());
        assert_eq!(of("agent:bot").as_deref(), Some("user/claw-agent-bot.service"));
        for subject in ["agent:", "agent:system/bot", "agent:a b", "agent:../x", "unit:user/bot"] {
            assert_eq!(of(subject), None, "{subject}");
        }
    }

    #[test]
    fn the_gateway_is_looked_after_and_the_monitor_never() {
        let named = ["user/agent".parse().unwrap(), "user/gw".parse().unwrap()];
        let patients = |named| super::patients("gw", "monitor.service", named);
        let units: Vec<_> = patients(&named)
            .unwrap()
            .iter()
            .map(|patient| (patient.unit.to_string(), patient.is_gateway()))
            .collect();
        let expected =
            [("user/gw.service", true), ("system/gw.service", true), ("user/agent.service", false)];
        assert_eq!(units, expected.map(|(unit, is)| (unit.to_owned(), is)));
        let monitor = ["system/monitor".parse().unwrap()];
        let why = patients(&monitor).unwrap_err();
        assert_eq!(why, "system/monitor.service is the monitor, which systemd itself restarts");
    }
}

//! Agents: programs of anybody's that systemd supervises and a monitor watches.
//!
//! An agent is a transient unit, `claw-agent-NAME.service`. What it is to be looked at by stands in the
//! unit itself, in a variable of its environment: nothing else has to be kept, and it is there for as
//! long as the unit is. The owner of the manager can write anything there, and no more than what the
//! owner can do is ever done about it.

pub(crate) mod args;
mod persist;
pub(crate) mod run;
pub(crate) mod systemctl;
pub(crate) mod systemd_run;

use std::collections::BTreeMap;

use claw_box::Scope;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::systemd::user_manager_runs;

/// How the units of all agents begin.
pub(crate) const PREFIX: &str = "claw-agent-";
const KIND: &str = ".service";
/// The units of all agents, as a manager is asked for them.
const PATTERN: &str = "claw-agent-*.service";
/// The variable that holds what an agent is.
pub(crate) const VARIABLE: &str = "CLAW_AGENT";

/// What an agent is, beside its environment, its folder and its limits, which its unit holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Definition {
    pub(crate) command: Vec<String>,
    /// A command that says whether it is well, as `exec` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<String>,
    /// A URL that answers as long as it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<String>,
    /// As long as it was well, it is not asked again before so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) every_seconds: Option<f64>,
    /// Its limits, and how it is restarted, as its unit was given them.
    pub(crate) properties: Vec<String>,
}

/// An agent as its unit holds it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// Nothing where the variable is not there, or is not what was written there.
    pub(crate) definition: Option<Definition>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) folder: String,
}

impl Held {
    /// What the environment and the folder of a unit hold.
    pub(crate) fn of(environment: &[String], folder: &str) -> Self {
        let pairs = environment.iter().filter_map(|pair| pair.split_once('='));
        let mut environment: BTreeMap<_, _> =
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let definition = environment.remove(VARIABLE);
        let definition = definition.and_then(|text| serde_json::from_str(&text).ok());
        // systemd marks a folder that need not be there.
        let folder = folder.trim_start_matches(['!', '-']).to_owned();
        Self { definition, environment, folder }
    }
}

/// May an agent be called that? Nothing else can be a part of a unit's name, a file's and a subject.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    const LONGEST_BYTES: usize = 64;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > LONGEST_BYTES {
        return Err(format!("an agent's name has 1 to {LONGEST_BYTES} characters"));
    }
    if let Some(odd) = name.chars().find(|c| !fits(*c)) {
        return Err(format!("an agent's name has letters, digits, '-', '_' and '.', not {odd:?}"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("an agent's name begins with a letter or a digit".to_owned());
    }
    Ok(())
}

/// The unit of an agent.
pub(crate) fn unit(name: &str) -> String {
    format!("{PREFIX}{name}{KIND}")
}

/// The agent whose unit that is, where it is one's.
pub(crate) fn of_unit(unit: &str) -> Option<&str> {
    let name = unit.strip_prefix(PREFIX)?.strip_suffix(KIND)?;
    check_name(name).is_ok().then_some(name)
}

/// The manager and the name that an operand means: `NAME`, of the owner's manager, or `system/NAME`.
pub(crate) fn named<'a>(host: &Host, operand: &'a str) -> Result<(Scope, &'a str), String> {
    let (scope, name) = match operand.strip_prefix("system/") {
        Some(name) => (Scope::System, name),
        None => (scope(host), operand.strip_prefix("user/").unwrap_or(operand)),
    };
    check_name(name).map(|()| (scope, name))
}

/// The manager in which the owner's agents run: root's is that of the box.
pub(crate) fn scope(host: &Host) -> Scope {
    if host.owner().uid == 0 { Scope::System } else { Scope::User }
}

/// What an agent is called in a subject.
pub(crate) fn operand(host: &Host, scope: Scope, name: &str) -> String {
    let is_of_box = scope == Scope::System && self::scope(host) != Scope::System;
    if is_of_box { format!("system/{name}") } else { name.to_owned() }
}

/// The agents that there are, as operands. Those of the box are root's to look at.
pub(crate) fn all(host: &Host) -> Vec<String> {
    /// Each takes a thread while it is looked at, and whoever owns the manager can make any number.
    const MOST: usize = 100;
    let mut scopes = vec![scope(host)];
    if geteuid().is_root() && !scopes.contains(&Scope::System) {
        scopes.push(Scope::System);
    }
    let mut found = Vec::new();
    for scope in scopes {
        if scope == Scope::User && !user_manager_runs(host) {
            continue;
        }
        // A manager that cannot be asked is told of by those who look at its units.
        let units = host.manager(scope).and_then(|manager| manager.named(PATTERN));
        let units = units.unwrap_or_default();
        let names = units.iter().filter_map(|unit| of_unit(unit));
        found.extend(names.map(|name| operand(host, scope, name)));
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m7_a_name_is_plain_or_refused() {
        for name in ["bot", "a", "7", "my-bot_2.x", "x.service"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
            assert_eq!(of_unit(&unit(name)), Some(name));
        }
        let long = "x".repeat(65);
        for name in [
            "", "-a", ".a", "_a", "a b", "a/b", "../a", "a@b", "a\\x2d", "a%n", "a$HOME", "a\n",
            "a;b", "ä", "a*", &long,
        ] {
            assert!(check_name(name).is_err(), "{name}");
            assert_eq!(of_unit(&unit(name)), None, "{name}");
        }
        assert_eq!(of_unit("claw-agent.service"), None);
        assert_eq!(of_unit("openclaw-agent-monitor.service"), None);
    }

    #[test]
    fn m7_what_a_unit_holds_is_read_and_what_is_no_definition_is_none() {
        let definition = Definition { command: vec!["a b".to_owned()], ..Definition::default() };
        let text = serde_json::to_string(&definition).unwrap();
        let environment = [format!("CLAW_AGENT={text}"), "A=b=c".to_owned()];
        let held = Held::of(&environment, "!/srv/x");
        assert_eq!(held.definition, Some(definition));
        assert_eq!(held.environment, BTreeMap::from([("A".to_owned(), "b=c".to_owned())]));
        assert_eq!(held.folder, "/srv/x");
        for foreign in ["", "{", "7", r#"{"command":7}"#, "null"] {
            let held = Held::of(&[format!("CLAW_AGENT={foreign}")], "");
            assert_eq!(held.definition, None, "{foreign}");
        }
    }
}

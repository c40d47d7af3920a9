//! What the managers say of their units: which of them failed, and how.

use std::io::ErrorKind::PermissionDenied;
use std::time::{Duration, Instant};

use claw_box::{Owner, Scope};

use crate::{bus, systemctl};

/// How long a manager may take to say it.
const PATIENCE: Duration = Duration::from_secs(3);

/// The status that says that the configuration is wrong: EX_CONFIG of sysexits.h.
const EX_CONFIG: &str = "78";

/// What a manager says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    load: String,
    active: String,
    sub: String,
    result: String,
    /// The status that its main process ended with.
    status: String,
    restarts: u32,
    /// As many starts as it may have before systemd gives it up.
    burst: u32,
}

/// How a unit failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Configuration,
    StartLimit,
    /// Another way, as it stands behind a name in a sentence.
    Other(String),
}

/// Can it be seen what the owner's manager says?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Clear,
    /// The manager is there, and does not answer.
    Silent,
    /// Nobody knows, and why.
    None(String),
}

/// The units that were asked for, and what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct States(Vec<(Scope, String, State)>);

impl States {
    pub(crate) fn of(&self, scope: Scope, unit: &str) -> Option<&State> {
        self.0.iter().find(|(is, name, _)| *is == scope && name == unit).map(|(.., state)| state)
    }

    /// Asks the owner's manager, which runs. A look starts nothing.
    pub(crate) fn ask_users(&mut self, owner: &Owner, is_allowed: bool, units: &[String]) -> Sight {
        let name = &owner.name;
        if !is_allowed {
            return Sight::None(format!("only {name} and root may ask the user manager of {name}"));
        }
        let folder = owner.runtime_dir().join("systemd");
        if folder.symlink_metadata().is_err_and(|error| error.kind() == PermissionDenied) {
            return Sight::None(format!("nobody gets through {}", owner.runtime_dir().display()));
        }
        // It is not systemctl that finds this out: it would wait for long.
        if !bus::manager_answers(owner) {
            return Sight::Silent;
        }
        let said = systemctl::user(owner, &question(units), Instant::now() + PATIENCE);
        match said.and_then(|text| parse(&text, units)) {
            Ok(states) => {
                self.add(Scope::User, units, states);
                Sight::Clear
            }
            Err(why) => Sight::None(why),
        }
    }

    /// Asks the system's manager. What it does not say is judged by files.
    pub(crate) fn ask_systems(&mut self, units: &[String]) {
        let said = systemctl::system(&question(units), Instant::now() + PATIENCE);
        if let Ok(states) = said.and_then(|text| parse(&text, units)) {
            self.add(Scope::System, units, states);
        }
    }

    fn add(&mut self, scope: Scope, units: &[String], states: Vec<State>) {
        let named = units.iter().cloned().zip(states);
        self.0.extend(named.map(|(unit, state)| (scope, unit, state)));
    }

    #[cfg(test)]
    pub(crate) fn said(scope: Scope, unit: &str, text: &str) -> Self {
        let units = [unit.to_owned()];
        let mut states = Self::default();
        states.add(scope, &units, parse(text, &units).unwrap());
        states
    }
}

impl State {
    pub(crate) fn is_running(&self) -> bool {
        matches!(&*self.active, "active" | "reloading" | "refreshing")
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.load == "not-found" && self.failure().is_none() && !self.is_running()
    }

    /// The word of systemd for it.
    pub(crate) fn word(&self) -> &str {
        if self.is_absent() { "not there" } else { &self.active }
    }

    /// How it failed, where it did, or does again and again.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let is_again = self.active == "activating" && self.sub.starts_with("auto-restart");
        if self.active != "failed" && !is_again {
            return None;
        }
        // The last failure is what systemd keeps as the result, not that it gave the unit up.
        let is_given_up = !is_again
            && (self.result == "start-limit-hit"
                || self.burst > 0 && self.restarts >= self.burst.saturating_sub(1).max(1));
        Some(if self.result == "exit-code" && self.status == EX_CONFIG {
            Failure::Configuration
        } else if is_given_up {
            Failure::StartLimit
        } else {
            let how = match &*self.result {
                "exit-code" => format!("ended with status {}", self.status),
                result => format!("failed ({result})"),
            };
            Failure::Other(if is_again { format!("{how}, and is started again") } else { how })
        })
    }
}

fn question(units: &[String]) -> Vec<String> {
    const KEYS: &str =
        "LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,StartLimitBurst";
    ["show", "-p", KEYS].into_iter().map(str::to_owned).chain(units.iter().cloned()).collect()
}

/// A paragraph a unit, in the order in which they were asked for.
fn parse(text: &str, units: &[String]) -> Result<Vec<State>, String> {
    let states: Vec<_> =
        text.split("\n\n").filter(|part| !part.trim().is_empty()).map(state).collect();
    if states.len() == units.len() {
        Ok(states)
    } else {
        Err(format!("systemctl told of {} units, not of {}", states.len(), units.len()))
    }
}

fn state(text: &str) -> State {
    let value = |key: &str| {
        let find = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned());
        text.lines().find_map(find).unwrap_or_default()
    };
    State {
        load: value("LoadState"),
        active: value("ActiveState"),
        sub: value("SubState"),
        result: value("Result"),
        status: value("ExecMainStatus"),
        restarts: value("NRestarts").parse().unwrap_or(0),
        burst: value("StartLimitBurst").parse().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_unit_failed_is_told_from_what_systemd_keeps_of_it() {
        let other = |how: &str| Some(Failure::Other(how.to_owned()));
        for (said, expected) in [
            ("ActiveState=active\nSubState=running\nResult=success", None),
            ("LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success", None),
            (
                "ActiveState=failed\nResult=exit-code\nExecMainStatus=78\nStartLimitBurst=5",
                Some(Failure::Configuration),
            ),
            ("ActiveState=failed\nResult=start-limit-hit", Some(Failure::StartLimit)),
            (
                "ActiveState=failed\nResult=exit-code\nExecMainStatus=1\nNRestarts=5\nStartLimitBurst=5",
                Some(Failure::StartLimit),
            ),
            (
                "ActiveState=failed\nResult=exit-code\nExecMainStatus=1\nNRestarts=0\nStartLimitBurst=5",
                other("ended with status 1"),
            ),
            ("ActiveState=failed\nResult=oom-kill\nExecMainStatus=9", other("failed (oom-kill)")),
            (
                "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainStatus=1",
                other("ended with status 1, and is started again"),
            ),
        ] {
            assert_eq!(state(said).failure(), expected, "{said}");
        }
    }

    #[test]
    fn each_unit_has_a_paragraph_and_what_is_not_told_of_is_an_error() {
        let units = ["a.service", "b.service"].map(str::to_owned);
        let text = "ActiveState=active\n\nActiveState=failed\nResult=signal\n";
        let states = parse(text, &units).unwrap();
        assert_eq!((states[0].word(), states[1].word()), ("active", "failed"));
        assert_eq!(
            parse("ActiveState=active\n", &units),
            Err("systemctl told of 1 units, not of 2".to_owned())
        );
    }
}

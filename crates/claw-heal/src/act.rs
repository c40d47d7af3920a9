//! The ladder: what may be done to a unit. There is nothing else, and no record can add to it.

use claw_box::{Owner, Scope};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::patient::Unit;

/// One thing to do to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// Start what failed, its start limit forgotten.
    Start,
    /// Restart what is active and does not answer.
    Restart,
    /// End the main process of what hangs, so that it leaves a trace; it starts anew by itself, or is
    /// restarted then.
    Abort,
}

/// A rung of the ladder, for people.
pub(crate) struct Rung {
    pub(crate) act: Act,
    pub(crate) when: &'static str,
    pub(crate) what: &'static str,
}

/// All of it.
pub(crate) const LADDER: [Rung; 3] = [
    Rung {
        act: Act::Start,
        when: "it failed, or hit its start limit",
        what: "forget the failure, and start it",
    },
    Rung {
        act: Act::Restart,
        when: "it is active, and nothing answers at its port",
        what: "restart it",
    },
    Rung {
        act: Act::Abort,
        when: "it hangs: it accepts at its port and does not answer, or its own check fails",
        what: "send SIGABRT to its main process, and restart it if it does not start anew by itself",
    },
];

impl Act {
    /// The word for it in a record.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Abort => "abort",
        }
    }

    /// What systemctl is told, one after the other.
    pub(crate) fn commands(self, unit: &Unit) -> Vec<Vec<&str>> {
        let name = unit.name.as_str();
        match self {
            // Of a transient unit nothing is left once its failure is forgotten.
            Self::Start if unit.agent().is_some() => vec![vec!["start", "--no-block", "--", name]],
            Self::Start => {
                vec![vec!["reset-failed", "--", name], vec!["start", "--no-block", "--", name]]
            }
            Self::Restart => vec![vec!["restart", "--no-block", "--", name]],
            Self::Abort => vec![vec!["kill", "--kill-who=main", "--signal=SIGABRT", "--", name]],
        }
    }

    /// How a person types it.
    pub(crate) fn typed(self, unit: &Unit, owner: &Owner) -> String {
        let systemctl = systemctl(unit.scope, owner);
        let typed = |words: Vec<&str>| {
            let words: Vec<_> =
                words.into_iter().filter(|word| !["--", "--no-block"].contains(word)).collect();
            format!("{systemctl} {}", words.join(" "))
        };
        self.commands(unit).into_iter().map(typed).collect::<Vec<_>>().join(" && ")
    }
}

/// How the manager of a unit is commanded.
pub(crate) fn systemctl(scope: Scope, owner: &Owner) -> String {
    let sudo = if geteuid().is_root() { "" } else { "sudo " };
    match scope {
        Scope::System => format!("{sudo}systemctl"),
        Scope::User if owner.is_me() => "systemctl --user".to_owned(),
        Scope::User => format!("{sudo}systemctl --user -M {}@", owner.name),
    }
}

/// How the last lines about a unit are read.
pub(crate) fn journal(unit: &Unit, owner: &Owner) -> String {
    let sudo = if geteuid().is_root() { "" } else { "sudo " };
    let name = &unit.name;
    match unit.scope {
        Scope::System => format!("{sudo}journalctl -u {name} -n 50"),
        Scope::User if owner.is_me() => format!("journalctl --user -u {name} -n 50"),
        Scope::User => {
            format!("{sudo}journalctl USER_UNIT={name} + _SYSTEMD_USER_UNIT={name} -n 50")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A transient unit that failed is kept only as long as its failure is.
    #[test]
    fn m7_an_agent_is_started_without_forgetting_its_failure() {
        let of = |name: &str| {
            let unit = name.parse().unwrap();
            Act::Start.commands(&unit).concat().join(" ")
        };
        assert_eq!(of("user/claw-agent-a"), "start --no-block -- claw-agent-a.service");
        assert!(of("user/a").starts_with("reset-failed -- a.service start"), "{}", of("user/a"));
    }

    #[test]
    fn every_act_stands_on_the_ladder_once() {
        for act in [Act::Start, Act::Restart, Act::Abort] {
            assert_eq!(LADDER.iter().filter(|rung| rung.act == act).count(), 1, "{act:?}");
        }
    }
}

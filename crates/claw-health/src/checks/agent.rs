//! Does an agent run, and does it do what it is there for?

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use claw_box::child::{self, NotEnded};
use claw_box::{Scope, session};
use claw_record::{Record, Severity, Status};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::agent::{self, Definition, Held, systemd_run};
use crate::checks::unit;
use crate::checks::{Check, Find, Found, Needs, exec};
use crate::finding::{Finding, span, worse};
use crate::look::Look;
use crate::remedy::{journal, systemctl};
use crate::settings::Setting;
use crate::systemd::LOOK_PREFIX;

pub(super) const CHECK: Check = Check {
    name: "agent",
    about: "the agents that claw-health runs, and what their own checks say",
    operand: "[system/]NAME",
    settings: &[Setting::limit(
        "agent-grace",
        "seconds",
        60.0,
        "Age up to which an agent whose check fails is starting",
    )],
    find: Find::On(agent::all),
    needs: Needs::Systemd,
    waits: true,
    runs_programs: true,
    every_seconds: 0,
    is_sure: false,
    run,
};

fn run(look: &Look) -> Found {
    let host = &look.host;
    let (scope, name) = agent::named(host, &look.operand)?;
    let unit = agent::unit(name);
    let finding = Finding { subject: look.subject(), ..unit::of_agent(look, scope, &unit) };
    let finding = finding.note("unit", format!("{scope}/{unit}"));
    let state = finding.data.get("state").and_then(|state| state.as_str()).unwrap_or_default();
    if state == "missing" {
        let finding = Finding::warn(look.subject(), "there is no such agent");
        return Ok(vec![
            finding.remedy("see which there are: claw-health agent").note("state", "missing"),
        ]);
    }
    if state != "active" {
        return Ok(vec![finding]);
    }
    let is = host.manager(scope)?.unit(&unit)?;
    let held = Held::of(&is.environment, &is.working_directory);
    let Some(definition) = &held.definition else {
        return Ok(vec![finding]);
    };
    let Some(answer) = ask(look, scope, name, &held, definition, &is.invocation_id) else {
        return Ok(vec![finding.note("command", definition.command.clone())]);
    };
    let view = View {
        grace: look.number("agent-grace"),
        age: is.active_since.unwrap_or_default().as_secs_f64(),
        remedy: format!(
            "{}, then {} restart {unit}",
            journal(host, scope, &unit),
            systemctl(host, scope)
        ),
    };
    Ok(vec![judge(finding, answer, view).note("command", definition.command.clone())])
}

/// What the check of an agent said.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    status: Status,
    words: String,
}

/// What has to be known beside the answer.
struct View {
    /// For so many seconds an agent is starting, whatever its check says.
    grace: f64,
    age: f64,
    remedy: String,
}

fn judge(finding: Finding, answer: Answer, view: View) -> Finding {
    let Answer { status, words } = answer;
    let finding = finding.note("check_status", status.to_string());
    if status != Status::Fail {
        let status = worse(finding.status, status);
        let severity =
            if status == finding.status { finding.severity } else { Severity::of(status) };
        let message = format!("{}; its check: {words}", finding.message);
        return Finding { status, severity, message, ..finding };
    }
    if view.age < view.grace {
        let message = format!("starting for {}, its check fails so far: {words}", span(view.age));
        let (status, severity) = (Status::Warn, Severity::of(Status::Warn));
        return Finding { status, severity, message, ..finding }.note("state", "starting");
    }
    let message = format!("it runs, and its check fails: {words}");
    let (status, severity) = (Status::Fail, Severity::Critical);
    let finding = Finding { status, severity, message, ..finding };
    finding.remedy(view.remedy).note("state", "hung")
}

/// Asks the agent's own check; nothing where it has none.
fn ask(
    look: &Look,
    scope: Scope,
    name: &str,
    held: &Held,
    definition: &Definition,
    invocation: &str,
) -> Option<Answer> {
    if definition.check.is_none() && definition.http.is_none() {
        return None;
    }
    let mut memory = Memory::recall(look);
    if let Some(every) = definition.every_seconds
        && let Some(answer) = memory.young(&look.operand, invocation, every)
    {
        return Some(answer);
    }
    let answer = match (&definition.check, &definition.http) {
        (Some(line), _) => by_command(look, scope, name, held, line),
        (None, Some(url)) => by_url(look, scope, url),
        (None, None) => return None,
    };
    let answer = answer.unwrap_or_else(|why| Answer {
        status: Status::Unknown,
        words: format!("it could not be asked: {why}"),
    });
    if definition.every_seconds.is_some() {
        memory.note(look, invocation, &answer);
    }
    Some(answer)
}

/// Runs the check where the agent runs: as its user, in its folder, with its environment, and outside
/// the walls of a monitor, within which few programs of a user would work.
fn by_command(
    look: &Look,
    scope: Scope,
    name: &str,
    held: &Held,
    line: &str,
) -> Result<Answer, String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (number, me) = (COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
    let limit = look.time_left().as_secs_f64().round();
    let service = systemd_run::Service {
        unit: &format!("{LOOK_PREFIX}{name}-{me}-{number}.service"),
        description: &format!("check of agent {name}"),
        properties: &[],
        environment: &held.environment,
        folder: &held.folder,
        command: &[],
    };
    let ended = systemd_run::check(look.host.owner(), scope, &service, line, look.deadline)?;
    Ok(match ended {
        Some(ended) => {
            let finding = exec::judge(look.subject(), &ended);
            Answer { status: finding.status, words: finding.message }
        }
        None => {
            let words = format!("it did not end within {limit} s and was killed");
            Answer { status: Status::Fail, words }
        }
    })
}

/// Has this program look at the URL, with no more rights than the agent's user has.
fn by_url(look: &Look, scope: Scope, url: &str) -> Result<Answer, String> {
    let owner = look.host.owner();
    let limit = look.time_left().mul_f64(0.9).as_secs_f64();
    const SELF: &str = "/proc/self/exe";
    let mut command = match scope {
        Scope::User => session::of(owner, SELF),
        Scope::System => Command::new(SELF),
    };
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    command.args(["--format", "json", "--output", "-", "--timeout", &format!("{limit:.3}")]);
    command.arg("--").arg(format!("http:{url}"));
    let ended = child::run(&mut command, look.deadline).map_err(|why| match why {
        NotEnded::NotStarted(error) => format!("cannot run this program: {error}"),
        NotEnded::Late => "no result in time".to_owned(),
    })?;
    let record: Record = serde_json::from_slice(&ended.stdout)
        .map_err(|_| format!("this program failed: {}", systemd_run::reason(&ended)))?;
    // Whoever owns the process can have a hand in what it says.
    const MOST_CHARS: usize = 500;
    let words = record.message.chars().take(MOST_CHARS).collect();
    Ok(Answer { status: record.status, words })
}

/// The checks that passed lately, of agents that are not to be asked at each look.
#[derive(Default, Serialize, Deserialize)]
struct Memory(BTreeMap<String, Passed>);

#[derive(Serialize, Deserialize)]
struct Passed {
    /// Seconds since boot; the start of the agent says which boot.
    at: f64,
    invocation: String,
    words: String,
}

/// What is remembered, by name.
const MEMORY: &str = "agent";

impl Memory {
    fn recall(look: &Look) -> Self {
        let value = look.host.recall(MEMORY);
        value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
    }

    /// What was said less than so many seconds ago.
    fn young(&self, operand: &str, invocation: &str, every: f64) -> Option<Answer> {
        let passed = self.0.get(operand).filter(|passed| passed.invocation == invocation)?;
        let age = since_boot() - passed.at;
        let words = format!("{}, as asked {} ago", passed.words, span(age));
        (0.0..every).contains(&age).then_some(Answer { status: Status::Pass, words })
    }

    /// Notes an answer. What failed is asked again at the next look.
    fn note(&mut self, look: &Look, invocation: &str, answer: &Answer) {
        const MOST: usize = 200;
        if answer.status == Status::Pass {
            let (invocation, words) = (invocation.to_owned(), answer.words.clone());
            let passed = Passed { at: since_boot(), invocation, words };
            self.0.insert(look.operand.clone(), passed);
        } else if self.0.remove(&look.operand).is_none() {
            return;
        }
        while self.0.len() > MOST {
            self.0.pop_first();
        }
        // Without a memory it is only asked more often.
        let _ = serde_json::to_value(&self).map(|value| look.host.remember(MEMORY, &value));
    }
}

fn since_boot() -> f64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    now.map_or(0.0, |now| std::time::Duration::from(now).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: Status, age: f64) -> String {
        let finding = Finding::pass("agent:a", "active for 9 s");
        let finding = finding.note("state", "active");
        let answer = Answer { status, words: "so".to_owned() };
        let view = View { grace: 60.0, age, remedy: "look".to_owned() };
        let finding = judge(finding, answer, view);
        format!("{} {}", finding.data["state"].as_str().unwrap(), finding.line())
    }

    #[test]
    fn m7_an_agent_whose_check_fails_hangs_once_it_is_old_enough() {
        for (status, age, expected) in [
            (Status::Pass, 9.0, "active pass INFO active for 9 s; its check: so"),
            (Status::Warn, 99.0, "active warn WARNING active for 9 s; its check: so"),
            (Status::Unknown, 99.0, "active unknown WARNING active for 9 s; its check: so"),
            (
                Status::Fail,
                59.0,
                "starting warn WARNING starting for 59 s, its check fails so far: so",
            ),
            (Status::Fail, 60.0, "hung fail CRITICAL it runs, and its check fails: so > look"),
        ] {
            assert_eq!(judged(status, age), expected);
        }
    }

    #[test]
    fn m7_what_passed_lately_is_told_again_and_only_of_the_same_start() {
        let at = since_boot() - 10.0;
        let passed = Passed { at, invocation: "i".to_owned(), words: "so".to_owned() };
        let memory = Memory(BTreeMap::from([("a".to_owned(), passed)]));
        let words = "so, as asked 10 s ago".to_owned();
        assert_eq!(memory.young("a", "i", 30.0), Some(Answer { status: Status::Pass, words }));
        for (name, invocation, every) in [("a", "i", 10.0), ("a", "j", 30.0), ("b", "i", 30.0)] {
            assert_eq!(memory.young(name, invocation, every), None);
        }
        // After a reboot the clock began anew.
        let passed = Passed { at: at + 1e6, invocation: "i".to_owned(), words: "so".to_owned() };
        let memory = Memory(BTreeMap::from([("a".to_owned(), passed)]));
        assert_eq!(memory.young("a", "i", 30.0), None);
    }
}

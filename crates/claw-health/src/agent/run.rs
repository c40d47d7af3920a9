//! The story of an agent: whose it is, what it runs, start it or end it, say how that turned out.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claw_box::Scope;
use claw_record::{Complaint, Format as Shape, Outcome, Output, Record, Source, Status};
use nix::unistd::geteuid;

use super::args::{Asked, Format};
use super::{Definition, Held, VARIABLE, operand, persist, scope, systemctl, systemd_run, unit};
use crate::checks::unit::exit_meaning;
use crate::finding::Finding;
use crate::host::{Host, Place};
use crate::remedy::enable_linger;
use crate::systemd::{Unit, user_manager_runs};

/// How long systemd has for each thing that it is told.
const PATIENCE: Duration = Duration::from_secs(30);
/// A program has 90 s to end before systemd kills it.
const PATIENCE_TO_STOP: Duration = Duration::from_secs(100);

/// Starts an agent or ends it.
pub(crate) fn run(asked: &Asked) -> Result<Outcome, Complaint> {
    let host = Host::new(&Place {
        root: None,
        user: asked.user.clone(),
        gateway_url: None,
        gateway_unit: String::new(),
        monitor_unit: asked.monitor_unit.clone(),
        workspace: None,
        backups: None,
        state: None,
    })?;
    if let (Some(status), Some(words)) = (asked.report, &asked.words) {
        let subject = format!("agent:{}", asked.name);
        return tell(asked, &host, "check", &Finding::judged(status, subject, words));
    }
    let verb = if asked.stop { "stop" } else { "start" };
    let cannot = |why: String| Complaint::cannot(verb, &asked.name, why);
    let owner = host.owner();
    if !geteuid().is_root() && geteuid().as_raw() != owner.uid {
        return Err(cannot(format!("only root can do that for {}", owner.name)));
    }
    let agent = Agent { host: &host, scope: scope(&host), unit: unit(&asked.name), asked };
    agent.needs_a_manager().map_err(cannot)?;
    let finding = if asked.stop { agent.stop() } else { agent.start() }.map_err(cannot)?;
    tell(asked, &host, "agent", &finding)
}

/// Writes what there is to tell.
fn tell(asked: &Asked, host: &Host, event: &str, finding: &Finding) -> Result<Outcome, Complaint> {
    let shape = asked.format.map(|format| match format {
        Format::Human => Shape::Human,
        Format::Json => Shape::Json,
    });
    let record = finding.record(&Source::on("claw-health", host.name.clone()));
    Output::stdout(shape).record(&Record { event: event.to_owned(), ..record })?;
    Ok(if finding.passes() { Outcome::Well } else { Outcome::NotWell })
}

/// The agent that is meant.
struct Agent<'a> {
    host: &'a Host,
    scope: Scope,
    unit: String,
    asked: &'a Asked,
}

impl Agent<'_> {
    fn needs_a_manager(&self) -> Result<(), String> {
        if !self.host.has_systemd() {
            let first = self.host.first_process();
            return Err(format!("systemd does not run here: process 1 is {first}"));
        }
        if self.scope == Scope::User && !user_manager_runs(self.host) {
            let owner = self.host.owner();
            let how = enable_linger(self.host)
                .unwrap_or_else(|| format!("sudo systemctl start user@{}.service", owner.uid));
            return Err(format!("the user manager of {} does not run: {how}", owner.name));
        }
        Ok(())
    }

    fn now(&self) -> Result<Unit, String> {
        self.host.manager(self.scope)?.unit(&self.unit)
    }

    fn command(&self, words: &[&str], patience: Duration) -> Result<(), String> {
        systemctl::command(self.host.owner(), self.scope, words, Instant::now() + patience)
    }

    fn subject(&self) -> String {
        format!("agent:{}", operand(self.host, self.scope, &self.asked.name))
    }

    /// A finding with what is the same in all of them.
    fn finding(&self, status: Status, message: String) -> Finding {
        let finding = Finding::judged(status, self.subject(), message);
        finding.note("unit", format!("{}/{}", self.scope, self.unit))
    }

    fn stop(&self) -> Result<Finding, String> {
        let unit = self.now()?;
        let owner = self.host.owner();
        let is_kept = persist::is_kept(owner, self.scope, &self.unit);
        if unit.load_state == "not-found" && !is_kept {
            let message = "there is no such agent".to_owned();
            let finding = self.finding(Status::Warn, message);
            return Ok(finding.remedy("see which there are: claw-health agent"));
        }
        self.refuse_a_stranger(&unit)?;
        self.clear(&unit, is_kept)?;
        Ok(self.finding(Status::Pass, "stopped, and not started again".to_owned()))
    }

    /// Leaves nothing of it behind.
    fn clear(&self, unit: &Unit, is_kept: bool) -> Result<(), String> {
        if is_kept {
            let deadline = Instant::now() + PATIENCE;
            persist::forget(self.host.owner(), self.scope, &self.unit, deadline)?;
        }
        if !matches!(unit.active_state.as_str(), "inactive" | "failed") {
            self.command(&["stop", "--", &self.unit], PATIENCE_TO_STOP)?;
        }
        // One that failed stays until its failure is forgotten.
        if self.now()?.active_state == "failed" {
            self.command(&["reset-failed", "--", &self.unit], PATIENCE)?;
        }
        if is_kept { self.command(&["daemon-reload"], PATIENCE) } else { Ok(()) }
    }

    /// A unit of that name that was not made here is not ours to change.
    fn refuse_a_stranger(&self, unit: &Unit) -> Result<(), String> {
        let is_ours = held(unit).definition.is_some() || unit.load_state == "not-found";
        match is_ours {
            true => Ok(()),
            false => Err(format!("{} is a unit of somebody else's making", self.unit)),
        }
    }

    fn start(&self) -> Result<Finding, String> {
        let wanted = self.wanted()?;
        let is = self.now()?;
        let owner = self.host.owner();
        self.refuse_a_stranger(&is)?;
        if matches!(
            is.active_state.as_str(),
            "active" | "activating" | "reloading" | "deactivating"
        ) {
            if held(&is) != wanted {
                let message = "it runs already, and not as asked: nothing was changed".to_owned();
                let how = format!("claw-health agent {} --stop, and then again", self.asked.name);
                return Ok(self.finding(Status::Warn, message).remedy(how));
            }
            self.keep_if_asked(&is)?;
            return Ok(self.told(&wanted, "runs already, as asked"));
        }
        self.clear(&is, persist::is_kept(owner, self.scope, &self.unit))?;
        let definition = wanted.definition.clone().unwrap_or_default();
        let mut environment = wanted.environment.clone();
        let text = serde_json::to_string(&definition).map_err(|error| error.to_string())?;
        environment.insert(VARIABLE.to_owned(), text);
        let service = systemd_run::Service {
            unit: &self.unit,
            description: &format!("agent {}", self.asked.name),
            properties: &definition.properties,
            environment: &environment,
            folder: &wanted.folder,
            command: &definition.command,
        };
        let deadline = Instant::now() + PATIENCE;
        if let Err(why) = systemd_run::start(owner, self.scope, &service, deadline) {
            return Err(self.not_started(why));
        }
        self.keep_if_asked(&self.now()?)?;
        Ok(self.told(&wanted, "started"))
    }

    /// Why it did not start, by what its unit says; systemd does not try once more.
    fn not_started(&self, why: String) -> String {
        let Ok(unit) = self.now() else { return why };
        if unit.load_state == "not-found" {
            return why;
        }
        let meaning = exit_meaning(unit.exec_main_status, false).trim_start_matches(": ");
        let why = if meaning.is_empty() { why } else { meaning.to_owned() };
        match self.clear(&unit, false) {
            Ok(()) => why,
            Err(left) => format!("{why}; and it cannot be taken away: {left}"),
        }
    }

    fn keep_if_asked(&self, unit: &Unit) -> Result<(), String> {
        let owner = self.host.owner();
        if !self.asked.persist || persist::is_kept(owner, self.scope, &self.unit) {
            return Ok(());
        }
        let (file, deadline) = (&unit.fragment_path, Instant::now() + PATIENCE);
        persist::keep(owner, self.scope, &self.unit, file, deadline)
            .map_err(|why| format!("it runs, and will not after a reboot: {why}"))
    }

    /// What is told of an agent that runs, and what would keep it from running on.
    fn told(&self, wanted: &Held, how: &str) -> Finding {
        let definition = wanted.definition.clone().unwrap_or_default();
        let is_kept = persist::is_kept(self.host.owner(), self.scope, &self.unit);
        let mut message = format!("{how}: {}", definition.command.join(" "));
        let (mut status, mut remedies) = (Status::Pass, Vec::new());
        if self.scope == Scope::User
            && let Some(linger) = enable_linger(self.host)
        {
            let owner = &self.host.owner().name;
            message += &format!("; {owner} does not linger, so it ends at log-out");
            remedies.push(linger);
            status = Status::Warn;
        }
        if !self.has_monitor() {
            let monitor = &self.host.monitor_unit;
            message += &format!("; nothing watches it while {monitor} does not run");
            if definition.check.is_some() || definition.http.is_some() {
                remedies.push("set a monitor up: see MONITOR in claw(7)".to_owned());
                status = Status::Warn;
            }
        }
        let finding = self.finding(status, message).note("command", definition.command);
        let finding = finding.note("folder", wanted.folder.clone()).note("persists", is_kept);
        let asks = [("check", definition.check), ("http", definition.http)];
        let finding = asks.into_iter().fold(finding, |finding, (key, value)| match value {
            Some(value) => finding.note(key, value),
            None => finding,
        });
        if remedies.is_empty() { finding } else { finding.remedy(remedies.join(", then ")) }
    }

    /// Does the monitor run? Where that cannot be found out, nothing is said of it.
    fn has_monitor(&self) -> bool {
        let manager = self.host.manager(Scope::System);
        let unit = manager.and_then(|manager| manager.unit(&self.host.monitor_unit));
        unit.map_or(true, |unit| matches!(unit.active_state.as_str(), "active" | "activating"))
    }

    /// What the unit is to hold.
    fn wanted(&self) -> Result<Held, String> {
        let asked = self.asked;
        let here = std::env::current_dir();
        let absolute = |path: &Path| match &here {
            _ if path.is_absolute() => Ok(path.to_owned()),
            Ok(here) => Ok(here.join(path)),
            Err(error) => Err(format!("cannot tell where this is: {error}")),
        };
        let environment = self.environment()?;
        let folder = absolute(asked.dir.as_deref().unwrap_or(Path::new("")))?;
        let folder = text(folder)?.trim_end_matches('/').to_owned();
        let folder = if folder.is_empty() { "/".to_owned() } else { folder };
        let program = asked.command.first().map_or("", String::as_str);
        let program = match program.contains('/') {
            true => absolute(Path::new(program))
                .and_then(|path| systemd_run::is_program(&path).map(|()| path))?,
            false => {
                let path = environment.get("PATH").map_or("/usr/bin:/bin", String::as_str);
                systemd_run::find(program, OsStr::new(path))
                    .ok_or_else(|| format!("there is no program '{program}' on its PATH"))?
            }
        };
        let mut command = vec![text(program)?];
        command.extend(asked.command.iter().skip(1).cloned());
        let mut properties = vec![
            format!("Restart={}", asked.restart.word()),
            format!("RestartSec={}ms", asked.restart_delay.as_millis()),
            format!("StartLimitBurst={}", asked.start_limit.0),
            format!("StartLimitIntervalSec={}ms", asked.start_limit.1.as_millis()),
            format!("MemoryMax={}", asked.memory_max),
        ];
        if asked.cpu_quota != "infinity" {
            properties.push(format!("CPUQuota={}", asked.cpu_quota));
        }
        if let Some(file) = &asked.env_file {
            properties.push(format!("EnvironmentFile={}", text(absolute(file)?)?));
        }
        let definition = Definition {
            command,
            check: asked.check.clone(),
            http: asked.http.clone(),
            every_seconds: asked.every.map(|every| every.as_secs_f64()),
            properties,
        };
        Ok(Held { definition: Some(definition), environment, folder })
    }

    /// What it gets of the caller's environment: how to find programs, the language and the time zone,
    /// and what was named.
    fn environment(&self) -> Result<BTreeMap<String, String>, String> {
        let is_own = |name: &str| {
            ["PATH", "LANG", "LANGUAGE", "TZ"].contains(&name) || name.starts_with("LC_")
        };
        let mut environment: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| is_own(name))
            .collect();
        for (name, value) in &self.asked.env {
            let value = match value {
                Some(value) => value.clone(),
                None => std::env::var(name)
                    .map_err(|_| format!("the variable {name} is not set here, or not UTF-8"))?,
            };
            environment.insert(name.clone(), value);
        }
        Ok(environment)
    }
}

fn held(unit: &Unit) -> Held {
    Held::of(&unit.environment, &unit.working_directory)
}

fn text(path: PathBuf) -> Result<String, String> {
    path.into_os_string().into_string().map_err(|path| format!("{} is not UTF-8", path.display()))
}

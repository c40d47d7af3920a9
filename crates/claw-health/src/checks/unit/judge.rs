//! What the state of a unit means, and what to do about it.

use std::time::Duration;

use claw_record::Status;
use nix::sys::signal::Signal;

use super::restarts::Growth;
use crate::finding::{Finding, Measure, bytes, span};
use crate::systemd::Unit;

/// The status with which OpenClaw refuses its configuration; systemd does not restart it then.
pub(crate) const CONFIGURATION_STATUS: i64 = 78;
/// A unit that restarts and has been up for less than this is in a loop.
const YOUNG_SECONDS: f64 = 90.0;

/// A look that takes longer hangs.
const LONGEST_MONITOR_RUN: Duration = Duration::from_secs(60);

/// What a unit is to this box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Gateway,
    Monitor,
    Other,
}

/// What has to be known beside the unit itself.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) subject: String,
    pub(super) role: Role,
    pub(super) growth: Growth,
    /// So many restarts within so many seconds are a loop.
    pub(super) loop_restarts: u64,
    pub(super) loop_window: f64,
    /// The share of its memory limit that is worth a look, in percent.
    pub(super) memory_warn: f64,
    /// The bytes of its memory that the kernel can take back at any time.
    pub(super) droppable: u64,
    /// How the manager is commanded: `systemctl --user`.
    pub(super) systemctl: String,
    /// How its journal of the unit is read.
    pub(super) journal: String,
    /// How it is changed.
    pub(super) edit: String,
    /// What its owner has to have done before anything else, for the unit to stay up.
    pub(super) linger: Option<String>,
    /// The timer that is to start it, and does not run.
    pub(super) idle_timer: Option<String>,
    /// What stands before a command that the owner has to type: `as dev: `.
    pub(super) as_owner: String,
}

/// The state that a unit is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Activating,
    Failed,
    CrashLooping,
    Stopped,
    Masked,
    Missing,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Activating => "activating",
            Self::Failed => "failed",
            Self::CrashLooping => "crash-looping",
            Self::Stopped => "stopped",
            Self::Masked => "masked",
            Self::Missing => "missing",
        }
    }

    fn of(unit: &Unit, view: &View) -> Self {
        match (unit.active_state.as_str(), unit.load_state.as_str()) {
            ("active" | "reloading" | "refreshing" | "activating", _) if loops(unit, view) => {
                Self::CrashLooping
            }
            ("active" | "reloading" | "refreshing", _) => Self::Active,
            ("activating", _) => Self::Activating,
            ("deactivating", _) if unit.is_restarting() => Self::Activating,
            ("failed", _) => Self::Failed,
            (_, "masked") => Self::Masked,
            (_, "not-found") => Self::Missing,
            (_, "error" | "bad-setting") => Self::Failed,
            _ => Self::Stopped,
        }
    }
}

/// Is it in a crash loop? `is-active` says active most of the time.
fn loops(unit: &Unit, view: &View) -> bool {
    let is_young = unit.active_since.is_none_or(|age| age.as_secs_f64() < YOUNG_SECONDS);
    let can_be = view.growth.at_most.is_none_or(|growth| growth >= view.loop_restarts);
    view.growth.at_least >= view.loop_restarts
        || unit.restarts >= view.loop_restarts && is_young && can_be
}

/// Did systemd give up? `Result` may still be that of the last crash.
fn start_limit_hit(unit: &Unit) -> bool {
    unit.result == "start-limit-hit"
        || unit.exec_main_status != CONFIGURATION_STATUS
            && unit.start_limit_burst > 0
            && unit.restarts >= unit.start_limit_burst
}

pub(super) fn judge(unit: &Unit, view: &View) -> Finding {
    let state = State::of(unit, view);
    let finding = match state {
        State::Active => active(unit, view),
        State::Activating => activating(unit, view),
        State::Failed => failed(unit, view),
        State::CrashLooping => crash_looping(unit, view),
        State::Stopped => stopped(unit, view),
        State::Masked => {
            let how = format!("{} unmask {}", view.systemctl, unit.name);
            Finding::warn(&view.subject, "masked: it cannot be started").remedy(how)
        }
        State::Missing => missing(view),
    };
    let finding = match (state, &view.linger, &finding.remedy) {
        (State::Failed | State::Stopped, Some(linger), Some(how)) => {
            // Without linger, what is started now ends with the session that starts it.
            let how = format!("{linger}, then {how}");
            finding.remedy(how)
        }
        _ => finding,
    };
    let finding = with_data(finding.note("state", state.word()), unit, state);
    match memory_use(unit, view).filter(|_| state == State::Active) {
        Some(memory) => finding.measure(memory),
        None => finding,
    }
}

fn active(unit: &Unit, view: &View) -> Finding {
    let age = unit.active_since.unwrap_or_default();
    let mut message = format!("active for {}", ago(age));
    if let Some(memory) = unit.memory_current {
        message += &format!(", {} of memory", bytes(memory as f64));
        if let Some(limit) = unit.memory_max {
            message += &format!(" (limit {})", bytes(limit as f64));
        }
    }
    let lately = view.growth.at_least > 0
        || age.as_secs_f64() < view.loop_window && view.growth.at_most != Some(0);
    let finding = match unit.restarts {
        // Only a service is restarted.
        0 if unit.kind.is_empty() => Finding::pass(&view.subject, message),
        0 => Finding::pass(&view.subject, format!("{message}, no restarts")),
        count if lately => {
            let message = format!("{message}, after {}; {}", restarts(count), loop_limit(view));
            Finding::warn(&view.subject, message).remedy(view.journal.clone())
        }
        count => Finding::pass(&view.subject, format!("{message}, after {}", restarts(count))),
    };
    match memory_use(unit, view) {
        Some(memory) if memory.status() != Status::Pass => near_limit(finding, &memory, view),
        _ => finding,
    }
}

/// A unit that will be killed for want of memory before long.
fn near_limit(finding: Finding, memory: &Measure, view: &View) -> Finding {
    let message = format!(
        "{}; {:.1} % of its memory limit in use, limit {} %",
        finding.message,
        memory.value,
        memory.limit()
    );
    let how = finding.remedy.unwrap_or_else(|| match view.role {
        Role::Gateway => "raise CLAW_GATEWAY_MEMORY_MAX in /etc/claw/claw.env, then run \
             'deploy install' again"
            .to_owned(),
        Role::Monitor | Role::Other => format!("raise its MemoryMax=: {}", view.edit),
    });
    Finding::warn(&view.subject, message).remedy(how)
}

/// How near a unit is to its memory limit: what the kernel can take back does not count.
fn memory_use(unit: &Unit, view: &View) -> Option<Measure> {
    let limit = unit.memory_max.filter(|limit| *limit > 0)?;
    let held = unit.memory_current?.saturating_sub(view.droppable);
    let percent = held as f64 / limit as f64 * 100.0;
    Some(Measure::percent("memory_percent", percent).warn_at(view.memory_warn))
}

/// The cache in `memory.stat` that nobody used lately.
pub(super) fn droppable(stat: &str) -> u64 {
    let line = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or_default()
}

fn activating(unit: &Unit, view: &View) -> Finding {
    let changed = unit.changed.unwrap_or_default();
    let since = ago(changed);
    // One that watches is ready after its first look; one that a timer starts ends after it.
    let is_looking = matches!(unit.kind.as_str(), "oneshot" | "notify");
    let is_at_work = view.role == Role::Monitor && is_looking && unit.sub_state == "start";
    if is_at_work && changed < LONGEST_MONITOR_RUN {
        return Finding::pass(&view.subject, format!("at work for {since}"));
    }
    let message = if unit.sub_state.starts_with("auto-restart") {
        format!(
            "it ended {since} ago ({}) and is started again {} after that",
            cause(unit, view.role),
            ago(unit.restart_delay)
        )
    } else if unit.active_state == "deactivating" {
        format!("stopping for {since}, to be started anew")
    } else {
        format!("starting for {since}")
    };
    Finding::warn(&view.subject, message).remedy(view.journal.clone())
}

fn crash_looping(unit: &Unit, view: &View) -> Finding {
    let now = match unit.active_since {
        Some(age) => format!("active for only {}", ago(age)),
        None => format!("{} now ({})", unit.sub_state, cause(unit, view.role)),
    };
    let count = if view.growth.at_least >= view.loop_restarts {
        format!("{} in {}", restarts(view.growth.at_least), span(view.loop_window))
    } else {
        restarts(unit.restarts)
    };
    let message = format!("crash-looping: {count}, {now}; {}", loop_limit(view));
    Finding::critical(&view.subject, message).remedy(view.journal.clone())
}

fn failed(unit: &Unit, view: &View) -> Finding {
    let (name, systemctl) = (&unit.name, &view.systemctl);
    if unit.active_state != "failed" {
        let message = format!("it cannot be loaded ({}): {}", unit.load_state, unit.load_error);
        let how = format!(
            "systemd-analyze verify {}, then {systemctl} daemon-reload",
            unit.fragment_path
        );
        return Finding::critical(&view.subject, message).remedy(how);
    }
    let since = unit.changed.map(|age| format!(" {} ago", ago(age))).unwrap_or_default();
    let cause = cause(unit, view.role);
    // Where the limit may have been hit, which counts starts by hand as well, nothing less works.
    // A transient unit whose failure is forgotten is gone.
    let anew = match unit.file_state.as_str() {
        "transient" => format!("{systemctl} start {name} (refused as long as the limit lasts)"),
        _ => format!("{systemctl} reset-failed {name} && {systemctl} start {name}"),
    };
    if start_limit_hit(unit) {
        let limit = format!("{} in {}", unit.start_limit_burst, ago(unit.start_limit_interval));
        let message = format!(
            "start limit hit{since} after {}, the last: {cause}; systemd gave up: \
             start request repeated too quickly (limit {limit})",
            restarts(unit.restarts)
        );
        let how = format!("{}, then {anew}", view.journal);
        return Finding::critical(&view.subject, message).remedy(how).note("start_limit_hit", true);
    }
    let how = if view.role == Role::Gateway && unit.exec_main_status == CONFIGURATION_STATUS {
        format!(
            "{}openclaw config validate says what is wrong, openclaw doctor repairs it; then {systemctl} start {name}",
            view.as_owner
        )
    } else if unit.restarts > 0 {
        format!("{}, then {anew}", view.journal)
    } else {
        format!("{}, then {systemctl} restart {name}", view.journal)
    };
    let after = match unit.restarts {
        0 => String::new(),
        count => format!(", after {}", restarts(count)),
    };
    Finding::critical(&view.subject, format!("failed{since}: {cause}{after}")).remedy(how)
}

fn stopped(unit: &Unit, view: &View) -> Finding {
    let since = ago(unit.changed.unwrap_or_default());
    if unit.active_state == "deactivating" {
        return Finding::warn(&view.subject, format!("stopping for {since}"));
    }
    if let Some(timer) = &view.idle_timer {
        let how = format!("{} enable --now {timer}", view.systemctl);
        let message = format!("{timer}, which is to start it, is not active");
        return Finding::warn(&view.subject, message).remedy(how);
    }
    let has_timer = unit.triggers.iter().any(|name| name.ends_with(".timer"));
    if view.role == Role::Monitor && unit.kind == "oneshot" && has_timer {
        let message = if unit.exec_main_code == 0 {
            "not started yet; its timer runs".to_owned()
        } else {
            format!("its timer runs; it ended {since} ago")
        };
        return Finding::pass(&view.subject, message);
    }
    let is_run_at_times = unit.kind == "oneshot" || !unit.triggers.is_empty();
    let is_service = !unit.kind.is_empty();
    if view.role == Role::Other && (is_run_at_times || !is_service) {
        return Finding::pass(&view.subject, "not active now, which is as it should be");
    }
    let is_disabled = unit.file_state == "disabled";
    let message = match (unit.was_active, is_disabled) {
        (true, _) => format!("stopped {since} ago, by hand or at its own end, without a failure"),
        // What is disabled and does not run is forgotten by its manager.
        (false, true) => "it does not run".to_owned(),
        (false, false) => "it was not started since its manager started".to_owned(),
    };
    let (enable, message) = if is_disabled {
        ("enable --now", format!("{message}; it is disabled: a reboot does not start it"))
    } else {
        ("start", message)
    };
    let how = format!("{} {enable} {}", view.systemctl, unit.name);
    Finding::warn(&view.subject, message).remedy(how)
}

fn missing(view: &View) -> Finding {
    let (message, how) = match view.role {
        Role::Gateway => (
            "there is no such unit: the gateway is not installed as a service",
            format!("{}openclaw gateway install", view.as_owner),
        ),
        Role::Monitor => (
            "there is no such unit: nothing watches this box all the time",
            "set a monitor up: see MONITOR in claw(7)".to_owned(),
        ),
        Role::Other => (
            "there is no such unit",
            // Anybody may ask the system manager.
            format!("look for its name: {} list-unit-files", view.systemctl)
                .replace("sudo systemctl list", "systemctl list"),
        ),
    };
    Finding::warn(&view.subject, message).remedy(how)
}

fn with_data(finding: Finding, unit: &Unit, state: State) -> Finding {
    if state == State::Missing {
        return finding;
    }
    let mut finding = finding
        .note("sub_state", unit.sub_state.clone())
        .note("result", unit.result.clone())
        .measure(Measure::new("restarts_total", unit.restarts as f64));
    match unit.exec_main_code {
        1 => finding = finding.note("exit_code", unit.exec_main_status),
        2 | 3 => finding = finding.note("signal", signal(unit.exec_main_status)),
        _ => {}
    }
    for (key, text) in [
        ("enabled", &unit.file_state),
        ("invocation_id", &unit.invocation_id),
        ("control_group", &unit.control_group),
        ("file", &unit.fragment_path),
    ] {
        if !text.is_empty() {
            finding = finding.note(key, text.clone());
        }
    }
    if unit.main_pid > 0 {
        finding = finding.note("main_pid", unit.main_pid);
    }
    let measures = [
        ("active_seconds", unit.active_since.map(|age| age.as_secs_f64())),
        ("memory_bytes", unit.memory_current.map(|count| count as f64)),
        ("memory_limit_bytes", unit.memory_max.map(|count| count as f64)),
        ("cpu_limit_percent", unit.cpu_quota),
    ];
    for (key, value) in measures {
        if let Some(value) = value {
            finding = finding.measure(Measure::new(key, value));
        }
    }
    finding
}

/// How its main process ended, in words.
fn cause(unit: &Unit, role: Role) -> String {
    let status = unit.exec_main_status;
    let end = match unit.exec_main_code {
        1 => format!("exit status {status}{}", meaning(status, role)),
        2 => format!("killed by {}", signal(status)),
        3 => format!("killed by {}, core dumped", signal(status)),
        _ => String::new(),
    };
    if unit.result == "oom-kill" {
        // The kernel may have killed another of its processes than the main one.
        let limit = unit.memory_max.map(|limit| format!(", limit {}", bytes(limit as f64)));
        return format!(
            "out of memory: killed by the kernel (oom-kill){}",
            limit.unwrap_or_default()
        );
    }
    let why = match unit.result.as_str() {
        "watchdog" => "its watchdog timed out",
        "timeout" => "it took too long to start or to stop",
        "success" | "exit-code" | "signal" | "core-dump" | "start-limit-hit" => "",
        other => other,
    };
    match (why, end.as_str()) {
        ("", "") => "no process".to_owned(),
        ("", end) => end.to_owned(),
        (why, "") => why.to_owned(),
        (why, end) => format!("{why}, {end}"),
    }
}

/// What an exit status says, where systemd or OpenClaw gave it a meaning.
fn meaning(status: i64, role: Role) -> &'static str {
    match status {
        CONFIGURATION_STATUS if role == Role::Gateway => ": OpenClaw refuses its configuration",
        200 => ": its working directory cannot be entered",
        203 => ": its program cannot be run",
        217 => ": its user does not exist",
        218 => ": its capabilities cannot be set",
        226 => ": its name spaces cannot be set up",
        _ => "",
    }
}

/// What an exit status of the gateway says.
pub(crate) fn exit_meaning(status: i64, is_gateway: bool) -> &'static str {
    meaning(status, if is_gateway { Role::Gateway } else { Role::Other })
}

/// The name of a signal.
pub(crate) fn signal(number: i64) -> String {
    i32::try_from(number)
        .ok()
        .and_then(|number| Signal::try_from(number).ok())
        .map_or_else(|| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

fn restarts(count: u64) -> String {
    format!("{count} restart{}", if count == 1 { "" } else { "s" })
}

fn loop_limit(view: &View) -> String {
    format!("limit {} in {}", restarts(view.loop_restarts), span(view.loop_window))
}

fn ago(age: Duration) -> String {
    span(age.as_secs_f64())
}

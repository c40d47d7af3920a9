//! What systemd says of a unit at this moment, whatever a record said before.

use std::time::Duration;

use crate::cause::Cause;

/// The facts that decide. A unit that nobody can be asked about has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) load_state: String,
    pub(crate) active_state: String,
    pub(crate) sub_state: String,
    /// `enabled`, `disabled`, `static`, `transient` …
    pub(crate) file_state: String,
    pub(crate) result: String,
    /// How the main process ended: 1 exited, 2 killed, 3 killed and dumped; 0 not at all.
    pub(crate) exit_kind: u64,
    /// The exit status, or the number of the signal.
    pub(crate) exit_status: i64,
    /// The restarts that systemd made by itself since somebody last started it.
    pub(crate) restarts: u64,
    pub(crate) start_limit_burst: u64,
    /// Is systemd told never to restart it?
    pub(crate) never_restarts: bool,
    /// The number of its last start.
    pub(crate) invocation: String,
    /// How long it has been active, where it is.
    pub(crate) active_for: Option<Duration>,
    /// How long ago it was started last; no restart of it came later.
    pub(crate) started_ago: Option<Duration>,
    /// How long ago it failed, where it did.
    pub(crate) failed_ago: Option<Duration>,
    /// Did somebody ask for the end of its last start?
    pub(crate) was_stopped: bool,
    /// How long ago somebody had OpenClaw stop or restart it.
    pub(crate) operated_ago: Option<Duration>,
}

/// How a unit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody is to touch it, and why.
    LeftAlone(&'static str),
    /// systemd is at work on it, or cannot be: what comes of it is waited for.
    Moving(&'static str),
    Active,
    Failed(Cause),
}

/// The status with which OpenClaw refuses its configuration; systemd does not restart it then.
const CONFIGURATION_STATUS: i64 = 78;
const EXITED: u64 = 1;

impl Facts {
    /// The facts in what `systemctl show` writes; `now` is by the kernel's monotonic clock.
    pub(crate) fn parse(text: &str, now: Duration) -> Self {
        let value = |key: &str| {
            let find = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned());
            text.lines().find_map(find).unwrap_or_default()
        };
        let ago = |key: &str| {
            let at = value(key).parse().ok().filter(|at| *at > 0).map(Duration::from_micros)?;
            Some(now.saturating_sub(at))
        };
        let starts = [
            "InactiveExitTimestampMonotonic",
            "ActiveEnterTimestampMonotonic",
            "ExecMainStartTimestampMonotonic",
        ];
        let active_state = value("ActiveState");
        let is = |state| active_state == state;
        let active_for = ago("ActiveEnterTimestampMonotonic").filter(|_| is("active"));
        let failed_ago = ago("InactiveEnterTimestampMonotonic").filter(|_| is("failed"));
        Self {
            load_state: value("LoadState"),
            sub_state: value("SubState"),
            file_state: value("UnitFileState"),
            result: value("Result"),
            exit_kind: value("ExecMainCode").parse().unwrap_or(0),
            exit_status: value("ExecMainStatus").parse().unwrap_or(0),
            restarts: value("NRestarts").parse().unwrap_or(0),
            start_limit_burst: value("StartLimitBurst").parse().unwrap_or(0),
            never_restarts: value("Restart") == "no",
            invocation: value("InvocationID"),
            active_for,
            failed_ago,
            started_ago: starts.iter().filter_map(|key| ago(key)).min(),
            active_state,
            was_stopped: false,
            operated_ago: None,
        }
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> Standing {
        match (self.load_state.as_str(), self.active_state.as_str()) {
            ("", _) => Standing::Moving("its manager does not run"),
            ("masked", _) => Standing::LeftAlone("it is masked"),
            ("not-found", _) => Standing::LeftAlone("there is no such unit"),
            (_, "active") => Standing::Active,
            (_, "activating") => Standing::Moving("it is starting"),
            (_, "deactivating") => Standing::Moving("it is stopping"),
            (_, "inactive") => Standing::LeftAlone("it was stopped, or has done its work"),
            (_, "failed") => self.failed(),
            _ => Standing::Moving("systemd is at work on it"),
        }
    }

    fn failed(&self) -> Standing {
        if self.load_state != "loaded" {
            return Standing::LeftAlone("its files cannot be read");
        }
        if self.exit_kind == EXITED && self.exit_status == CONFIGURATION_STATUS {
            return Standing::LeftAlone("it refuses its configuration (exit status 78)");
        }
        if self.file_state == "disabled" {
            return Standing::LeftAlone("it is disabled");
        }
        if self.was_stopped {
            return Standing::LeftAlone("somebody stopped it");
        }
        Standing::Failed(self.cause())
    }

    /// Did it do its work and end?
    pub(crate) fn is_done(&self) -> bool {
        // Of a transient unit that was stopped nothing is left, and nothing was done.
        self.load_state == "loaded"
            && self.active_state == "inactive"
            && self.result == "success"
            && !self.was_stopped
    }

    fn cause(&self) -> Cause {
        // Up to version 252 a start limit that was hit leaves the result of the last end.
        let is_limit = self.start_limit_burst > 0 && self.restarts >= self.start_limit_burst;
        match self.result.as_str() {
            "start-limit-hit" => Cause::StartLimit,
            _ if is_limit => Cause::StartLimit,
            "oom-kill" => Cause::Oom,
            "watchdog" => Cause::Watchdog,
            "signal" | "core-dump" => Cause::Signal,
            _ => Cause::Exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 252 writes it of a unit whose start limit was hit.
    const LIMIT: &str = "ExecMainStartTimestampMonotonic=17445712243\nRestart=always\nNRestarts=3\n\
        Result=exit-code\nExecMainCode=1\nExecMainStatus=1\nLoadState=loaded\nActiveState=failed\n\
        SubState=failed\nUnitFileState=static\nInactiveExitTimestampMonotonic=17445926981\n\
        ActiveEnterTimestampMonotonic=17445712337\nInactiveEnterTimestampMonotonic=17446176981\nStartLimitBurst=3\n\
        InvocationID=574ee472c9154136877e3ca152de5608\n";

    #[test]
    fn what_systemctl_shows_is_read() {
        let facts = Facts::parse(LIMIT, Duration::from_micros(17_446_926_981));
        let expected = Facts {
            load_state: "loaded".into(),
            active_state: "failed".into(),
            sub_state: "failed".into(),
            file_state: "static".into(),
            result: "exit-code".into(),
            exit_kind: 1,
            exit_status: 1,
            restarts: 3,
            never_restarts: false,
            start_limit_burst: 3,
            invocation: "574ee472c9154136877e3ca152de5608".into(),
            active_for: None,
            started_ago: Some(Duration::from_secs(1)),
            failed_ago: Some(Duration::from_millis(750)),
            was_stopped: false,
            operated_ago: None,
        };
        assert_eq!(facts, expected);
        assert_eq!(facts.standing(), Standing::Failed(Cause::StartLimit));
    }

    #[test]
    fn only_what_failed_or_is_active_is_ever_touched() {
        let failed = Facts {
            load_state: "loaded".into(),
            active_state: "failed".into(),
            result: "signal".into(),
            exit_kind: 2,
            exit_status: 9,
            ..Facts::default()
        };
        let is = |state: &str| Facts { active_state: state.into(), ..failed.clone() };
        let loaded = |state: &str| Facts { load_state: state.into(), ..failed.clone() };
        let left = Standing::LeftAlone;
        for (facts, expected) in [
            (failed.clone(), Standing::Failed(Cause::Signal)),
            (Facts { result: "oom-kill".into(), ..failed.clone() }, Standing::Failed(Cause::Oom)),
            (is("active"), Standing::Active),
            (is("activating"), Standing::Moving("it is starting")),
            (is("deactivating"), Standing::Moving("it is stopping")),
            (is("reloading"), Standing::Moving("systemd is at work on it")),
            (is("of-the-future"), Standing::Moving("systemd is at work on it")),
            (is("inactive"), left("it was stopped, or has done its work")),
            (loaded("masked"), left("it is masked")),
            (loaded("not-found"), left("there is no such unit")),
            (loaded("bad-setting"), left("its files cannot be read")),
            (Facts { was_stopped: true, ..failed.clone() }, left("somebody stopped it")),
            (Facts { file_state: "disabled".into(), ..failed.clone() }, left("it is disabled")),
            (
                Facts { exit_kind: 1, exit_status: 78, ..failed.clone() },
                left("it refuses its configuration (exit status 78)"),
            ),
            // Signal 78 is no configuration.
            (Facts { exit_status: 78, ..failed.clone() }, Standing::Failed(Cause::Signal)),
            (Facts::default(), Standing::Moving("its manager does not run")),
        ] {
            assert_eq!(facts.standing(), expected, "{facts:?}");
        }
    }
}

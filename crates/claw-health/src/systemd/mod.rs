//! Interface to systemd: its managers, asked over D-Bus for the state of units.
//!
//! A manager is asked at its own socket where that may be opened, which needs no bus, opens no
//! session and starts nothing: `systemctl --user -M USER@` would start a user manager that is down.

pub(crate) mod dbus;
pub(crate) mod listener;
pub(crate) mod socket;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use claw_box::{Owner, Scope};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::geteuid;

use crate::host::Host;
use dbus::{Argument, Connection, Failure, Method, Value};

/// A manager that is connected.
#[derive(Debug)]
pub(crate) struct Manager {
    scope: Scope,
    /// Why it is of no more use, once it has failed: nobody waits for it a second time.
    connection: Mutex<Result<Connection, String>>,
}

/// A unit as its manager knows it, with only what a look needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) load_state: String,
    /// Why it could not be loaded.
    pub(crate) load_error: String,
    pub(crate) active_state: String,
    pub(crate) sub_state: String,
    /// `enabled`, `disabled`, `static` … ; empty where there is no file.
    pub(crate) file_state: String,
    /// `simple`, `oneshot` … ; empty where it is no service.
    pub(crate) kind: String,
    pub(crate) result: String,
    /// How the main process ended: 1 exited, 2 killed, 3 killed and dumped; 0 not at all.
    pub(crate) exec_main_code: i64,
    /// The exit status, or the number of the signal.
    pub(crate) exec_main_status: i64,
    /// The restarts that systemd made by itself since somebody last started it.
    pub(crate) restarts: u64,
    pub(crate) main_pid: u64,
    /// How long ago it became active, where it is.
    pub(crate) active_since: Option<Duration>,
    /// How long ago its state changed last.
    pub(crate) changed: Option<Duration>,
    /// Was it ever active since its manager started?
    pub(crate) was_active: bool,
    pub(crate) invocation_id: String,
    pub(crate) control_group: String,
    pub(crate) memory_current: Option<u64>,
    pub(crate) memory_max: Option<u64>,
    /// In percent of one processor.
    pub(crate) cpu_quota: Option<f64>,
    pub(crate) restart_delay: Duration,
    pub(crate) start_limit_burst: u64,
    pub(crate) start_limit_interval: Duration,
    pub(crate) fragment_path: String,
    pub(crate) drop_ins: Vec<String>,
    /// The units that it wants or comes after.
    pub(crate) wants: Vec<String>,
    /// `NAME=VALUE`, as its files have it.
    pub(crate) environment: Vec<String>,
    pub(crate) working_directory: String,
    /// The timers, sockets and paths that start it.
    pub(crate) triggers: Vec<String>,
    /// What its manager is about to do with it: `start`, `stop`, `restart` … ; empty for nothing.
    pub(crate) job: String,
}

impl Manager {
    /// Connects to a manager of this box. The reason why that cannot be is a whole sentence.
    pub(crate) fn connect(host: &Host, scope: Scope) -> Result<Self, String> {
        Ok(Self { scope, connection: Mutex::new(Ok(connect(host, scope)?)) })
    }

    /// A unit, as `systemctl show` has it: one that no file describes is `not-found`.
    pub(crate) fn unit(&self, name: &str) -> Result<Unit, String> {
        let kind = check_name(name)?;
        let path = format!("/org/freedesktop/systemd1/unit/{}", escape(name));
        let mut values = self.properties(&path, "Unit")?;
        values.extend(self.properties(&path, kind)?);
        let values = Properties(values);
        let job = self.job(&values).unwrap_or_default();
        Ok(Unit { job, ..Unit::read(name, &values, now()) })
    }

    /// What is about to be done with a unit; nothing where that has been done meanwhile.
    fn job(&self, unit: &Properties) -> Option<String> {
        let (number, path) = match unit.get("Job")?.list() {
            [number, path] => (number.unsigned()?, path.text()?),
            _ => return None,
        };
        let values = if number > 0 { self.properties(path, "Job").ok()? } else { return None };
        Some(Properties(values).text("JobType"))
    }

    /// The names of the units that failed, or that did and are about to be started again.
    pub(crate) fn in_trouble(&self) -> Result<Vec<String>, String> {
        let method = Method {
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            name: "ListUnitsFiltered",
        };
        let answer = self.call(&method, &[Argument::Texts(&["failed", "activating"])])?;
        let units = answer.first().map(Value::list).unwrap_or_default();
        Ok(units.iter().filter_map(|unit| in_trouble(unit.list())).map(str::to_owned).collect())
    }

    /// How long ago it was started; for the system's manager, how long ago the box was.
    pub(crate) fn age(&self) -> Result<Duration, String> {
        let values = Properties(self.properties("/org/freedesktop/systemd1", "Manager")?);
        values
            .ago("UserspaceTimestampMonotonic", now())
            .ok_or_else(|| format!("the {} manager does not say when it was started", self.scope))
    }

    /// The names of the units that are loaded, or that a file describes, and fit a pattern.
    pub(crate) fn named(&self, pattern: &str) -> Result<Vec<String>, String> {
        let (path, interface) = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager");
        let arguments = [Argument::Texts(&[]), Argument::Texts(&[pattern])];
        let mut names = Vec::new();
        for name in ["ListUnitsByPatterns", "ListUnitFilesByPatterns"] {
            let answer = self.call(&Method { path, interface, name }, &arguments)?;
            let listed = answer.first().map(Value::list).unwrap_or_default();
            let firsts = listed.iter().filter_map(|one| one.list().first()?.text());
            names.extend(firsts.filter_map(|one| one.rsplit('/').next()).map(str::to_owned));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn properties(&self, path: &str, interface: &str) -> Result<Vec<Value>, String> {
        let method = Method { path, interface: "org.freedesktop.DBus.Properties", name: "GetAll" };
        let interface = format!("org.freedesktop.systemd1.{interface}");
        match self.call(&method, &[Argument::Text(&interface)])?.into_iter().next() {
            Some(Value::List(values)) => Ok(values),
            _ => Err(format!("the {} manager answered without properties", self.scope)),
        }
    }

    fn call(&self, method: &Method, arguments: &[Argument]) -> Result<Vec<Value>, String> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = connection.as_mut().map_err(|why| why.clone())?.call(method, arguments);
        answer.map_err(|failure| match failure {
            Failure::Refused(name, words) => {
                format!("the {} manager refused {}: {words} ({name})", self.scope, method.name)
            }
            Failure::Broken(why) => {
                let why = format!("the {} manager {why}", self.scope);
                *connection = Err(why.clone());
                why
            }
        })
    }
}

fn connect(host: &Host, scope: Scope) -> Result<Connection, String> {
    const NAME: &str = "org.freedesktop.systemd1";
    let failed = |why: String| format!("{} {why}", whose(host, scope));
    let connection = match scope {
        Scope::User => {
            let path = user_socket(host.owner());
            let stream =
                socket::connect(&path, host.owner().uid).map_err(|why| failed(why.of(&path)))?;
            Connection::direct(stream)
        }
        Scope::System if geteuid().is_root() => {
            const PATH: &str = "/run/systemd/private";
            let stream = socket::connect(PATH, 0).map_err(|why| failed(why.of(PATH)))?;
            Connection::direct(stream)
        }
        Scope::System => {
            const PATH: &str = "/run/dbus/system_bus_socket";
            let stream = socket::connect(PATH, 0)
                .map_err(|why| format!("the system bus {}", why.of(PATH)))?;
            Connection::bus(stream, NAME)
        }
    };
    connection.map_err(failed)
}

/// The user manager's own socket, which does not need a session bus.
pub(crate) fn user_socket(owner: &Owner) -> String {
    format!("/run/user/{}/systemd/private", owner.uid)
}

/// Does the owner's user manager run at all? Asking does not start it. Of one that was stopped, the
/// socket may be left.
pub(crate) fn user_manager_runs(host: &Host) -> bool {
    let owner = host.owner();
    let path = user_socket(owner);
    if !host.is_running() {
        return host.path(path).symlink_metadata().is_ok();
    }
    let reached = socket::connect(path, owner.uid);
    !matches!(reached, Err(socket::Unreached::Absent | socket::Unreached::Refused))
}

/// The name of a listed unit that failed, or that is between two restarts; not of one that is merely
/// starting.
fn in_trouble(listed: &[Value]) -> Option<&str> {
    let [name, _, _, active, sub, ..] = listed else { return None };
    let is_restarted = |sub: &str| sub.contains("auto-restart");
    let is_it = active.text()? == "failed" || is_restarted(sub.text()?);
    // What the check of an agent ends with is told of the agent.
    let is_own = |name: &&str| name.starts_with(LOOK_PREFIX);
    name.text().filter(|_| is_it).filter(|name| !is_own(name))
}

/// How the units begin in which claw-health itself looks at something.
pub(crate) const LOOK_PREFIX: &str = "claw-look-";

fn whose(host: &Host, scope: Scope) -> String {
    match scope {
        Scope::System => "the system manager".to_owned(),
        Scope::User => format!("the user manager of {}", host.owner().name),
    }
}

/// The interface of a unit by the end of its name, where it can be the name of a unit at all.
fn check_name(name: &str) -> Result<&'static str, String> {
    const LIMIT_BYTES: usize = 255;
    const KINDS: [(&str, &str); 11] = [
        ("service", "Service"),
        ("socket", "Socket"),
        ("target", "Target"),
        ("device", "Device"),
        ("mount", "Mount"),
        ("automount", "Automount"),
        ("swap", "Swap"),
        ("timer", "Timer"),
        ("path", "Path"),
        ("slice", "Slice"),
        ("scope", "Scope"),
    ];
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    if name.len() > LIMIT_BYTES {
        return Err(format!("not the name of a unit: it is longer than {LIMIT_BYTES} bytes"));
    }
    if let Some(odd) = name.chars().find(|char| !char.is_ascii() || !fits(*char as u8)) {
        return Err(format!("not the name of a unit: it holds {odd:?}"));
    }
    let kind = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty() && !stem.starts_with('@'));
    kind.and_then(|(_, end)| KINDS.iter().find(|(kind, _)| *kind == end))
        .map(|(_, interface)| *interface)
        .ok_or_else(|| format!("not the name of a unit: {name:?} does not end in its kind"))
}

/// A name as it stands in an object's path.
fn escape(name: &str) -> String {
    let part = |(at, byte): (usize, u8)| match byte {
        b'0'..=b'9' if at > 0 => char::from(byte).to_string(),
        b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    };
    name.bytes().enumerate().map(part).collect()
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// Pairs of a name and a value.
struct Properties(Vec<Value>);

impl Properties {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find_map(|pair| match pair.list() {
            [Value::Text(key), value] if key == name => Some(value),
            _ => None,
        })
    }

    fn text(&self, name: &str) -> String {
        self.get(name).and_then(Value::text).unwrap_or_default().to_owned()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let values = self.get(name).map(Value::list).unwrap_or_default();
        values.iter().filter_map(Value::text).map(str::to_owned).collect()
    }

    /// A number; the largest one stands for "none" and "no limit".
    fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::unsigned).filter(|number| *number != u64::MAX)
    }

    fn signed(&self, name: &str) -> i64 {
        self.get(name).and_then(Value::signed).unwrap_or_default()
    }

    fn span(&self, name: &str) -> Duration {
        Duration::from_micros(self.number(name).unwrap_or_default())
    }

    /// How long ago a stamp of the monotonic clock was; it is 0 where there was nothing.
    fn ago(&self, name: &str, now: Duration) -> Option<Duration> {
        let stamp = self.number(name).filter(|stamp| *stamp > 0)?;
        Some(now.saturating_sub(Duration::from_micros(stamp)))
    }
}

impl Unit {
    /// Does it stop only to be started anew?
    pub(crate) fn is_restarting(&self) -> bool {
        self.active_state == "deactivating" && matches!(self.job.as_str(), "restart" | "start")
    }

    fn read(name: &str, from: &Properties, now: Duration) -> Self {
        let active_state = from.text("ActiveState");
        let entered = from.ago("ActiveEnterTimestampMonotonic", now);
        let is_active = matches!(active_state.as_str(), "active" | "reloading" | "refreshing");
        let load_error = from.get("LoadError").map(Value::list).unwrap_or_default();
        let invocation = from.get("InvocationID").map(Value::bytes).unwrap_or_default();
        Self {
            name: name.to_owned(),
            load_state: from.text("LoadState"),
            load_error: load_error.get(1).and_then(Value::text).unwrap_or_default().to_owned(),
            sub_state: from.text("SubState"),
            file_state: from.text("UnitFileState"),
            kind: from.text("Type"),
            result: from.text("Result"),
            exec_main_code: from.signed("ExecMainCode"),
            exec_main_status: from.signed("ExecMainStatus"),
            restarts: from.number("NRestarts").unwrap_or_default(),
            main_pid: from.number("MainPID").unwrap_or_default(),
            active_since: if is_active { entered } else { None },
            changed: from.ago("StateChangeTimestampMonotonic", now),
            was_active: entered.is_some(),
            invocation_id: invocation.iter().map(|byte| format!("{byte:02x}")).collect(),
            control_group: from.text("ControlGroup"),
            memory_current: from.number("MemoryCurrent"),
            memory_max: from.number("MemoryMax"),
            cpu_quota: from.number("CPUQuotaPerSecUSec").map(|usec| usec as f64 / 10_000.0),
            restart_delay: from.span("RestartUSec"),
            start_limit_burst: from.number("StartLimitBurst").unwrap_or_default(),
            start_limit_interval: from.span("StartLimitIntervalUSec"),
            fragment_path: from.text("FragmentPath"),
            drop_ins: from.texts("DropInPaths"),
            wants: [from.texts("Wants"), from.texts("After")].concat(),
            environment: from.texts("Environment"),
            working_directory: from.text("WorkingDirectory"),
            triggers: from.texts("TriggeredBy"),
            job: String::new(),
            active_state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_a_unit_between_two_restarts_is_in_trouble_and_one_that_starts_is_not() {
        for (active, sub, expected) in [
            ("failed", "failed", true),
            ("activating", "auto-restart", true),
            ("activating", "auto-restart-queued", true),
            ("activating", "start", false),
            ("activating", "start-pre", false),
        ] {
            let texts = ["x.service", "x", "loaded", active, sub, ""];
            let listed = texts.map(|text| Value::Text(text.to_owned()));
            assert_eq!(in_trouble(&listed).is_some(), expected, "{active} {sub}");
        }
    }

    #[test]
    fn names_are_escaped_as_systemd_escapes_them() {
        for (name, path) in [
            ("ssh.service", "ssh_2eservice"),
            ("1a.service", "_31a_2eservice"),
            ("a-b@c\\x2d.service", "a_2db_40c_5cx2d_2eservice"),
        ] {
            assert_eq!(escape(name), path);
        }
    }

    #[test]
    fn what_cannot_be_the_name_of_a_unit_is_refused() {
        for (name, why) in [
            ("a/b.service", "it holds '/'"),
            ("a\n.service", "it holds '\\n'"),
            ("ä.service", "it holds 'ä'"),
            ("a b.service", "it holds ' '"),
            (&format!("{}.service", "a".repeat(250)), "it is longer than 255 bytes"),
            ("ssh", "\"ssh\" does not end in its kind"),
            (".service", "\".service\" does not end in its kind"),
            ("a.serv", "\"a.serv\" does not end in its kind"),
        ] {
            assert_eq!(check_name(name), Err(format!("not the name of a unit: {why}")));
        }
        assert_eq!(check_name("user@1000.service"), Ok("Service"));
        assert_eq!(check_name("-.mount"), Ok("Mount"));
    }

    #[test]
    fn properties_become_a_unit() {
        let pair = |key: &str, value| Value::List(vec![Value::Text(key.to_owned()), value]);
        let text = |text: &str| Value::Text(text.to_owned());
        let unit = Unit::read(
            "a.service",
            &Properties(vec![
                pair("ActiveState", text("active")),
                pair("ActiveEnterTimestampMonotonic", Value::Unsigned(2_000_000)),
                pair("MemoryCurrent", Value::Unsigned(u64::MAX)),
                pair("MemoryMax", Value::Unsigned(4096)),
                pair("CPUQuotaPerSecUSec", Value::Unsigned(1_500_000)),
                pair("ExecMainStatus", Value::Signed(9)),
                pair("InvocationID", Value::Bytes(vec![0, 255])),
                pair("DropInPaths", Value::List(vec![text("/a.conf")])),
            ]),
            Duration::from_secs(5),
        );
        let expected = Unit {
            name: "a.service".to_owned(),
            active_state: "active".to_owned(),
            active_since: Some(Duration::from_secs(3)),
            was_active: true,
            memory_max: Some(4096),
            cpu_quota: Some(150.0),
            exec_main_status: 9,
            invocation_id: "00ff".to_owned(),
            drop_ins: vec!["/a.conf".to_owned()],
            ..Unit::default()
        };
        assert_eq!(unit, expected);
    }
}

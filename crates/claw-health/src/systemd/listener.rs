//! A manager that tells of its units as they change.

use std::os::fd::{AsFd, BorrowedFd};

use claw_box::Scope;

use super::dbus::{Connection, Failure, Method, Value};
use super::{Properties, connect, escape};
use crate::host::Host;

/// A connection on which a manager tells what changes.
#[derive(Debug)]
pub(crate) struct Listener(Connection);

/// What a manager told of a unit; what did not change is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Change {
    pub(crate) active_state: Option<String>,
    pub(crate) invocation: Option<String>,
    /// The main process, dead or alive.
    pub(crate) main_pid: Option<u64>,
    /// How it ended, where it is dead: 1 exited, 2 killed, 3 killed and dumped; and the exit status or
    /// the signal.
    pub(crate) end: Option<(i64, i64)>,
}

/// What a manager told since.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Which of the units that were asked for changed, and what.
    pub(crate) changes: Vec<(usize, Change)>,
    /// Did another one fail?
    pub(crate) another_failed: bool,
    /// Did anything come of another one whose name begins as asked for?
    pub(crate) is_another_new: bool,
}

const UNITS: &str = "/org/freedesktop/systemd1/unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

impl Listener {
    /// Connects to a manager, and has it tell.
    pub(crate) fn connect(host: &Host, scope: Scope) -> Result<Self, String> {
        let failed = |failure| match failure {
            Failure::Refused(_, why) | Failure::Broken(why) => why,
        };
        let mut connection = connect(host, scope)?;
        connection.listen(PROPERTIES, UNITS).map_err(failed)?;
        let subscribe = Method {
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            name: "Subscribe",
        };
        match connection.call(&subscribe, &[]) {
            // Straight at the manager there is nothing to ask for.
            Ok(_) | Err(Failure::Refused(..)) => Ok(Self(connection)),
            Err(Failure::Broken(why)) => Err(why),
        }
    }

    /// What came since, of these units above all, and of those whose names begin like that. An error is
    /// the manager's end.
    pub(crate) fn heard(&mut self, units: &[&str], others: &str) -> Result<Heard, String> {
        let others = format!("{UNITS}/{}", escape(others));
        let paths: Vec<_> = units.iter().map(|unit| format!("{UNITS}/{}", escape(unit))).collect();
        let mut heard = Heard::default();
        while let Some(signal) = self.0.signal()? {
            let unit = paths.iter().position(|path| *path == signal.path);
            heard.is_another_new |= unit.is_none() && signal.path.starts_with(&others);
            if signal.name != "PropertiesChanged" {
                continue;
            }
            let change = change(signal.body);
            match unit {
                Some(unit) => heard.changes.push((unit, change)),
                None => heard.another_failed |= change.active_state.as_deref() == Some("failed"),
            }
        }
        Ok(heard)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The interface, what changed in it, and the names of what changed without saying to what.
fn change(body: Vec<Value>) -> Change {
    let Some(Value::List(values)) = body.into_iter().nth(1) else { return Change::default() };
    let values = Properties(values);
    let id = |bytes: &Value| {
        let bytes = bytes.bytes();
        (!bytes.is_empty()).then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    };
    let text = |name| values.get(name).and_then(Value::text).map(str::to_owned);
    let is_dead = values.signed("ExecMainCode") > 0 && values.number("MainPID") == Some(0);
    Change {
        active_state: text("ActiveState"),
        invocation: values.get("InvocationID").and_then(id),
        main_pid: values.number("ExecMainPID").filter(|pid| *pid > 0),
        end: is_dead.then(|| (values.signed("ExecMainCode"), values.signed("ExecMainStatus"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_read_and_what_did_not_is_not_there() {
        let pair = |name: &str, value| Value::List(vec![Value::Text(name.to_owned()), value]);
        let body =
            |pairs| vec![Value::Text("x".to_owned()), Value::List(pairs), Value::List(vec![])];
        let dead = change(body(vec![
            pair("ExecMainPID", Value::Unsigned(7)),
            pair("MainPID", Value::Unsigned(0)),
            pair("ExecMainCode", Value::Signed(2)),
            pair("ExecMainStatus", Value::Signed(9)),
        ]));
        let (main_pid, end) = (Some(7), Some((2, 9)));
        assert_eq!(dead, Change { main_pid, end, ..Change::default() });
        let unit = change(body(vec![
            pair("ActiveState", Value::Text("failed".to_owned())),
            pair("InvocationID", Value::Bytes(vec![0xab, 1])),
        ]));
        let (active_state, invocation) = (Some("failed".to_owned()), Some("ab01".to_owned()));
        assert_eq!(unit, Change { active_state, invocation, ..Change::default() });
        assert_eq!(change(Vec::new()), Change::default());
    }
}

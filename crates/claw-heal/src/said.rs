//! What a record says of a unit that is looked after.

use claw_record::{Record, Status};
use serde_json::Value;

use crate::cause::Cause;
use crate::patient::{Patient, Unit};

/// What is said of a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    /// It failed.
    Failed,
    /// It crashed, and of what.
    Crashed(Cause),
    /// It accepts, and does not answer.
    Hung,
    /// Nothing answers where it should.
    Dead,
    /// It answers, and for so many seconds by its own account.
    Alive(Option<f64>),
    /// It starts, or is about to stop.
    Starting,
    /// Something else, which is no reason to touch it.
    Other,
}

/// What a record says, and of which of the units; nothing where it is about none of them, or about
/// another host's.
pub(crate) fn said(record: &Record, host: &str, patients: &[Patient]) -> Option<(About, Said)> {
    if record.host != host {
        return None;
    }
    let text = |key: &str| record.data.get(key).and_then(Value::as_str);
    if record.subject.starts_with("gateway:") {
        // Only of the gateway of this box is the state of a unit told.
        text("unit_state")?;
        let uptime = record.data.get("uptime_seconds").and_then(Value::as_f64);
        return Some((About::Gateway, of_gateway(text("state")?, uptime)));
    }
    let unit = about(record)?;
    if record.subject.starts_with("agent:") {
        let unit = patients.iter().position(|patient| patient.unit == unit)?;
        let said = of_agent(&record.event, text("state")?)?;
        return Some((About::Unit(unit), said));
    }
    let unit = patients.iter().position(|patient| patient.unit == unit)?;
    let said = match record.event.as_str() {
        "crash" => {
            let cause = record.data.get("cause").cloned();
            let cause = cause.and_then(|cause| serde_json::from_value(cause).ok());
            Said::Crashed(cause.unwrap_or(Cause::Dead))
        }
        "check" if record.status == Status::Fail => match text("state") {
            Some("failed" | "crash-looping") => Said::Failed,
            _ => Said::Other,
        },
        // A unit that is well is no news; what was wrong with it is watched anyway.
        "check" if record.status == Status::Pass => return None,
        "check" => Said::Other,
        // Our own records among them, where they come back to us.
        _ => return None,
    };
    Some((About::Unit(unit), said))
}

/// The unit that a record is about: `unit:user/NAME.service`, or `agent:NAME`.
fn about(record: &Record) -> Option<Unit> {
    match record.subject.strip_prefix("unit:") {
        Some(unit) => unit.parse().ok(),
        None => Unit::of_agent(&record.subject),
    }
}

/// The unit of an agent that a record says is not well: it is looked after from then on.
pub(crate) fn agent_in_trouble(record: &Record, host: &str) -> Option<Unit> {
    let is_ours = record.host == host && ["check", "crash"].contains(&record.event.as_str());
    let unit = about(record).filter(|unit| is_ours && unit.agent().is_some())?;
    // Of what is no unit of systemd's, only words are told.
    let is_of_unit = record.event == "crash" || record.data.contains_key("state");
    (record.status == Status::Fail && is_of_unit).then_some(unit)
}

/// What the check of claw-health says of an agent.
fn of_agent(event: &str, state: &str) -> Option<Said> {
    Some(match (event, state) {
        ("check", "hung") => Said::Hung,
        ("check", "failed" | "crash-looping") => Said::Failed,
        ("check", "active") => Said::Alive(None),
        ("check", "starting" | "activating") => Said::Starting,
        ("check", _) => Said::Other,
        _ => return None,
    })
}

/// Whom a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The gateway, in whichever manager it is.
    Gateway,
    /// The patient of that number.
    Unit(usize),
}

/// The six verdicts of claw-health. One that lives is never restarted, whatever it cannot do.
pub(crate) fn of_gateway(state: &str, uptime: Option<f64>) -> Said {
    match state {
        "hung" => Said::Hung,
        "dead" => Said::Dead,
        "ready" | "degraded" | "useless" => Said::Alive(uptime),
        _ => Said::Starting,
    }
}

#[cfg(test)]
mod tests {
    use claw_record::Source;
    use serde_json::json;

    use super::*;
    use crate::patient::patients;

    fn record(event: &str, subject: &str, status: Status, data: Value) -> Record {
        let mut record = Source::on("t", "here".into()).record(event, subject, status, "m");
        record.data = data.as_object().cloned().unwrap_or_default();
        record
    }

    #[test]
    fn m7_an_agent_in_trouble_is_known_by_its_name_and_nothing_else() {
        let hung = json!({"state": "hung", "unit": "system/sshd.service"});
        for (record, expected) in [
            (record("check", "agent:x", Status::Fail, hung.clone()), Some("x")),
            (record("crash", "unit:user/claw-agent-x.service", Status::Fail, json!({})), Some("x")),
            (record("check", "agent:x", Status::Fail, json!({})), None),
            (record("check", "agent:x", Status::Warn, hung.clone()), None),
            (record("restart", "agent:x", Status::Fail, hung.clone()), None),
            (record("check", "agent:system/x", Status::Fail, hung.clone()), None),
            (record("check", "agent:x;reboot", Status::Fail, hung.clone()), None),
            (record("check", "unit:system/claw-agent-x.service", Status::Fail, hung.clone()), None),
            (record("check", "unit:user/sshd.service", Status::Fail, hung), None),
        ] {
            let unit = agent_in_trouble(&record, "here");
            assert_eq!(unit.as_ref().and_then(Unit::agent), expected, "{record:?}");
            assert_eq!(agent_in_trouble(&record, "elsewhere"), None);
        }
    }

    #[test]
    fn only_what_is_about_a_named_unit_of_this_host_says_anything() {
        let patients = patients("gw", "monitor", &["user/a".parse().unwrap()]).unwrap();
        const GATEWAY: &str = "gateway:http://127.0.0.1:18789";
        let of = |state: &str| json!({"state": state, "unit_state": "active"});
        let (gateway, other) = (About::Gateway, Some((About::Unit(0), Said::Other)));
        let failed = json!({"state": "failed"});
        for (record, expected) in [
            (record("check", GATEWAY, Status::Fail, of("hung")), Some((gateway, Said::Hung))),
            (record("check", GATEWAY, Status::Fail, of("dead")), Some((gateway, Said::Dead))),
            (
                record("check", GATEWAY, Status::Warn, of("starting")),
                Some((gateway, Said::Starting)),
            ),
            (
                record("check", GATEWAY, Status::Fail, of("useless")),
                Some((gateway, Said::Alive(None))),
            ),
            (record("check", GATEWAY, Status::Fail, json!({"state": "hung"})), None),
            (
                record("check", "unit:user/gw.service", Status::Fail, failed.clone()),
                Some((About::Unit(0), Said::Failed)),
            ),
            (
                record("check", "unit:user/gw.service", Status::Warn, json!({"state": "stopped"})),
                other,
            ),
            (record("check", "unit:user/gw.service", Status::Pass, json!({})), None),
            (
                record("crash", "unit:user/a.service", Status::Fail, json!({"cause": "oom"})),
                Some((About::Unit(2), Said::Crashed(Cause::Oom))),
            ),
            (
                record("crash", "unit:user/a.service", Status::Fail, json!({"cause": "new word"})),
                Some((About::Unit(2), Said::Crashed(Cause::Dead))),
            ),
            (record("check", "agent:x", Status::Fail, of("hung")), None),
            (record("check", "unit:user/b.service", Status::Fail, failed.clone()), None),
            (record("check", "unit:system/monitor.service", Status::Fail, failed.clone()), None),
            (record("restart", "unit:user/gw.service", Status::Fail, failed.clone()), None),
            (record("check", "disk:/", Status::Fail, failed.clone()), None),
            (record("check", "unit:user/gw.service;x", Status::Fail, failed.clone()), None),
        ] {
            assert_eq!(said(&record, "here", &patients), expected, "{record:?}");
            assert_eq!(said(&record, "elsewhere", &patients), None);
        }
    }
}

//! What comes in, as a record: a record, a line of the journal, a text.

use claw_record::{Record, Severity, Source, Status};
use serde_json::Value;
use time::OffsetDateTime;

use crate::text;

/// The line of `journalctl -o json` as a record; nothing where it is none.
pub(crate) fn journal(line: &[u8], source: &Source) -> Option<Record> {
    let fields: serde_json::Map<String, Value> = serde_json::from_slice(line).ok()?;
    // A field that the log had more than once is a list.
    let field = |name: &str| match fields.get(name)? {
        Value::Array(all) => all.first()?.as_str(),
        value => value.as_str(),
    };
    let microseconds: i128 = field("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let message = message(fields.get("MESSAGE")?);
    let (status, severity) = match field("PRIORITY").unwrap_or("6") {
        "0" | "1" | "2" => (Status::Fail, Severity::Critical),
        "3" => (Status::Fail, Severity::Error),
        "4" => (Status::Warn, Severity::Warning),
        _ => (Status::Pass, Severity::Info),
    };
    let of_user = field("_SYSTEMD_USER_UNIT").or_else(|| field("USER_UNIT"));
    let of_system = field("_SYSTEMD_UNIT").or_else(|| field("UNIT"));
    let subject = match (of_user, of_system) {
        (Some(unit), _) => format!("unit:user/{unit}"),
        (None, Some(unit)) => format!("unit:system/{unit}"),
        (None, None) => format!(
            "log:{}",
            field("SYSLOG_IDENTIFIER").or_else(|| field("_COMM")).unwrap_or("unknown")
        ),
    };
    let mut record = source.record("log", &subject, status, &message);
    record.severity = severity;
    if let Some(host) = field("_HOSTNAME") {
        host.clone_into(&mut record.host);
    }
    if let Ok(time) = OffsetDateTime::from_unix_timestamp_nanos(microseconds * 1000) {
        record.time = time;
    }
    Some(record)
}

/// A message as the journal shows it: a text, its bytes where it is none, or a list of these.
fn message(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) if all.iter().all(Value::is_u64) => {
            let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
            let bytes: Vec<_> = all.iter().map_while(byte).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Value::Array(all) => all.iter().map(message).collect::<Vec<_>>().join("\n"),
        _ => "a message that is too long for the journal to show".to_owned(),
    }
}

/// A text of any number of lines as a record. The message is its first line; all of it stands in the
/// data.
pub(crate) fn text(bytes: &[u8], subject: &str, severity: Severity, source: &Source) -> Record {
    let whole = String::from_utf8_lossy(bytes);
    let whole = whole.trim_end();
    let status = match severity {
        Severity::Info => Status::Pass,
        Severity::Warning => Status::Warn,
        Severity::Error | Severity::Critical => Status::Fail,
    };
    const LONGEST: usize = 1000;
    let first = whole.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut record = source.record("text", subject, status, &text::cut(first.trim(), LONGEST));
    record.severity = severity;
    if whole.trim() != record.message {
        record.data.insert("text".to_owned(), whole.into());
    }
    record
}

/// All that a record says in words.
pub(crate) fn words(record: &Record) -> &str {
    match record.data.get("text") {
        Some(Value::String(text)) if record.event == "text" => text,
        _ => &record.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::on("claw-notify", "vps".into())
    }

    /// As `journalctl -o json` writes it.
    #[test]
    fn a_line_of_the_journal_is_a_record() {
        let line = br#"{"__REALTIME_TIMESTAMP":"1795403655123456","_HOSTNAME":"box","PRIORITY":"3","SYSLOG_IDENTIFIER":"node","_SYSTEMD_USER_UNIT":"openclaw-gateway.service","_SYSTEMD_UNIT":"user@1000.service","MESSAGE":"it failed","_PID":"7"}"#;
        let record = journal(line, &source()).unwrap();
        assert_eq!(
            (record.host.as_str(), record.subject.as_str(), record.message.as_str()),
            ("box", "unit:user/openclaw-gateway.service", "it failed")
        );
        assert_eq!((record.severity, record.status), (Severity::Error, Status::Fail));
        assert_eq!(record.time.unix_timestamp(), 1_795_403_655);
        let bytes = br#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":[104,105,27]}"#;
        assert_eq!(journal(bytes, &source()).unwrap().message, "hi\u{1b}");
        let lists = br#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":["x",[121]],"PRIORITY":["3","6"],"_COMM":"foo"}"#;
        let record = journal(lists, &source()).unwrap();
        assert_eq!((record.message.as_str(), record.subject.as_str()), ("x y", "log:foo"));
        assert_eq!(record.severity, Severity::Error);
        for line in [&b"{}"[..], b"[]", b"x", br#"{"MESSAGE":"x"}"#] {
            assert!(journal(line, &source()).is_none());
        }
    }

    #[test]
    fn a_text_is_one_record_with_all_of_its_lines() {
        let record = text(b"backup done\n", "text", Severity::Info, &source());
        assert_eq!((words(&record), record.data.len()), ("backup done", 0));
        assert_eq!(record.status, Status::Pass);
        let record = text(b"\none\ntwo\xff\n\n", "cron:backup", Severity::Error, &source());
        assert_eq!((record.message.as_str(), words(&record)), ("one", "\none\ntwo\u{fffd}"));
        assert_eq!(record.status, Status::Fail);
    }
}

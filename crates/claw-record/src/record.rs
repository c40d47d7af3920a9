//! The record: one fact, with a flat head that reads as a sentence and `data` for programs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// The longest line a record may be, in bytes, without its newline.
pub const LINE_LIMIT: usize = 1024 * 1024;

/// One fact about one subject. `claw-record(5)` says what each key holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it was seen; written in UTC with milliseconds.
    #[serde(with = "rfc3339")]
    pub time: OffsetDateTime,
    /// The host it was seen on.
    pub host: String,
    /// The tool that wrote it.
    pub tool: String,
    /// What kind of fact: `check`, `crash`, `restart` …
    pub event: String,
    /// What it is about, `kind:name`, the same from run to run.
    pub subject: String,
    /// How it turned out.
    pub status: Status,
    /// How loud to be about it.
    pub severity: Severity,
    /// One sentence for people, without a line break.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Measured values, with their units in the keys.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
}

/// How a fact turned out: the words of the IETF health-check draft, and `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Pass,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
    /// Nobody could find out; also any word of a later version.
    #[serde(other)]
    Unknown,
}

/// How loud a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// A status report or a recovery.
    Info,
    /// A failed health check or trouble with performance.
    Warning,
    /// A process crashed, or something is down that must be up.
    Critical,
    /// A failed operation; also any word of a later version, so that it is heard.
    #[serde(other)]
    Error,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "fail",
            Status::Unknown => "unknown",
        })
    }
}

/// Where records come from: the tool and the host that stand in each of them.
#[derive(Clone, Debug)]
pub struct Source {
    tool: &'static str,
    host: String,
}

impl Source {
    /// A source on this host.
    pub fn new(tool: &'static str) -> Self {
        let name = nix::unistd::gethostname().unwrap_or_default();
        Self::on(tool, name.to_string_lossy().into_owned())
    }

    /// A source on a host of the given name.
    pub fn on(tool: &'static str, host: String) -> Self {
        Self { tool, host }
    }

    /// A record of this moment, with the severity that its status has by default.
    pub fn record(&self, event: &str, subject: &str, status: Status, message: &str) -> Record {
        Record {
            time: OffsetDateTime::now_utc(),
            host: self.host.clone(),
            tool: self.tool.to_owned(),
            event: event.to_owned(),
            subject: one_line(subject),
            status,
            severity: Severity::of(status),
            message: one_line(message),
            remedy: None,
            data: Map::new(),
        }
    }
}

impl Severity {
    /// The severity of a status that says nothing more.
    pub fn of(status: Status) -> Self {
        match status {
            Status::Pass => Severity::Info,
            Status::Warn | Status::Unknown => Severity::Warning,
            Status::Fail => Severity::Error,
        }
    }
}

impl Record {
    /// The record as its line, newline included, never longer than a line may be.
    ///
    /// What makes a record too long is its data: it is left out, and its size told in its place.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = self.serialized();
        if line.len() > LINE_LIMIT {
            let omitted = serde_json::to_string(&self.data).map_or(0, |data| data.len());
            let mut short = self.clone();
            short.data = Map::from_iter([("omitted_bytes".to_owned(), omitted.into())]);
            for text in [&mut short.subject, &mut short.message, &mut short.host, &mut short.event]
            {
                cut(text);
            }
            short.remedy.as_mut().map(cut);
            line = short.serialized();
        }
        line.push(b'\n');
        line
    }

    fn serialized(&self) -> Vec<u8> {
        // Strings, numbers and maps with string keys always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Cuts a text to a length that leaves a record far below the limit of its line.
fn cut(text: &mut String) {
    const LONGEST_BYTES: usize = 16 * 1024;
    if text.len() > LONGEST_BYTES {
        let end = (0..=LONGEST_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

/// The text on one line: line breaks become spaces, as the format asks of a message.
fn one_line(text: &str) -> String {
    if text.contains(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']) {
        text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        text.to_owned()
    }
}

/// Time as RFC 3339, in UTC with milliseconds when written, in any offset when read.
mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser};
    use time::format_description::well_known::Rfc3339;
    use time::macros::format_description;
    use time::{OffsetDateTime, UtcOffset};

    pub(super) fn serialize<S: Serializer>(
        time: &OffsetDateTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let milliseconds = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let text =
            time.to_offset(UtcOffset::UTC).format(milliseconds).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| D::Error::custom("time is not RFC 3339"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each value prints to its line, and each line reads back to its value.
    #[test]
    fn the_golden_lines_hold_both_ways() {
        for line in include_str!("../golden/records.jsonl").lines() {
            let record: Record = serde_json::from_str(line).expect(line);
            assert_eq!(String::from_utf8(record.to_line()).unwrap(), format!("{line}\n"));
        }
    }

    /// What becomes of lines that are not quite what this version writes.
    #[test]
    fn the_odd_lines_read_as_golden_says() {
        let cases = include_str!("../golden/odd.txt").split("\n\n");
        for case in cases.filter(|case| !case.trim().is_empty()) {
            let [what, line, reads]: [&str; 3] =
                case.trim().split('\n').collect::<Vec<_>>().try_into().expect(case);
            let read = match serde_json::from_str::<Record>(line) {
                Ok(record) => {
                    let severity = serde_json::json!(record.severity);
                    format!("{} {severity} {}", record.status, record.subject)
                }
                Err(error) => crate::read::reason(&error),
            };
            assert_eq!(format!("=> {read}"), reads, "{what}\n{line}");
        }
    }

    #[test]
    fn a_record_that_would_be_too_long_is_written_without_its_data() {
        let mut record =
            Source::on("t", "h".into()).record("e", "s", Status::Pass, &"m".repeat(LINE_LIMIT));
        record.data.insert("text".into(), "x".repeat(LINE_LIMIT).into());
        let line = record.to_line();
        assert!(line.len() <= LINE_LIMIT);
        let back: Record = serde_json::from_slice(&line).unwrap();
        assert_eq!(back.data["omitted_bytes"], LINE_LIMIT + 11);
    }

    #[test]
    fn a_message_stays_on_one_line() {
        let record =
            Source::on("t", "h".into()).record("e", "s", Status::Pass, "a\r\n b\u{2028}c\n");
        assert_eq!(record.message, "a b c");
    }
}

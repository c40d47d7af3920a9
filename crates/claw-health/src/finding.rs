//! What a check found: a record that does not yet know its time and its host.

use claw_record::{Record, Severity, Source, Status};
use serde_json::{Map, Number, Value};

use crate::remedy::typed;

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) subject: String,
    pub(crate) status: Status,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) data: Map<String, Value>,
    /// Is it a fact, which no later look has to confirm, where it is a failure?
    pub(crate) is_sure: bool,
}

/// A number that was measured, with its unit in its key (`used_percent`) and its limits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measure {
    /// What was measured and its unit: `_percent`, `_bytes`, `_seconds`, `_days`, `_count`, or
    /// `_total` for what only grows.
    pub(crate) key: &'static str,
    pub(crate) value: f64,
    pub(crate) warn: Option<f64>,
    pub(crate) fail: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Finding {
    fn new(subject: impl Into<String>, status: Status, message: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            status,
            severity: Severity::of(status),
            message: message.into(),
            remedy: None,
            measures: Vec::new(),
            data: Map::new(),
            is_sure: false,
        }
    }

    /// All is well.
    pub(crate) fn pass(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, Status::Pass, message)
    }

    /// Somebody should look at it.
    pub(crate) fn warn(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, Status::Warn, message)
    }

    /// It does not work.
    pub(crate) fn fail(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(subject, Status::Fail, message)
    }

    /// Something is down that must be up.
    pub(crate) fn critical(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Critical, ..Self::new(subject, Status::Fail, message) }
    }

    /// It could not be found out, and why.
    pub(crate) fn unknown(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(subject, Status::Unknown, reason)
    }

    /// A finding whose status a limit decided.
    pub(crate) fn judged(
        status: Status,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(subject, status, message)
    }

    /// What to do about it.
    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// With a number that was measured.
    pub(crate) fn measure(mut self, measure: Measure) -> Self {
        self.measures.push(measure);
        self
    }

    /// With anything else that programs may want to know.
    pub(crate) fn note(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// All that a person reads of it, for tests to compare at once.
    #[cfg(test)]
    pub(crate) fn line(&self) -> String {
        let remedy = self.remedy.iter().map(|remedy| format!(" > {remedy}")).collect::<String>();
        let severity = serde_json::to_value(self.severity).unwrap_or_default();
        let severity = severity.as_str().unwrap_or_default();
        format!("{} {severity} {}{remedy}", self.status, self.message)
    }

    /// Is all well?
    pub(crate) fn passes(&self) -> bool {
        self.status == Status::Pass
    }

    /// The record of the finding.
    pub(crate) fn record(&self, source: &Source) -> Record {
        let mut record = source.record("check", &self.subject, self.status, &self.message);
        record.severity = self.severity;
        record.remedy = self.remedy.as_deref().map(typed);
        record.data = self.data.clone();
        for measure in &self.measures {
            record.data.insert(measure.key.to_owned(), number(measure.value));
            for (word, limit) in [("warn", measure.warn), ("fail", measure.fail)] {
                if let Some(limit) = limit {
                    record.data.insert(measure.limit_key(word), number(limit));
                }
            }
        }
        record
    }
}

impl Measure {
    /// A number without limits.
    pub(crate) fn new(key: &'static str, value: f64) -> Self {
        Self { key, value, warn: None, fail: None, max: None }
    }

    /// A percentage, of 100.
    pub(crate) fn percent(key: &'static str, value: f64) -> Self {
        Self { max: Some(100.0), ..Self::new(key, value) }
    }

    /// With the limit from which on it is worth a look.
    pub(crate) fn warn_at(self, limit: f64) -> Self {
        Self { warn: Some(limit), ..self }
    }

    /// With the limit from which on it does not work.
    pub(crate) fn fail_at(self, limit: f64) -> Self {
        Self { fail: Some(limit), ..self }
    }

    /// What the limits say of the value, where more is worse.
    pub(crate) fn status(&self) -> Status {
        let reached = |limit: Option<f64>| limit.is_some_and(|limit| self.value >= limit);
        if reached(self.fail) {
            Status::Fail
        } else if reached(self.warn) {
            Status::Warn
        } else {
            Status::Pass
        }
    }

    /// The limit to speak of: the one that was reached, or else the first one.
    pub(crate) fn limit(&self) -> f64 {
        let limit = if self.status() == Status::Fail { self.fail } else { self.warn.or(self.fail) };
        limit.unwrap_or(f64::INFINITY)
    }

    /// `used_percent` and `warn` make `used_warn_percent`: the unit stays at the end.
    fn limit_key(&self, word: &str) -> String {
        match self.key.rsplit_once('_') {
            Some((name, unit)) => format!("{name}_{word}_{unit}"),
            None => format!("{}_{word}", self.key),
        }
    }
}

/// The worse of two: fail, then warn, then unknown, then pass.
pub(crate) fn worse(one: Status, other: Status) -> Status {
    [Status::Fail, Status::Warn, Status::Unknown, Status::Pass]
        .into_iter()
        .find(|&status| one == status || other == status)
        .unwrap_or(Status::Pass)
}

/// A number as JSON: whole where it is whole, otherwise with three decimals at most, or six where
/// it is as small as the time to connect to a neighbour.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        Value::from(value as i64)
    } else {
        let scale = if value.abs() < 0.1 { 1e6 } else { 1e3 };
        Number::from_f64((value * scale).round() / scale).map_or(Value::Null, Value::Number)
    }
}

/// Bytes as people read them, in the units of `df -H`: 1 GB is 10⁹ bytes.
pub(crate) fn bytes(count: f64) -> String {
    let mut rest = count;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if rest < 1000.0 {
            let digits = usize::from(unit != "B");
            return format!("{rest:.digits$} {unit}");
        }
        rest /= 1000.0;
    }
    format!("{rest:.1} PB")
}

/// A span of time as people read it: its two largest units.
pub(crate) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let parts = [
        (whole / 86_400, "d"),
        (whole / 3600 % 24, "h"),
        (whole / 60 % 60, "min"),
        (whole % 60, "s"),
    ];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let two = parts[first..]
        .iter()
        .take(2)
        .filter(|(count, unit)| *count > 0 || *unit == "s" && whole == 0);
    two.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_stands_in_the_data_with_its_limits() {
        let finding = Finding::warn("disk:/", "81.25 % used")
            .measure(Measure::percent("used_percent", 81.25).warn_at(80.0).fail_at(95.0))
            .note("mount", "/");
        let record = finding.record(&Source::on("claw-health", "h".into()));
        assert_eq!(
            Value::Object(record.data),
            serde_json::json!({"mount": "/", "used_percent": 81.25, "used_warn_percent": 80, "used_fail_percent": 95})
        );
    }

    #[test]
    fn a_limit_is_reached_at_its_very_value() {
        let at =
            |value| Measure::percent("used_percent", value).warn_at(80.0).fail_at(95.0).status();
        assert_eq!([at(79.9), at(80.0), at(95.0)], [Status::Pass, Status::Warn, Status::Fail]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [bytes(0.0), bytes(999.0), bytes(1500.0), bytes(252e9)],
            ["0 B", "999 B", "1.5 kB", "252.0 GB"]
        );
        assert_eq!(
            [span(0.0), span(61.0), span(3600.0), span(200_000.0)],
            ["0 s", "1 min 1 s", "1 h", "2 d 7 h"]
        );
    }
}

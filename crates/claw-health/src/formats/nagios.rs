//! One line and performance data, as the Monitoring Plugins Development Guidelines ask for it.

use claw_record::Status;
use serde_json::Value;

use crate::finding::{Finding, Measure};

/// The exit status of a plug-in.
pub(super) fn exit_status(worst: Status) -> u8 {
    match worst {
        Status::Pass => 0,
        Status::Warn => 1,
        Status::Fail => 2,
        Status::Unknown => 3,
    }
}

/// The first line says the worst of it and holds the performance data; the findings that do not
/// pass follow, a line each, and those that do unless only failing ones were asked for.
pub(super) fn text(
    worst: Status,
    counts: [usize; 4],
    findings: &[(&'static str, Finding)],
    failing: bool,
) -> String {
    let word = word(worst);
    let first = findings.iter().map(|(_, finding)| finding).find(|finding| finding.status == worst);
    let told = match first {
        Some(finding) if worst != Status::Pass => line(finding),
        _ => "all is well".to_owned(),
    };
    let mut text = format!("CLAW {word} - {} ({})", told, super::tally(counts));
    let data: Vec<_> = findings.iter().flat_map(|(_, finding)| performance(finding)).collect();
    if !data.is_empty() {
        text.push_str(" | ");
        text.push_str(&data.join(" "));
    }
    text.push('\n');
    for (_, finding) in findings {
        if !(failing && finding.passes()) {
            text.push_str(&format!("{} {}\n", self::word(finding.status), line(finding)));
        }
    }
    text
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "OK",
        Status::Warn => "WARNING",
        Status::Fail => "CRITICAL",
        Status::Unknown => "UNKNOWN",
    }
}

/// A pipe would begin the performance data.
fn line(finding: &Finding) -> String {
    claw_record::shown(&format!("{}: {}", finding.subject, finding.message)).replace('|', "/")
}

/// `'label'=value[unit];warn;fail;min;max`: what was measured, and what a plug-in gave itself.
fn performance(finding: &Finding) -> impl Iterator<Item = String> {
    let label = |name: &str| {
        let label = format!("{} {name}", finding.subject);
        claw_record::shown(&label).replace(['\'', '=', '|'], "_")
    };
    let measured = finding.measures.iter().map(move |measure| {
        let (name, unit) = unit(measure);
        let limit = |limit: Option<f64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        let text = format!(
            "'{}'={}{unit};{};{};0;{}",
            label(name),
            rounded(measure.value),
            limit(measure.warn),
            limit(measure.fail),
            limit(measure.max)
        );
        text.trim_end_matches(';').to_owned()
    });
    let items = finding.data.get("performance").and_then(Value::as_array);
    let given = items.into_iter().flatten().filter_map(move |item| {
        let text = |key: &str| match &item[key] {
            Value::String(text) => claw_record::shown(text).replace([' ', '\'', '|', ';'], "_"),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let label = label(item["label"].as_str()?);
        let value = item["value"].as_f64()?;
        let limits = ["warn", "fail", "min", "max"].map(text).join(";");
        let text = format!("'{label}'={value}{};{limits}", text("unit"));
        Some(text.trim_end_matches(';').to_owned())
    });
    measured.chain(given)
}

/// The key without its unit, and the unit as plug-ins write it.
fn unit(measure: &Measure) -> (&str, &'static str) {
    for (suffix, unit) in [("_percent", "%"), ("_bytes", "B"), ("_seconds", "s"), ("_total", "c")] {
        if let Some(name) = measure.key.strip_suffix(suffix) {
            return (name, unit);
        }
    }
    (measure.key, "")
}

fn rounded(value: f64) -> f64 {
    (value * 1_000_000.0).round() / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_that_of_a_plug_in() {
        let full = Finding::warn("disk:/", "81 % | used")
            .measure(Measure::percent("used_percent", 81.25).warn_at(80.0).fail_at(95.0));
        let memory = Finding::pass("memory", "fine").measure(Measure::new("free_bytes", 5e9));
        assert_eq!(
            text(Status::Warn, [1, 1, 0, 0], &[("disk", full), ("memory", memory)], true),
            "CLAW WARNING - disk:/: 81 % / used (1 warn, 1 pass) | 'disk:/ used'=81.25%;80;95;0;100 'memory free'=5000000000B;;;0\n\
             WARNING disk:/: 81 % / used\n"
        );
        assert_eq!(text(Status::Pass, [0; 4], &[], false), "CLAW OK - all is well (0 pass)\n");
    }
}

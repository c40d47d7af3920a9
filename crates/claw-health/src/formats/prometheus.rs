//! Metrics, in OpenMetrics text and in the classic Prometheus text.
//!
//! Neither carries time stamps: node_exporter skips a whole file that has one.

use std::collections::BTreeMap;
use std::fmt::Write;

use claw_record::Status;
use serde_json::Value;
use time::OffsetDateTime;

use crate::finding::{Finding, Measure};

/// Which of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenMetrics 1.0: counters are declared without `_total`, and `# EOF` ends the text.
    Open,
    /// The classic text format 0.0.4.
    Classic,
}

/// A family: its kind, its one line of help, and its samples.
#[derive(Default)]
struct Family {
    counter: bool,
    help: String,
    samples: Vec<(String, f64)>,
}

impl Family {
    /// Adds a sample, unless the same subject was looked at before: twice, it would cost the reader
    /// all of the text.
    fn add(&mut self, labels: String, value: f64) {
        if !self.samples.iter().any(|(known, _)| *known == labels) {
            self.samples.push((labels, value));
        }
    }
}

/// The performance data of a plug-in as samples.
fn plugin_values(finding: &Finding, subject: &str) -> Vec<(String, f64)> {
    let items = finding.data.get("performance").and_then(Value::as_array);
    let sample = |item: &Value| {
        let text = |key: &str| escaped(item[key].as_str().unwrap_or_default());
        let (label, unit) = (text("label"), text("unit"));
        let labels = format!("{{subject=\"{subject}\",label=\"{label}\",unit=\"{unit}\"}}");
        Some((labels, item["value"].as_f64()?))
    };
    items.into_iter().flatten().filter_map(sample).collect()
}

/// All findings as metrics, the samples of a family together.
pub(super) fn text(findings: &[(&'static str, Finding)], dialect: Dialect) -> String {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for (check, finding) in findings {
        let subject = escaped(&finding.subject);
        let status = families.entry("claw_health_status".to_owned()).or_insert_with(|| Family {
            help: "How the check turned out: 0 pass, 1 warn, 2 fail, 3 unknown.".to_owned(),
            ..Family::default()
        });
        let labels = format!("{{check=\"{check}\",subject=\"{subject}\"}}");
        status.add(labels, f64::from(code(finding.status)));
        for (labels, value) in plugin_values(finding, &subject) {
            let family =
                families.entry(format!("claw_{check}_performance")).or_insert_with(|| Family {
                    help: "What plug-ins gave as performance data.".to_owned(),
                    ..Family::default()
                });
            family.add(labels, value);
        }
        for measure in &finding.measures {
            let family = families.entry(name(check, measure)).or_insert_with(|| Family {
                counter: measure.key.ends_with("_total"),
                help: format!("What the {check} check of claw-health measured."),
                ..Family::default()
            });
            family.add(format!("{{subject=\"{subject}\"}}"), measure.value);
        }
    }
    families.insert(
        "claw_health_last_look_timestamp_seconds".to_owned(),
        Family {
            help: "When claw-health last looked, in seconds since 1970.".to_owned(),
            samples: vec![(String::new(), OffsetDateTime::now_utc().unix_timestamp() as f64)],
            ..Family::default()
        },
    );
    let mut text = String::new();
    for (name, family) in &families {
        let declared = match dialect {
            Dialect::Open => name.strip_suffix("_total").unwrap_or(name),
            Dialect::Classic => name,
        };
        let kind = if family.counter { "counter" } else { "gauge" };
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {declared} {}\n# TYPE {declared} {kind}", family.help);
        for (labels, value) in &family.samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    if dialect == Dialect::Open {
        text.push_str("# EOF\n");
    }
    text
}

fn code(status: Status) -> u8 {
    super::nagios::exit_status(status)
}

/// `claw_disk_used_percent`; a name that ends in `_count` would be taken for part of a histogram.
fn name(check: &str, measure: &Measure) -> String {
    let key = measure.key.strip_suffix("_count").unwrap_or(measure.key);
    format!("claw_{}_{key}", check.replace('-', "_"))
}

/// A label value: only the backslash, the quote and the line break need an escape; control
/// characters are shown first, so that no line break is left.
fn escaped(text: &str) -> String {
    claw_record::shown(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<(&'static str, Finding)> {
        vec![
            (
                "disk",
                Finding::warn("disk:/a\"b\\", "x").measure(Measure::percent("used_percent", 81.5)),
            ),
            ("disk", Finding::pass("disk:/", "x").measure(Measure::percent("used_percent", 10.0))),
            ("oom", Finding::pass("oom", "x").measure(Measure::new("kills_total", 3.0))),
        ]
    }

    fn without_time(text: &str) -> String {
        text.lines()
            .filter(|line| !line.contains("timestamp"))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    #[test]
    fn families_stand_together_in_the_classic_text() {
        assert_eq!(
            without_time(&text(&findings(), Dialect::Classic)),
            r#"# HELP claw_disk_used_percent What the disk check of claw-health measured.
# TYPE claw_disk_used_percent gauge
claw_disk_used_percent{subject="disk:/a\"b\\"} 81.5
claw_disk_used_percent{subject="disk:/"} 10
# HELP claw_health_status How the check turned out: 0 pass, 1 warn, 2 fail, 3 unknown.
# TYPE claw_health_status gauge
claw_health_status{check="disk",subject="disk:/a\"b\\"} 1
claw_health_status{check="disk",subject="disk:/"} 0
claw_health_status{check="oom",subject="oom"} 0
# HELP claw_oom_kills_total What the oom check of claw-health measured.
# TYPE claw_oom_kills_total counter
claw_oom_kills_total{subject="oom"} 3
"#
        );
    }

    #[test]
    fn openmetrics_declares_a_counter_without_total_and_ends() {
        let text = text(&findings(), Dialect::Open);
        assert!(
            text.contains(
                "# TYPE claw_oom_kills counter\nclaw_oom_kills_total{subject=\"oom\"} 3\n"
            )
        );
        assert!(text.ends_with("# EOF\n"));
    }
}

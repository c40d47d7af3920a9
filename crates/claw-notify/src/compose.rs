//! From incidents to words.

use std::fmt::Write;

use claw_record::{Record, Severity, Source, Status};

use crate::clock::{rfc3339, wall};
use crate::fact::Fact;
use crate::flood::Flood;
use crate::incident::{Incident, News, loudness};
use crate::message::Body;
use crate::spool::Ids;
use crate::text::{self, shown};

/// The sign of a severity in a chat.
pub(crate) fn emoji(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "🚨",
        Severity::Error => "🔴",
        Severity::Warning => "🟡",
        Severity::Info => "🔵",
    }
}

/// The sign of what is well again.
const WELL: &str = "🟢";

pub(crate) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Info => "INFO",
    }
}

/// One incident, as it is told under these ids.
pub(crate) fn incident(incident: &Incident, news: News, ids: &Ids, source: &Source) -> Body {
    let Incident { worst, last, .. } = incident;
    let lasted = claw_record::shown_span(seconds(last.time - incident.began));
    let heard = time_of_day(last.time);
    let (sign, head) = match news {
        News::Opened | News::Worse | News::Again | News::CameAndWent => {
            (emoji(worst.severity), word(worst.severity).to_owned())
        }
        News::Lasts => (emoji(worst.severity), format!("{} still", word(worst.severity))),
        News::Over => (WELL, "well again".to_owned()),
        News::Flapping => (emoji(worst.severity), format!("{} flapping", word(worst.severity))),
        News::Settled if incident.is_over => (WELL, "settled, and well".to_owned()),
        News::Settled => (emoji(worst.severity), format!("{} for good", word(worst.severity))),
        News::Note => (emoji(last.severity), word(last.severity).to_owned()),
    };
    let title = format!("{sign} {head}: {} on {}", incident.subject, incident.host);
    let mut lines = vec![title.clone()];
    match news {
        News::Opened | News::Worse => say(&mut lines, worst),
        News::CameAndWent => {
            say(&mut lines, worst);
            lines.push(format!("{WELL} over after {lasted}: {}", last.words()));
        }
        News::Lasts => {
            say(&mut lines, last);
            let since = rfc3339(incident.began);
            lines.push(format!("since {since}, heard of last at {heard}"));
        }
        News::Over => lines.push(format!("after {lasted}: {}", last.words())),
        News::Flapping => {
            say(&mut lines, worst);
            let often = incident.openings.len();
            lines.push(format!("it came {often} times; the next word is when it has settled"));
        }
        News::Again | News::Settled | News::Note => say(&mut lines, last),
    }
    if incident.untold_count > 1 {
        lines.push(format!("{} records, {} in all", incident.untold_count, incident.count));
    }
    lines.push(ids.to_string());
    let severity = severity(incident, news);
    let status = if incident.is_over { Status::Pass } else { last.status };
    let message = lines[1..].join("; ");
    let mut record = source.record("alert", &incident.subject, status, &message);
    let fact = if status == Status::Pass { last } else { worst };
    record.remedy.clone_from(&fact.remedy);
    record.data.insert("tool".to_owned(), fact.tool.as_str().into());
    record.data.insert("event".to_owned(), fact.event.as_str().into());
    let record = finish(record, &incident.host, severity, ids, incident.untold_count);
    Body::Words { title: shown(&title), text: shown(&lines.join("\n")), record }
}

/// How loud that news of an incident is.
pub(crate) fn severity(incident: &Incident, news: News) -> Severity {
    match news {
        News::Over => Severity::Info,
        News::Settled if incident.is_over => Severity::Info,
        News::Note => incident.last.severity,
        _ => incident.worst.severity,
    }
}

/// How loud the loudest of many is.
pub(crate) fn worst(incidents: &[(&Incident, News)], flood: Option<&Flood>) -> Severity {
    let each = incidents.iter().map(|(incident, news)| severity(incident, *news));
    let all = each.chain(flood.map(|flood| flood.worst.severity));
    all.max_by_key(|it| loudness(*it)).unwrap_or(Severity::Info)
}

/// A record by itself.
pub(crate) fn record(record: &Record, ids: &Ids) -> Body {
    let (title, text) = words(record, &ids.to_string());
    let mut line = String::from_utf8_lossy(&record.to_line()).into_owned();
    line.truncate(line.trim_end().len());
    Body::Words { title, text, record: line }
}

/// Title and text of a record by itself.
pub(crate) fn words(record: &Record, ids: &str) -> (String, String) {
    let word = word(record.severity);
    let [subject, host] = [&record.subject, &record.host].map(|name| claw_record::shown(name));
    let title = format!("{} {word}: {subject} on {host}", emoji(record.severity));
    let remedy = record
        .remedy
        .as_ref()
        .map_or_else(String::new, |it| format!("\n→ {}", claw_record::shown(it)));
    let message = text::cut(&text::told(record), text::LONGEST);
    let text = format!("{title}\n{message}{remedy}\n{ids}");
    (shown(&title), shown(&text))
}

fn say(lines: &mut Vec<String>, fact: &Fact) {
    lines.push(fact.words());
    if let Some(remedy) = &fact.remedy {
        lines.push(format!("→ {remedy}"));
    }
}

/// Incidents as Alertmanager has them: what names them in labels, what is said in annotations.
pub(crate) fn alerts(incidents: &[(&Incident, News)], flood: Option<&Flood>) -> Body {
    /// Until then nothing more has to come.
    const HOLDS_SECONDS: i64 = 5 * 60;
    let alert = |(incident, _): &(&Incident, News)| {
        let fact = if incident.is_over { &incident.last } else { &incident.worst };
        let name = incident.subject.split(':').next().unwrap_or_default();
        let ends = if incident.is_over { incident.last.time } else { wall() + HOLDS_SECONDS };
        serde_json::json!({
            "labels": {
                "alertname": format!("claw-{name}"), "instance": incident.host,
                "subject": incident.subject,
                "severity": word(incident.worst.severity).to_lowercase(),
            },
            "annotations": {
                "summary": shown(&fact.message), "description": shown(fact.remedy.as_deref().unwrap_or_default()),
                "ids": incident.untold.to_string(), "tool": fact.tool,
            },
            "startsAt": rfc3339(incident.began), "endsAt": rfc3339(ends.max(incident.began)),
        })
    };
    let more = flood.map(|flood| {
        serde_json::json!({
            "labels": { "alertname": "claw-flood", "subject": flood.subject },
            "annotations": {
                "summary": format!("{} records more: {}", flood.count, shown(&flood.worst.message)),
                "ids": flood.ids.to_string(),
            },
            "endsAt": rfc3339(wall() + HOLDS_SECONDS),
        })
    });
    let alerts: Vec<_> = incidents.iter().map(alert).chain(more).collect();
    let title = format!("{} alerts", alerts.len());
    let record = serde_json::Value::from(alerts).to_string();
    Body::Words { text: title.clone(), title, record }
}

/// Many incidents at once: how many of which severity, the worst of them by name, and how many more.
pub(crate) fn many(
    incidents: &[(&Incident, News)],
    flood: Option<&Flood>,
    (ids, count): (&Ids, u64),
    source: &Source,
) -> Body {
    const MOST_NAMED: usize = 25;
    const LONGEST_LINE: usize = 160;
    let subjects = incidents.len();
    let severity = |(incident, news): &(&Incident, News)| severity(incident, *news);
    let worst = worst(incidents, flood);
    let mut tally = [0_u64; 4];
    for entry in incidents {
        tally[usize::from(loudness(severity(entry)))] += 1;
    }
    if subjects == 0
        && let Some(flood) = flood
    {
        return many_more(flood, (ids, count), source);
    }
    let over = incidents.iter().filter(|(incident, _)| incident.is_over).count();
    let hosts: std::collections::BTreeSet<_> =
        incidents.iter().map(|(incident, _)| incident.host.as_str()).collect();
    let where_ = match hosts.first() {
        Some(host) if hosts.len() == 1 => format!("on {host}"),
        _ => format!("on {} hosts", hosts.len()),
    };
    let title = format!("{} {count} records about {subjects} subjects {where_}", emoji(worst));
    let mut text = title.clone();
    let words = [Severity::Critical, Severity::Error, Severity::Warning, Severity::Info];
    let tally: Vec<_> = words
        .iter()
        .map(|severity| (tally[usize::from(loudness(*severity))], word(*severity)))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    // Writing to a string does not fail.
    let _ = write!(text, "\n{}; {over} of them over", tally.join(", "));
    let mut loudest: Vec<_> = incidents.iter().collect();
    loudest.sort_by_key(|entry| std::cmp::Reverse(loudness(severity(entry))));
    for entry @ (incident, _) in loudest.iter().take(MOST_NAMED) {
        let sign = if incident.is_over { WELL } else { emoji(severity(entry)) };
        let fact = if incident.is_over { &incident.last } else { &incident.worst };
        let line = format!("{sign} {}: {}", incident.subject, fact.message);
        let _ = write!(text, "\n{}", text::cut(&line, LONGEST_LINE));
    }
    if subjects > MOST_NAMED {
        let _ = write!(text, "\nand {} subjects more", subjects - MOST_NAMED);
    }
    if let Some(flood) = flood {
        let worst = &flood.worst;
        let line = format!(
            "{} and {} records more, of subjects that are not counted apart; the worst: {}: {}",
            emoji(worst.severity),
            flood.count,
            flood.subject,
            worst.message
        );
        let _ = write!(text, "\n{}", text::cut(&line, 2 * LONGEST_LINE));
    }
    let _ = write!(text, "\n{ids}");
    let status = if over == subjects && flood.is_none() { Status::Pass } else { Status::Fail };
    let record = source.record("alert", &format!("incidents:{subjects}"), status, &title);
    let record = finish(record, "", worst, ids, count);
    Body::Words { title: shown(&title), text: shown(&text), record }
}

/// Records of subjects that are not followed one by one, and nothing else.
fn many_more(flood: &Flood, (ids, count): (&Ids, u64), source: &Source) -> Body {
    let Flood { worst, subject, .. } = flood;
    let records = if count == 1 { "record" } else { "records" };
    let title = format!("{} {count} {records} beyond all that is followed", emoji(worst.severity));
    let text = format!("{title}; the worst: {subject}: {}\n{ids}", worst.words());
    let record = source.record("alert", "incidents:more", Status::Fail, &title);
    let record = finish(record, "", worst.severity, ids, count);
    Body::Words { title: shown(&title), text: shown(&text), record }
}

fn finish(mut record: Record, host: &str, severity: Severity, ids: &Ids, count: u64) -> String {
    if !host.is_empty() {
        host.clone_into(&mut record.host);
    }
    record.severity = severity;
    record.data.insert("ids".to_owned(), ids.to_string().into());
    record.data.insert("records_total".to_owned(), count.into());
    let mut line = String::from_utf8_lossy(&record.to_line()).into_owned();
    line.truncate(line.trim_end().len());
    line
}

fn seconds(seconds: i64) -> std::time::Duration {
    std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn time_of_day(wall: i64) -> String {
    rfc3339(wall).split_once('T').map_or_else(String::new, |(_, time)| time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Rules;
    use crate::spool::Id;

    fn fact(index: u32, status: Status, severity: Severity, message: &str) -> Fact {
        Fact {
            id: Id { segment: 12, index },
            time: 1_795_403_655 + i64::from(index) * 60,
            tool: "claw-health".into(),
            event: "check".into(),
            status,
            severity,
            message: message.into(),
            more: 0,
            remedy: None,
        }
    }

    fn words(body: Body) -> String {
        match body {
            Body::Words { text, record, .. } => {
                let record: serde_json::Value = serde_json::from_str(&record).unwrap();
                assert_eq!(record["event"], "alert");
                text
            }
            Body::Stored { .. } => panic!("no words"),
        }
    }

    fn source() -> Source {
        Source::on("claw-notify", "vps".into())
    }

    #[test]
    fn an_incident_reads_as_people_need_it() {
        let mut down = fact(1, Status::Fail, Severity::Critical, "it \x1b[1mfailed\u{202e}");
        down.remedy = Some("look".into());
        let mut it = Incident::open("vps".into(), "unit:user/x".into(), down, 0);
        assert_eq!(
            words(incident(&it, News::Opened, &it.untold, &source())),
            "🚨 CRITICAL: unit:user/x on vps\nit \\u{1b}[1mfailed\\u{202e}\n→ look\n#12.1"
        );
        it.tell(News::Opened, 1, 0);
        it.hear(fact(2, Status::Fail, Severity::Error, "again"), 1, &Rules::default());
        it.hear(fact(3, Status::Pass, Severity::Info, "active"), 2, &Rules::default());
        assert_eq!(
            words(incident(&it, News::Over, &it.untold, &source())),
            "🟢 well again: unit:user/x on vps\nafter 2 min: active\n2 records, 3 in all\n#12.2-3"
        );
    }

    #[test]
    fn many_are_counted_and_the_worst_are_named() {
        let all: Vec<_> = (1..=40)
            .map(|index| {
                let severity = if index == 30 { Severity::Critical } else { Severity::Warning };
                let fact = fact(index, Status::Warn, severity, "full");
                Incident::open("vps".into(), format!("disk:/{index}"), fact, 0)
            })
            .collect();
        let all: Vec<_> = all.iter().map(|incident| (incident, News::Opened)).collect();
        let mut ids = Ids::default();
        all.iter().for_each(|(incident, _)| ids.add_all(&incident.untold, 100));
        let text = words(many(&all, None, (&ids, 40), &source()));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "🚨 40 records about 40 subjects on vps");
        assert_eq!(lines[1], "1 CRITICAL, 39 WARNING; 0 of them over");
        assert_eq!(lines[2], "🚨 disk:/30: full");
        assert_eq!(lines[26], "🟡 disk:/24: full");
        assert_eq!(lines[27..], ["and 15 subjects more", "#12.1-40"]);
        assert!(text::units(&text) < 4096);
    }
}

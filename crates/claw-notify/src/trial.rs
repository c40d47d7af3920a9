//! What is sent to find out whether a target works.

use claw_record::{Record, Source, Status};

use crate::channels::{Channel, Takes};
use crate::clock::{rfc3339, wall};
use crate::compose;
use crate::message::Body;

/// The words of a trial; for a program that takes alerts one that is over as it begins.
pub(crate) fn body(channel: &Channel, ids: &str, source: &Source) -> Body {
    let record = record(source);
    let (title, text) = compose::words(&record, ids);
    if channel.takes != Takes::Alerts {
        let mut line = String::from_utf8_lossy(&record.to_line()).into_owned();
        line.truncate(line.trim_end().len());
        return Body::Words { title, text, record: line };
    }
    let now = rfc3339(wall());
    let alert = serde_json::json!([{
        "labels": {
            "alertname": "claw-test", "instance": record.host, "subject": record.subject, "severity": "info",
        },
        "annotations": { "summary": record.message, "ids": ids },
        "startsAt": now, "endsAt": now,
    }]);
    Body::Words { title, text, record: alert.to_string() }
}

fn record(source: &Source) -> Record {
    source.record("test", "notify:test", Status::Pass, "this is a test: all is well")
}

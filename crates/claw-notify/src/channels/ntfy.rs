//! ntfy: a topic of ntfy.sh, or of a server of one's own.

use claw_record::Severity;
use serde_json::{Value, json};

use super::{Channel, Parcel, Refusal, Takes};
use crate::limits::Limit;
use crate::means::Means;
use crate::secret::without;

pub(super) const CHANNEL: Channel = Channel {
    name: "ntfy",
    about: "a topic: ntfy:TOPIC",
    takes: Takes::Incidents,
    at_once: 1,
    // 4096 bytes, of which a unit has three at most.
    longest: 1300,
    limits,
    check,
    send,
    proves: true,
};

/// As many as its public server gives in the long run are far fewer; it says so itself.
fn limits(topic: &str) -> Vec<Limit> {
    vec![Limit { key: format!("ntfy:{topic}"), count: 10, within: 10_000 }]
}

fn check(topic: &str) -> Result<(), String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if (1..=64).contains(&topic.len()) && topic.bytes().all(is_name) {
        Ok(())
    } else {
        Err("not ntfy:TOPIC, of letters, digits, _ and -".to_owned())
    }
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let token = means.ntfy_token.read_if_any().map_err(Refusal::Later)?;
    let priority = match parcel.severity {
        Severity::Critical => 5,
        Severity::Error => 4,
        Severity::Warning => 3,
        Severity::Info => 2,
    };
    let body = json!({
        "topic": parcel.address, "title": parcel.title, "message": parcel.text,
        "priority": priority,
    });
    let bearer =
        token.as_ref().map(|token| zeroize::Zeroizing::new(format!("Bearer {}", token.as_str())));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(bearer.as_ref().map(|bearer| ("authorization", bearer.as_str())));
    let answer = means.http.post(&means.ntfy_url, &headers, body.to_string().as_bytes());
    let secret = token.as_ref().map_or("", |token| token.as_str());
    let answer = answer.map_err(|why| Refusal::Later(without(&why, secret)))?;
    if !(200..300).contains(&answer.status) {
        return Err(Refusal::of(&answer).without(secret));
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match said["id"].as_str() {
        Some(id) => Ok(crate::text::cut(id, 100)),
        None => Err(Refusal::Later("it gave no id: is this ntfy?".to_owned())),
    }
}

//! Slack, by an incoming webhook: plain text, no markup.

use serde_json::json;

use super::hook::{check_file, scrub, url};
use super::{Channel, Parcel, Refusal, Takes};
use crate::limits::Limit;
use crate::means::Means;

pub(super) const CHANNEL: Channel = Channel {
    name: "slack",
    about: "an incoming webhook: slack, or slack:/FILE that holds its URL",
    takes: Takes::Incidents,
    at_once: 1,
    // What a block of plain text may hold.
    longest: 3000,
    limits,
    check: check_file,
    send,
    proves: true,
};

fn limits(address: &str) -> Vec<Limit> {
    vec![Limit { key: format!("slack:{address}"), count: 1, within: 1_050 }]
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let url = url(parcel.address, Some(&means.slack_url))?;
    let title = escaped(parcel.title);
    let text = json!({ "type": "plain_text", "text": parcel.text, "emoji": false });
    let body = json!({ "text": title, "blocks": [{ "type": "section", "text": text }] });
    let headers = [("content-type", "application/json")];
    let answer = means.http.post(&url, &headers, body.to_string().as_bytes());
    let answer = answer.map_err(Refusal::Later)?;
    match answer.status {
        200 if answer.words() == "ok" => Ok("ok".to_owned()),
        200 => Err(Refusal::Later("it did not say ok: is this Slack?".to_owned())),
        _ => Err(scrub(Refusal::of(&answer), &url)),
    }
}

/// The title is also what a phone shows, as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

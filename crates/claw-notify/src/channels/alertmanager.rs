//! Alertmanager, by its API: what lasts is sent again and again, until it is over and beyond.

use super::hook::check_url;
use super::{Channel, Parcel, Refusal, Takes, unlimited};
use crate::means::Means;

pub(super) const CHANNEL: Channel = Channel {
    name: "alertmanager",
    about: "alerts, as long as they last: alertmanager:URL",
    takes: Takes::Alerts,
    at_once: 1,
    longest: usize::MAX,
    limits: unlimited,
    check: check_url,
    send,
    proves: true,
};

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let base = super::hook::url(parcel.address, None)?;
    let url = format!("{}/api/v2/alerts", base.trim_end_matches('/'));
    let headers = [("content-type", "application/json")];
    let answer = means.http.post(&url, &headers, parcel.record.as_bytes());
    let answer = answer.map_err(Refusal::Later)?;
    match answer.status {
        200 => Ok("status 200".to_owned()),
        401 | 403 | 404 => Err(Refusal::Later(format!("status {}", answer.status))),
        _ => Err(super::hook::scrub(Refusal::of(&answer), &base)),
    }
}

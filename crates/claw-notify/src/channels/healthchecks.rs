//! healthchecks: a ping that says that all is well or is not, to a service that misses it.

use claw_record::Severity;

use super::hook::{check_file, scrub, url};
use super::{Channel, Parcel, Refusal, Takes};
use crate::limits::Limit;
use crate::means::Means;

pub(super) const CHANNEL: Channel = Channel {
    name: "healthchecks",
    about: "a ping: healthchecks, or healthchecks:/FILE that holds its URL",
    takes: Takes::Incidents,
    at_once: 1,
    // What it keeps of a body is far more.
    longest: 10_000,
    limits,
    check: check_file,
    send,
    proves: true,
};

/// It refuses more than five a minute.
fn limits(address: &str) -> Vec<Limit> {
    vec![Limit { key: format!("healthchecks:{address}"), count: 5, within: 60_500 }]
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let url = url(parcel.address, Some(&means.healthchecks_url))?;
    let end = if parcel.severity == Severity::Info { "" } else { "/fail" };
    let url = zeroize::Zeroizing::new(format!("{}{end}", url.trim_end_matches('/')));
    let headers = [("content-type", "text/plain; charset=utf-8")];
    let answer = means.http.post(&url, &headers, parcel.text.as_bytes());
    let answer = answer.map_err(Refusal::Later)?;
    match answer.status {
        200..300 => Ok(format!("status {}", answer.status)),
        _ => Err(scrub(Refusal::of(&answer), &url)),
    }
}

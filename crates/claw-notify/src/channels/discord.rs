//! Discord, by a webhook: what would be markup there is escaped.

use std::time::Duration;

use claw_record::Severity;
use serde_json::{Value, json};

use super::hook::{check_file, scrub, url};
use super::{Channel, Parcel, Refusal, Takes};
use crate::limits::Limit;
use crate::means::Means;

pub(super) const CHANNEL: Channel = Channel {
    name: "discord",
    about: "a webhook: discord, or discord:/FILE that holds its URL",
    takes: Takes::Incidents,
    at_once: 1,
    // 2000, where every character may have to be escaped.
    longest: 1000,
    limits,
    check: check_file,
    send,
    proves: true,
};

fn limits(address: &str) -> Vec<Limit> {
    vec![Limit { key: format!("discord:{address}"), count: 5, within: 2_500 }]
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    const SUPPRESS_EMBEDS: u32 = 1 << 2;
    const SUPPRESS_NOTIFICATIONS: u32 = 1 << 12;
    let url = url(parcel.address, Some(&means.discord_url))?;
    let mark = if url.contains('?') { '&' } else { '?' };
    let url = zeroize::Zeroizing::new(format!("{}{mark}wait=true", url.as_str()));
    let quiet = if parcel.severity == Severity::Info { SUPPRESS_NOTIFICATIONS } else { 0 };
    let body = json!({
        "content": escaped(parcel.text), "allowed_mentions": { "parse": [] },
        "flags": SUPPRESS_EMBEDS | quiet,
    });
    let headers = [("content-type", "application/json")];
    let answer = means.http.post(&url, &headers, body.to_string().as_bytes());
    let answer = answer.map_err(Refusal::Later)?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 429
        && let Some(seconds) = said["retry_after"].as_f64()
    {
        let wait = Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0));
        return Err(Refusal::Wait(wait.unwrap_or(Duration::from_secs(30))));
    }
    if !(200..300).contains(&answer.status) {
        return Err(scrub(Refusal::of(&answer), &url));
    }
    match said["id"].as_str() {
        Some(id) => Ok(crate::text::cut(id, 100)),
        None => Err(Refusal::Later("it gave no id: is this Discord?".to_owned())),
    }
}

/// The text with every sign escaped that Discord takes for markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if "\\*_~`|<>#-[]():@+".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_escaped_fits_and_reads_as_it_was(text in "\\PC{0,600}") {
            let escaped = escaped(&text);
            prop_assert!(crate::text::units(&escaped) <= 2 * crate::text::units(&text));
            let mut characters = escaped.chars();
            let mut read = String::new();
            while let Some(character) = characters.next() {
                read.push(if character == '\\' { characters.next().unwrap() } else { character });
            }
            prop_assert_eq!(read, text);
        }
    }
}

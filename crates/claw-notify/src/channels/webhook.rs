//! A program that listens somewhere: each record as a POST of JSON, signed where there is a secret.

use super::hook::{check_url, scrub, url};
use super::{Channel, Parcel, Refusal, Takes, unlimited};
use crate::means::Means;
use crate::secret::without;

pub(super) const CHANNEL: Channel = Channel {
    name: "webhook",
    about: "a POST of each record: webhook:URL, or webhook:/FILE that holds one",
    takes: Takes::Records,
    at_once: 8,
    longest: usize::MAX,
    limits: unlimited,
    check: check_url,
    send,
    proves: true,
};

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let url = url(parcel.address, None)?;
    let body = parcel.record.as_bytes();
    let secret = means.webhook_secret.read_if_any().map_err(Refusal::Later)?;
    let signature = match &secret {
        Some(secret) => format!("sha256={}", signature(secret.as_bytes(), body)),
        None => String::new(),
    };
    let mut headers = vec![("content-type", "application/json"), ("x-claw-id", parcel.ids)];
    if !signature.is_empty() {
        headers.push(("x-claw-signature-256", &signature));
    }
    let answer = means.http.post(&url, &headers, body);
    let answer = answer.map_err(|why| Refusal::Later(without(&why, &url)))?;
    match answer.status {
        200..300 => Ok(format!("status {}", answer.status)),
        // Of a page that is not there another one may be made.
        401 | 403 | 404 => Err(Refusal::Later(format!("status {}", answer.status))),
        _ => {
            let secret = secret.as_ref().map_or("", |secret| secret.as_str());
            Err(scrub(Refusal::of(&answer), &url).without(secret))
        }
    }
}

/// HMAC-SHA-256 in hexadecimal, as GitHub's and others' webhooks have it.
fn signature(secret: &[u8], body: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, body);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        assert_eq!(
            signature(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}

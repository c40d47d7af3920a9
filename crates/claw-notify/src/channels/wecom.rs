//! 企业微信 (WeCom), by the robot of a group.

use std::time::Duration;

use serde_json::{Value, json};

use super::hook::{check_file, scrub, url};
use super::{Channel, Parcel, Refusal, Takes};
use crate::limits::Limit;
use crate::means::Means;

pub(super) const CHANNEL: Channel = Channel {
    name: "wecom",
    about: "the robot of a group (企业微信): wecom, or wecom:/FILE that holds its URL",
    takes: Takes::Incidents,
    at_once: 1,
    // 2048 bytes, of which a unit has three at most.
    longest: 680,
    limits,
    check: check_file,
    send,
    proves: true,
};

fn limits(address: &str) -> Vec<Limit> {
    vec![Limit { key: format!("wecom:{address}"), count: 20, within: 60_500 }]
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let url = url(parcel.address, Some(&means.wecom_url))?;
    let body = json!({ "msgtype": "text", "text": { "content": parcel.text } });
    let headers = [("content-type", "application/json")];
    let answer = means.http.post(&url, &headers, body.to_string().as_bytes());
    let answer = answer.map_err(Refusal::Later)?;
    if !(200..300).contains(&answer.status) {
        return Err(scrub(Refusal::of(&answer), &url));
    }
    judge(&answer.body).map_err(|refusal| scrub(refusal, &url))
}

/// It says everything with status 200.
fn judge(body: &[u8]) -> Result<String, Refusal> {
    const BUSY: Duration = Duration::from_secs(60);
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = crate::text::cut(said["errmsg"].as_str().unwrap_or_default(), 200);
    match said["errcode"].as_i64() {
        Some(0) => Ok("errcode 0".to_owned()),
        // Too often.
        Some(45009 | 45033) => Err(Refusal::Wait(BUSY)),
        // The key of the robot is none, or the robot is gone.
        Some(code @ (93000 | 93008 | 40001 | 40014)) => {
            Err(Refusal::Target(format!("errcode {code}: {words}")))
        }
        // Too long, or empty.
        Some(code @ (40058 | 44004 | 45002)) => {
            Err(Refusal::Message(format!("errcode {code}: {words}")))
        }
        Some(code) => Err(Refusal::Later(format!("errcode {code}: {words}"))),
        None => Err(Refusal::Later("it gave no errcode: is this WeCom?".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_understood() {
        assert_eq!(judge(br#"{"errcode":0,"errmsg":"ok"}"#), Ok("errcode 0".to_owned()));
        let busy = br#"{"errcode":45009,"errmsg":"api freq out of limit"}"#;
        assert_eq!(judge(busy), Err(Refusal::Wait(Duration::from_secs(60))));
        let gone = br#"{"errcode":93000,"errmsg":"invalid webhook url"}"#;
        assert!(matches!(judge(gone), Err(Refusal::Target(_))));
        assert!(matches!(judge(b"<html>"), Err(Refusal::Later(_))));
    }
}

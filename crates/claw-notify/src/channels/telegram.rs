//! Telegram, by its Bot API as it really is: plain text, its limits, its ways to say no.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Channel, Parcel, Refusal, Takes};
use crate::http::Answer;
use crate::limits::Limit;
use crate::means::Means;
use crate::secret::without;
use claw_record::Severity;

pub(super) const CHANNEL: Channel = Channel {
    name: "telegram",
    about: "a chat: telegram:CHAT, or telegram:CHAT/THREAD for a topic",
    takes: Takes::Incidents,
    at_once: 1,
    longest: 4096,
    limits,
    check,
    send,
    proves: true,
};

/// One a second to a chat, 20 a minute to a group, 30 a second from a bot; and a little more room, as
/// the service counts by its own clock.
fn limits(address: &str) -> Vec<Limit> {
    let (chat, _) = split(address);
    let limit = |key: String, count, within| Limit { key, count, within };
    let mut limits = vec![limit(format!("telegram:{chat}"), 1, 1_050)];
    if chat.starts_with(['-', '@']) {
        limits.push(limit(format!("telegram:{chat}"), 20, 60_500));
    }
    limits.push(limit("telegram".to_owned(), 30, 1_050));
    limits
}

fn split(address: &str) -> (&str, Option<&str>) {
    address.split_once('/').map_or((address, None), |(chat, thread)| (chat, Some(thread)))
}

fn check(address: &str) -> Result<(), String> {
    let (chat, thread) = split(address);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let is_chat = is_number(chat.strip_prefix('-').unwrap_or(chat))
        || chat.strip_prefix('@').is_some_and(is_name);
    if is_chat && thread.is_none_or(is_number) {
        Ok(())
    } else {
        Err("not telegram:CHAT or telegram:CHAT/THREAD, both numbers, or @NAME".to_owned())
    }
}

/// What the Bot API answers.
#[derive(Debug, Deserialize)]
struct Said {
    ok: bool,
    result: Option<Sent>,
    error_code: Option<u16>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Debug, Deserialize)]
struct Sent {
    message_id: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    /// An integer; a fraction would be heard as well.
    retry_after: Option<f64>,
    migrate_to_chat_id: Option<i64>,
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let token = means.telegram_token.read().map_err(Refusal::Later)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
    if !token.bytes().all(is_token) {
        return Err(Refusal::Target("what the file holds is no token".to_owned()));
    }
    let base = means.telegram_api.trim_end_matches('/');
    let url = zeroize::Zeroizing::new(format!("{base}/bot{}/sendMessage", *token));
    let mut is_bare = false;
    loop {
        let body = body(parcel, is_bare).to_string();
        let headers = [("content-type", "application/json")];
        let answer = means.http.post(&url, &headers, body.as_bytes());
        let answer = answer.map_err(|why| Refusal::Later(without(&why, &token)))?;
        match judge(&answer) {
            // It has only text in it then, and nothing to find fault with.
            Err(Refusal::Message(_)) if !is_bare => is_bare = true,
            judged => return judged.map_err(|refusal| scrub(refusal, &token)),
        }
    }
}

/// Neither the token nor what is secret of it.
fn scrub(refusal: Refusal, token: &str) -> Refusal {
    let secret = token.split_once(':').map_or(token, |(_, secret)| secret);
    refusal.without(token).without(secret)
}

fn body(parcel: &Parcel<'_>, is_bare: bool) -> serde_json::Value {
    let (chat, thread) = split(parcel.address);
    let mut body = json!({ "chat_id": chat, "text": parcel.text });
    if let Some(thread) = thread.and_then(|thread| thread.parse::<i64>().ok()) {
        body["message_thread_id"] = thread.into();
    }
    if is_bare {
        return body;
    }
    body["link_preview_options"] = json!({ "is_disabled": true });
    if parcel.severity == Severity::Info {
        body["disable_notification"] = true.into();
    }
    if let Some(message) = parcel.answers.and_then(|receipt| receipt.parse::<i64>().ok()) {
        // What it answers may have been deleted.
        body["reply_parameters"] =
            json!({ "message_id": message, "allow_sending_without_reply": true });
    }
    body
}

fn judge(answer: &Answer) -> Result<String, Refusal> {
    /// What says that nothing will be taken any more.
    const FINAL: [&str; 9] = [
        "bot was blocked by the user",
        "user is deactivated",
        "bot was kicked from the",
        "bot is not a member",
        "group chat was deleted",
        "chat not found",
        "chat_write_forbidden",
        "not enough rights to send",
        "bot can't initiate conversation",
    ];
    const LONGEST_WAIT_SECONDS: f64 = 86_400.0;
    if (300..400).contains(&answer.status) {
        return Err(Refusal::Later("it sends us elsewhere, where we do not go".to_owned()));
    }
    let Ok(said) = serde_json::from_slice::<Said>(&answer.body) else {
        let words = format!("status {}, and not what the Bot API answers", answer.status);
        // A proxy in between may say anything, but for this.
        return Err(match (answer.status, answer.retry_after) {
            (429, Some(seconds)) => Refusal::Wait(Duration::from_secs(seconds)),
            _ => Refusal::Later(words),
        });
    };
    if let (true, Some(sent)) = (said.ok, &said.result) {
        return Ok(sent.message_id.to_string());
    }
    if let Some(chat) = said.parameters.migrate_to_chat_id {
        return Err(Refusal::Moved(chat.to_string()));
    }
    let code = said.error_code.unwrap_or(answer.status);
    let seconds = said.parameters.retry_after.filter(|seconds| *seconds >= 0.0);
    if code == 429 || seconds.is_some() {
        const DEFAULT_SECONDS: f64 = 30.0;
        let seconds = seconds.unwrap_or(DEFAULT_SECONDS).ceil().min(LONGEST_WAIT_SECONDS);
        return Err(Refusal::Wait(Duration::from_secs_f64(seconds)));
    }
    let words = format!("{code}: {}", crate::text::cut(&said.description, 200));
    let lower = said.description.to_lowercase();
    Err(match code {
        401 | 404 => Refusal::Target(words),
        400 | 403 if FINAL.iter().any(|phrase| lower.contains(phrase)) => Refusal::Target(words),
        403 => Refusal::Target(words),
        400 | 413 => Refusal::Message(words),
        _ => Refusal::Later(words),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.as_bytes().to_vec(), retry_after: None }
    }

    #[test]
    fn what_the_bot_api_says_is_understood() {
        let wait = |seconds| Err(Refusal::Wait(Duration::from_secs(seconds)));
        let refused = |description: &str, code: u16| {
            let body =
                format!(r#"{{"ok":false,"error_code":{code},"description":"{description}"}}"#);
            judge(&answer(code, &body)).unwrap_err()
        };
        assert_eq!(
            judge(&answer(200, r#"{"ok":true,"result":{"message_id":7,"chat":{}}}"#)),
            Ok("7".to_owned())
        );
        for (status, body, expected) in [
            (
                429,
                r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 3","parameters":{"retry_after":3}}"#,
                wait(3),
            ),
            (429, r#"{"ok":false,"error_code":429,"parameters":{"retry_after":2.2}}"#, wait(3)),
            (429, r#"{"ok":false,"error_code":429,"description":"x"}"#, wait(30)),
            (
                400,
                r#"{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-1001}}"#,
                Err(Refusal::Moved("-1001".into())),
            ),
        ] {
            assert_eq!(judge(&answer(status, body)), expected, "{body}");
        }
        for (code, words) in [
            (403, "Forbidden: bot was blocked by the user"),
            (403, "Forbidden: user is deactivated"),
            (403, "Forbidden: bot was kicked from the supergroup chat"),
            (403, "Forbidden: the group chat was deleted"),
            (400, "Bad Request: chat not found"),
            (401, "Unauthorized"),
            (404, "Not Found"),
        ] {
            assert!(matches!(refused(words, code), Refusal::Target(_)), "{words}");
        }
        let entities = "Bad Request: can't parse entities: unexpected end";
        assert!(matches!(refused(entities, 400), Refusal::Message(_)));
        assert!(matches!(refused("Internal Server Error", 500), Refusal::Later(_)));
        for (status, body) in
            [(200, "garbage"), (200, r#"{"ok":true}"#), (502, "<html>"), (302, "")]
        {
            assert!(matches!(judge(&answer(status, body)), Err(Refusal::Later(_))), "{body}");
        }
    }

    #[test]
    fn addresses_are_chats_and_topics() {
        for address in ["1", "-100123", "-100123/7", "@channel_1"] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for address in ["", "x", "1/", "1/x", "/7", "@", "-", "1 2"] {
            assert!(check(address).is_err(), "{address}");
        }
        assert_eq!(limits("-1/7").len(), 3);
        assert_eq!(limits("-1/7")[0].key, limits("-1")[0].key);
        assert_eq!(limits("5").len(), 2);
    }
}

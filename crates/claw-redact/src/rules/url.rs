//! Secrets in addresses: `https://user:password@host`, and addresses that are a secret as a whole.

use super::{Found, Rule};
use crate::text::{Class, Text, looks_random};

pub(super) const USERINFO: Rule =
    Rule { words: &["://", "%3a%2f%2f", ":\\/\\/", "@tcp(", "@unix("], find: userinfo };

/// The password of a user in an address, or the user, where that stands alone and looks like chance.
fn userinfo(text: Text, start: usize, end: usize) -> Option<Found> {
    if text.at(start) == b'@' {
        return data_source(text, start);
    }
    const LONGEST: usize = 1024;
    let stops = |byte: u8| !Class::Shell.has(byte) || matches!(byte, b'/' | b'?' | b'#' | b',');
    let mut at = end;
    let (mut colon, mut sign) = (None, None);
    while at - end < LONGEST && at < text.0.len() {
        let byte = text.at(at);
        if byte == b'@' || text.has_word(at, "%40") {
            sign = Some(at);
            // A password may hold one as well: the last one counts.
        } else if (byte == b':' || text.has_word(at, "%3a")) && colon.is_none() {
            colon = Some(at + if byte == b':' { 1 } else { 3 });
        }
        if stops(byte) {
            // A password that nobody coded may hold a slash.
            let later =
                text.from(at).iter().take(64).position(|it| !Class::Shell.has(*it) || *it == b'@');
            let is_in_password = sign.is_none()
                && colon.is_some()
                && matches!(byte, b'/' | b'#' | b'?' | b',')
                && !text.from(colon.unwrap_or(at)).first().is_some_and(u8::is_ascii_digit)
                && later.is_some_and(|later| text.at(at + later) == b'@');
            if !is_in_password {
                break;
            }
        }
        at += 1;
    }
    let sign = sign?;
    match colon.filter(|colon| *colon < sign) {
        Some(colon) => {
            let is_holder = super::is_ordinary(&text.0[colon..sign])
                && !text.0[colon..sign].iter().all(u8::is_ascii_lowercase);
            (!is_holder).then_some(Found { kind: "password", start: colon, end: sign })
        }
        None => {
            let user = &text.0[end..sign];
            let is_it = user.len() >= 12 && looks_random(user);
            is_it.then_some(Found { kind: "token", start: end, end: sign })
        }
    }
}

/// `user:password@tcp(host)/database`, as Go's drivers have it.
fn data_source(text: Text, sign: usize) -> Option<Found> {
    let start =
        text.0[..sign].iter().rposition(|byte| !Class::Shell.has(*byte)).map_or(0, |at| at + 1);
    let colon = text.0[start..sign].iter().position(|byte| *byte == b':')?;
    let found = Found { kind: "password", start: start + colon + 1, end: sign };
    (found.end > found.start).then_some(found)
}

pub(super) const HOOKS: Rule = Rule {
    words: &[
        "hooks.slack.com/",
        "hooks.slack.com%2f",
        "discord.com/api/webhooks/",
        "discordapp.com/api/webhooks/",
        "/open-apis/bot/v2/hook/",
        "/cgi-bin/webhook/send?key=",
        "hc-ping.com/",
        "webhook.office.com/",
        "api.telegram.org/bot",
        "api.telegram.org%2fbot",
        "api.telegram.org/file/bot",
        "hooks.zapier.com/hooks/catch/",
        "maker.ifttt.com/trigger/",
        "sctapi.ftqq.com/",
        "api.day.app/",
        "pushplus.plus/send/",
        "chat.googleapis.com/v1/spaces/",
        "matrix/hook/",
        "/api/webhooks/",
        "hook.eu1.make.com/",
    ],
    find: hook,
};

/// Who knows the rest of such an address may write there.
fn hook(text: Text, _: usize, end: usize) -> Option<Found> {
    let class = |byte: u8| Class::Shell.has(byte) && !matches!(byte, b',' | b')');
    let length = text.from(end).iter().take_while(|byte| class(**byte)).count();
    let stop = text.end_of_broken(Class::Url, end + length).max(end + length);
    // What an address asks for behind its secret is not part of it.
    let path =
        text.0[end..stop].iter().position(|byte| matches!(byte, b'?' | b'"')).unwrap_or(stop - end);
    let body = &text.0[end..end + path];
    let is_it = body.len() >= 8 && looks_random(body);
    is_it.then_some(Found { kind: "webhook", start: end, end: end + path })
}

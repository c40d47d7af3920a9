//! Does the gateway's WebSocket live? It greets whoever connects before it asks who that is.

use serde::Deserialize;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure};
use crate::gateway;
use crate::look::Look;
use crate::network::probe::{self, Answer, Clocks, Conversation, Failure, Frame, GOODBYE, time};
use crate::network::tls::Trust;
use crate::network::url::Url;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "websocket",
    about: "the gateway's WebSocket greets, which it does without a token",
    operand: "URL",
    settings: &[Setting::limit(
        "websocket-warn",
        "seconds",
        2.0,
        "Time to the greeting that is worth a look",
    )],
    find: Find::On(super::gateway::own),
    needs: Needs::Gateway,
    waits: true,
    runs_programs: false,
    // Each look leaves a line in the gateway's log.
    every_seconds: 600,
    is_sure: false,
    run,
};

/// The example of RFC 6455: whoever knows the answer to it has read the key. That nobody can guess
/// it matters only to browsers and what stands between.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What came of the wish for a WebSocket.
#[derive(Debug)]
enum Greeting {
    /// The gateway's own.
    Challenge,
    /// Something else was sent in its place.
    Other(String),
    /// The connection was not turned into a WebSocket.
    Refused(Answer),
}

fn run(look: &Look) -> Found {
    let url = if look.operand.is_empty() {
        gateway::url(&look.host)?
    } else {
        Url::parse(&look.operand)?
    };
    // Half of the time, so that there is some left to ask whether the gateway answers at all.
    let deadline = look.deadline - look.time_left() / 2;
    let mut clocks = Clocks::start();
    let greeting = greet(&url, deadline, &mut clocks);
    let after = clocks.elapsed();
    let subject = format!("websocket:{url}");
    let finding = match greeting {
        Ok(greeting) => {
            judge(subject, &greeting, after.as_secs_f64(), look.number("websocket-warn"))
        }
        Err(failure @ (Failure::Silent(_) | Failure::Dribble { .. })) => {
            let probe = probe::get(&url.at("/healthz"), Trust::Anybody, look.deadline);
            match probe.outcome {
                Ok(_) => Finding::fail(subject, format!("it does not greet: {failure}")),
                Err(_) => {
                    Finding::unknown(subject, format!("the gateway does not answer: {failure}"))
                }
            }
        }
        // The gateway's own check is loud about it.
        Err(failure) if clocks.connect.is_none() => Finding::unknown(subject, failure.to_string()),
        Err(failure) => Finding::fail(subject, format!("it does not greet: {failure}")),
    };
    let connect = clocks.connect.map(|after| Measure::new("connect_seconds", after.as_secs_f64()));
    Ok(vec![connect.into_iter().fold(finding, Finding::measure)])
}

fn greet(
    url: &Url,
    deadline: std::time::Instant,
    clocks: &mut Clocks,
) -> Result<Greeting, Failure> {
    let mut conversation = Conversation::open(url, Trust::Anybody, deadline, clocks)?;
    let lines = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n"
    );
    conversation.say(&probe::request(url, &lines))?;
    let head = conversation.head()?;
    if head.status != 101 {
        let (body, is_cut) = conversation.body(&head)?;
        return Ok(Greeting::Refused(Answer { head, body, is_cut }));
    }
    if head.header("sec-websocket-accept") != Some(ACCEPT) {
        return Ok(Greeting::Other("an upgrade with the wrong key".to_owned()));
    }
    let greeting = match conversation.frame()? {
        Frame::Text(text) => read(&text),
        Frame::Close(why) => Greeting::Other(format!("a close frame: {why:.80}")),
    };
    // The connection ends whether or not the other side hears of it.
    let _ = conversation.say(&GOODBYE);
    Ok(greeting)
}

fn read(text: &[u8]) -> Greeting {
    #[derive(Deserialize)]
    struct Event {
        r#type: String,
        event: String,
    }
    match serde_json::from_slice::<Event>(text) {
        Ok(event) if event.r#type == "event" && event.event == "connect.challenge" => {
            Greeting::Challenge
        }
        Ok(event) => Greeting::Other(format!("the event {:.40}", event.event)),
        Err(_) => Greeting::Other(format!("{} bytes that are no event", text.len())),
    }
}

fn judge(subject: String, greeting: &Greeting, after: f64, warn: f64) -> Finding {
    match greeting {
        Greeting::Challenge => {
            let measure = Measure::new("challenge_seconds", after).warn_at(warn);
            let after = time(std::time::Duration::from_secs_f64(after));
            let message = format!("it greets after {after}; limit {warn} s");
            Finding::judged(measure.status(), subject, message).measure(measure)
        }
        Greeting::Other(what) => {
            Finding::fail(subject, format!("it does not greet: it sends {what}"))
        }
        Greeting::Refused(answer) if gateway::is_proxied(answer) => Finding::warn(
            subject,
            "the gateway refuses what the proxy before it passes on (403 proxy_attribution_required)",
        )
        .remedy("add the proxy to gateway.trustedProxies"),
        Greeting::Refused(answer) => {
            let status = answer.head.status;
            Finding::fail(subject, format!("no WebSocket: it answers with status {status}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_gateways_own_greeting_counts() {
        let real = include_bytes!("../../fixtures/openclaw/challenge.json");
        assert!(matches!(read(real), Greeting::Challenge));
        for (text, expected) in [
            (r#"{"type":"event","event":"tick"}"#, "the event tick"),
            ("hello", "5 bytes that are no event"),
            (&"[".repeat(10_000), "10000 bytes that are no event"),
        ] {
            let Greeting::Other(what) = read(text.as_bytes()) else { panic!("{text:.40}") };
            assert_eq!(what, expected);
        }
    }
}

//! What the gateway answers at `/healthz`, `/startupz` and `/readyz`.
//!
//! Every other path answers 200 with a web page, so that a status alone proves nothing.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};

use crate::network::probe::Answer;

/// What an answer at `/healthz` means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Life {
    Live,
    /// The gateway lives behind a proxy that it was not told to trust.
    Proxied,
    /// A proxy answers, and nothing behind it.
    NothingBehind(u16),
    /// It is some other program, and how that answers.
    Foreign(String),
}

/// What it says at `/startupz`; to a stranger without the version and the times.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub(super) status: String,
    pub(super) version: Option<String>,
    uptime_ms: Option<f64>,
}

/// What it says at `/readyz`; to a stranger only whether it is ready.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Readiness {
    pub(super) ready: bool,
    #[serde(default)]
    pub(super) failing: Vec<String>,
    /// Channels that are held back and not started.
    #[serde(default)]
    pub(super) suppressed: Vec<String>,
    pub(super) event_loop: Option<EventLoop>,
    uptime_ms: Option<f64>,
}

/// What it says of its own event loop.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventLoop {
    pub(super) degraded: bool,
    #[serde(default)]
    pub(super) reasons: Vec<String>,
    #[serde(rename = "delayP99Ms")]
    pub(super) delay_p99_ms: Option<f64>,
    pub(super) utilization: Option<f64>,
}

impl Start {
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        json(answer)
    }

    pub(super) fn uptime(&self) -> Option<Duration> {
        milliseconds(self.uptime_ms)
    }
}

impl Readiness {
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        json(answer)
    }

    pub(super) fn uptime(&self) -> Option<Duration> {
        milliseconds(self.uptime_ms)
    }
}

/// What an answer at `/healthz` means.
pub(super) fn life(answer: &Answer) -> Life {
    #[derive(Deserialize)]
    struct Health {
        ok: bool,
        status: String,
    }
    let status = answer.head.status;
    match json::<Health>(answer) {
        Some(health) if status == 200 && health.ok && health.status == "live" => Life::Live,
        _ if is_proxied(answer) => Life::Proxied,
        None if matches!(status, 502..=504) => Life::NothingBehind(status),
        _ => Life::Foreign(described(answer)),
    }
}

/// Does the gateway refuse because a proxy passed the request on that it was not told of?
pub(crate) fn is_proxied(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        error: Reason,
    }
    #[derive(Deserialize)]
    struct Reason {
        r#type: String,
    }
    let refusal = json::<Refusal>(answer).map(|refusal| refusal.error.r#type);
    answer.head.status == 403 && refusal.as_deref() == Some("proxy_attribution_required")
}

/// An answer in a few words.
pub(super) fn described(answer: &Answer) -> String {
    let (status, kind) = (answer.head.status, answer.head.media_type());
    let kind = if kind.is_empty() { "something without a type" } else { kind };
    let size = if answer.is_cut { "more than 1 MiB of " } else { "" };
    format!("status {status} and {size}{kind:.60}")
}

/// The body as JSON of that shape; the parser refuses what is nested too deeply for its stack.
fn json<T: DeserializeOwned>(answer: &Answer) -> Option<T> {
    let is_json = answer.head.media_type() == "application/json" && !answer.is_cut;
    is_json.then(|| serde_json::from_slice(&answer.body).ok()).flatten()
}

fn milliseconds(number: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(number? / 1000.0).ok()
}

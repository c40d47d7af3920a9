//! The ways to tell somebody: one file each, and a row in this table.

mod alertmanager;
mod discord;
mod exec;
pub(crate) mod file;
mod healthchecks;
mod hook;
mod ntfy;
pub(crate) mod openclaw;
mod slack;
mod smtp;
mod telegram;
mod wall;
mod webhook;
mod wecom;

use std::time::Duration;

use claw_record::Severity;

use crate::limits::Limit;
use crate::means::Means;
use crate::secret::without;

/// A way to tell somebody.
#[derive(Debug)]
pub(crate) struct Channel {
    /// The scheme of its targets.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) takes: Takes,
    /// So many are sent to one target at once.
    pub(crate) at_once: usize,
    /// As long as one part of a text may be, in units of UTF-16.
    pub(crate) longest: usize,
    /// What may be sent to an address in which time. Whoever asks to wait means the first of them.
    pub(crate) limits: fn(&str) -> Vec<Limit>,
    /// What is wrong with an address, if anything is.
    pub(crate) check: fn(&str) -> Result<(), String>,
    /// Sends one part, and gives what the service calls it, as proof that it has it.
    pub(crate) send: fn(&Parcel<'_>, &Means) -> Result<String, Refusal>,
    /// Does it prove anything that it was sent? Otherwise it stays to be told elsewhere.
    pub(crate) proves: bool,
}

/// What is sent over a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Incidents, in words for people.
    Incidents,
    /// Each record by itself.
    Records,
    /// Incidents, as alerts for programs, again and again as long as they last.
    Alerts,
}

/// What is sent at once.
#[derive(Debug)]
pub(crate) struct Parcel<'a> {
    pub(crate) address: &'a str,
    /// What it is about, in a line.
    pub(crate) title: &'a str,
    /// The part of the text that is sent.
    pub(crate) text: &'a str,
    /// The record, as its line without a newline.
    pub(crate) record: &'a str,
    pub(crate) severity: Severity,
    /// The receipt of what it answers, at this very target.
    pub(crate) answers: Option<&'a str>,
    pub(crate) ids: &'a str,
}

/// Why something was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It can be tried again.
    Later(String),
    /// It can be tried again, and no sooner than that.
    Wait(Duration),
    /// The address is another one now.
    Moved(String),
    /// This will never be taken, though other things will.
    Message(String),
    /// Nothing will be taken any more.
    Target(String),
}

impl Refusal {
    /// The same, without a secret that the service may have repeated.
    pub(crate) fn without(self, secret: &str) -> Self {
        match self {
            Self::Later(why) => Self::Later(without(&why, secret)),
            Self::Message(why) => Self::Message(without(&why, secret)),
            Self::Target(why) => Self::Target(without(&why, secret)),
            Self::Wait(_) | Self::Moved(_) => self,
        }
    }

    /// What a status of HTTP says that is not of the 2xx.
    pub(crate) fn of(answer: &crate::http::Answer) -> Self {
        const DEFAULT: Duration = Duration::from_secs(30);
        let words = match answer.words() {
            words if words.is_empty() => format!("status {}", answer.status),
            words => format!("status {}: {words}", answer.status),
        };
        match answer.status {
            429 => Self::Wait(answer.retry_after.map_or(DEFAULT, Duration::from_secs)),
            401 | 403 | 404 | 410 => Self::Target(words),
            400 | 413 | 422 => Self::Message(words),
            _ => Self::Later(words),
        }
    }
}

/// All of them. To add one, write its file and its two lines here.
pub(crate) const CHANNELS: &[Channel] = &[
    alertmanager::CHANNEL,
    discord::CHANNEL,
    exec::CHANNEL,
    file::CHANNEL,
    healthchecks::CHANNEL,
    ntfy::CHANNEL,
    openclaw::CHANNEL,
    slack::CHANNEL,
    smtp::CHANNEL,
    telegram::CHANNEL,
    wall::CHANNEL,
    webhook::CHANNEL,
    wecom::CHANNEL,
];

/// The channel of a target, and the address there.
pub(crate) fn of(target: &str) -> Result<(&'static Channel, &str), String> {
    let (name, address) = target.split_once(':').unwrap_or((target, ""));
    let channel = CHANNELS.iter().find(|channel| channel.name == name).ok_or_else(|| {
        let names: Vec<_> = CHANNELS.iter().map(|channel| channel.name).collect();
        format!("there is no channel '{name}': {}", names.join(", "))
    })?;
    (channel.check)(address)?;
    Ok((channel, address))
}

/// Nothing limits how often.
fn unlimited(_: &str) -> Vec<Limit> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_row_and_the_rows_are_in_order() {
        let names: Vec<_> = CHANNELS.iter().map(|channel| channel.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/channels");
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let name = file.trim_end_matches(".rs");
            assert!(["mod", "hook"].contains(&name) || names.contains(&name), "{file} has no row");
        }
    }

    #[test]
    fn a_target_that_cannot_be_is_named() {
        assert!(of("pigeon:x").unwrap_err().starts_with("there is no channel 'pigeon': "));
        assert!(of("telegram:").is_err());
        assert_eq!(of("telegram:-100/7").unwrap().1, "-100/7");
    }
}

//! OpenClaw's own message command, as the gateway's owner: slow, and dead when the gateway is.

use std::process::Command;
use std::time::{Duration, Instant};

use claw_box::{Errand, Owner, child, whose};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Channel, Parcel, Refusal, Takes};
use crate::limits::Limit;
use crate::means::Means;

pub(super) const CHANNEL: Channel = Channel {
    name: "openclaw",
    about: "a chat that the gateway knows: openclaw:CHANNEL/TARGET",
    takes: Takes::Incidents,
    at_once: 1,
    longest: 4096,
    limits,
    check,
    send,
    proves: true,
};

/// It costs seconds and 300 MB.
fn limits(_: &str) -> Vec<Limit> {
    vec![Limit { key: "openclaw".to_owned(), count: 1, within: 10_000 }]
}

fn split(address: &str) -> Option<(&str, &str)> {
    address.split_once('/').filter(|(channel, target)| !channel.is_empty() && !target.is_empty())
}

fn check(address: &str) -> Result<(), String> {
    let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic());
    let is_word = split(address)
        .is_some_and(|(channel, target)| !channel.starts_with('-') && !target.starts_with("--"));
    if is_plain && is_word { Ok(()) } else { Err("not openclaw:CHANNEL/TARGET".to_owned()) }
}

/// What its owner is asked to send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    channel: String,
    target: String,
    text: String,
}

/// Sent with the rights of the gateway's owner.
pub(crate) const ERRAND: Errand<Job, String> = Errand { word: "as-owner", work };

fn work(owner: &Owner, job: &Job, deadline: Instant) -> Result<String, String> {
    let home = owner.home.display();
    // Where npm puts it for one user, beside where it is for everybody.
    let path =
        format!("{home}/.local/bin:{home}/.npm-global/bin:{home}/bin:/usr/local/bin:/usr/bin:/bin");
    let is_managed = owner.runtime_dir().join("systemd/private").exists();
    let mut command =
        if is_managed { by_manager(&path, deadline) } else { Command::new("openclaw") };
    // A manager would put its own variables where a text has a dollar.
    let plain = |text: &str| if is_managed { text.replace('$', "$$") } else { text.to_owned() };
    command.env("PATH", &path).env("HOME", &owner.home).env("NO_COLOR", "1");
    command.env("XDG_RUNTIME_DIR", owner.runtime_dir());
    command.args(["message", "send", "--json", "--channel", &plain(&job.channel)]);
    command.arg(format!("--target={}", plain(&job.target)));
    command.arg(format!("--message={}", plain(&job.text)));
    let said = child::run(&mut command, deadline);
    match said {
        Ok(ended) if ended.status.success() => {
            Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
        }
        Ok(ended) => Err(format!("'openclaw message send' failed: {}", ended.reason())),
        Err(child::NotEnded::NotStarted(error)) => Err(format!("cannot run 'openclaw': {error}")),
        Err(child::NotEnded::Late) => Err("'openclaw message send' did not end in time".to_owned()),
    }
}

/// The owner's manager runs it: within the walls of the monitor's unit Node.js has no memory that it can
/// both write and run, and dies.
fn by_manager(path: &str, deadline: Instant) -> Command {
    let left = deadline.saturating_duration_since(Instant::now()).as_secs().max(1);
    let mut command = Command::new("systemd-run");
    command.args(["--user", "--quiet", "--collect", "--wait", "--pipe", "--service-type=exec"]);
    command.arg(format!("--property=RuntimeMaxSec={left}"));
    command.arg(format!("--setenv=PATH={path}")).args(["--setenv=NO_COLOR=1", "--", "openclaw"]);
    command
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    /// It takes up to eight seconds to start.
    const SHORTEST: Duration = Duration::from_secs(60);
    let owner = whose("tell through the gateway of", means.user.as_deref());
    let owner = owner.map_err(|complaint| Refusal::Later(complaint.to_string()))?;
    let (channel, target) = split(parcel.address).unwrap_or_default();
    let (channel, target) = (channel.to_owned(), target.to_owned());
    let job = Job { channel, target, text: parcel.text.to_owned() };
    let deadline = Instant::now() + means.timeout.max(SHORTEST);
    let said = ERRAND.ask(&owner, job, deadline).map_err(Refusal::Later)?;
    receipt(&said).ok_or_else(|| Refusal::Later("'openclaw' gave no receipt".to_owned()))
}

/// The number of the message, in the JSON that may stand behind other lines.
fn receipt(said: &str) -> Option<String> {
    let start = said.find('{')?;
    let answer: Value = serde_json::from_str(said.get(start..)?.trim()).ok()?;
    let places =
        ["/payload/result/messageId", "/payload/messageId", "/result/messageId", "/messageId"];
    let found = places.iter().find_map(|place| answer.pointer(place));
    match found {
        Some(Value::String(id)) => Some(crate::text::cut(id, 100)),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receipt_is_found_behind_other_lines() {
        let said = "plugin loaded\n{\"payload\":{\"result\":{\"messageId\":\"42\"}}}\n";
        assert_eq!(receipt(said).as_deref(), Some("42"));
        assert_eq!(receipt("{\"messageId\":7}").as_deref(), Some("7"));
        assert_eq!(receipt("{}"), None);
        assert_eq!(receipt("done"), None);
        assert!(check("telegram/-5").is_ok() && check("telegram").is_err());
        assert!(check("telegram/--profile=x").is_err());
    }
}

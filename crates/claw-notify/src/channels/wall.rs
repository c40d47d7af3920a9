//! Whoever is logged in to this box: the last resort, and no proof of anything.

use std::process::Command;
use std::time::Instant;

use super::{Channel, Parcel, Refusal, Takes, unlimited};
use crate::means::Means;
use claw_box::child;

pub(super) const CHANNEL: Channel = Channel {
    name: "wall",
    about: "the terminals of whoever is logged in: wall",
    takes: Takes::Incidents,
    at_once: 1,
    longest: 2000,
    limits: unlimited,
    check,
    send,
    proves: false,
};

fn check(address: &str) -> Result<(), String> {
    if address.is_empty() { Ok(()) } else { Err("wall has no address".to_owned()) }
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let told = child::tell(parcel.text, &mut Command::new("wall"), Instant::now() + means.timeout);
    match told {
        Ok(ended) if ended.status.success() => Ok("shouted".to_owned()),
        Ok(ended) => Err(Refusal::Later(format!("'wall' failed: {}", ended.reason()))),
        Err(_) => Err(Refusal::Later("cannot run 'wall'".to_owned())),
    }
}

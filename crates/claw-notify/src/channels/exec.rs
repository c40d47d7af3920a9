//! Any program: it reads the record on its standard input, and what it prints is the receipt.

use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{Channel, Parcel, Refusal, Takes, unlimited};
use crate::means::Means;
use claw_box::child::{self, NotEnded};

pub(super) const CHANNEL: Channel = Channel {
    name: "exec",
    about: "a program that reads the record: exec:/PATH",
    takes: Takes::Records,
    at_once: 4,
    longest: usize::MAX,
    limits: unlimited,
    check,
    send,
    proves: true,
};

fn check(address: &str) -> Result<(), String> {
    if Path::new(address).is_absolute() {
        Ok(())
    } else {
        Err("not exec:/PATH, with the path of a program from / on".to_owned())
    }
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let program = parcel.address;
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C.UTF-8").env("CLAW_NOTIFY_ID", parcel.ids).current_dir("/");
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let input = input(parcel.record).map_err(|error| Refusal::Later(error.to_string()))?;
    let ended = child::run_with(input, &mut command, Instant::now() + means.timeout);
    match ended {
        Ok(ended) if ended.status.success() => {
            let said = String::from_utf8_lossy(&ended.stdout);
            let line = said.lines().next().unwrap_or_default().trim();
            let line = if line.is_empty() { "exit status 0" } else { line };
            Ok(crate::text::cut(line, 200))
        }
        Ok(ended) => Err(Refusal::Later(format!("'{program}' failed: {}", ended.reason()))),
        Err(NotEnded::NotStarted(error)) => {
            Err(Refusal::Later(format!("cannot run '{program}': {error}")))
        }
        Err(NotEnded::Late) => Err(Refusal::Later(format!("'{program}' did not end in time"))),
    }
}

/// The record as a file that is nowhere: a pipe might be too short for it.
fn input(record: &str) -> std::io::Result<Stdio> {
    let mut file: std::fs::File =
        nix::sys::memfd::memfd_create(c"record", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?.into();
    file.write_all(record.as_bytes())?;
    file.write_all(b"\n")?;
    file.rewind()?;
    Ok(file.into())
}

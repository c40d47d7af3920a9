//! A log of its own for each day: `health-2026-11-22.log`, a line a record.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use claw_record::Record;
use nix::libc::O_NOFOLLOW;

use super::{Channel, Parcel, Refusal, Takes, unlimited};
use crate::compose::word;
use crate::means::Means;
use crate::{spool, text};

pub(super) const CHANNEL: Channel = Channel {
    name: "file",
    about: "a file a day, health-YYYY-MM-DD.log: file:/FOLDER",
    takes: Takes::Records,
    at_once: 1,
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
        Err("not file:/FOLDER, with the path from / on".to_owned())
    }
}

fn send(parcel: &Parcel<'_>, _: &Means) -> Result<String, Refusal> {
    let record: Record = serde_json::from_str(parcel.record)
        .map_err(|error| Refusal::Message(format!("not a record: {error}")))?;
    let (name, line) = line(&record, parcel.ids);
    append(Path::new(parcel.address), &name, &line)
        .map(|()| name)
        .map_err(|error| Refusal::Later(format!("cannot write '{}': {error}", parcel.address)))
}

/// The name of the day's file, and the line.
fn line(record: &Record, ids: &str) -> (String, String) {
    let wall = record.time.unix_timestamp();
    let time = crate::clock::rfc3339(wall);
    let day = time.split('T').next().unwrap_or_default();
    let Record { host, subject, status, message, .. } = record;
    let remedy = record.remedy.as_ref().map_or_else(String::new, |remedy| format!(" → {remedy}"));
    let severity = word(record.severity);
    let line = format!("{time} {severity} {host} {subject} {status}: {message}{remedy} [{ids}]");
    (format!("health-{day}.log"), text::shown(&line.replace('\n', " ")))
}

/// A line that is on the disk once this returns.
fn append(folder: &Path, name: &str, line: &str) -> io::Result<()> {
    spool::make(folder)?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o640).custom_flags(O_NOFOLLOW);
    let mut file: File = options.open(folder.join(name))?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

//! A log of its own for each day: `health-2026-11-22.log`, a line a record.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use claw_box::{Errand, Owner, Users, private_folder};
use claw_record::Record;
use nix::libc::O_NOFOLLOW;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::{Channel, Parcel, Refusal, Takes, unlimited};
use crate::compose::word;
use crate::means::Means;
use crate::text;

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

/// A line to be written by the user whose folder it is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    folder: PathBuf,
    name: String,
    line: String,
}

/// Written with the rights of the folder's owner, who could put a link there for root to follow.
pub(crate) const ERRAND: Errand<Job, ()> = Errand { word: "write-as-owner", work };

fn work(_: &Owner, job: &Job, _: Instant) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o750).create(&job.folder);
    let written = made.and_then(|()| append(&job.folder, &job.name, &job.line));
    written.map_err(|error| error.to_string())
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let record: Record = serde_json::from_str(parcel.record)
        .map_err(|error| Refusal::Message(format!("not a record: {error}")))?;
    let (name, line) = line(&record, parcel.ids);
    let folder = Path::new(parcel.address);
    let written = match owner(folder) {
        Some(owner) => {
            let job = Job { folder: folder.to_owned(), name: name.clone(), line };
            ERRAND.ask(&owner, job, Instant::now() + means.timeout)
        }
        None => private_folder(folder)
            .and_then(|()| append(folder, &name, &line))
            .map_err(|error| error.to_string()),
    };
    let cannot = |why: String| Refusal::Later(format!("cannot write '{}': {why}", parcel.address));
    written.map(|()| name).map_err(cannot)
}

/// Whose folder it is, or that in which it is to be, where that is not ours.
fn owner(folder: &Path) -> Option<Owner> {
    if !geteuid().is_root() {
        return None;
    }
    let there = folder.ancestors().find_map(|above| above.metadata().ok())?;
    let users = Users::here();
    (there.uid() != 0).then(|| users.numbered(there.uid()).cloned()).flatten()
}

/// The name of the day's file, and the line.
fn line(record: &Record, ids: &str) -> (String, String) {
    let wall = record.time.unix_timestamp();
    let time = crate::clock::rfc3339(wall);
    // The day on which it is written: a record's clock may be wrong, and would choose the file.
    let today = crate::clock::rfc3339(crate::clock::wall());
    let day = today.split('T').next().unwrap_or_default();
    let Record { host, subject, status, message, .. } = record;
    let remedy = record.remedy.as_ref().map_or_else(String::new, |remedy| format!(" → {remedy}"));
    let severity = word(record.severity);
    let line = format!("{time} {severity} {host} {subject} {status}: {message}{remedy} [{ids}]");
    (format!("health-{day}.log"), text::shown(&line.replace('\n', " ")))
}

/// A line that is on the disk once this returns.
fn append(folder: &Path, name: &str, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o640).custom_flags(O_NOFOLLOW);
    let mut file: File = options.open(folder.join(name))?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

//! How old is the newest backup?

use std::ffi::OsStr;
use std::path::Path;
use std::time::SystemTime;

use nix::errno::Errno;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, bytes, span};
use crate::host::Host;
use crate::look::Look;
use crate::remedy::{as_owner, quoted};
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "backup",
    about: "age and size of the newest backup",
    operand: "DIR",
    settings: &[
        Setting::limit("backup-warn", "hours", 26.0, "Age of the newest that is worth a look"),
        Setting::limit("backup-fail", "hours", 168.0, "Age of the newest that is too much"),
    ],
    find: Find::Once,
    needs: Needs::OpenClaw,
    waits: true,
    runs_programs: false,
    every_seconds: 600,
    is_sure: true,
    run,
};

const HOUR: f64 = 3600.0;

/// An archive of nothing at all is as large as this; a good one never is.
const EMPTY_BYTES: f64 = 100.0;

/// How the archives of the workspace are named, in UTC.
const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("workspace-[year][month][day]-[hour][minute][second]");

/// How a backup is made that the next look finds. OpenClaw's own refuses a folder in its own.
fn remedy(host: &Host, folder: &Path) -> String {
    let workspace = host.workspace();
    let (parent, name) = (workspace.parent(), workspace.file_name());
    let path = |path: &Path| quoted(&path.display().to_string());
    let of = format!(
        "-C {} {}",
        path(parent.unwrap_or(Path::new("/"))),
        path(Path::new(name.unwrap_or(OsStr::new("."))))
    );
    let is_owners = folder.starts_with(&host.owner().home);
    let owner = if is_owners { as_owner(host) } else { "sudo ".to_owned() };
    let to = path(folder);
    let make = if host.path(folder).is_dir() {
        String::new()
    } else {
        format!("{owner}mkdir -p {to} && ")
    };
    format!(
        "make one now, and see that it is made every day: \
         {make}{owner}tar -czf {to}/workspace-$(date -u +%Y%m%d-%H%M%S).tar.gz {of}"
    )
}

/// An archive.
#[derive(Clone, Debug, PartialEq)]
struct Archive {
    name: String,
    size_bytes: f64,
    /// Nothing where both its name and its file are of a time that has not come.
    age_seconds: Option<f64>,
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let folder = match look.operand.as_str() {
        "" => host.backups(),
        folder => folder.into(),
    };
    let names = match host.names(&folder) {
        Ok(names) => names,
        Err(Errno::ENOENT) => Vec::new(),
        Err(error) => {
            return Err(format!("cannot read '{}': {}", folder.display(), error.desc()));
        }
    };
    let archives: Vec<_> = names.into_iter().filter_map(|name| seen(host, &folder, name)).collect();
    let limits = [look.number("backup-warn"), look.number("backup-fail")];
    let finding = judge(look.subject(), &folder.display().to_string(), &archives, limits);
    let finding = if finding.passes() { finding } else { finding.remedy(remedy(host, &folder)) };
    Ok(vec![finding.note("folder", folder.display().to_string())])
}

/// The archive of that name; nothing where the name or the file is of another kind.
fn seen(host: &Host, folder: &Path, name: String) -> Option<Archive> {
    if !is_archive(&name) {
        return None;
    }
    // A link is no backup: an agent may have made it, and it may lead anywhere.
    let meta = std::fs::symlink_metadata(host.path(folder.join(&name))).ok();
    let meta = meta.filter(std::fs::Metadata::is_file)?;
    let now = SystemTime::now();
    let age = |at: SystemTime| now.duration_since(at).ok().map(|age| age.as_secs_f64());
    // A copy has a new date and old content: what the name says goes first. It is passed over where
    // it has not come yet: it would hide for ever that no more backups are made.
    let stamped = stamp(&name).and_then(|at| age(at.into()));
    let age_seconds = stamped.or_else(|| meta.modified().ok().and_then(age));
    Some(Archive { name, size_bytes: meta.len() as f64, age_seconds })
}

/// `workspace-20260131-235959.tar.zst`, and any `.tar.gz`, as OpenClaw makes them.
fn is_archive(name: &str) -> bool {
    let is_ours = || stamp(name).is_some() && name.contains(".tar");
    let is_whole = ![".tmp", ".part", ".partial", ".sha256", ".json"]
        .iter()
        .any(|ending| name.ends_with(ending));
    !name.starts_with('.') && is_whole && (name.ends_with(".tar.gz") || is_ours())
}

/// The time in a name.
fn stamp(name: &str) -> Option<OffsetDateTime> {
    let (stamp, _) = name.split_once('.')?;
    PrimitiveDateTime::parse(stamp, STAMP).ok().map(PrimitiveDateTime::assume_utc)
}

fn judge(subject: String, folder: &str, archives: &[Archive], limits: [f64; 2]) -> Finding {
    let [warn, fail] = limits;
    let dated = archives.iter().filter_map(|archive| Some((archive.age_seconds?, archive)));
    let Some((age, newest)) = dated.min_by(|(one, _), (other, _)| one.total_cmp(other)) else {
        let message = match archives {
            [] => format!("there is no backup in {folder}"),
            [first, ..] => format!("{} is of a time that has not come", first.name),
        };
        return Finding::warn(subject, message);
    };
    let measure = Measure::new("age_seconds", age).warn_at(warn * HOUR).fail_at(fail * HOUR);
    let told = format!("{} of {} is {} old", newest.name, bytes(newest.size_bytes), span(age));
    let finding = if newest.size_bytes < EMPTY_BYTES {
        Finding::fail(subject, format!("the newest backup is empty: {told}"))
    } else {
        Finding::judged(measure.status(), subject, format!("{told}; limit {}", span(warn * HOUR)))
    };
    finding
        .measure(measure)
        .measure(Measure::new("size_bytes", newest.size_bytes))
        .measure(Measure::new("backups_count", archives.len() as f64))
        .note("newest", newest.name.clone())
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    fn archive(hours: f64, size_bytes: f64) -> Archive {
        Archive { name: "a.tar.gz".into(), size_bytes, age_seconds: Some(hours * HOUR) }
    }

    #[test]
    fn m2_the_newest_backup_counts() {
        let future = Archive { age_seconds: None, ..archive(0.0, 1e6) };
        for (archives, status, expected) in [
            (vec![], Status::Warn, "there is no backup in /b"),
            (
                vec![archive(200.0, 1e6), archive(1.0, 1e6)],
                Status::Pass,
                "a.tar.gz of 1.0 MB is 1 h old; limit 1 d 2 h",
            ),
            (
                vec![archive(26.0, 1e6)],
                Status::Warn,
                "a.tar.gz of 1.0 MB is 1 d 2 h old; limit 1 d 2 h",
            ),
            (
                vec![archive(168.0, 1e6)],
                Status::Fail,
                "a.tar.gz of 1.0 MB is 7 d old; limit 1 d 2 h",
            ),
            (
                vec![archive(2.0, 1e6), archive(1.0, 0.0)],
                Status::Fail,
                "the newest backup is empty: a.tar.gz of 0 B is 1 h old",
            ),
            (vec![future.clone()], Status::Warn, "a.tar.gz is of a time that has not come"),
            (
                vec![future, archive(30.0, 1e6)],
                Status::Warn,
                "a.tar.gz of 1.0 MB is 1 d 6 h old; limit 1 d 2 h",
            ),
        ] {
            let finding = judge("backup".into(), "/b", &archives, [26.0, 168.0]);
            assert_eq!((finding.status, finding.message.as_str()), (status, expected));
        }
    }

    #[test]
    fn m2_archives_are_known_by_their_names() {
        for (name, expected) in [
            ("workspace-20260131-235959.tar.zst", true),
            ("workspace-20260131-235959.tar.gz", true),
            ("2026-01-31T00-00-00.000Z-openclaw-backup.tar.gz", true),
            ("workspace-20260131-235959.tar.zst.tmp", false),
            ("workspace-20260131-235959.tar.gz.sha256", false),
            ("workspace-20261331-235959.tar.zst", false),
            (".workspace-20260131-235959.tar.gz", false),
            ("notes.tar", false),
            ("", false),
        ] {
            assert_eq!(is_archive(name), expected, "{name}");
        }
        assert_eq!(
            stamp("workspace-20260131-235959.tar.zst").unwrap().to_string(),
            "2026-01-31 23:59:59.0 +00:00:00"
        );
    }
}

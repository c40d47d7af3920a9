//! Is the agents' workspace whole, and can it be rolled back?

use std::os::unix::fs::MetadataExt;
use std::time::{Instant, SystemTime};

use claw_record::Status;
use nix::errno::Errno;

use crate::checks::{Check, Find, Found, Needs};
use crate::files::beneath::{Beneath, Nested};
use crate::finding::{Finding, Measure, span, worse};
use crate::git::{Head, Repository};
use crate::look::Look;
use crate::processes;
use crate::remedy::{as_owner, quoted};
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "workspace",
    about: "the workspace: its files, its git repository, stale locks, nested repositories",
    operand: "DIR",
    settings: &[Setting::limit(
        "workspace-lock",
        "seconds",
        60.0,
        "Age from which on a lock that no git holds is stale",
    )],
    find: Find::Once,
    needs: Needs::OpenClaw,
    waits: true,
    runs_programs: true,
    every_seconds: 300,
    is_sure: false,
    run,
};

/// Without all of them OpenClaw refuses every turn of every agent, and its own probes stay green.
const FILES: [&str; 4] = ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md"];

/// What was seen of a workspace.
#[derive(Debug)]
struct Seen {
    folder: String,
    /// Who has it, and what stands before a command of theirs.
    owner: String,
    as_owner: String,
    missing: Vec<&'static str>,
    repository: Asked,
    lock_seconds: Option<f64>,
    git_runs: bool,
    nested: Nested,
}

/// What git said.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    /// There is no repository to ask it of.
    Nothing,
    /// It is passed by: a tree of files runs nothing.
    Passed,
    /// It could not be asked.
    Unknown(String),
    /// Its answer: where it stands, and what else is wrong with it.
    Told(Head, Option<String>),
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let named = match look.operand.as_str() {
        "" => host.workspace(),
        folder => folder.into(),
    };
    let told = named.display().to_string();
    let beneath = match host.folder(&named) {
        Ok(folder) => Beneath::new(folder),
        Err(Errno::ENOENT) => {
            let words = format!("there is no workspace: {told} is not there");
            return Ok(vec![Finding::fail(look.subject(), words).remedy(RESTORE)]);
        }
        Err(Errno::ENOTDIR) => return Err(format!("'{told}' is not a folder")),
        Err(error) => return Err(format!("cannot open '{told}': {}", error.desc())),
    };
    let owner = host.owner();
    let by_root = host.is_running() && nix::unistd::geteuid().is_root();
    if by_root && beneath.uid() != Ok(owner.uid) {
        // A link may have led here: to what its owner may not read.
        return Err(format!("'{told}' is not {}'s own", owner.name));
    }
    // Half of the time is git's and half for the walk: one that hangs does not cost the other.
    let half = look.time_left() / 2;
    let git_meta = beneath.meta(".git");
    let repository = if git_meta.is_none() {
        Asked::Nothing
    } else if !host.is_running() {
        Asked::Passed
    } else {
        let folder = beneath.path().map_err(|error| format!("cannot find '{told}': {error}"))?;
        let repository = Repository::new(&folder, owner, Instant::now() + half);
        let told = repository.state().map(|(head, trouble)| Asked::Told(head, trouble));
        told.unwrap_or_else(Asked::Unknown)
    };
    let lock_seconds = beneath.meta(".git/index.lock").and_then(|meta| {
        let age = SystemTime::now().duration_since(meta.modified().ok()?);
        Some(age.unwrap_or_default().as_secs_f64())
    });
    let uid = git_meta.map_or(owner.uid, |meta| meta.uid());
    let seen = Seen {
        missing: FILES.into_iter().filter(|file| beneath.meta(file).is_none()).collect(),
        repository,
        git_runs: lock_seconds.is_some() && git_runs(look, uid),
        lock_seconds,
        nested: beneath.nested(Instant::now() + half.min(look.time_left())),
        folder: told,
        owner: owner.name.clone(),
        as_owner: as_owner(host),
    };
    Ok(vec![judge(look.subject(), &seen, look.number("workspace-lock"))])
}

/// Does a git of that user run, which may hold the lock?
fn git_runs(look: &Look, uid: u32) -> bool {
    let host = &look.host;
    processes::all(host).unwrap_or_default().into_iter().any(|pid| {
        processes::owner(host, pid) == Some(uid) && processes::runs(host, pid, "git") == Ok(true)
    })
}

const RESTORE: &str = "put the files back, from a backup or with git";

/// One thing that is to be said of the workspace.
struct Remark(Status, String, Option<String>);

fn judge(subject: String, seen: &Seen, lock_limit: f64) -> Finding {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = now.as_secs() as i64;
    let mut remarks: Vec<_> =
        [files(seen), repository(seen, now), lock(seen, lock_limit), nested(seen)]
            .into_iter()
            .flatten()
            .collect();
    let status = remarks.iter().map(|remark| remark.0).fold(Status::Pass, worse);
    // The worst comes first, and its remedy is the one that is told.
    remarks.sort_by_key(|remark| remark.0 != status);
    let message = remarks.iter().map(|remark| remark.1.as_str()).collect::<Vec<_>>().join("; ");
    let remedy = remarks.into_iter().find_map(|remark| remark.2);
    let mut finding = Finding::judged(status, subject, message)
        .note("folder", seen.folder.clone())
        .note("missing", seen.missing.clone())
        .note("nested", seen.nested.found.iter().take(20).cloned().collect::<Vec<_>>())
        .measure(Measure::new("nested_count", seen.nested.found.len() as f64));
    if let Asked::Told(Head::Commit(at), _) = seen.repository {
        let age = now.saturating_sub(at).max(0);
        finding = finding.measure(Measure::new("commit_age_seconds", age as f64));
    }
    if let Some(age) = seen.lock_seconds {
        finding = finding.measure(Measure::new("lock_age_seconds", age));
    }
    match remedy {
        Some(remedy) if !finding.passes() => finding.remedy(remedy),
        _ => finding,
    }
}

fn files(seen: &Seen) -> Option<Remark> {
    (seen.missing.len() == FILES.len()).then(|| {
        let words = format!(
            "{} are all missing: no agent can take a turn (WORKSPACE_VANISHED)",
            FILES.join(", ")
        );
        Remark(Status::Fail, words, Some(RESTORE.to_owned()))
    })
}

fn repository(seen: &Seen, now: i64) -> Option<Remark> {
    let git = format!("{}git -C {}", seen.as_owner, quoted(&seen.folder));
    // A box without a person at it has no name for its commits.
    let owner = &seen.owner;
    let commit = format!(
        "{git} add -A && {git} -c user.name={owner} -c user.email={owner}@localhost \
         commit --allow-empty -m first"
    );
    let broken = |why: &str| {
        let remedy = format!("see what can be saved: {git} fsck; or restore a backup");
        Remark(Status::Fail, format!("its git repository is broken: {why}"), Some(remedy))
    };
    Some(match &seen.repository {
        Asked::Nothing => Remark(
            Status::Warn,
            "it is no git repository, so that nothing can be rolled back".to_owned(),
            Some(format!("make one: {git} init && {commit}")),
        ),
        Asked::Passed => {
            Remark(Status::Pass, "a git repository, which was not asked".to_owned(), None)
        }
        Asked::Unknown(why) => Remark(Status::Unknown, why.clone(), None),
        Asked::Told(Head::Broken(why), _) | Asked::Told(_, Some(why)) => broken(why),
        Asked::Told(Head::Unborn(branch), None) => Remark(
            Status::Warn,
            format!(
                "a new git repository without any commit on {branch}, so that nothing can be rolled back"
            ),
            Some(format!("make a first commit: {commit}")),
        ),
        Asked::Told(Head::Commit(at), None) => {
            let age = span(now.saturating_sub(*at).max(0) as f64);
            Remark(
                Status::Pass,
                format!("a git repository that works, last commit {age} ago"),
                None,
            )
        }
    })
}

fn lock(seen: &Seen, limit: f64) -> Option<Remark> {
    let age = seen.lock_seconds.filter(|age| *age >= limit && !seen.git_runs)?;
    Some(Remark(
        Status::Warn,
        format!("its index.lock is {} old and no git runs; limit {}", span(age), span(limit)),
        Some(format!(
            "remove it: {}rm {}",
            seen.as_owner,
            quoted(&format!("{}/.git/index.lock", seen.folder))
        )),
    ))
}

fn nested(seen: &Seen) -> Option<Remark> {
    /// As many as a sentence bears.
    const SHOWN: usize = 3;
    let found = &seen.nested.found;
    if found.is_empty() {
        let words = "not all of it was searched for nested repositories".to_owned();
        return (!seen.nested.complete).then_some(Remark(Status::Pass, words, None));
    }
    let mut names = found.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if found.len() > SHOWN {
        names.push_str(&format!(" and {} more", found.len() - SHOWN));
    }
    Some(Remark(
        Status::Warn,
        format!("commits leave out what is in nested repositories: {names}"),
        Some("move them out of the workspace, or remove their .git folders".to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            folder: "/w".into(),
            owner: "dev".into(),
            as_owner: "sudo runuser -u dev -- ".into(),
            missing: Vec::new(),
            repository: Asked::Told(Head::Commit(0), None),
            lock_seconds: None,
            git_runs: false,
            nested: Nested { found: Vec::new(), complete: true },
        }
    }

    fn told(repository: Asked) -> Seen {
        Seen { repository, ..seen() }
    }

    #[test]
    fn r5_each_trouble_is_told_and_the_worst_first() {
        let nested = || Nested { found: vec!["a".into(), "b".into()], complete: true };
        for (seen, expected) in [
            (seen(), "pass a git repository that works, last commit "),
            (
                Seen { missing: FILES.to_vec(), ..told(Asked::Nothing) },
                "fail AGENTS.md, SOUL.md, IDENTITY.md, USER.md are all missing: no agent can take a \
                 turn (WORKSPACE_VANISHED); it is no git repository, so that",
            ),
            (Seen { missing: vec!["SOUL.md"], ..seen() }, "pass a git repository that works"),
            (
                told(Asked::Told(Head::Unborn("refs/heads/main".into()), None)),
                "warn a new git repository without any commit on refs/heads/main, so that",
            ),
            (
                told(Asked::Told(Head::Broken("bad object HEAD".into()), None)),
                "fail its git repository is broken: bad object HEAD",
            ),
            (
                told(Asked::Told(Head::Commit(0), Some("index file corrupt".into()))),
                "fail its git repository is broken: index file corrupt",
            ),
            (told(Asked::Unknown("cannot run 'git': x".into())), "unknown cannot run 'git': x"),
            (told(Asked::Passed), "pass a git repository, which was not asked"),
            (Seen { lock_seconds: Some(59.0), ..seen() }, "pass a git repository"),
            (
                Seen { lock_seconds: Some(60.0), ..seen() },
                "warn its index.lock is 1 min old and no git runs; limit 1 min; a git repository",
            ),
            (Seen { lock_seconds: Some(60.0), git_runs: true, ..seen() }, "pass a git repository"),
            (
                Seen { nested: nested(), ..seen() },
                "warn commits leave out what is in nested repositories: a, b; a git repository",
            ),
        ] {
            let finding = judge("workspace".into(), &seen, 60.0);
            let line = format!("{} {}", finding.status, finding.message);
            assert!(line.starts_with(expected), "{line}\n{expected}");
        }
    }

    #[test]
    fn r5_a_first_commit_needs_no_name_of_git_and_is_the_owners() {
        let unborn = told(Asked::Told(Head::Unborn("refs/heads/main".into()), None));
        let finding = judge("workspace".into(), &unborn, 60.0);
        assert_eq!(
            finding.remedy.unwrap(),
            "make a first commit: sudo runuser -u dev -- git -C '/w' add -A && \
             sudo runuser -u dev -- git -C '/w' -c user.name=dev -c user.email=dev@localhost \
             commit --allow-empty -m first"
        );
    }
}

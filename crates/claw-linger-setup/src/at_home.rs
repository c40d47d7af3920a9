//! Work in a user's home, done with that user's rights.
//!
//! A user, or an agent of theirs, can put a link wherever root would write. So root starts this very
//! program again as that user, tells it one job, and reads one answer.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::child::{self, NotEnded};
use crate::environment::{self, Files, Spot};
use crate::owner::Owner;
use crate::prove::unit;
use crate::{made, runtime_dir, systemctl};

/// The word by which the program is told that a job follows.
const WORD: &str = "at-home";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Say which files the login shell reads, and what is in them.
    Files,
    /// Say which files hold our block.
    Blocks,
    /// Put our block at the top of this file.
    Put(PathBuf),
    /// Take our block out of this file.
    Take(PathBuf),
    /// Close the runtime folder to everybody else.
    CloseRuntimeDir,
    /// Command the user's own manager.
    Systemctl(Vec<String>),
    /// Put the unit in place that proves a reboot.
    Plant,
    /// Read what that unit has written.
    Evidence,
    /// Take that unit away, and what it has written.
    Uproot,
    /// Take these folders away where they are empty.
    Prune(Vec<PathBuf>),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Files(Files),
    Spots(Vec<Spot>),
    Evidence(Option<String>),
    /// What a program wrote.
    Said(String),
    Done,
    /// It could not be done, and why.
    Trouble(String),
}

#[derive(Serialize, Deserialize)]
struct Order {
    owner: Owner,
    job: Job,
    time_left: Duration,
}

/// Has a job done with the rights of its owner.
pub(crate) fn ask(owner: &Owner, job: Job, deadline: Instant) -> Result<Answer, String> {
    let answer = if geteuid().is_root() && owner.uid != 0 {
        let time_left = deadline.saturating_duration_since(Instant::now());
        send(&Order { owner: owner.clone(), job, time_left }, deadline)?
    } else {
        work(owner, &job, deadline)
    };
    // The user may have had a hand in the answer, and a file's name ends up in commands to type.
    let files = match &answer {
        Answer::Files(Files::Read(spots)) | Answer::Spots(spots) => &spots[..],
        _ => &[],
    };
    match answer {
        Answer::Trouble(why) => Err(why),
        _ if !files.iter().all(|spot| environment::is_ours(owner, &spot.file)) => {
            Err(format!("the files of {} were not told rightly", owner.name))
        }
        answer => Ok(answer),
    }
}

fn send(order: &Order, deadline: Instant) -> Result<Answer, String> {
    let name = &order.owner.name;
    let lines = serde_json::to_string(order).map_err(|error| error.to_string())?;
    // The standard library drops all groups beyond the one that it sets.
    let mut command = Command::new("/proc/self/exe");
    command.arg(WORD).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    command.uid(order.owner.uid).gid(order.owner.gid);
    let ended = child::tell(&lines, &mut command, deadline).map_err(|why| match why {
        NotEnded::NotStarted(error) => format!("cannot run this program as {name}: {error}"),
        NotEnded::Late => format!("the files of {name} did not answer in time"),
    })?;
    serde_json::from_str(&ended.stdout).map_err(|_| {
        format!("this program did not answer as {name} ({}): {}", ended.status, ended.stderr.trim())
    })
}

/// Does the job that this process was started for; nothing where it was not.
pub(crate) fn serve() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != WORD || words.next().is_some() {
        return None;
    }
    // The user may look into this process, and must not find root's terminal there.
    let _ = nix::unistd::setsid();
    let _ = nix::sys::prctl::set_dumpable(false);
    const LONGEST_BYTES: u64 = 64 * 1024;
    let mut text = String::new();
    let read = io::stdin().take(LONGEST_BYTES).read_to_string(&mut text);
    let answer = match read.map_err(serde_json::Error::io).and_then(|_| serde_json::from_str(&text))
    {
        Ok(Order { owner, job, time_left }) => work(&owner, &job, Instant::now() + time_left),
        Err(error) => Answer::Trouble(format!("not a job: {error}")),
    };
    let line = serde_json::to_string(&answer).unwrap_or_default();
    match io::stdout().write_all(line.as_bytes()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::from(2)),
    }
}

fn work(owner: &Owner, job: &Job, deadline: Instant) -> Answer {
    let done = |result: Result<(), String>| result.map_or_else(Answer::Trouble, |()| Answer::Done);
    match job {
        Job::Files => environment::look(owner).map_or_else(Answer::Trouble, Answer::Files),
        Job::Blocks => Answer::Spots(environment::blocks(owner)),
        Job::Put(file) => done(environment::put(owner, file)),
        Job::Take(file) => done(environment::take(owner, file)),
        Job::CloseRuntimeDir => done(runtime_dir::close(owner)),
        Job::Systemctl(words) => {
            systemctl::user(owner, words, deadline).map_or_else(Answer::Trouble, Answer::Said)
        }
        Job::Plant => done(unit::plant(owner)),
        Job::Evidence => unit::evidence(owner).map_or_else(Answer::Trouble, Answer::Evidence),
        Job::Uproot => done(unit::uproot(owner)),
        Job::Prune(folders) => {
            made::prune(&owner.home, folders);
            Answer::Done
        }
    }
}

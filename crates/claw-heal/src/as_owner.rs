//! Work for the gateway's owner, done with the owner's rights.
//!
//! Root starts this very program again as that user, tells it one job, and reads one answer. The
//! owner, or an agent, can have a hand in the answer: it is judged like anything else that is foreign.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::child::{self, NotEnded};
use crate::owner::Owner;
use crate::{restart_log, systemctl};

/// The word by which the program is told that a job follows.
const WORD: &str = "as-owner";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Command the user's own manager.
    Systemctl(Vec<String>),
    /// Read the end of what OpenClaw noted of its stops and restarts.
    RestartLog,
}

#[derive(Serialize, Deserialize)]
struct Order {
    owner: Owner,
    job: Job,
    time_left: Duration,
}

/// Has a job done with the rights of the owner, and gives what came of it.
pub(crate) fn ask(owner: &Owner, job: Job, deadline: Instant) -> Result<String, String> {
    if !geteuid().is_root() || owner.uid == 0 {
        return work(owner, &job, deadline);
    }
    let time_left = deadline.saturating_duration_since(Instant::now());
    let order = Order { owner: owner.clone(), job, time_left };
    let lines = serde_json::to_string(&order).map_err(|error| error.to_string())?;
    // The standard library drops all groups beyond the one that it sets.
    let mut command = Command::new("/proc/self/exe");
    command.arg(WORD).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    command.uid(owner.uid).gid(owner.gid);
    let name = &owner.name;
    let ended = child::tell(&lines, &mut command, deadline).map_err(|why| match why {
        NotEnded::NotStarted(error) => format!("cannot run this program as {name}: {error}"),
        NotEnded::Late => format!("this program did not answer as {name} in time"),
    })?;
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| {
        let (status, words) = (ended.status, ended.stderr.trim());
        Err(format!("this program did not answer as {name} ({status}): {words}"))
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
        Err(error) => Err(format!("not a job: {error}")),
    };
    let line = serde_json::to_string(&answer).unwrap_or_default();
    match io::stdout().write_all(line.as_bytes()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::from(2)),
    }
}

fn work(owner: &Owner, job: &Job, deadline: Instant) -> Result<String, String> {
    match job {
        Job::Systemctl(words) => systemctl::as_user(owner, words, deadline),
        Job::RestartLog => restart_log::tail(owner).map_err(|error| error.to_string()),
    }
}

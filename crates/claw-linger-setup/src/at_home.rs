//! Work in a user's home, done with that user's rights.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use claw_box::{Errand, Owner};
use serde::{Deserialize, Serialize};

use crate::environment::{self, Files, Spot};
use crate::prove::unit;
use crate::{made, runtime_dir, systemctl};

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
}

const AT_HOME: Errand<Job, Answer> = Errand { word: "at-home", work };

/// Has a job done with the rights of its owner.
pub(crate) fn ask(owner: &Owner, job: Job, deadline: Instant) -> Result<Answer, String> {
    let answer = AT_HOME.ask(owner, job, deadline)?;
    // A file's name ends up in commands to type.
    let files = match &answer {
        Answer::Files(Files::Read(spots)) | Answer::Spots(spots) => &spots[..],
        _ => &[],
    };
    if files.iter().all(|spot| environment::is_ours(owner, &spot.file)) {
        Ok(answer)
    } else {
        Err(format!("the files of {} were not told rightly", owner.name))
    }
}

/// Does the job that this process was started for; nothing where it was not.
pub(crate) fn serve() -> Option<ExitCode> {
    AT_HOME.serve()
}

fn work(owner: &Owner, job: &Job, deadline: Instant) -> Result<Answer, String> {
    let done = |()| Answer::Done;
    match job {
        Job::Files => environment::look(owner).map(Answer::Files),
        Job::Blocks => Ok(Answer::Spots(environment::blocks(owner))),
        Job::Put(file) => environment::put(owner, file).map(done),
        Job::Take(file) => environment::take(owner, file).map(done),
        Job::CloseRuntimeDir => runtime_dir::close(owner).map(done),
        Job::Systemctl(words) => systemctl::user(owner, words, deadline).map(Answer::Said),
        Job::Plant => unit::plant(owner).map(done),
        Job::Evidence => unit::evidence(owner).map(Answer::Evidence),
        Job::Uproot => unit::uproot(owner).map(done),
        Job::Prune(folders) => {
            made::prune(&owner.home, folders);
            Ok(Answer::Done)
        }
    }
}

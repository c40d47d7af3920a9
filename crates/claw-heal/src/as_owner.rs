//! Work for the gateway's owner, done with the owner's rights.

use std::time::Instant;

use claw_box::{Errand, Owner};
use serde::{Deserialize, Serialize};

use crate::{restart_log, systemctl};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Command the user's own manager.
    Systemctl(Vec<String>),
    /// Read the end of what OpenClaw noted of its stops and restarts.
    RestartLog,
}

/// The way to have it done.
pub(crate) const AS_OWNER: Errand<Job, String> = Errand { word: "as-owner", work };

fn work(owner: &Owner, job: &Job, deadline: Instant) -> Result<String, String> {
    match job {
        Job::Systemctl(words) => systemctl::as_user(owner, words, deadline),
        Job::RestartLog => restart_log::tail(owner).map_err(|error| error.to_string()),
    }
}

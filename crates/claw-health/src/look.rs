//! Looking at many things side by side, each within its own time.

use std::ops::Deref;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::checks::Found;
use crate::finding::Finding;
use crate::host::Host;
use crate::settings::Settings;
use crate::target::Target;

/// One look at one thing: all that a check is given.
pub(crate) struct Look {
    pub(crate) host: Arc<Host>,
    settings: Arc<Settings>,
    /// What to look at; empty where the check needs none.
    pub(crate) operand: String,
    /// When the check is cut off.
    pub(crate) deadline: Instant,
    subject: String,
}

impl Look {
    /// The subject of what is found.
    pub(crate) fn subject(&self) -> String {
        self.subject.clone()
    }

    /// The time that is left.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Deref for Look {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// Looks at every target, and hands over what was found there, in the order of the targets.
///
/// Checks that may wait run side by side. One that takes longer than its time is given up: what it
/// was to find is unknown, and nobody waits for it.
pub(crate) fn look<E>(
    host: &Arc<Host>,
    settings: &Arc<Settings>,
    targets: &[Target],
    timeout: Duration,
    mut found: impl FnMut(&Target, Vec<Finding>) -> Result<(), E>,
) -> Result<(), E> {
    /// Enough for a handshake and a parser; the default of 2 MiB is only address space, but many.
    const STACK_BYTES: usize = 512 * 1024;
    let look_at = |target: &Target| Look {
        host: Arc::clone(host),
        settings: Arc::clone(settings),
        operand: target.operand.clone(),
        deadline: Instant::now() + timeout,
        subject: target.subject(),
    };
    let waiting: Vec<_> = targets
        .iter()
        .map(|target| {
            if !target.check.waits {
                return None;
            }
            let (sender, receiver) = mpsc::sync_channel(1);
            let look = look_at(target);
            let deadline = look.deadline;
            let run = target.check.run;
            let started = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
                // The receiver is gone when the time was up.
                let _ = sender.send(run(&look));
            });
            Some(started.map(|_| (receiver, deadline)))
        })
        .collect();
    // What does not wait is looked at while the others do, before anything is handed over.
    let at_once: Vec<Option<Found>> = targets
        .iter()
        .map(|target| (!target.check.waits).then(|| (target.check.run)(&look_at(target))))
        .collect();
    for ((target, waiting), at_once) in targets.iter().zip(waiting).zip(at_once) {
        let result = match (waiting, at_once) {
            (Some(Ok((receiver, deadline))), _) => {
                // A check that watches its own deadline reports a moment after it.
                const GRACE: Duration = Duration::from_millis(100);
                let left = deadline.saturating_duration_since(Instant::now()) + GRACE;
                receiver.recv_timeout(left).unwrap_or_else(|error| {
                    Err(match error {
                        mpsc::RecvTimeoutError::Timeout => {
                            format!("no result within {} s", timeout.as_secs_f64())
                        }
                        mpsc::RecvTimeoutError::Disconnected => {
                            "the check itself failed".to_owned()
                        }
                    })
                })
            }
            (Some(Err(error)), _) => Err(format!("cannot start a thread: {error}")),
            (None, Some(result)) => result,
            (None, None) => Ok(Vec::new()),
        };
        let findings = result.unwrap_or_else(|why| vec![Finding::unknown(target.subject(), why)]);
        found(target, findings)?;
    }
    Ok(())
}

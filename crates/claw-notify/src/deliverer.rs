//! The thread that delivers, as soon as nobody else does.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use claw_record::{Complaint, complain};

use crate::engine::{Engine, Event, Setup, Told};
use crate::health::Delay;
use crate::spool::{numbers, path};

/// How it ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// How many messages wait, and why.
    pub(crate) left: usize,
    pub(crate) why: Option<Delay>,
    /// So many records could be put nowhere.
    pub(crate) lost: u64,
    /// How many messages nobody will take.
    pub(crate) dead: usize,
    /// Something could not be done, and was said.
    pub(crate) is_unable: bool,
}

/// Delivers from now on, until the end and then for as long as `patience`.
pub(crate) fn start(
    setup: Setup,
    (sender, events): (Sender<Event>, Receiver<Event>),
    patience: Duration,
    told: Told,
    over: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<Ended>, Complaint> {
    let thread = thread::Builder::new().name("deliver".to_owned()).stack_size(1024 * 1024);
    let work = move || {
        let ended = deliver(setup, &sender, &events, patience, told);
        over();
        ended
    };
    thread.spawn(work).map_err(|error| Complaint::new(format!("cannot start a thread: {error}")))
}

fn deliver(
    mut setup: Setup,
    sender: &Sender<Event>,
    events: &Receiver<Event>,
    patience: Duration,
    mut told: Told,
) -> Ended {
    /// So often it is asked whether the other one still delivers.
    const PAUSE: Duration = Duration::from_millis(250);
    const SHORT: Duration = Duration::from_millis(20);
    let mut deadline: Option<Instant> = None;
    let mut kept = Vec::new();
    loop {
        (setup, told) = match Engine::open(setup, sender.clone(), told) {
            Ok(Ok(mut engine)) => {
                for event in kept {
                    // What is sent to oneself arrives.
                    let _ = sender.send(event);
                }
                let left =
                    deadline.map_or(patience, |it| it.saturating_duration_since(Instant::now()));
                engine.run(events, left);
                let ((left, why), (lost, is_unable)) = (engine.left(), engine.forgotten());
                return Ended { left, why, dead: engine.dead(), lost, is_unable };
            }
            Ok(Err(back)) => back,
            Err(complaint) => {
                complain("claw-notify", &complaint.to_string());
                while !matches!(events.recv(), Ok(Event::End) | Err(_)) {}
                return Ended { is_unable: true, ..Ended::default() };
            }
        };
        // Somebody else delivers, what we accept as well.
        match events.recv_timeout(if deadline.is_some() { SHORT } else { PAUSE }) {
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => {
                deadline.get_or_insert(Instant::now() + patience);
                kept.push(Event::End);
            }
            Ok(event @ Event::Unspooled(..)) => kept.push(event),
            Ok(Event::Accepted | Event::Sent { .. }) | Err(RecvTimeoutError::Timeout) => {}
        }
        if deadline.is_some() {
            let left = untold(&setup.spool);
            let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if left == 0 || is_late {
                let lost = kept.iter().any(|event| matches!(event, Event::Unspooled(..)));
                if lost {
                    let words =
                        "what could not be written to the spool is lost: another process delivers";
                    complain("claw-notify", words);
                }
                let why = (left > 0).then(|| Delay {
                    words: "another process delivers".to_owned(),
                    is_refused: false,
                });
                return Ended { left, why, is_unable: lost, ..Ended::default() };
            }
        }
    }
}

/// How many segments hold something that was not told.
fn untold(spool: &Path) -> usize {
    let folder = spool.join("in");
    let is_full = |number: &u32| path(&folder, *number).metadata().is_ok_and(|meta| meta.len() > 0);
    numbers(&folder).map_or(0, |numbers| numbers.iter().filter(|number| is_full(number)).count())
}

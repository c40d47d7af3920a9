//! Looking at many things side by side, each within its own time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::checks::{Check, Found, Needs};
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

/// How looks are made, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Looker {
    settings: Arc<Settings>,
    timeout: Duration,
    begun: Arc<Mutex<HashSet<Begun>>>,
}

/// A check and its operand, that are being looked at.
type Begun = (&'static str, String);

impl Looker {
    /// One that looks as it was asked to.
    pub(crate) fn new(args: &Args) -> Self {
        Self { settings: Arc::clone(&args.settings), timeout: args.timeout, begun: Arc::default() }
    }

    /// Looks at every target, and hands over what was found there, in the order of the targets.
    ///
    /// Checks that may wait run beside the others, and beside each other as soon as one really waits.
    /// One that takes longer than its time is given up: what it was to find is unknown, and nobody
    /// waits. As long as it does not end it is not begun once more.
    pub(crate) fn look<E>(
        &self,
        host: &Arc<Host>,
        targets: &[Target],
        found: impl FnMut(&Target, Vec<Finding>) -> Result<(), E>,
    ) -> Result<(), E> {
        let job = |target: &Target| Job {
            check: target.check,
            looker: self.clone(),
            host: Arc::clone(host),
            operand: target.operand.clone(),
            subject: target.subject(),
        };
        look(targets, targets.iter().map(job).collect(), found)
    }
}

fn look<E>(
    targets: &[Target],
    looks: Vec<Job>,
    mut found: impl FnMut(&Target, Vec<Finding>) -> Result<(), E>,
) -> Result<(), E> {
    let waits = |number: &usize| targets[*number].check.waits;
    let (mut waiting, at_once): (Vec<_>, Vec<_>) = (0..targets.len()).partition(waits);
    // What waits longest is begun first: for programs, then for the gateway and systemd.
    waiting.sort_by_key(|number| {
        let check = targets[*number].check;
        (!check.runs_programs, !matches!(check.needs, Needs::Gateway | Needs::Systemd))
    });
    let mut side =
        SideBySide::new(waiting.into_iter().map(|number| (number, looks[number].clone())));
    side.start_another();
    let mut results: Vec<Option<Found>> = targets.iter().map(|_| None).collect();
    for number in at_once {
        results[number] = Some(looks[number].run());
    }
    for (number, target) in targets.iter().enumerate() {
        while results[number].is_none() {
            for (number, result) in side.wait() {
                results[number] = Some(result);
            }
        }
        let result = results[number].take().unwrap_or_else(|| Ok(Vec::new()));
        let findings = result.unwrap_or_else(|why| vec![Finding::unknown(target.subject(), why)]);
        found(target, findings)?;
    }
    Ok(())
}

/// A look that was not made yet.
#[derive(Clone)]
struct Job {
    check: &'static Check,
    looker: Looker,
    host: Arc<Host>,
    operand: String,
    subject: String,
}

impl Job {
    /// Looks. A check that panics has failed, and the others have not.
    fn run(&self) -> Found {
        if !self.host.is_running() && self.check.needs.a_running_host() {
            return Err("it needs a running host, and this is a tree of files".to_owned());
        }
        let key = (self.check.name, self.operand.clone());
        if !locked(&self.looker.begun).insert(key.clone()) {
            return Err("an earlier look has not come to its end".to_owned());
        }
        let look = Look {
            host: Arc::clone(&self.host),
            settings: Arc::clone(&self.looker.settings),
            operand: self.operand.clone(),
            deadline: Instant::now() + self.looker.timeout,
            subject: self.subject.clone(),
        };
        let found = catch_unwind(AssertUnwindSafe(|| (self.check.run)(&look)))
            .unwrap_or_else(|_| Err("the check itself failed".to_owned()));
        locked(&self.looker.begun).remove(&key);
        found
    }
}

/// Jobs that one thread works off as long as none of them waits: most are done in less time than it
/// takes to start a thread. Where one does wait, the next thread takes up the rest.
struct SideBySide {
    queue: Arc<Mutex<VecDeque<(usize, Job)>>>,
    sender: mpsc::Sender<(usize, Event)>,
    events: mpsc::Receiver<(usize, Event)>,
    /// The jobs that were begun, and when each is given up.
    running: HashMap<usize, (Instant, Duration)>,
}

enum Event {
    Begun(Duration),
    Done(Found),
}

impl SideBySide {
    fn new(jobs: impl Iterator<Item = (usize, Job)>) -> Self {
        let (sender, events) = mpsc::channel();
        let queue = Arc::new(Mutex::new(jobs.collect()));
        Self { queue, sender, events, running: HashMap::new() }
    }

    /// Starts another thread, if anything is left to do. Where that cannot be, and nothing runs, the
    /// jobs that are left have failed.
    fn start_another(&mut self) {
        /// Enough for a handshake and a parser; the default of 2 MiB is only address space, but much.
        const STACK_BYTES: usize = 512 * 1024;
        if locked(&self.queue).is_empty() {
            return;
        }
        let (queue, sender) = (Arc::clone(&self.queue), self.sender.clone());
        let started = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            while let Some((number, job)) = next(&queue) {
                // Nobody listens any more once everything was handed over.
                let _ = sender.send((number, Event::Begun(job.looker.timeout)));
                let _ = sender.send((number, Event::Done(job.run())));
            }
        });
        if let Err(error) = started
            && self.running.is_empty()
        {
            while let Some((number, _)) = next(&self.queue) {
                let why = format!("cannot start a thread: {error}");
                let _ = self.sender.send((number, Event::Done(Err(why))));
            }
        }
    }

    /// Waits for what comes next: the results of jobs that are done or were given up.
    fn wait(&mut self) -> Vec<(usize, Found)> {
        /// A thread that is at one job for so long waits for something.
        const PATIENCE: Duration = Duration::from_millis(1);
        let now = Instant::now();
        let is_all_begun = locked(&self.queue).is_empty();
        let ends = self.running.values().map(|(end, _)| end.saturating_duration_since(now)).min();
        let patience = if is_all_begun { ends.unwrap_or(PATIENCE) } else { PATIENCE };
        match self.events.recv_timeout(patience.min(ends.unwrap_or(patience))) {
            Ok((number, Event::Begun(timeout))) => {
                /// A check that watches its own deadline reports a moment after it, also on a box
                /// that is busy.
                const GRACE: Duration = Duration::from_millis(500);
                self.running.insert(number, (Instant::now() + timeout + GRACE, timeout));
                Vec::new()
            }
            // What was given up already is not told once more.
            Ok((number, Event::Done(result))) => {
                self.running.remove(&number);
                vec![(number, result)]
            }
            Err(_) => {
                if !is_all_begun {
                    self.start_another();
                }
                self.given_up()
            }
        }
    }

    fn given_up(&mut self) -> Vec<(usize, Found)> {
        let now = Instant::now();
        let late: Vec<_> = self
            .running
            .iter()
            .filter(|(_, (end, _))| *end <= now)
            .map(|(number, (_, timeout))| (*number, *timeout))
            .collect();
        late.into_iter()
            .map(|(number, timeout)| {
                self.running.remove(&number);
                (number, Err(format!("no result within {} s", timeout.as_secs_f64())))
            })
            .collect()
    }
}

fn next(queue: &Mutex<VecDeque<(usize, Job)>>) -> Option<(usize, Job)> {
    locked(queue).pop_front()
}

/// No thread panics while it holds the lock, so it is never poisoned.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::checks::Find;

    /// Hangs until somebody takes the folder away that is its operand.
    static HANGS: Check = Check {
        name: "hangs",
        about: "",
        operand: "",
        settings: &[],
        find: Find::Asked,
        needs: Needs::Files,
        waits: true,
        runs_programs: false,
        every_seconds: 0,
        is_sure: false,
        run: |look| {
            while std::path::Path::new(&look.operand).exists() {
                thread::sleep(Duration::from_millis(5));
            }
            Ok(vec![Finding::pass(look.subject(), "it came to its end")])
        },
    };

    /// A monitor would else have one thread more at each look.
    #[test]
    fn what_hangs_is_not_begun_once_more_until_it_ends() {
        let place = Args::parse_from(["test", "--root", "/"]).place;
        let host = Arc::new(Host::new(&place).unwrap());
        let looker = Looker {
            settings: Arc::default(),
            timeout: Duration::from_millis(50),
            begun: Arc::default(),
        };
        let folder = tempfile::tempdir().unwrap();
        let operand = folder.path().display().to_string();
        let targets = [Target { check: &HANGS, operand }];
        let look = || {
            let mut said = Vec::new();
            let keep = |_: &Target, found: Vec<Finding>| {
                said.extend(found.iter().map(Finding::line));
                Ok::<_, ()>(())
            };
            looker.look(&host, &targets, keep).unwrap();
            said
        };
        assert_eq!(look(), ["unknown WARNING no result within 0.05 s"]);
        let early = "unknown WARNING an earlier look has not come to its end";
        assert_eq!([look(), look()], [[early], [early]]);
        drop(folder);
        while !locked(&looker.begun).is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(look(), ["pass INFO it came to its end"]);
    }
}

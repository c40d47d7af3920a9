//! Crashes, told as they happen and each of them once.
//!
//! A signal of the manager tells the moment, its journal tells what it was. The journal is read on
//! from where it was read to, which is kept: so what fell between two monitors, or was not signalled,
//! is found by the next reading. Where the journal is silent, what the signal said is told.

mod changed;
mod evidence;
mod incident;
mod living;
mod track;
mod watcher;

use std::io::{self, PipeReader, PipeWriter, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use claw_record::Complaint;
use serde_json::Value;

use crate::args::Args;
use crate::finding::Finding;
use crate::host::Host;
use crate::target::Target;
use watcher::Watcher;

/// The name of what is remembered.
pub(super) const NAME: &str = "crashes";

/// What the watcher of crashes is told.
#[derive(Debug)]
enum Poke {
    /// A look is made, at these things.
    Looked(Vec<Target>),
    /// Something hangs, by a look that began then.
    Hung(Hung, Duration),
}

/// The gateway hangs, or an agent.
#[derive(Debug)]
pub(super) struct Hung {
    pub(super) subject: String,
    /// How many looks have to find that of one start until it is told.
    pub(super) looks: usize,
}

/// What the watcher of crashes tells.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) crashes: Vec<Finding>,
    /// What is to be remembered once they are told, where that is something new.
    pub(super) memory: Option<Value>,
    /// Did a unit change, so that a look is worth it?
    pub(super) has_moved: bool,
    /// Is it the answer to a look that was made?
    answers: bool,
}

/// The thread that watches for crashes.
#[derive(Debug)]
pub(super) struct Crashes {
    pokes: Sender<Poke>,
    bell: PipeWriter,
    told: Receiver<Told>,
    /// When the oldest look was made that it did not answer yet.
    asked: Option<Duration>,
    /// Holds a byte for each thing that it tells.
    pub(super) ready: PipeReader,
}

impl Crashes {
    /// Starts the thread, which goes on where that memory ends.
    pub(super) fn start(
        args: &Args,
        host: &Host,
        memory: Option<Value>,
    ) -> Result<Self, Complaint> {
        let cannot = |error: io::Error| Complaint::new(format!("cannot watch: {error}"));
        const STACK_BYTES: usize = 512 * 1024;
        let (poked, bell) = io::pipe().map_err(cannot)?;
        let (ready, mut rung) = io::pipe().map_err(cannot)?;
        let (pokes, to_hear) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let (args, host) = (args.clone(), host.anew());
        let watch = move || {
            let Some(mut watcher) = Watcher::new(&args, host, memory) else { return };
            while let Some(told) = watcher.next(&to_hear, &poked) {
                if tell.send(told).is_err() || rung.write_all(b".").is_err() {
                    return;
                }
            }
        };
        let builder = thread::Builder::new().name("crashes".to_owned()).stack_size(STACK_BYTES);
        builder.spawn(watch).map_err(cannot)?;
        Ok(Self { pokes, bell, told, asked: None, ready })
    }

    /// A look was made at these things.
    pub(super) fn looked(&mut self, planned: &[Target], now: Duration) {
        self.asked.get_or_insert(now);
        self.poke(Poke::Looked(planned.to_vec()));
    }

    /// A look that began then found that this hangs.
    pub(super) fn hung(&mut self, hung: Hung, begun: Duration) {
        self.poke(Poke::Hung(hung, begun));
    }

    fn poke(&mut self, poke: Poke) {
        // Where the thread has ended there is nobody to be told, and looks go on.
        if self.pokes.send(poke).is_ok() {
            let _ = self.bell.write_all(b".");
        }
    }

    /// What it told, if anything.
    pub(super) fn take(&mut self) -> Option<Told> {
        let told = self.told.try_recv().ok()?;
        if told.answers {
            self.asked = None;
        }
        Some(told)
    }

    /// Since when it owes an answer.
    pub(super) fn asked(&self) -> Option<Duration> {
        self.asked
    }
}

//! What comes in, read by a thread of its own, so that nobody waits for the next line.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Instant;
use std::{io, thread};

use claw_record::{Complaint, LINE_LIMIT, Line, Lines, Output, Record, complain};

use crate::said::Said;

/// What can come.
#[derive(Debug)]
pub(crate) enum Event {
    /// A line that is a record.
    Record(Vec<u8>, Box<Record>),
    /// A line that is none, and why where it ought to be.
    Other(Vec<u8>, Option<String>),
    /// A part of a line that is longer than a line may be, and whether it is its end.
    Part(Vec<u8>, bool),
    /// There are no more lines.
    End,
    /// They cannot be read.
    Broken(io::Error),
    /// A look at the unit of that number was made.
    Looked(usize, Result<Option<Said>, String>),
    /// Nothing came in time.
    Time,
}

/// The source of events.
#[derive(Debug)]
pub(crate) struct Input {
    events: Receiver<Event>,
    sender: SyncSender<Event>,
}

impl Input {
    /// Reads standard input from now on.
    pub(crate) fn start() -> Result<Self, Complaint> {
        // So many lines wait here, and more of them in the pipe.
        const MOST_WAITING: usize = 16;
        let (sender, events) = sync_channel(MOST_WAITING);
        let input = Self { events, sender: sender.clone() };
        let read = move || {
            let end = match read(&sender) {
                Ok(()) => Event::End,
                Err(error) => Event::Broken(error),
            };
            // Where nobody listens any more, nobody has to know.
            let _ = sender.send(end);
        };
        spawn("input", read)?;
        Ok(input)
    }

    /// The next event, until that moment.
    pub(crate) fn next(&self, until: Instant) -> Event {
        match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Event::Time,
        }
    }

    /// Has a look made; it comes as an event.
    pub(crate) fn look(
        &self,
        unit: usize,
        look: impl FnOnce() -> Result<Option<Said>, String> + Send + 'static,
    ) -> Result<(), Complaint> {
        let sender = self.sender.clone();
        spawn("look", move || {
            let _ = sender.send(Event::Looked(unit, look()));
        })
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Complaint> {
    let started = thread::Builder::new().name(name.to_owned()).stack_size(256 * 1024).spawn(work);
    started.map(drop).map_err(|error| Complaint::new(format!("cannot start a thread: {error}")))
}

fn read(sender: &SyncSender<Event>) -> io::Result<()> {
    let mut lines = Lines::new(io::stdin());
    while let Some(line) = lines.next_line()? {
        let (bytes, number) = (lines.bytes().to_vec(), lines.number());
        let event = match line {
            Line::Record(record) => Event::Record(bytes, record),
            Line::Blank => Event::Other(bytes, None),
            Line::Other(why) => Event::Other(bytes, Some(format!("line {number}, {why}"))),
            Line::TooLong => {
                let why = format!("line {number}, not a record: longer than {LINE_LIMIT} bytes");
                complain("claw-heal", &why);
                Event::Part(bytes, false)
            }
        };
        let is_long = matches!(event, Event::Part(..));
        if sender.send(event).is_err() {
            return Ok(());
        }
        while let Some(part) = lines.rest()?.filter(|_| is_long) {
            if sender.send(Event::Part(part.to_vec(), false)).is_err() {
                return Ok(());
            }
        }
        if is_long && sender.send(Event::Part(Vec::new(), true)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Passes on what an event brought, unchanged. Was it as it should be?
pub(crate) fn pass(event: &Event, output: &mut Output) -> Result<bool, Complaint> {
    match event {
        Event::Record(line, record) => output.pass(line, Some(record)).map(|()| true),
        Event::Other(line, why) => {
            if let Some(why) = why {
                complain("claw-heal", why);
            }
            output.pass(line, None).map(|()| why.is_none())
        }
        Event::Part(part, is_end) => {
            output.piece(part)?;
            if *is_end { output.piece(b"\n") } else { Ok(()) }.map(|()| false)
        }
        Event::End | Event::Broken(_) | Event::Looked(..) | Event::Time => Ok(true),
    }
}

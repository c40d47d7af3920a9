//! The filter: what comes in is put on the disk, and then passed on.
//!
//! A thread reads; everything that it has read while the disk was busy goes there together.

use std::borrow::Cow;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use claw_record::{
    Complaint, Format, LINE_LIMIT, Line, Lines, Output, Record, Severity, Source, Status, complain,
};

use crate::censor::Censor;
use crate::engine::Event;
use crate::entry;
use crate::route::Route;
use crate::spool::{Writer, give_reserve};

/// What stands between whoever reads and whoever writes.
#[derive(Debug, Default)]
pub(crate) struct Between {
    state: Mutex<State>,
    /// Something came.
    came: Condvar,
    /// There is room again.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<Item>,
    bytes: usize,
    end: Option<io::Result<()>>,
    /// Everything that was accepted was told, or stays.
    is_over: bool,
}

#[derive(Debug)]
enum Item {
    /// A line, the record for people to read where they do, and what is to be accepted.
    Line {
        bytes: Vec<u8>,
        record: Option<Box<Record>>,
        accept: Accept,
    },
    /// A line that ought to be a record and is none.
    Bad(Vec<u8>, String),
    /// A part of a line that is too long for a record, and whether it is its end.
    Part(Vec<u8>, bool),
    /// The same of a text. Of its first part the beginning is told.
    Begin(Vec<u8>),
    Rest(Vec<u8>, bool),
    /// A record of our own.
    Own(Box<Record>),
}

#[derive(Debug)]
enum Accept {
    No,
    /// The line itself, that loud.
    Line(Severity),
    Other(Vec<u8>, Severity),
    Text,
}

/// How lines are taken.
#[derive(Clone, Debug)]
pub(crate) struct Taking {
    pub(crate) text: Option<(String, Severity)>,
    pub(crate) routes: Vec<Route>,
    pub(crate) source: Source,
    pub(crate) format: Format,
    pub(crate) censor: Arc<Censor>,
}

/// A text that is longer is told as several, and a line that is longer is cut.
const LONGEST_TEXT_BYTES: usize = 48 * 1024;
/// So much waits between the two at most.
const MOST_BYTES: usize = 256 * 1024;

impl Between {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, item: Item, size: usize) {
        let mut state = self.lock();
        while state.bytes > MOST_BYTES {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += size;
        state.items.push(item);
        if state.items.len() == 1 {
            self.came.notify_one();
        }
    }

    /// A record of our own, to be written behind what was passed on.
    pub(crate) fn tell(&self, record: Record) {
        let mut state = self.lock();
        state.items.push(Item::Own(Box::new(record)));
        self.came.notify_one();
    }

    /// Everything that was accepted was told, or stays.
    pub(crate) fn is_over(&self) {
        self.lock().is_over = true;
        self.came.notify_one();
    }

    /// Writes what is told, until everything was or stays.
    pub(crate) fn write(&self, output: &mut Output) -> Result<(), Complaint> {
        loop {
            let (items, _, is_over) = self.take(None);
            pass(&items, output.format(), output)?;
            if is_over && items.is_empty() {
                return Ok(());
            }
        }
    }

    fn end(&self, end: io::Result<()>) {
        self.lock().end = Some(end);
        self.came.notify_one();
    }

    /// What came until now: the end as well, where it is reached. Waits for something until then.
    fn take(&self, until: Option<Instant>) -> (Vec<Item>, Option<io::Result<()>>, bool) {
        let mut state = self.lock();
        while state.items.is_empty() && state.end.is_none() && !state.is_over {
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    let waited = self.came.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.came.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.bytes = 0;
        self.room.notify_all();
        (std::mem::take(&mut state.items), state.end.take(), state.is_over)
    }
}

/// Reads standard input from now on.
pub(crate) fn read(between: &Arc<Between>, taking: &Taking) -> Result<(), Complaint> {
    let (between, taking) = (Arc::clone(between), taking.clone());
    let work = move || {
        let end = read_lines(&between, &taking);
        between.end(end);
    };
    let thread = thread::Builder::new().name("input".to_owned()).stack_size(512 * 1024);
    let started = thread.spawn(work);
    started.map(drop).map_err(|error| Complaint::new(format!("cannot start a thread: {error}")))
}

fn read_lines(between: &Between, taking: &Taking) -> io::Result<()> {
    const OVERHEAD_BYTES: usize = 64;
    let mut lines = Lines::new(io::stdin());
    while let Some(line) = lines.next_line()? {
        let (number, bytes) = (lines.number(), lines.bytes().to_vec());
        let size = bytes.len() + OVERHEAD_BYTES;
        let is_long = matches!(line, Line::TooLong);
        let item = match line {
            Line::TooLong if taking.text.is_some() => Item::Begin(bytes),
            Line::TooLong => {
                let why = format!("line {number}, not a record: longer than {LINE_LIMIT} bytes");
                complain("claw-notify", &why);
                Item::Part(bytes, false)
            }
            Line::Blank if taking.text.is_none() => {
                Item::Line { bytes, record: None, accept: Accept::No }
            }
            _ if taking.text.is_some() => Item::Line { bytes, record: None, accept: Accept::Text },
            Line::Record(record) => taking.record(bytes, record, None),
            Line::Other(why) => match entry::journal(&bytes, &taking.source) {
                Some(record) => {
                    let payload = record.to_line();
                    taking.record(bytes, Box::new(record), Some(payload))
                }
                None => Item::Bad(bytes, format!("line {number}, {why}")),
            },
            Line::Blank => Item::Line { bytes, record: None, accept: Accept::No },
        };
        between.put(item, size);
        let rest = if taking.text.is_some() { Item::Rest } else { Item::Part };
        while let Some(part) = lines.rest()?.filter(|_| is_long) {
            let part = part.to_vec();
            let size = part.len();
            between.put(rest(part, false), size);
        }
        if is_long {
            between.put(rest(Vec::new(), true), OVERHEAD_BYTES);
        }
    }
    Ok(())
}

impl Taking {
    fn record(&self, bytes: Vec<u8>, record: Box<Record>, payload: Option<Vec<u8>>) -> Item {
        let is_loud = self.routes.iter().any(|route| route.hears(record.severity));
        // One that passes may be the end of what was told.
        let accept = match payload {
            _ if !is_loud && record.status != Status::Pass => Accept::No,
            None => match self.censor.line(&bytes) {
                Cow::Borrowed(_) => Accept::Line(record.severity),
                Cow::Owned(clean) => Accept::Other(clean, record.severity),
            },
            Some(mut payload) => {
                payload.pop_if(|last| *last == b'\n');
                Accept::Other(self.censor.line(&payload).into_owned(), record.severity)
            }
        };
        let record = (self.format == Format::Human).then_some(record);
        Item::Line { bytes, record, accept }
    }
}

/// Accepts and passes on until the end of what comes, and then writes what is told until that is over.
/// Was everything as it should be?
pub(crate) fn filter(
    between: &Between,
    taking: &Taking,
    writer: &mut Writer,
    events: &Sender<Event>,
    output: &mut Output,
) -> Result<bool, Complaint> {
    /// Lines of text that come within this time are one text.
    const PAUSE: Duration = Duration::from_millis(500);
    let mut is_clean = true;
    let mut text: Vec<Item> = Vec::new();
    let mut is_ended = false;
    loop {
        let until = (!text.is_empty()).then(|| Instant::now() + PAUSE);
        let (items, end, is_over) = between.take(until);
        let is_pause = items.is_empty();
        let mut batch = Vec::new();
        for item in items {
            match item {
                Item::Line { accept: Accept::Text, .. } => text.push(item),
                Item::Begin(_) => {
                    is_clean &= accept_text(&text, taking, writer, events);
                    batch.append(&mut text);
                    is_clean &= accept_text(std::slice::from_ref(&item), taking, writer, events);
                    batch.push(item);
                }
                _ => batch.push(item),
            }
        }
        let size: usize = text.iter().map(|item| item.bytes().len() + 1).sum();
        if !text.is_empty() && (is_pause || end.is_some() || size > LONGEST_TEXT_BYTES) {
            is_clean &= accept_text(&text, taking, writer, events);
            batch.append(&mut text);
        }
        is_clean &= accept(&batch, taking, writer, events);
        is_clean &= pass(&batch, taking.format, output)?;
        match end {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                complain("claw-notify", &format!("cannot read standard input: {error}"));
                is_clean = false;
            }
            None if is_over && is_pause => return Ok(is_clean),
            // A closed pipe is no end: who is told does not read there.
            None => continue,
        }
        if !is_ended {
            is_ended = true;
            writer.close();
            // Where nobody delivers any more, it stays in the spool.
            let _ = events.send(Event::End);
        }
    }
}

impl Item {
    fn bytes(&self) -> &[u8] {
        match self {
            Item::Line { bytes, .. }
            | Item::Bad(bytes, _)
            | Item::Part(bytes, _)
            | Item::Rest(bytes, _)
            | Item::Begin(bytes) => bytes,
            Item::Own(_) => &[],
        }
    }

    fn payload(&self) -> Option<(&[u8], Severity)> {
        match self {
            Item::Line { bytes, accept: Accept::Line(severity), .. } => {
                Some((bytes.trim_ascii(), *severity))
            }
            Item::Line { accept: Accept::Other(payload, severity), .. } => {
                Some((payload, *severity))
            }
            _ => None,
        }
    }
}

/// Puts the records of a batch on the disk.
fn accept(batch: &[Item], taking: &Taking, writer: &mut Writer, events: &Sender<Event>) -> bool {
    let payloads: Vec<_> = batch.iter().filter_map(Item::payload).collect();
    put(&payloads, taking, writer, events)
}

/// Puts lines of text on the disk as one record.
fn accept_text(
    text: &[Item],
    taking: &Taking,
    writer: &mut Writer,
    events: &Sender<Event>,
) -> bool {
    let Some((subject, severity)) = &taking.text else { return true };
    let lines = text.iter().map(|item| match item {
        Item::Begin(bytes) => &bytes[..LONGEST_TEXT_BYTES],
        item => item.bytes(),
    });
    let whole = lines.collect::<Vec<_>>().join(&b'\n');
    if whole.iter().all(u8::is_ascii_whitespace) {
        return true;
    }
    let record = entry::text(&whole, subject, *severity, &taking.source);
    let mut line = record.to_line();
    line.pop_if(|last| *last == b'\n');
    put(&[(&taking.censor.line(&line), *severity)], taking, writer, events)
}

fn put(
    payloads: &[(&[u8], Severity)],
    taking: &Taking,
    writer: &mut Writer,
    events: &Sender<Event>,
) -> bool {
    if payloads.is_empty() || taking.routes.is_empty() {
        return true;
    }
    let all = payloads.iter().map(|(payload, _)| *payload);
    let Err(error) = writer.append(all) else {
        let _ = events.send(Event::Accepted);
        say_it_is_over(taking, writer);
        return true;
    };
    // What is only good to know goes first; there is room kept for the rest.
    let loud = payloads.iter().filter(|(_, severity)| *severity != Severity::Info);
    let mut loud = loud.map(|(payload, _)| *payload).peekable();
    let has_loud = loud.peek().is_some();
    let is_kept = has_loud && give_reserve(writer.spool()) && writer.append(loud).is_ok();
    if is_kept {
        let _ = events.send(Event::Accepted);
    }
    let unspooled = payloads.iter().filter(|(_, severity)| !is_kept || *severity == Severity::Info);
    let mut unspooled: Vec<_> = unspooled.map(|(payload, _)| payload.to_vec()).collect();
    let is_new = writer.unspooled == 0;
    writer.unspooled += unspooled.len() as u64;
    if is_new {
        let words = format!(
            "cannot write '{}': {error}: what comes is told from memory alone",
            writer.spool().display()
        );
        complain("claw-notify", &words);
        let mut record = taking.source.record("check", "spool:disk", Status::Fail, &words);
        record.severity = Severity::Error;
        let mut line = record.to_line();
        line.pop_if(|last| *last == b'\n');
        unspooled.push(line);
    }
    let _ = events.send(Event::Unspooled(taking.routes.clone(), unspooled));
    false
}

/// Says that the disk takes records again, where it did not.
fn say_it_is_over(taking: &Taking, writer: &mut Writer) {
    let count = std::mem::take(&mut writer.unspooled);
    if count == 0 {
        return;
    }
    let spool = writer.spool().display().to_string();
    let words =
        format!("'{spool}' can be written again: {count} records before are in memory alone");
    complain("claw-notify", &words);
    let line = taking.source.record("check", "spool:disk", Status::Pass, &words).to_line();
    // Where that does not go there it will be said again.
    let _ = writer.append(std::iter::once(line.trim_ascii_end()));
}

/// Passes a batch on, unchanged. Was it as it should be?
fn pass(batch: &[Item], format: Format, output: &mut Output) -> Result<bool, Complaint> {
    const PIECE_BYTES: usize = 64 * 1024;
    let mut is_clean = true;
    let mut bytes = Vec::new();
    for item in batch {
        match item {
            Item::Bad(_, why) => {
                complain("claw-notify", why);
                is_clean = false;
            }
            Item::Part(..) => is_clean = false,
            _ => {}
        }
        if format == Format::Json {
            match item {
                Item::Own(record) => bytes.extend(record.to_line()),
                Item::Part(part, false) | Item::Rest(part, false) | Item::Begin(part) => {
                    bytes.extend_from_slice(part)
                }
                _ => {
                    bytes.extend_from_slice(item.bytes());
                    bytes.push(b'\n');
                }
            }
            if bytes.len() >= PIECE_BYTES {
                output.piece(&bytes)?;
                bytes.clear();
            }
            continue;
        }
        match item {
            Item::Own(record) => output.record(record)?,
            Item::Line { bytes, record, .. } => output.pass(bytes, record.as_deref())?,
            Item::Bad(bytes, _) => output.pass(bytes, None)?,
            Item::Part(part, _) | Item::Rest(part, _) | Item::Begin(part) => {
                output.text(&String::from_utf8_lossy(part))?
            }
        }
    }
    if !bytes.is_empty() {
        output.piece(&bytes)?;
    }
    Ok(is_clean)
}

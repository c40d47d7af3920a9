//! What people ask: what waits, what to do with it, whether it works at all.

use std::path::Path;
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_record::{Complaint, Outcome, Output, Severity, Source, Status, complain};

use crate::args::Act;
use crate::channels::{self, CHANNELS, Parcel, Refusal};
use crate::clock::{Clock, rfc3339, wall};
use crate::command::{self, Command};
use crate::engine::{Engine, Setup, keep};
use crate::health::Delay;
use crate::message::{Body, Message};
use crate::spool::journal;
use crate::spool::{Id, numbers, path};
use crate::trial;

/// What it is about that is done here.
const QUEUE: &str = "notify:queue";
const SILENCE: &str = "notify:silence";

/// What is asked of a silence.
#[derive(Debug)]
pub(crate) struct Silence {
    pub(crate) time: Option<Duration>,
    pub(crate) why: Option<String>,
    pub(crate) end: Option<String>,
}

/// The channels that there are.
pub(crate) fn list(source: &Source, output: &mut Output) -> Result<Outcome, Complaint> {
    for channel in CHANNELS {
        let subject = format!("channel:{}", channel.name);
        output.record(&source.record("channel", &subject, Status::Pass, channel.about))?;
    }
    Ok(Outcome::Well)
}

/// What waits, or what is to be done with it.
pub(crate) fn queue(
    setup: Setup,
    act: Option<&Act>,
    output: &mut Output,
) -> Result<Outcome, Complaint> {
    match act {
        None => show(&setup, false, output),
        Some(Act::Dead) => show(&setup, true, output),
        Some(Act::Retry) => {
            ask(setup, &Command::Retry, (QUEUE, "every target is tried again"), output)
        }
        Some(Act::Drop { ids }) => {
            let ids: Result<Vec<Id>, _> = ids.iter().map(|id| id.parse()).collect();
            let ids = ids.map_err(|why| Complaint::new(format!("cannot drop: {why}")))?;
            let words = "what tells of these alone is not told";
            ask(setup, &Command::Drop { ids }, (QUEUE, words), output)
        }
    }
}

fn show(setup: &Setup, dead: bool, output: &mut Output) -> Result<Outcome, Complaint> {
    let file = setup.spool.join("state");
    let contents = journal::load(&file)
        .map_err(|error| Complaint::cannot("read", &file.display().to_string(), error))?;
    let mut kept = keep::load(&contents.values);
    let now = Clock::resume(kept.clock.take()).now();
    let source = &setup.source;
    let mut count = 0;
    for desk in &kept.desks {
        let target = desk.route.targets.first().map_or("nobody", String::as_str);
        let messages = if dead { &desk.dead } else { &desk.outbox };
        let mut delays = desk
            .route
            .targets
            .iter()
            .filter_map(|target| Delay::of(target, kept.health.get(target), &kept.ledger, now));
        let delay = delays.next().filter(|_| !dead);
        for message in messages.values() {
            count += 1;
            output.record(&waiting(message, (target, delay.as_ref()), now, source))?;
        }
        for incident in desk.incidents.values().filter(|it| !dead && it.untold_count > 0) {
            count += 1;
            let words = format!(
                "{} of {} on {}: {}",
                incident.untold, incident.subject, incident.host, incident.last.message
            );
            let mut record = source.record("queue", target, Status::Warn, &words);
            record.data.insert("ids".to_owned(), incident.untold.to_string().into());
            record.data.insert("records_total".to_owned(), incident.untold_count.into());
            output.record(&record)?;
        }
        if let Some(flood) = desk.flood.as_ref().filter(|_| !dead) {
            count += 1;
            let words = format!("{}: {} records more", flood.ids, flood.count);
            output.record(&source.record("queue", target, Status::Warn, &words))?;
        }
    }
    if !dead {
        count += unread(setup, &kept, output)?;
        for (target, health) in &kept.health {
            if let Some(why) = &health.why {
                let words = format!("it does not work: {why}");
                output.record(&source.record("target", target, Status::Fail, &words))?;
            }
        }
        kept.silences.look(now);
        for (number, silence) in &kept.silences.all {
            let about = silence.subject.as_deref().unwrap_or("everything");
            let left = Duration::from_millis(kept.silences.until(about).saturating_sub(now));
            let words = format!(
                "silence {number} about {about} ends at {}, in {}: {}",
                rfc3339(silence.until_wall),
                claw_record::shown_span(left),
                silence.why
            );
            output.record(&source.record("silence", SILENCE, Status::Pass, &words))?;
        }
    }
    Ok(if count > 0 { Outcome::NotWell } else { Outcome::Well })
}

fn waiting(
    message: &Message,
    (target, delay): (&str, Option<&Delay>),
    now: u64,
    source: &Source,
) -> claw_record::Record {
    let since = Duration::from_millis(now.saturating_sub(message.since));
    let refused: Vec<_> =
        message.refused.iter().map(|(target, why)| format!("; {target}: {why}")).collect();
    let records = if message.count == 1 { "record" } else { "records" };
    let mut words = format!(
        "message {} of {} {records}, {}, has waited {}{}",
        message.number,
        message.count,
        message.ids,
        claw_record::shown_span(since),
        refused.concat()
    );
    if let Some(delay) = delay {
        words += &format!("; {}", delay.words);
    }
    let mut record = source.record("queue", target, Status::Warn, &words);
    record.data.insert("ids".to_owned(), message.ids.to_string().into());
    record.data.insert("records_total".to_owned(), message.count.into());
    record.data.insert("waits_seconds".to_owned(), since.as_secs().into());
    record
}

/// What was accepted, and nobody who delivers has read.
fn unread(setup: &Setup, kept: &keep::Kept, output: &mut Output) -> Result<usize, Complaint> {
    let folder = setup.spool.join("in");
    let found = numbers(&folder)
        .map_err(|error| Complaint::cannot("read", &folder.display().to_string(), error))?;
    let mut bytes = 0;
    for number in found {
        let length = path(&folder, number).metadata().map_or(0, |meta| meta.len());
        let read = kept.desks.iter().filter_map(|desk| desk.cursors.get(&number));
        bytes += length - read.map(|cursor| cursor.offset).max().unwrap_or(0).min(length);
    }
    if bytes == 0 {
        return Ok(0);
    }
    let words = format!("{bytes} bytes of records that nobody has taken in yet");
    output.record(&setup.source.record("queue", "spool:in", Status::Warn, &words))?;
    Ok(1)
}

/// Opens or ends a silence.
pub(crate) fn silence(
    setup: Setup,
    silence: Silence,
    subject: Option<String>,
    output: &mut Output,
) -> Result<Outcome, Complaint> {
    if let Some(which) = silence.end {
        let file = setup.spool.join("state");
        let contents = journal::load(&file)
            .map_err(|error| Complaint::cannot("read", &file.display().to_string(), error))?;
        let silences = keep::load(&contents.values).silences;
        let is_there = match which.parse() {
            Ok(number) => silences.all.contains_key(&number),
            Err(_) => !silences.of_reason(&which).is_empty(),
        };
        if !is_there {
            complain("claw-notify", &format!("there is no silence '{which}'"));
            return Ok(Outcome::NotWell);
        }
        let command = match which.parse() {
            Ok(number) => Command::EndSilence { number },
            Err(_) => Command::EndSilences { why: which.clone() },
        };
        return ask(setup, &command, (SILENCE, &format!("silence {which} is over")), output);
    }
    let why = silence.why.filter(|why| !why.trim().is_empty());
    let (Some(time), Some(why)) = (silence.time, why) else {
        let why = "a silence has an end and a reason: --for 30m --why \"new disk\"";
        return Err(Complaint::new(format!("cannot be silent: {why}")));
    };
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let about = subject.clone().unwrap_or_else(|| "everything".to_owned());
    let until = rfc3339(wall().saturating_add(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)));
    let words = format!("{about} is not told until {until}: {why}");
    ask(setup, &Command::Silence { subject, milliseconds, why }, (SILENCE, &words), output)
}

/// Has a command done, by whoever delivers or else here.
fn ask(
    setup: Setup,
    command: &Command,
    (subject, words): (&str, &str),
    output: &mut Output,
) -> Result<Outcome, Complaint> {
    const PATIENCE: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(20);
    let name = setup.spool.display().to_string();
    let cannot = |error: std::io::Error| Complaint::cannot("use", &name, error);
    claw_box::private_folder(&setup.spool).map_err(cannot)?;
    let place = command::put(&setup.spool, command).map_err(cannot)?;
    let source = setup.source.clone();
    let (sender, _events) = channel();
    if let Ok(mut engine) = Engine::open(setup, sender, Box::new(|_| {}))? {
        engine.only_obey();
    } else {
        let deadline = Instant::now() + PATIENCE;
        while Path::new(&place).exists() && Instant::now() < deadline {
            sleep(PAUSE);
        }
    }
    if place.exists() {
        let words = "whoever delivers has not done it yet; it will";
        complain("claw-notify", words);
        return Ok(Outcome::Unable);
    }
    output.record(&source.record("operation", subject, Status::Pass, words))?;
    Ok(Outcome::Well)
}

/// Whom it tells, in which order, and how it goes with each.
pub(crate) fn targets(setup: &Setup, output: &mut Output) -> Result<Outcome, Complaint> {
    if setup.fallback.is_empty() {
        return Err(nobody());
    }
    let file = setup.spool.join("state");
    let contents = journal::load(&file)
        .map_err(|error| Complaint::cannot("read", &file.display().to_string(), error))?;
    let kept = keep::load(&contents.values);
    let mut outcome = Outcome::Well;
    for route in &setup.fallback {
        let mut before: Option<&str> = None;
        for target in &route.targets {
            let when = before.map_or_else(
                || "it is told first".to_owned(),
                |before| format!("it is told where {before} gives no receipt"),
            );
            let why = kept.health.get(target).and_then(|health| health.why.as_ref());
            let record = match why {
                Some(why) => {
                    outcome = Outcome::NotWell;
                    let words = format!("{when}; it does not work: {why}");
                    setup.source.record("target", target, Status::Fail, &words)
                }
                None => setup.source.record("target", target, Status::Pass, &when),
            };
            output.record(&record)?;
            before = Some(target);
        }
    }
    Ok(outcome)
}

/// There is nobody to tell.
pub(crate) fn nobody() -> Complaint {
    let why = "nobody is named: --to SCHEME:ADDRESS, or CLAW_NOTIFY_TO in /etc/claw/claw.env";
    Complaint::new(format!("cannot tell anybody: {why}"))
}

/// Sends something to every target, and shows what came of it.
pub(crate) fn test(setup: &Setup, output: &mut Output) -> Result<Outcome, Complaint> {
    let source = &setup.source;
    if setup.fallback.is_empty() {
        return Err(nobody());
    }
    let targets = setup.fallback.iter().flat_map(|route| route.targets.iter().cloned());
    let mut outcome = Outcome::Well;
    for target in targets {
        let Ok((channel, address)) = channels::of(&target) else { continue };
        let Body::Words { title, text, record } = trial::body(channel, "#test", source) else {
            continue;
        };
        let parcel = Parcel {
            address,
            title: &title,
            text: &text,
            record: &record,
            severity: Severity::Info,
            answers: None,
            ids: "#test",
        };
        let started = Instant::now();
        let sent = (channel.send)(&parcel, &setup.means);
        let after = started.elapsed().as_secs_f64();
        let (status, words) = match &sent {
            Ok(receipt) => (Status::Pass, format!("receipt {receipt}")),
            Err(refusal) => (Status::Fail, why(refusal)),
        };
        if status == Status::Fail {
            outcome = Outcome::NotWell;
        }
        let mut record = source.record("test", &target, status, &words);
        record.data.insert("after_seconds".to_owned(), ((after * 1000.0).round() / 1000.0).into());
        output.record(&record)?;
    }
    Ok(outcome)
}

fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Later(why) | Refusal::Message(why) | Refusal::Target(why) => why.clone(),
        Refusal::Wait(time) => format!("it asks to wait for {}", claw_record::shown_span(*time)),
        Refusal::Moved(to) => format!("its address is {to} now"),
    }
}

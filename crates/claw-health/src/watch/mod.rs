//! One look after the other, and what changes from one to the next.
//!
//! The loop here waits for what comes and is never held up by a look, which another thread makes; so
//! it can end at once, and tell the service manager that looks are really made. All times are of the
//! clock that counts a suspended box's time as well and that nobody sets; only records tell another.

mod boot;
mod change;
mod crashes;
mod events;
mod looking;
mod metrics;
mod moment;
mod notify;
mod overview;
mod reader;
mod records;
mod schedule;
mod state;

use std::sync::Arc;
use std::time::Duration;

use claw_box::groups;
use claw_record::{Complaint, Outcome, complain};

pub(crate) use change::Confirm;

use crate::args::{Args, Format};
use crate::host::Host;
use boot::Boot;
use crashes::{Crashes, Hung, Told};
use events::{Event, Events};
use looking::{Looked, Looking, Order};
use metrics::Metrics;
use moment::since_boot;
use notify::Notify;
use overview::Overview;
use reader::Reader;
use records::Records;
use schedule::Schedule;

/// Watches, until somebody asks for an end or nobody reads any more.
pub(crate) fn run(args: &Args, every: Duration) -> Result<Outcome, Complaint> {
    let _guard = groups::guard(false);
    let host = Arc::new(Host::new(&args.place)?);
    let mut report = match args.format {
        Some(format @ (Format::Openmetrics | Format::Textfile)) => {
            Report::Metrics(Metrics::new(args, format))
        }
        _ => Report::Records(Box::new(Records::new(args, &host)?)),
    };
    let crashes = match &mut report {
        // Nothing happens in a tree.
        Report::Records(records) if host.is_running() => {
            Some(Crashes::start(args, &host, records.recall_crashes())?)
        }
        _ => None,
    };
    let events = Events::new(matches!(report, Report::Records(_)))?;
    let mut monitor = Monitor {
        boot: Boot::new(&host, since_boot()),
        schedule: Schedule::new(since_boot(), every, args.interval.iter().copied().collect()),
        looking: Looking::start(args)?,
        overview: Overview::new(since_boot(), every),
        notify: Notify::new(),
        reader: Reader::default(),
        longest_look: args.timeout * 2 + Duration::from_secs(5),
        begun: None,
        is_late: false,
        report,
        events,
        crashes,
        host,
    };
    let watched = monitor.watch();
    monitor.notify.stopping();
    let end = watched?;
    if end == Event::Stop {
        monitor.report.end();
        return Ok(Outcome::Well);
    }
    monitor.report.lost(monitor.reader.unread_since());
    // A service is a whole pipe, which is to go on; where it is stopped, any of it may end first.
    if Notify::is_service() && !monitor.events.stop_comes(Duration::from_secs(1))? {
        return Err(Complaint::new("whoever read the records has ended"));
    }
    Ok(Outcome::Well)
}

struct Monitor {
    /// The box as it was at first, from which it is seen anew for each look.
    host: Arc<Host>,
    boot: Boot,
    schedule: Schedule,
    looking: Looking,
    /// When the look began that is being made.
    begun: Option<Duration>,
    /// A look that takes longer hangs.
    longest_look: Duration,
    is_late: bool,
    overview: Overview,
    report: Report,
    events: Events,
    crashes: Option<Crashes>,
    notify: Notify,
    reader: Reader,
}

/// For whom the monitor looks.
enum Report {
    Records(Box<Records>),
    Metrics(Metrics),
}

impl Monitor {
    /// Goes on until there is a reason to end.
    fn watch(&mut self) -> Result<Event, Complaint> {
        loop {
            let now = since_boot();
            let is_due = self.begun.is_none() && self.schedule.next() <= now;
            if is_due && self.boot.is_over(&self.host, now) {
                self.begin(now)?;
            }
            self.live(now)?;
            let crashed = self.crashes.as_ref().map(|crashes| &crashes.ready);
            let event = self.events.wait(self.next(now), &self.looking.ready, crashed)?;
            // What is written below cannot have been read yet.
            self.reader.look(since_boot());
            self.reader.wrote(since_boot());
            match event {
                Event::Time => {}
                Event::Looked => {
                    let looked = self.looking.take()?;
                    if !self.hear(looked)? {
                        return Ok(Event::Unread);
                    }
                }
                Event::Crashed => {
                    if !self.crashed()? {
                        return Ok(Event::Unread);
                    }
                }
                end @ (Event::Stop | Event::Unread) => return Ok(end),
            }
        }
    }

    fn begin(&mut self, now: Duration) -> Result<(), Complaint> {
        self.begun = Some(now);
        self.looking.order(Order {
            host: self.host.anew(),
            resting: self.schedule.begin(now),
            in_trouble: self.report.in_trouble(),
        })
    }

    /// Hears a look, and tells of it; false where nobody listens any more.
    fn hear(&mut self, looked: Looked) -> Result<bool, Complaint> {
        let now = since_boot();
        let took = now.saturating_sub(self.begun.take().unwrap_or(now));
        self.is_late = false;
        self.overview.see(&looked);
        let is_heard = self.report.hear(&looked, &self.overview, now)?;
        for check in &looked.checks {
            if !looked.resting.contains(check.name) {
                self.schedule.looked(check, now, self.report.is_open(check.name));
            }
        }
        self.schedule.keep(&looked.checks.iter().map(|check| check.name).collect(), now);
        self.notify.looked(&self.overview.status(took));
        if let Some(crashes) = &mut self.crashes {
            crashes.looked(&looked.planned, now);
            let begun = now.saturating_sub(took);
            self.report.take_hung().into_iter().for_each(|hung| crashes.hung(hung, begun));
        }
        Ok(is_heard)
    }

    /// Tells of crashes; false where nobody listens any more.
    fn crashed(&mut self) -> Result<bool, Complaint> {
        let Some(crashes) = &mut self.crashes else { return Ok(true) };
        self.is_late = false;
        match crashes.take() {
            Some(told) => {
                if told.has_moved {
                    self.schedule.hurry("unit", since_boot());
                }
                self.report.crashed(&told)
            }
            None => {
                // It ended, which it does only by itself where it has failed.
                self.crashes = None;
                complain("claw-health", "cannot watch for crashes any more: looks alone find them");
                Ok(true)
            }
        }
    }

    /// Shows that it lives, as long as looks come to their end.
    fn live(&mut self, now: Duration) -> Result<(), Complaint> {
        let is_late = |begun: Duration| begun + self.longest_look <= now;
        let longest = self.longest_look;
        let late = match &self.crashes {
            _ if self.begun.is_some_and(is_late) => {
                Some(("a look has not come to its end", longest))
            }
            Some(crashes) if crashes.asked().is_some_and(is_late) => {
                Some(("what crashed has not been found out", longest))
            }
            // Who reads at leisure is no part of a service.
            _ if self.notify.next().is_some() && self.reader.is_stuck(now) => {
                Some(("nobody has read what was written", reader::LIMIT))
            }
            _ => None,
        };
        if let Some((what, span)) = late {
            if !self.is_late {
                complain("claw-health", &format!("{what} for {} s", span.as_secs()));
                self.is_late = true;
            }
            return Ok(());
        }
        self.notify.live(now);
        self.report.live(&self.overview, now)
    }

    /// When there is something to do, whatever comes before.
    fn next(&self, now: Duration) -> Duration {
        let signs = [self.notify.next(), self.report.next()];
        let signs = signs.into_iter().flatten().min().filter(|_| !self.is_late);
        let work = match self.begun {
            None => self.boot.next().or(Some(self.schedule.next())),
            Some(begun) => Some(begun + self.longest_look).filter(|_| !self.is_late),
        };
        /// Nothing to wait for but the look that hangs.
        const IDLE: Duration = Duration::from_secs(3600);
        signs.into_iter().chain(work).min().unwrap_or(now + IDLE)
    }
}

impl Report {
    fn hear(
        &mut self,
        looked: &Looked,
        overview: &Overview,
        now: Duration,
    ) -> Result<bool, Complaint> {
        match self {
            Self::Records(records) => records.hear(looked, overview, now),
            Self::Metrics(metrics) => {
                metrics.write(overview);
                Ok(true)
            }
        }
    }

    fn live(&mut self, overview: &Overview, now: Duration) -> Result<(), Complaint> {
        match self {
            Self::Records(records) => records.live(overview, now),
            Self::Metrics(_) => Ok(()),
        }
    }

    fn crashed(&mut self, told: &Told) -> Result<bool, Complaint> {
        match self {
            Self::Records(records) => records.crashed(told),
            Self::Metrics(_) => Ok(true),
        }
    }

    /// What the last look found to hang.
    fn take_hung(&mut self) -> Vec<Hung> {
        match self {
            Self::Records(records) => std::mem::take(&mut records.hung),
            Self::Metrics(_) => Vec::new(),
        }
    }

    fn next(&self) -> Option<Duration> {
        match self {
            Self::Records(records) => records.next(),
            Self::Metrics(_) => None,
        }
    }

    fn is_open(&self, check: &str) -> bool {
        match self {
            Self::Records(records) => records.is_open(check),
            Self::Metrics(_) => false,
        }
    }

    fn in_trouble(&self) -> Vec<String> {
        match self {
            Self::Records(records) => records.in_trouble(),
            Self::Metrics(_) => Vec::new(),
        }
    }

    fn end(&mut self) {
        if let Self::Records(records) = self {
            records.end();
        }
    }

    fn lost(&mut self, unread_since: Option<Duration>) {
        if let Self::Records(records) = self {
            records.lost(unread_since, since_boot());
        }
    }
}

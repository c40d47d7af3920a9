//! What a monitor waits for: the time, a look that is made, a signal, and the end of its reader.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use claw_box::groups;
use claw_record::Complaint;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use signal_hook::low_level::{exit, pipe};

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A signal asks for an end.
    Stop,
    /// Nobody reads what is written any more.
    Unread,
    /// A look is made.
    Looked,
    /// There was a crash, or there is something to remember of crashes.
    Crashed,
    /// The time that was waited for.
    Time,
}

/// The sources of events.
#[derive(Debug)]
pub(super) struct Events {
    stop: UnixStream,
    timer: TimerFd,
    has_reader: bool,
}

impl Events {
    /// Listens for all of them. `has_reader`: is what is written written to standard output?
    pub(super) fn new(has_reader: bool) -> Result<Self, Complaint> {
        let cannot = |error: io::Error| Complaint::new(format!("cannot watch: {error}"));
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_CLOEXEC);
        let timer = timer.map_err(|error| cannot(error.into()))?;
        let stop = signals().map_err(cannot)?;
        let late = signals().map_err(cannot)?;
        thread::Builder::new().stack_size(64 * 1024).spawn(|| end(late)).map_err(cannot)?;
        Ok(Self { stop, timer, has_reader })
    }

    /// Does a signal ask for an end within that time?
    pub(super) fn stop_comes(&self, within: Duration) -> Result<bool, Complaint> {
        let cannot = |error: Errno| Complaint::new(format!("cannot wait: {}", error.desc()));
        let within = PollTimeout::try_from(within).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.stop.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, within).map(|count| count > 0).map_err(cannot)
    }

    /// Waits until something comes, or until it is that time since boot.
    pub(super) fn wait(
        &self,
        until: Duration,
        looked: &PipeReader,
        crashed: Option<&PipeReader>,
    ) -> Result<Event, Complaint> {
        let cannot = |error: Errno| Complaint::new(format!("cannot wait: {}", error.desc()));
        // 0 would never come.
        let until = Expiration::OneShot(TimeSpec::from(until.max(Duration::from_nanos(1))));
        self.timer.set(until, TimerSetTimeFlags::TFD_TIMER_ABSTIME).map_err(cannot)?;
        let stdout = io::stdout();
        let mut fds = vec![
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(looked.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.timer.as_fd(), PollFlags::POLLIN),
        ];
        // The end of the reader is told though it is not asked for.
        let reader = self.has_reader.then(|| PollFd::new(stdout.as_fd(), PollFlags::empty()));
        let crashes = crashed.map(|crashed| PollFd::new(crashed.as_fd(), PollFlags::POLLIN));
        let (reader_at, crashes_at) = (fds.len(), fds.len() + usize::from(reader.is_some()));
        fds.extend(reader.into_iter().chain(crashes));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Event::Time),
            Err(error) => return Err(cannot(error)),
        }
        let came = |at: usize| fds.get(at).is_some_and(|fd| fd.any().unwrap_or_default());
        if came(0) {
            return Ok(Event::Stop);
        }
        if self.has_reader && came(reader_at) {
            return Ok(Event::Unread);
        }
        if let Some(mut crashed) = crashed.filter(|_| came(crashes_at)) {
            let _ = crashed.read(&mut [0]);
            return Ok(Event::Crashed);
        }
        if came(1) {
            // A byte for each look; at the end of the pipe there is none, nor a look.
            let mut looked = looked;
            let _ = looked.read(&mut [0]);
            return Ok(Event::Looked);
        }
        Ok(Event::Time)
    }
}

/// Where a byte comes for each signal that asks for an end.
fn signals() -> io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    for signal in groups::deadly() {
        pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(reader)
}

/// Whoever asks for an end gets it, be it that the monitor waits for a reader who does not read, or for
/// a disk.
fn end(mut signals: UnixStream) {
    const PATIENCE: Duration = Duration::from_millis(500);
    if signals.read(&mut [0]).is_ok_and(|count| count > 0) {
        thread::sleep(PATIENCE);
        groups::end_all();
        exit(0);
    }
}

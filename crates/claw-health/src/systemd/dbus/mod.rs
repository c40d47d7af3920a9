//! The little of D-Bus that it takes to ask systemd: to log in as a user id, call a method, and
//! read the answer.
//!
//! The other end may be forged, so nothing it sends is trusted: lengths are checked before they are
//! used, the answer has a largest size and a depth, and the whole exchange has a time limit.

mod wire;

use std::io::{self, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wire::{Answer, FIXED_BYTES, extent, message};
pub(crate) use wire::{Argument, Method, Value};

/// How long one exchange may take. Two silent peers fit into the time limit of a check.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A list of a thousand units takes about 0.3 MB.
const ANSWER_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// What the protocol allows a line of the login to be long.
const LINE_LIMIT_BYTES: usize = 16 * 1024;

const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// Something that the other end tells without being asked.
#[derive(Debug)]
pub(crate) struct Signal {
    /// The object that it is of.
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) body: Vec<Value>,
}

/// Why a call gave no answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    /// The other end refused this call: the name of the error and its words.
    Refused(String, String),
    /// The connection is of no more use.
    Broken(String),
}

/// A connection that is logged in.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
    serial: u32,
    /// Whom to address; nobody where the other end is the service itself and not a bus.
    service: Option<&'static str>,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().as_fd()
    }
}

impl Connection {
    /// Logs in as the user who asks, straight at a service.
    pub(crate) fn direct(stream: UnixStream) -> Result<Self, String> {
        Self::log_in(stream, None)
    }

    /// Logs in as the user who asks, at a bus on which a service is to be called.
    pub(crate) fn bus(stream: UnixStream, service: &'static str) -> Result<Self, String> {
        let mut bus = Self::log_in(stream, Some("org.freedesktop.DBus"))?;
        let hello = Method {
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            name: "Hello",
        };
        match bus.call(&hello, &[]) {
            Ok(_) => Ok(Self { service: Some(service), ..bus }),
            Err(Failure::Refused(_, why) | Failure::Broken(why)) => Err(why),
        }
    }

    fn log_in(stream: UnixStream, service: Option<&'static str>) -> Result<Self, String> {
        let mut connection = Self { stream: BufReader::new(stream), serial: 0, service };
        let deadline = Instant::now() + TIMEOUT;
        let line = authenticate(&mut connection.stream, deadline)?;
        if !line.starts_with("OK ") {
            return Err(format!("refused the login: {:.80}", line.trim_end()));
        }
        Ok(connection)
    }

    /// Calls a method and waits for its answer; whatever else arrives in between is passed over.
    pub(crate) fn call(
        &mut self,
        method: &Method,
        arguments: &[Argument],
    ) -> Result<Vec<Value>, Failure> {
        let deadline = Instant::now() + TIMEOUT;
        self.serial += 1;
        let message = message(self.serial, self.service, method, arguments);
        self.send(&message, deadline).map_err(Failure::Broken)?;
        loop {
            let answer = self.receive(deadline).map_err(Failure::Broken)?;
            if answer.reply_to != Some(self.serial) {
                continue;
            }
            return match answer.kind {
                METHOD_RETURN => Ok(answer.body),
                ERROR => {
                    let words = answer.body.first().and_then(Value::text).unwrap_or_default();
                    Err(Failure::Refused(answer.error, words.to_owned()))
                }
                _ => continue,
            };
        }
    }

    /// Has the signals of this interface below this object sent from now on; the service itself sends
    /// them to whoever is connected to it straight.
    pub(crate) fn listen(&mut self, interface: &str, below: &str) -> Result<(), Failure> {
        let Some(service) = self.service else { return Ok(()) };
        let rule = format!(
            "type='signal',sender='{service}',interface='{interface}',path_namespace='{below}'"
        );
        let add = Method {
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            name: "AddMatch",
        };
        self.service = Some("org.freedesktop.DBus");
        let added = self.call(&add, &[Argument::Text(&rule)]);
        self.service = Some(service);
        added.map(drop)
    }

    /// The next signal that has come by now, if any; whatever else came is passed over.
    pub(crate) fn signal(&mut self) -> Result<Option<Signal>, String> {
        loop {
            if self.stream.buffer().is_empty() {
                let mut fds = [PollFd::new(self.stream.get_ref().as_fd(), PollFlags::POLLIN)];
                // Interrupted, it has not come yet.
                if poll(&mut fds, PollTimeout::ZERO).unwrap_or(0) == 0 {
                    return Ok(None);
                }
            }
            let Answer { kind, path, member, body, .. } = self.receive(Instant::now() + TIMEOUT)?;
            if kind == SIGNAL {
                return Ok(Some(Signal { path, name: member, body }));
            }
        }
    }

    fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), String> {
        let left = left(deadline)?;
        let mut stream = self.stream.get_ref();
        stream
            .set_write_timeout(Some(left))
            .and_then(|()| stream.write_all(bytes))
            .map_err(|error| reason(&error))
    }

    fn receive(&mut self, deadline: Instant) -> Result<Answer, String> {
        let mut fixed = [0; FIXED_BYTES];
        fill(&mut self.stream, &mut fixed, deadline)?;
        let (whole, body_at) = extent(&fixed)?;
        if whole > ANSWER_LIMIT_BYTES {
            return Err(format!("answered with more than {ANSWER_LIMIT_BYTES} bytes"));
        }
        let mut bytes = fixed.to_vec();
        bytes.resize(whole, 0);
        fill(&mut self.stream, &mut bytes[FIXED_BYTES..], deadline)?;
        Answer::parse(&bytes, body_at)
    }
}

/// Says who asks, and gives the line that comes back, whatever it says.
pub(crate) fn authenticate(
    stream: &mut BufReader<UnixStream>,
    deadline: Instant,
) -> Result<String, String> {
    let uid = nix::unistd::geteuid().to_string();
    let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
    // All at once, as systemd's own library does it: a call that reached systemd in one piece with
    // BEGIN would lie there until more arrives.
    let login = format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n");
    let mut out = stream.get_ref();
    out.set_write_timeout(Some(left(deadline)?))
        .and_then(|()| out.write_all(login.as_bytes()))
        .map_err(|error| reason(&error))?;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        if line.len() == LINE_LIMIT_BYTES {
            return Err("answered with a line without end".to_owned());
        }
        let mut byte = [0];
        fill(stream, &mut byte, deadline)?;
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn fill(
    stream: &mut BufReader<UnixStream>,
    mut part: &mut [u8],
    deadline: Instant,
) -> Result<(), String> {
    while !part.is_empty() {
        if stream.buffer().is_empty() {
            let left = left(deadline)?;
            stream.get_ref().set_read_timeout(Some(left)).map_err(|error| reason(&error))?;
        }
        match stream.read(part) {
            Ok(0) => return Err("hung up".to_owned()),
            Ok(count) => part = &mut part[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reason(&error)),
        }
    }
    Ok(())
}

fn left(deadline: Instant) -> Result<Duration, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(silent()) } else { Ok(left) }
}

fn silent() -> String {
    format!("does not answer within {} s", TIMEOUT.as_secs())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => silent(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => "hung up".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;

//! One connection, with its clocks.

mod connect;
mod conversation;
mod frame;

use std::fmt;
use std::time::{Duration, Instant};

pub(crate) use connect::{Socket, connect};
pub(crate) use conversation::{Conversation, Head};
pub(crate) use frame::{Frame, GOODBYE};

use crate::finding::Finding;
use crate::network::tls::Trust;
use crate::network::url::Url;

/// What became of a request, and how long each step of it took.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) clocks: Clocks,
    pub(crate) outcome: Result<Answer, Failure>,
}

/// How long it was, from the beginning of the probe, until each step was done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    started: Instant,
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) total: Option<Duration>,
}

/// An answer that came to its end, or to the end of what is read of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// Is there more of the body than is read?
    pub(crate) is_cut: bool,
}

/// Why there was no answer. Nothing here can hold what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// This box has no means to ask, which says nothing of the other side.
    Local(String),
    /// The name has no address.
    Name(String),
    /// Nothing listens there.
    Refused,
    /// The network says that it cannot be reached.
    Unreachable(String),
    /// Nobody said anything about the connection.
    NoConnection(Duration),
    /// TLS could not be agreed on.
    Tls(String),
    /// The certificate is not one to trust.
    Untrusted(String),
    /// Connected, and not a byte came.
    Silent(Duration),
    /// Bytes came, and the answer never ended.
    Dribble { bytes: u64, within: Duration },
    /// The other side closed the connection before the answer was complete.
    Closed { bytes: u64 },
    /// The other side reset the connection.
    Reset,
    /// It is an answer to something else.
    NotHttp(String),
    /// It is no frame of a WebSocket that is understood here.
    NotWebSocket(String),
}

/// Asks for a URL. Redirects are not followed, and nothing but the URL is told.
pub(crate) fn get(url: &Url, trust: Trust, deadline: Instant) -> Probe {
    let mut clocks = Clocks::start();
    let outcome = ask(url, trust, deadline, &mut clocks);
    clocks.total = Some(clocks.elapsed());
    Probe { clocks, outcome }
}

fn ask(url: &Url, trust: Trust, deadline: Instant, clocks: &mut Clocks) -> Result<Answer, Failure> {
    let mut conversation = Conversation::open(url, trust, deadline, clocks)?;
    conversation
        .say(&request(url, "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n"))?;
    let head = conversation.head()?;
    let (body, is_cut) = conversation.body(&head)?;
    Ok(Answer { head, body, is_cut })
}

/// A request for a URL, with these lines in its head.
pub(crate) fn request(url: &Url, lines: &str) -> Vec<u8> {
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: claw-health/{}\r\n{lines}\r\n",
        url.request_target(),
        url.host_header(),
        env!("CARGO_PKG_VERSION"),
    )
    .into_bytes()
}

impl Clocks {
    /// Starts the clocks.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), connect: None, first_byte: None, total: None }
    }

    /// The time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Failure {
    /// The verdict of a check for which this is one: who could not ask knows nothing.
    pub(crate) fn finding(&self, subject: String) -> Finding {
        match self {
            Self::Local(_) => Finding::unknown(subject, self.to_string()),
            _ => Finding::fail(subject, self.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(why) => write!(f, "this box cannot ask: {why}"),
            Self::Name(why) => write!(f, "its name has no address: {why}"),
            Self::Refused => f.write_str("nothing listens there: connection refused"),
            Self::Unreachable(why) => write!(f, "it cannot be reached: {why}"),
            Self::NoConnection(within) => write!(f, "no connection within {}", time(*within)),
            Self::Tls(why) => write!(f, "no TLS: {why}"),
            Self::Untrusted(why) => write!(f, "its certificate is not one to trust: {why}"),
            Self::Silent(within) => {
                write!(f, "it accepts connections and sends no byte within {}", time(*within))
            }
            Self::Dribble { bytes, within } => {
                write!(f, "{bytes} bytes of an answer within {}, and no end of it", time(*within))
            }
            Self::Closed { bytes: 0 } => {
                f.write_str("it accepts connections and closes them without a byte")
            }
            Self::Closed { bytes } => {
                write!(f, "it closed the connection after {bytes} bytes of an answer")
            }
            Self::Reset => f.write_str("it reset the connection"),
            Self::NotHttp(what) => write!(f, "that is not HTTP: {what}"),
            Self::NotWebSocket(what) => write!(f, "that is not a WebSocket: {what}"),
        }
    }
}

/// A short span of time as people read it.
pub(crate) fn time(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        ..0.0095 => format!("{:.1} ms", seconds * 1000.0),
        ..0.9995 => format!("{:.0} ms", seconds * 1000.0),
        _ => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_read_well() {
        let read = |seconds| time(Duration::from_secs_f64(seconds));
        assert_eq!(
            [read(0.000_42), read(0.003), read(0.0123), read(0.9996), read(2.04)],
            ["0.4 ms", "3.0 ms", "12 ms", "1.0 s", "2.0 s"]
        );
    }

    #[test]
    fn a_request_tells_nothing_of_who_asks() {
        let url = Url::parse("http://a.example:81/x?y=z").unwrap();
        let request = String::from_utf8(request(&url, "Connection: close\r\n")).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            request,
            format!(
                "GET /x?y=z HTTP/1.1\r\nHost: a.example:81\r\nUser-Agent: claw-health/{version}\r\nConnection: close\r\n\r\n"
            )
        );
    }
}

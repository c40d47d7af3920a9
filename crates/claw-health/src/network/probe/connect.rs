//! From a name to a connection, within the time there is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use claw_box::getent;
use nix::errno::Errno;

use super::{Clocks, Failure};
use crate::network::url::Endpoint;

/// A connection, each of whose reads and writes ends at the deadline.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    deadline: Instant,
    received: u64,
}

/// Connects to the first address that accepts. Of several, none may use up the time of the others.
pub(crate) fn connect(
    endpoint: &Endpoint,
    deadline: Instant,
    clocks: &mut Clocks,
) -> Result<Socket, Failure> {
    let addresses = resolve(endpoint, deadline)?;
    let mut failures = Vec::new();
    for (tried, address) in addresses.iter().enumerate() {
        let untried = (addresses.len() - tried) as u32;
        let share = time_left(deadline) / untried;
        match TcpStream::connect_timeout(address, share.max(SHORTEST)) {
            Ok(stream) => {
                clocks.connect = Some(clocks.elapsed());
                // A request goes out in one piece; without this its end may wait for the other side.
                let _ = stream.set_nodelay(true);
                return Ok(Socket { stream, deadline, received: 0 });
            }
            Err(error) => failures.push(failure(&error, clocks.elapsed())),
        }
    }
    // A host that refuses is there, whatever the network says of its other addresses.
    let told = failures.iter().find(|failure| **failure == Failure::Refused);
    let told = told.or_else(|| failures.iter().find(|f| matches!(f, Failure::NoConnection(_))));
    let told = told.or_else(|| failures.iter().find(|f| !matches!(f, Failure::Local(_))));
    let told = told.or(failures.first()).cloned();
    Err(told.unwrap_or_else(|| Failure::Name("none".to_owned())))
}

/// A time-out of zero is refused by the system.
const SHORTEST: Duration = Duration::from_millis(1);

fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn failure(error: &io::Error, elapsed: Duration) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::NoConnection(elapsed),
        _ if is_local(error) => Failure::Local(reason(error)),
        _ => Failure::Unreachable(reason(error)),
    }
}

/// Is it this box that has no room for a connection, or forbids it? That says nothing of the other
/// side.
pub(super) fn is_local(error: &io::Error) -> bool {
    const LOCAL: [Errno; 7] = [
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::ENOBUFS,
        Errno::ENOMEM,
        // No port is left, or the box has no address of that kind.
        Errno::EADDRNOTAVAIL,
        // Its own firewall or sandbox.
        Errno::EACCES,
        Errno::EPERM,
    ];
    error.raw_os_error().is_some_and(|number| LOCAL.contains(&Errno::from_raw(number)))
}

/// The system's words for an error, without its number.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

/// The addresses of a name. What needs no resolver is not given to it.
fn resolve(endpoint: &Endpoint, deadline: Instant) -> Result<Vec<SocketAddr>, Failure> {
    let with_port = |address: IpAddr| SocketAddr::new(address, endpoint.port);
    if let Some(address) = endpoint.address() {
        return Ok(vec![with_port(address)]);
    }
    if endpoint.is_localhost() {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(with_port).to_vec());
    }
    let addresses = getent::ahosts(&endpoint.host, deadline).map_err(Failure::Local)?;
    if addresses.is_empty() {
        return Err(Failure::Name("unknown host".to_owned()));
    }
    Ok(addresses.into_iter().map(with_port).collect())
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        let count = self.stream.read(buffer)?;
        self.received += count as u64;
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Socket {
    /// How many bytes came.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    fn left(&self) -> io::Result<Duration> {
        let left = time_left(self.deadline);
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left.max(SHORTEST)) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn to(host: &str, port: u16) -> Result<Socket, Failure> {
        let endpoint = Endpoint { host: host.to_owned(), port };
        connect(&endpoint, Instant::now() + Duration::from_secs(5), &mut Clocks::start())
    }

    #[test]
    fn each_address_of_localhost_is_tried() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(to("localhost", port).is_ok());
        drop(listener);
        assert_eq!(to("localhost", port).unwrap_err(), Failure::Refused);
    }

    #[test]
    fn a_name_without_an_address_is_told_from_a_refusal() {
        assert!(matches!(to("no-such-name.invalid", 80).unwrap_err(), Failure::Name(_)));
        // Nobody is asked for these.
        for name in ["-x", &"a".repeat(300)] {
            assert_eq!(to(name, 80).unwrap_err(), Failure::Name("unknown host".to_owned()));
        }
    }

    #[test]
    fn what_this_box_lacks_is_not_the_fault_of_the_other_side() {
        let told = |error: Errno| failure(&error.into(), Duration::ZERO);
        assert_eq!(told(Errno::EMFILE), Failure::Local("Too many open files".to_owned()));
        assert!(matches!(told(Errno::EHOSTUNREACH), Failure::Unreachable(_)));
    }
}

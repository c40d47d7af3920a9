//! What listens, from the kernel's own tables: `sock_diag(7)` over netlink.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
    sockopt::ReceiveTimeout,
};
use nix::sys::time::TimeVal;

/// A TCP socket that listens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    /// Whose process opened it.
    pub(crate) uid: u32,
    /// Its number, as `/proc/PID/fd` shows it.
    pub(crate) inode: u32,
    /// Does an IPv6 wildcard leave out IPv4? Where the kernel says.
    pub(crate) v6only: Option<bool>,
}

const HEADER_BYTES: usize = 16;
const MESSAGE_BYTES: usize = 72;
const DONE: u16 = libc::NLMSG_DONE as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_SKV6ONLY: u16 = 11;

/// All TCP sockets that listen, over IPv4 and IPv6.
pub(crate) fn listening() -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    for family in [libc::AF_INET as u8, libc::AF_INET6 as u8] {
        listeners.extend(dump(family).map_err(|why| {
            format!("cannot read the kernel's table of sockets (sock_diag): {why}")
        })?);
    }
    Ok(listeners)
}

fn dump(family: u8) -> Result<Vec<Listener>, String> {
    /// The kernel answers at once; this is for one that does not.
    const LIMIT_SECONDS: i64 = 2;
    /// Larger than any datagram of a dump.
    const BUFFER_BYTES: usize = 64 * 1024;
    let words = |error: Errno| error.desc().to_owned();
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )
    .map_err(words)?;
    setsockopt(&socket, ReceiveTimeout, &TimeVal::new(LIMIT_SECONDS, 0)).map_err(words)?;
    send(socket.as_raw_fd(), &request(family), MsgFlags::empty()).map_err(words)?;
    let mut listeners = Vec::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(count) => count,
            Err(Errno::EINTR) => continue,
            // The kernel knows no sockets of that family.
            Err(Errno::ENOENT) => return Ok(listeners),
            Err(error) => return Err(words(error)),
        };
        if parse(&buffer[..count], &mut listeners)? {
            return Ok(listeners);
        }
    }
}

/// Asks for all sockets of a family that listen, and for no others.
fn request(family: u8) -> Vec<u8> {
    const TCP_LISTEN: u32 = 10;
    const DIAG_BYTES: usize = 56;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + DIAG_BYTES);
    bytes.extend(((HEADER_BYTES + DIAG_BYTES) as u32).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and port: it is the only request on this socket
    bytes.extend([family, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend((1_u32 << TCP_LISTEN).to_ne_bytes());
    bytes.resize(HEADER_BYTES + DIAG_BYTES, 0); // any address and port
    bytes
}

/// Reads the messages of a datagram; true at the end of the dump.
fn parse(datagram: &[u8], listeners: &mut Vec<Listener>) -> Result<bool, String> {
    const CUT: &str = "an answer is cut short";
    let mut rest = datagram;
    if rest.is_empty() {
        return Err(CUT.to_owned());
    }
    while !rest.is_empty() {
        let length = u32_at(rest, 0).ok_or(CUT)? as usize;
        let kind = u16_at(rest, 4).ok_or(CUT)?;
        let body = rest.get(HEADER_BYTES..length).ok_or(CUT)?;
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let error = Errno::from_raw((u32_at(body, 0).ok_or(CUT)? as i32).wrapping_neg());
                // A kernel without IPv6, or without the module for these tables.
                return Err(error.desc().to_owned());
            }
            SOCK_DIAG_BY_FAMILY => listeners.push(listener(body).ok_or(CUT)?),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// Reads one `struct inet_diag_msg` and its attributes.
fn listener(body: &[u8]) -> Option<Listener> {
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let address: IpAddr = match i32::from(*body.first()?) {
        libc::AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?).into(),
        _ => return None,
    };
    Some(Listener {
        address: SocketAddr::new(address, port),
        uid: u32_at(body, 64)?,
        inode: u32_at(body, 68)?,
        v6only: attribute(body.get(MESSAGE_BYTES..)?, INET_DIAG_SKV6ONLY)
            .and_then(|value| value.first())
            .map(|flag| *flag != 0),
    })
}

/// The attribute of that kind.
fn attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    const ATTRIBUTE_BYTES: usize = 4;
    let mut rest = attributes;
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        let value = rest.get(ATTRIBUTE_BYTES..length)?;
        if u16_at(rest, 2)? == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER_BYTES + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn v6(attributes: &[u8]) -> Vec<u8> {
        let mut body = vec![libc::AF_INET6 as u8, 10, 0, 0, 0x49, 0x65, 0, 0];
        body.extend([0; 15]);
        body.push(1);
        body.resize(64, 0);
        body.extend(1000_u32.to_ne_bytes());
        body.extend(77_u32.to_ne_bytes());
        body.extend(attributes);
        body
    }

    #[test]
    fn h2_an_answer_is_read() {
        let mut attributes = [5_u16.to_ne_bytes(), 8_u16.to_ne_bytes()].concat();
        attributes.extend([0; 4]);
        attributes.extend([5_u16.to_ne_bytes(), INET_DIAG_SKV6ONLY.to_ne_bytes()].concat());
        attributes.extend([1, 0, 0, 0]);
        let mut datagram = message(SOCK_DIAG_BY_FAMILY, &v6(&attributes));
        datagram.extend(message(SOCK_DIAG_BY_FAMILY, &v6(&[])));
        datagram.extend(message(DONE, &[0; 4]));
        let mut listeners = Vec::new();
        assert_eq!(parse(&datagram, &mut listeners), Ok(true));
        let expected = Listener {
            address: "[::1]:18789".parse().unwrap(),
            uid: 1000,
            inode: 77,
            v6only: Some(true),
        };
        assert_eq!(listeners, [expected.clone(), Listener { v6only: None, ..expected }]);
    }

    #[test]
    fn h2_an_answer_that_is_cut_anywhere_is_an_error_or_shorter() {
        let whole = message(SOCK_DIAG_BY_FAMILY, &v6(&[0; 4]));
        for end in 0..whole.len() {
            assert!(parse(&whole[..end], &mut Vec::new()).is_err(), "{end}");
        }
        for length in [0_u32, 1, 15, 17, u32::MAX] {
            let mut bad = whole.clone();
            bad[..4].copy_from_slice(&length.to_ne_bytes());
            assert!(parse(&bad, &mut Vec::new()).is_err(), "{length}");
        }
        for attributes in [&[0; 4][..], &[3, 0, 11, 0], &[4, 0, 11, 0], &[255, 255, 11, 0, 1]] {
            let read = listener(&v6(attributes)).unwrap();
            assert_eq!(read.v6only, None, "{attributes:?}");
        }
    }

    #[test]
    fn an_error_of_the_kernel_is_told() {
        let refused = message(ERROR, &(-libc::EPERM).to_ne_bytes());
        assert_eq!(parse(&refused, &mut Vec::new()), Err("Operation not permitted".to_owned()));
    }

    #[test]
    fn h2_a_real_socket_is_found_and_only_while_it_listens() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let found = || listening().unwrap().into_iter().find(|one| one.address == address);
        let listener = found().unwrap();
        assert_eq!(listener.uid, nix::unistd::geteuid().as_raw());
        let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let link = std::fs::read_link(link).unwrap();
        assert_eq!(link.to_str(), Some(format!("socket:[{}]", listener.inode).as_str()));
        drop(socket);
        assert_eq!(found(), None);
    }
}

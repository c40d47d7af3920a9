//! Local sockets of other users, which may be forged or silent.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use claw_box::beneath;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_to};
use nix::sys::socket::{getsockopt, socket};

/// Why a socket could not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// There is none.
    Absent,
    /// Nobody listens at it.
    Refused,
    /// Nobody takes the connection.
    Silent,
    /// Somebody else listens at it: this user id.
    Forged(u32),
    /// Anything else.
    Failed(Errno),
}

impl Unreached {
    /// The reason, as it follows "the manager" in a sentence.
    pub(crate) fn of(&self, path: &str) -> String {
        match self {
            Self::Absent => format!("does not run: there is no {path}"),
            Self::Refused => format!("does not run: nobody listens at {path}"),
            Self::Silent => format!("does not answer: {path} takes no connection"),
            Self::Forged(uid) => format!("cannot be trusted: user id {uid} listens at {path}"),
            Self::Failed(error) => format!("cannot be asked: {path}: {}", error.desc()),
        }
    }
}

/// Connects to a socket at which this user listens. No link on the way to it is followed, and
/// one that lets nobody in does not hold us.
pub(crate) fn connect(path: impl AsRef<Path>, uid: u32) -> Result<UnixStream, Unreached> {
    let path = path.as_ref();
    let file = open(path)?;
    let address = UnixAddr::new(format!("/proc/self/fd/{}", file.as_raw_fd()).as_str())
        .map_err(Unreached::Failed)?;
    let stream = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )
    .map_err(Unreached::Failed)?;
    let deadline = Instant::now() + Duration::from_millis(400);
    loop {
        match connect_to(stream.as_raw_fd(), &address) {
            Ok(()) => break,
            // Its queue is full.
            Err(Errno::EAGAIN) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::EAGAIN) => return Err(Unreached::Silent),
            Err(Errno::ECONNREFUSED) => return Err(Unreached::Refused),
            Err(error) => return Err(Unreached::Failed(error)),
        }
    }
    let listener = getsockopt(&stream, PeerCredentials).map_err(Unreached::Failed)?.uid();
    if listener != uid {
        return Err(Unreached::Forged(listener));
    }
    let stream = UnixStream::from(stream);
    stream.set_nonblocking(false).map_err(|_| Unreached::Failed(Errno::last()))?;
    Ok(stream)
}

fn open(path: &Path) -> Result<OwnedFd, Unreached> {
    beneath::open_absolute(path, OFlag::O_PATH).map_err(|error| match error {
        Errno::ENOENT => Unreached::Absent,
        error => Unreached::Failed(error),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn sockets_that_cannot_be_trusted_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let me = nix::unistd::geteuid().as_raw();
        let why = |path: &Path, uid| connect(path, uid).map(drop);
        assert_eq!(why(&path, me), Err(Unreached::Absent));
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(why(&path, me), Ok(()));
        assert_eq!(why(&path, me + 1), Err(Unreached::Forged(me)));
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(why(&link, me), Err(Unreached::Failed(Errno::ELOOP)));
        drop(listener);
        assert_eq!(why(&path, me), Err(Unreached::Refused));
    }
}

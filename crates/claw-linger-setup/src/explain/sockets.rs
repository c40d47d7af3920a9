//! Who listens, as the kernel lists it.
//!
//! Nothing is connected to: a connection to a socket of systemd's may start what is behind it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;

/// A socket that programs are reached at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    Listens,
    /// It is there, and nobody listens.
    Left,
    Absent,
}

impl Socket {
    pub(crate) fn listens(self) -> bool {
        self == Self::Listens
    }
}

/// The sockets that programs listen at, by their paths.
#[derive(Clone, Debug)]
pub(crate) struct Listeners(Vec<String>);

impl Listeners {
    pub(crate) fn look() -> Self {
        Self(parse(&String::from_utf8_lossy(&fs::read("/proc/net/unix").unwrap_or_default())))
    }

    pub(crate) fn at(&self, path: &str) -> Socket {
        let is_listed = self.0.iter().any(|listed| listed == path);
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() && is_listed => Socket::Listens,
            Ok(_) => Socket::Left,
            // Another user's folder cannot be looked into, and the list tells as much.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && is_listed => {
                Socket::Listens
            }
            Err(_) => Socket::Absent,
        }
    }
}

/// `NUMBER: COUNT PROTOCOL FLAGS TYPE STATE INODE PATH`
fn parse(text: &str) -> Vec<String> {
    const ACCEPTS_CONNECTIONS: u64 = 0x1_0000;
    let path = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let flags = u64::from_str_radix(words.nth(3)?, 16).ok()?;
        let path = words.nth(3)?;
        (flags & ACCEPTS_CONNECTIONS != 0).then(|| path.to_owned())
    };
    text.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_who_listens_is_listed() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000004b7069a: 00000002 00000000 00000000 0002 01 1996338 /run/user/1000/systemd/notify\n\
            000000006c2885eb: 00000002 00000000 00010000 0001 01 1996345 /run/user/1000/systemd/private\n\
            000000006c2885ec: 00000003 00000000 00000000 0001 03 1996346\n\
            00000000d63b88d4: 00000003 00000000 00000000 0001 03 1995719 /run/dbus/system_bus_socket\n";
        assert_eq!(parse(text), ["/run/user/1000/systemd/private"]);
    }

    #[test]
    fn a_socket_that_was_left_is_told_from_one_that_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let path = path.to_str().unwrap();
        assert_eq!(Listeners::look().at(path), Socket::Absent);
        let listener = UnixListener::bind(path).unwrap();
        assert_eq!(Listeners::look().at(path), Socket::Listens);
        drop(listener);
        assert_eq!(Listeners::look().at(path), Socket::Left);
    }
}

//! Do the user manager's own socket and the session bus answer?

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use claw_box::{Owner, beneath};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_to, getsockopt, socket,
};
use nix::unistd::geteuid;

use crate::act::Act;
use crate::manager;
use crate::plan::{State, World};

/// How long one socket may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What makes a user manager have a session bus: package dbus-user-session brings it.
const BUS_UNITS: [&str; 3] = [
    "/etc/systemd/user/dbus.socket",
    "/usr/lib/systemd/user/dbus.socket",
    "/lib/systemd/user/dbus.socket",
];

/// How it stands with the buses.
pub(crate) fn look(world: &World, deadline: Instant) -> State {
    let owner = &world.owner;
    let name = &owner.name;
    if !manager::runs(owner.uid) {
        let message = format!("{name} has no bus: it comes with the user manager");
        return State::would(message, Vec::new());
    }
    let deadline = deadline.min(Instant::now() + PATIENCE);
    if let Err(why) = ask(&private(owner), owner.uid, deadline) {
        let message = format!("the user manager's own socket {why}");
        return State::would(message, vec![manager::start(owner.uid)]);
    }
    if !BUS_UNITS.iter().any(|file| Path::new(file).exists()) {
        return State::So(format!(
            "the user manager of {name} answers; a session bus it has not (package \
             dbus-user-session), and systemctl --user works without it"
        ));
    }
    match ask(&owner.runtime_dir().join("bus"), owner.uid, deadline) {
        Ok(()) => State::So(format!("the user manager of {name} and its session bus answer")),
        Err(why) => State::would(
            format!("the session bus {why}"),
            vec![Act::user_systemctl(&["restart", "dbus.socket", "dbus.service"])],
        ),
    }
}

/// Does the manager of that user answer?
pub(crate) fn manager_answers(owner: &Owner) -> bool {
    ask(&private(owner), owner.uid, Instant::now() + PATIENCE).is_ok()
}

fn private(owner: &Owner) -> std::path::PathBuf {
    owner.runtime_dir().join("systemd/private")
}

/// Logs in at a socket; the reason why not follows its name in a sentence.
fn ask(path: &Path, uid: u32, deadline: Instant) -> Result<(), String> {
    let shown = path.display();
    let failed = |error: Errno| match error {
        Errno::ENOENT => format!("is not there ({shown})"),
        Errno::ECONNREFUSED => format!("has nobody behind it ({shown})"),
        error => format!("cannot be asked ({shown}: {})", error.desc()),
    };
    let stream = connect(path, deadline).map_err(failed)?;
    let listener = getsockopt(&stream, PeerCredentials).map_err(failed)?.uid();
    if listener != uid {
        return Err(format!("cannot be trusted: user id {listener} listens at {shown}"));
    }
    let line = log_in(&stream, deadline).map_err(|why| format!("does not answer: {why}"))?;
    if is_answer(&line) {
        Ok(())
    } else {
        Err("answers with something that is no D-Bus".to_owned())
    }
}

/// Connects without following a link, and without being held by one that lets nobody in.
fn connect(path: &Path, deadline: Instant) -> Result<UnixStream, Errno> {
    let file = beneath::open_absolute(path, OFlag::O_PATH)?;
    let address = UnixAddr::new(format!("/proc/self/fd/{}", file.as_raw_fd()).as_str())?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    loop {
        match connect_to(stream.as_raw_fd(), &address) {
            Ok(()) => break,
            // Its queue is full.
            Err(Errno::EAGAIN) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error),
        }
    }
    let stream = UnixStream::from(stream);
    stream.set_nonblocking(false).map_err(|_| Errno::last())?;
    Ok(stream)
}

/// The first line of the answer to a login.
fn log_in(mut stream: &UnixStream, deadline: Instant) -> Result<String, String> {
    const LONGEST_BYTES: usize = 1024;
    let uid = geteuid().to_string();
    let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err("its time is up".to_owned()) } else { Ok(Some(left)) }
    };
    let words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock => "its time is up".to_owned(),
        _ => error.to_string(),
    };
    stream.set_write_timeout(left()?).map_err(words)?;
    stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes()).map_err(words)?;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") && line.len() < LONGEST_BYTES {
        stream.set_read_timeout(left()?).map_err(words)?;
        let mut part = [0; 256];
        match stream.read(&mut part).map_err(words)? {
            0 => return Err("it hung up".to_owned()),
            count => line.extend(&part[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Is it one of the words that a server says while somebody logs in? A bus that refuses root lives.
fn is_answer(line: &str) -> bool {
    matches!(line.split_whitespace().next(), Some("OK" | "REJECTED" | "DATA" | "ERROR"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn s6_only_what_speaks_d_bus_for_that_user_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let me = geteuid().as_raw();
        let soon = || Instant::now() + Duration::from_millis(200);
        let told =
            |uid| ask(&path, uid, soon()).map_err(|why| why.replace(&*path.to_string_lossy(), "P"));
        assert_eq!(told(me), Err("is not there (P)".to_owned()));
        let listener = UnixListener::bind(&path).unwrap();
        let foreign = format!("cannot be trusted: user id {me} listens at P");
        assert_eq!(told(me + 1), Err(foreign));
        assert_eq!(told(me), Err("does not answer: its time is up".to_owned()));
        let answers: [(&str, Result<(), String>); 3] = [
            ("OK 1234\r\n", Ok(())),
            ("REJECTED EXTERNAL\r\n", Ok(())),
            ("HTTP/1.1 400\r\n", Err("answers with something that is no D-Bus".to_owned())),
        ];
        for (answer, expected) in answers {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    loop {
                        let (mut stream, _) = listener.accept().unwrap();
                        let mut login = [0; 64];
                        // The two that came before have gone.
                        if stream.read(&mut login).unwrap_or(0) > 1
                            && stream.write_all(answer.as_bytes()).is_ok()
                            && stream.read(&mut login).is_ok_and(|count| count == 0)
                        {
                            return;
                        }
                    }
                });
                let asked = ask(&path, me, Instant::now() + Duration::from_secs(10));
                assert_eq!(asked, expected, "{answer:?}");
            });
        }
        drop(listener);
        assert_eq!(told(me), Err("has nobody behind it (P)".to_owned()));
    }
}

//! The life of a claw-health that watches: how it ends, what it keeps, and what its service manager hears.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, what is not there is the failure"
)]

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use claw_tests::watching::{HEARTBEAT, Monitor, Place, SOME_LOOKS, SOON, comes};
use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use nix::sys::signal::Signal;
use tempfile::TempDir;

#[test]
fn a_signal_ends_it_within_a_second_whatever_it_does() {
    let folder = TempDir::new().unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // A look that takes five seconds, of a program that ends with it.
        let mark = format!("exec:sleep 61.{}", std::process::id());
        let monitor = Monitor::start(folder.path(), &[&mark]);
        let is_there = || {
            let listed = Command::new("ps").args(["-eo", "args"]).output().unwrap().stdout;
            let program = format!("\n{}", mark.strip_prefix("exec:").unwrap());
            String::from_utf8_lossy(&listed).contains(&program)
        };
        assert!(comes(is_there), "{signal}");
        let (status, took) = monitor.end(signal);
        assert_eq!(status, Some(0), "{signal}");
        assert!(took < Duration::from_secs(1), "{signal}: {took:?}");
        assert!(comes(|| !is_there()), "{signal}");
    }
    // Its reader does not read: the pipe is full, and it waits.
    let (reader, writer) = std::io::pipe().unwrap();
    let monitor = Monitor::with(&folder.path().join("full"), &["--every", "load"], |command| {
        let mut full = &writer;
        nix::fcntl::fcntl(full, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))
            .unwrap();
        while std::io::Write::write(&mut full, &[b'\n'; 4096]).is_ok() {}
        nix::fcntl::fcntl(full, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty())).unwrap();
        command.stdout(writer.try_clone().unwrap());
    });
    std::thread::sleep(SOME_LOOKS);
    let (status, took) = monitor.end(Signal::SIGTERM);
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(1), "{took:?}");
    drop(reader);
}

/// What did not pass would else not be told at the first look of the next one.
#[test]
fn a_monitor_that_ends_before_its_first_look_keeps_nothing() {
    let place = Place::empty();
    let monitor = place.start(&["exec:sleep 60"]);
    let has_begun = || place.kept().with_extension("lock").exists();
    assert!(comes(has_begun));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(monitor.end(Signal::SIGTERM).0, Some(0));
    assert!(!place.kept().exists());
}

#[test]
fn a_monitor_that_nobody_reads_ends_though_nothing_changes() {
    let place = Place::empty();
    place.appears();
    let script = format!(
        "{{ {} --watch 1h {} 2>&1; echo $? >&3; }} 3>&2 | head -n 1",
        assert_cmd::cargo::cargo_bin("claw-health").display(),
        place.target
    );
    let mut command = Command::new("sh");
    let output = command.args(["-c", &script]).env("CLAW_STATE", place.state()).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "0\n");
    assert!(String::from_utf8(output.stdout).unwrap().contains("heartbeat"));
}

#[test]
fn a_state_that_cannot_be_used_is_said_and_begun_anew() {
    for (kept, why) in [
        ("{", "it is not what a monitor keeps"),
        ("\u{0}\u{1}", "it is not what a monitor keeps"),
        ("{\"version\":7}", "a later version wrote it"),
    ] {
        let place = Place::empty();
        fs::create_dir_all(place.kept().parent().unwrap()).unwrap();
        fs::write(place.kept(), kept).unwrap();
        let monitor = place.start(&[]);
        assert_eq!(monitor.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
        let file = place.kept();
        let expected =
            format!("claw-health: cannot use '{}': {why}; it is begun anew", file.display());
        assert_eq!(monitor.said(), [expected]);
        assert_eq!(monitor.end(Signal::SIGTERM).0, Some(0));
        let monitor = place.start(&[]);
        assert_eq!(monitor.told(1), [HEARTBEAT]);
        monitor.is_silent();
        assert_eq!(monitor.said(), Vec::<String>::new());
    }
}

#[test]
fn a_state_that_cannot_be_written_is_said_once_and_the_monitor_goes_on() {
    let place = Place::empty();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    // Not for root either.
    fs::remove_dir_all(place.state()).unwrap();
    fs::write(place.state(), "").unwrap();
    place.appears();
    assert_eq!(monitor.told(1), [place.line("pass")]);
    place.vanishes();
    assert_eq!(monitor.told(1), [place.line("fail")]);
    monitor.is_silent();
    let said = monitor.said();
    assert!(said.len() == 1 && said[0].contains("cannot write '"), "{said:?}");
    // At a place where nothing can be kept from the first on.
    let monitor = Monitor::start(Path::new("/proc/none"), &[&place.target]);
    assert_eq!(monitor.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    let said = monitor.said();
    assert!(said.len() == 1 && said[0].contains("this monitor begins anew each time"), "{said:?}");
}

#[test]
fn of_two_monitors_at_one_place_the_second_keeps_nothing() {
    let place = Place::empty();
    let first = place.start(&[]);
    assert_eq!(first.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    let second = place.start(&[]);
    assert_eq!(second.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    let said = second.said();
    assert!(said.len() == 1 && said[0].contains("another monitor does"), "{said:?}");
}

fn hear(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    let count = socket.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).trim_end().to_owned()
}

/// A service manager that listens at a socket.
fn manager_hears(socket: &UnixDatagram, address: &str) {
    socket.set_read_timeout(Some(SOON)).unwrap();
    let place = Place::empty();
    place.appears();
    let monitor = Monitor::with(&place.state(), &[&place.target], |command| {
        command.env("NOTIFY_SOCKET", address).env("WATCHDOG_USEC", "200000");
        command.args(["--interval", "file=1h"]);
    });
    let hear = || hear(socket);
    // Before it is ready it may say that it lives.
    let heard: Vec<_> =
        std::iter::repeat_with(hear).filter(|line| line != "WATCHDOG=1").take(2).collect();
    assert_eq!(heard[0], "READY=1");
    assert!(
        heard[1].starts_with("STATUS=0 fail, 0 warn, 0 unknown, 1 pass; look 1 took 0."),
        "{heard:?}"
    );
    // The next look is far away, and it lives.
    assert_eq!([hear(), hear(), hear()], ["WATCHDOG=1"; 3]);
    monitor.signal(Signal::SIGTERM);
    assert!(std::iter::repeat_with(hear).take(10).any(|line| line == "STOPPING=1"));
}

#[test]
fn the_service_manager_hears_that_it_is_ready_lives_and_ends() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    manager_hears(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
    let name = format!("claw-tests-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    manager_hears(&UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
}

/// The kernel holds whoever opens a file, as a file server that is gone would.
#[test]
fn n3_a_look_that_hangs_is_said_and_lets_the_watchdog_bite() {
    if !nix::unistd::geteuid().is_root() {
        return claw_tests::skip("a look that hangs needs root, for fanotify");
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tree/proc/loadavg");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "0.1 0.1 0.1 1/1 1\n").unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let root = folder.path().join("tree").display().to_string();
    let mut monitor = Monitor::with(folder.path(), &["--root", &root, "load"], |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
        command.args(["--timeout", "0.05", "--heartbeat", "100ms"]);
    });
    assert!(std::iter::repeat_with(|| hear(&socket)).take(5).any(|line| line == "READY=1"));
    let flags = EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC;
    let held = Fanotify::init(InitFlags::FAN_CLASS_CONTENT, flags).unwrap();
    held.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_OPEN_PERM, AT_FDCWD, Some(&file)).unwrap();
    // Twice the time of a check and five seconds.
    let said = monitor.errors.recv_timeout(SOON).unwrap();
    assert_eq!(said, "claw-health: a look has not come to its end for 5 s");
    let late = Instant::now();
    socket.set_read_timeout(Some(SOME_LOOKS)).unwrap();
    // What was said before it was late is still to be heard.
    while socket.recv(&mut [0; 512]).is_ok() {
        assert!(late.elapsed() < SOON, "it says that it lives");
    }
    while monitor.lines.try_recv().is_ok() {}
    monitor.is_silent();
    // It comes to its end, and all is as it was.
    drop(held);
    socket.set_read_timeout(Some(SOON)).unwrap();
    assert!(std::iter::repeat_with(|| hear(&socket)).take(5).any(|line| line == "WATCHDOG=1"));
    assert!(monitor.child.try_wait().unwrap().is_none());
}

//! claw-health that watches: what changes is told once, whatever comes between.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, what is not there is the failure"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use claw_tests::fake_gateway::FakeGateway;
use claw_tests::{assert_fits_the_schema, health, run, tool};
use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for anything on a box that is busy.
const SOON: Duration = Duration::from_secs(20);
/// Some looks, of which none may tell anything.
const SOME_LOOKS: Duration = Duration::from_millis(900);

/// A monitor that runs; it is killed when it is dropped.
struct Monitor {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Monitor {
    /// Looks ten times a second, and keeps its state in that folder.
    fn start(state: &Path, arguments: &[&str]) -> Self {
        Self::with(state, arguments, |_| {})
    }

    fn with(state: &Path, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("claw-health"));
        for name in ["CLAW_FORMAT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        command.env("CLAW_STATE", state).env("CLAW_CONFIRM", "2").args(["--watch", "100ms"]);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let lines = child.stdout.take().map_or_else(|| channel().1, lines_of);
        let errors = lines_of(child.stderr.take().unwrap());
        Self { child, lines, errors }
    }

    /// The next record.
    fn record(&self) -> Value {
        let line = self.lines.recv_timeout(SOON);
        assert!(line.is_ok(), "nothing came; stderr: {:?}", self.said());
        let record = serde_json::from_str(&line.unwrap()).unwrap();
        assert_fits_the_schema(&record);
        record
    }

    /// The next records, as `event subject status`.
    fn told(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| in_short(&self.record())).collect()
    }

    fn is_silent(&self) {
        let line = self.lines.recv_timeout(SOME_LOOKS);
        assert_eq!(line, Err(RecvTimeoutError::Timeout));
    }

    /// What it has complained of so far.
    fn said(&self) -> Vec<String> {
        self.errors.try_iter().collect()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Asks for an end; its status, and how long that took.
    fn end(mut self, signal: Signal) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        self.signal(signal);
        let status = self.child.wait().unwrap();
        (status.code(), asked.elapsed())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from).lines().map_while(Result::ok);
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    receiver
}

fn in_short(record: &Value) -> String {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    format!("{} {} {}", text("event"), text("subject"), text("status"))
}

const HEARTBEAT: &str = "heartbeat monitor:claw-health pass";

/// A folder with a place for the state and a file to be looked at.
struct Box {
    folder: TempDir,
    target: String,
}

impl Box {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let target = format!("file:{}", folder.path().join("file").display());
        Self { folder, target }
    }

    fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    fn kept(&self) -> std::path::PathBuf {
        self.state().join("health/watch.json")
    }

    fn start(&self, arguments: &[&str]) -> Monitor {
        Monitor::start(&self.state(), &[&[self.target.as_str()], arguments].concat())
    }

    fn appears(&self) {
        fs::write(self.folder.path().join("file"), "").unwrap();
    }

    fn vanishes(&self) {
        fs::remove_file(self.folder.path().join("file")).unwrap();
    }

    fn line(&self, status: &str) -> String {
        format!("check {} {status}", self.target)
    }
}

#[test]
fn m2_a_change_says_how_it_was_and_since_when() {
    let place = Box::new();
    place.appears();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    monitor.is_silent();
    place.vanishes();
    let failed = monitor.record();
    assert_eq!(in_short(&failed), place.line("fail"));
    assert_eq!(failed["data"]["was"], "pass");
    assert!(failed["data"]["for_seconds"].as_f64().unwrap() > 0.5, "{failed}");
    place.appears();
    let recovered = monitor.record();
    assert_eq!(in_short(&recovered), place.line("pass"));
    assert_eq!(
        (&recovered["severity"], &recovered["data"]["was"]),
        (&"INFO".into(), &"fail".into())
    );
    let since = |record: &Value| record["data"]["since"].as_str().unwrap().to_owned();
    assert!(since(&failed) < since(&recovered));
    // It was told at the second look that found it.
    assert!(since(&recovered).as_str() < failed["time"].as_str().unwrap(), "{failed} {recovered}");
    monitor.is_silent();
}

#[test]
fn m2_a_moment_is_not_told_and_everything_is_where_that_is_asked() {
    let place = Box::new();
    place.appears();
    let monitor = place.start(&["--confirm", "100"]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    place.vanishes();
    monitor.is_silent();
    drop(monitor);
    let monitor = place.start(&["--every", "--heartbeat", "0", "--confirm", "100"]);
    assert_eq!(monitor.told(3), [place.line("fail"), place.line("fail"), place.line("fail")]);
}

#[test]
fn n3_a_monitor_that_is_killed_is_followed_by_one_that_tells_nothing_twice() {
    let place = Box::new();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    // What was written is kept within the same look.
    monitor.is_silent();
    monitor.signal(Signal::SIGKILL);
    drop(monitor);
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    monitor.is_silent();
    monitor.signal(Signal::SIGKILL);
    drop(monitor);
    // It recovers while nobody looks.
    place.appears();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    let recovered = monitor.record();
    assert_eq!(in_short(&recovered), place.line("pass"));
    assert_eq!(recovered["data"]["was"], "fail");
    assert!(recovered["data"]["for_seconds"].as_f64().unwrap() > 1.0, "{recovered}");
    assert_eq!(monitor.end(Signal::SIGTERM).0, Some(0));
    // And falls ill again.
    place.vanishes();
    let monitor = place.start(&[]);
    assert_eq!(monitor.told(2), [HEARTBEAT.to_owned(), place.line("fail")]);
    monitor.is_silent();
}

#[test]
fn a1_a_gateway_that_crashes_is_told_and_so_is_its_return() {
    let Some(mut gateway) = FakeGateway::start("ready") else { return };
    let folder = TempDir::new().unwrap();
    let target = format!("gateway:{}", gateway.url);
    let monitor = Monitor::start(folder.path(), &[&target]);
    assert_eq!(monitor.told(1), [HEARTBEAT]);
    gateway.tell("channel-down");
    let useless = monitor.record();
    assert_eq!(
        (&useless["data"]["state"], &useless["data"]["was_state"]),
        (&"useless".into(), &"ready".into())
    );
    gateway.tell("crash");
    gateway.wait();
    let dead = monitor.record();
    assert_eq!(
        (&dead["data"]["state"], &dead["data"]["was_state"]),
        (&"dead".into(), &"useless".into())
    );
    assert_eq!((&dead["severity"], &dead["data"]["was"]), (&"CRITICAL".into(), &"fail".into()));
}

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

fn comes(is: impl Fn() -> bool) -> bool {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if is() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// What did not pass would else not be told at the first look of the next one.
#[test]
fn a_monitor_that_ends_before_its_first_look_keeps_nothing() {
    let place = Box::new();
    let monitor = place.start(&["exec:sleep 60"]);
    let has_begun = || place.kept().with_extension("lock").exists();
    assert!(comes(has_begun));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(monitor.end(Signal::SIGTERM).0, Some(0));
    assert!(!place.kept().exists());
}

#[test]
fn a_monitor_that_nobody_reads_ends_though_nothing_changes() {
    let place = Box::new();
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
        let place = Box::new();
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
    let place = Box::new();
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
    let place = Box::new();
    let first = place.start(&[]);
    assert_eq!(first.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    let second = place.start(&[]);
    assert_eq!(second.told(2), [place.line("fail"), HEARTBEAT.to_owned()]);
    let said = second.said();
    assert!(said.len() == 1 && said[0].contains("another monitor does"), "{said:?}");
}

/// The tree of a box where OpenClaw is set up while the monitor runs.
#[test]
fn what_there_is_to_look_at_is_found_out_at_each_look() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("tree");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir_all(root.join("home/claw")).unwrap();
    fs::write(root.join("etc/passwd"), "claw:x:1000:1000::/home/claw:/bin/sh\n").unwrap();
    let root_flag = root.to_str().unwrap();
    let skip = "disk,memory,load,pressure,oom,certificate,journal,process,updates,reboot-required";
    let monitor = Monitor::start(folder.path(), &["--root", root_flag, "--skip", skip]);
    assert_eq!(monitor.told(2), ["check openclaw unknown", HEARTBEAT]);
    fs::create_dir_all(root.join("home/claw/.openclaw")).unwrap();
    let mut told = monitor.told(4);
    told.sort_unstable();
    assert_eq!(
        told,
        ["check backup warn", "check linger fail", "check openclaw pass", "check workspace fail"]
    );
}

#[test]
fn a_heartbeat_counts_and_comes_as_often_as_was_asked() {
    let place = Box::new();
    let monitor =
        place.start(&["load", "--heartbeat", "300ms", "--load-warn", "1e9", "--load-fail", "1e9"]);
    assert_eq!(monitor.told(1), [place.line("fail")]);
    let data = |record: Value| record["data"].clone();
    let first = data(monitor.record());
    assert_eq!(
        (&first["looks_total"], &first["fail_count"], &first["pass_count"]),
        (&1.into(), &1.into(), &1.into())
    );
    let second = data(monitor.record());
    assert!(second["looks_total"].as_u64().unwrap() > 1, "{second}");
    drop(monitor);
    let monitor = place.start(&["--heartbeat", "0"]);
    monitor.is_silent();
}

#[test]
fn failing_writes_no_recovery_and_no_heartbeat() {
    let place = Box::new();
    let monitor = place.start(&["--failing"]);
    assert_eq!(monitor.told(1), [place.line("fail")]);
    place.appears();
    monitor.is_silent();
    place.vanishes();
    assert_eq!(monitor.told(1), [place.line("fail")]);
}

#[test]
fn metrics_are_replaced_at_each_look_and_nothing_else_is_written() {
    let place = Box::new();
    let file = place.folder.path().join("claw.prom");
    let output = file.to_str().unwrap();
    let monitor = Monitor::with(&place.state(), &[], |command| {
        *command = Command::new(assert_cmd::cargo::cargo_bin("claw-health"));
        command.env("CLAW_STATE", place.state()).args(["--watch", "100ms", &place.target]);
        command.args(["--format", "textfile", "--output", output]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    let says = |number: u8| {
        let expected =
            format!("claw_health_status{{check=\"file\",subject=\"{}\"}} {number}\n", place.target);
        comes(|| fs::read_to_string(&file).is_ok_and(|text| text.contains(&expected)))
    };
    assert!(says(2));
    place.appears();
    assert!(says(0));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    std::thread::sleep(SOME_LOOKS);
    fs::remove_dir(&file).unwrap();
    assert!(says(0));
    monitor.is_silent();
    let said = monitor.said();
    assert!(said.len() == 1 && said[0].contains("it is there and not a regular file"), "{said:?}");
    assert!(!place.kept().exists());
}

#[test]
fn an_option_that_would_do_nothing_is_wrong_usage() {
    let metrics = ["--watch", "1s", "--format", "textfile", "--output", "/tmp/none/x"];
    for (arguments, words) in [
        (vec!["--watch", "99ms"], "it must be from 100ms to 7d"),
        (vec!["--watch", "soon"], "not a span of time, such as 30s, 5m, 1h or 500ms"),
        (vec!["--watch", "1s", "--list"], "cannot be used with '--list'"),
        (vec!["--watch", "1s", "--completions", "zsh"], "cannot be used with '--completions"),
        (vec!["--watch", "1s", "--format", "nagios"], "--watch does not go with --format nagios"),
        (vec!["--watch", "1s", "--format", "textfile"], "say which with --output"),
        (vec!["--watch", "1s", "--output", "x"], "--watch replaces a file with metrics alone"),
        (vec!["--watch", "1s", "--confirm", "3/2"], "not a number of looks"),
        (vec!["--watch", "1s", "--interval", "disk"], "not CHECK=INTERVAL"),
        (vec!["--watch", "1s", "--interval", "dusk=1s"], "there is no such check"),
        (vec!["--watch", "1s", "dusk"], "there is no such check"),
        (vec!["--watch", "1s", "disk", "--skip", "disk"], "nothing is left to look at"),
        (vec!["--every"], "--every is about --watch, which is not there"),
        (vec!["--interval", "disk=1s"], "--interval is about --watch, which is not there"),
        ([&metrics[..], &["--every"]].concat(), "--every is about records"),
    ] {
        let look = run(tool("claw-health").args(&arguments));
        assert_eq!((look.status, look.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(look.stderr.contains(words), "{arguments:?}: {}", look.stderr);
    }
    // In the environment they are settings, for whoever watches.
    let look = run(tool("claw-health")
        .args(["load"])
        .env("CLAW_CONFIRM", "3")
        .env("CLAW_INTERVAL", "disk=1m,load=5s"));
    assert_ne!(look.status, 2, "{}", look.stderr);
    assert_eq!(health(&["--list"]).status, 0);
}

fn hear(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    let count = socket.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).trim_end().to_owned()
}

/// A service manager that listens at a socket.
fn manager_hears(socket: &UnixDatagram, address: &str) {
    socket.set_read_timeout(Some(SOON)).unwrap();
    let place = Box::new();
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

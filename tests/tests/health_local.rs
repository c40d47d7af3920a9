//! claw-health on what is on the box itself: sockets, processes, commands, files, the workspace.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use claw_tests::{health, hearing, run, skip, tool};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The tree of another host, made of these files.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

/// What claw-health says of one target in a tree.
fn in_tree(root: &TempDir, target: &str) -> Value {
    health(&["--root", root.path().to_str().unwrap(), target]).record()
}

/// A record as `status message`.
fn line(record: &Value) -> String {
    format!("{} {}", record["status"].as_str().unwrap(), record["message"].as_str().unwrap())
}

#[track_caller]
fn assert_begins(record: &Value, expected: &str) {
    assert!(line(record).starts_with(expected), "{record}\n{expected}");
}

// Where the gateway listens.

#[test]
fn h2_the_real_address_of_a_socket_counts() {
    for (address, expected, class) in [
        (
            "127.0.0.1:0",
            "pass listens on 127.0.0.1:PORT (loopback): from this box alone",
            "loopback",
        ),
        ("[::1]:0", "pass listens on [::1]:PORT (loopback): from this box alone", "loopback"),
        (
            "0.0.0.0:0",
            "fail listens on 0.0.0.0:PORT (every address): from everywhere, unless a firewall is \
             before it",
            "wildcard",
        ),
        (
            "[::]:0",
            "fail listens on [::]:PORT (every address, IPv4 too): from everywhere, unless a \
             firewall is before it",
            "wildcard",
        ),
    ] {
        let Ok(socket) = TcpListener::bind(address) else {
            skip(&format!("this box has no address {address}"));
            continue;
        };
        let port = socket.local_addr().unwrap().port().to_string();
        let record = health(&[&format!("bind:{port}")]).record();
        assert_begins(&record, &expected.replace("PORT", &port));
        assert_eq!(record["data"]["address_class"], class);
        let listener = &record["data"]["listeners"][0];
        assert_eq!(listener["pid"], std::process::id(), "{record}");
        assert!(listener["command"].as_str().unwrap().starts_with("health_local"), "{record}");
        let severity = if class == "loopback" { "INFO" } else { "CRITICAL" };
        assert_eq!(record["severity"], severity);
    }
}

#[test]
fn h2_the_port_of_the_gateways_address_is_looked_at() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let record = health(&["--gateway-url", &url, "bind"]).record();
    assert_eq!(record["subject"], format!("bind:{port}"));
    assert_eq!(record["status"], "pass");
    drop(socket);
    let record = health(&[&format!("bind:{port}")]).record();
    assert_eq!(line(&record), format!("unknown nothing listens on port {port}"));
    assert_eq!(line(&health(&["bind:http"]).record()), "unknown 'http' is no port");
}

// Processes.

#[test]
fn m2_processes_are_counted_by_their_exact_name() {
    let mut sleep = Command::new("sleep").arg("60").spawn().unwrap();
    let record = health(&["process:sleep"]).record();
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert_eq!(record["status"], "pass");
    assert!(record["data"]["processes_count"].as_u64().unwrap() >= 1);
    let record = health(&["process:slee"]).record();
    assert_eq!(line(&record), "fail 0 processes run, limits 1 and more");
}

#[test]
fn garbled_processes_are_passed_over() {
    let root = tree(&[
        ("proc/1/stat", "1 (systemd) S 0 1"),
        ("proc/7/stat", "7 (node-MainThread) S 1 7"),
        ("proc/7/cmdline", "/usr/bin/node\0index.js\0"),
        ("proc/8/stat", "8 (node) Z 1 8"),
        ("proc/9/stat", "garbled"),
        ("proc/10/stat", ""),
        ("proc/11/comm", "node"),
        ("proc/12/stat", "12 (a) b) node) R 1"),
        ("proc/self/stat", "13 (sh) R 1"),
    ]);
    fs::write(root.path().join("proc/10/stat"), b"10 (\xff\xfe) S 1").unwrap();
    symlink("/proc/self", root.path().join("proc/14")).unwrap();
    let record = in_tree(&root, "process:node");
    assert_eq!(line(&record), "pass 1 process runs, limits 1 and more");
    assert_eq!(record["data"]["pids"], json!([7]));
}

// Commands and plug-ins.

#[test]
fn m2_a_command_is_judged_by_its_exit_status() {
    for (command, expected) in [
        ("true", "pass it ended with status 0 and said nothing"),
        ("false", "fail it ended with status 1 and said nothing"),
        ("test -e /nonexistent", "fail it ended with status 1 and said nothing"),
        ("echo OK: '5 < 7 | n=5'; echo more", "pass OK: 5 < 7"),
        ("echo W; exit 1", "warn W"),
        ("echo C; exit 2", "fail C"),
        ("echo U; exit 3", "unknown U"),
        ("kill -9 $$", "fail it was ended by SIGKILL"),
        ("echo $LC_ALL", "pass C"),
        ("cat; echo end of input", "pass end of input"),
        (
            "nonexistent-command",
            "unknown cannot run it: /bin/sh: 1: nonexistent-command: not found",
        ),
        ("printf 'a\\001\\377b\\n'", "pass a\u{1}\u{fffd}b"),
        ("echo; echo late", "pass late"),
    ] {
        let target = format!("exec:{command}");
        let record = health(&[&target]).record();
        assert_eq!(record["subject"], target);
        if command.starts_with("nonexistent") {
            assert_begins(&record, "unknown cannot run it: ");
        } else {
            assert_eq!(line(&record), expected, "{command}");
        }
    }
}

#[test]
fn m2_the_performance_data_of_a_plugin_is_kept() {
    let record = health(&["exec:echo \"OK | '/ used'=3MB;@10:20;~:5;0;100 x=U\""]).record();
    assert_eq!(
        record["data"],
        json!({"exit_status": 0, "performance": [
            {"label": "/ used", "value": 3.0, "unit": "MB", "warn": "@10:20", "fail": "~:5", "min": 0.0, "max": 100.0},
            {"label": "x", "value": null}]})
    );
}

#[test]
fn m2_a_real_plugin_works_as_it_is() {
    let plugin = "/usr/lib/nagios/plugins/check_load";
    if !Path::new(plugin).exists() {
        skip(&format!("{plugin} is not here; install monitoring-plugins-basic"));
        return;
    }
    let record = health(&[&format!("exec:{plugin} -w 9999,9999,9999 -c 9999,9999,9999")]).record();
    assert!(line(&record).contains("LOAD OK") || line(&record).contains("OK - load"), "{record}");
    let performance = record["data"]["performance"].as_array().unwrap();
    assert_eq!(performance[0]["label"], "load1", "{record}");
    let record = health(&[&format!("exec:{plugin} -w 0,0,0 -c 9999,9999,9999")]).record();
    assert_eq!((&record["status"], &record["data"]["exit_status"]), (&json!("warn"), &json!(1)));
    let record = health(&["exec:/usr/lib/nagios/plugins/check_dummy 3 who knows"]).record();
    assert_eq!(record["status"], "unknown", "{record}");
}

#[test]
fn a_command_that_writes_a_megabyte_is_read_to_its_end() {
    let record = health(&["exec:head -c 5000000 /dev/zero | tr '\\0' x; exit 2"]).record();
    assert_eq!(record["status"], "fail");
    assert_eq!(record["data"]["exit_status"], 2);
    assert!(record["message"].as_str().unwrap().chars().count() <= 501);
}

#[test]
fn a_command_that_never_ends_is_cut_off_and_holds_nobody() {
    let started = Instant::now();
    let records = health(&["--timeout", "0.5", "exec:sleep 60", "exec:yes", "exec:true"]).records();
    assert!(started.elapsed() < Duration::from_secs(10));
    let lines: Vec<_> = records.iter().map(line).collect();
    let late = "unknown it did not end within 0.5 s and was killed";
    assert_eq!(lines, [late, late, "pass it ended with status 0 and said nothing"]);
}

#[test]
fn a_background_child_that_holds_the_pipe_is_not_waited_for() {
    let started = Instant::now();
    let record = health(&["--timeout", "20", "exec:sleep 60 & echo started"]).record();
    assert_eq!(line(&record), "pass started");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn nothing_is_run_for_the_tree_of_another_host() {
    let root = tree(&[]);
    for target in ["exec:true", "bind:1", "clock"] {
        assert_eq!(in_tree(&root, target)["status"], "unknown", "{target}");
    }
}

// Files, pressure, memory, the clock.

#[test]
fn m2_a_file_is_there_or_it_is_said_why_not() {
    let folder = tree(&[("a", "12345")]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    symlink("gone", folder.path().join("dangling")).unwrap();
    for (name, arguments, expected) in [
        ("a", &[][..], "pass a file of 5 B, "),
        ("", &[], "pass a folder of "),
        ("b", &[], "fail it is not there"),
        ("a/b", &[], "fail it is not there"),
        ("dangling", &[], "fail it is a link to 'gone', which is not there"),
        ("a", &["--file-min-size", "6"], "fail too small: a file of 5 B, limits 6 B and more, "),
        ("a", &["--file-max-size", "4"], "fail too large: a file of 5 B, limits 0 B to 4 B, "),
        ("a", &["--file-max-age", "3600"], "pass a file of 5 B, "),
    ] {
        let target = format!("file:{}", path(name));
        assert_begins(&health(&[arguments, &[&target]].concat()).record(), expected);
    }
    let root = tree(&[("etc/x", "1")]);
    symlink("/etc/passwd", root.path().join("etc/out")).unwrap();
    assert_begins(&in_tree(&root, "file:/etc/x"), "pass a file of 1 B, ");
    assert_begins(&in_tree(&root, "file:/etc/out"), "fail it is a link to '/etc/passwd'");
}

#[test]
fn m2_pressure_without_the_kernels_figures_is_unknown() {
    let line = "some avg10=0.00 avg60=85.00 avg300=0.00 total=1\n\
                full avg10=0.00 avg60=0.00 avg300=0.00 total=1\n";
    let files = ["cpu", "io", "memory"].map(|name| (format!("proc/pressure/{name}"), line));
    let root = tree(&files.each_ref().map(|(path, text)| (path.as_str(), *text)));
    let record = in_tree(&root, "pressure");
    assert_begins(&record, "warn in the last minute some task waited 85.0 % for a processor");
    let record = in_tree(&tree(&[]), "pressure");
    assert_begins(&record, "unknown the kernel keeps no pressure figures: cannot read");
    assert!(record["remedy"].as_str().unwrap().contains("psi=1"));
}

#[test]
fn m2_kills_for_want_of_memory_are_told() {
    let files =
        |kills: &'static str| tree(&[("proc/vmstat", kills), ("proc/uptime", "3600.00 1.00\n")]);
    assert_eq!(
        line(&in_tree(&files("oom_kill 0\n"), "oom")),
        "pass 0 processes killed for want of memory in 1 h since boot"
    );
    let record = in_tree(&files("oom_kill 2\n"), "oom");
    assert_begins(
        &record,
        "warn 2 processes killed for want of memory in 1 h since boot, the last",
    );
    assert_eq!(record["data"]["kills_total"], 2);
    assert_begins(&in_tree(&files("pgfault 2\n"), "oom"), "unknown cannot read '/proc/vmstat'");
}

/// The look of a person must not swallow the alert of the monitor.
#[test]
fn m2_a_jump_of_the_clock_is_told_to_everybody_who_looks_soon() {
    let state = tempfile::tempdir().unwrap();
    let look = || {
        let mut command = tool("claw-health");
        command.args(["--format", "json", "clock"]).env("CLAW_STATE", state.path());
        run(&mut command).record()
    };
    let first = look();
    assert!(first["data"].get("jump_seconds").is_none(), "{first}");
    // What was remembered of an hour ago, when the clock was an hour behind.
    let file = state.path().join("health/clock.json");
    let mut memory: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let before = memory["offset_seconds"].as_f64().unwrap() - 3600.0;
    memory["offset_seconds"] = before.into();
    fs::write(&file, memory.to_string()).unwrap();
    for _ in 0..2 {
        let record = look();
        assert_eq!(record["status"], "warn");
        assert!(line(&record).contains("; it jumped forward by 1 h, seen "), "{record}");
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&file, "garbled").unwrap();
    assert!(!line(&look()).contains("jumped"));
}

// Updates and reboots.

#[test]
fn h6_security_updates_are_on_only_where_apt_says_so() {
    let on =
        "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n";
    let files = |more: &[(&str, &str)]| {
        let mut files = vec![
            ("etc/apt/apt.conf.d/20auto-upgrades", on),
            (
                "etc/apt/apt.conf.d/50unattended-upgrades",
                "Unattended-Upgrade::Allowed-Origins {\n\t\"${distro_id}:${distro_codename}-security\";\n};\n",
            ),
            ("usr/bin/unattended-upgrade", ""),
            ("var/lib/apt/periodic/unattended-upgrades-stamp", ""),
        ];
        files.extend(more);
        tree(&files)
    };
    assert_begins(&in_tree(&files(&[]), "updates"), "pass security updates install themselves, ");
    let off = ("etc/apt/apt.conf.d/99off", "APT::Periodic { Unattended-Upgrade \"0\"; };");
    let record = in_tree(&files(&[off]), "updates");
    assert_begins(&record, "warn security updates do not install themselves: APT::Periodic::Una");
    let copy = ("etc/apt/apt.conf.d/99off.bak", "APT::Periodic { Unattended-Upgrade \"0\"; };");
    assert_eq!(in_tree(&files(&[copy]), "updates")["status"], "pass");
    let root = files(&[]);
    fs::create_dir_all(root.path().join("etc/systemd/system")).unwrap();
    symlink("/dev/null", root.path().join("etc/systemd/system/apt-daily-upgrade.timer")).unwrap();
    assert!(line(&in_tree(&root, "updates")).ends_with("apt-daily-upgrade.timer is masked"));
    assert_begins(&in_tree(&tree(&[]), "updates"), "unknown there is no apt here");
}

#[test]
fn h6_a_reboot_that_updates_wait_for_is_told() {
    let kernel = ("proc/sys/kernel/osrelease", "6.1.0-9-amd64\n");
    let record = in_tree(&tree(&[kernel]), "reboot-required");
    assert_eq!(line(&record), "pass no reboot is asked for; kernel 6.1.0-9-amd64 runs");
    let root = tree(&[
        kernel,
        ("run/reboot-required", "*** System restart required ***\n"),
        ("run/reboot-required.pkgs", "libc6\nlibc6\n"),
        ("boot/vmlinuz-6.1.0-9-amd64", ""),
        ("boot/vmlinuz-6.1.0-18-amd64", ""),
        ("lib/modules/6.1.0-9-amd64/modules.dep", ""),
        ("lib/modules/6.1.0-18-amd64/modules.dep", ""),
        ("lib/modules/6.1.0-20-amd64/left-over", ""),
    ]);
    let record = in_tree(&root, "reboot-required");
    assert_begins(&record, "warn a reboot has been asked for by libc6 for ");
    assert!(line(&record).ends_with("kernel 6.1.0-9-amd64 runs and 6.1.0-18-amd64 is installed"));
}

// Backups.

#[test]
fn m2_the_age_of_the_newest_backup_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let target = format!("backup:{}", folder.path().display());
    let backup = |name: &str, size: usize| {
        fs::write(folder.path().join(name), vec![7; size]).unwrap();
        health(&[&target]).record()
    };
    assert_begins(&health(&[&target]).record(), "warn there is no backup in ");
    let record = backup("workspace-20260101-000000.tar.zst", 1000);
    assert_begins(&record, "fail workspace-20260101-000000.tar.zst of 1.0 kB is ");
    symlink("/etc/passwd", folder.path().join("link.tar.gz")).unwrap();
    assert_begins(&health(&[&target]).record(), "fail workspace-20260101-000000.tar.zst");
    let record = backup("openclaw-backup.tar.gz", 2000);
    assert_begins(&record, "pass openclaw-backup.tar.gz of 2.0 kB is ");
    let record = backup("openclaw-backup.tar.gz", 0);
    assert_begins(&record, "fail the newest backup is empty: openclaw-backup.tar.gz of 0 B is ");
    let missing = health(&["backup:/nonexistent"]).record();
    assert_eq!(line(&missing), "warn there is no backup in /nonexistent");
}

/// Those of systemd, LDAP and the like.
#[test]
fn a_user_whom_only_the_name_services_know_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let getent = folder.path().join("getent");
    let line = format!("far-user:*:64999:64999::{}:/bin/sh", folder.path().display());
    let script = format!("#!/bin/sh\n[ \"$*\" = 'passwd -- far-user' ] || exit 2\necho '{line}'\n");
    fs::write(&getent, script).unwrap();
    fs::set_permissions(&getent, fs::Permissions::from_mode(0o755)).unwrap();
    let ask = |user: &str| {
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        run(tool("claw-health").env("PATH", path).args([&format!("--user={user}"), "workspace"]))
    };
    let found = ask("far-user");
    assert!(found.stdout.contains(folder.path().to_str().unwrap()), "{}", found.stdout);
    for nobody in ["near-user", "64999", "-x", "--", "a:b", "\u{1b}"] {
        let run = ask(nobody);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{nobody}");
        assert!(run.stderr.contains("there is no such user on this box"), "{}", run.stderr);
    }
}

#[test]
fn a_state_file_that_is_no_file_is_nothing_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("health");
    fs::create_dir(&state).unwrap();
    let mkfifo = Command::new("mkfifo").arg(state.join("clock.json")).status().unwrap();
    assert!(mkfifo.success());
    symlink("/dev/zero", state.join("oom.json")).unwrap();
    fs::write(state.join("gateway.json"), "[".repeat(2_000_000)).unwrap();
    let begin = Instant::now();
    let targets = ["clock", "oom", "gateway:http://127.0.0.1:1", "load"];
    let state = folder.path().to_str().unwrap();
    let run = health(&[&["--state", state], &targets[..]].concat());
    assert_eq!(run.records().len(), targets.len(), "{}", run.stderr);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

/// Does a command line of that text run? A process that has ended and waits for its parent has none.
fn runs(command: &str) -> bool {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim_end() == command)
}

#[track_caller]
fn assert_soon(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < Duration::from_secs(5), "not soon");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_that_ends_it_ends_what_it_started() {
    use nix::sys::signal::{Signal, kill};
    use std::os::unix::process::ExitStatusExt;
    for (signal, seconds) in
        [(Signal::SIGTERM, 4241), (Signal::SIGINT, 4242), (Signal::SIGHUP, 4243)]
    {
        let sleep = format!("sleep {seconds}.{}", std::process::id());
        let mut child = hearing("claw-health")
            .args(["--timeout", "60", &format!("exec:{sleep}"), &format!("exec:{sleep} & wait")])
            .spawn()
            .unwrap();
        assert_soon(|| runs(&sleep));
        kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        assert_soon(|| !runs(&sleep));
    }
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let tool = assert_cmd::cargo::cargo_bin("claw-health");
    let script = format!("trap '' HUP; exec {} 'exec:kill -HUP $PPID; echo done'", tool.display());
    let run = run(assert_cmd::Command::new("sh").args(["-c", &script]));
    assert_eq!((run.status, run.stdout.contains("done")), (0, true), "{}", run.stdout);
}

/// Without this, `timeout` in a command could not end anything.
#[test]
fn a_command_finds_no_signal_blocked() {
    let record = health(&["exec:grep SigBlk /proc/self/status"]).record();
    assert_eq!(line(&record), "pass SigBlk:\t0000000000000000");
}

/// Too few files may be open: no fault of what is looked at.
#[test]
fn what_this_box_lacks_is_unknown_and_no_verdict() {
    let tool = assert_cmd::cargo::cargo_bin("claw-health");
    for few in 3..12 {
        let script = format!(
            "ulimit -n {few}; exec {} --format json tcp:127.0.0.1:1 http://127.0.0.1:1/ \
             gateway:http://127.0.0.1:1 process:no-such-process",
            tool.display()
        );
        let run = run(assert_cmd::Command::new("sh").args(["-c", &script]));
        for record in run.records() {
            let is_told = match record["status"].as_str().unwrap() {
                "unknown" => line(&record).contains("Too many open files"),
                _ => !line(&record).contains("Too many open files"),
            };
            assert!(is_told && !line(&record).contains("hidepid"), "{few}: {record}");
        }
    }
}

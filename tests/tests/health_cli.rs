//! claw-health on the command line: what it is asked, how it writes, how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use claw_tests::{Run, health, run, tool};

fn subjects(run: &Run) -> Vec<String> {
    run.records().iter().map(|record| record["subject"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn m2_disk_and_memory_say_how_much_is_used() {
    let look = health(&["disk:/", "memory"]);
    assert_eq!(subjects(&look), ["disk:/", "memory"]);
    for record in look.records() {
        let used = record["data"]["used_percent"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&used), "{record}");
    }
}

#[test]
fn bad_usage_is_named_and_exits_2() {
    for (arguments, words) in [
        (
            vec!["dusk"],
            "claw-health: cannot look at 'dusk': there is no such check; --list shows them all\n",
        ),
        (
            vec![""],
            "claw-health: cannot look at '': there is no such check; --list shows them all\n",
        ),
        (vec!["memory:x"], "claw-health: cannot look at 'memory:x': 'memory' takes no operand\n"),
        (vec!["--only", "dusk"], "claw-health: cannot look at 'dusk': there is no such check"),
        (vec!["--skip", "disk,dusk"], "claw-health: cannot look at 'dusk': there is no such check"),
        (vec!["--disk-warn", "many", "disk"], "'many' for '--disk-warn <PERCENT>': not a number"),
        (vec!["--disk-warn=-1", "disk"], "'-1' for '--disk-warn <PERCENT>': it must be 0 or more"),
        (
            vec!["--disk-warn", "NaN", "disk"],
            "'NaN' for '--disk-warn <PERCENT>': it must be 0 or more",
        ),
        (
            vec!["--timeout", "0", "disk"],
            "'0' for '--timeout <SECONDS>': it must be more than 0 seconds",
        ),
        (
            vec!["--timeout", "soon", "disk"],
            "'soon' for '--timeout <SECONDS>': not a number of seconds",
        ),
        (
            vec!["--root", "/nowhere", "disk"],
            "claw-health: cannot look at '/nowhere': not a folder\n",
        ),
        (
            vec!["--user", "nobody-of-that-name", "disk"],
            "cannot look at 'nobody-of-that-name': there is no such user",
        ),
        (vec!["--frobnicate"], "unexpected argument '--frobnicate'"),
        (vec!["\u{1b}[31m"], "cannot look at '\\u{1b}[31m': there is no such check"),
    ] {
        let look = health(&arguments);
        assert_eq!((look.status, look.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(look.stderr.contains(words), "{arguments:?}: {}", look.stderr);
    }
}

#[test]
fn a_limit_comes_from_a_flag_a_variable_or_a_file() {
    let limit = |look: &Run| look.record()["data"]["used_warn_percent"].clone();
    assert_eq!(limit(&health(&["disk:/"])), 80);
    assert_eq!(limit(&health(&["disk:/", "--disk-warn", "99.5"])), 99.5);
    let from_variable =
        run(tool("claw-health").args(["--format", "json", "disk:/"]).env("CLAW_DISK_WARN", "98"));
    assert_eq!(limit(&from_variable), 98);
}

/// Root heeds no file in a home: `sudo` may have left `HOME` pointing at one that an agent writes.
#[test]
fn the_file_in_a_home_counts_for_everybody_but_root() {
    let folder = tempfile::tempdir().unwrap();
    let health = folder.path().join("claw-health");
    fs::copy(assert_cmd::cargo::cargo_bin("claw-health"), &health).unwrap();
    fs::create_dir_all(folder.path().join("claw")).unwrap();
    fs::write(folder.path().join("claw/claw.env"), "# mine\nCLAW_DISK_WARN='97'\n").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let limit_for = |user: Option<u32>| {
        let mut command = std::process::Command::new(&health);
        command.args(["--format", "json", "disk:/"]).env("XDG_CONFIG_HOME", folder.path());
        command.env_remove("CLAW_DISK_WARN");
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let line = command.output().unwrap().stdout;
        serde_json::from_slice::<serde_json::Value>(&line).unwrap()["data"]["used_warn_percent"]
            .clone()
    };
    const NOBODY: u32 = 65_534;
    if nix::unistd::geteuid().is_root() {
        assert_eq!((limit_for(None), limit_for(Some(NOBODY))), (80.into(), 97.into()));
    } else {
        assert_eq!(limit_for(None), 97);
    }
}

#[test]
fn status_1_says_that_something_does_not_pass_and_failing_writes_only_that() {
    let look = health(&["disk:/", "memory", "--disk-warn", "0"]);
    assert_eq!((look.status, look.records().len()), (1, 2));
    let look = health(&["disk:/", "memory", "--disk-warn", "0", "--failing"]);
    assert_eq!((look.status, subjects(&look)), (1, vec!["disk:/".to_owned()]));
    let look = health(&["memory", "--memory-warn", "101", "--memory-fail", "101", "--failing"]);
    assert_eq!((look.status, look.stdout.as_str()), (0, ""));
}

#[test]
fn only_and_skip_choose_among_the_checks() {
    assert_eq!(subjects(&health(&["--only", "memory,load"])), ["memory", "load"]);
    assert_eq!(subjects(&health(&["disk:/", "memory", "--skip", "disk"])), ["memory"]);
}

#[test]
fn every_subject_is_a_target() {
    for record in health(&[]).records() {
        let subject = record["subject"].as_str().unwrap();
        if ["systemd", "openclaw"].contains(&subject) {
            continue;
        }
        let again = health(&[subject]);
        assert_ne!(again.status, 2, "{subject}: {}", again.stderr);
        assert!(subjects(&again).contains(&subject.to_owned()), "{subject}: {}", again.stdout);
    }
}

#[test]
fn a_full_disk_at_standard_output_is_named_and_exits_2() {
    for format in ["human", "json", "nagios", "openmetrics", "textfile"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("claw-health"));
        let output = command
            .args(["memory", "--format", format])
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "claw-health: cannot write standard output: No space left on device (os error 28)\n",
            "{format}"
        );
    }
}

/// The shell closes the pipe's reading end before claw-health starts to write.
#[test]
fn a_closed_pipe_is_not_an_error_in_any_format() {
    for format in ["human", "json", "nagios", "openmetrics", "textfile"] {
        let health = assert_cmd::cargo::cargo_bin("claw-health");
        let script = format!(
            "{{ sleep 0.2; {} memory --memory-warn 101 --memory-fail 101 --format {format} 2>&1; echo $? >&3; }} 3>&2 | :",
            health.display()
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "0\n", "{format}");
    }
}

#[test]
fn nagios_and_metrics_say_the_same_as_the_records() {
    let nagios = run(tool("claw-health").args([
        "disk:/",
        "--disk-warn",
        "0",
        "--disk-fail",
        "101",
        "--format",
        "nagios",
    ]));
    assert_eq!(nagios.status, 1);
    assert!(nagios.stdout.starts_with("CLAW WARNING - disk:/: "), "{}", nagios.stdout);
    assert!(nagios.stdout.contains(" | 'disk:/ used'="), "{}", nagios.stdout);
    assert!(nagios.stdout.contains("%;0;101;0;100"), "{}", nagios.stdout);
    let metrics = run(tool("claw-health").args([
        "disk:/",
        "--disk-warn",
        "0",
        "--disk-fail",
        "101",
        "--format",
        "openmetrics",
    ]));
    assert_eq!(metrics.status, 1);
    assert!(metrics.stdout.contains("claw_health_status{check=\"disk\",subject=\"disk:/\"} 1\n"));
    assert!(metrics.stdout.ends_with("# EOF\n"));
}

#[test]
fn a_file_is_replaced_whole_and_readable_for_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claw.prom");
    fs::write(&file, "old\n").unwrap();
    let arguments = ["memory", "--format", "textfile", "--output", file.to_str().unwrap()];
    let look = run(tool("claw-health").args(arguments));
    assert_eq!((look.stdout.as_str(), look.stderr.as_str()), ("", ""));
    assert!(fs::read_to_string(&file).unwrap().starts_with("# HELP claw_"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let look = health(&["memory", "--output", "/proc/none/x"]);
    assert_eq!(look.status, 2);
    assert!(
        look.stderr.starts_with("claw-health: cannot write '/proc/none/x': "),
        "{}",
        look.stderr
    );
}

#[test]
fn a_tree_without_its_files_is_unknown_and_says_which() {
    let root = tempfile::tempdir().unwrap();
    let look = health(&["--root", root.path().to_str().unwrap(), "memory", "load"]);
    assert_eq!(look.status, 1);
    for record in look.records() {
        assert_eq!(record["status"], "unknown", "{record}");
        assert!(record["message"].as_str().unwrap().starts_with("cannot read '/proc/"), "{record}");
    }
}

#[test]
fn a_link_in_a_tree_leads_nowhere_outside_it() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc")).unwrap();
    std::os::unix::fs::symlink("/proc/meminfo", root.path().join("proc/meminfo")).unwrap();
    let record = health(&["--root", root.path().to_str().unwrap(), "memory"]).record();
    assert_eq!(record["status"], "unknown", "{record}");
}

#[test]
fn the_list_names_every_check_with_its_limits() {
    let list = run(tool("claw-health").args(["--list", "--format", "human"]));
    assert_eq!(list.status, 0);
    for words in ["disk[:PATH]  ", "--disk-warn PERCENT ", "[80]", "memory "] {
        assert!(list.stdout.contains(words), "{words}: {}", list.stdout);
    }
    assert!(run(tool("claw-health").arg("--list")).records().len() > 2);
}

#[test]
fn completions_come_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(tool("claw-health").args(["--completions", shell]));
        assert!(script.status == 0 && script.stdout.contains("claw-health"), "{shell}");
    }
}

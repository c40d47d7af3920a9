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

/// A box for claw-health with a settings file in a home, which anybody may run.
fn home_with(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(assert_cmd::cargo::cargo_bin("claw-health"), folder.path().join("claw-health"))
        .unwrap();
    fs::create_dir_all(folder.path().join("claw")).unwrap();
    fs::write(folder.path().join("claw/claw.env"), settings).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn look_from(home: &tempfile::TempDir, as_nobody: bool) -> std::process::Output {
    const NOBODY: u32 = 65_534;
    let mut command = std::process::Command::new(home.path().join("claw-health"));
    command.args(["--format", "json", "disk:/"]).env("XDG_CONFIG_HOME", home.path());
    command.env_remove("CLAW_DISK_WARN");
    if as_nobody && nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

/// Root heeds no file in a home: `sudo` may have left `HOME` pointing at one that an agent writes.
#[test]
fn the_file_in_a_home_counts_for_everybody_but_root() {
    let home = home_with("# mine\nCLAW_DISK_WARN='97'\n");
    let limit = |as_nobody| {
        let line = look_from(&home, as_nobody).stdout;
        let record: serde_json::Value = serde_json::from_slice(&line).unwrap();
        record["data"]["used_warn_percent"].clone()
    };
    assert_eq!(limit(true), 97);
    if nix::unistd::geteuid().is_root() {
        assert_eq!(limit(false), 80);
    }
}

/// A setting that is lost in silence is a limit that nobody keeps.
#[test]
fn a_settings_file_that_cannot_be_used_is_wrong_usage() {
    let home = home_with("CLAW_DISK_WARN=$(x)\n");
    let look = look_from(&home, true);
    assert_eq!((look.status.code(), look.stdout.as_slice()), (Some(2), &b""[..]));
    let said = String::from_utf8(look.stderr).unwrap();
    assert!(said.contains("claw.env': line 1: a shell and systemd differ"), "{said}");
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

/// A device, a pipe or a folder is not made into a file; what a link leads to is replaced, and keeps
/// its mode.
#[test]
fn what_is_no_file_is_not_replaced_and_a_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
    assert!(made.success());
    fs::write(path("file"), "old").unwrap();
    fs::set_permissions(path("file"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("file", path("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
    for (name, why) in [
        ("pipe", "it is there and not a regular file"),
        (".", "it is there and not a regular file"),
        ("dangling", "No such file or directory (os error 2)"),
        ("none/file", "No such file or directory (os error 2)"),
    ] {
        let look = health(&["memory", "--output", &path(name)]);
        let expected = format!("claw-health: cannot write '{}': {why}\n", path(name));
        let began = look.stderr.split(" at path ").next().unwrap().to_owned();
        assert_eq!((look.status, began.trim_end()), (2, expected.trim_end()), "{name}");
    }
    assert_eq!(health(&["memory", "--output", &path("link")]).stderr, "");
    assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
    assert!(fs::read_to_string(path("file")).unwrap().starts_with('{'));
    assert_eq!(fs::metadata(path("file")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(health(&["memory", "--output", "-"]).stdout.starts_with('{'));
}

#[test]
fn nothing_is_looked_at_twice_and_nothing_left_is_said() {
    assert_eq!(subjects(&health(&["disk:/", "disk:/", "memory"])), ["disk:/", "memory"]);
    let look = health(&["disk:/", "--skip", "disk"]);
    assert_eq!(look.status, 2);
    assert_eq!(look.stderr, "claw-health: nothing is left to look at: see --only and --skip\n");
}

#[test]
fn people_who_ask_for_what_fails_hear_nothing_where_all_passes() {
    let arguments = ["memory", "--memory-warn", "101", "--memory-fail", "101"];
    let look = run(tool("claw-health").args(arguments).args(["--failing", "--format", "human"]));
    assert_eq!((look.status, look.stdout.as_str(), look.stderr.as_str()), (0, "", ""));
    let asked_by_variable = run(tool("claw-health").args(arguments).env("CLAW_FAILING", "1"));
    assert_eq!(asked_by_variable.stdout, "");
}

#[test]
fn the_help_tells_no_values_and_a_full_disk_is_told() {
    let help = run(tool("claw-health").arg("--help").env("CLAW_GATEWAY_URL", "http://u:secret@h/"));
    assert!(help.status == 0 && !help.stdout.contains("secret"), "{}", help.stdout);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = std::process::Command::new(assert_cmd::cargo::cargo_bin("claw-health"))
        .arg("--help")
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_complaint_shows_control_characters() {
    let look = health(&["--disk-warn", "\u{1b}]0;title\u{7}\u{202e}", "disk"]);
    assert_eq!(look.status, 2);
    assert!(!look.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", look.stderr);
}

#[test]
fn performance_data_of_a_plug_in_reach_every_format() {
    let plugin = "exec:echo 'OK | load=0.5;1;2;0 '\\''a b'\\''=7%'";
    let of = |format: &str| run(tool("claw-health").args([plugin, "--format", format])).stdout;
    assert!(of("nagios").contains(" load'=0.5;1;2;0"), "{}", of("nagios"));
    assert!(of("nagios").contains(" a b'=7%"), "{}", of("nagios"));
    let metrics = of("textfile");
    assert!(metrics.contains("claw_exec_performance{subject="), "{metrics}");
    assert!(metrics.contains("label=\"load\",unit=\"\"} 0.5\n"), "{metrics}");
}

#[test]
fn a_tree_of_files_has_no_sockets_and_no_managers() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    for target in
        ["tcp:127.0.0.1:1", "http://127.0.0.1:1/", "gateway", "bus:user", "unit", "exec:true"]
    {
        let record = health(&["--root", root, target]).record();
        assert_eq!(record["status"], "unknown", "{record}");
        let expected = "it needs a running host, and this is a tree of files";
        assert_eq!(record["message"], expected, "{target}");
    }
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

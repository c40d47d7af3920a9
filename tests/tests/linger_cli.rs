//! claw-linger-setup from the command line, as far as it changes nothing of this machine.

use claw_tests::{Run, run, tool};

fn linger(arguments: &[&str]) -> Run {
    run(tool("claw-linger-setup").args(arguments))
}

#[test]
fn wrong_usage_exits_2_and_says_why() {
    for (arguments, words) in [
        (&["--apply", "--remove"][..], "cannot be used with"),
        (&["--check", "--dry-run"], "cannot be used with"),
        (&["--after-reboot"], "--prove"),
        (&["--timeout", "0"], "it must be more than 0 seconds"),
        (&["--timeout", "soon"], "not a number of seconds"),
        (&["--format", "nagios"], "human, json"),
        (&["dev"], "unexpected argument"),
        (
            &["--user", "no-such-user"],
            "claw-linger-setup: cannot look at 'no-such-user': there is no such user on this box\n",
        ),
        (&["--user", "1000"], "cannot look at '1000': there is no such user on this box\n"),
        (&["--user", "--"], "a value is required"),
    ] {
        let ended = linger(arguments);
        assert_eq!((ended.status, &*ended.stdout), (2, ""), "{arguments:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn the_completions_name_its_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let script = linger(&["--completions", shell]);
        assert_eq!(script.status, 0);
        assert!(script.stdout.contains("after-reboot"), "{shell}");
    }
}

/// What root starts again as a user takes no order from a command line.
#[test]
fn a_job_that_is_none_is_refused() {
    let ended = run(tool("claw-linger-setup").arg("at-home").write_stdin("{\"rm\": \"-rf\"}"));
    assert!(ended.stdout.contains("not a job"), "{}", ended.stdout);
}

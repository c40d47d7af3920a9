//! The verbs of `deploy` on a machine whose first process is not systemd.

#![allow(clippy::unwrap_used, reason = "a test that finds something wrong panics")]

use std::path::Path;
use std::process::Command;

use claw_tests::skip;

const NONE: &str = "systemd does not run here (process 1 is '";

#[test]
fn every_verb_of_services_says_in_one_line_that_there_are_none() {
    if Path::new("/run/systemd/system").exists() {
        return skip("the verbs without systemd: systemd runs here");
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tools = assert_cmd::cargo::cargo_bin("claw-health");
    let path = format!("{}:{}", tools.parent().unwrap().display(), std::env::var("PATH").unwrap());
    for (arguments, words) in [
        (["install"].as_slice(), NONE),
        (&["start"], NONE),
        (&["stop", "gateway"], NONE),
        (&["restart", "monitor"], NONE),
        (&["status"], NONE),
        (&["start", "all"], NONE),
        (&["logs", "-f"], NONE),
        (&["status", "now"], "status takes no argument but --user NAME"),
        (&["logs", "-n", "many"], "logs: 'many' is no number of lines"),
        (&["logs", "--since"], "logs takes -n LINES, -f and --user NAME, not '--since'"),
        (&["install", "--user"], "install: --user takes a name"),
        (&["uninstall", "all"], "uninstall takes --purge, --dry-run and --user NAME, not 'all'"),
    ] {
        let output = Command::new(project.join("scripts/deploy"))
            .args(arguments)
            .env("PATH", &path)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        assert!(stderr.starts_with(&format!("deploy: {words}")), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
}

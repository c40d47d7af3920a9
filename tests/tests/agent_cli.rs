//! Agents at the command line, and the function of a shell that is called every so often: what holds on
//! any machine, with systemd or without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_tests::{assert_fits_the_schema, run, skip, tool};
use serde_json::Value;

#[test]
fn m7_what_cannot_be_an_agent_is_refused() {
    for (words, why) in [
        (&["agent", "a b", "--", "true"][..], "an agent's name has letters, digits"),
        (&["agent", "../a", "--", "true"], "not '/'"),
        (&["agent", "-a", "--", "true"], "unexpected argument '-a'"),
        (&["agent", "a\nb", "--stop"], "not '\\n'"),
        (&["agent", "a", "--"], "<COMMAND>"),
        (&["agent", "a", "--check", "true"], "<COMMAND>"),
        (&["agent", "--", "true"], "<NAME>"),
    ] {
        let said = run(tool("claw-health").args(words));
        assert!(said.stderr.contains(why), "{words:?}: {}", said.stderr);
        assert_eq!((said.status, said.stdout.as_str()), (2, ""), "{words:?}");
    }
}

#[test]
fn m7_a_report_is_a_record_of_the_agent() {
    for (status, exit, severity) in [
        ("pass", 0, "INFO"),
        ("warn", 1, "WARNING"),
        ("fail", 1, "ERROR"),
        ("unknown", 1, "WARNING"),
    ] {
        let words = "it said\n\u{1b}[31m";
        let said =
            run(tool("claw-health").args(["agent", "a", "--report", status, "--words", words]));
        assert_eq!((said.status, said.stderr.as_str()), (exit, ""), "{status}");
        let record = said.record();
        assert_eq!((&record["event"], &record["subject"]), (&"check".into(), &"agent:a".into()));
        assert_eq!((&record["status"], &record["severity"]), (&status.into(), &severity.into()));
    }
}

/// A function that does what the file `mode` says, and notes each call.
const SCRIPT: &str = r#"
. "$1/scripts/start-agent-monitor.sh"
cd "$2"
CLAW_AGENT_INTERVAL=1 CLAW_AGENT_TIMEOUT=1 CLAW_AGENT_FAILURES=2
is_well() {
	echo called >>calls
	case $(cat mode) in
	well) true ;;
	sick) echo 'no answer'; false ;;
	hangs) echo $$ >hanging; sleep 4711 ;;
	esac
}
startAgentMonitor bot is_well >records 2>errors
startAgentMonitor bot is_well 2>>refused
startAgentMonitor 'a b' is_well 2>>refused
startAgentMonitor other no_such_function 2>>refused
stopAgentMonitor other 2>>refused
CLAW_AGENT_INTERVAL=0.5 startAgentMonitor other is_well 2>>refused
touch started
while [ ! -e stop ]; do sleep 0.1; done
stopAgentMonitor bot && touch stopped
startAgentMonitor bot is_well >>records 2>>errors
while [ ! -e never ]; do sleep 0.1; done
"#;

const REFUSED: &str = "\
startAgentMonitor: cannot monitor 'bot': it is monitored already
startAgentMonitor: cannot monitor 'a b': a name has letters, digits, '-', '_' and '.'
startAgentMonitor: cannot monitor 'other': there is no function 'no_such_function'
stopAgentMonitor: cannot stop 'other': it is not monitored by this shell
startAgentMonitor: cannot monitor 'other': not a whole number above 0 and below a million: 0.5
";

/// The processes whose command line holds these words, by /proc.
fn processes(words: &str) -> usize {
    let of = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let lines = fs::read_dir("/proc").unwrap().map(|entry| of(entry.unwrap()));
    lines.filter(|line| String::from_utf8_lossy(line).replace('\0', " ").contains(words)).count()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// A shell that does not outlive the test that started it, however that ends.
struct Shell(std::process::Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_function_is_called(shell: &[&str]) {
    let missing = Command::new(shell[0]).args(&shell[1..]).args(["-c", ":"]).output().is_err();
    if missing {
        return skip(&format!("no {}: startAgentMonitor was not tried there", shell[0]));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let text = |name: &str| fs::read_to_string(file(name)).unwrap_or_default();
    let set = |mode: &str| fs::write(file("mode"), mode).unwrap();
    let records = || -> Vec<String> {
        let read = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_fits_the_schema(&record);
            format!(
                "{} {}: {}",
                record["subject"].as_str().unwrap(),
                record["status"].as_str().unwrap(),
                record["message"].as_str().unwrap()
            )
        };
        text("records").lines().map(read).collect()
    };
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tools = assert_cmd::cargo::cargo_bin("claw-health");
    let path = format!("{}:{}", tools.parent().unwrap().display(), std::env::var("PATH").unwrap());
    set("well");
    fs::write(file("script"), SCRIPT).unwrap();
    let child = Command::new(shell[0])
        .args(&shell[1..])
        .arg(file("script"))
        .args([project, folder.path()])
        .env("PATH", path)
        .spawn()
        .unwrap();
    let child = Shell(child);
    // It is really called, and what is well is not told.
    until("it is called", || text("calls").lines().count() >= 3);
    assert_eq!((text("refused").as_str(), records().len()), (REFUSED, 0), "{shell:?}");
    set("sick");
    until("it fails", || records().len() == 1);
    assert_eq!(records()[0], "agent:bot fail: its check failed, in a row: 2; the last: status 1");
    assert!(text("errors").contains("no answer"));
    set("well");
    until("it is well", || records().len() == 2);
    assert!(records()[1].starts_with("agent:bot pass: well again, after "), "{:?}", records());
    // A call that hangs is ended, with what it started.
    set("hangs");
    until("it hangs", || records().len() == 3);
    assert_eq!(
        records()[2],
        "agent:bot fail: its check failed, in a row: 2; the last: no end within 1 s"
    );
    fs::write(file("stop"), "").unwrap();
    until("it is stopped", || file("stopped").exists());
    // The shell is killed while a call hangs: nothing of it is left behind.
    fs::remove_file(file("hanging")).unwrap();
    until("it hangs again", || file("hanging").exists());
    drop(child);
    let script = file("script").display().to_string();
    until("no orphan", || processes(&script) == 0);
    let calls = text("calls").lines().count();
    sleep(Duration::from_secs(2));
    assert_eq!(text("calls").lines().count(), calls, "{shell:?}");
}

#[test]
fn m7_a_function_is_called_as_long_as_its_shell_lives() {
    // One after the other: each of them looks for what the others may have left.
    for shell in [&["bash"][..], &["dash"], &["busybox", "sh"], &["zsh"]] {
        a_function_is_called(shell);
        assert_eq!(processes("sleep 4711"), 0, "{shell:?}");
    }
}

//! Every error for real, by every way in, explained there; and the remedy typed there.
//!
//! Each suite boots a host of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes. The states and the ways in are those of `tests/testbed/explain.sh`.

use claw_tests::testbed::Host;
use claw_tests::{Run, assert_fits_the_schema};
use serde_json::Value;

/// How the remedy is shown to help.
enum Cure {
    /// It is typed, and then the same command does not fail.
    SameCommand,
    /// It is typed, and then this line does not fail.
    Then(&'static str),
    /// What it would take is not in the test bed.
    NotTyped,
}
use Cure::{NotTyped, SameCommand, Then};

/// A state of the box, a way in, what fails there, the causes in their order, and what the first
/// remedy is good for.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str], Cure);

const USER: &str = "systemctl --user show-environment";
const AT: &str = "XDG_RUNTIME_DIR=/run/user/1000 systemctl --user show-environment";
const BY_ROOT: &str = "systemctl --user -M dev@ show-environment";

const CASES: &[Case] = &[
    // The manager runs, and the shell does not know where.
    ("on", "sudo", USER, &["environment fail"], SameCommand),
    ("on", "sudo-E", USER, &["environment fail"], SameCommand),
    ("on", "su", USER, &["environment fail"], SameCommand),
    ("on", "su-l", USER, &["environment fail"], SameCommand),
    ("on", "setpriv", USER, &["environment fail"], SameCommand),
    ("on", "bare", USER, &["environment fail"], SameCommand),
    ("on", "cron", USER, &["environment fail"], SameCommand),
    ("on", "root", USER, &["environment fail"], Then(BY_ROOT)),
    ("on", "root", AT, &["environment fail"], Then(BY_ROOT)),
    ("on", "bare", "systemd-run --user true", &["environment fail"], SameCommand),
    (
        "on",
        "bare",
        "systemctl --user -M dev@ status",
        &["environment fail", "machine fail"],
        Then(USER),
    ),
    // There is no manager.
    ("off", "sudo", USER, &["linger fail"], SameCommand),
    ("off", "sudo-E", USER, &["linger fail"], SameCommand),
    ("off", "su", USER, &["linger fail"], SameCommand),
    ("off", "su-l", USER, &["linger fail"], SameCommand),
    ("off", "setpriv", USER, &["linger fail"], SameCommand),
    ("off", "bare", AT, &["linger fail"], SameCommand),
    ("off", "root", USER, &["linger fail"], Then(BY_ROOT)),
    ("off", "root", "loginctl show-user dev", &["linger fail"], SameCommand),
    ("off", "bare", "loginctl enable-linger", &["rights fail"], Then(USER)),
    ("by-hand", "bare", AT, &["runtime-dir fail", "linger fail"], SameCommand),
    ("by-hand", "root", USER, &["runtime-dir fail", "linger fail"], Then(BY_ROOT)),
    ("dead", "bare", USER, &["manager fail"], SameCommand),
    ("dead", "root", USER, &["manager fail"], Then(BY_ROOT)),
    ("mode", "bare", AT, &["runtime-dir fail", "environment fail"], SameCommand),
    ("owner", "bare", AT, &["runtime-dir fail", "environment fail"], SameCommand),
    ("bus", "login", "busctl --user list", &["session-bus fail"], SameCommand),
    // Units.
    (
        "units",
        "login",
        "systemctl --user status lim",
        &["start-limit fail"],
        Then("systemctl --user is-active lim"),
    ),
    (
        "units",
        "root",
        "systemctl status lim",
        &["start-limit fail"],
        Then("systemctl is-active lim"),
    ),
    ("units", "login", "systemctl --user start hidden", &["unit-masked fail"], SameCommand),
    (
        "units",
        "login",
        "systemctl --user restart mime",
        &["unit-not-found fail"],
        Then("systemctl --user is-active mine"),
    ),
    (
        "units",
        "root",
        "systemctl start mine",
        &["unit-not-found fail"],
        Then("systemctl --user -M dev@ is-active mine"),
    ),
    ("units", "login", "systemctl --user start cron", &["unit-not-found fail"], NotTyped),
    ("units", "login", "systemctl restart lim", &["rights fail"], NotTyped),
    ("units", "login", "systemctl --user status conf", &["configuration fail"], NotTyped),
    (
        "units",
        "login",
        "systemctl --user start network-online.target",
        &["network-online warn"],
        Then("grep -q network-online.target /etc/systemd/system/user@1000.service.d/*"),
    ),
    (
        "twin",
        "login",
        "echo System systemd unit openclaw-gateway.service already owns this gateway unit name.",
        &["twin fail"],
        Then("! systemctl cat openclaw-gateway && systemctl --user is-active openclaw-gateway"),
    ),
    // The system.
    ("clean", "root", "loginctl enable-linger dve", &["user-unknown fail"], Then("true")),
    ("logind", "root", "loginctl enable-linger dev", &["logind fail"], SameCommand),
    (
        "off",
        "root",
        "echo My service does not start after a reboot.",
        &["linger fail"],
        Then(BY_ROOT),
    ),
    ("on", "login", "echo Segmentation fault", &["unknown unknown"], NotTyped),
    (
        "on",
        "login",
        "echo Failed to connect to bus: No medium found",
        &["elsewhere warn"],
        NotTyped,
    ),
    // By itself: nothing is heard.
    ("on", "login", "true", &["none pass"], NotTyped),
    ("on", "root", "true", &["none pass"], NotTyped),
    ("on", "sudo", "true", &["environment fail"], Then(USER)),
    ("off", "root", "true", &["linger warn"], Then(BY_ROOT)),
    ("dead", "root", "true", &["manager fail"], Then(BY_ROOT)),
    ("twin", "root", "true", &["twin fail"], Then("! systemctl cat openclaw-gateway")),
];

fn script(host: &Host, words: &[&str]) -> Run {
    host.attempt("root", &[&["bash", "/opt/testbed/explain.sh"], words].concat())
}

fn explained(host: &Host, way: &str, command: &str) -> Run {
    let line = format!("{{ {command}; }} 2>&1 </dev/null | claw-linger-setup --explain --user dev");
    script(host, &["by", way, &line])
}

/// Types a remedy where it says it is to be typed, and then a line in the same shell.
fn typed(host: &Host, way: &str, remedy: &str, then: &str) -> Result<(), String> {
    let mut line = String::new();
    let mut crontab = String::new();
    for part in remedy.split("; then ") {
        let ended = if let Some(command) = part.strip_prefix("as root: ") {
            script(host, &["by", "root", command])
        } else if let Some(set) = part.strip_prefix("in the crontab: ") {
            crontab = set.to_owned();
            continue;
        } else {
            line = part.strip_prefix("as dev: ").unwrap_or(part).to_owned() + " && ";
            continue;
        };
        if ended.status != 0 {
            return Err(format!("{part}: {}{}", ended.stdout, ended.stderr));
        }
    }
    let line = format!("{line}{{ {then}; }}");
    let set = format!("CRONTAB={crontab}");
    let by = ["env", &set, "bash", "/opt/testbed/explain.sh", "by", way, &line];
    let ended = host.attempt("root", &by);
    if ended.status == 0 {
        return Ok(());
    }
    Err(format!("{line}: {}{}", ended.stdout, ended.stderr))
}

fn every_error_is_explained(suite: &str) {
    let Some(host) = Host::boot(suite, "explain", &[]) else { return };
    let mut wrong = Vec::new();
    for (state, way, command, causes, cure) in CASES {
        let name = format!("{suite}, {state}, {way}, {command}");
        let made = script(&host, &["make", "clean", state]);
        if made.status != 0 {
            wrong.push(format!("{name}: {}", made.stderr));
            continue;
        }
        let run = explained(&host, way, command);
        let records: Vec<Value> =
            run.stdout.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        records.iter().for_each(assert_fits_the_schema);
        let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let found: Vec<String> = records
            .iter()
            .map(|record| {
                let subject = text(record, "subject");
                let cause = subject.strip_prefix("cause:").expect("a cause").to_owned();
                format!("{cause} {}", text(record, "status"))
            })
            .collect();
        let is_well = causes == &["none pass"];
        if found != *causes || run.status != i32::from(!is_well) {
            wrong.push(format!("{name}: {} {}{}", run.status, run.stdout, run.stderr));
            continue;
        }
        let then = match cure {
            SameCommand => command,
            Then(line) => line,
            NotTyped => continue,
        };
        host.shell_of("root", "touch /tmp/explain-well");
        let remedy = text(&records[0], "remedy");
        if let Err(why) = typed(&host, way, &remedy, then) {
            wrong.push(format!("{name}: {remedy:?} does not help: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn s7_every_error_is_explained_and_cured_where_it_was_seen_on_trixie() {
    every_error_is_explained("trixie");
}

#[test]
fn s7_every_error_is_explained_and_cured_where_it_was_seen_on_bookworm() {
    every_error_is_explained("bookworm");
}

/// Who only looks has not made it so.
#[test]
fn looking_starts_nothing() {
    for suite in ["trixie", "bookworm"] {
        let Some(host) = Host::boot(suite, "explainlook", &[]) else { return };
        assert_eq!(script(&host, &["make", "off"]).status, 0);
        for way in ["root", "bare", "su-l"] {
            for command in ["true", USER] {
                assert_eq!(explained(&host, way, command).status, 1, "{suite}, {way}, {command}");
            }
        }
        let state =
            "systemctl is-active user@1000.service; ls /run/user; ls /var/lib/systemd/linger";
        assert_eq!(host.run("root", &["bash", "-c", state]), "inactive\n0\n", "{suite}");
    }
}

/// A container and a chroot have no user services, and a box may have lost its system bus.
#[test]
fn a_box_without_systemd_or_without_its_bus_is_told() {
    for suite in ["trixie", "bookworm"] {
        let Some(host) = Host::boot(suite, "explainbare", &[]) else { return };
        for (mount, command, cause) in [
            ("/run", "systemctl start x.service", "cause:no-systemd"),
            ("/run", USER, "cause:no-systemd"),
            ("/run/dbus", "loginctl enable-linger dev", "cause:system-bus"),
        ] {
            let line = format!(
                "unshare -m sh -c 'mount -t tmpfs none {mount} && {command} 2>&1 | \
                 claw-linger-setup --explain --user dev'"
            );
            let run = script(&host, &["by", "root", &line]);
            assert_eq!(run.status, 1, "{}", run.stderr);
            assert_eq!(run.records()[0]["subject"], cause, "{suite}, {mount}, {command}");
        }
    }
}

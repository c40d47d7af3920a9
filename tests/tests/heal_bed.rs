//! claw-heal under a real systemd: what it restarts, what it leaves alone, and when it gives up.
//!
//! Each suite boots a host of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_tests::assert_fits_the_schema;
use claw_tests::testbed::Host;
use serde_json::Value;

/// Units of user dev in every state that counts; `NAME.service`, in the folder of user units.
const UNITS: &str = r#"
unit() { cat >~/.config/systemd/user/$1.service; }
mkdir -p ~/.config/systemd/user
unit killed <<<$'[Service]\nExecStart=/bin/sleep infinity'
unit unnamed <<<$'[Service]\nExecStart=/bin/sleep infinity'
unit off <<<$'[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=default.target'
unit limit <<<$'[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=60\n[Service]\nExecStart=/bin/sh -c "exec test -e /tmp/well"\nRemainAfterExit=yes\nRestart=on-failure\nRestartSec=100ms'
unit stopped <<<$'[Service]\nExecStart=/bin/sleep infinity'
unit badly <<<$'[Service]\nExecStart=/bin/bash -c "trap \'exit 1\' TERM; while :; do sleep 0.1; done"\nRestart=always'
unit refuses <<<$'[Service]\nExecStart=/bin/sh -c "exit 78"'
unit masked <<<$'[Service]\nExecStart=/bin/sh -c "exit 1"'
unit warming <<<$'[Service]\nType=notify\nExecStart=/bin/sleep infinity\nTimeoutStartSec=infinity'
unit fails <<<$'[Service]\nExecStart=/bin/sh -c "exit 3"'
systemctl --user daemon-reload
"#;

const PUT_IN_STATES: &str = "
systemctl --user start killed unnamed stopped badly off; systemctl --user start limit refuses masked
systemctl --user start --no-block warming; sleep 1
systemctl --user kill -s KILL killed unnamed off; systemctl --user stop stopped badly
rm ~/.config/systemd/user/masked.service; systemctl --user -q mask masked; sleep 1";

const LOOK: &str = "/opt/bind/claw-health --format json unit:user/killed unit:user/unnamed unit:user/off \
    unit:user/limit unit:user/stopped unit:user/badly unit:user/refuses unit:user/masked unit:user/warming";
const HEAL: &str = "/opt/bind/claw-heal --format json --unit user/killed,user/off,user/limit,user/stopped \
    --unit user/badly,user/refuses,user/masked,user/warming,user/fails";

fn boot(suite: &str, purpose: &str) -> Option<Host> {
    let host = Host::boot(suite, purpose, &[])?;
    host.run("root", &["loginctl", "enable-linger", "dev"]);
    host.run("root", &["sh", "-c", "until systemctl is-active -q user@1000; do sleep 0.1; done"]);
    Some(host)
}

/// The records that claw-heal wrote, of what a text holds.
fn healed(text: &str) -> Vec<Value> {
    let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let records: Vec<Value> =
        records.filter(|record: &Value| record["tool"] == "claw-heal").collect();
    records.iter().for_each(assert_fits_the_schema);
    records
}

/// `restart unit:user/killed.service`, a line each.
fn events(records: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let event = |record: &Value| format!("{} {}", text(&record["event"]), text(&record["subject"]));
    records.iter().map(event).collect()
}

fn restarts_what_failed_and_nothing_else(suite: &str) {
    let Some(host) = boot(suite, "heal-states") else { return };
    host.shell(&format!("{UNITS}{PUT_IN_STATES}"));
    let states = || {
        host.shell(
            "for unit in killed unnamed off limit stopped badly refuses masked warming; do \
             systemctl --user show -P ActiveState $unit; done | xargs",
        )
    };
    let before = "failed failed failed failed inactive failed failed failed activating";
    assert_eq!(states().trim(), before);

    // It says what it would do, and does nothing.
    let rehearsed = host.attempt("dev", &["sh", "-c", &format!("{LOOK} | {HEAL} --dry-run")]);
    let steps: Vec<_> = healed(&rehearsed.stdout)
        .iter()
        .filter(|record| record["event"] == "step")
        .map(|record| {
            format!(
                "{}: {}",
                record["subject"].as_str().unwrap(),
                record["message"].as_str().unwrap()
            )
        })
        .collect();
    let left =
        |unit: &str, why: &str| format!("unit:user/{unit}.service: it is left as it is: {why}");
    let expected = [
        "unit:user/killed.service: would start it (signal); 1 of 5 in 5 min".to_owned(),
        left("off", "it is disabled"),
        "unit:user/limit.service: would start it (start-limit); 3 of 5 in 5 min".to_owned(),
        left("stopped", "it was stopped, or has done its work"),
        left("badly", "somebody stopped it"),
        left("refuses", "it refuses its configuration (exit status 78)"),
        left("masked", "it is masked"),
        left("warming", "it is starting"),
    ];
    assert_eq!((rehearsed.status, steps), (1, expected.to_vec()));
    assert_eq!(states().trim(), before);

    // Each of its records stands behind the line that caused it, and every line is passed on.
    host.shell("touch /tmp/well");
    let done = host.attempt("dev", &["sh", "-c", &format!("{LOOK} | {HEAL}")]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    assert_eq!(done.stdout.lines().count(), 9 + 2);
    let expected = ["restart unit:user/killed.service", "restart unit:user/limit.service"];
    assert_eq!(events(&healed(&done.stdout)), expected);
    let subjects: Vec<_> = done.stdout.lines().collect();
    let after = subjects.iter().position(|line| line.contains("\"restart\"")).unwrap();
    assert!(subjects[after - 1].contains("unit:user/killed.service"));
    sleep(Duration::from_secs(1));
    let now = "active failed failed active inactive failed failed failed activating";
    assert_eq!(states().trim(), now);

    // A user manager that does not run is not started.
    host.run("root", &["loginctl", "disable-linger", "dev"]);
    host.run("root", &["sh", "-c", "while systemctl is-active -q user@1000; do sleep 0.2; done"]);
    let old = r#"{"time":"2026-11-22T03:14:15.000Z","host":"'$(hostname)'","tool":"t","event":"crash","subject":"unit:user/killed.service","status":"fail","severity":"CRITICAL","message":"m"}"#;
    let text = host.run("root", &["sh", "-c", &format!("echo '{old}' | {HEAL} --user dev")]);
    assert_eq!((text.lines().count(), healed(&text).len()), (1, 0), "{text}");
    let state = host.attempt("root", &["systemctl", "is-active", "user@1000"]).stdout;
    assert_eq!(state.trim(), "inactive");
}

/// A unit that fails again and again, while claw-heal is killed and the power cut.
fn gives_up_once(suite: &str) {
    let Some(host) = boot(suite, "heal-budget") else { return };
    host.shell(UNITS);
    const RECORDS: &str = "/var/tmp/records";
    // The records go on long after the look; of the unit's failure only the first one tells.
    let start = format!(
        "(while :; do /opt/bind/claw-health --format json unit:user/fails; sleep 3; done) | {HEAL} >>{RECORDS}"
    );
    let start = format!("setsid sh -c '{start}' >/dev/null 2>&1 & sleep 0.1");
    let records = || healed(&host.shell(&format!("grep -h claw-heal {RECORDS} || true")));
    let wait_for = |event: &str, count: usize| {
        let end = Instant::now() + Duration::from_secs(150);
        let is_it = |record: &Value| record["event"] == event;
        while records().iter().filter(|record| is_it(record)).count() < count {
            assert!(Instant::now() < end, "{event}: {:?}", events(&records()));
            sleep(Duration::from_millis(500));
        }
    };
    host.shell("systemctl --user start fails; sleep 0.5");
    host.shell(&start);
    wait_for("restart", 1);
    host.shell("pkill -KILL -x claw-heal; sleep 0.5");
    host.shell(&start);
    wait_for("restart", 2);
    host.power_cut();
    host.run("root", &["sh", "-c", "until systemctl is-active -q user@1000; do sleep 0.1; done"]);
    host.shell("systemctl --user start fails; sleep 0.5");
    host.shell(&start);
    wait_for("gave-up", 1);
    host.shell("pkill -KILL -x claw-heal; sleep 0.5");
    host.shell(&start);
    sleep(Duration::from_secs(15));
    let told = records();
    let count = |event: &str| told.iter().filter(|record| record["event"] == event).count();
    assert!(count("restart") <= 5, "{:?}", events(&told));
    assert_eq!(count("gave-up"), 1, "{:?}", events(&told));
    let gave_up = told.iter().find(|record| record["event"] == "gave-up").unwrap();
    assert_eq!(
        (&gave_up["severity"], &gave_up["data"]["cause"]),
        (&"CRITICAL".into(), &"exit".into())
    );
    let remedy = gave_up["remedy"].as_str().unwrap();
    assert!(remedy.ends_with("claw-heal reset user/fails.service"), "{remedy}");
    let status = host.tool("dev", "claw-heal", &["status"]);
    assert_eq!(status.status, 1, "{}", status.stdout);

    // What the remedy says is heard by the one that runs.
    let before = count("restart");
    host.shell(
        "sed -i s/3/0/ ~/.config/systemd/user/fails.service; \
        sed -i '/ExecStart/s/.*/ExecStart=sleep infinity/' ~/.config/systemd/user/fails.service; \
        systemctl --user daemon-reload",
    );
    assert_eq!(host.tool("dev", "claw-heal", &["reset", "user/fails"]).status, 0);
    wait_for("restart", before + 1);
    wait_for("recovery", 1);
    let recovery = records().pop().unwrap();
    assert_eq!((&recovery["status"], &recovery["severity"]), (&"pass".into(), &"INFO".into()));
    assert!(recovery["data"]["down_seconds"].as_f64().unwrap() > 10.0, "{recovery}");
}

/// The pipeline as root, with the rights that the monitor's unit leaves: a gateway that takes two
/// minutes to start, hangs, is stopped, and is killed.
fn watches_a_gateway(suite: &str) {
    let Some(host) = boot(suite, "heal-gateway") else { return };
    host.run("dev", &["sh", "/opt/testbed/gateway.sh"]);
    host.shell(
        "mkdir ~/.config/systemd/user/openclaw-gateway.service.d
        printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c \"sleep 120; exec perl %%h/.openclaw/gateway.pl 0\"\\n' \
            >~/.config/systemd/user/openclaw-gateway.service.d/slow.conf
        systemctl --user daemon-reload; systemctl --user start openclaw-gateway",
    );
    let unit = include_str!("../../scripts/units/openclaw-agent-monitor.service")
        .replace(
            "ExecStart=@prefix@/lib/claw/monitor",
            "ExecStart=/bin/sh -c '/opt/bind/claw-health --watch 2s --format json --only gateway,unit | \
             /opt/bind/claw-heal --format json'\nNotifyAccess=all\nStandardOutput=append:/run/records",
        );
    assert!(unit.contains("claw-heal"));
    host.run(
        "root",
        &[
            "sh",
            "-c",
            &format!(
                "cat >/etc/systemd/system/openclaw-agent-monitor.service <<'END'\n{unit}\nEND\n\
         systemctl daemon-reload; systemctl start openclaw-agent-monitor"
            ),
        ],
    );
    let records = || {
        let text = host.run("root", &["cat", "/run/records"]);
        healed(&text)
    };
    let wait_for = |event: &str, count: usize, seconds: u64| {
        let end = Instant::now() + Duration::from_secs(seconds);
        while records().iter().filter(|record| record["event"] == event).count() < count {
            assert!(Instant::now() < end, "{suite} {event}: {:?}", records());
            sleep(Duration::from_millis(500));
        }
        records().pop().unwrap()
    };
    // claw-health calls it dead after 90 s; it starts, and nobody restarts it.
    sleep(Duration::from_secs(150));
    assert_eq!(records(), Vec::<Value>::new());
    let heard = host.run("root", &["cat", "/run/records"]);
    assert!(
        heard.contains("\"state\":\"dead\"") && heard.contains("\"state\":\"ready\""),
        "{heard}"
    );

    // It hangs so that not even SIGABRT is heeded.
    host.shell(
        "rm ~/.config/systemd/user/openclaw-gateway.service.d/slow.conf
        systemctl --user daemon-reload; systemctl --user kill -s STOP openclaw-gateway",
    );
    let first = wait_for("restart", 1, 90);
    assert_eq!((&first["data"]["act"], &first["data"]["cause"]), (&"abort".into(), &"hang".into()));
    let recovery = wait_for("recovery", 1, 60);
    assert!(
        recovery["message"].as_str().unwrap().ends_with("by one restart of claw-heal (hang)"),
        "{recovery}"
    );
    assert_eq!(events(&records()).len(), 3);
    assert_eq!(records()[1]["data"]["act"], "restart");

    // Somebody stops it.
    host.shell("systemctl --user stop openclaw-gateway");
    sleep(Duration::from_secs(20));
    assert_eq!(events(&records()).len(), 3, "{:?}", records());
    assert_eq!(
        host.attempt("dev", &["systemctl", "--user", "is-active", "openclaw-gateway"])
            .stdout
            .trim(),
        "inactive"
    );

    // It is killed, and systemd itself starts it anew: that is not for us.
    host.shell("systemctl --user start openclaw-gateway; sleep 3; systemctl --user kill -s KILL openclaw-gateway");
    sleep(Duration::from_secs(15));
    let told = events(&records());
    assert_eq!(told.iter().filter(|event| event.starts_with("restart")).count(), 2, "{told:?}");
    let kept = host.run("root", &["cat", "/var/lib/claw/heal/dev.json"]);
    assert!(kept.contains("\"by\":\"others\""), "{kept}");
}

#[test]
fn a2_restarts_what_failed_and_nothing_else_on_trixie() {
    restarts_what_failed_and_nothing_else("trixie");
}

#[test]
fn a2_restarts_what_failed_and_nothing_else_on_bookworm() {
    restarts_what_failed_and_nothing_else("bookworm");
}

#[test]
fn a3_gives_up_once_over_kills_and_a_power_cut_on_trixie() {
    gives_up_once("trixie");
}

#[test]
fn a3_gives_up_once_over_kills_and_a_power_cut_on_bookworm() {
    gives_up_once("bookworm");
}

#[test]
fn a2_a_slow_start_a_hang_and_a_stop_are_told_apart_on_trixie() {
    watches_a_gateway("trixie");
}

#[test]
fn a2_a_slow_start_a_hang_and_a_stop_are_told_apart_on_bookworm() {
    watches_a_gateway("bookworm");
}

//! A monitor under a real systemd: what it tells, and that it is started anew when it is stuck.
//!
//! Each suite boots a host of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::time::{Duration, Instant};

use claw_tests::assert_fits_the_schema;
use claw_tests::testbed::Host;
use serde_json::Value;

/// The gateway of user dev, which does nothing.
const GATEWAY: &str = "loginctl enable-linger dev && mkdir -p ~dev/.openclaw ~dev/.config/systemd/user && \
    printf '[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=default.target\\n' \
    >~dev/.config/systemd/user/openclaw-gateway.service && chown -R dev: ~dev && \
    until systemctl is-active -q user@1000; do sleep 0.1; done && \
    systemctl --user -M dev@ daemon-reload && systemctl --user -M dev@ -q enable --now openclaw-gateway";

/// A monitor of units, ended by systemd where it does not say for two seconds that it lives. Its
/// records go to a file.
const MONITOR: &str = "systemd-run -q -u monitor -p Type=notify -p NotifyAccess=all -p WatchdogSec=2 \
    -p Restart=always -p RestartSec=100ms -p StateDirectory=claw -p StandardOutput=append:/tmp/records";
const WATCH: &str = "/opt/bind/claw-health --user dev --monitor-unit monitor.service --only unit,bus \
    --watch 500ms --confirm 2 --format json";

const GATEWAY_UNIT: &str = "unit:user/openclaw-gateway.service";

struct Watched {
    host: Host,
    /// How many records were taken.
    taken: usize,
}

impl Watched {
    fn root(&self, lines: &str) -> String {
        self.host.run("root", &["bash", "-euc", lines])
    }

    /// The records that came since.
    fn records(&mut self) -> Vec<Value> {
        let text = self.root("cat /tmp/records");
        let lines = text.lines().skip(self.taken).map(|line| serde_json::from_str(line).unwrap());
        let records: Vec<Value> = lines.collect();
        records.iter().for_each(assert_fits_the_schema);
        self.taken += records.len();
        records
    }

    /// Waits until a look tells that status of that subject.
    fn hears(&mut self, subject: &str, status: &str) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        let mut heard = Vec::new();
        while Instant::now() < end {
            heard.extend(self.records());
            let is_it = |record: &&Value| {
                record["event"] == "check"
                    && record["subject"] == subject
                    && record["status"] == status
            };
            if let Some(record) = heard.iter().find(is_it) {
                return record.clone();
            }
        }
        assert!(heard.is_empty(), "no {subject} {status}: {heard:?}");
        Value::Null
    }

    fn show(&self, property: &str) -> String {
        self.root(&format!("systemctl show -P {property} monitor")).trim().to_owned()
    }

    fn comes(&self, property: &str, value: &str) -> bool {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if self.show(property) == value {
                return true;
            }
        }
        false
    }
}

fn is_watched_over(suite: &str) {
    let Some(host) = Host::boot(suite, "watch", &[]) else { return };
    let mut watched = Watched { host, taken: 0 };
    watched.root(GATEWAY);
    watched.root(&format!("{MONITOR} {WATCH}"));
    // It is started once it is ready, which is after its first look.
    assert_eq!(watched.show("ActiveState"), "active");
    let status = watched.show("StatusText");
    assert!(status.starts_with("0 fail, ") && status.contains("; look "), "{status}");
    // All is well, the monitor itself included.
    let first = watched.records().remove(0);
    assert_eq!(first["event"], "heartbeat", "{first}");

    // The gateway dies: the very next look tells it.
    watched.root("systemctl --user -M dev@ kill -s KILL openclaw-gateway");
    let dead = watched.hears(GATEWAY_UNIT, "fail");
    assert_eq!((&dead["severity"], &dead["data"]["was"]), (&"CRITICAL".into(), &"pass".into()));
    assert_eq!(dead["data"]["was_state"], "active");
    watched.root("systemctl --user -M dev@ start openclaw-gateway");
    assert_eq!(watched.hears(GATEWAY_UNIT, "pass")["data"]["was"], "fail");

    // All that it asks goes away and comes back.
    watched.root("systemctl stop user@1000");
    watched.hears("bus:user", "fail");
    watched.root("systemctl start user@1000");
    assert_eq!(watched.hears("bus:user", "pass")["data"]["was"], "fail");
    watched.root("systemctl restart systemd-journald dbus");

    // A unit that is named only as long as it is in trouble.
    watched.root("systemd-run -q -u broken -p RemainAfterExit=yes sh -c 'test -e /tmp/well'");
    watched.hears("unit:system/broken.service", "fail");
    watched.root("touch /tmp/well; systemctl restart broken");
    let well = watched.hears("unit:system/broken.service", "pass");
    assert!(well["message"].as_str().unwrap().starts_with("active for "), "{well}");

    // It is stuck.
    assert_eq!(watched.show("NRestarts"), "0");
    // From outside, logind would have to have found the new bus first.
    watched.host.run("dev", &["systemctl", "--user", "stop", "openclaw-gateway"]);
    watched.hears(GATEWAY_UNIT, "warn");
    watched.records();
    watched.root("kill -STOP $(systemctl show -P MainPID monitor)");
    assert!(watched.comes("NRestarts", "1"));
    assert!(watched.comes("ActiveState", "active"));
    assert_eq!(watched.root("journalctl -u monitor | grep -c 'Watchdog timeout'").trim(), "1");
    // The next one knows what was told.
    watched.root("sleep 2");
    let mut records = watched.records();
    assert_eq!(records.remove(0)["event"], "heartbeat");
    // Of itself it tells that it was started anew.
    records.retain(|record| record["subject"] != "unit:system/monitor.service");
    assert_eq!(records, Vec::<Value>::new());

    // In a pipe, the shell is the main process.
    watched.root("systemctl stop monitor");
    assert_eq!(watched.show("Result"), "success");
    watched.root("systemctl reset-failed monitor 2>/dev/null || true");
    watched.root(&format!("{MONITOR} sh -c '{WATCH} | cat; true'"));
    watched.root("sleep 5");
    let state = [watched.show("NRestarts"), watched.show("ActiveState")];
    assert_eq!(state, ["0", "active"]);
    watched.root("kill -STOP $(pgrep -x claw-health)");
    assert!(watched.comes("NRestarts", "1"));
}

#[test]
fn n3_a_monitor_is_ready_lives_and_is_started_anew_on_trixie() {
    is_watched_over("trixie");
}

#[test]
fn n3_a_monitor_is_ready_lives_and_is_started_anew_on_bookworm() {
    is_watched_over("bookworm");
}

/// What a look would find in an hour is told as it happens.
fn tells_changes_at_once(suite: &str) {
    let Some(host) = Host::boot(suite, "moved", &[]) else { return };
    let mut watched = Watched { host, taken: 0 };
    watched.root(GATEWAY);
    watched.root(&format!("{MONITOR} {}", WATCH.replace("500ms", "1h")));
    watched.records();
    watched.host.run("dev", &["systemctl", "--user", "stop", "openclaw-gateway"]);
    assert_eq!(watched.hears(GATEWAY_UNIT, "warn")["data"]["state"], "stopped");
    watched.host.run("dev", &["systemctl", "--user", "start", "openclaw-gateway"]);
    let again = watched.hears(GATEWAY_UNIT, "pass");
    assert!(again["data"]["for_seconds"].as_f64().unwrap() < 30.0, "{again}");
    // Any unit of the system that fails.
    watched.root("systemd-run -q -u broken -p RemainAfterExit=yes false");
    watched.hears("unit:system/broken.service", "fail");
    // The whole manager goes and comes back.
    watched.root("systemctl stop user@1000");
    assert_eq!(watched.hears(GATEWAY_UNIT, "fail")["data"]["state"], "stopped");
    watched.root("systemctl start user@1000");
    watched.hears(GATEWAY_UNIT, "pass");
}

#[test]
fn a1_what_changes_between_two_looks_is_told_at_once() {
    for suite in ["trixie", "bookworm"] {
        tells_changes_at_once(suite);
    }
}

/// A monitor that is started as early as can be, on a box whose user managers are late.
const EARLY: &str = "printf '[Unit]\\nDefaultDependencies=no\\nAfter=local-fs.target\\n[Service]\\nType=notify\\n\
    ExecStart=%s\\nStandardOutput=append:/var/log/records\\n[Install]\\nWantedBy=basic.target\\n' \
    \"$0\" >/etc/systemd/system/early.service && systemctl -q enable early && \
    mkdir /etc/systemd/system/user@1000.service.d && \
    printf '[Service]\\nExecStartPre=+sleep 4\\n' >/etc/systemd/system/user@1000.service.d/late.conf";
const EARLY_WATCH: &str = "/opt/bind/claw-health --user dev --only unit,bus,linger,runtime-dir --watch 500ms --confirm 1 --format json";

fn waits_for_the_boot(suite: &str) {
    let Some(host) = Host::boot(suite, "boot", &[]) else { return };
    host.run("root", &["bash", "-euc", GATEWAY]);
    host.run("root", &["bash", "-euc", EARLY, EARLY_WATCH]);
    host.reboot();
    host.run("root", &["bash", "-euc", "until systemctl is-active -q early; do sleep 0.1; done"]);
    let watched = Watched { host, taken: 0 };
    let asked = "systemctl show -P ActiveEnterTimestampMonotonic early user@1000";
    let stamps = watched.root(asked);
    let mut stamps = stamps.split_whitespace().map(|stamp| stamp.parse::<u64>().unwrap());
    let (monitor, manager) = (stamps.next().unwrap(), stamps.next().unwrap());
    assert!(manager < monitor, "it looked before the manager was up");
    // Its own unit is not the monitor's, and no disk of a container is in trouble.
    let told =
        watched.root("grep -E 'user/openclaw|bus:|linger|runtime-dir' /var/log/records || :");
    assert_eq!(told, "", "a boot is no trouble");
}

#[test]
fn s3_a_boot_is_no_trouble() {
    for suite in ["trixie", "bookworm"] {
        waits_for_the_boot(suite);
    }
}

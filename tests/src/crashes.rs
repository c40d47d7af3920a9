//! A host whose units crash in every way, and a monitor that is to tell each of them once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::assert_fits_the_schema;
use crate::testbed::Host;

/// A host where a monitor watches units that crash.
#[derive(Debug)]
pub struct Crashing {
    host: Host,
    /// What has to be told, and what was told: `SUBJECT INVOCATION CAUSE`, and how often.
    expected: BTreeMap<String, usize>,
}

const SCRIPT: &str = "/opt/testbed/crashes.sh";
const RECORDS: &str = "/tmp/records";

const MONITOR: &str = "systemd-run -q -u monitor -p Type=notify -p NotifyAccess=all -p WatchdogSec=10 \
    -p Restart=always -p RestartSec=300ms -p StartLimitIntervalSec=0 -p StateDirectory=claw \
    -p StandardOutput=append:/tmp/records /opt/bind/claw-health --user dev --monitor-unit monitor.service \
    --watch 2s --format json unit:user/openclaw-gateway.service unit:user/dog.service \
    unit:user/limit.service unit:user/pre";

impl Crashing {
    /// Sets it up on a host that has booted.
    pub fn new(host: Host) -> Self {
        host.run("root", &["loginctl", "enable-linger", "dev"]);
        let socket = "until [ -S /run/user/1000/systemd/private ]; do sleep 0.1; done";
        host.run("root", &["sh", "-c", socket]);
        host.shell(&format!("bash {SCRIPT} set-up"));
        host.run("root", &["sh", "-c", MONITOR]);
        Self { host, expected: BTreeMap::new() }
    }

    /// The kinds of ends there are.
    pub fn kinds(&self) -> Vec<String> {
        let kinds = self.host.shell(&format!("bash {SCRIPT} kinds"));
        kinds.lines().map(str::to_owned).collect()
    }

    /// Lets these happen.
    pub fn happen(&mut self, kinds: &[&str]) {
        let expected = self.host.shell(&format!("bash {SCRIPT} {}", kinds.join(" ")));
        for line in expected.lines() {
            *self.expected.entry(line.to_owned()).or_default() += 1;
        }
    }

    /// Kills the monitor; it is started anew a moment later, and what happens meanwhile it finds out.
    pub fn kill_monitor(&self) {
        self.host.run("root", &["systemctl", "kill", "-s", "KILL", "monitor"]);
    }

    /// Lets the user manager go and come back; its units with it.
    pub fn restart_manager(&self) {
        self.host.run("root", &["systemctl", "restart", "user@1000"]);
        self.host.shell("systemctl --user start openclaw-gateway");
    }

    /// The crashes that were told by now.
    pub fn told(&self) -> Vec<Value> {
        let text = self.host.run("root", &["cat", RECORDS]);
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let crashes: Vec<_> = records.filter(|record| record["event"] == "crash").collect();
        crashes.iter().for_each(assert_fits_the_schema);
        crashes
    }

    /// Waits until as much is told as has to be, and gives what differs.
    pub fn differences(&self) -> Vec<String> {
        let wanted: usize = self.expected.values().sum();
        let end = Instant::now() + Duration::from_secs(20);
        while self.told().len() < wanted && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(200));
        }
        // What is told twice may come a moment later.
        std::thread::sleep(Duration::from_secs(3));
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for record in self.told() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let [invocation, cause] = ["invocation", "cause"].map(|key| text(&record["data"][key]));
            *told
                .entry(format!("{} {invocation} {cause}", text(&record["subject"])))
                .or_default() += 1;
        }
        let lines = told.keys().chain(self.expected.keys());
        let counts = |line: &String| {
            let count = |of: &BTreeMap<String, usize>| of.get(line).copied().unwrap_or_default();
            (count(&told), count(&self.expected))
        };
        let mut wrong: Vec<_> = lines
            .map(|line| (line, counts(line)))
            .filter(|(_, (told, expected))| told != expected)
            .map(|(line, (told, expected))| {
                let is_it = |record: &Value| {
                    let invocation = record["data"]["invocation"].as_str();
                    line.split(' ').nth(1) == Some(invocation.unwrap_or_default())
                };
                let record = self.told().into_iter().find(is_it).unwrap_or_default();
                let journal = self.journal(&record);
                format!("told {told} times, not {expected}: {line}; {record}; {journal}")
            })
            .collect();
        wrong.sort_unstable();
        wrong.dedup();
        wrong
    }

    /// What the journal has of a start and of the process of it, for whoever is to find out.
    fn journal(&self, record: &Value) -> String {
        let invocation = record["data"]["invocation"].as_str().unwrap_or_default();
        let matches = [
            format!("_SYSTEMD_INVOCATION_ID={invocation}"),
            "+".to_owned(),
            format!("USER_INVOCATION_ID={invocation}"),
            "+".to_owned(),
            format!("_PID={}", record["data"]["pid"]),
        ];
        let matches: Vec<_> = matches.iter().map(String::as_str).collect();
        let ask = ["journalctl", "--quiet", "--output=short-precise", "--lines=40"];
        self.host.attempt("root", &[&ask[..], &matches].concat()).stdout
    }

    /// How many have to be told.
    pub fn count(&self) -> usize {
        self.expected.values().sum()
    }

    /// From the end of a process, as systemd noted it, to its record, in milliseconds, sorted.
    pub fn delays(&self) -> Vec<i64> {
        let mut delays: Vec<_> = self.told().iter().filter_map(delay).collect();
        delays.sort_unstable();
        delays
    }

    /// The host itself.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

/// Both times are of one day, but at midnight.
fn delay(record: &Value) -> Option<i64> {
    let milliseconds = |value: &Value| {
        let clock = value.as_str()?.get(11..23)?;
        let parts: Vec<i64> =
            clock.split([':', '.']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
        Some(((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000 + parts[3])
    };
    Some(milliseconds(&record["time"])? - milliseconds(&record["data"]["at"])?)
}

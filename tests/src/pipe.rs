//! A monitor whose tools are killed while a gateway crashes: what it told of that, and what it restarted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::testbed::Host;

/// A host where a storm goes over the monitor.
#[derive(Debug)]
pub struct Storm {
    host: Host,
    /// `SUBJECT INVOCATION CAUSE` of what crashed.
    crashed: Vec<String>,
    /// The starts that hung, of which more may be told.
    hung: Vec<String>,
    /// How often each tool was killed, and how long its pipe was away at most.
    killed: BTreeMap<String, (usize, u64)>,
}

/// What came of a storm.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many crashes were told once, and how many more than once.
    pub once: usize,
    /// The same of more than once.
    pub more: usize,
    /// What is not as it has to be.
    pub wrong: Vec<String>,
}

const SCRIPT: &str = "/opt/testbed/pipe.sh";
/// What claw-heal may do to a unit within that time.
const RESTARTS: usize = 5;
const WITHIN: f64 = 300.0;

impl Storm {
    /// Sets it up on a host that has booted.
    pub fn new(host: Host) -> Self {
        host.run("root", &["loginctl", "enable-linger", "dev"]);
        let socket = "until [ -S /run/user/1000/systemd/private ]; do sleep 0.1; done";
        host.run("root", &["sh", "-c", socket]);
        host.copy_project();
        host.run("dev", &["sh", "/opt/testbed/gateway.sh"]);
        host.run("root", &["bash", SCRIPT, "set-up"]);
        Self { host, crashed: Vec::new(), hung: Vec::new(), killed: BTreeMap::new() }
    }

    /// Kills each tool so often, in an order that the seed decides, while there are crashes.
    pub fn rage(&mut self, kills: usize, seed: usize) {
        let (kills, seed) = (kills.to_string(), seed.to_string());
        let text = self.host.shell_of("root", &format!("bash {SCRIPT} storm {kills} {seed}"));
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("crashed", crash)) => self.crashed.push(crash.to_owned()),
                Some(("hung", start)) => self.hung.push(start.to_owned()),
                Some(("killed", rest)) => {
                    let (tool, seconds) = rest.split_once(' ').unwrap_or((rest, ""));
                    let (count, longest) = self.killed.entry(tool.to_owned()).or_default();
                    *count += 1;
                    *longest = (*longest).max(seconds.parse().unwrap_or(u64::MAX));
                }
                _ => {}
            }
        }
    }

    /// Waits until all is told that has to be, and says what was.
    pub fn tally(&self) -> Tally {
        let end = Instant::now() + Duration::from_secs(60);
        while self.untold().next().is_some() && Instant::now() < end {
            std::thread::sleep(Duration::from_secs(1));
        }
        std::thread::sleep(Duration::from_secs(3));
        let told = self.told();
        let mut tally = Tally::default();
        for crash in &self.crashed {
            match told.get(crash) {
                None => tally.wrong.push(format!("not told: {crash}")),
                Some(1) => tally.once += 1,
                Some(_) => tally.more += 1,
            }
        }
        for crash in told.keys().filter(|crash| !self.crashed.contains(crash)) {
            if !self.hung.iter().any(|start| crash.starts_with(start.as_str())) {
                tally.wrong.push(format!("told, and did not happen: {crash}"));
            }
        }
        tally.wrong.extend(self.too_often());
        tally
    }

    /// How often each tool was killed, and how long it took until the pipe was back.
    pub fn kills(&self) -> String {
        let words = |(tool, (count, longest)): (&String, &(usize, u64))| {
            format!("{count} kills of {tool} (away for {longest} s at most)")
        };
        self.killed.iter().map(words).collect::<Vec<_>>().join(", ")
    }

    /// How many crashes there were.
    pub fn crashes(&self) -> usize {
        self.crashed.len()
    }

    fn untold(&self) -> impl Iterator<Item = &String> {
        let told = self.told();
        self.crashed.iter().filter(move |crash| !told.contains_key(*crash))
    }

    fn told(&self) -> BTreeMap<String, usize> {
        let mut told = BTreeMap::new();
        for record in self.host.monitored().iter().filter(|record| record["event"] == "crash") {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let [invocation, cause] = ["invocation", "cause"].map(|key| text(&record["data"][key]));
            let crash = format!("{} {invocation} {cause}", text(&record["subject"]));
            *told.entry(crash).or_default() += 1;
        }
        told
    }

    /// The restarts beyond the limit, by what the manager noted, not by what claw-heal says.
    fn too_often(&self) -> Vec<String> {
        let text = self.host.run("root", &["bash", SCRIPT, "starts"]);
        let starts: Vec<f64> =
            text.lines().skip(1).filter_map(|line| line.trim().parse().ok()).collect();
        let mut wrong: Vec<_> = starts
            .windows(RESTARTS + 1)
            .filter(|some| some[RESTARTS] - some[0] < WITHIN)
            .map(|some| format!("{} starts of fragile.service: {some:?}", RESTARTS + 1))
            .collect();
        let acts = self.host.monitored().into_iter().filter(|record| record["event"] == "restart");
        let used = |record: &Value| record["data"]["restarts_total"].as_u64();
        let beyond = acts.filter(|record| used(record).is_none_or(|used| used > RESTARTS as u64));
        wrong.extend(beyond.map(|record| record.to_string()));
        wrong
    }

    /// How often claw-heal started the unit that nobody else does.
    pub fn heals(&self) -> usize {
        self.host.run("root", &["bash", SCRIPT, "starts"]).lines().count().saturating_sub(1)
    }
}

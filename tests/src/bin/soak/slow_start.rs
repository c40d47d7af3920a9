//! A gateway that takes its time, and one that falls silent, in front of the monitor's pipe: none is restarted
//! while it starts, and later only one that hangs. A host each, a few of them at a time.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use claw_tests::testbed::Host;
use serde_json::Value;

use crate::{Case, Chance};

/// How it does not answer while it starts, for each delay.
const STARTS: [&str; 2] = ["refuses", "is silent"];
/// The longest first, so that all are done soonest.
const DELAYS_SECONDS: [u64; 5] = [300, 100, 30, 5, 0];

/// What it does once it has been up for a while; how the monitor calls that, and in which words. Whom it
/// calls hung is restarted.
const MODES: [(&str, &str, &str); 6] = [
    ("hang", "hung", "no byte within"),
    ("half-head", "hung", " 35 bytes of an answer"),
    ("dribble", "hung", "and no end of it"),
    ("draining", "starting", "drains"),
    ("channel-down", "useless", "telegram"),
    ("degraded", "degraded", "event loop"),
];

/// Each host takes some of what a machine has few of, inotify instances among it.
const AT_ONCE: usize = 4;

/// As claw-health's own, and claw-heal's shortest: nothing is done to a younger one.
const GRACE: Duration = Duration::from_secs(90);

/// One of the matrix.
#[derive(Clone, Copy)]
enum Cell {
    Start { how: &'static str, delay: u64 },
    Mode { mode: &'static str, state: &'static str, words: &'static str },
}

pub(crate) fn run(_: &mut Chance, tools: &Path) -> Case {
    let starts =
        DELAYS_SECONDS.into_iter().flat_map(|delay| STARTS.map(|how| Cell::Start { how, delay }));
    let modes = MODES.iter().map(|&(mode, state, words)| Cell::Mode { mode, state, words });
    let cells: Vec<_> = starts.chain(modes).collect();
    let next = AtomicUsize::new(0);
    // Each takes the next one of the list, until there is none.
    let work = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let mine = numbers.map_while(|number| Some((number, cells.get(number)?)));
        mine.map(|(number, cell)| cell.run(number, tools)).collect::<Vec<Case>>()
    };
    let results: Vec<Case> = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        let cases =
            ended.map(|ended| ended.unwrap_or_else(|_| vec![Err("a part of it panicked".into())]));
        cases.flatten().collect()
    });
    let wrong: Vec<_> =
        results.iter().filter_map(|result| result.as_ref().err().cloned()).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let said: Vec<_> = results.into_iter().flatten().collect();
    Ok(said.join(", "))
}

impl Cell {
    fn run(&self, number: usize, tools: &Path) -> Case {
        let suite = ["trixie", "bookworm"][number % 2];
        let host = Host::boot_with(suite, &format!("soak-slow-{number}"), &[], tools)
            .ok_or("there can be no host here")?;
        host.run("root", &["loginctl", "enable-linger", "dev"]);
        let socket = "until [ -S /run/user/1000/systemd/private ]; do sleep 0.1; done";
        host.run("root", &["sh", "-c", socket]);
        host.copy_project();
        host.run("dev", &["sh", "/opt/testbed/gateway.sh"]);
        match *self {
            Self::Start { how, delay } => starts(&host, how, delay),
            Self::Mode { mode, state, words } => changes(&host, mode, state, words),
        }
        .map_err(|why| format!("{suite}: {why}"))
    }
}

/// The gateway's unit does this.
fn unit(host: &Host, lines: &str) {
    host.shell(&format!(
        "cat >~/.openclaw/start.sh <<'END'\n{lines}\nEND\n\
         mkdir -p ~/.config/systemd/user/openclaw-gateway.service.d\n\
         printf '[Service]\\nExecStart=\\nExecStart=/bin/sh %%h/.openclaw/start.sh\\n' \
             >~/.config/systemd/user/openclaw-gateway.service.d/start.conf\n\
         systemctl --user daemon-reload"
    ));
}

fn starts(host: &Host, how: &str, delay: u64) -> Case {
    let wait = match how {
        "refuses" => format!("sleep {delay}"),
        _ => format!(
            "perl -MIO::Socket::INET -e 'my $l = IO::Socket::INET->new(LocalAddr => \"127.0.0.1\", \
             LocalPort => 18789, Listen => 9, ReuseAddr => 1) or die $!; sleep {delay}'"
        ),
    };
    unit(host, &format!("{wait}\nexec perl \"$HOME/.openclaw/gateway.pl\" 0"));
    host.monitor(&["[Service]", "Environment=CLAW_ONLY=gateway,unit"]);
    host.shell("systemctl --user start openclaw-gateway");
    let before = start(host);
    // Until it has answered, and was looked at again.
    sleep(Duration::from_secs(delay + 100));
    let what = format!("{how} for {delay} s");
    let acts = of(host, "restart");
    let told: Vec<_> = of(host, "check").into_iter().filter_map(|record| state(&record)).collect();
    if !acts.is_empty() || start(host) != before {
        return Err(format!("{what}: it was started anew: {before} {}: {acts:?}", start(host)));
    }
    if told.last().is_some_and(|state| state != "ready") {
        return Err(format!("{what}: {told:?}"));
    }
    let looked = host.health("dev", &["gateway"]);
    match looked.iter().filter_map(state).next_back().as_deref() {
        Some("ready") => Ok(format!("left alone that {what}")),
        _ => Err(format!("{what}: {looked:?}")),
    }
}

fn changes(host: &Host, mode: &str, word: &str, words: &str) -> Case {
    let node = std::env::var_os("PATH")
        .and_then(|path| {
            std::env::split_paths(&path).map(|dir| dir.join("node")).find(|f| f.is_file())
        })
        .ok_or("there is no node here")?;
    host.put(&node, "/usr/local/bin/node");
    host.put(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fake-gateway.mjs")),
        "/usr/local/bin/fake-gateway.mjs",
    );
    host.shell("mkfifo ~/.openclaw/modes");
    unit(host, "exec node /usr/local/bin/fake-gateway.mjs ready 18789 <>\"$HOME/.openclaw/modes\"");
    host.monitor(&["[Service]", "Environment=CLAW_ONLY=gateway,unit"]);
    host.shell("systemctl --user start openclaw-gateway");
    sleep(GRACE + Duration::from_secs(30));
    let before = start(host);
    host.shell(&format!("echo {mode} >~/.openclaw/modes"));
    let began = Instant::now();
    let is_hung = word == "hung";
    let is_told = || {
        let fits = |record: &&Value| {
            state(record).as_deref() == Some(word)
                && record["message"].as_str().is_some_and(|message| message.contains(words))
        };
        of(host, "check").iter().any(|record| fits(&record))
    };
    let is_done = || is_told() && (!is_hung || start(host) != before);
    // Two looks to be sure, and the time that it may be busy.
    while !is_done() && began.elapsed() < Duration::from_secs(150) {
        sleep(Duration::from_secs(1));
    }
    if !is_done() {
        return Err(format!(
            "{mode}: not told as {word} ({words}), or not restarted: {:?}",
            host.monitored()
        ));
    }
    let after = began.elapsed().as_secs();
    if is_hung {
        let acts = of(host, "restart").len();
        return Ok(format!("{mode} restarted after {after} s ({acts} act)"));
    }
    sleep(Duration::from_secs(150).saturating_sub(began.elapsed()));
    if start(host) == before && of(host, "restart").is_empty() {
        Ok(format!("{mode} told as {word} after {after} s and left alone"))
    } else {
        Err(format!("{mode}: it was started anew: {:?}", host.monitored()))
    }
}

/// Which start of the gateway it is.
fn start(host: &Host) -> String {
    let ask = ["systemctl", "--user", "show", "-P", "InvocationID", "openclaw-gateway"];
    host.run("dev", &ask).trim().to_owned()
}

fn of(host: &Host, event: &str) -> Vec<Value> {
    host.monitored().into_iter().filter(|record| record["event"] == event).collect()
}

/// How a record calls the gateway; nothing where it is about something else.
fn state(record: &Value) -> Option<String> {
    let is_gateway = record["subject"].as_str()?.starts_with("gateway:");
    record["data"]["state"].as_str().filter(|_| is_gateway).map(str::to_owned)
}

//! Agents under a real systemd, watched by the monitor as its unit has it, and healed.
//!
//! Each suite boots a host of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_tests::assert_fits_the_schema;
use claw_tests::testbed::Host;
use serde_json::Value;

const HEALTH: &str = "/opt/bind/claw-health";

fn boot(suite: &str, purpose: &str) -> Option<Host> {
    let host = Host::boot(suite, purpose, &[])?;
    host.run("root", &["loginctl", "enable-linger", "dev"]);
    await_manager(&host);
    Some(host)
}

fn await_manager(host: &Host) {
    host.run("root", &["sh", "-c", "until systemctl is-active -q user@1000; do sleep 0.1; done"]);
}

/// The only record that a command wrote, and its exit status.
fn told(host: &Host, user: &str, line: &str) -> (i32, Value) {
    let run = host.attempt(user, &["sh", "-c", line]);
    assert_eq!(run.stderr, "", "{line}");
    let record: Value = serde_json::from_str(run.stdout.trim()).unwrap();
    assert_fits_the_schema(&record);
    (run.status, record)
}

/// `agent:a pass: message`
fn line(record: &Value) -> String {
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    format!("{} {}: {}", text("subject"), text("status"), text("message"))
}

fn words_stay_what_they_are(suite: &str) {
    let Some(host) = boot(suite, "agent-words") else { return };
    // What it is given, it gets; also after systemd has read its files anew.
    const START: &str = r#"cd '/tmp/d %n $x' && TOKEN='se%n $HOME "q"' /opt/bind/claw-health agent bot --env TOKEN --env 'E=a
b' --restart-delay 1s --check 'test "$TOKEN" = "se%n \$HOME \"q\"" && test "$PWD" = "/tmp/d %n \$x" && echo "well $$ %n" | sed "s/[0-9]\+/N/"' -- sh -c 'pwd >/tmp/out; printf "%s|" "$@" "$TOKEN" "$E" >>/tmp/out; exec sleep 1000' sh 'a%n' '$HOME ${USER}' "q\"x' y" 'new
line' '' '%%' '$$'"#;
    const GOT: &str =
        "/tmp/d %n $x\na%n|$HOME ${USER}|q\"x' y|new\nline||%%|$$|se%n $HOME \"q\"|a\nb|";
    host.shell("mkdir '/tmp/d %n $x'");
    let (_, record) = told(&host, "dev", START);
    assert!(line(&record).starts_with("agent:bot warn: started: /usr/bin/sh"), "{record}");
    assert!(line(&record).ends_with("openclaw-agent-monitor.service does not run"), "{record}");
    host.shell("until test -s /tmp/out; do sleep 0.1; done; sleep 0.2");
    assert_eq!(host.shell("cat /tmp/out"), GOT);
    let show = "systemctl --user show claw-agent-bot";
    let limits = format!("{show} -P MemoryMax -P CPUQuotaPerSecUSec -P Restart -P UnitFileState");
    assert_eq!(host.shell(&limits), "always\n800ms\n2147483648\ntransient\n");
    let (status, record) = told(&host, "dev", &format!("{HEALTH} agent bot"));
    assert_eq!((status, record["data"]["state"].as_str()), (0, Some("active")), "{record}");
    assert!(line(&record).ends_with("its check: well N %n"), "{record}");
    host.shell(
        "systemctl --user daemon-reload; rm /tmp/out; systemctl --user kill -s KILL claw-agent-bot",
    );
    host.shell("until test -s /tmp/out; do sleep 0.1; done; sleep 0.2");
    assert_eq!(host.shell("cat /tmp/out"), GOT);

    // Once more the same is well, anything else is not; and nothing is done about either.
    let before = host.shell(&format!("{show} -P InvocationID"));
    let (_, record) = told(&host, "dev", START);
    assert!(line(&record).contains("runs already, as asked"), "{record}");
    let (status, record) = told(&host, "dev", &format!("{HEALTH} agent bot -- sleep 1"));
    assert_eq!(status, 1);
    assert!(line(&record).contains("runs already, and not as asked"), "{record}");
    assert_eq!(host.shell(&format!("{show} -P InvocationID")), before);

    let (status, record) = told(&host, "dev", &format!("{HEALTH} agent bot --stop"));
    assert_eq!(
        (status, line(&record)),
        (0, "agent:bot pass: stopped, and not started again".into())
    );
    assert_eq!(told(&host, "dev", &format!("{HEALTH} agent bot --stop")).0, 1);
    let (status, record) = told(&host, "dev", &format!("{HEALTH} agent"));
    assert_eq!((status, line(&record)), (0, "agent pass: there are no agents".into()));

    // A URL, asked by root with the user's rights; what passed is not asked again before its time.
    const SERVE: &str = r#"$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8099", Listen => 9, ReuseAddr => 1);
while ($c = $s->accept) { sysread $c, $_, 9999; print $c "HTTP/1.0 200 OK\r\n\r\nhi"; close $c }"#;
    let serve = format!("perl -MIO::Socket::INET -e '{SERVE}'");
    let start = format!("{HEALTH} agent web --every 1h --http http://127.0.0.1:8099/ -- {serve}");
    told(&host, "dev", &start);
    host.shell("until ss -ltn | grep -q :8099; do sleep 0.1; done");
    for words in ["its check: status 200, 2 bytes, after", " s ago"] {
        let (status, record) = told(&host, "root", &format!("{HEALTH} --user dev agent web"));
        assert_eq!(status, 0, "{record}");
        assert!(line(&record).contains(words), "{record}");
    }
    host.shell("systemctl --user kill -s STOP claw-agent-web");
    assert_eq!(told(&host, "root", &format!("{HEALTH} --user dev agent web")).0, 0);
    let run = host
        .attempt("dev", &["sh", "-c", &format!("{HEALTH} --agent-grace 0 --timeout 1 agent web")]);
    assert!(
        run.stdout.contains("\"state\":\"hung\"") && run.stdout.contains("sends no byte"),
        "{}",
        run.stdout
    );
    assert_eq!(told(&host, "dev", &format!("{HEALTH} agent web --stop")).0, 0);

    // What cannot be started leaves nothing behind.
    for (words, why) in [
        ("no -- /nonexistent", "cannot run '/nonexistent': No such file or directory"),
        ("no -- nonexistent", "there is no program 'nonexistent' on its PATH"),
        ("no --dir /root -- sleep 9", "its working directory cannot be entered"),
        ("'a b' -- sleep 9", "not ' '"),
        ("a@b -- sleep 9", "not '@'"),
        ("--user root no -- sleep 9", "only root can do that for root"),
    ] {
        let run = host.attempt("dev", &["sh", "-c", &format!("{HEALTH} agent {words}")]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{words}");
        assert!(run.stderr.contains(why), "{words}: {}", run.stderr);
    }
    assert_eq!(host.shell("systemctl --user list-units --all --no-legend 'claw*'"), "");
}

/// Root's agents of two users, and of the box; each is its own user's, and so is its check.
fn users_are_kept_apart(suite: &str) {
    let Some(host) = boot(suite, "agent-users") else { return };
    host.run("root", &["sh", "-c", "useradd -m eve; loginctl enable-linger eve"]);
    host.run("root", &["sh", "-c", "until systemctl is-active -q user@1001; do sleep 0.1; done"]);
    let start = |user: &str| {
        let check = format!("id >/tmp/checked-{user}");
        let line = format!(
            "cd /tmp && {HEALTH} agent bot --user {user} --check '{check}' -- sh -c 'id >/tmp/ran-{user}; exec sleep 1000'"
        );
        told(&host, "root", &line)
    };
    for (user, unit) in [("dev", "user"), ("eve", "user"), ("root", "system")] {
        let (_, record) = start(user);
        assert_eq!(record["data"]["unit"], format!("{unit}/claw-agent-bot.service"), "{record}");
        let (status, record) = told(&host, "root", &format!("{HEALTH} --user {user} agent bot"));
        assert_eq!(status, 0, "{record}");
        let ids =
            host.run("root", &["sh", "-c", &format!("cat /tmp/ran-{user} /tmp/checked-{user}")]);
        let ids: Vec<_> = ids.lines().collect();
        let name = format!("({user})");
        assert!(ids[0].contains(&name) && ids[0] == ids[1], "{user}: {ids:?}");
    }
    // Each sees its own; root those of the box as well.
    let subjects = |user: &str, words: &str| {
        let run = host.attempt(user, &["sh", "-c", &format!("{HEALTH} {words} agent")]);
        let records = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.map(|record| record["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(subjects("dev", ""), ["agent:bot"]);
    assert_eq!(subjects("root", "--user eve"), ["agent:bot", "agent:system/bot"]);
    assert_eq!(told(&host, "root", &format!("{HEALTH} agent bot --user eve --stop")).0, 0);
    assert_eq!(subjects("eve", ""), ["agent"]);
    assert_eq!(told(&host, "dev", &format!("{HEALTH} agent bot")).0, 0);

    // A unit of that name that somebody else made is not touched.
    host.shell(
        "mkdir -p ~/.config/systemd/user; printf '[Service]\\nExecStart=sleep 1000\\n' \
        >~/.config/systemd/user/claw-agent-mine.service; systemctl --user daemon-reload; \
        systemctl --user start claw-agent-mine",
    );
    for words in ["mine --stop", "mine -- sleep 5"] {
        let run = host.attempt("dev", &["sh", "-c", &format!("{HEALTH} agent {words}")]);
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains("a unit of somebody else's making"), "{}", run.stderr);
    }
    // Without linger an agent ends with the session, and that is said.
    host.run("root", &["loginctl", "disable-linger", "eve"]);
    sleep(Duration::from_secs(1));
    let run =
        host.attempt("root", &["sh", "-c", &format!("{HEALTH} agent bot --user eve -- sleep 9")]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("the user manager of eve does not run"), "{}", run.stderr);
}

/// The monitor with the walls of its unit, which looks every two seconds.
fn start_monitor(host: &Host) {
    let unit = include_str!("../../scripts/units/openclaw-agent-monitor.service").replace(
        "ExecStart=@prefix@/lib/claw/monitor",
        "ExecStart=/bin/sh -c '/opt/bind/claw-health --watch 2s --format json --only agent,unit | \
         /opt/bind/claw-heal --format json'\nNotifyAccess=all\nEnvironment=CLAW_AGENT_GRACE=3\nStandardOutput=append:/var/lib/records",
    );
    assert!(unit.contains("claw-heal"));
    let lines = format!(
        "mkdir -p /home/dev/.openclaw; chown dev: /home/dev/.openclaw
cat >/etc/systemd/system/openclaw-agent-monitor.service <<'END'\n{unit}\nEND
systemctl daemon-reload; systemctl -q enable openclaw-agent-monitor; systemctl start openclaw-agent-monitor"
    );
    host.run("root", &["sh", "-c", &lines]);
}

fn crashes_hangs_and_reboots(suite: &str) {
    let Some(host) = boot(suite, "agent-watch") else { return };
    start_monitor(&host);
    let records = || -> Vec<Value> {
        let text = host.run("root", &["cat", "/var/lib/records"]);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let wait_for = |what: &str, seconds: u64, is_it: &dyn Fn(&Value) -> bool| -> Value {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(record) = records().into_iter().rfind(|record| is_it(record)) {
                assert_fits_the_schema(&record);
                return record;
            }
            let lines: Vec<_> = records().iter().map(line).collect();
            assert!(Instant::now() < end, "{suite} {what}: {lines:#?}");
            sleep(Duration::from_millis(300));
        }
    };
    let is = |event: &'static str, subject: &'static str| {
        move |record: &Value| record["event"] == event && record["subject"] == subject
    };
    let agent = |words: &str| told(&host, "dev", &format!("cd /tmp && {HEALTH} agent {words}"));

    // A crash is told though the monitor has not looked since the start, and systemd restarts it.
    assert_eq!(agent("crasher --restart-delay 1s -- sleep 1000").0, 0);
    host.shell("systemctl --user kill -s SEGV claw-agent-crasher");
    let crash = wait_for("crash", 5, &is("crash", "unit:user/claw-agent-crasher.service"));
    assert_eq!(
        (&crash["data"]["cause"], &crash["data"]["signal"]),
        (&"signal".into(), &"SIGSEGV".into())
    );
    host.shell("until systemctl --user is-active -q claw-agent-crasher; do sleep 0.2; done");

    // The start limit of one that never runs for long.
    agent("doomed --restart-delay 100ms --start-limit 3/1m -- sh -c 'sleep 0.1; exit 3'");
    let limit = wait_for("start limit", 10, &|record: &Value| {
        record["subject"] == "unit:user/claw-agent-doomed.service"
            && record["data"]["cause"] == "start-limit"
    });
    let remedy = limit["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("systemctl --user -M dev@ start claw-agent-doomed.service"),
        "{remedy}"
    );
    assert!(!remedy.contains("reset-failed"), "{remedy}");
    // It is no longer tried once the limit of claw-heal is used up, and it is still there to be started.
    wait_for("restart of the doomed", 30, &is("restart", "unit:user/claw-agent-doomed.service"));
    let state = "systemctl --user show -P ActiveState claw-agent-doomed";
    assert!(["failed\n", "activating\n", "active\n"].contains(&host.shell(state).as_str()));
    assert_eq!(agent("doomed --stop").0, 0);

    // One that runs and does nothing, by a check of its own that is run outside the monitor's walls.
    let start = "hanging --restart-delay 1s --check 'id -un >/tmp/who; touch ~/check-was-here && test -e /tmp/well' -- sleep 1000";
    host.shell("touch /tmp/well");
    assert_eq!(agent(start).0, 0);
    sleep(Duration::from_secs(6));
    let pid = host.shell("systemctl --user show -P MainPID claw-agent-hanging");
    host.shell("rm /tmp/well");
    let hung = wait_for("hang", 15, &|record: &Value| {
        record["subject"] == "agent:hanging" && record["data"]["state"] == "hung"
    });
    assert_eq!(hung["severity"], "CRITICAL");
    assert_eq!(hung["data"]["unit"], "user/claw-agent-hanging.service");
    wait_for("crash of a hang", 5, &|record: &Value| {
        record["event"] == "crash" && record["data"]["cause"] == "hang"
    });
    let restart = wait_for("healing", 60, &is("restart", "unit:user/claw-agent-hanging.service"));
    assert_eq!(
        (&restart["data"]["act"], &restart["data"]["cause"]),
        (&"abort".into(), &"hang".into())
    );
    host.shell("touch /tmp/well; until systemctl --user is-active -q claw-agent-hanging; do sleep 0.2; done");
    wait_for("recovery", 60, &is("recovery", "unit:user/claw-agent-hanging.service"));
    assert_ne!(host.shell("systemctl --user show -P MainPID claw-agent-hanging"), pid);
    assert_eq!(host.shell("cat /tmp/who"), "dev\n");

    // What a person stops stays stopped, by either way.
    assert_eq!(agent("hanging --stop").0, 0);
    host.shell("systemctl --user stop claw-agent-crasher");
    let count = records().iter().filter(|record| record["event"] == "restart").count();
    sleep(Duration::from_secs(15));
    assert_eq!(host.shell("systemctl --user list-units --no-legend 'claw-agent-*'"), "");
    assert_eq!(records().iter().filter(|record| record["event"] == "restart").count(), count);

    // After a reboot there is what was to persist, and its check is asked.
    assert_eq!(agent("gone -- sleep 1000").0, 0);
    assert_eq!(agent("kept --persist --check 'test -e /var/tmp/well' -- sleep 1000").0, 0);
    host.shell("touch /var/tmp/well");
    host.reboot();
    await_manager(&host);
    host.shell("until systemctl --user is-active -q claw-agent-kept; do sleep 0.2; done");
    let agents = host.attempt("dev", &[HEALTH, "agent"]).stdout;
    assert!(agents.contains("agent:kept") && agents.lines().count() == 1, "{agents}");
    sleep(Duration::from_secs(5));
    host.shell("rm /var/tmp/well");
    wait_for("a hang after the reboot", 20, &|record: &Value| {
        record["subject"] == "agent:kept" && record["data"]["state"] == "hung"
    });
    assert_eq!(agent("kept --stop").0, 0);
    assert_eq!(
        host.shell("ls -A ~/.config/systemd/user ~/.config/systemd/user/*.wants"),
        "/home/dev/.config/systemd/user:\ndefault.target.wants\n\n/home/dev/.config/systemd/user/default.target.wants:\n"
    );
}

#[test]
fn m7_an_agent_is_started_as_it_was_typed_on_trixie() {
    words_stay_what_they_are("trixie");
}

#[test]
fn m7_an_agent_is_started_as_it_was_typed_on_bookworm() {
    words_stay_what_they_are("bookworm");
}

#[test]
fn m7_agents_of_two_users_are_kept_apart_on_trixie() {
    users_are_kept_apart("trixie");
}

#[test]
fn m7_agents_of_two_users_are_kept_apart_on_bookworm() {
    users_are_kept_apart("bookworm");
}

#[test]
fn m7_crashes_hangs_stops_and_reboots_of_agents_on_trixie() {
    crashes_hangs_and_reboots("trixie");
}

#[test]
fn m7_crashes_hangs_stops_and_reboots_of_agents_on_bookworm() {
    crashes_hangs_and_reboots("bookworm");
}

/// A manager that does not say which agents there are has not said that they are well.
const UNASKED: &str = "cd /; runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 \
    /opt/bind/claw-health agent bad --check 'exit 2' -- sleep 1000 >/dev/null || [ $? = 1 ]; \
    systemd-run -q -u watch -p StandardOutput=append:/run/told -p Environment=CLAW_AGENT_GRACE=1 \
    /opt/bind/claw-health --user dev --only agent --watch 1s --confirm 1 --timeout 2 --format json; \
    for try in $(seq 60); do grep -qs '\"state\":\"hung\"' /run/told && break; sleep 0.5; done; \
    manager=$(systemctl show -P MainPID user@1000); kill -STOP $manager; \
    for try in $(seq 60); do grep -qs unknown /run/told && break; sleep 0.5; done; sleep 5; \
    kill -CONT $manager; cat /run/told";

#[test]
fn m7_an_agent_that_nobody_can_be_asked_about_is_unknown() {
    for suite in ["trixie", "bookworm"] {
        let Some(host) = boot(suite, "agent-unasked") else { return };
        let told = host.run("root", &["bash", "-euc", UNASKED]);
        let records = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_it = records.filter(|record| record["subject"] == "agent:bad");
        let statuses: Vec<_> = of_it.map(|record| record["status"].clone()).collect();
        assert_eq!(statuses.last(), Some(&"unknown".into()), "{told}");
        assert!(statuses.contains(&"fail".into()) && !statuses.contains(&"pass".into()), "{told}");
    }
}

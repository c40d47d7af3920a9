//! What people are told by the installed monitor, on hosts with a real systemd.
//!
//! Each suite boots a host of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

#![allow(clippy::panic, reason = "in a test, what is not there is the failure")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_tests::deploy::{deploy, deployed, host, on_both};
use claw_tests::testbed::Host;

/// Whom it tells: a person, a program that keeps what it is given, and the log of the day.
const SET_UP: &str = r#"
    printf '#!/bin/sh\ncat >>/run/told\necho >>/run/told\necho kept\n' >/usr/local/bin/keep
    chmod 755 /usr/local/bin/keep
    systemd-run -q -u ntfy perl /opt/testbed/ntfy.pl
    runuser -u dev -- mkdir -p /home/dev/.openclaw/workspace/logs/agents
    mkdir -p /etc/claw
    printf '%s\n' CLAW_USER=dev CLAW_NOTIFY_TO=ntfy:ops CLAW_NTFY_URL=http://127.0.0.1:8090 \
        'CLAW_NOTIFY_ALSO="exec:/usr/local/bin/keep file:/home/dev/.openclaw/workspace/logs/agents"' \
        CLAW_NOTIFY_MIN=INFO CLAW_NOTIFY_WAIT=500ms >/etc/claw/claw.env"#;
const MAIN_PID: &str = "systemctl show -P MainPID openclaw-agent-monitor";
const LOG: &str = "cat /home/dev/.openclaw/workspace/logs/agents/health-*.log";

fn heard(host: &Host) -> String {
    host.shell_of("root", "cat /run/heard 2>/dev/null || :")
}

#[track_caller]
fn comes(host: &Host, words: &[&str]) {
    let end = Instant::now() + Duration::from_secs(45);
    loop {
        let heard = heard(host);
        if heard.lines().any(|line| words.iter().all(|word| line.contains(word))) {
            return;
        }
        if Instant::now() > end {
            let logs = host.shell_of("root", "journalctl -u openclaw-agent-monitor | tail -n 40");
            panic!("{words:?} was not told: {heard}{logs}");
        }
        sleep(Duration::from_millis(300));
    }
}

fn the_monitor_tells(suite: &str) {
    let Some(host) = host(suite, "notify", 0) else { return };
    host.shell_of("root", SET_UP);
    deployed(&host, &["install", "--user", "dev"]);

    // The first thing that is told is that it can be.
    comes(&host, &["INFO: notify:test", "all is well"]);
    let tree = format!("cd /proc; grep -h . $(pgrep -g \"$({MAIN_PID})\" | sed 's,$,/comm,')");
    let tools = host.shell_of("root", &tree);
    let mut tools: Vec<_> = tools.lines().collect();
    tools.sort_unstable();
    assert_eq!(tools, ["claw-heal", "claw-health", "claw-notify"], "no shell stays");

    // A crash is told, and written to the log of the day as its owner.
    host.shell("XDG_RUNTIME_DIR=/run/user/1000 systemctl --user kill -s KILL openclaw-gateway");
    comes(&host, &["CRITICAL: unit:user/openclaw-gateway.service", "SIGKILL"]);
    comes(&host, &["well again: unit:user/openclaw-gateway.service"]);
    let told = host.shell_of("root", "cat /run/told");
    assert!(
        told.contains("\"event\":\"crash\"") && told.contains("\"event\":\"recovery\""),
        "{told}"
    );
    let log = host.shell_of("root", LOG);
    assert!(log.contains("unit:user/openclaw-gateway.service"), "m5: {log}");
    let owner = host.shell_of("root", "stat -c %U /home/dev/.openclaw/workspace/logs/agents/*");
    assert_eq!(owner, "dev\n");

    // What a person does is no news, for a while that has an end.
    while host.health("root", &["gateway"])[0]["status"] != "pass" {
        sleep(Duration::from_millis(500));
    }
    sleep(Duration::from_secs(3));
    let before = heard(&host).lines().count();
    deployed(&host, &["stop", "gateway"]);
    let queue = host.shell_of("root", "claw-notify queue --format json 2>&1 || :");
    assert!(queue.contains("unit:user/openclaw-gateway.service ends at"), "{queue}");
    assert!(queue.contains("deploy stop"), "{queue}");
    host.shell_of("root", "systemctl restart openclaw-agent-monitor");
    sleep(Duration::from_secs(8));
    let after = heard(&host);
    let news: Vec<_> = after.lines().skip(before).filter(|line| line.contains("gateway")).collect();
    assert!(news.is_empty(), "{news:#?}");
    deployed(&host, &["start", "gateway"]);
    let queue = host.shell_of("root", "claw-notify queue --format json 2>&1 || :");
    assert!(!queue.contains("deploy stop"), "{queue}");

    the_gateways_command_gets_the_words_as_they_are(&host);

    // Whoever takes it out leaves nothing behind that was not told, and says so.
    host.shell_of("root", "systemctl stop ntfy");
    host.shell("XDG_RUNTIME_DIR=/run/user/1000 systemctl --user kill -s KILL openclaw-gateway");
    let waits = "claw-notify queue --format json | grep -q '\"event\":\"queue\"'";
    let end = Instant::now() + Duration::from_secs(30);
    while host.attempt("root", &["sh", "-c", waits]).status != 0 {
        assert!(Instant::now() < end, "nothing waits");
        sleep(Duration::from_millis(300));
    }
    let run = deploy(&host, "root", &["uninstall"]);
    assert!(
        run.stderr.contains("what was not told is kept in /var/lib/claw/notify"),
        "{}",
        run.stderr
    );
    host.run("root", &["test", "-e", "/var/lib/claw/notify/state"]);
}

/// It runs as its owner, by that user's manager, which puts nothing of its own into a text.
fn the_gateways_command_gets_the_words_as_they_are(host: &Host) {
    host.shell(
        r#"mkdir -p ~/bin
cat >~/bin/openclaw <<'END'
#!/bin/sh
printf '%s\n' "$@" >~/argv
echo '{"messageId":"7"}'
END
chmod 755 ~/bin/openclaw"#,
    );
    let words = r#"a $HOME ${PATH} $$ %h 100% \x "q""#;
    host.shell_of("root", &format!(
        "cat <<'END' | claw-notify --user dev --spool /run/spool --text --to openclaw:telegram/5\n{words}\nEND"
    ));
    let heard = host.shell_of("root", "cat /home/dev/argv; stat -c %U /home/dev/argv");
    assert!(heard.contains(&format!("\n{words}\n#1.1\ndev\n")), "{heard}");
    assert!(
        heard.starts_with("message\nsend\n--json\n--channel\ntelegram\n--target=5\n"),
        "{heard}"
    );
}

#[test]
fn n3_m5_the_monitor_tells_people() {
    on_both(the_monitor_tells);
}

/// Where nobody is named it says so once, and heals all the same.
#[test]
fn n3_a_monitor_that_tells_nobody_says_how_to() {
    let Some(host) = host("trixie", "notify-nobody", 0) else { return };
    deployed(&host, &["install", "--user", "dev"]);
    let logs = "journalctl -o cat -u openclaw-agent-monitor";
    let logs = host.shell_of("root", logs);
    let hints = logs.lines().filter(|line| line.contains("CLAW_NOTIFY_TO")).count();
    assert_eq!(hints, 1, "{logs}");
    let tools = host.shell_of("root", &format!("pgrep -g \"$({MAIN_PID})\" | wc -l"));
    assert_eq!(tools, "2\n");
}

//! The services of `deploy` on hosts with a real systemd: what runs, what stays stopped, what is told.
//!
//! Each suite boots hosts of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

use std::thread;
use std::time::Duration;

use claw_tests::deploy::{
    FILES, GATEWAY, MONITOR, WRITTEN, assert_same_files, await_states, deploy, deployed, host,
    nobody_is_logged_in, on_both, property, shell, states,
};
use claw_tests::testbed::Host;
use serde_json::Value;

#[test]
fn s3_both_services_run_after_a_reboot() {
    on_both(both_services_run_after_a_reboot);
}

fn both_services_run_after_a_reboot(suite: &str) {
    let Some(host) = host(suite, "install", 0) else { return };
    let before = shell(&host, FILES);
    let planned = deploy(&host, "root", &["install", "--user", "dev", "--dry-run"]);
    assert_eq!(planned.status, 1, "{}", planned.stderr);
    for words in [
        "$ loginctl enable-linger dev",
        "would put /usr/local/bin/claw-health",
        "would put /etc/systemd/system/openclaw-agent-monitor.service",
        "would run systemctl --user set-property --runtime openclaw-gateway.service MemoryMax=2G CPUQuota=80%",
        "would run systemctl --quiet enable openclaw-agent-monitor.service",
        "would run systemctl start openclaw-agent-monitor.service",
        "nothing was changed",
    ] {
        assert!(planned.stdout.contains(words), "{words}: {}", planned.stdout);
    }
    assert_same_files(&host, &before, "a dry run changes nothing");

    let said = deployed(&host, &["install", "--user", "dev"]);
    assert!(said.contains("the gateway is ready"), "{said}");
    assert_eq!(states(&host), ["active", "active"]);
    let installed = shell(&host, WRITTEN);
    let said = deployed(&host, &["install"]);
    assert!(said.contains("nothing to change"), "{said}");
    assert_eq!(shell(&host, WRITTEN), installed, "a second run changes nothing");

    s4_the_limits_are_in_force(&host);
    s4_the_units_hold_up(&host);
    what_hangs_within_the_walls_is_ended(&host);

    host.reboot();
    nobody_is_logged_in(&host);
    await_states(&host, ["active", "active"]);
    host.power_cut();
    await_states(&host, ["active", "active"]);
    nobody_is_logged_in(&host);
    // A boot is no trouble: the monitor looks once the user manager runs.
    let told = deployed(&host, &["logs", "-n", "200"]);
    let alarms =
        ["user manager of dev does not run", "there is no /run/user/1000", "is not active"];
    let alarm = told.lines().find(|line| alarms.iter().any(|alarm| line.contains(alarm)));
    assert_eq!(alarm, None);

    // The next moment its unit is written anew, as OpenClaw does after each update.
    host.run("dev", &["sh", "/opt/testbed/gateway.sh"]);
    host.shell("XDG_RUNTIME_DIR=/run/user/1000 systemctl --user daemon-reload");
    s4_the_limits_are_in_force(&host);
    let said = deployed(&host, &["uninstall"]);
    assert!(said.contains("remove /usr/local/bin/claw-health"), "{said}");
    assert_same_files(&host, &before, "all was taken out");
    assert_eq!(deployed(&host, &["uninstall"]), "nothing is installed\n");
}

fn s4_the_limits_are_in_force(host: &Host) {
    for (unit, name, expected) in [
        (GATEWAY, "MemoryMax", "2147483648"),
        (GATEWAY, "CPUQuotaPerSecUSec", "800ms"),
        (GATEWAY, "Restart", "always"),
        (GATEWAY, "RestartUSec", "10s"),
        (GATEWAY, "StartLimitBurst", "5"),
        (GATEWAY, "StartLimitIntervalUSec", "5min"),
        (GATEWAY, "WatchdogUSec", "0"),
        (
            GATEWAY,
            "DropInPaths",
            "/home/dev/.config/systemd/user/openclaw-gateway.service.d/claw.conf",
        ),
        (MONITOR, "MemoryMax", "536870912"),
        (MONITOR, "CPUQuotaPerSecUSec", "200ms"),
        (MONITOR, "Restart", "always"),
        (MONITOR, "RestartUSec", "5s"),
        (MONITOR, "WatchdogUSec", "1min"),
        (MONITOR, "UnitFileState", "enabled"),
    ] {
        assert_eq!(property(host, unit, name), expected, "{unit} {name}");
    }
}

fn s4_the_units_hold_up(host: &Host) {
    let verified = host.attempt(
        "root",
        &[
            "systemd-analyze",
            "verify",
            "--man=no",
            "/etc/systemd/system/openclaw-agent-monitor.service",
        ],
    );
    assert_eq!((verified.status, verified.stderr.as_str()), (0, ""));
    let verified = host.attempt(
        "dev",
        &[
            "systemd-analyze",
            "--user",
            "verify",
            "--man=no",
            ".config/systemd/user/openclaw-gateway.service",
        ],
    );
    assert_eq!((verified.status, verified.stderr.as_str()), (0, ""));
    let exposed = shell(
        host,
        "systemd-analyze security --threshold=30 --no-pager openclaw-agent-monitor >/dev/null; echo $?",
    );
    assert_eq!(exposed, "0", "the exposure is 3.0 at most");
    // Within its walls the monitor sees what root sees from without.
    let within = "sed -e 's/^Type=.*/Type=oneshot/; /^Watchdog/d; s/^Restart=.*/SuccessExitStatus=1/' \
        -e 's,^ExecStart=.*,ExecStart=/usr/local/bin/claw-health --format json --output /var/lib/claw/within,' \
        /etc/systemd/system/openclaw-agent-monitor.service >/run/systemd/system/within.service && \
        systemctl start within && cat /var/lib/claw/within && rm /var/lib/claw/within /run/systemd/system/within.service";
    let without = "systemd-run --quiet --wait --pipe -p SuccessExitStatus=1 /usr/local/bin/claw-health --user dev --format json";
    let [within, without] = [within, without].map(|look| {
        let records = shell(host, look);
        let seen = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("a record");
            format!("{} {}", record["subject"], record["status"])
        };
        records.lines().map(seen).filter(|seen| !seen.contains("run-")).collect::<Vec<_>>()
    });
    assert!(within.len() > 15, "{within:?}");
    assert_eq!(within, without);
}

/// A git that waits for ever, and was stopped besides, so that it heeds no other signal.
fn what_hangs_within_the_walls_is_ended(host: &Host) {
    host.shell(
        "git init --quiet ~/.openclaw/workspace && cd ~/.openclaw/workspace && rm .git/HEAD && \
         mkfifo .git/HEAD",
    );
    let stopped = shell(
        host,
        "systemctl restart --no-block openclaw-agent-monitor; for try in $(seq 100); do \
         pkill -STOP -u dev -x git && break; sleep 0.05; done; ps -o stat= -C git",
    );
    assert!(stopped.starts_with('T'), "{stopped}");
    let monitor = property(host, MONITOR, "MainPID");
    let left = shell(
        host,
        "for try in $(seq 100); do pgrep -x git >/dev/null || break; sleep 0.1; done; pgrep -x git",
    );
    assert_eq!(left, "");
    // It is active once it has looked at everything.
    await_states(host, ["active", "active"]);
    assert_eq!(property(host, MONITOR, "MainPID"), monitor, "the monitor ended it, and went on");
    host.shell("rm -r ~/.openclaw/workspace");
}

#[test]
fn d3_what_a_person_stopped_stays_stopped() {
    on_both(what_a_person_stopped_stays_stopped);
}

fn what_a_person_stopped_stays_stopped(suite: &str) {
    let Some(host) = host(suite, "stop", 12) else { return };
    deployed(&host, &["install", "--user", "dev"]);
    let said = deploy(&host, "root", &["stop"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains("stopping the gateway, which may take 5min 30s: 10 s"),
        "{}",
        said.stderr
    );
    assert!(said.stdout.contains("stopped the gateway: it stays so"), "{}", said.stdout);
    assert_eq!(states(&host), ["inactive", "inactive"]);
    assert_eq!(property(&host, GATEWAY, "Result"), "success", "it was not killed");

    let records = host.health("root", &["gateway", "unit:user/openclaw-gateway.service"]);
    let loud = records.iter().filter(|record| record["severity"] == "CRITICAL").count();
    assert_eq!(loud, 0, "it is not cried over: {records:?}");
    // Ten minutes of looks, one every thirty seconds.
    for _ in 0..20 {
        host.attempt("root", &["/usr/local/bin/claw-health", "--user", "dev"]);
    }
    assert_eq!(states(&host), ["inactive", "inactive"]);
    let again = deploy(&host, "root", &["install"]);
    assert!(
        again.stderr.contains("the gateway was stopped by a person and stays so"),
        "{}",
        again.stderr
    );
    assert_eq!(states(&host), ["inactive", "inactive"]);
    host.reboot();
    await_states(&host, ["inactive", "inactive"]);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(states(&host), ["inactive", "inactive"]);

    deployed(&host, &["start", "gateway"]);
    assert_eq!(states(&host), ["active", "inactive"]);
    host.reboot();
    await_states(&host, ["active", "inactive"]);
    let restarted = deploy(&host, "root", &["restart"]);
    assert_eq!(restarted.status, 0, "{}", restarted.stderr);
    assert!(
        restarted
            .stdout
            .contains("restarted the gateway\nrestarted the monitor\nthe gateway is ready\n")
    );
    assert_eq!(states(&host), ["active", "active"]);
}

#[test]
fn s7_start_gets_past_a_start_limit_and_says_what_a_gateway_refuses() {
    on_both(start_gets_past_a_start_limit_and_says_what_a_gateway_refuses);
}

fn start_gets_past_a_start_limit_and_says_what_a_gateway_refuses(suite: &str) {
    let Some(host) = host(suite, "limit", 0) else { return };
    deployed(&host, &["install", "--user", "dev"]);
    // It cannot start: its program has gone.
    host.shell("cd ~/.openclaw && mv gateway.pl away.pl");
    host.shell(
        "printf '[Service]\\nRestartSec=100ms\\n' >~/.config/systemd/user/openclaw-gateway.service.d/z.conf; \
         export XDG_RUNTIME_DIR=/run/user/1000; systemctl --user daemon-reload; systemctl --user restart openclaw-gateway",
    );
    await_states(&host, ["failed", "active"]);
    let tried = deploy(&host, "root", &["start", "gateway"]);
    assert_eq!(tried.status, 1, "{}", tried.stderr);
    assert!(tried.stdout.contains("unit:user/openclaw-gateway.service"), "{}", tried.stdout);
    await_states(&host, ["failed", "active"]);
    host.shell("cd ~/.openclaw && mv away.pl gateway.pl");
    let said = deployed(&host, &["start", "gateway"]);
    assert_eq!(said, "started the gateway\nthe gateway is ready\n");

    // Exit 78 is a matter of the configuration: it says so, and is not restarted.
    host.shell("echo 'exit 78;' >~/.openclaw/gateway.pl");
    let tried = deploy(&host, "root", &["restart", "gateway"]);
    assert_eq!(tried.status, 1, "{}", tried.stderr);
    assert!(tried.stdout.contains("78"), "{}", tried.stdout);
    assert_eq!(property(&host, GATEWAY, "NRestarts"), "0");
}

#[test]
fn d6_logs_are_in_the_order_of_time() {
    on_both(logs_are_in_the_order_of_time);
}

fn logs_are_in_the_order_of_time(suite: &str) {
    let Some(host) = host(suite, "logs", 0) else { return };
    deployed(&host, &["install", "--user", "dev"]);
    host.shell("XDG_RUNTIME_DIR=/run/user/1000 systemd-cat echo not-of-a-service");
    let said = deployed(&host, &["logs"]);
    let stamps: Vec<_> = said.lines().map(|line| &line[..20]).collect();
    assert!(stamps.is_sorted(), "{said}");
    for source in [" gateway systemd[", " monitor systemd[", " monitor openclaw-agent-monitor["] {
        assert!(said.contains(source), "{source}: {said}");
    }
    assert!(!said.contains("not-of-a-service"), "{said}");
    let said = deployed(&host, &["logs", "-n", "1"]);
    assert_eq!(said.lines().count(), 2, "{said}");
    // What comes while it follows is told too, and it ends when it is told to.
    let followed = shell(
        &host,
        "timeout 8 /opt/claw/scripts/deploy logs -n 3 -f >/tmp/followed & sleep 3; \
         systemctl restart openclaw-agent-monitor; wait; cat /tmp/followed; for try in $(seq 50); do \
         pgrep -ax journalctl | grep -q -- --follow || break; sleep 0.1; done; \
         pgrep -ax journalctl | grep -- --follow",
    );
    assert!(followed.contains("monitor systemd[1]: Stopped openclaw-agent-monitor"), "{followed}");
    assert!(followed.lines().all(|line| line.starts_with("20")), "nothing runs on: {followed}");
    // Whoever may not read the journal of the system is told so.
    let said = deploy(&host, "dev", &["logs"]);
    assert_eq!(said.status, 2);
    assert!(
        said.stderr.contains(
            "cannot read the monitor's journal as dev: sudo /opt/claw/scripts/deploy logs"
        )
    );
    assert!(said.stdout.contains(" gateway "), "{}", said.stdout);
}

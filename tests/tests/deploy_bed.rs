//! The verbs of `deploy` on hosts with a real systemd, from install to uninstall.
//!
//! Each suite boots hosts of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use claw_tests::Run;
use claw_tests::testbed::Host;
use serde_json::Value;

const GATEWAY: &str = "openclaw-gateway.service";
const MONITOR: &str = "openclaw-agent-monitor.service";

/// What is there, with what it holds; not what the box itself writes all the time.
const FILES: &str = "find /etc /usr /home /root /var/lib -xdev -not -path '/var/lib/systemd/timers*' \
    -not -path '/var/lib/claw/health*' -printf '%p %y %m %u %l\\n' | sort; \
    find /etc /usr/local /home /root -xdev -type f -exec sha256sum {} + | sort";

/// Which files these are, and when they were written.
const WRITTEN: &str = "find /etc /usr/local /home /var/lib/claw -xdev -not -path '/var/lib/claw/health*' \
    -printf '%p %i %T@\\n' | sort";

/// On both versions of systemd, side by side.
fn on_both(claim: fn(&str)) {
    thread::scope(|scope| {
        for suite in ["trixie", "bookworm"] {
            scope.spawn(move || claim(suite));
        }
    });
}

/// A host with the project on /opt/claw, and a gateway of dev that takes so long to stop.
fn host(suite: &str, purpose: &str, stops_after_seconds: u32) -> Option<Host> {
    let host = Host::boot(suite, purpose, &[])?;
    host.copy_project();
    let seconds = stops_after_seconds.to_string();
    host.run("dev", &["sh", "/opt/testbed/gateway.sh", &seconds]);
    Some(host)
}

fn assert_same_files(host: &Host, before: &str, claim: &str) {
    let now = shell(host, FILES);
    let only = |these: &str, those: &str| {
        let those: HashSet<_> = those.lines().collect();
        these.lines().filter(|line| !those.contains(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    let (gone, new) = (only(before, &now), only(&now, before));
    assert!(gone.is_empty() && new.is_empty(), "{claim}: gone: {gone:#?}, new: {new:#?}");
}

fn deploy(host: &Host, user: &str, arguments: &[&str]) -> Run {
    host.attempt(user, &[&["/opt/claw/scripts/deploy"], arguments].concat())
}

/// Runs a verb that has to end well.
fn deployed(host: &Host, arguments: &[&str]) -> String {
    let run = deploy(host, "root", arguments);
    assert_eq!(run.status, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
    run.stdout
}

fn shell(host: &Host, lines: &str) -> String {
    host.attempt("root", &["sh", "-c", lines]).stdout.trim().to_owned()
}

/// A property of a service, as its manager has it; asking starts nothing.
fn property(host: &Host, unit: &str, name: &str) -> String {
    let control = if unit == MONITOR {
        "systemctl"
    } else {
        "setpriv --reuid dev --regid dev --init-groups env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user"
    };
    shell(host, &format!("{control} show -p {name} --value {unit}"))
}

fn states(host: &Host) -> [String; 2] {
    [GATEWAY, MONITOR].map(|unit| property(host, unit, "ActiveState"))
}

/// Waits until both services are in these states; what they are in the end.
fn await_states(host: &Host, expected: [&str; 2]) {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        if states(host) == expected {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(states(host), expected, "{}", shell(host, "journalctl -n 40 --no-pager"));
}

fn nobody_is_logged_in(host: &Host) {
    // A lingering user's manager counts as a session from systemd 256 on.
    let sessions = shell(host, "loginctl list-sessions --no-legend | grep -v manager");
    assert_eq!(sessions, "");
}

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

#[test]
fn d1_a_missing_right_is_named_and_nothing_is_written_over() {
    on_both(a_missing_right_is_named_and_nothing_is_written_over);
}

fn a_missing_right_is_named_and_nothing_is_written_over(suite: &str) {
    let Some(host) = host(suite, "rights", 0) else { return };
    let before = shell(&host, FILES);
    for (user, prepare, arguments, words) in [
        (
            "dev",
            "true",
            ["install", "--prefix", "/usr/local"].as_slice(),
            "the right is missing: sudo /opt/claw/scripts/deploy install --user dev",
        ),
        ("dev", "true", &["install", "--user", "root"], "only root acts for another user"),
        ("root", "true", &["install", "--user", "nobody-here"], "nobody-here"),
        ("root", "true", &["install", "--prefix", "relative"], "it has to begin with /"),
        (
            "root",
            "true",
            &["install", "--prefix", "/home/dev/x"],
            "belongs to 'dev', who could lead root elsewhere",
        ),
        (
            "root",
            "true",
            &["install", "now"],
            "install takes --dry-run, --prefix DIR and --user NAME, not 'now'",
        ),
        (
            "root",
            "true",
            &["start", "everything"],
            "there is no service 'everything': it is gateway or monitor",
        ),
        (
            "root",
            "true",
            &["start", "gateway", "--user", "dev"],
            "the user manager of dev does not run (no linger, nobody logged in): /opt/claw/target/host/release/claw-linger-setup --apply --user dev",
        ),
        (
            "root",
            "true",
            &["start", "monitor", "--user", "dev"],
            "there is no openclaw-agent-monitor.service: /opt/claw/scripts/deploy install --user dev",
        ),
        (
            "root",
            "echo 'not ours' >/usr/local/bin/deploy",
            &["install", "--user", "dev"],
            "cannot write '/usr/local/bin/deploy': it is there already, and install did not put it there",
        ),
        (
            "root",
            "rm /usr/local/bin/deploy; mount --bind /etc /etc && mount -o remount,bind,ro /etc",
            &["install", "--user", "dev"],
            "is read-only",
        ),
    ] {
        shell(&host, prepare);
        let run = deploy(&host, user, arguments);
        assert_eq!(run.status, 2, "{arguments:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "one clear line: {}", run.stderr);
    }
    // With a read-only /etc the monitor can be stopped, but not kept from starting at boot.
    shell(&host, "umount /etc");
    deployed(&host, &["install", "--user", "dev"]);
    shell(&host, "mount --bind /etc /etc && mount -o remount,bind,ro /etc");
    let run = deploy(&host, "root", &["stop", "monitor"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    assert!(
        run.stderr.contains("cannot keep the monitor from starting at boot: "),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("Read-only file system"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "one clear line: {}", run.stderr);
    shell(&host, "umount /etc");
    deployed(&host, &["uninstall"]);
    assert_same_files(&host, &before, "nothing was changed");

    // As the user itself, what rights allow: all but the monitor.
    shell(&host, "loginctl enable-linger dev");
    let run = deploy(&host, "dev", &["install"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    assert!(run.stderr.contains(
        "the monitor is a service of the system: sudo scripts/deploy install --user dev"
    ));
    assert!(run.stdout.contains("the gateway is ready"), "{}{}", run.stdout, run.stderr);
    assert_eq!(property(&host, GATEWAY, "MemoryMax"), "2147483648");
    let run = host.attempt("dev", &[".local/bin/deploy", "uninstall"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    shell(&host, "loginctl disable-linger dev");
    assert_same_files(&host, &before, "all was taken out");
}

#[test]
fn d1_what_stands_in_its_way_is_told_and_nothing_hangs() {
    on_both(what_stands_in_its_way_is_told_and_nothing_hangs);
}

fn what_stands_in_its_way_is_told_and_nothing_hangs(suite: &str) {
    let Some(host) = host(suite, "odd", 0) else { return };
    let before = shell(&host, FILES);
    let refused = |arguments: &[&str], words: &str| {
        let run = deploy(&host, "root", arguments);
        assert_eq!(run.status, 2, "{arguments:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    };
    // A pipe that nobody writes to, in the place of the drop-in.
    let drop_in = "~/.config/systemd/user/openclaw-gateway.service.d";
    host.shell(&format!("mkdir {drop_in} && mkfifo {drop_in}/claw.conf"));
    refused(&["install", "--user", "dev"], "it is no regular file");
    host.shell(&format!("rm -r {drop_in}"));
    shell(&host, "mkdir /etc/claw && echo CLAW_GATEWAY_UNIT=../../foo.service >/etc/claw/claw.env");
    refused(&["install", "--user", "dev"], "'../../foo.service' is no name of a service");
    shell(
        &host,
        "echo CLAW_MONITOR_UNIT=cron.service >/etc/claw/claw.env; echo CLAW_USER=dev >>/etc/claw/claw.env",
    );
    refused(&["install", "--user", "dev"], "that is a service of the box");
    shell(
        &host,
        "echo CLAW_GATEWAY_MEMORY_MAX=1 >/etc/claw/claw.env; echo CLAW_USER=dev >>/etc/claw/claw.env",
    );
    refused(&["install", "--user", "dev"], "which is no size for a gateway");
    shell(&host, "rm -r /etc/claw");
    assert_same_files(&host, &before, "nothing was changed");

    // Whatever the mask, nobody else writes what limits the gateway.
    let masked = shell(
        &host,
        "umask 000; /opt/claw/scripts/deploy install --user dev >/dev/null 2>&1; echo $?",
    );
    assert_eq!(masked, "0");
    let open = shell(
        &host,
        "find /home/dev/.config /etc/claw /usr/local -newer /etc/hostname -perm /022 ! -type l",
    );
    assert_eq!(open, "");
    shell(&host, "useradd -m bob");
    refused(
        &["uninstall", "--user", "bob"],
        "cannot uninstall for 'bob': it is installed for 'dev'",
    );
    refused(&["install", "--user", "bob"], "it is installed with 'dev'");
    refused(
        &["install", "--user", "dev", "--prefix", "/opt/other"],
        "it is installed with '/usr/local'",
    );
    // Without its manager the gateway can be kept from starting all the same.
    shell(
        &host,
        "userdel -r bob 2>/dev/null; loginctl disable-linger dev; systemctl stop user@1000",
    );
    let said = deployed(&host, &["stop", "gateway"]);
    assert!(
        said.contains("the gateway does not run, as the user manager of dev does not; it stays so"),
        "{said}"
    );
    shell(&host, "loginctl enable-linger dev; systemctl start user@1000");
    assert_eq!(property(&host, GATEWAY, "ActiveState"), "inactive");
    deployed(&host, &["start", "gateway"]);
    // Its user is removed, and what is installed can still be taken out.
    shell(
        &host,
        "loginctl terminate-user dev; systemctl stop user@1000; sleep 1; userdel -rf dev 2>/dev/null",
    );
    let said = deploy(&host, "root", &["uninstall"]);
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("dev is no more"), "{}", said.stderr);
    let left = shell(
        &host,
        "ls -d /usr/local/bin/claw-* /etc/claw /var/lib/claw /var/lib/systemd/linger/dev 2>/dev/null",
    );
    assert_eq!(left, "");
}

#[test]
fn d1_root_installs_for_root() {
    on_both(root_installs_for_root);
}

fn root_installs_for_root(suite: &str) {
    let Some(host) = Host::boot(suite, "root", &[]) else { return };
    host.copy_project();
    shell(&host, "HOME=/root sh /opt/testbed/gateway.sh");
    let before = shell(&host, FILES);
    let said = deployed(&host, &["install"]);
    assert!(said.contains("the gateway is ready"), "{said}");
    host.reboot();
    let actives = || {
        let units =
            ["unit:user/openclaw-gateway.service", "unit:system/openclaw-agent-monitor.service"];
        let health = host.tool("root", "claw-health", &[&["--user", "root"], &units[..]].concat());
        let states =
            health.records().iter().map(|record| record["data"]["state"].to_string()).collect();
        let states: Vec<String> = states;
        states
    };
    for _ in 0..50 {
        if actives() == ["\"active\"", "\"active\""] {
            break;
        }
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(actives(), ["\"active\"", "\"active\""]);
    nobody_is_logged_in(&host);
    deployed(&host, &["stop"]);
    assert_eq!(actives(), ["\"stopped\"", "\"stopped\""]);
    deployed(&host, &["start"]);
    deployed(&host, &["uninstall"]);
    assert_same_files(&host, &before, "all was taken out");
}

#[test]
fn d1_an_interrupted_install_is_completed_by_the_next() {
    on_both(an_interrupted_install_is_completed_by_the_next);
}

fn an_interrupted_install_is_completed_by_the_next(suite: &str) {
    let Some(host) = host(suite, "killed", 0) else { return };
    let run = host.attempt("root", &["bash", "/opt/testbed/interrupted.sh", "4"]);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
}

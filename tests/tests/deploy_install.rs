//! `deploy install` on hosts with a real systemd where something stands in its way.
//!
//! Each suite boots hosts of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

use std::thread;
use std::time::Duration;

use claw_tests::deploy::{
    FILES, GATEWAY, assert_same_files, deploy, deployed, host, nobody_is_logged_in, on_both,
    property, shell,
};
use claw_tests::testbed::Host;

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

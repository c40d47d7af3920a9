//! claw-linger-setup under a real systemd: from a user whose services die to one whose live.
//!
//! Each test boots hosts of its own with `scripts/testbed`; where there can be none, it says so and
//! passes.

use claw_tests::Run;
use claw_tests::testbed::Host;
use serde_json::Value;

const TOOL: &str = "claw-linger-setup";
const SUITES: [&str; 2] = ["trixie", "bookworm"];

fn for_dev(host: &Host, arguments: &[&str]) -> Run {
    host.tool("root", TOOL, &[&["--user", "dev"], arguments].concat())
}

fn root(host: &Host, lines: &str) -> String {
    host.shell_of("root", lines)
}

/// `status subject`, and `*` where something was done.
fn steps(run: &Run) -> Vec<String> {
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    run.records()
        .iter()
        .map(|record| {
            let done = if record["data"]["changed"] == true { "*" } else { "" };
            format!("{}{done} {}", text(record, "status"), text(record, "subject"))
        })
        .collect()
}

/// The five steps for dev, each with this word before it.
fn all(words: [&str; 5]) -> Vec<String> {
    let subjects = [
        "linger:dev",
        "user-manager:dev",
        "runtime-dir:/run/user/1000",
        "bus:dev",
        "environment:/home/dev/.bashrc",
    ];
    words.iter().zip(subjects).map(|(word, subject)| format!("{word} {subject}")).collect()
}

fn expect(run: &Run, status: i32, expected: &[String], what: &str) {
    assert_eq!(steps(run), expected, "{what}: {}{}", run.stdout, run.stderr);
    assert_eq!(run.status, status, "{what}: {}", run.stderr);
}

/// The remedy of the step about this.
fn remedy(run: &Run, subject: &str) -> String {
    let records = run.records();
    let found = records.iter().find(|record| record["subject"] == subject);
    found.and_then(|record| record["remedy"].as_str()).unwrap_or_default().to_owned()
}

const SERVICE: &str = "\
units=/home/dev/.config/systemd/user
install -d -o dev -g dev /home/dev/.config{,/systemd,/systemd/user,/systemd/user/default.target.wants}
printf '[Service]\\nExecStart=/bin/sh -c \"cat /proc/sys/kernel/random/boot_id >~/started; exec sleep inf\"\\n\
[Install]\\nWantedBy=default.target\\n' >$units/mine.service
ln -s ../mine.service $units/default.target.wants/mine.service
chown -Rh dev:dev $units
";

/// Waits for dev's own service, which has to be one of this boot, with nobody logged in.
const RUNS_ALONE: &str = "\
for ((i = 0; i < 100; i++)); do
  if [ \"$(cat /home/dev/started)\" = \"$(cat /proc/sys/kernel/random/boot_id)\" ]; then break; fi; sleep 0.1
done
[ \"$(cat /home/dev/started)\" = \"$(cat /proc/sys/kernel/random/boot_id)\" ]
pgrep -u dev -x sleep >/dev/null
for session in $(loginctl list-sessions --no-legend | awk '$2 == 1000 { print $1 }'); do
  loginctl show-session \"$session\" -p Class --value
done
";

#[test]
fn s3_a_user_whose_services_die_gets_one_whose_services_live_and_back() {
    for suite in SUITES {
        let Some(host) = Host::boot(suite, "linger", &[]) else { return };
        root(&host, SERVICE);
        root(&host, "cp -a /home/dev /root/before");
        let changes = all(["warn"; 5]);
        expect(&for_dev(&host, &[]), 1, &changes, "check");
        let plan = for_dev(&host, &["--dry-run"]);
        expect(&plan, 1, &changes, "dry run");
        let data = plan.records();
        assert_eq!(data[0]["data"]["commands"][0], "loginctl enable-linger dev");
        assert_eq!(data[4]["data"]["lines"][0], "# >>> claw-linger-setup >>>");
        assert_eq!(root(&host, "diff -r /home/dev /root/before; ls /var/lib/systemd/linger"), "");
        expect(&for_dev(&host, &["--apply"]), 0, &all(["pass*"; 5]), "apply");
        let good = all(["pass"; 5]);
        expect(&for_dev(&host, &[]), 0, &good, "check after apply");
        let ino = "stat -c %i:%Y /home/dev/.bashrc";
        let before = root(&host, ino);
        expect(&for_dev(&host, &["--apply"]), 0, &good, "a second apply");
        assert_eq!(root(&host, ino), before);
        // The user sees the same, and whoever comes by root's `su` finds the manager.
        expect(&host.tool("dev", TOOL, &[]), 0, &good, "check by dev");
        let su = "XDG_RUNTIME_DIR=/run/user/0 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus \
                  HOME=/home/dev setpriv --reuid 1000 --regid 1000 --init-groups \
                  bash -ic 'systemctl --user is-active default.target' 2>/dev/null";
        assert_eq!(root(&host, su), "active\n");
        host.reboot();
        assert_eq!(root(&host, RUNS_ALONE).replace("manager\n", ""), "", "{suite}: reboot");
        host.power_cut();
        assert_eq!(root(&host, RUNS_ALONE).replace("manager\n", ""), "", "{suite}: power cut");
        let taken = ["pass* environment:/home/dev/.bashrc", "pass* linger:dev"].map(str::to_owned);
        expect(&for_dev(&host, &["--remove"]), 0, &taken, "remove");
        let left = root(
            &host,
            "rm /home/dev/started; diff -r /home/dev /root/before
             ls -A /var/lib/systemd/linger; ls -A /var/lib/claw 2>/dev/null || true",
        );
        let empty = "";
        assert_eq!(left, empty, "{suite}: remove");
    }
}

#[test]
fn s6_a_runtime_folder_and_a_bus_that_somebody_has_broken_are_mended() {
    for suite in SUITES {
        let Some(host) = Host::boot(suite, "lingerbroken", &[]) else { return };
        root(&host, "mkdir -m 755 /run/user/1000");
        expect(&for_dev(&host, &["--apply"]), 0, &all(["pass*"; 5]), "made by hand, before linger");
        for (what, breaking, words) in [
            (
                "made by hand, the manager down",
                "systemctl stop user@1000 user-runtime-dir@1000; mkdir /run/user/1000; \
                 touch /run/user/1000/x",
                ["pass", "pass*", "pass*", "pass*", "pass"],
            ),
            (
                "unmounted below the manager",
                "umount -l /run/user/1000",
                ["pass", "pass", "pass*", "pass*", "pass"],
            ),
            ("open to all", "chmod 755 /run/user/1000", ["pass", "pass", "pass*", "pass", "pass"]),
            ("of root", "chown root /run/user/1000", ["pass", "pass", "pass*", "pass", "pass"]),
            ("without its bus", "rm /run/user/1000/bus", ["pass", "pass", "pass", "pass*", "pass"]),
        ] {
            root(&host, breaking);
            let checked = for_dev(&host, &[]);
            let warns = words.map(|word| if word == "pass*" { "warn" } else { word });
            expect(&checked, 1, &all(warns), what);
            expect(&for_dev(&host, &["--apply"]), 0, &all(words), what);
            expect(&for_dev(&host, &[]), 0, &all(["pass"; 5]), what);
        }
        // What it does not mend it names, with what does.
        root(&host, "rm /run/user/1000/systemd/private");
        let tried = for_dev(&host, &["--apply", "--timeout", "1"]);
        expect(&tried, 2, &all(["pass", "pass", "pass", "fail", "pass"]), "no private socket");
        assert_eq!(remedy(&tried, "bus:dev"), "systemctl restart user@1000.service");
        root(&host, &remedy(&tried, "bus:dev"));
        root(&host, "systemctl stop user@1000 user-runtime-dir@1000; touch /run/user/1000");
        let tried = for_dev(&host, &["--apply"]);
        expect(&tried, 2, &all(["pass", "fail", "fail", "fail", "pass"]), "a file in its place");
        root(&host, &remedy(&tried, "runtime-dir:/run/user/1000"));
        expect(&for_dev(&host, &[]), 0, &all(["pass"; 5]), "the remedy");
        // Without the package there is no session bus, and that is enough.
        root(&host, "dpkg --purge --force-depends dbus-user-session >/dev/null 2>&1");
        host.reboot();
        expect(&for_dev(&host, &[]), 0, &all(["pass"; 5]), "no session bus");
        let message = &for_dev(&host, &[]).records()[3]["message"];
        assert!(message.as_str().unwrap_or_default().contains("dbus-user-session"), "{message}");
    }
}

#[test]
fn s6_a_user_without_rights_does_what_it_may_and_is_told_the_rest() {
    for suite in SUITES {
        let Some(host) = Host::boot(suite, "lingeruser", &[]) else { return };
        let other = host.tool("dev", TOOL, &["--user", "root"]);
        assert_eq!((other.status, &*other.stdout), (2, ""));
        let words =
            "claw-linger-setup: cannot look at 'root': only root can do that for somebody else\n";
        assert_eq!(other.stderr, words);
        // polkit lets nobody in.
        root(&host, "systemctl --quiet mask --now --runtime polkit.service 2>/dev/null");
        let denied = host.tool("dev", TOOL, &["--apply"]);
        let fails = all(["fail", "fail", "fail", "fail", "pass*"]);
        expect(&denied, 2, &fails, "denied");
        assert_eq!(remedy(&denied, "linger:dev"), "sudo loginctl enable-linger dev");
        assert_eq!(
            denied.stderr,
            "claw-linger-setup: cannot set up 'dev': 4 of 5 steps could not be done\n"
        );
        root(&host, "test -z \"$(ls /home/dev/.local/state/claw/linger-setup)\"");
        root(&host, "systemctl --quiet unmask --runtime polkit.service 2>/dev/null");
        // Debian's polkit lets everybody linger by themselves.
        let applied = host.tool("dev", TOOL, &["--apply"]);
        assert_eq!(applied.status, 0, "{suite}: {}{}", applied.stdout, applied.stderr);
        expect(&host.tool("dev", TOOL, &[]), 0, &all(["pass"; 5]), "after it");
        // Root did not turn it on, and leaves it.
        assert_eq!(for_dev(&host, &["--remove"]).status, 0);
        root(&host, "test -e /var/lib/systemd/linger/dev");
    }
}

#[test]
fn s6_root_follows_no_link_of_a_user_further_than_the_user_may_go() {
    let Some(host) = Host::boot("trixie", "lingerlinks", &[]) else { return };
    let environment = |link: &str, lines: &str| {
        root(&host, "rm -rf /home/dev/.bashrc; : >/etc/of-root");
        host.run("dev", &["sh", "-c", &format!("rm -f ~/.bashrc; {lines}")]);
        let before = root(&host, &format!("stat -Lc '%i %Y %s %u %a' {link}"));
        let run = for_dev(&host, &["--apply"]);
        let after = root(&host, &format!("stat -Lc '%i %Y %s %u %a' {link}"));
        assert_eq!(before, after, "{lines}");
        assert_eq!(run.status, 2);
        let record = run.records().pop().unwrap_or_default();
        format!("{} {}", record["status"], record["message"]).replace('"', "")
    };
    assert_eq!(
        environment("/etc/shadow", "ln -s /etc/shadow ~/.bashrc"),
        "fail cannot use '/home/dev/.bashrc': Permission denied"
    );
    assert_eq!(
        environment("/etc/of-root", "ln -s /etc/of-root ~/.bashrc"),
        "fail cannot change '/home/dev/.bashrc': it belongs to user id 0, and would become another's"
    );
    // A pipe that nobody writes to does not hold root.
    assert_eq!(
        environment("/etc/of-root", "mkfifo ~/.bashrc"),
        "fail cannot use '/home/dev/.bashrc': it is not a regular file"
    );
    root(
        &host,
        "rm /home/dev/.bashrc; ln -s /root /home/dev/.config; chown -h dev /home/dev/.config",
    );
    let planted = for_dev(&host, &["--prove", "--after-reboot"]);
    assert_eq!((planted.status, &*planted.stdout), (2, ""));
    assert!(planted.stderr.contains("Permission denied"), "{}", planted.stderr);
    root(&host, "test ! -e /root/systemd");
}

/// With dev's rights, nothing of an environment but a home, and what root's `su` may leave.
const AS_DEV: &str = "\
bare() { setpriv --reuid 1000 --regid 1000 --init-groups env -i PATH=\"$PATH\" HOME=/home/dev \"$@\"; }
su() { bare XDG_RUNTIME_DIR=/run/user/0 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus \"$@\"; }
show='echo $XDG_RUNTIME_DIR $DBUS_SESSION_BUS_ADDRESS'
";

#[test]
fn s6_each_shell_finds_the_manager_however_it_was_come_by() {
    let Some(host) = Host::boot("bookworm", "lingershell", &[]) else { return };
    let shell = |lines: &str| root(&host, &format!("{AS_DEV}{lines}"));
    let environment = |arguments: &[&str]| {
        let record = for_dev(&host, arguments).records().pop().unwrap_or_default();
        format!("{} {}", record["status"], record["subject"]).replace('"', "")
    };
    root(&host, "cp -a /home/dev /root/before");
    assert_eq!(environment(&["--apply"]), "pass environment:/home/dev/.bashrc");
    let found = "/run/user/1000 unix:path=/run/user/1000/bus\n";
    let other = "/run/user/1000 unix:path=/tmp/dbus-1\n";
    // One command over ssh: bash reads its file up to where nobody types, and prints nothing.
    assert_eq!(shell("bare SSH_CLIENT='192.0.2.1 1 22' bash -c \"$show\""), found);
    assert_eq!(shell("su bash -lc \"$show\""), found);
    assert_eq!(
        shell("bare DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/dbus-1 bash -lc \"$show\""),
        other
    );
    root(&host, "usermod -s /bin/dash dev");
    assert_eq!(environment(&[]), "warn environment:/home/dev/.profile");
    assert_eq!(environment(&["--apply"]), "pass environment:/home/dev/.profile");
    assert_eq!(shell("bare dash -lc \"$show\"; su dash -lc \"$show\""), found.repeat(2));
    // Without a session bus the one of somebody else is no help.
    root(&host, "mv /run/user/1000/bus /run/user/1000/away");
    assert_eq!(shell("su dash -lc \"$show\""), "/run/user/1000\n");
    root(&host, "mv /run/user/1000/away /run/user/1000/bus");
    root(&host, "usermod -s /usr/sbin/nologin dev");
    assert_eq!(environment(&[]), "pass environment:/usr/sbin/nologin");
    root(&host, "usermod -s /usr/bin/zsh dev 2>/dev/null");
    assert_eq!(environment(&["--apply"]), "pass environment:/home/dev/.zshenv");
    root(&host, "usermod -s /usr/bin/tcsh dev 2>/dev/null");
    assert_eq!(environment(&[]), "unknown environment:/usr/bin/tcsh");
    root(&host, "usermod -s /bin/bash dev; mv /home/dev /home/away");
    assert_eq!(environment(&[]), "unknown environment:/home/dev");
    root(&host, "mv /home/away /home/dev");
    // What nobody may change stays as it is, and what lets us is told.
    root(&host, "cp /root/before/.bashrc /home/dev/.bashrc; chattr +i /home/dev/.bashrc");
    let tried = for_dev(&host, &["--apply"]);
    assert_eq!(tried.status, 2, "{}", tried.stdout);
    let cure = remedy(&tried, "environment:/home/dev/.bashrc");
    assert_eq!(cure, "chattr -i '/home/dev/.bashrc'");
    root(&host, &cure);
    assert_eq!(environment(&["--apply"]), "pass environment:/home/dev/.bashrc");
    assert_eq!(for_dev(&host, &["--remove"]).status, 0);
    // A disk without room keeps what it has.
    root(
        &host,
        "mount -t tmpfs -o size=8k,uid=1000 none /mnt; cp -p /root/before/.bashrc /mnt; \
         cp /root/before/.profile /mnt; mount --bind /mnt /home/dev",
    );
    let tried = for_dev(&host, &["--apply"]);
    assert_eq!(tried.status, 2, "{}", tried.stdout);
    assert_eq!(remedy(&tried, "environment:/home/dev/.bashrc"), "df -h '/home/dev'");
    assert_eq!(
        root(&host, "cmp /home/dev/.bashrc /root/before/.bashrc; ls -A /home/dev"),
        ".bashrc\n.profile\n"
    );
    root(&host, "umount -l /home/dev /mnt");
    assert_eq!(root(&host, "diff -r /home/dev /root/before"), "");
}

#[test]
fn s6_root_and_an_image_without_a_running_systemd_are_set_up_too() {
    for suite in SUITES {
        let Some(host) = Host::boot(suite, "lingerroot", &[]) else { return };
        let for_root = |arguments: &[&str]| {
            host.tool("root", TOOL, &[&["--user", "root"], arguments].concat()).status
        };
        root(&host, "cp -a /root/.bashrc /before");
        assert_eq!(for_root(&[]), 1);
        assert_eq!(for_root(&["--apply"]), 0);
        assert_eq!(for_root(&[]), 0);
        root(&host, "test -S /run/user/0/bus; ! cmp -s /root/.bashrc /before");
        assert_eq!(for_root(&["--remove"]), 0);
        root(&host, "cmp /root/.bashrc /before; test ! -e /var/lib/systemd/linger/root");
        // As in a chroot: systemd is installed, and nothing of it runs.
        let image = |arguments: &str, status: i32| {
            let lines = format!(
                "set +e; unshare -m sh -c 'mount -t tmpfs none /run/systemd && \
                 exec /opt/bind/{TOOL} --user dev {arguments} >/dev/null'; echo $?"
            );
            assert_eq!(root(&host, &lines), format!("{status}\n"), "{suite}: {arguments}");
        };
        image("", 1);
        image("--apply", 0);
        image("", 0);
        let file =
            root(&host, "stat -c '%a %u %s' /var/lib/systemd/linger/dev; loginctl list-users");
        assert!(file.starts_with("644 0 0\n") && !file.contains("dev"), "{file}");
        host.reboot();
        expect(&for_dev(&host, &[]), 0, &all(["pass"; 5]), "the next boot");
        image("--remove", 0);
        let without = format!(
            "unshare -m sh -c 'mount -t tmpfs none /run/systemd && \
             mount -t tmpfs none /usr/lib/systemd && exec /opt/bind/{TOOL} 2>&1' || echo $?"
        );
        let words = "claw-linger-setup: cannot set up anything: this box has no systemd, which runs \
                     user services\n2\n";
        assert_eq!(root(&host, &without), words);
        root(&host, "test ! -e /var/lib/systemd/linger/dev");
    }
}

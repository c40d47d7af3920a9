//! Every way to become who asks, with and without linger, the variables, the session bus, and on two
//! versions of systemd: the right answer, and services that survive log-out and reboot.
//!
//! Each cell has a user of its own, so that one log-out and one reboot show them all.

use std::thread;
use std::time::Duration;

use claw_tests::Run;
use claw_tests::testbed::Host;

/// How somebody came to type the command.
#[derive(Clone, Debug)]
struct Cell {
    way: &'static str,
    /// Is it root who asks, for the user, and not the user?
    is_root: bool,
    variables: &'static str,
    user: String,
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for way in ["root", "sudo", "su", "su-l", "cron", "ssh"] {
        for is_root in [true, false] {
            for variables in ["set", "unset"] {
                if way != "root" || is_root {
                    let user = format!("cell{}", cells.len());
                    cells.push(Cell { way, is_root, variables, user });
                }
            }
        }
    }
    cells
}

impl Cell {
    fn runs(&self, host: &Host, arguments: &[&str]) -> Run {
        let caller = if self.is_root { "root" } else { &self.user };
        let script = ["bash", "/opt/testbed/caller.sh", self.way, caller, self.variables];
        let mut tool = vec!["/opt/bind/claw-linger-setup", "--format", "json"];
        if self.is_root {
            tool.extend(["--user", &self.user]);
        }
        host.attempt("root", &[&script, &tool[..], arguments].concat())
    }

    /// The subjects of the records that do not pass, or of all.
    fn told(&self, host: &Host, arguments: &[&str], all: bool) -> (i32, Vec<String>) {
        let run = self.runs(host, arguments);
        let records = run.records();
        let told = records.iter().filter(|record| all || record["status"] != "pass");
        let subjects = told.filter_map(|record| record["subject"].as_str()).map(str::to_owned);
        (run.status, subjects.collect())
    }

    /// The causes that are to be named: for the user's own shell also what it lacks.
    fn causes(&self, lingers: bool) -> Vec<&'static str> {
        let lacks = !self.is_root && self.variables == "unset";
        // These open no session, so without linger there is no manager that a variable could lead to.
        let manager_runs = lingers || !["sudo", "cron"].contains(&self.way);
        match (lacks && manager_runs, lingers) {
            (true, true) => vec!["cause:environment"],
            (true, false) => vec!["cause:environment", "cause:linger"],
            (false, true) => vec!["cause:none"],
            (false, false) => vec!["cause:linger"],
        }
    }
}

/// Is the unit of each user active? Asking opens no session.
fn actives(host: &Host, cells: &[Cell], unit: &str) -> Vec<String> {
    let ask = "for user; do uid=$(id -u \"$user\"); echo \"$user $(setpriv --reuid \"$user\" --regid \"$user\" \
        --init-groups env XDG_RUNTIME_DIR=/run/user/$uid systemctl --user is-active \"$unit\" 2>&1)\"; done";
    let users: Vec<_> = cells.iter().map(|cell| cell.user.as_str()).collect();
    let unit = format!("unit={unit}; {ask}");
    let run = host.attempt("root", &[&["sh", "-c", &unit, "ask"], &users[..]].concat());
    run.stdout.lines().map(str::to_owned).collect()
}

fn every_cell_is_told_right_and_survives(suite: &str, has_session_bus: bool) {
    let purpose = if has_session_bus { "matrix" } else { "matrix-nobus" };
    let Some(host) = Host::boot(suite, purpose, &[]) else { return };
    let cells = cells();
    let users: Vec<_> = cells.iter().map(|cell| cell.user.as_str()).collect();
    host.shell_of(
        "root",
        &format!(
            "for user in {}; do
                 useradd -m -s /bin/bash $user
                 units=/home/$user/.config/systemd/user
                 mkdir -p $units/default.target.wants
                 printf '[Service]\\nExecStart=sleep infinity\\n' >$units/boots.service
                 ln -s ../boots.service $units/default.target.wants/
                 chown -R $user:$user /home/$user/.config
             done
             mkdir -p /etc/systemd/logind.conf.d
             printf '[Login]\\nUserStopDelaySec=1\\n' >/etc/systemd/logind.conf.d/soon.conf",
            users.join(" ")
        ),
    );
    if !has_session_bus {
        host.shell_of("root", "dpkg --purge --force-depends dbus-user-session >/dev/null 2>&1");
    }
    host.reboot();

    let mut wrong = Vec::new();
    let mut expect = |cell: &Cell, what: &str, is: String, expected: String| {
        if is != expected {
            wrong.push(format!("{cell:?}, {what}: {is}, not {expected}"));
        }
    };
    for cell in &cells {
        let (status, told) = cell.told(&host, &["--check"], false);
        let linger = format!("linger:{}", cell.user);
        expect(cell, "check", format!("{status} {}", told.contains(&linger)), "1 true".into());
        let (status, causes) = cell.told(&host, &["--explain"], true);
        expect(
            cell,
            "explain",
            format!("{status} {causes:?}"),
            format!("1 {:?}", cell.causes(false)),
        );
        let applied = cell.runs(&host, &["--apply"]);
        expect(cell, "apply", format!("{} {}", applied.status, applied.stderr), "0 ".into());
    }
    let live = "systemd-run --user --quiet --unit=lives sleep infinity";
    for cell in &cells {
        host.attempt("root", &["su", "-l", &cell.user, "-c", live]);
    }
    // Past the time for which logind keeps what belongs to a user who has gone.
    thread::sleep(Duration::from_secs(4));
    let sessions = host.attempt("root", &["loginctl", "list-sessions", "--no-legend"]);
    let sessions = sessions.stdout.lines().filter(|line| !line.contains("manager")).count();
    assert_eq!(sessions, 0, "nobody is logged in");
    let all_active: Vec<_> = users.iter().map(|user| format!("{user} active")).collect();
    assert_eq!(actives(&host, &cells, "lives.service"), all_active, "they survive log-out");
    host.reboot();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(actives(&host, &cells, "boots.service"), all_active, "they survive a reboot");

    for cell in &cells {
        let (status, told) = cell.told(&host, &["--check"], false);
        expect(cell, "check again", format!("{status} {told:?}"), "0 []".into());
        let applied = cell.runs(&host, &["--apply"]);
        let changed = applied.records().iter().any(|record| record["data"]["changed"] == true);
        expect(cell, "apply again", format!("{} {changed}", applied.status), "0 false".into());
        let causes = cell.causes(true);
        let status = i32::from(causes != ["cause:none"]);
        let told = cell.told(&host, &["--explain"], true);
        expect(cell, "explain again", format!("{told:?}"), format!("{:?}", (status, causes)));
    }
    assert!(wrong.is_empty(), "{suite}: {}", wrong.join("\n"));
}

#[test]
fn s6_every_caller_is_told_right_and_what_is_set_up_survives() {
    thread::scope(|scope| {
        for suite in ["trixie", "bookworm"] {
            for has_session_bus in [true, false] {
                scope.spawn(move || every_cell_is_told_right_and_survives(suite, has_session_bus));
            }
        }
    });
}

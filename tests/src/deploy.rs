//! Hosts on which `deploy` is tried, and how it stands with what it put in.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use crate::Run;
use crate::testbed::Host;

/// The gateway's unit.
pub const GATEWAY: &str = "openclaw-gateway.service";
/// The monitor's unit.
pub const MONITOR: &str = "openclaw-agent-monitor.service";

/// What is there, with what it holds; not what the box itself writes all the time.
pub const FILES: &str = "find /etc /usr /home /root /var/lib -xdev -not -path '/var/lib/systemd/timers*' \
    -not -path '/var/lib/claw/health*' -printf '%p %y %m %u %l\\n' | sort; \
    find /etc /usr/local /home /root -xdev -type f -exec sha256sum {} + | sort";

/// Which files these are, and when they were written.
pub const WRITTEN: &str = "find /etc /usr/local /home /var/lib/claw -xdev -not -path '/var/lib/claw/health*' \
    -printf '%p %i %T@\\n' | sort";

/// On both versions of systemd, side by side.
pub fn on_both(claim: fn(&str)) {
    thread::scope(|scope| {
        for suite in ["trixie", "bookworm"] {
            scope.spawn(move || claim(suite));
        }
    });
}

/// A host with the project on /opt/claw, and a gateway of dev that takes so long to stop.
pub fn host(suite: &str, purpose: &str, stops_after_seconds: u32) -> Option<Host> {
    let host = Host::boot(suite, purpose, &[])?;
    host.copy_project();
    let seconds = stops_after_seconds.to_string();
    host.run("dev", &["sh", "/opt/testbed/gateway.sh", &seconds]);
    Some(host)
}

/// Panics where the files are not the same as before.
pub fn assert_same_files(host: &Host, before: &str, claim: &str) {
    let now = shell(host, FILES);
    let only = |these: &str, those: &str| {
        let those: HashSet<_> = those.lines().collect();
        these.lines().filter(|line| !those.contains(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    let (gone, new) = (only(before, &now), only(&now, before));
    assert!(gone.is_empty() && new.is_empty(), "{claim}: gone: {gone:#?}, new: {new:#?}");
}

/// Runs a verb, to whatever end it comes.
pub fn deploy(host: &Host, user: &str, arguments: &[&str]) -> Run {
    host.attempt(user, &[&["/opt/claw/scripts/deploy"], arguments].concat())
}

/// Runs a verb that has to end well.
pub fn deployed(host: &Host, arguments: &[&str]) -> String {
    let run = deploy(host, "root", arguments);
    assert_eq!(run.status, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
    run.stdout
}

/// What lines of shell write that root runs, however they end.
pub fn shell(host: &Host, lines: &str) -> String {
    host.attempt("root", &["sh", "-c", lines]).stdout.trim().to_owned()
}

/// A property of a service, as its manager has it; asking starts nothing.
pub fn property(host: &Host, unit: &str, name: &str) -> String {
    let control = if unit == MONITOR {
        "systemctl"
    } else {
        "setpriv --reuid dev --regid dev --init-groups env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user"
    };
    shell(host, &format!("{control} show -p {name} --value {unit}"))
}

/// The states of both services.
pub fn states(host: &Host) -> [String; 2] {
    [GATEWAY, MONITOR].map(|unit| property(host, unit, "ActiveState"))
}

/// Waits until both services are in these states; what they are in the end.
pub fn await_states(host: &Host, expected: [&str; 2]) {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        if states(host) == expected {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(states(host), expected, "{}", shell(host, "journalctl -n 40 --no-pager"));
}

/// Panics where somebody is logged in.
pub fn nobody_is_logged_in(host: &Host) {
    // A lingering user's manager counts as a session from systemd 256 on.
    let sessions = shell(host, "loginctl list-sessions --no-legend | grep -v manager");
    assert_eq!(sessions, "");
}

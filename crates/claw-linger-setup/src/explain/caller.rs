//! How did the one who asks get here, and what does the shell have from that?

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::unistd::{geteuid, getgroups, getppid};

/// The one who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    pub(crate) way: Way,
    /// `XDG_RUNTIME_DIR`, where it is set.
    pub(crate) runtime_dir: Option<String>,
    /// `DBUS_SESSION_BUS_ADDRESS`, where it is set.
    pub(crate) bus_address: Option<String>,
    /// `HOME`, where it is set: `sudo -E` and `setpriv` leave the one of who typed them.
    pub(crate) home: Option<String>,
    /// Whose login session it runs in, or whose user manager.
    pub(crate) session: Option<u32>,
    /// Is it in a group that may usually type `sudo`?
    pub(crate) may_sudo: bool,
}

/// The last step of the way here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A login of its own: ssh, a console, a user service.
    Login,
    Sudo,
    /// `su`, `su -` or `runuser`.
    Su,
    Cron,
    /// A service of the system.
    Service,
    /// Nobody can tell: `setpriv`, or entered from outside.
    Bare,
}

impl Way {
    /// As it stands in a sentence: "this shell came …".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Login => "from a login of its own",
            Self::Sudo => "by sudo",
            Self::Su => "by su",
            Self::Cron => "from cron",
            Self::Service => "from a system service",
            Self::Bare => "without a login",
        }
    }
}

impl Caller {
    pub(crate) fn look() -> Self {
        let uid = geteuid().as_raw();
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let session = session_of(&cgroup);
        let is_sudo = set("SUDO_UID").is_some();
        Self {
            uid,
            way: judge(uid, session, &cgroup, &ancestors(), is_sudo),
            runtime_dir: set("XDG_RUNTIME_DIR"),
            bus_address: set("DBUS_SESSION_BUS_ADDRESS"),
            home: set("HOME"),
            session,
            may_sudo: may_sudo(),
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// Which way was it, from the control group, the names of the processes above (the nearest first),
/// and whether `sudo` left its mark?
fn judge(uid: u32, session: Option<u32>, cgroup: &str, above: &[String], is_sudo: bool) -> Way {
    let nearest = above.iter().find_map(|name| match name.as_str() {
        "sudo" | "doas" => Some(Way::Sudo),
        "su" | "runuser" => Some(Way::Su),
        "cron" | "crond" | "anacron" | "atd" => Some(Way::Cron),
        "sshd" | "sshd-session" | "login" => Some(Way::Login),
        _ => None,
    });
    match nearest {
        // A process of the system started them; a log-in has a session as well, where logind runs.
        Some(way @ (Way::Sudo | Way::Su | Way::Cron)) => way,
        _ if session == Some(uid) => Way::Login,
        _ if is_sudo => Way::Sudo,
        _ if cgroup.contains("/cron.service") || cgroup.contains("/crond.service") => Way::Cron,
        _ if session.is_none() && cgroup.contains("/system.slice/") => Way::Service,
        _ => Way::Bare,
    }
}

/// Whose session or user manager is a control group of?
fn session_of(cgroup: &str) -> Option<u32> {
    cgroup.lines().find_map(|line| {
        let (_, after) = line.split_once("/user-")?;
        let (uid, after) = after.split_once(".slice/")?;
        (after.starts_with("session-") || after.starts_with("user@"))
            .then(|| uid.parse().ok())
            .flatten()
    })
}

/// The names of the processes above this one, the nearest first.
fn ancestors() -> Vec<String> {
    const DEEPEST: usize = 64;
    let mut names = Vec::new();
    let mut pid = getppid().as_raw();
    while pid > 0 && names.len() < DEEPEST {
        let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else { break };
        let Some((name, parent)) = parse_stat(&String::from_utf8_lossy(&stat)) else { break };
        names.push(name);
        pid = parent;
    }
    names
}

/// `PID (NAME) STATE PARENT …`; the name may hold anything.
fn parse_stat(stat: &str) -> Option<(String, i32)> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    Some((name.to_owned(), tail.split(' ').nth(1)?.parse().ok()?))
}

/// Is this process in a group whose members may usually type `sudo`?
fn may_sudo() -> bool {
    let Ok(mine) = getgroups() else { return false };
    let has_sudo = ["/usr/bin/sudo", "/usr/local/bin/sudo"].iter().any(|at| Path::new(at).exists());
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named: BTreeMap<&str, u32> = groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?, fields.nth(1)?.parse().ok()?))
        })
        .collect();
    has_sudo
        && ["sudo", "wheel", "admin"]
            .iter()
            .filter_map(|name| named.get(name))
            .any(|gid| mine.iter().any(|group| group.as_raw() == *gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_seen_in_what_it_left() {
        let own = "0::/user.slice/user-1000.slice/session-3.scope\n";
        let roots = "1:cpu:/\n0::/user.slice/user-0.slice/session-c2.scope\n";
        let own_manager = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n";
        let cron = "0::/system.slice/cron.service\n";
        for (name, cgroup, above, is_sudo, expected) in [
            ("ssh", own, &["bash", "sshd"][..], false, Way::Login),
            ("console", own, &["bash", "login"], false, Way::Login),
            ("a user service", own_manager, &["systemd"], false, Way::Login),
            ("su", roots, &["bash", "su", "bash", "sshd"], false, Way::Su),
            ("su with a session of its own", own, &["bash", "su", "bash"], false, Way::Su),
            ("runuser -l", roots, &["bash", "runuser"], false, Way::Su),
            ("sudo -u", roots, &["bash", "sudo", "bash"], true, Way::Sudo),
            ("sudo, with the processes hidden", roots, &[], true, Way::Sudo),
            ("cron", cron, &["sh", "cron", "cron", "systemd"], false, Way::Cron),
            ("cron, with the processes hidden", cron, &[], false, Way::Cron),
            ("sudo in cron", cron, &["sh", "sudo", "sh", "cron"], true, Way::Sudo),
            ("a service", "0::/system.slice/x.service\n", &["systemd"], false, Way::Service),
            ("setpriv", roots, &["bash", "sshd"], false, Way::Bare),
            ("entered from outside", "0::/\n", &["sh"], false, Way::Bare),
        ] {
            let above: Vec<String> = above.iter().map(|&name| name.to_owned()).collect();
            let way = judge(1000, session_of(cgroup), cgroup, &above, is_sudo);
            assert_eq!(way, expected, "{name}");
        }
    }

    #[test]
    fn the_session_is_its_owners() {
        for (cgroup, expected) in [
            ("0::/user.slice/user-0.slice/session-c2.scope", Some(0)),
            ("9:name=systemd:/user.slice/user-7.slice/user@7.service/x", Some(7)),
            ("0::/user.slice/user-7.slice", None),
            ("0::/init.scope", None),
        ] {
            assert_eq!(session_of(cgroup), expected, "{cgroup}");
        }
    }

    #[test]
    fn a_name_may_hold_what_ends_a_name() {
        assert_eq!(parse_stat("7 (a) b ( c) S 3 7 7 0"), Some(("a) b ( c".to_owned(), 3)));
        assert_eq!(parse_stat("garbage"), None);
    }
}

//! Whose gateway is it?

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claw_record::Complaint;
use nix::unistd::{Uid, geteuid};
use serde::{Deserialize, Serialize};

use crate::getent;

/// The user whose manager has the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
}

impl Owner {
    /// Where systemd keeps what lives as long as this user's sessions and services.
    pub(crate) fn runtime_dir(&self) -> PathBuf {
        format!("/run/user/{}", self.uid).into()
    }

    /// Is it who asks?
    pub(crate) fn is_me(&self) -> bool {
        geteuid().as_raw() == self.uid
    }
}

/// The user of that name; without one who asks, or for root the one who has a gateway.
pub(crate) fn whose(name: Option<&str>) -> Result<Owner, Complaint> {
    let owner = match name {
        None => find(),
        Some(name) => named(name).ok_or_else(|| {
            Complaint::cannot("heal for", name, "there is no such user on this box")
        })?,
    };
    if owner.name.contains('/') || owner.name.starts_with('.') {
        return Err(Complaint::cannot("heal for", &owner.name, "this cannot be a user's name"));
    }
    if !owner.is_me() && !geteuid().is_root() {
        let reason = "only root can do that for another user";
        return Err(Complaint::cannot("heal for", &owner.name, reason));
    }
    Ok(owner)
}

fn named(name: &str) -> Option<Owner> {
    let listed = passwd().into_iter().find(|owner| owner.name == name);
    // What is all digits would be taken for a user's number.
    let is_name = name.contains(|c: char| c.is_alphabetic() || c == '_');
    listed.or_else(|| if is_name { known(name) } else { None })
}

/// The user who asks; for root the one who called `sudo` or the first one, where they have an
/// OpenClaw and root has none.
fn find() -> Owner {
    let me = geteuid();
    if !me.is_root() {
        return current(me);
    }
    let users = passwd();
    let has_openclaw = |owner: &&Owner| owner.home.join(".openclaw").is_dir();
    let root = || users.iter().find(|owner| owner.uid == 0);
    let sudo = std::env::var("SUDO_USER").ok();
    let caller = || users.iter().find(|owner| Some(&owner.name) == sudo.as_ref());
    root()
        .filter(has_openclaw)
        .or_else(|| caller().filter(has_openclaw))
        .or_else(|| users.iter().find(has_openclaw))
        .or_else(root)
        .cloned()
        .unwrap_or_else(|| current(me))
}

/// The folder where the budgets are remembered. Root's is the monitor's, whatever `HOME`
/// says: `sudo` may have left it pointing at a home that an agent can write.
pub(crate) fn state_folder(said: Option<&Path>) -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = said {
        return folder.to_owned();
    }
    if let Some(folder) = named("STATE_DIRECTORY") {
        return folder;
    }
    let me = geteuid();
    if me.is_root() {
        return "/var/lib/claw".into();
    }
    // `sudo -E` and `setpriv` leave that of the caller.
    let is_mine = |home: &PathBuf| home.metadata().is_ok_and(|home| home.uid() == me.as_raw());
    let home = named("HOME").filter(is_mine).unwrap_or_else(|| current(me).home);
    home.join(".local/state/claw")
}

fn current(me: Uid) -> Owner {
    let mine = |owner: &Owner| owner.uid == me.as_raw();
    let listed = passwd().into_iter().find(mine);
    listed.or_else(|| known(&me.to_string()).filter(mine)).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
        let (name, home) =
            if me.is_root() { ("root".to_owned(), "/root".into()) } else { (me.to_string(), home) };
        let gid = nix::unistd::getegid().as_raw();
        Owner { name, uid: me.as_raw(), gid, home }
    })
}

/// A user whom this box lists elsewhere than in its own file.
fn known(key: &str) -> Option<Owner> {
    const TIMEOUT: Duration = Duration::from_secs(2);
    parse(&getent::passwd(key, Instant::now() + TIMEOUT)?).into_iter().next()
}

/// The users that the box lists in its own file.
fn passwd() -> Vec<Owner> {
    std::fs::read_to_string("/etc/passwd").map_or_else(|_| Vec::new(), |text| parse(&text))
}

fn parse(text: &str) -> Vec<Owner> {
    let owner = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, gid, _, home, _] = fields[..] else { return None };
        Some(Owner {
            name: name.into(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: home.into(),
        })
    };
    text.lines().filter_map(owner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_and_garbled_lines_passed_over() {
        let users = parse(
            "root:x:0:0:root:/root:/bin/sh\n\nbad line\nclaw:x:1000:1001::/home/claw:/bin/bash\nx:y:z:1:::\n",
        );
        let read: Vec<_> =
            users.iter().map(|user| (user.name.as_str(), user.uid, user.gid)).collect();
        assert_eq!(read, [("root", 0, 0), ("claw", 1000, 1001)]);
    }

    #[test]
    fn nobody_is_nobody() {
        let why = whose(Some("no-such-user")).unwrap_err().to_string();
        assert_eq!(why, "cannot heal for 'no-such-user': there is no such user on this box");
    }
}

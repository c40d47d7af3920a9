//! Whose gateway is it?

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, geteuid};

use crate::getent;
use crate::host::Host;

/// The user who has the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
}

/// The user of that name.
pub(crate) fn named(host: &Host, name: &str) -> Option<Owner> {
    let listed = passwd(host).into_iter().find(|owner| owner.name == name);
    // What is all digits would be taken for a user's number.
    let is_name = name.contains(|c: char| c.is_alphabetic() || c == '_');
    listed.or_else(|| if is_name { known(host, name) } else { None })
}

impl Owner {
    /// The owner as scripts read it: `NAME UID GID HOME`.
    pub(crate) fn line(&self) -> String {
        format!("{} {} {} {}\n", self.name, self.uid, self.gid, self.home.display())
    }
}

/// The user who asks; for root the one who called `sudo` or the first one, where they have an
/// OpenClaw and root has none. Where nobody has one, it is still the one who called `sudo`. In a
/// tree, the first one who has it.
pub(crate) fn find(host: &Host) -> Owner {
    let me = geteuid();
    if host.is_running() && !me.is_root() {
        return current(host, me);
    }
    let users = passwd(host);
    // Who called sudo here is nobody in a tree.
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| host.is_running());
    let caller = sudo.and_then(|name| named(host, &name));
    let has_openclaw = |owner: &Owner| host.path(owner.home.join(".openclaw")).is_dir();
    choose(&users, caller.as_ref(), has_openclaw).cloned().unwrap_or_else(|| current(host, me))
}

/// Whose it is for root, of these users and the one who called `sudo`.
fn choose<'a>(
    users: &'a [Owner],
    caller: Option<&'a Owner>,
    has_openclaw: impl Fn(&Owner) -> bool,
) -> Option<&'a Owner> {
    let root = || users.iter().find(|owner| owner.uid == 0);
    let has_it = |owner: &&Owner| has_openclaw(owner);
    root()
        .filter(has_it)
        .or(caller.filter(has_it))
        .or_else(|| users.iter().find(has_it))
        .or(caller)
        .or_else(root)
}

/// The folder where what a look remembers is kept. Root's is the monitor's, whatever `HOME` says:
/// `sudo` may have left it pointing at a home that an agent can write.
pub(crate) fn state_folder(host: &Host) -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = named("STATE_DIRECTORY") {
        return folder;
    }
    let me = geteuid();
    if me.is_root() {
        return "/var/lib/claw".into();
    }
    // `sudo -E` and `setpriv` leave that of the caller.
    let is_mine = |home: &PathBuf| home.metadata().is_ok_and(|home| home.uid() == me.as_raw());
    let home = named("HOME").filter(is_mine).unwrap_or_else(|| current(host, me).home);
    home.join(".local/state/claw")
}

fn current(host: &Host, me: Uid) -> Owner {
    let mine = |owner: &Owner| owner.uid == me.as_raw();
    let listed = passwd(host).into_iter().find(mine);
    listed.or_else(|| known(host, &me.to_string()).filter(mine)).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
        let (name, home) =
            if me.is_root() { ("root".to_owned(), "/root".into()) } else { (me.to_string(), home) };
        Owner { name, uid: me.as_raw(), gid: nix::unistd::getegid().as_raw(), home }
    })
}

/// A user whom this box lists elsewhere than in its own file.
fn known(host: &Host, key: &str) -> Option<Owner> {
    const TIMEOUT: Duration = Duration::from_secs(2);
    if !host.is_running() {
        return None;
    }
    // Whom nobody can be asked about is nobody here.
    let line = getent::passwd(key, Instant::now() + TIMEOUT).ok().flatten()?;
    parse(&line).into_iter().next()
}

/// The users that the box lists in its own file.
fn passwd(host: &Host) -> Vec<Owner> {
    host.read("/etc/passwd").map_or_else(|_| Vec::new(), |text| parse(&text))
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
            "root:x:0:0:root:/root:/bin/sh\n\nbad line\nclaw:x:1000:1000::/home/claw:/bin/sh\nx:y:z:1:::\n",
        );
        let names: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.uid)).collect();
        assert_eq!(names, [("root", 0), ("claw", 1000)]);
    }

    #[test]
    fn for_root_it_is_whoever_has_an_openclaw_and_else_who_called_sudo() {
        let users = parse("root:x:0:0::/root:\na:x:1:1::/home/a:\nb:x:2:2::/home/b:\n");
        let (a, b) = (&users[1], &users[2]);
        for (caller, have, expected) in [
            (None, &[][..], "root"),
            (Some(b), &[][..], "b"),
            (Some(b), &["a"][..], "a"),
            (Some(b), &["a", "b"][..], "b"),
            (Some(a), &["root", "a"][..], "root"),
            (None, &["a", "b"][..], "a"),
        ] {
            let chosen = choose(&users, caller, |owner| have.contains(&owner.name.as_str()));
            assert_eq!(chosen.unwrap().name, expected, "{caller:?} {have:?}");
        }
        assert_eq!(b.line(), "b 2 2 /home/b\n");
    }
}

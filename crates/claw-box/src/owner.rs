//! Whose gateway is it?

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claw_record::Complaint;
use nix::unistd::{Uid, getegid, geteuid};
use serde::{Deserialize, Serialize};

use crate::getent;

/// The user who has the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name to log in with.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the user's own group.
    pub gid: u32,
    /// The folder that is theirs.
    pub home: PathBuf,
    /// The login shell; empty for the box's own, which is `/bin/sh`.
    pub shell: String,
}

impl Owner {
    /// The user of a line as it stands in `/etc/passwd`.
    pub fn parse(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
        Some(Self {
            name: name.into(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: home.into(),
            shell: shell.into(),
        })
    }

    /// Where systemd keeps what lives as long as this user's sessions and services.
    pub fn runtime_dir(&self) -> PathBuf {
        format!("/run/user/{}", self.uid).into()
    }

    /// Is it who asks?
    pub fn is_me(&self) -> bool {
        geteuid().as_raw() == self.uid
    }
}

/// The users of a box.
#[derive(Clone, Debug)]
pub struct Users {
    /// Those that it lists in its own file.
    listed: Vec<Owner>,
    /// The tree that the box is, where it is not this one.
    tree: Option<PathBuf>,
}

impl Users {
    /// The users of this box: of its file, and whom it knows beyond that.
    pub fn here() -> Self {
        let text = std::fs::read_to_string("/etc/passwd");
        Self { listed: text.map_or_else(|_| Vec::new(), |text| parse(&text)), tree: None }
    }

    /// The users of the tree of another box, by the text of its `/etc/passwd`.
    pub fn of_tree(tree: &Path, passwd: &str) -> Self {
        Self { listed: parse(passwd), tree: Some(tree.to_owned()) }
    }

    /// Those that the box lists in its own file.
    pub fn listed(&self) -> &[Owner] {
        &self.listed
    }

    /// The user of that name.
    pub fn named(&self, name: &str) -> Option<Owner> {
        let listed = self.listed.iter().find(|owner| owner.name == name);
        // What is all digits would be taken for a user's number.
        let is_name = name.contains(|c: char| c.is_alphabetic() || c == '_');
        listed.cloned().or_else(|| if is_name { self.known(name) } else { None })
    }

    /// The user of that number, of those that the box lists in its own file.
    pub fn numbered(&self, uid: u32) -> Option<&Owner> {
        self.listed.iter().find(|owner| owner.uid == uid)
    }

    /// The user who asks; for root the one who called `sudo` or the first one, where they have an
    /// OpenClaw and root has none. Where nobody has one, it is still the one who called `sudo`. In
    /// a tree, the first one who has it.
    pub fn owner(&self) -> Owner {
        let me = geteuid();
        if self.tree.is_none() && !me.is_root() {
            return self.who(me);
        }
        // Who called sudo here is nobody in a tree.
        let sudo = std::env::var("SUDO_USER").ok().filter(|_| self.tree.is_none());
        let caller = sudo.and_then(|name| self.named(&name));
        let chosen = self.choose(caller.as_ref(), |owner| self.has_openclaw(owner));
        chosen.cloned().unwrap_or_else(|| self.who(me))
    }

    /// Whose it is for root, given the one who called `sudo`.
    fn choose<'a>(
        &'a self,
        caller: Option<&'a Owner>,
        has_openclaw: impl Fn(&Owner) -> bool,
    ) -> Option<&'a Owner> {
        let root = || self.numbered(0);
        let has_it = |owner: &&Owner| has_openclaw(owner);
        root()
            .filter(has_it)
            .or(caller.filter(has_it))
            .or_else(|| self.listed.iter().find(has_it))
            .or(caller)
            .or_else(root)
    }

    fn has_openclaw(&self, owner: &Owner) -> bool {
        let home = match &self.tree {
            Some(tree) => tree.join(owner.home.strip_prefix("/").unwrap_or(&owner.home)),
            None => owner.home.clone(),
        };
        home.join(".openclaw").is_dir()
    }

    /// The user of that number, who asks: there is always one, if only by the number.
    fn who(&self, me: Uid) -> Owner {
        let is_me = |owner: &Owner| owner.uid == me.as_raw();
        let listed = self.numbered(me.as_raw()).cloned();
        listed.or_else(|| self.known(&me.to_string()).filter(is_me)).unwrap_or_else(|| {
            let (name, home) = if me.is_root() {
                ("root".to_owned(), "/root".into())
            } else {
                let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
                (me.to_string(), home)
            };
            let gid = getegid().as_raw();
            Owner { name, uid: me.as_raw(), gid, home, shell: String::new() }
        })
    }

    /// A user whom this box lists elsewhere than in its own file.
    fn known(&self, key: &str) -> Option<Owner> {
        const TIMEOUT: Duration = Duration::from_secs(2);
        if self.tree.is_some() {
            return None;
        }
        // Whom nobody can be asked about is nobody here.
        let line = getent::passwd(key, Instant::now() + TIMEOUT).ok().flatten()?;
        parse(&line).into_iter().next()
    }
}

/// The user of that name, whom something is to be done for; without one who asks, or for root the
/// one who has a gateway. The verb is that of the complaint.
pub fn whose(verb: &str, name: Option<&str>) -> Result<Owner, Complaint> {
    let users = Users::here();
    let owner = match name {
        None => users.owner(),
        Some(name) => users
            .named(name)
            .ok_or_else(|| Complaint::cannot(verb, name, "there is no such user on this box"))?,
    };
    if owner.name.contains('/') || owner.name.starts_with('.') {
        return Err(Complaint::cannot(verb, &owner.name, "this cannot be a user's name"));
    }
    if !owner.is_me() && !geteuid().is_root() {
        let reason = "only root can do that for somebody else";
        return Err(Complaint::cannot(verb, &owner.name, reason));
    }
    Ok(owner)
}

/// The folder where a tool remembers something, where nobody says another. Root's is the
/// monitor's, whatever `HOME` says: `sudo` may have left it pointing at a home that an agent can
/// write.
pub fn state_folder() -> PathBuf {
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
    let home = named("HOME").filter(is_mine).unwrap_or_else(|| Users::here().who(me).home);
    home.join(".local/state/claw")
}

fn parse(text: &str) -> Vec<Owner> {
    text.lines().filter_map(Owner::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_and_garbled_lines_passed_over() {
        let users = parse(
            "root:x:0:0:root:/root:/bin/sh\n\nbad line\nclaw:x:1000:1001::/home/claw:/bin/bash\nx:y:z:1:::\n",
        );
        let read: Vec<_> = users
            .iter()
            .map(|user| (user.name.as_str(), user.uid, user.gid, user.shell.as_str()))
            .collect();
        assert_eq!(read, [("root", 0, 0, "/bin/sh"), ("claw", 1000, 1001, "/bin/bash")]);
    }

    #[test]
    fn for_root_it_is_whoever_has_an_openclaw_and_else_who_called_sudo() {
        let passwd = "root:x:0:0::/root:\na:x:1:1::/home/a:\nb:x:2:2::/home/b:\n";
        let users = Users { listed: parse(passwd), tree: None };
        let (a, b) = (users.named("a").unwrap(), users.named("b").unwrap());
        for (caller, have, expected) in [
            (None, &[][..], "root"),
            (Some(&b), &[][..], "b"),
            (Some(&b), &["a"][..], "a"),
            (Some(&b), &["a", "b"][..], "b"),
            (Some(&a), &["root", "a"][..], "root"),
            (None, &["a", "b"][..], "a"),
        ] {
            let chosen = users.choose(caller, |owner| have.contains(&owner.name.as_str()));
            assert_eq!(chosen.unwrap().name, expected, "{caller:?} {have:?}");
        }
    }

    #[test]
    fn in_a_tree_it_is_who_has_one_there_and_nobody_of_this_box() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("home/b/.openclaw")).unwrap();
        let users = Users::of_tree(tree.path(), "a:x:1:1::/home/a:\nb:x:2:2::/home/b:\n");
        assert_eq!(users.owner().name, "b");
        assert_eq!(users.named("root"), None);
        assert_eq!(users.numbered(1).map(|user| user.name.as_str()), Some("a"));
    }

    #[test]
    fn nobody_is_nobody() {
        for verb in ["look at", "heal for"] {
            let why = whose(verb, Some("no-such-user")).unwrap_err().to_string();
            let expected = "'no-such-user': there is no such user on this box";
            assert_eq!(why, format!("cannot {verb} {expected}"));
        }
    }
}

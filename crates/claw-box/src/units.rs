//! Where systemd's managers look for the files of units: `UNIT FILE LOAD PATH` of systemd.unit(5).

use std::path::PathBuf;

use crate::owner::Owner;
use crate::scope::Scope;

/// A folder of unit files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFolder {
    /// What it is in, where a user can write there.
    pub above: Option<PathBuf>,
    /// Where it is in that, or on the box.
    pub below: &'static str,
}

impl UnitFolder {
    /// The whole of it.
    pub fn path(&self) -> PathBuf {
        match &self.above {
            Some(above) => above.join(self.below),
            None => self.below.into(),
        }
    }
}

/// What a path of the list begins with where it is in the owner's home, or runtime folder.
const HOME: &str = "~/";
const RUNTIME: &str = "%t/";

/// On most boxes `/lib` is a link, and nothing is told by that name: so it comes last.
const SYSTEM: [&str; 13] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
    "/lib/systemd/system",
];

/// As it is where no `XDG_…` variable says otherwise. On most boxes `/etc/xdg/systemd/user` is a link
/// to `/etc/systemd/user`, by whose name its files are told: so it comes after that.
const USER: [&str; 16] = [
    "~/.config/systemd/user.control",
    "%t/systemd/user.control",
    "%t/systemd/transient",
    "%t/systemd/generator.early",
    "~/.config/systemd/user",
    "/etc/systemd/user",
    "/etc/xdg/systemd/user",
    "%t/systemd/user",
    "/run/systemd/user",
    "%t/systemd/generator",
    "~/.local/share/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/share/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "%t/systemd/generator.late",
];

/// The folders of a manager; the first file of one name wins.
pub fn unit_folders(owner: &Owner, scope: Scope) -> Vec<UnitFolder> {
    let paths: &[&'static str] = match scope {
        Scope::System => &SYSTEM,
        Scope::User => &USER,
    };
    let folder = |path: &&'static str| match (path.strip_prefix(HOME), path.strip_prefix(RUNTIME)) {
        (Some(below), _) => UnitFolder { above: Some(owner.home.clone()), below },
        (_, Some(below)) => UnitFolder { above: Some(owner.runtime_dir()), below },
        _ => UnitFolder { above: None, below: path },
    };
    paths.iter().map(folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dev() -> Owner {
        Owner::parse("dev:x:1000:1000::/home/dev:/bin/bash").unwrap()
    }

    /// Compares them with what the managers of user dev say with `systemctl show -p UnitPath --value`.
    fn assert_same(scope: Scope, said: &str) {
        let folders = unit_folders(&dev(), scope).into_iter();
        let mut ours: Vec<_> = folders.map(|folder| folder.path().display().to_string()).collect();
        let mut theirs: Vec<_> = said.split_whitespace().map(str::to_owned).collect();
        // These come in another place, and not on every box.
        for link in ["/lib/systemd/system", "/etc/xdg/systemd/user"] {
            ours.retain(|path| path != link);
            theirs.retain(|path| path != link);
        }
        assert_eq!(ours, theirs);
    }

    #[test]
    fn they_are_those_of_systemd_252() {
        assert_same(Scope::System, include_str!("../fixtures/unit-path-252-system.txt"));
        assert_same(Scope::User, include_str!("../fixtures/unit-path-252-user.txt"));
    }

    #[test]
    fn they_are_those_of_systemd_257() {
        assert_same(Scope::System, include_str!("../fixtures/unit-path-257-system.txt"));
        assert_same(Scope::User, include_str!("../fixtures/unit-path-257-user.txt"));
    }

    #[test]
    fn what_a_user_can_write_is_below_what_is_the_users() {
        let above = |folder: &UnitFolder| folder.above.as_ref()?.to_str().map(str::to_owned);
        let users = unit_folders(&dev(), Scope::User);
        let of = |below: &str| above(users.iter().find(|folder| folder.below == below).unwrap());
        assert_eq!(of(".config/systemd/user").as_deref(), Some("/home/dev"));
        assert_eq!(of("systemd/user").as_deref(), Some("/run/user/1000"));
        assert_eq!(of("/etc/systemd/user"), None);
        assert!(unit_folders(&dev(), Scope::System).iter().all(|folder| folder.above.is_none()));
    }
}

//! The files of units, of both kinds of manager.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use claw_box::{Owner, Scope, UnitFolder, unit_folders};

use super::folder::Folder;

/// The file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitFile {
    pub(crate) scope: Scope,
    pub(crate) path: PathBuf,
    /// A link to `/dev/null`: it can never start.
    pub(crate) is_masked: bool,
}

/// A unit file by its name, and who has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    files: Vec<UnitFile>,
    /// Units of the user's that start with the user manager.
    enabled: BTreeSet<String>,
}

impl Units {
    /// The files that both managers of this user see.
    pub(crate) fn look(owner: &Owner) -> Self {
        let (mut files, mut enabled) = (Vec::new(), BTreeSet::new());
        let home = |below: &str| Folder::below(&owner.home, below);
        let folders = [Scope::User, Scope::System].into_iter().flat_map(|scope| {
            let opened = unit_folders(owner, scope).into_iter().filter_map(|folder| open(&folder));
            opened.map(move |folder| (scope, folder))
        });
        for (scope, folder) in folders {
            let is_link =
                |name: &str| folder.link(name).is_some_and(|to| to == Path::new("/dev/null"));
            files.extend(folder.names().into_iter().filter(|name| is_unit(name)).map(|name| {
                UnitFile { scope, is_masked: is_link(&name), path: folder.path.join(name) }
            }));
        }
        for below in ["default.target.wants", "graphical-session.target.wants"] {
            let folder = home(&format!(".config/systemd/user/{below}"));
            enabled.extend(folder.into_iter().flat_map(|folder| folder.names()));
        }
        Self { files, enabled }
    }

    /// The file that a manager takes for a unit; that of its template, where it is an instance.
    pub(crate) fn file(&self, scope: Scope, name: &str) -> Option<&UnitFile> {
        let named = |name: &str| {
            self.files.iter().find(|file| {
                file.scope == scope && file.path.file_name().is_some_and(|is| is == name)
            })
        };
        named(name).or_else(|| named(&template(name)?))
    }

    /// Is there a unit behind a mask, that would be taken without it?
    pub(crate) fn is_behind_mask(&self, scope: Scope, name: &str) -> bool {
        self.files.iter().any(|file| {
            file.scope == scope
                && !file.is_masked
                && file.path.file_name().is_some_and(|is| is == name)
        })
    }

    /// Does it start with the user manager?
    pub(crate) fn is_enabled(&self, name: &str) -> bool {
        self.enabled.contains(name)
    }

    /// The gateway's own units of the user: one a profile.
    pub(crate) fn gateways(&self) -> BTreeSet<&str> {
        let is_gateway = |name: &&str| {
            (name.starts_with("openclaw-gateway") || name.starts_with("clawdbot-gateway"))
                && name.ends_with(".service")
        };
        let users = self.files.iter().filter(|file| file.scope == Scope::User);
        users.filter_map(|file| file.path.file_name()?.to_str()).filter(is_gateway).collect()
    }

    /// Has the user written or enabled a unit?
    pub(crate) fn has_own(&self, home: &Path) -> bool {
        !self.enabled.is_empty() || self.files.iter().any(|file| file.path.starts_with(home))
    }

    /// The unit whose name is nearest to one that there is not, if it is near.
    pub(crate) fn nearest(&self, name: &str) -> Option<(Scope, &str)> {
        const FARTHEST: usize = 3;
        let (stem, _) = name.rsplit_once('.')?;
        let limit = FARTHEST.min(stem.len() / 3);
        self.files
            .iter()
            .filter(|file| !file.is_masked)
            .filter_map(|file| Some((file.scope, file.path.file_name()?.to_str()?)))
            .filter(|(_, other)| other.len().abs_diff(name.len()) <= limit)
            .map(|(scope, other)| (distance(name, other), scope, other))
            .filter(|(distance, ..)| (1..=limit).contains(distance))
            // The user's own unit, where both are as near.
            .min_by_key(|(distance, scope, other)| (*distance, *scope == Scope::System, *other))
            .map(|(_, scope, other)| (scope, other))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(Scope, &str, bool)], enabled: &[&str]) -> Self {
        let file = |&(scope, path, is_masked): &(Scope, &str, bool)| UnitFile {
            scope,
            path: path.into(),
            is_masked,
        };
        Self {
            files: files.iter().map(file).collect(),
            enabled: enabled.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

fn open(folder: &UnitFolder) -> Option<Folder> {
    match &folder.above {
        Some(above) => Folder::below(above, folder.below),
        None => Folder::trusted(folder.below),
    }
}

/// `a@.service` for `a@b.service`.
fn template(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (prefix, _) = stem.split_once('@')?;
    Some(format!("{prefix}@.{kind}"))
}

fn is_unit(name: &str) -> bool {
    const KINDS: [&str; 6] = ["service", "socket", "target", "timer", "path", "slice"];
    name.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind))
}

/// How many letters have to be changed, put in, taken out or put before the one before them to come
/// from one word to another?
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let one: Vec<char> = one.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for at in 1..=one.len() {
        let mut row = vec![at];
        for column in 1..=other.len() {
            let above = &rows[at - 1];
            let change = above[column - 1] + usize::from(one[at - 1] != other[column - 1]);
            let mut least = change.min(above[column] + 1).min(row[column - 1] + 1);
            let is_swapped = at > 1
                && column > 1
                && one[at - 1] == other[column - 2]
                && one[at - 2] == other[column - 1];
            if is_swapped {
                least = least.min(rows[at - 2][column - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::unistd::geteuid;

    use super::*;

    fn owner(home: &Path) -> Owner {
        Owner { home: home.into(), ..Owner::parse("dev:x:1:1:::").unwrap() }
    }

    #[test]
    fn files_masks_and_what_is_enabled_are_found_in_a_home() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/systemd/user");
        fs::create_dir_all(folder.join("default.target.wants")).unwrap();
        for name in
            ["openclaw-gateway.service", "openclaw-gateway.service.bak", "on.service", "x@.service"]
        {
            fs::write(folder.join(name), "").unwrap();
        }
        symlink("../on.service", folder.join("default.target.wants/on.service")).unwrap();
        symlink("/dev/null", folder.join("masked.service")).unwrap();
        let units = Units::look(&owner(home.path()));
        assert_eq!(Vec::from_iter(units.gateways()), ["openclaw-gateway.service"]);
        assert!(units.file(Scope::User, "masked.service").unwrap().is_masked);
        assert!(!units.file(Scope::User, "on.service").unwrap().is_masked);
        assert_eq!(units.file(Scope::User, "x@y.service").unwrap().path, folder.join("x@.service"));
        assert_eq!(units.file(Scope::System, "on.service"), None);
        assert!(units.is_enabled("on.service") && !units.is_enabled("openclaw-gateway.service"));
        assert!(units.has_own(home.path()));
    }

    #[test]
    fn root_follows_no_link_below_a_home() {
        if !geteuid().is_root() {
            return;
        }
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(other.path().join("systemd/user")).unwrap();
        fs::write(other.path().join("systemd/user/secret.service"), "").unwrap();
        symlink(other.path(), home.path().join(".config")).unwrap();
        assert_eq!(Units::look(&owner(home.path())).file(Scope::User, "secret.service"), None);
    }

    #[test]
    fn a_typing_mistake_is_near_and_another_word_is_not() {
        let units = Units::of(
            &[
                (Scope::User, "/h/openclaw-gateway.service", false),
                (Scope::System, "/s/cron.service", false),
            ],
            &[],
        );
        for (name, expected) in [
            ("openclaw-gatway.service", Some((Scope::User, "openclaw-gateway.service"))),
            ("openclaw-gateways.service", Some((Scope::User, "openclaw-gateway.service"))),
            ("corn.service", Some((Scope::System, "cron.service"))),
            ("crond.service", Some((Scope::System, "cron.service"))),
            ("x.service", None),
            ("nginx.service", None),
        ] {
            assert_eq!(units.nearest(name), expected, "{name}");
        }
    }
}

//! What changed since the gateway was last well: its configuration, its package, the workspace.
//!
//! The owner's agents may have written all that is read here: it is shown, and decides nothing.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::Host;

/// How the box was, as far as that is cheaply seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// When it was seen, as records have it.
    at: String,
    /// When the configuration was written, in nanoseconds since 1970, and its size.
    configuration: Option<(i64, u64)>,
    /// The commit that the workspace stands at.
    commit: Option<String>,
    /// The version of the package.
    package: Option<String>,
}

/// What is other than it was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changes {
    well_at: String,
    changes: Vec<(&'static str, String)>,
}

impl Snapshot {
    /// As the box is now.
    pub(super) fn now(host: &Host, at: String) -> Self {
        let meta = host.meta(host.openclaw_home().join("openclaw.json")).ok();
        let written =
            meta.map(|meta| (meta.mtime() * 1_000_000_000 + meta.mtime_nsec(), meta.size()));
        Self { at, configuration: written, commit: commit(host), package: package(host) }
    }

    /// What is other now.
    pub(super) fn changes(&self, now: &Self) -> Changes {
        let mut changes = Vec::new();
        if self.configuration != now.configuration {
            changes.push(("configuration", "the configuration changed".to_owned()));
        }
        for (name, was, is) in
            [("workspace", &self.commit, &now.commit), ("package", &self.package, &now.package)]
        {
            if was != is {
                let [was, is] = [was, is].map(|at| at.as_deref().map_or("none", short).to_owned());
                changes.push((name, format!("the {name} went from {was} to {is}")));
            }
        }
        Changes { well_at: self.at.clone(), changes }
    }
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.changes.iter().map(|(name, _)| *name).collect()
    }

    /// When it was last well.
    pub(super) fn well_at(&self) -> &str {
        &self.well_at
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.changes.iter().map(|(_, words)| words.as_str()).collect();
        f.write_str(&words.join(", "))
    }
}

/// A commit as people write it.
fn short(text: &str) -> &str {
    const ID_CHARS: usize = 40;
    const SHORT_CHARS: usize = 12;
    if is_id(text) && text.len() >= ID_CHARS { &text[..SHORT_CHARS] } else { text }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Where the workspace stands, without running git.
fn commit(host: &Host) -> Option<String> {
    let folder = host.workspace().join(".git");
    let head = host.read_owned(folder.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned()).filter(|id| is_id(id));
    };
    let is_plain = name.starts_with("refs/") && !name.split('/').any(|part| part == "..");
    let loose = host.read_owned(folder.join(Some(name).filter(|_| is_plain)?)).ok();
    let packed = || {
        let packed = host.read_owned(folder.join("packed-refs")).ok()?;
        let found = packed.lines().filter_map(|line| line.split_once(' '));
        found.into_iter().find(|(_, of)| *of == name).map(|(id, _)| id.to_owned())
    };
    let id = loose.map(|id| id.trim().to_owned()).or_else(packed)?;
    is_id(&id).then_some(id)
}

/// The version of the package that the gateway's unit runs.
fn package(host: &Host) -> Option<String> {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let unit = host.owner().home.join(".config/systemd/user").join(&host.gateway_unit);
    let program = program(&host.read_owned(unit).ok()?)?;
    // It may be root's as well, whose packages are for everybody to read.
    let text = host.read_owned(&program).or_else(|_| {
        let is_of_root = host.meta(&program).is_ok_and(|meta| meta.uid() == 0);
        if is_of_root { host.read(&program) } else { Err(String::new()) }
    });
    let version = serde_json::from_str::<Package>(&text.ok()?).ok()?.version;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
    (version.len() < 64 && version.chars().all(is_plain)).then_some(version)
}

/// The `package.json` beside `dist/index.js`, as the unit names that.
fn program(unit: &str) -> Option<PathBuf> {
    let line = unit.lines().find_map(|line| line.trim().strip_prefix("ExecStart="))?;
    let script = line.split_whitespace().map(|word| word.trim_matches('"'));
    let script = script.into_iter().find(|word| word.ends_with("/dist/index.js"))?;
    Some(Path::new(script).parent()?.parent()?.join("package.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_and_what_did_not_is_not() {
        let id = |c: &str| Some(c.repeat(40));
        let well = Snapshot {
            at: "2026-11-22T14:00:00.000Z".to_owned(),
            configuration: Some((1, 2)),
            commit: id("a"),
            package: Some("2026.9.5".to_owned()),
        };
        assert!(well.changes(&well).is_empty());
        let now = Snapshot {
            configuration: None,
            commit: id("b"),
            package: Some("2026.9.6".to_owned()),
            ..well.clone()
        };
        let changes = well.changes(&now);
        assert_eq!(changes.names(), ["configuration", "workspace", "package"]);
        assert_eq!(
            changes.to_string(),
            "the configuration changed, the workspace went from aaaaaaaaaaaa to bbbbbbbbbbbb, \
             the package went from 2026.9.5 to 2026.9.6"
        );
    }

    #[test]
    fn the_package_is_that_which_the_unit_runs() {
        let unit = include_str!("../../../fixtures/openclaw/openclaw-gateway.service");
        let file = program(unit).unwrap().display().to_string();
        assert!(file.ends_with("/openclaw/package.json"), "{file}");
        assert_eq!(program("[Service]\nExecStart=/bin/true\n"), None);
    }
}

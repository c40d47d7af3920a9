//! What is wrong with the files of a unit, whatever its state.

use std::path::{Path, PathBuf};

use claw_box::{Scope, unit_folders};

use crate::host::Host;
use crate::systemd::Unit;

/// Directives that newer systemds ignore, and what to write instead.
const DEPRECATED: [(&str, &str); 9] = [
    ("MemoryLimit", "MemoryMax"),
    ("CPUShares", "CPUWeight"),
    ("StartupCPUShares", "StartupCPUWeight"),
    ("BlockIOAccounting", "IOAccounting"),
    ("BlockIOWeight", "IOWeight"),
    ("StartupBlockIOWeight", "StartupIOWeight"),
    ("BlockIODeviceWeight", "IODeviceWeight"),
    ("BlockIOReadBandwidth", "IOReadBandwidthMax"),
    ("BlockIOWriteBandwidth", "IOWriteBandwidthMax"),
];

/// The file of a unit in a scope, where there is one. A link to nowhere, `masked`, is none.
pub(super) fn file_of(host: &Host, scope: Scope, name: &str) -> Option<PathBuf> {
    let folders = unit_folders(host.owner(), scope).into_iter();
    folders.map(|folder| folder.path().join(name)).find(|file| host.path(file).is_file())
}

/// A deprecated directive: its file, itself, and what replaces it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deprecated {
    pub(super) file: String,
    pub(super) directive: &'static str,
    pub(super) replacement: &'static str,
}

/// The deprecated directives in the files of a unit. What cannot be read is passed over: the state
/// of the unit does not depend on it.
pub(super) fn deprecated(host: &Host, scope: Scope, unit: &Unit) -> Vec<Deprecated> {
    let mut found = Vec::new();
    for file in std::iter::once(&unit.fragment_path).chain(&unit.drop_ins) {
        let Ok(text) = read(host, scope, file) else { continue };
        found.extend(parse(&text).map(|(directive, replacement)| Deprecated {
            file: file.clone(),
            directive,
            replacement,
        }));
    }
    found
}

/// A user manager names its files itself, and may be forged.
fn read(host: &Host, scope: Scope, file: &str) -> Result<String, String> {
    let parent = Path::new(file).parent();
    let of_the_box = unit_folders(host.owner(), Scope::User).into_iter();
    let is_of_the_box = of_the_box.filter(|folder| folder.above.is_none()).any(|folder| {
        let folder = folder.path();
        parent == Some(&folder) || parent.and_then(Path::parent) == Some(&folder)
    });
    if scope == Scope::System || is_of_the_box && !file.contains("/../") {
        host.read(file)
    } else {
        host.read_owned(file)
    }
}

fn parse(text: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    DEPRECATED.into_iter().filter(|(directive, _)| {
        let is_it = |line: &str| {
            line.trim_start()
                .strip_prefix(directive)
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        text.lines().any(is_it)
    })
}

/// What is odd about a unit and does no harm by itself.
pub(super) fn harmless(
    host: &Host,
    scope: Scope,
    unit: &Unit,
    start_seconds: Option<f64>,
) -> Vec<String> {
    let mut lints = Vec::new();
    if scope == Scope::User && unit.wants.iter().any(|name| name == "network-online.target") {
        lints.push("a user manager has no network-online.target to wait for".to_owned());
    }
    let delay = unit.restart_delay.as_secs_f64();
    if let Some(start) = start_seconds.filter(|start| delay > 0.0 && *start > delay) {
        lints.push(format!("RestartSec is {delay} s, but a start takes {start:.0} s"));
    }
    let other = if scope == Scope::System { Scope::User } else { Scope::System };
    // Many packages bring a unit of the same name for both, which is well.
    let is_own =
        ["/etc/", "/home/", "/root/"].iter().any(|top| unit.fragment_path.starts_with(top));
    if let Some(file) = file_of(host, other, &unit.name).filter(|_| is_own) {
        lints.push(format!("{} is a {other} unit of the same name", file.display()));
    }
    lints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_deprecated_directives_are_found_with_what_replaces_them() {
        let text = "[Service]\n#MemoryLimit=1\nMemoryLimitX=1\n MemoryLimit = 100M\nBlockIOWeight=10\n\
                    StartLimitIntervalSec=5\n";
        assert_eq!(
            parse(text).collect::<Vec<_>>(),
            [("MemoryLimit", "MemoryMax"), ("BlockIOWeight", "IOWeight")]
        );
    }
}

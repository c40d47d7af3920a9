//! How much room does the journal take, and does it outlive a reboot?

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, bytes};
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "journal",
    about: "size of the journal, and whether it outlives a reboot",
    operand: "",
    settings: &[Setting::limit(
        "journal-warn",
        "percent",
        15.0,
        "Share of its file system that the journal may take; journald keeps it to 10 by itself",
    )],
    find: Find::Once,
    needs: Needs::Files,
    waits: true,
    runs_programs: false,
    every_seconds: 600,
    is_sure: false,
    run,
};

/// A journal: where it is, what it takes, and the size of its file system.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Journal {
    path: &'static str,
    is_persistent: bool,
    used_bytes: f64,
    total_bytes: f64,
}

fn run(look: &Look) -> Found {
    let mut journals = Vec::new();
    for (path, is_persistent) in [("/var/log/journal", true), ("/run/log/journal", false)] {
        let folder = look.host.path(path);
        let cannot = |error: String| format!("cannot look at '{path}': {error}");
        let Some(used_bytes) = size(&folder).map_err(cannot)? else { continue };
        let stat = statvfs(&folder).map_err(|error| cannot(error.desc().to_owned()))?;
        let total_bytes = stat.blocks() as f64 * stat.fragment_size() as f64;
        journals.push(Journal { path, is_persistent, used_bytes: used_bytes as f64, total_bytes });
    }
    // An empty folder is no journal yet, but journald writes there from its next start on.
    journals.sort_by(|one, other| other.used_bytes.total_cmp(&one.used_bytes));
    let systemd = look.host.path("/etc/systemd").is_dir();
    Ok(vec![judge(&journals, systemd, look.number("journal-warn"))])
}

/// What the journal files below a folder take on the disk: it has a folder a machine.
fn size(folder: &Path) -> Result<Option<u64>, String> {
    let machines = match fs::read_dir(folder) {
        Ok(machines) => machines,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut count = 0;
    for machine in machines {
        let machine = machine.map_err(|error| error.to_string())?;
        count += taken(&machine);
        if machine.file_type().is_ok_and(|kind| kind.is_dir()) {
            let files = fs::read_dir(machine.path()).map_err(|error| error.to_string())?;
            count += files.filter_map(Result::ok).map(|file| taken(&file)).sum::<u64>();
        }
    }
    Ok(Some(count))
}

/// A file may be rotated away while we look.
fn taken(entry: &DirEntry) -> u64 {
    const BLOCK_BYTES: u64 = 512;
    entry.metadata().map_or(0, |meta| if meta.is_file() { meta.blocks() * BLOCK_BYTES } else { 0 })
}

fn judge(journals: &[Journal], has_systemd: bool, warn: f64) -> Finding {
    let Some(largest) = journals.first() else {
        let message = "there is no journal: nothing tells after a crash what happened";
        return if has_systemd {
            Finding::warn("journal", message).remedy("sudo systemctl restart systemd-journald")
        } else {
            Finding::pass("journal", "there is no journal on this box")
        };
    };
    let used_bytes: f64 = journals.iter().map(|journal| journal.used_bytes).sum();
    let share = |journal: &Journal| {
        if journal.total_bytes > 0.0 {
            100.0 * journal.used_bytes / journal.total_bytes
        } else {
            0.0
        }
    };
    let measure = Measure::percent("used_percent", share(largest)).warn_at(warn);
    let is_persistent = journals.iter().any(|journal| journal.is_persistent);
    let mut message = format!(
        "{} in {}, {:.1} % of its file system; limit {warn} %",
        bytes(largest.used_bytes),
        largest.path,
        measure.value
    );
    if !is_persistent {
        message += "; it is volatile: a reboot loses it";
    }
    let finding = Finding::judged(measure.status(), "journal", message);
    let finding = if !finding.passes() {
        finding.remedy("sudo journalctl --vacuum-size=500M, and SystemMaxUse= in journald.conf(5)")
    } else if !is_persistent {
        finding.remedy("sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald")
    } else {
        finding
    };
    finding
        .measure(measure)
        .measure(Measure::new("size_bytes", used_bytes))
        .note("persistent", is_persistent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: Journal = Journal {
        path: "/var/log/journal",
        is_persistent: true,
        used_bytes: 1e9,
        total_bytes: 20e9,
    };
    const MEMORY: Journal = Journal {
        path: "/run/log/journal",
        is_persistent: false,
        used_bytes: 8e6,
        total_bytes: 400e6,
    };

    #[test]
    fn the_journal_is_told_by_its_size_and_whether_it_stays() {
        for (journals, expected) in [
            (
                &[DISK, MEMORY][..],
                "pass INFO 1.0 GB in /var/log/journal, 5.0 % of its file system; limit 15 %",
            ),
            (
                &[Journal { total_bytes: 5e9, ..DISK }],
                "warn WARNING 1.0 GB in /var/log/journal, 20.0 % of its file system; limit 15 % > \
                 sudo journalctl --vacuum-size=500M, and SystemMaxUse= in journald.conf(5)",
            ),
            (
                &[MEMORY],
                "pass INFO 8.0 MB in /run/log/journal, 2.0 % of its file system; limit 15 %; \
                 it is volatile: a reboot loses it > \
                 sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald",
            ),
            (
                &[],
                "warn WARNING there is no journal: nothing tells after a crash what happened > \
                 sudo systemctl restart systemd-journald",
            ),
        ] {
            assert_eq!(judge(journals, true, 15.0).line(), expected);
        }
    }
}

//! Is there room on the disks, in bytes and in inodes?

use std::collections::HashSet;

use nix::sys::statvfs::statvfs;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, bytes, worse};
use crate::host::Host;
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "disk",
    about: "space and inodes of each real file system",
    operand: "PATH",
    settings: &[
        Setting::limit(
            "disk-warn",
            "percent",
            80.0,
            "Space or inodes in use that are worth a look",
        ),
        Setting::limit("disk-fail", "percent", 95.0, "Space or inodes in use that are too much"),
    ],
    find: Find::On(mounts),
    needs: Needs::Files,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

/// What `statvfs(3)` says of a file system.
#[derive(Debug)]
struct Space {
    total_bytes: f64,
    free_bytes: f64,
    /// What is free to an ordinary user: less than what is free, by the reserve for root.
    available_bytes: f64,
    inodes: f64,
    free_inodes: f64,
}

/// Where the file systems that hold data are mounted, each device once.
fn mounts(host: &Host) -> Vec<String> {
    // Without the list there is still the root file system.
    host.read("/proc/self/mountinfo").map_or_else(|_| vec!["/".to_owned()], |text| parse(&text))
}

/// The mount points of real file systems in the text of `/proc/self/mountinfo`.
fn parse(text: &str) -> Vec<String> {
    let mut devices = HashSet::new();
    let mut points = Vec::new();
    for line in text.lines() {
        let Some((mount, source)) = line.split_once(" - ") else { continue };
        let fields: Vec<_> = mount.split(' ').collect();
        let mut source = source.split(' ');
        let (Some(&device), Some(&point), Some(kind)) =
            (fields.get(2), fields.get(4), source.next())
        else {
            continue;
        };
        // An overlay elsewhere shows the space of the disk below it once more.
        let is_here = match kind {
            "overlay" => point == "/",
            "tmpfs" => matches!(point, "/tmp" | "/var/tmp"),
            _ => is_real(kind),
        };
        if is_here && devices.insert(device) {
            points.push(unescaped(point));
        }
    }
    points
}

/// Is it a file system that can fill up? Images that are read-only are always full.
fn is_real(kind: &str) -> bool {
    matches!(
        kind.split('.').next().unwrap_or(kind),
        "ext2"
            | "ext3"
            | "ext4"
            | "xfs"
            | "btrfs"
            | "zfs"
            | "f2fs"
            | "bcachefs"
            | "jfs"
            | "reiserfs"
            | "vfat"
            | "exfat"
            | "ntfs"
            | "ntfs3"
            | "fuseblk"
            | "nfs"
            | "nfs4"
            | "cifs"
            | "smb3"
            | "ceph"
            | "glusterfs"
            | "virtiofs"
            | "9p"
    )
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescaped(point: &str) -> String {
    let mut parts = point.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[3..]);
            }
            None => {
                bytes.push(b'\\');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn run(look: &Look) -> Found {
    let point = if look.operand.is_empty() { "/" } else { &look.operand };
    let stat = statvfs(&look.host.path(point))
        .map_err(|error| format!("cannot read the file system of '{point}': {}", error.desc()))?;
    let fragment = stat.fragment_size() as f64;
    let space = Space {
        total_bytes: stat.blocks() as f64 * fragment,
        free_bytes: stat.blocks_free() as f64 * fragment,
        available_bytes: stat.blocks_available() as f64 * fragment,
        inodes: stat.files() as f64,
        free_inodes: stat.files_free() as f64,
    };
    Ok(vec![judge(point, &space, look.number("disk-warn"), look.number("disk-fail"))])
}

/// In use is what an ordinary user cannot have, as `df` counts it.
fn judge(point: &str, space: &Space, warn: f64, fail: f64) -> Finding {
    let used_bytes = space.total_bytes - space.free_bytes;
    let share = |used: f64, all: f64| if all > 0.0 { 100.0 * used / all } else { 0.0 };
    let used = share(used_bytes, used_bytes + space.available_bytes);
    let used = Measure::percent("used_percent", used).warn_at(warn).fail_at(fail);
    let inodes = share(space.inodes - space.free_inodes, space.inodes);
    let inodes = Measure::percent("inodes_used_percent", inodes).warn_at(warn).fail_at(fail);
    let (fuller, what) =
        if used.value >= inodes.value { (&used, "") } else { (&inodes, "--inodes ") };
    let message = format!(
        "{:.1} % of {} in use, {} available; {:.1} % of inodes; limit {} %",
        used.value,
        bytes(space.total_bytes),
        bytes(space.available_bytes),
        inodes.value,
        fuller.limit()
    );
    let status = worse(used.status(), inodes.status());
    let finding = Finding::judged(status, format!("disk:{point}"), message)
        .measure(used)
        .measure(inodes)
        .measure(Measure::new("total_bytes", space.total_bytes))
        .measure(Measure::new("available_bytes", space.available_bytes));
    if finding.passes() {
        return finding;
    }
    finding.remedy(format!("find what grew: du -xh {what}'{point}' | sort -h | tail"))
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    fn space(used: f64, inodes_used: f64) -> Space {
        Space {
            total_bytes: 100.0,
            free_bytes: 100.0 - used,
            available_bytes: 100.0 - used,
            inodes: 100.0,
            free_inodes: 100.0 - inodes_used,
        }
    }

    #[test]
    fn m2_disk_warns_at_80_percent() {
        for (used, inodes, expected) in [
            (79.9, 10.0, Status::Pass),
            (80.0, 10.0, Status::Warn),
            (95.0, 10.0, Status::Fail),
            (10.0, 80.0, Status::Warn),
            (10.0, 99.0, Status::Fail),
        ] {
            assert_eq!(
                judge("/", &space(used, inodes), 80.0, 95.0).status,
                expected,
                "{used} {inodes}"
            );
        }
    }

    #[test]
    fn the_reserve_of_root_counts_as_in_use() {
        let reserved = Space { available_bytes: 5.0, ..space(75.0, 0.0) };
        let finding = judge("/", &reserved, 80.0, 95.0);
        assert_eq!(
            finding.message,
            "93.8 % of 100 B in use, 5 B available; 0.0 % of inodes; limit 80 %"
        );
    }

    #[test]
    fn a_file_system_without_inodes_is_not_full_of_them() {
        let btrfs = Space { inodes: 0.0, free_inodes: 0.0, ..space(10.0, 0.0) };
        assert_eq!(judge("/", &btrfs, 80.0, 95.0).status, Status::Pass);
    }

    #[test]
    fn each_real_file_system_is_found_once() {
        let mountinfo = "\
22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
23 22 0:20 / /proc rw - proc proc rw
24 22 254:1 /srv /srv/bind rw - ext4 /dev/vda1 rw
25 22 0:30 / /mnt/two\\040words rw shared:1 - fuse.sshfs x:/ rw
26 22 254:2 / /mnt/two\\040words rw master:1 shared:2 - xfs /dev/vdb rw
27 22 7:0 / /snap/core ro - squashfs /dev/loop0 ro
27 22 0:32 / /var/lib/box/root rw - overlay overlay rw
28 22 0:31 / /tmp rw - tmpfs tmpfs rw
garbled
";
        assert_eq!(parse(mountinfo), ["/", "/mnt/two words", "/tmp"]);
    }
}

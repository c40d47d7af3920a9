//! On which file system is a file, and how is it made one that can be written?

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A place where a file system is mounted.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    /// The file system itself can be written, and this place cannot.
    is_bound_read_only: bool,
}

/// What makes the file system writable that holds a file, or is to hold it.
pub(crate) fn make_writable(file: &Path) -> Option<String> {
    let there = file.ancestors().find_map(|part| fs::canonicalize(part).ok())?;
    let mount = holding(&fs::read_to_string("/proc/self/mountinfo").ok()?, &there)?;
    let bind = if mount.is_bound_read_only { "bind," } else { "" };
    Some(format!("mount -o remount,{bind}rw '{}'", mount.point.display()))
}

/// The mount that a file is on: the deepest, and of those at one place the last.
fn holding(mountinfo: &str, file: &Path) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(parse);
    mounts
        .filter(|mount| file.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

/// A line of proc_pid_mountinfo(5).
fn parse(line: &str) -> Option<Mount> {
    let (mount, system) = line.split_once(" - ")?;
    let fields: Vec<_> = mount.split(' ').collect();
    let is_read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        point: unescaped(fields.get(4)?),
        is_bound_read_only: is_read_only(fields.get(5)?)
            && !is_read_only(system.split(' ').nth(2)?),
    })
}

/// A path whose blanks and backslashes the kernel wrote as three octal digits.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let number =
            octal.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(number.unwrap_or(*first));
        rest = if number.is_some() { &after[3..] } else { after };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_on_the_deepest_mount_above_it_and_the_last_one_there() {
        let mountinfo = r"
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /home rw,relatime shared:2 - ext4 /dev/sda2 rw
31 30 8:2 / /home ro,relatime shared:3 - ext4 /dev/sda2 ro
40 22 8:1 /var/lib /var/lib/systemd/linger ro,relatime - ext4 /dev/sda1 rw,errors=remount-ro
41 22 8:3 / /mnt/my\040disk ro - ext4 /dev/sda3 ro
";
        for (file, point, is_bound_read_only) in [
            ("/home/dev/.bashrc", "/home", false),
            ("/homely", "/", false),
            ("/var/lib/systemd/linger", "/var/lib/systemd/linger", true),
            ("/mnt/my disk/x", "/mnt/my disk", false),
        ] {
            let expected = Some(Mount { point: point.into(), is_bound_read_only });
            assert_eq!(holding(mountinfo, Path::new(file)), expected, "{file}");
        }
        assert_eq!(holding("garbled\n", Path::new("/")), None);
    }
}

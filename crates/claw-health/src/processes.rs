//! The processes of the box, as `/proc` tells of them.

use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;

use crate::host::Host;

/// The numbers of all processes that can be seen.
pub(crate) fn all(host: &Host) -> Result<Vec<u32>, String> {
    let names = host.names("/proc");
    let names = names.map_err(|error| format!("cannot read '/proc': {}", error.desc()))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The numbers of the processes of a unit of the gateway's owner; none where it does not run.
pub(crate) fn of_unit(host: &Host, unit: &str) -> Vec<u32> {
    let uid = host.owner().uid;
    let group = format!(
        "/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/{unit}/cgroup.procs"
    );
    host.read(group).map_or_else(
        |_| Vec::new(),
        |text| text.lines().filter_map(|pid| pid.parse().ok()).collect(),
    )
}

/// Are the processes of other users hidden from whoever looks, wholly or in what they do? (`mount -o
/// hidepid=2 /proc`)
pub(crate) fn are_hidden(host: &Host) -> bool {
    let why = host.objection("/proc/1/stat");
    host.is_running() && matches!(why, Some(Errno::ENOENT | Errno::EACCES | Errno::EPERM))
}

/// Can a file of a process not be opened for want of means, or for none that lasts? All else is that
/// it ended, or is hidden.
fn is_for_want(host: &Host, path: &str) -> bool {
    use Errno::{EMFILE, ENFILE, ENOMEM};
    matches!(host.objection(path), None | Some(EMFILE | ENFILE | ENOMEM))
}

/// Whose process it is; nothing once it has ended.
pub(crate) fn owner(host: &Host, pid: u32) -> Option<u32> {
    host.meta(format!("/proc/{pid}")).ok().map(|meta| meta.uid())
}

/// Is that the exact name of the command that it runs: the kernel's name of it, or the file name of
/// its first argument? One that has ended and waits for its parent runs nothing.
pub(crate) fn runs(host: &Host, pid: u32, name: &str) -> Result<bool, String> {
    let path = format!("/proc/{pid}/stat");
    let stat = match host.read_bytes(&path) {
        Err(why) if is_for_want(host, &path) => return Err(why),
        Err(_) => return Ok(false),
        Ok(stat) => stat,
    };
    let Some((command, state)) = parse(&String::from_utf8_lossy(&stat)) else { return Ok(false) };
    if matches!(state, 'Z' | 'X') {
        return Ok(false);
    }
    // The kernel keeps 15 bytes of a name; a longer one is found by the first argument.
    if command == name {
        return Ok(true);
    }
    let path = format!("/proc/{pid}/cmdline");
    match host.read_bytes(&path) {
        Err(why) if is_for_want(host, &path) => Err(why),
        line => Ok(line.is_ok_and(|line| program(&line) == name.as_bytes())),
    }
}

/// Does it live still? What cannot be read for want of means may.
pub(crate) fn lives(host: &Host, pid: u64) -> bool {
    let path = format!("/proc/{pid}/stat");
    match host.read_bytes(&path) {
        Err(_) => is_for_want(host, &path),
        Ok(stat) => parse(&String::from_utf8_lossy(&stat))
            .is_none_or(|(_, state)| !matches!(state, 'Z' | 'X')),
    }
}

/// The kernel's name of the command that it runs.
pub(crate) fn command(host: &Host, pid: u32) -> Option<String> {
    let name = host.read_bytes(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
}

/// The unit that it runs in, by its control group.
pub(crate) fn unit(host: &Host, pid: u32) -> Option<String> {
    unit_of(&host.read(format!("/proc/{pid}/cgroup")).ok()?)
}

/// The numbers of the sockets that it holds; none where its files cannot be seen.
pub(crate) fn sockets(host: &Host, pid: u32) -> Vec<u32> {
    let folder = host.path(format!("/proc/{pid}/fd"));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter_map(|link| socket_of(link.to_str()?)).collect()
}

/// `socket:[123]`
fn socket_of(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The command and the state in `PID (command) S …`. The command may hold parentheses itself.
fn parse(stat: &str) -> Option<(String, char)> {
    let (_, rest) = stat.split_once('(')?;
    let (command, rest) = rest.rsplit_once(") ")?;
    Some((command.to_owned(), rest.chars().next()?))
}

/// The file name of the first argument.
fn program(line: &[u8]) -> &[u8] {
    let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
    first.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The innermost unit of the unified hierarchy, or else of systemd's own. Both are there where only
/// one of them is in use, and the other then holds no unit.
fn unit_of(text: &str) -> Option<String> {
    let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
    let unit = |path: &str| path.rsplit('/').find(is_unit).map(str::to_owned);
    let unified = text.lines().find_map(|line| unit(line.strip_prefix("0::")?));
    unified.or_else(|| text.lines().find_map(|line| unit(line.split_once(":name=systemd:")?.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        for (stat, expected) in [
            ("7 (node) S 1 7", Some(("node", 'S'))),
            ("7 (a) R (b c) Z 1", Some(("a) R (b c", 'Z'))),
            ("7 () S 1", Some(("", 'S'))),
            ("", None),
            ("7 node S 1", None),
            ("7 (node)", None),
            ("7 (node) ", None),
        ] {
            let parsed = parse(stat);
            assert_eq!(parsed.as_ref().map(|(name, state)| (name.as_str(), *state)), expected);
        }
    }

    #[test]
    fn the_program_is_the_file_name_of_the_first_argument() {
        for (line, expected) in
            [("/usr/bin/node\0x\0", "node"), ("node", "node"), ("", ""), ("\0", ""), ("a/\0", "")]
        {
            assert_eq!(program(line.as_bytes()), expected.as_bytes(), "{line:?}");
        }
    }

    #[test]
    fn the_unit_is_the_innermost_one() {
        for (text, expected) in [
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/openclaw-gateway.service\n",
                Some("openclaw-gateway.service"),
            ),
            ("0::/system.slice/ssh.service/sub\n", Some("ssh.service")),
            ("12:cpu:/x\n1:name=systemd:/user.slice/session-3.scope\n", Some("session-3.scope")),
            // A container on a host that has the old hierarchies as well.
            (
                "9:name=systemd:/\n1:cpu:/\n0::/user.slice/user@1000.service/app.slice/a.service\n",
                Some("a.service"),
            ),
            ("1:name=systemd:/system.slice/ssh.service\n0::/\n", Some("ssh.service")),
            ("0::/\n", None),
            ("", None),
            ("garbled", None),
        ] {
            assert_eq!(unit_of(text).as_deref(), expected, "{text}");
        }
    }
}

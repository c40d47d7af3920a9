//! Interface to systemd-run: a login session of a user that is nobody else's.

use std::process::Command;
use std::time::Instant;

use claw_box::Owner;
use claw_box::child::{self, NotEnded};

/// What was started in a session that has ended since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) session: String,
    pub(crate) main_pid: String,
    pub(crate) invocation_id: String,
}

/// What runs in the session: it starts a unit of the user manager, tells of it, and ends.
const SCRIPT: &str = "\
PATH=/usr/bin:/bin LC_ALL=C; export PATH LC_ALL
systemd-run --user --quiet --collect --unit=\"$1\" -- sleep \"$2\" || exit
echo \"Session=$XDG_SESSION_ID\"
exec systemctl --user show \"$1\" -p MainPID -p InvocationID
";

/// Opens a session as a log-in does, starts a unit of the user in it, and ends the session. The unit
/// ends by itself after these seconds.
///
/// The session is a service of the system with PAM's `login`: a `su` opens none where the caller has
/// one already.
pub(crate) fn start_in_session(
    owner: &Owner,
    unit: &str,
    seconds: u64,
    deadline: Instant,
) -> Result<Started, String> {
    let user = format!("--property=User={}", owner.name);
    let options = ["--quiet", "--collect", "--wait", "--pipe", &user, "--property=PAMName=login"];
    let mut command = Command::new("systemd-run");
    command.args(options).args(["--", "/bin/sh", "-c", SCRIPT, "sh", unit, &seconds.to_string()]);
    let ended = child::run(command.env("LC_ALL", "C"), deadline);
    let ended = ended.map_err(|why| match why {
        NotEnded::NotStarted(error) => format!("cannot run 'systemd-run': {error}"),
        NotEnded::Late => "the session did not end in time".to_owned(),
    })?;
    if !ended.status.success() {
        return Err(format!("no session of {} could start a unit: {}", owner.name, ended.reason()));
    }
    parse(&String::from_utf8_lossy(&ended.stdout))
}

fn parse(text: &str) -> Result<Started, String> {
    let value = |key: &str| {
        let find = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.trim().to_owned());
        text.lines().find_map(find).filter(|value| !value.is_empty())
    };
    let session = value("Session").ok_or(
        "PAM's login opens no session of logind: package libpam-systemd is missing or not in use",
    )?;
    match (value("MainPID").filter(|pid| pid != "0"), value("InvocationID")) {
        (Some(main_pid), Some(invocation_id)) => Ok(Started { session, main_pid, invocation_id }),
        _ => Err("the unit that was started tells neither its process nor its start".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_is_read_whatever_a_login_prints_before_it() {
        let text = "Welcome!\nSession=c6\nMainPID=272\nInvocationID=86973c\n";
        let started = parse(text).unwrap();
        assert_eq!(
            started,
            Started {
                session: "c6".into(),
                main_pid: "272".into(),
                invocation_id: "86973c".into()
            }
        );
        assert!(parse("Session=\nMainPID=1\nInvocationID=1\n").unwrap_err().contains("libpam"));
        assert!(parse("Session=1\nMainPID=0\nInvocationID=1\n").unwrap_err().contains("neither"));
    }
}

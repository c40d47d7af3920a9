//! How the person who reads a remedy types it.
//!
//! A remedy is written as a user types it, with `sudo` where it takes root's rights. Root is told
//! the same without it: a minimal system may have none.

use claw_box::Scope;
use nix::unistd::geteuid;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::host::Host;

/// A remedy as its reader types it.
pub(crate) fn typed(remedy: &str) -> String {
    if geteuid().is_root() { remedy.replace("sudo ", "") } else { remedy.to_owned() }
}

/// How a manager is commanded.
pub(crate) fn systemctl(host: &Host, scope: Scope) -> String {
    let owner = host.owner();
    match scope {
        Scope::System => "sudo systemctl".to_owned(),
        Scope::User if geteuid().as_raw() == owner.uid => "systemctl --user".to_owned(),
        Scope::User => format!("sudo systemctl --user -M {}@", owner.name),
    }
}

/// How the last lines about a unit are read: its manager's, and its own.
pub(crate) fn journal(host: &Host, scope: Scope, unit: &str) -> String {
    format!("{} -n 50", journal_of(host, scope, unit))
}

/// How the lines about a unit around a moment are read.
pub(crate) fn journal_around(
    host: &Host,
    scope: Scope,
    unit: &str,
    moment: OffsetDateTime,
) -> String {
    /// A start, and what came before, fit into it.
    const BEFORE: Duration = Duration::minutes(2);
    const AFTER: Duration = Duration::minutes(1);
    let (since, until) = (typed_time(moment - BEFORE), typed_time(moment + AFTER));
    format!("{} --since '{since}' --until '{until}'", journal_of(host, scope, unit))
}

fn journal_of(host: &Host, scope: Scope, unit: &str) -> String {
    match scope {
        Scope::System => format!("sudo journalctl -u {unit}"),
        Scope::User if geteuid().as_raw() == host.owner().uid => {
            format!("journalctl --user -u {unit}")
        }
        // With --user-unit, journalctl would look for units of root's own manager.
        Scope::User => format!("sudo journalctl USER_UNIT={unit} + _SYSTEMD_USER_UNIT={unit}"),
    }
}

/// A time as systemd reads it.
fn typed_time(time: OffsetDateTime) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    // There is no field in it that a time has not.
    time.to_offset(UtcOffset::UTC).format(FORMAT).unwrap_or_default()
}

/// How a unit is changed, which no `-M` can do.
pub(crate) fn edit(host: &Host, scope: Scope, unit: &str) -> String {
    match scope {
        Scope::System => format!("sudo systemctl edit {unit}"),
        Scope::User => format!("{}systemctl --user edit {unit}", said_to_owner(host)),
    }
}

/// What stands before a command that the gateway's owner has to run; nothing where that is who reads.
pub(crate) fn as_owner(host: &Host) -> String {
    let (me, owner) = (geteuid(), host.owner());
    if me.as_raw() == owner.uid {
        String::new()
    } else {
        format!("sudo runuser -u {} -- ", owner.name)
    }
}

/// Who has to type a command that needs the owner's whole environment, where it is not who reads.
pub(crate) fn said_to_owner(host: &Host) -> String {
    let owner = host.owner();
    if geteuid().as_raw() == owner.uid { String::new() } else { format!("as {}: ", owner.name) }
}

/// What lets the user manager of the owner run from now on; nothing where it is let already.
pub(crate) fn enable_linger(host: &Host) -> Option<String> {
    (!host.lingers()).then(|| format!("sudo loginctl enable-linger {}", host.owner().name))
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_systemd_reads_it() {
        let time = time::macros::datetime!(2026-11-22 01:00:02.609 +02:00);
        assert_eq!(typed_time(time), "2026-11-21 23:00:02 UTC");
    }

    #[test]
    fn a_path_with_a_quote_stays_one_word() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}

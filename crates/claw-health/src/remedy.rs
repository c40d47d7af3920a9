//! How the person who reads a remedy types it.
//!
//! A remedy is written as a user types it, with `sudo` where it takes root's rights. Root is told
//! the same without it: a minimal system may have none.

use nix::unistd::geteuid;

use crate::host::Host;
use crate::systemd::Scope;

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
    match scope {
        Scope::System => format!("sudo journalctl -u {unit} -n 50"),
        Scope::User if geteuid().as_raw() == host.owner().uid => {
            format!("journalctl --user -u {unit} -n 50")
        }
        // With --user-unit, journalctl would look for units of root's own manager.
        Scope::User => {
            format!("sudo journalctl USER_UNIT={unit} + _SYSTEMD_USER_UNIT={unit} -n 50")
        }
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
    let owner = host.owner();
    let lingers = host.path("/var/lib/systemd/linger").join(&owner.name).exists();
    (!lingers).then(|| format!("sudo loginctl enable-linger {}", owner.name))
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_quote_stays_one_word() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}

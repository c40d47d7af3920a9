//! Interface to getent: what the name services of the box know that its own files do not.
//!
//! The C library loads their modules (of systemd, LDAP, mDNS) into whoever asks, and a program that
//! is linked statically does not survive that. So another program asks.

use std::net::IpAddr;
use std::process::Command;
use std::time::Instant;

use crate::child::{self, NotEnded};

/// The line of a user, by name or by number; nothing where there is no such user.
pub fn passwd(key: &str, deadline: Instant) -> Result<Option<String>, String> {
    ask("passwd", key, deadline)
}

/// The addresses of a host, in the order in which to try them; none where nobody knows it.
pub fn ahosts(name: &str, deadline: Instant) -> Result<Vec<IpAddr>, String> {
    Ok(ask("ahosts", name, deadline)?.map_or_else(Vec::new, |text| parse(&text)))
}

fn ask(database: &str, key: &str, deadline: Instant) -> Result<Option<String>, String> {
    /// The longest name that there can be in the DNS.
    const LONGEST_BYTES: usize = 253;
    let is_key = !key.is_empty()
        && key.len() <= LONGEST_BYTES
        && !key.starts_with('-')
        && !key.contains(|c: char| c.is_control() || c == ':');
    if !is_key {
        return Ok(None);
    }
    let mut command = Command::new("getent");
    let command = command.args([database, "--", key]).env("LC_ALL", "C");
    let ended = child::run(command, deadline).map_err(|why| match why {
        NotEnded::NotStarted(error) => format!("cannot run 'getent': {error}"),
        NotEnded::Late => format!("'getent {database}' did not end in time"),
    })?;
    match ended.status.code() {
        Some(0) => Ok(Some(String::from_utf8_lossy(&ended.stdout).into_owned())),
        // The key is not in the database.
        Some(2) => Ok(None),
        _ => Err(format!("'getent {database}' failed: {}", ended.status)),
    }
}

/// `ADDRESS STREAM NAME`, and two more lines an address for the other kinds of socket.
fn parse(text: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(address), Some("STREAM")) = (words.next(), words.next())
            && let Ok(address) = address.parse()
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_address_counts_once_and_in_order() {
        let text = "2001:db8::1     STREAM a.example\n2001:db8::1     DGRAM  \n2001:db8::1     RAW    \n\
                    192.0.2.1       STREAM \n192.0.2.1       DGRAM  \n2001:db8::1 STREAM\n\
                    fe80::1%eth0    STREAM \nnonsense\n\n192.0.2.2 RAW\n";
        let addresses: Vec<_> = parse(text).iter().map(IpAddr::to_string).collect();
        assert_eq!(addresses, ["2001:db8::1", "192.0.2.1"]);
    }

    #[test]
    fn what_is_no_key_is_not_asked_for() {
        let over = Instant::now();
        for key in ["", "-x", "a\nb", "a\0b", "a:b", &"a".repeat(254)] {
            assert_eq!(passwd(key, over), Ok(None), "{key:?}");
        }
    }

    #[test]
    fn a_user_is_found_and_another_is_not() {
        let soon = || Instant::now() + Duration::from_secs(20);
        assert!(passwd("root", soon()).unwrap().unwrap().starts_with("root:"));
        assert_eq!(passwd("no-such-user", soon()), Ok(None));
    }
}

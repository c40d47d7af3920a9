//! Interface to getent: the users that the box knows beyond its own file.
//!
//! The C library loads the modules of its name services into whoever asks, and a program that is
//! linked statically does not survive that. So another program asks.

use std::process::Command;
use std::time::Instant;

use crate::child;

/// The line of a user, by name or by number; nothing where there is none, or nobody can be asked.
pub(crate) fn passwd(key: &str, deadline: Instant) -> Option<String> {
    const LONGEST_BYTES: usize = 253;
    let is_key = !key.is_empty()
        && key.len() <= LONGEST_BYTES
        && !key.starts_with('-')
        && !key.contains(|c: char| c.is_control() || c == ':');
    if !is_key {
        return None;
    }
    child::output(Command::new("getent").args(["passwd", "--", key]), deadline).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_user_is_found_and_what_is_no_name_is_not_asked_for() {
        let soon = Instant::now() + Duration::from_secs(20);
        assert!(passwd("root", soon).unwrap().starts_with("root:"));
        for key in ["no-such-user", "", "-x", "a\nb", "a:b", &"a".repeat(254)] {
            assert_eq!(passwd(key, soon), None, "{key:?}");
        }
    }
}

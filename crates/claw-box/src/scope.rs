//! Which of systemd's managers is it?

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of manager: that of the box, or that of the gateway's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// That of the box.
    System,
    /// That of the owner.
    User,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::System { "system" } else { "user" })
    }
}

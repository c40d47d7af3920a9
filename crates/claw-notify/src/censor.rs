//! No secret leaves the box in an alert, nor lies in the spool.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use claw_box::Users;
use claw_record::complain;
use claw_redact::Redactor;

/// Takes secrets out of what is accepted.
#[derive(Debug)]
pub(crate) struct Censor {
    state: PathBuf,
    /// Whose gateway it is, where that is said.
    user: Option<String>,
    known: Mutex<Option<(Redactor, Instant)>>,
}

impl Censor {
    /// One that learns what this host holds once it is needed.
    pub(crate) fn new(state: PathBuf, user: Option<String>) -> Self {
        Self { state, user, known: Mutex::new(None) }
    }

    /// The line of a record without secrets.
    pub(crate) fn line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        /// Secrets change; nobody wants those of last week.
        const KNOWN_FOR: Duration = Duration::from_secs(300);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|(_, since)| since.elapsed() > KNOWN_FOR) {
            match self.learn() {
                Ok(redactor) => *known = Some((redactor, Instant::now())),
                Err(error) => complain("claw-notify", &format!("cannot redact: {error}")),
            }
        }
        match &*known {
            Some((redactor, _)) => redactor.line(line),
            None => Cow::Borrowed(line),
        }
    }

    fn learn(&self) -> std::io::Result<Redactor> {
        let users = Users::here();
        let owner = match &self.user {
            Some(name) => users.named(name),
            None => Some(users.owner()),
        };
        let home = owner.map(|owner| owner.home.clone());
        let homes: Vec<_> = home.iter().map(PathBuf::as_path).collect();
        Redactor::of_host(&self.state, &homes, Vec::new())
    }
}

//! Work for a user, done with that user's rights.
//!
//! A user, or an agent of theirs, can put a link wherever root would write. So root starts this very
//! program again as that user, tells it one job, and reads one answer. They can have a hand in the
//! answer as well: it is judged like anything else that is foreign.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::child::{self, NotEnded};
use crate::owner::Owner;
use crate::session;

/// The work that a program can be sent on, from a job to its answer or the reason why there is none.
#[derive(Debug)]
pub struct Errand<Job, Answer> {
    /// The word by which the program is told that a job follows.
    pub word: &'static str,
    /// Does a job with the rights that the process has, until that moment at most.
    pub work: fn(&Owner, &Job, Instant) -> Result<Answer, String>,
}

#[derive(Serialize, Deserialize)]
struct Order<Job> {
    owner: Owner,
    job: Job,
    time_left: Duration,
}

impl<Job, Answer> Errand<Job, Answer>
where
    Job: Serialize + DeserializeOwned,
    Answer: Serialize + DeserializeOwned,
{
    /// Has a job done with the rights of its owner.
    pub fn ask(&self, owner: &Owner, job: Job, deadline: Instant) -> Result<Answer, String> {
        if !geteuid().is_root() || owner.uid == 0 {
            return (self.work)(owner, &job, deadline);
        }
        let time_left = deadline.saturating_duration_since(Instant::now());
        let order = Order { owner: owner.clone(), job, time_left };
        let lines = serde_json::to_string(&order).map_err(|error| error.to_string())?;
        let mut command = session::of(owner, "/proc/self/exe");
        command.arg(self.word).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command.current_dir("/");
        let name = &owner.name;
        let ended = child::send(&lines, &mut command, deadline).map_err(|why| match why {
            NotEnded::NotStarted(error) => format!("cannot run this program as {name}: {error}"),
            NotEnded::Late => format!("this program did not answer as {name} in time"),
        })?;
        serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| {
            Err(format!("this program did not answer as {name}: {}", ended.reason()))
        })
    }

    /// Does the job that this process was started for; nothing where it was not.
    pub fn serve(&self) -> Option<ExitCode> {
        if let Some(end) = session::serve() {
            return Some(end);
        }
        let mut words = std::env::args_os().skip(1);
        if words.next()? != self.word || words.next().is_some() {
            return None;
        }
        // The user may not look into this process.
        let _ = nix::sys::prctl::set_dumpable(false);
        match io::stdout().write_all(self.answer(io::stdin()).as_bytes()) {
            Ok(()) => Some(ExitCode::SUCCESS),
            Err(_) => Some(ExitCode::from(2)),
        }
    }

    /// The line of the answer to an order.
    fn answer(&self, input: impl Read) -> String {
        const LONGEST_BYTES: u64 = 64 * 1024;
        let mut text = String::new();
        let read = input.take(LONGEST_BYTES).read_to_string(&mut text);
        let order = read.map_err(serde_json::Error::io).and_then(|_| serde_json::from_str(&text));
        let answer = match order {
            Ok(Order { owner, job, time_left }) => {
                (self.work)(&owner, &job, Instant::now() + time_left)
            }
            Err(error) => Err(format!("not a job: {error}")),
        };
        serde_json::to_string(&answer).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Errand<String, String> = Errand {
        word: "errand-of-a-test",
        work: |owner, job, _| match job.as_str() {
            "home" => Ok(owner.home.display().to_string()),
            other => Err(format!("{other} is not for me")),
        },
    };

    #[test]
    fn an_order_is_answered_and_what_is_none_is_told() {
        let order = |job: &str| {
            let owner = Owner::parse("dev:x:1000:1000::/home/dev:/bin/bash").unwrap();
            let order = Order { owner, job: job.to_owned(), time_left: Duration::from_secs(1) };
            serde_json::to_string(&order).unwrap()
        };
        for (text, expected) in [
            (order("home"), r#"{"Ok":"/home/dev"}"#),
            (order("x"), r#"{"Err":"x is not for me"}"#),
            (
                "{".to_owned(),
                r#"{"Err":"not a job: EOF while parsing an object at line 1 column 1"}"#,
            ),
        ] {
            assert_eq!(HOME.answer(text.as_bytes()), expected);
        }
    }

    #[test]
    fn who_has_the_rights_works_at_once() {
        let mut me = Owner::parse("me:x:0:0::/h:").unwrap();
        me.uid = geteuid().as_raw();
        let deadline = Instant::now();
        assert_eq!(HOME.ask(&me, "home".into(), deadline).as_deref(), Ok("/h"));
        assert_eq!(HOME.ask(&me, "x".into(), deadline), Err("x is not for me".to_owned()));
    }

    /// Nothing else is told of a program of that user's than what it says itself.
    #[test]
    fn root_has_it_done_by_the_user() {
        if !geteuid().is_root() {
            return;
        }
        let nobody = Owner::parse("nobody:x:65534:65534::/:").unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        // This program is the one of the tests, and does not know the word.
        let why = HOME.ask(&nobody, "home".into(), deadline).unwrap_err();
        assert!(why.starts_with("this program did not answer as nobody"), "{why}");
    }

    #[test]
    fn a_process_that_was_started_for_something_else_goes_on() {
        assert_eq!(HOME.serve(), None);
    }
}

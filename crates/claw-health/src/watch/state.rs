//! What a monitor remembers beyond its own end, so that the next one goes on where it was.

use std::collections::{BTreeMap, VecDeque};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use claw_record::complain;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Memory;
use super::moment::since_boot;
use crate::files::replace::make_folder;
use crate::host::Host;

/// The name of what is remembered.
const NAME: &str = "watch";
/// What this version writes, and the latest that it reads.
const VERSION: u64 = 1;

/// What is kept, and of what.
#[derive(Serialize, Deserialize)]
struct Kept<M> {
    version: u64,
    boot: String,
    /// What the monitor was asked to look at.
    asked: String,
    memory: M,
}

/// Where a monitor keeps what it remembers.
#[derive(Debug)]
pub(super) struct Store {
    host: Arc<Host>,
    asked: String,
    boot: String,
    /// Held as long as the monitor runs. Without it nothing is kept.
    lock: Option<Flock<std::fs::File>>,
    /// Was it said that nothing can be kept?
    is_said: bool,
    /// What was kept last under each name, and before that what a reader may not have passed on.
    kept: BTreeMap<&'static str, Past>,
}

/// What was kept under a name.
#[derive(Debug, Default)]
struct Past {
    last: Option<Value>,
    /// What had been kept until something was told, and when that was, since boot; the oldest first.
    before: VecDeque<(Duration, Value)>,
}

/// A reader passes on what it read within that time; what it is killed with is to be told again.
const PASSED_ON: Duration = Duration::from_secs(5);

impl Past {
    fn keep(&mut self, value: &Value, now: Duration) {
        /// One a moment is enough: what is told again may be a little more.
        const APART: Duration = Duration::from_secs(1);
        let is_due = self.before.back().is_none_or(|(at, _)| *at + APART <= now);
        let last = self.last.replace(value.clone());
        self.before.extend(last.filter(|_| is_due).map(|last| (now, last)));
        while self.before.front().is_some_and(|(at, _)| *at + KEPT < now) {
            self.before.pop_front();
        }
    }

    /// What was kept before the first thing that was told since then; nothing where nothing was.
    fn until(&mut self, since: Duration) -> Option<Value> {
        let at = self.before.iter().position(|(at, _)| *at >= since)?;
        self.before.drain(at..).next().map(|(_, value)| value)
    }
}

/// A reader that reads no more is found out within that time, see [`super::reader`].
const KEPT: Duration = Duration::from_secs(30);

impl Store {
    /// Opens what the last monitor kept. One that cannot be had, or cannot be read, is said and done
    /// without.
    pub(super) fn open(host: &Arc<Host>, asked: String) -> (Self, Memory) {
        let boot = host.read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = boot.trim().to_owned();
        let host = Arc::clone(host);
        let kept = BTreeMap::new();
        let mut store = Self { host, asked, boot, lock: None, is_said: false, kept };
        // Nothing is kept of a tree, which may be another one next time.
        if !store.host.is_running() {
            return (store, Memory::fresh());
        }
        let file = store.host.memory_file(NAME);
        match locked(&file.with_extension("lock")) {
            Ok(lock) => store.lock = Some(lock),
            Err(why) => {
                let file = file.display();
                say(&format!("cannot keep '{file}': {why}; this monitor begins anew each time"));
                return (store, Memory::fresh());
            }
        }
        store.recall(NAME);
        let memory = match store.read(&file) {
            Ok(memory) => memory,
            Err(why) => {
                say(&format!("cannot use '{}': {why}; it is begun anew", file.display()));
                None
            }
        };
        (store, memory.unwrap_or_else(Memory::fresh))
    }

    fn read(&self, file: &Path) -> Result<Option<Memory>, String> {
        match self.host.objection(file) {
            Some(Errno::ENOENT) => return Ok(None),
            Some(error) => return Err(error.desc().to_owned()),
            None => {}
        }
        let bytes = self.host.read_bytes(file)?;
        let kept = parse(&bytes)?;
        let memory =
            if kept.boot == self.boot { kept.memory } else { kept.memory.of_an_earlier_boot() };
        Ok(Some(if kept.asked == self.asked { memory } else { memory.of_another() }))
    }

    /// What the last monitor kept beside its memory under that name; nothing where nothing is kept.
    pub(super) fn recall(&mut self, name: &'static str) -> Option<Value> {
        let value = self.host.recall(name).filter(|_| self.lock.is_some());
        self.kept.entry(name).or_default().last.clone_from(&value);
        value
    }

    /// The reader has ended, and may have been killed with what it read last; since then not all of
    /// it was read, where that is known. The next monitor tells it again.
    pub(super) fn lost(&mut self, unread_since: Option<Duration>, now: Duration) {
        let since = unread_since.unwrap_or(now).saturating_sub(PASSED_ON);
        let mut kept = std::mem::take(&mut self.kept);
        for (name, past) in &mut kept {
            if let Some(value) = past.until(since) {
                self.write(name, &value);
            }
        }
    }

    /// Keeps what is remembered now.
    pub(super) fn save(&mut self, memory: &mut Memory) {
        let kept = Kept {
            version: VERSION,
            boot: self.boot.clone(),
            asked: self.asked.clone(),
            memory: &*memory,
        };
        // A map of texts always becomes a value.
        let value = serde_json::to_value(kept).unwrap_or_default();
        if self.keep(NAME, &value) {
            memory.is_changed = false;
        }
    }

    /// Keeps something under that name, where anything is kept. That it cannot is said once, until it
    /// can again.
    pub(super) fn keep(&mut self, name: &'static str, value: &Value) -> bool {
        if self.lock.is_none() || !self.write(name, value) {
            return false;
        }
        self.kept.entry(name).or_default().keep(value, since_boot());
        true
    }

    fn write(&mut self, name: &str, value: &Value) -> bool {
        let saved = self.host.remember(name, value);
        match &saved {
            Ok(()) => self.is_said = false,
            Err(why) if !self.is_said => {
                say(&format!(
                    "{why}; should this monitor end, the next one may tell something twice"
                ));
                self.is_said = true;
            }
            Err(_) => {}
        }
        saved.is_ok()
    }
}

fn parse(bytes: &[u8]) -> Result<Kept<Memory>, String> {
    let foreign = |_| "it is not what a monitor keeps".to_owned();
    let value: Value = serde_json::from_slice(bytes).map_err(foreign)?;
    if value["version"].as_u64().is_some_and(|version| version > VERSION) {
        return Err("a later version wrote it".to_owned());
    }
    serde_json::from_value(value).map_err(foreign)
}

/// Two monitors that keep the same thing would each forget what the other one told.
fn locked(file: &Path) -> Result<Flock<std::fs::File>, String> {
    const MODE: u32 = 0o600;
    let open = || -> io::Result<std::fs::File> {
        make_folder(file.parent().unwrap_or(file))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(MODE).custom_flags(libc::O_NOFOLLOW);
        options.open(file)
    };
    let opened = open().map_err(|error| error.to_string())?;
    Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => "another monitor does".to_owned(),
        error => error.desc().to_owned(),
    })
}

fn say(words: &str) {
    complain("claw-health", words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n3_what_a_killed_reader_may_not_have_passed_on_is_told_again() {
        let at = Duration::from_secs;
        // What is kept when, in seconds, and what is left of it once the reader is gone.
        for (what, kept, unread_since, expected) in [
            ("nothing was told lately", &[10, 20][..], None, None),
            ("it was just told", &[10, 99], None, Some(10)),
            ("much was told at once", &[10, 97, 98, 99], None, Some(10)),
            ("it could have read that", &[10, 94, 98], None, Some(94)),
            ("it read nothing for long", &[10, 84, 98], Some(88), Some(10)),
            ("it was told first of all", &[99], None, Some(0)),
        ] {
            let mut past = Past { last: Some(0.into()), ..Past::default() };
            kept.iter().for_each(|&second| past.keep(&second.into(), at(second)));
            let since = at(unread_since.unwrap_or(100)) - PASSED_ON;
            assert_eq!(past.until(since), expected.map(Value::from), "{what}");
        }
    }

    #[test]
    fn what_no_monitor_of_this_version_kept_is_refused() {
        let foreign = "it is not what a monitor keeps";
        for (text, why) in [
            ("", foreign),
            ("{", foreign),
            ("[]", foreign),
            ("null", foreign),
            (r#"{"version":1}"#, foreign),
            (r#"{"version":1,"boot":"a","asked":"","memory":{"subjects":{"x":1}}}"#, foreign),
            (r#"{"version":2,"anything":true}"#, "a later version wrote it"),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|_| ()).unwrap_err(), why, "{text}");
        }
        assert!(parse(br#"{"version":1,"boot":"","asked":"","memory":{"subjects":{}}}"#).is_ok());
    }
}

//! What a monitor remembers beyond its own end, so that the next one goes on where it was.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use claw_record::complain;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Memory;
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
}

impl Store {
    /// Opens what the last monitor kept. One that cannot be had, or cannot be read, is said and done
    /// without.
    pub(super) fn open(host: &Arc<Host>, asked: String) -> (Self, Memory) {
        let boot = host.read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = boot.trim().to_owned();
        let host = Arc::clone(host);
        let mut store = Self { host, asked, boot, lock: None, is_said: false };
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
    pub(super) fn recall(&self, name: &str) -> Option<Value> {
        self.host.recall(name).filter(|_| self.lock.is_some())
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
    pub(super) fn keep(&mut self, name: &str, value: &Value) -> bool {
        if self.lock.is_none() {
            return false;
        }
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

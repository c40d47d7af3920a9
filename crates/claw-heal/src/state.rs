//! Where the charts are kept: one file for each owner, for nobody else to read, changed under a lock.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claw_box::{lock, private_folder};
use claw_record::Complaint;
use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};

use crate::chart::Chart;
use crate::patient::Unit;

/// What this version writes, and the latest that it reads.
const VERSION: u64 = 1;

/// What stands in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u64,
    units: BTreeMap<String, Chart>,
}

/// The file of one owner.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    name: String,
}

/// The charts, which nobody else changes as long as this is held.
#[derive(Debug)]
pub(crate) struct Charts {
    pub(crate) units: BTreeMap<String, Chart>,
    file: PathBuf,
    folder: File,
    /// What stands in the file now.
    written: BTreeMap<String, Chart>,
    _lock: Flock<File>,
}

impl Store {
    /// The store of that user in a state folder.
    pub(crate) fn new(state: &Path, name: &str) -> Self {
        Self { folder: state.join("heal"), name: name.to_owned() }
    }

    /// The charts, as they are now; nothing is made.
    pub(crate) fn read(&self) -> Result<BTreeMap<String, Chart>, Complaint> {
        read(&self.file()).map_err(|error| self.cannot("read", error))
    }

    /// The charts, to be changed. Waits for whoever else changes them, though not for ever.
    pub(crate) fn open(&self, patience: Duration) -> Result<Charts, Complaint> {
        let open = || {
            private_folder(&self.folder)?;
            let file = self.file();
            let mut open = OpenOptions::new();
            open.create(true).truncate(false).write(true).mode(0o600);
            let lock = lock(open.open(file.with_extension("lock"))?, patience)?
                .ok_or_else(|| io::Error::other("another claw-heal holds it"))?;
            let units = read(&file)?;
            let (written, folder) = (units.clone(), File::open(&self.folder)?);
            Ok(Charts { units, file, folder, written, _lock: lock })
        };
        open().map_err(|error: io::Error| self.cannot("use", error))
    }

    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.name))
    }

    fn cannot(&self, verb: &str, error: io::Error) -> Complaint {
        Complaint::cannot(verb, &self.file().display().to_string(), error)
    }
}

impl Charts {
    /// The chart of a unit.
    pub(crate) fn of(&mut self, unit: &Unit) -> &mut Chart {
        self.units.entry(unit.to_string()).or_default()
    }

    /// Writes them down, where anything changed. Once that is done, they are there after a power cut.
    pub(crate) fn save(&mut self) -> Result<(), Complaint> {
        if self.units == self.written {
            return Ok(());
        }
        let write = || {
            let mut beside = tempfile::Builder::new()
                .prefix(".claw-heal-")
                .suffix(".tmp")
                .tempfile_in(self.file.parent().unwrap_or(Path::new(".")))?;
            let kept = Kept { version: VERSION, units: self.units.clone() };
            serde_json::to_writer(&mut beside, &kept)?;
            beside.write_all(b"\n")?;
            beside.as_file().sync_all()?;
            beside.persist(&self.file).map_err(|error| error.error)?;
            self.folder.sync_all()
        };
        write().map_err(|error: io::Error| {
            Complaint::cannot("write", &self.file.display().to_string(), error)
        })?;
        self.written.clone_from(&self.units);
        Ok(())
    }
}

fn read(file: &Path) -> io::Result<BTreeMap<String, Chart>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    // What cannot be read is never begun anew in silence: it would be a budget that nobody used.
    let kept: Kept = serde_json::from_slice(&bytes)?;
    if kept.version > VERSION {
        return Err(io::Error::other("a later version wrote it"));
    }
    Ok(kept.units)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use nix::unistd::geteuid;

    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "dev");
        (folder, store)
    }

    fn unit() -> Unit {
        "user/a".parse().unwrap()
    }

    #[test]
    fn what_is_saved_is_there_for_the_next_one_and_for_nobody_else() {
        let (folder, store) = store();
        let mut charts = store.open(SOON).unwrap();
        charts.of(&unit()).answered = "x".into();
        charts.save().unwrap();
        drop(charts);
        assert_eq!(store.open(SOON).unwrap().of(&unit()).answered, "x");
        assert_eq!(store.read().unwrap().len(), 1);
        let mode = |path: &str| {
            fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(
            (mode("heal"), mode("heal/dev.json"), mode("heal/dev.lock")),
            (0o700, 0o600, 0o600)
        );
        assert_eq!(fs::read_dir(folder.path().join("heal")).unwrap().count(), 2);
    }

    #[test]
    fn root_makes_nothing_where_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let foreign = folder.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o777)).unwrap();
        let opened = Store::new(&foreign, "dev").open(SOON);
        assert_eq!(opened.is_err(), geteuid().is_root());
        assert_eq!(foreign.join("heal").exists(), !geteuid().is_root());
    }

    #[test]
    fn a_second_one_waits_and_then_says_so() {
        let (_folder, store) = store();
        let held = store.open(SOON).unwrap();
        let why = store.open(SOON).unwrap_err().to_string();
        assert!(why.ends_with("dev.json': another claw-heal holds it"), "{why}");
        drop(held);
        store.open(SOON).unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_no_empty_budget() {
        let (folder, store) = store();
        store.open(SOON).unwrap();
        let file = folder.path().join("heal/dev.json");
        for text in ["", "{", "[]", r#"{"version":2,"units":{}}"#] {
            fs::write(&file, text).unwrap();
            assert!(store.open(SOON).is_err(), "{text}");
        }
    }
}

//! The box that is looked at: this one, or the tree of files of another.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use claw_box::{Owner, Scope, Users, state_folder};
use claw_record::Complaint;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use serde_json::Value;

use crate::files::replace::{make_folder, replace};
use crate::systemd::Manager;

/// Which box it is, and where on it things are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// The tree of another host, read in place of this one's
    #[arg(long, env = "CLAW_ROOT", hide_env_values = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,

    /// Whose gateway it is; by default yours, or for root that of the user who has one
    #[arg(long, env = "CLAW_USER", hide_env_values = true, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Where the gateway answers; by default the port of its configuration, on 127.0.0.1
    #[arg(long, env = "CLAW_GATEWAY_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) gateway_url: Option<String>,

    /// The gateway's unit in the user manager
    #[arg(
        long,
        env = "CLAW_GATEWAY_UNIT",
        hide_env_values = true,
        value_name = "UNIT",
        default_value = "openclaw-gateway.service"
    )]
    pub(crate) gateway_unit: String,

    /// The monitor's unit in the system manager
    #[arg(
        long,
        env = "CLAW_MONITOR_UNIT",
        hide_env_values = true,
        value_name = "UNIT",
        default_value = "openclaw-agent-monitor.service"
    )]
    pub(crate) monitor_unit: String,

    /// The agents' workspace; by default ~/.openclaw/workspace
    #[arg(long, env = "CLAW_WORKSPACE", hide_env_values = true, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,

    /// Where backups are; by default ~/.openclaw/backups
    #[arg(long, env = "CLAW_BACKUPS", hide_env_values = true, value_name = "DIR")]
    pub(crate) backups: Option<PathBuf>,

    /// Where the last look is remembered; by default $STATE_DIRECTORY, then /var/lib/claw or ~/.local/state/claw
    #[arg(long, env = "CLAW_STATE", hide_env_values = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// The box, with what the checks need to know of it before they look.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its name, as it stands in every record.
    pub(crate) name: String,
    /// The gateway's unit in the user manager.
    pub(crate) gateway_unit: String,
    /// The monitor's unit in the system manager.
    pub(crate) monitor_unit: String,
    root: Option<PathBuf>,
    owner: OnceLock<Owner>,
    /// Is the owner the same at each look: named, or whoever asks?
    is_owner_fixed: bool,
    managers: [OnceLock<Result<Manager, String>>; 2],
    gateway_url: Option<String>,
    workspace: Option<PathBuf>,
    backups: Option<PathBuf>,
    state: OnceLock<PathBuf>,
}

/// The largest file that is read whole.
const FILE_LIMIT_BYTES: u64 = 8 * 1024 * 1024;

impl Host {
    /// The box that the command line means.
    pub(crate) fn new(place: &Place) -> Result<Self, Complaint> {
        if let Some(root) = &place.root
            && !root.is_dir()
        {
            return Err(Complaint::cannot("look at", &root.display().to_string(), "not a folder"));
        }
        if let Some(root) = &place.root
            && let Err(Errno::ENOSYS | Errno::EPERM) = open_in(root, Path::new("."), OFlag::O_PATH)
        {
            let why = "this kernel, or what this process runs within, has no openat2, which keeps \
                       its links within it";
            return Err(Complaint::cannot("look at", &root.display().to_string(), why));
        }
        let mut host = Self {
            name: String::new(),
            gateway_unit: place.gateway_unit.clone(),
            monitor_unit: place.monitor_unit.clone(),
            root: place.root.clone(),
            owner: OnceLock::new(),
            is_owner_fixed: place.user.is_some()
                || place.root.is_none() && !nix::unistd::geteuid().is_root(),
            managers: [const { OnceLock::new() }; 2],
            gateway_url: place.gateway_url.clone(),
            workspace: place.workspace.clone(),
            backups: place.backups.clone(),
            state: place.state.clone().map_or_else(OnceLock::new, OnceLock::from),
        };
        host.name = host.find_name();
        if let Some(user) = &place.user {
            let owner = host.users().named(user).ok_or_else(|| {
                Complaint::cannot("look at", user, "there is no such user on this box")
            })?;
            host.owner = OnceLock::from(owner);
        }
        Ok(host)
    }

    fn find_name(&self) -> String {
        let read = |path| self.read(path).ok().map(|name| name.trim().to_owned());
        let name = if self.is_running() {
            nix::unistd::gethostname().ok().map(|name| name.to_string_lossy().into_owned())
        } else {
            read("/etc/hostname").or_else(|| read("/proc/sys/kernel/hostname"))
        };
        name.unwrap_or_default()
    }

    /// Is it this box, and not the tree of another?
    pub(crate) fn is_running(&self) -> bool {
        self.root.is_none()
    }

    /// Was it booted with systemd? The test is that of `sd_booted(3)`.
    pub(crate) fn has_systemd(&self) -> bool {
        self.path("/run/systemd/system").is_dir()
    }

    /// The name of process 1.
    pub(crate) fn first_process(&self) -> String {
        self.read("/proc/1/comm")
            .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
    }

    /// Whose gateway it is.
    pub(crate) fn owner(&self) -> &Owner {
        self.owner.get_or_init(|| self.users().owner())
    }

    fn users(&self) -> Users {
        match &self.root {
            None => Users::here(),
            Some(tree) => Users::of_tree(tree, &self.read("/etc/passwd").unwrap_or_default()),
        }
    }

    /// A manager of systemd, connected at the first time of asking, or the reason why it cannot be.
    pub(crate) fn manager(&self, scope: Scope) -> Result<&Manager, String> {
        self.managers[scope as usize]
            .get_or_init(|| Manager::connect(self, scope))
            .as_ref()
            .map_err(String::clone)
    }

    /// Does its owner's manager start at boot, and outlive log-out?
    pub(crate) fn lingers(&self) -> bool {
        self.path("/var/lib/systemd/linger").join(&self.owner().name).exists()
    }

    /// OpenClaw's own folder.
    pub(crate) fn openclaw_home(&self) -> PathBuf {
        self.owner().home.join(".openclaw")
    }

    /// Has its owner an OpenClaw: its folder, its unit, or an address to find it at?
    pub(crate) fn has_openclaw(&self) -> bool {
        let unit = self.owner().home.join(".config/systemd/user").join(&self.gateway_unit);
        self.gateway_url.is_some()
            || self.path(self.openclaw_home()).is_dir()
            || self.path(unit).is_file()
    }

    /// Where the gateway was said to answer.
    pub(crate) fn gateway_url(&self) -> Option<&str> {
        self.gateway_url.as_deref()
    }

    /// The agents' workspace.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.workspace.clone().unwrap_or_else(|| self.openclaw_home().join("workspace"))
    }

    /// Where its backups are.
    pub(crate) fn backups(&self) -> PathBuf {
        self.backups.clone().unwrap_or_else(|| self.openclaw_home().join("backups"))
    }

    /// Where a file of the box is found: the same place, or the one below the tree's root.
    ///
    /// For what cannot hold a link out of the tree; a file's content is read with [`Host::read`].
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.as_ref().strip_prefix("/").unwrap_or(path.as_ref())),
            None => path.as_ref().to_owned(),
        }
    }

    /// A file of the box as text. The reason why it cannot be read names it.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Result<String, String> {
        self.read_of(path.as_ref(), None)
    }

    /// A file of the box as it is, for what need not be text.
    pub(crate) fn read_bytes(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, String> {
        let path = path.as_ref();
        self.bytes(path, None).map_err(|why| format!("cannot read '{}': {why}", path.display()))
    }

    /// A file that the gateway's owner may have written, as text. Root reads it only where it is
    /// the owner's, so that a link cannot lead to what the owner may not read.
    pub(crate) fn read_owned(&self, path: impl AsRef<Path>) -> Result<String, String> {
        let by_root = self.is_running() && nix::unistd::geteuid().is_root();
        self.read_of(path.as_ref(), by_root.then(|| self.owner().uid))
    }

    fn read_of(&self, path: &Path, owner: Option<u32>) -> Result<String, String> {
        let text = self
            .bytes(path, owner)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
        text.map_err(|why| format!("cannot read '{}': {why}", path.display()))
    }

    /// What the kernel keeps of a file, without opening it: a device or a pipe is not touched.
    pub(crate) fn meta(&self, path: impl AsRef<Path>) -> nix::Result<Metadata> {
        let file = File::from(self.open(path.as_ref(), OFlag::O_PATH)?);
        file.metadata().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))
    }

    /// Why a file of the box cannot be opened to be read; nothing where it can.
    pub(crate) fn objection(&self, path: impl AsRef<Path>) -> Option<Errno> {
        self.open(path.as_ref(), OFlag::O_RDONLY).err()
    }

    /// A folder of the box, held open.
    pub(crate) fn folder(&self, path: impl AsRef<Path>) -> nix::Result<OwnedFd> {
        self.open(path.as_ref(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }

    /// The names in a folder, sorted; those that are not UTF-8 are none that a check knows.
    pub(crate) fn names(&self, path: impl AsRef<Path>) -> nix::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::from_fd(self.folder(path)?)?.iter() {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn bytes(&self, path: &Path, owner: Option<u32>) -> Result<Vec<u8>, String> {
        let opened = self.open(path, OFlag::O_RDONLY);
        let file = File::from(opened.map_err(|error| error.desc().to_owned())?);
        let meta = file.metadata().map_err(|error| error.to_string())?;
        if !meta.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        if owner.is_some_and(|owner| meta.uid() != owner) {
            return Err(format!("it is not {}'s own", self.owner().name));
        }
        /// Most files of /proc in one go: what is read in pieces may change in between.
        const AT_ONCE_BYTES: usize = 8 * 1024;
        let mut bytes = Vec::with_capacity(AT_ONCE_BYTES);
        let mut part = file.take(FILE_LIMIT_BYTES + 1);
        part.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > FILE_LIMIT_BYTES {
            return Err(format!("it is larger than {FILE_LIMIT_BYTES} bytes"));
        }
        Ok(bytes)
    }

    /// Opens a file without waiting for it. A link in a tree leads nowhere outside it.
    fn open(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let mut flags = flags | OFlag::O_CLOEXEC;
        if !flags.contains(OFlag::O_PATH) {
            flags |= OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        }
        let Some(root) = &self.root else {
            return nix::fcntl::open(path, flags, Mode::empty());
        };
        open_in(root, path, flags)
    }

    /// The same box for another look. Nothing is kept that may have changed since, such as a
    /// connection, or one that could not be had.
    pub(crate) fn anew(&self) -> Self {
        let mut host = Self {
            name: String::new(),
            gateway_unit: self.gateway_unit.clone(),
            monitor_unit: self.monitor_unit.clone(),
            root: self.root.clone(),
            owner: if self.is_owner_fixed { self.owner.clone() } else { OnceLock::new() },
            is_owner_fixed: self.is_owner_fixed,
            managers: [const { OnceLock::new() }; 2],
            gateway_url: self.gateway_url.clone(),
            workspace: self.workspace.clone(),
            backups: self.backups.clone(),
            state: self.state.clone(),
        };
        host.name = host.find_name();
        host
    }

    /// What a check remembered of its last look; nothing where there was none, or where it was of
    /// another version.
    pub(crate) fn recall(&self, name: &str) -> Option<Value> {
        if !self.is_running() {
            return None;
        }
        /// What is remembered is a few lines.
        const LIMIT_BYTES: usize = 1024 * 1024;
        let bytes = self.read_bytes(self.memory_file(name)).ok()?;
        if bytes.len() > LIMIT_BYTES { None } else { serde_json::from_slice(&bytes).ok() }
    }

    /// Remembers something for the next look: written beside and renamed, for nobody else to read.
    pub(crate) fn remember(&self, name: &str, value: &Value) -> Result<(), String> {
        if !self.is_running() {
            return Ok(());
        }
        let file = self.memory_file(name);
        let folder = file.parent().unwrap_or(&file);
        make_folder(folder)
            .and_then(|()| replace(&file, value.to_string().as_bytes(), 0o600))
            .map_err(|error| format!("cannot write '{}': {error}", file.display()))
    }

    /// Where something is remembered.
    pub(crate) fn memory_file(&self, name: &str) -> PathBuf {
        self.state.get_or_init(state_folder).join("health").join(format!("{name}.json"))
    }
}

/// Opens a file of a tree, of which links do not lead out.
fn open_in(root: &Path, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let folder = nix::fcntl::open(root, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    openat2(folder, path, OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT))
}

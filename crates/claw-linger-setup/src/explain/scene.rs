//! What is so on this box, and in this shell: all that a cause is judged by.
//!
//! Files are read, and managers that run are asked for the state of units. Nothing is started.

use std::fs;
use std::path::Path;

use claw_box::{Owner, Scope, Users};

use super::caller::Caller;
use super::folder;
use super::init::Init;
use super::sockets::{Listeners, Socket};
use super::states::{Failure, Sight, States};
use super::text::{Heard, Text, is_unit};
use super::units::Units;
use crate::manager;
use crate::runtime_dir::Folder;

#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Whose services they are.
    pub(crate) owner: Owner,
    pub(crate) caller: Caller,
    pub(crate) init: Init,
    pub(crate) lingers: bool,
    /// The owner's manager, at its own socket.
    pub(crate) manager: Socket,
    /// The owner's session bus.
    pub(crate) bus: Socket,
    pub(crate) system_bus: Socket,
    /// Can an ordinary user be let do something by polkit?
    pub(crate) has_polkit: bool,
    /// Does the system never start logind?
    pub(crate) is_logind_masked: bool,
    pub(crate) runtime: Option<Folder>,
    pub(crate) units: Units,
    pub(crate) users: Users,
    /// Is the gateway's configuration there?
    pub(crate) has_configuration: bool,
    /// Does the user manager as a whole start after the network?
    pub(crate) waits_for_network: bool,
    /// The units of the owner's that have a process.
    pub(crate) running: Vec<String>,
    /// What the managers say of the gateways and of what a text names.
    pub(crate) states: States,
    /// Does the owner's manager say anything?
    pub(crate) sight: Sight,
    /// Why the owner's manager may be silent.
    pub(crate) stillness: Stillness,
}

/// What keeps a manager from doing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stillness {
    None,
    /// Its control group is frozen.
    Frozen,
    /// Its process was stopped by a signal.
    Stopped,
}

/// How it stands with a unit here and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Now {
    Runs,
    Failed(Failure),
    /// It does nothing, and has not failed.
    Rests,
    Absent,
    /// There is a file of it, and nobody could be asked.
    Unseen,
}

/// What a shell knows of the owner's manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    /// Where it is.
    Right,
    Unset,
    /// The runtime folder of another user, by number.
    Foreign(u32),
    /// Something else.
    Wrong(String),
}

impl Scene {
    pub(crate) fn look(owner: Owner, text: Option<&Text>) -> Self {
        let listeners = Listeners::look();
        let below = |name: &str| listeners.at(&format!("/run/user/{}/{name}", owner.uid));
        let scene = Self {
            caller: Caller::look(),
            init: Init::of(Path::new("/")),
            lingers: Path::new("/var/lib/systemd/linger")
                .join(&owner.name)
                .symlink_metadata()
                .is_ok(),
            manager: below("systemd/private"),
            bus: below("bus"),
            system_bus: listeners.at("/run/dbus/system_bus_socket"),
            has_polkit: has_polkit(),
            is_logind_masked: manager::is_masked("systemd-logind.service"),
            runtime: Folder::of(&owner).ok().flatten(),
            units: Units::look(&owner),
            users: Users::here(),
            has_configuration: folder::Folder::below(&owner.home, ".openclaw")
                .is_some_and(|folder| folder.has("openclaw.json")),
            waits_for_network: waits_for_network(owner.uid),
            running: running(owner.uid),
            states: States::default(),
            sight: Sight::Clear,
            stillness: Stillness::None,
            owner,
        };
        scene.asked(text)
    }

    /// With what the managers say.
    fn asked(mut self, text: Option<&Text>) -> Self {
        let is_root = self.caller.is_root();
        let named = || text.into_iter().flat_map(Text::units).map(str::to_owned);
        // A socket without its service would start it; root has a way without the bus.
        let is_bus_up =
            || self.system_bus.listens() && SYSTEM_BUS.iter().any(|unit| manager::is_up(unit));
        if self.init == Init::Systemd && (is_root || is_bus_up()) {
            let units: Vec<_> = std::iter::once(self.own_unit()).chain(named()).collect();
            self.states.ask_systems(&units);
        }
        if self.manager.listens() {
            let gateways = self.units.gateways().into_iter().filter(|unit| is_unit(unit));
            let mut units: Vec<_> = gateways.map(str::to_owned).chain(named()).collect();
            // A manager that has nothing to say of a gateway still says that it is there.
            units.push("default.target".to_owned());
            units.sort();
            units.dedup();
            let is_allowed = is_root || self.is_own();
            self.sight = self.states.ask_users(&self.owner, is_allowed, &units);
        }
        if self.sight == Sight::Silent {
            self.stillness = stillness(self.owner.uid);
        }
        self
    }

    /// The unit that the owner's manager is to the system.
    pub(crate) fn own_unit(&self) -> String {
        format!("user@{}.service", self.owner.uid)
    }

    /// What the owner's manager stands on, and somebody masked: the name of the file.
    pub(crate) fn masked_below(&self) -> Option<&str> {
        let uid = self.owner.uid;
        [format!("user-runtime-dir@{uid}.service"), self.own_unit()].iter().find_map(|unit| {
            let file = self.units.file(Scope::System, unit).filter(|file| file.is_masked)?;
            file.path.file_name()?.to_str()
        })
    }

    /// The manager that a unit of a text is of.
    pub(crate) fn scope(&self, heard: &Heard<'_>, unit: &str) -> Scope {
        let is_of = |scope| self.units.file(scope, unit).is_some();
        match heard.text.scope() {
            Some(scope) => scope,
            None if is_of(Scope::System) && !is_of(Scope::User) => Scope::System,
            None => Scope::User,
        }
    }

    /// How it stands with a unit.
    pub(crate) fn now(&self, scope: Scope, unit: &str) -> Now {
        let Some(state) = self.states.of(scope, unit) else {
            return if scope == Scope::User && self.runs(unit) {
                Now::Runs
            } else if self.units.file(scope, unit).is_none() {
                Now::Absent
            } else {
                Now::Unseen
            };
        };
        match state.failure() {
            Some(failure) => Now::Failed(failure),
            None if state.is_running() => Now::Runs,
            None if state.is_absent() => Now::Absent,
            None => Now::Rests,
        }
    }

    /// A gateway of the owner's that failed in a way that is looked for.
    pub(crate) fn failed_gateway<T>(
        &self,
        is_it: impl Fn(Failure) -> Option<T>,
    ) -> Option<(&str, T)> {
        self.units.gateways().into_iter().find_map(|unit| match self.now(Scope::User, unit) {
            Now::Failed(failure) => Some((unit, is_it(failure)?)),
            _ => None,
        })
    }

    /// Does a unit of the owner's run, as its control group tells?
    pub(crate) fn runs(&self, unit: &str) -> bool {
        self.running.iter().any(|running| running == unit)
    }

    /// Is it the owner who asks?
    pub(crate) fn is_own(&self) -> bool {
        self.caller.uid == self.owner.uid
    }

    pub(crate) fn runtime_dir(&self) -> String {
        format!("/run/user/{}", self.owner.uid)
    }

    /// What this shell knows of the owner's manager.
    pub(crate) fn shell(&self) -> Shell {
        let right = self.runtime_dir();
        let Some(path) = self.caller.runtime_dir.as_deref() else {
            let bus = format!("unix:path={right}/bus");
            return match self.caller.bus_address.as_deref() {
                Some(address) if address.split(',').next() == Some(&bus) && self.bus.listens() => {
                    Shell::Right
                }
                Some(address) => match address.strip_prefix("unix:path=/run/user/") {
                    Some(rest) => match rest.split('/').next().and_then(|uid| uid.parse().ok()) {
                        Some(uid) if uid != self.owner.uid => Shell::Foreign(uid),
                        _ => Shell::Unset,
                    },
                    None => Shell::Unset,
                },
                None => Shell::Unset,
            };
        };
        let path = path.trim_end_matches('/');
        if path == right {
            return Shell::Right;
        }
        match path.strip_prefix("/run/user/").and_then(|uid| uid.parse().ok()) {
            Some(uid) => Shell::Foreign(uid),
            None => Shell::Wrong(path.to_owned()),
        }
    }

    /// The name of a user, or the number where nobody knows it.
    pub(crate) fn user(&self, uid: u32) -> String {
        let user = self.users.numbered(uid);
        user.map_or_else(|| format!("user id {uid}"), |user| user.name.clone())
    }
}

/// Has somebody put the user manager behind the network?
fn waits_for_network(uid: u32) -> bool {
    let folders = [format!("user@{uid}.service.d"), "user@.service.d".to_owned()];
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(Path::new("/etc/systemd/system").join(folder)));
    files.flatten().flatten().any(|file| {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        text.lines()
            .any(|line| line.starts_with("After=") && line.contains("network-online.target"))
    })
}

/// The units of a user's manager that have a control group, which goes with their last process.
fn running(uid: u32) -> Vec<String> {
    let manager = format!("user.slice/user-{uid}.slice/user@{uid}.service/app.slice");
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"]
        .iter()
        .flat_map(|root| fs::read_dir(Path::new(root).join(&manager)))
        .flatten()
        .flatten()
        .filter(|entry| {
            let processes = fs::read(entry.path().join("cgroup.procs"));
            processes.is_ok_and(|processes| !processes.is_empty())
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The services that can be the system bus.
const SYSTEM_BUS: [&str; 2] = ["dbus.service", "dbus-broker.service"];

/// What keeps a user's manager from answering.
fn stillness(uid: u32) -> Stillness {
    let slice = format!("/sys/fs/cgroup/user.slice/user-{uid}.slice");
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let manager = format!("{slice}/user@{uid}.service");
    if read(&format!("{manager}/cgroup.events")).lines().any(|line| line == "frozen 1") {
        return Stillness::Frozen;
    }
    let processes = read(&format!("{manager}/init.scope/cgroup.procs"));
    let is_stopped = processes.lines().any(|pid| {
        let stat = read(&format!("/proc/{pid}/stat"));
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['T', 't']))
    });
    if is_stopped { Stillness::Stopped } else { Stillness::None }
}

fn has_polkit() -> bool {
    let service = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service";
    Path::new(service).exists() && !manager::is_masked("polkit.service")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::caller::Way;
    use super::*;

    /// dev's box as it should be, seen by dev in a login of its own.
    pub(crate) fn good() -> Scene {
        let passwd = "root:x:0:0::/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/bash\n";
        let users = Users::of_tree(Path::new("/"), passwd);
        Scene {
            owner: users.numbered(1000).unwrap().clone(),
            caller: Caller {
                uid: 1000,
                way: Way::Login,
                runtime_dir: Some("/run/user/1000".to_owned()),
                bus_address: Some("unix:path=/run/user/1000/bus".to_owned()),
                home: Some("/home/dev".to_owned()),
                session: Some(1000),
                may_sudo: true,
            },
            init: Init::Systemd,
            lingers: true,
            manager: Socket::Listens,
            bus: Socket::Listens,
            system_bus: Socket::Listens,
            has_polkit: true,
            is_logind_masked: false,
            runtime: Some(Folder { is_folder: true, uid: 1000, mode: 0o700, is_own_tmpfs: true }),
            units: Units::default(),
            users,
            has_configuration: true,
            waits_for_network: false,
            running: Vec::new(),
            states: States::default(),
            sight: Sight::Clear,
            stillness: Stillness::None,
        }
    }

    /// The same where linger is off and nobody is logged in.
    pub(crate) fn off() -> Scene {
        Scene {
            lingers: false,
            manager: Socket::Absent,
            bus: Socket::Absent,
            runtime: None,
            ..good()
        }
    }

    /// The same, seen by one who came another way.
    pub(crate) fn by(scene: Scene, uid: u32, way: Way, runtime_dir: Option<&str>) -> Scene {
        let runtime_dir = runtime_dir.map(str::to_owned);
        let bus_address = runtime_dir.as_ref().map(|path| format!("unix:path={path}/bus"));
        let caller = Caller {
            uid,
            way,
            runtime_dir,
            bus_address,
            home: None,
            session: None,
            may_sudo: false,
        };
        Scene { caller, ..scene }
    }

    #[test]
    fn a_shell_knows_where_the_manager_is_or_not() {
        for (runtime_dir, bus, expected) in [
            (None, None, Shell::Unset),
            (Some("/run/user/1000"), None, Shell::Right),
            (Some("/run/user/1000/"), Some("unix:path=/tmp/gone"), Shell::Right),
            (None, Some("unix:path=/run/user/1000/bus"), Shell::Right),
            (None, Some("unix:path=/run/user/1000/bus,guid=1"), Shell::Right),
            (None, Some("unix:path=/tmp/gone"), Shell::Unset),
            (None, Some("unix:path=/run/user/0/bus"), Shell::Foreign(0)),
            (Some("/run/user/0"), Some("unix:path=/run/user/1000/bus"), Shell::Foreign(0)),
            (Some("/tmp/x"), None, Shell::Wrong("/tmp/x".to_owned())),
        ] {
            let mut scene = good();
            scene.caller.runtime_dir = runtime_dir.map(str::to_owned);
            scene.caller.bus_address = bus.map(str::to_owned);
            assert_eq!(scene.shell(), expected, "{runtime_dir:?} {bus:?}");
        }
    }
}

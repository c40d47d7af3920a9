//! A remedy as the one who asks has to type it.

use claw_box::Scope;

use super::caller::Way;
use super::scene::{Scene, Shell};

/// A step of a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A command that takes root's rights.
    Root(String),
    /// What the owner's manager is told, as it follows `systemctl --user`.
    Manager(String),
    /// What the system's manager is told, as it follows `systemctl`.
    System(String),
    /// A command for the owner, in a login of its own.
    Owner(String),
    /// A command for the owner, who needs no more than the rights for it.
    Plain(String),
    /// The last lines of a unit of the owner's.
    Journal(String),
    /// The way to the owner's manager for what is typed from now on.
    Environment,
}

/// The steps as one line.
pub(crate) fn line(scene: &Scene, steps: &[Step]) -> String {
    let mut typed = Line { scene, parts: Vec::new(), is_found: scene.shell() == Shell::Right };
    for step in steps {
        typed.step(step);
    }
    typed.join()
}

/// Everything is set up: the services of the owner live on, and this shell reaches them.
pub(crate) fn set_up(scene: &Scene) -> String {
    let name = &scene.owner.name;
    let mut steps = Vec::new();
    if scene.is_own() && !scene.caller.is_root() && scene.has_polkit {
        // polkit lets everybody linger, by default.
        steps.push(Step::Owner("claw-linger-setup --apply".to_owned()));
    } else {
        steps.push(Step::Root(format!("claw-linger-setup --apply --user {name}")));
    }
    if scene.is_own() && scene.shell() != Shell::Right {
        steps.push(Step::Environment);
    }
    line(scene, &steps)
}

/// The last lines of a unit that failed, and its next start.
pub(crate) fn again(scene: &Scene, scope: Scope, unit: &str) -> String {
    let name = quoted(unit);
    let verbs = [format!("reset-failed {name}"), format!("start {name}")];
    let steps: Vec<_> = match scope {
        Scope::System => std::iter::once(Step::Root(format!("journalctl -u {name} -n 50")))
            .chain(verbs.map(Step::System))
            .collect(),
        Scope::User => {
            std::iter::once(Step::Journal(name)).chain(verbs.map(Step::Manager)).collect()
        }
    };
    line(scene, &steps)
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

struct Line<'a> {
    scene: &'a Scene,
    /// Is it for root, and the command.
    parts: Vec<(bool, String)>,
    /// Does the shell find the owner's manager by now?
    is_found: bool,
}

impl Line<'_> {
    fn step(&mut self, step: &Step) {
        let (name, is_own) = (&self.scene.owner.name, self.scene.is_own());
        match step {
            Step::Root(command) => self.parts.push((true, command.clone())),
            Step::System(verbs) => self.parts.push((true, format!("systemctl {verbs}"))),
            Step::Manager(verbs) if is_own => {
                self.find();
                self.parts.push((false, format!("systemctl --user {verbs}")));
            }
            Step::Manager(verbs) => {
                // -M goes by the session bus, which not every box has.
                let way = if self.scene.bus.listens() {
                    format!("systemctl --user -M {name}@")
                } else {
                    let path = self.scene.runtime_dir();
                    format!("runuser -u {name} -- env XDG_RUNTIME_DIR={path} systemctl --user")
                };
                self.parts.push((true, format!("{way} {verbs}")));
            }
            Step::Owner(command) if is_own => {
                let home = self.scene.owner.home.to_string_lossy();
                // With another's, it would look for its files there.
                let is_right = self.scene.caller.home.as_ref().is_none_or(|is| **is == *home);
                let set = if is_right { String::new() } else { format!("HOME={} ", quoted(&home)) };
                self.parts.push((false, format!("{set}{command}")));
            }
            Step::Plain(command) => self.parts.push((!is_own, command.clone())),
            Step::Owner(command) => {
                self.parts.push((true, format!("su - {name} -c {}", quoted(command))));
            }
            Step::Journal(unit) if is_own => {
                self.parts.push((false, format!("journalctl --user -u {unit} -n 50")));
            }
            // With --user-unit, journalctl would look for units of root's own manager.
            Step::Journal(unit) => self.parts.push((
                true,
                format!("journalctl USER_UNIT={unit} + _SYSTEMD_USER_UNIT={unit} -n 50"),
            )),
            Step::Environment => self.find(),
        }
    }

    fn find(&mut self) {
        if self.is_found {
            return;
        }
        self.is_found = true;
        let path = self.scene.runtime_dir();
        let command = match &self.scene.caller.bus_address {
            Some(address) if !address.starts_with(&format!("unix:path={path}/bus")) => {
                format!(
                    "export XDG_RUNTIME_DIR={path} DBUS_SESSION_BUS_ADDRESS=unix:path={path}/bus"
                )
            }
            _ => format!("export XDG_RUNTIME_DIR={path}"),
        };
        self.parts.push((false, command));
    }

    fn join(self) -> String {
        let caller = &self.scene.caller;
        let may = caller.is_root() || caller.may_sudo;
        let cron = caller.way == Way::Cron;
        let mut line = String::new();
        let mut by_root = false;
        for (is_roots, command) in self.parts {
            // A crontab has lines of its own for what is set.
            let command = match command.strip_prefix("export ") {
                Some(set) if cron => format!("in the crontab: {}", set.replace(' ', "; ")),
                _ => command,
            };
            let said = match (is_roots, may) {
                (true, true) if !caller.is_root() => format!("sudo {command}"),
                (true, false) if !by_root => format!("as root: {command}"),
                (false, _) if by_root => format!("as {}: {command}", self.scene.owner.name),
                _ => command,
            };
            if !line.is_empty() {
                let changes = (is_roots && !may) != by_root || said.starts_with("in the crontab: ");
                line.push_str(if changes { "; then " } else { " && " });
            }
            by_root = is_roots && !may;
            line.push_str(&said);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::tests::{by, good, off};
    use super::super::sockets::Socket;
    use super::*;

    #[test]
    fn each_caller_is_told_what_works_there() {
        let cure = "claw-linger-setup --apply";
        let export = "export XDG_RUNTIME_DIR=/run/user/1000";
        let both = "export XDG_RUNTIME_DIR=/run/user/1000 \
                    DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus";
        for (uid, way, runtime_dir, expected) in [
            (1000, Way::Login, Some("/run/user/1000"), cure.to_owned()),
            (1000, Way::Sudo, None, format!("{cure} && {export}")),
            (1000, Way::Su, Some("/run/user/0"), format!("{cure} && {both}")),
            (1000, Way::Su, None, format!("{cure} && {export}")),
            (1000, Way::Bare, None, format!("{cure} && {export}")),
            (1000, Way::Service, None, format!("{cure} && {export}")),
            (
                1000,
                Way::Cron,
                None,
                format!("{cure}; then in the crontab: XDG_RUNTIME_DIR=/run/user/1000"),
            ),
            (0, Way::Login, Some("/run/user/0"), format!("{cure} --user dev")),
            (0, Way::Sudo, None, format!("{cure} --user dev")),
            (0, Way::Cron, None, format!("{cure} --user dev")),
        ] {
            assert_eq!(set_up(&by(off(), uid, way, runtime_dir)), expected, "{uid} {way:?}");
        }
    }

    #[test]
    fn where_polkit_lets_nobody_root_has_to_do_it() {
        let mut scene = by(off(), 1000, Way::Su, None);
        scene.has_polkit = false;
        assert_eq!(
            set_up(&scene),
            "as root: claw-linger-setup --apply --user dev; then as dev: export XDG_RUNTIME_DIR=/run/user/1000"
        );
        scene.caller.may_sudo = true;
        assert_eq!(
            set_up(&scene),
            "sudo claw-linger-setup --apply --user dev && export XDG_RUNTIME_DIR=/run/user/1000"
        );
    }

    #[test]
    fn a_manager_is_told_what_to_do_in_the_way_that_reaches_it() {
        let steps = ["reset-failed x.service", "start x.service"]
            .map(|verbs| Step::Manager(verbs.to_owned()));
        for (scene, expected) in [
            (good(), "systemctl --user reset-failed x.service && systemctl --user start x.service"),
            (
                by(good(), 1000, Way::Sudo, None),
                "export XDG_RUNTIME_DIR=/run/user/1000 && systemctl --user reset-failed x.service \
                 && systemctl --user start x.service",
            ),
            (
                by(good(), 0, Way::Login, Some("/run/user/0")),
                "systemctl --user -M dev@ reset-failed x.service \
                 && systemctl --user -M dev@ start x.service",
            ),
        ] {
            assert_eq!(line(&scene, &steps), expected);
        }
        let mut without_bus = by(good(), 0, Way::Login, Some("/run/user/0"));
        without_bus.bus = Socket::Absent;
        assert_eq!(
            line(&without_bus, &steps[1..]),
            "runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user start x.service"
        );
    }

    #[test]
    fn a_home_that_is_anothers_is_put_right_where_it_matters() {
        let mut scene = by(off(), 1000, Way::Sudo, Some("/run/user/1000"));
        scene.caller.home = Some("/root".to_owned());
        assert_eq!(set_up(&scene), "HOME=/home/dev claw-linger-setup --apply");
        assert_eq!(line(&scene, &[Step::Plain("true".to_owned())]), "true");
    }

    #[test]
    fn a_word_that_a_shell_would_read_is_quoted() {
        assert_eq!(quoted("x.service"), "x.service");
        assert_eq!(quoted("a\\x2d.service"), "'a\\x2d.service'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

//! What is found broken on boxes of every kind.

use super::super::caller::Way;
use super::super::init::Init;
use super::super::scene::Stillness;
use super::super::scene::tests::{by, good, off};
use super::super::sockets::Socket;
use super::super::states::States;
use super::super::units::Units;
use super::*;
use crate::runtime_dir::Folder;

mod states;
mod texts;

fn explained(scene: &Scene, text: &str) -> Vec<String> {
    let text = (!text.is_empty()).then(|| Text::new(text.as_bytes()));
    let found = diagnose(scene, text.as_ref());
    found.iter().map(|(name, found)| format!("{name}: {}", found.line())).collect()
}

fn names(scene: &Scene, text: &str) -> Vec<&'static str> {
    let text = (!text.is_empty()).then(|| Text::new(text.as_bytes()));
    diagnose(scene, text.as_ref()).into_iter().map(|(name, _)| name).collect()
}

/// dev's box with the units of `explain.sh`.
fn with_units() -> Scene {
    let units = Units::of(
        &[
            (Scope::User, "/home/dev/.config/systemd/user/lim.service", false),
            (Scope::User, "/home/dev/.config/systemd/user/mine.service", false),
            (Scope::User, "/home/dev/.config/systemd/user/hidden.service", true),
            (Scope::User, "/home/dev/.config/systemd/user/conf.service", false),
            (Scope::User, "/usr/lib/systemd/user/hidden.service", false),
            (Scope::System, "/etc/systemd/system/lim.service", false),
            (Scope::System, "/usr/lib/systemd/system/cron.service", false),
        ],
        &[],
    );
    Scene { units, ..good() }
}

fn by_sudo() -> Scene {
    by(with_units(), 1000, Way::Sudo, None)
}

#[test]
fn by_itself_it_finds_what_is_broken_and_nothing_where_nothing_is() {
    let hand = Folder { is_folder: true, uid: 0, mode: 0o755, is_own_tmpfs: false };
    let enabled = ["openclaw-gateway.service"];
    let file = [(Scope::User, "/home/dev/.config/systemd/user/openclaw-gateway.service", false)];
    let cases: Vec<(&str, Scene, &[&str])> = vec![
        ("well", good(), &["none"]),
        ("well, with a gateway", Scene { units: Units::of(&file, &enabled), ..good() }, &["none"]),
        ("seen by root", by(good(), 0, Way::Login, Some("/run/user/0")), &["none"]),
        ("off", off(), &["linger"]),
        ("off, and logged in", Scene { lingers: false, ..good() }, &["linger"]),
        ("made by hand", Scene { runtime: Some(hand), ..off() }, &["runtime-dir", "linger"]),
        ("dead", Scene { manager: Socket::Left, ..good() }, &["manager"]),
        ("no session bus", Scene { bus: Socket::Left, ..good() }, &["session-bus"]),
        ("without dbus-user-session", Scene { bus: Socket::Absent, ..good() }, &["none"]),
        ("by sudo", by_sudo(), &["environment"]),
        ("in a container", Scene { init: Init::Container, ..off() }, &["no-systemd"]),
        ("on WSL", Scene { init: Init::Wsl, ..off() }, &["no-systemd"]),
        ("in a chroot", Scene { init: Init::Chroot, ..off() }, &["no-systemd"]),
        ("under runit", Scene { init: Init::Other("runit".to_owned()), ..off() }, &["no-systemd"]),
        ("not enabled", Scene { units: Units::of(&file, &[]), ..good() }, &["not-enabled"]),
    ];
    for (name, scene, expected) in cases {
        assert_eq!(names(&scene, ""), expected, "{name}");
    }
}

#[test]
fn the_runtime_folder_is_told_by_what_is_wrong_with_it() {
    let real = Folder { is_folder: true, uid: 1000, mode: 0o700, is_own_tmpfs: true };
    for (found, expected) in [
        (
            Folder { is_folder: false, ..real },
            "runtime-dir: fail /run/user/1000 is not a folder; systemd did not make it > sudo rm \
             /run/user/1000 && claw-linger-setup --apply",
        ),
        (
            Folder { uid: 0, ..real },
            "runtime-dir: fail /run/user/1000 belongs to root, not to dev > sudo chown 1000:1000 \
             /run/user/1000",
        ),
        (
            Folder { mode: 0o755, ..real },
            "runtime-dir: warn /run/user/1000 has mode 0755: others can look into it > chmod 0700 \
             /run/user/1000",
        ),
        (
            Folder { mode: 0, ..real },
            "runtime-dir: fail /run/user/1000 has mode 0000, so dev cannot get through it to the \
             manager > chmod 0700 /run/user/1000",
        ),
    ] {
        assert_eq!(explained(&Scene { runtime: Some(found), ..good() }, ""), [expected]);
    }
}

#[test]
fn the_manager_that_has_the_unit_is_named() {
    for (text, expected) in [
        (
            "Failed to start mine.service: Unit mine.service not found.",
            "unit-not-found: fail mine.service is a unit of dev's own \
             (/home/dev/.config/systemd/user/mine.service): the system's manager was asked, or \
             another user's, or dev's before it was told to read its files anew > systemctl --user \
             daemon-reload && systemctl --user start mine.service",
        ),
        (
            "Failed to restart cron.service: Unit cron.service not found.",
            "unit-not-found: fail cron.service is a unit of the system \
             (/usr/lib/systemd/system/cron.service), and a user manager was asked for it > sudo \
             systemctl start cron.service",
        ),
        (
            "Unit mime.service could not be found.",
            "unit-not-found: fail neither dev nor the system has mime.service; there is \
             mine.service > systemctl --user start mine.service",
        ),
        (
            "Failed to start mine.service: Interactive authentication required.",
            "rights: fail the system's manager was asked for mine.service, which is a unit of \
             dev's own: --user was left out > systemctl --user start mine.service",
        ),
        (
            "Unit openclaw-gateway.service could not be found.",
            "unit-not-found: fail neither dev nor the system has openclaw-gateway.service: \
             OpenClaw has not installed its service yet > openclaw gateway install",
        ),
    ] {
        assert_eq!(explained(&with_units(), text), [expected]);
    }
}

#[test]
fn several_causes_are_told_once_each_and_the_most_fundamental_first() {
    let text = "Unit nosuch.service not found.\nUnit nosuch.service not found.\n\
                lim.service: Start request repeated too quickly.\n\
                Failed to connect to bus: No medium found\nstatus=78/CONFIG\n";
    let scene = Scene { units: with_units().units, ..by(off(), 1000, Way::Sudo, None) };
    let expected = ["linger", "unit-not-found", "configuration", "start-limit"];
    assert_eq!(names(&scene, text), expected);
}

#[test]
fn a_unit_is_not_cured_where_its_manager_does_not_run() {
    let scene = Scene { units: with_units().units, ..off() };
    let text = "lim.service: Start request repeated too quickly.";
    assert_eq!(names(&scene, text), ["linger", "start-limit"]);
    assert_eq!(
        names(&scene, "Jan 1 h systemd[1]: lim.service: Start request repeated too quickly."),
        ["start-limit"]
    );
}

#[test]
fn nothing_out_of_a_hostile_text_is_typed() {
    for text in [
        "Unit $(reboot).service not found.",
        "Unit `reboot`.service not found.",
        "Unit x;reboot;.service is masked",
        "Unit --force.service not found.",
        "Failed to look up user $(reboot): No such process",
        "Failed to look up user -o: No such process",
        "Failed to start 'x y'.service: Interactive authentication required.",
        "$(reboot).service: Start request repeated too quickly.",
        "\u{1b}]0;x\u{7}Unit \u{1b}[31m$(reboot)\u{1b}[0m not found",
    ] {
        for line in explained(&with_units(), text) {
            let (_, remedy) = line.split_once(" > ").expect("a remedy");
            assert!(!remedy.contains(['$', '`', ';', '\u{1b}']), "{text}: {line}");
            assert!(!remedy.contains("reboot") && !remedy.contains("--force"), "{text}: {line}");
        }
    }
}

#[test]
fn a_text_that_is_not_known_says_so_and_looks_by_itself() {
    assert_eq!(names(&good(), "Segmentation fault"), ["unknown"]);
    assert_eq!(names(&off(), "Segmentation fault"), ["unknown", "linger"]);
    assert_eq!(names(&good(), "\u{fffd}\u{1}\u{fffd}"), ["unknown"]);
}

#[test]
fn each_cause_has_its_own_name_and_its_own_file() {
    let mut names: Vec<_> = ALL.iter().map(|cause| cause.name.replace('-', "_")).collect();
    names.sort();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/explain/causes");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|file| Some(file.unwrap().path().file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "mod" && name != "tests")
        .collect();
    files.sort();
    assert_eq!(names, files);
    for pattern in ALL.iter().flat_map(|cause| cause.texts).flat_map(|texts| texts.iter()) {
        assert_eq!(*pattern, pattern.to_lowercase(), "a pattern is matched in lower case");
    }
}

/// dev's box with a gateway, of which its manager says this.
#[test]
fn linger_that_takes_a_password_is_turned_on_by_root() {
    assert_eq!(
        explained(&off(), "Could not enable linger: Interactive authentication required."),
        ["rights: fail polkit lets nobody but root make another user linger, and dev does not > \
          sudo claw-linger-setup --apply --user dev"]
    );
}

#[test]
fn a_user_whose_name_is_near_is_named_and_none_is_made() {
    for (text, expected) in [
        ("sudo: unknown user dve", "there is no user dve; there is one dev"),
        ("sudo: unknown user: dve", "there is no user dve; there is one dev"),
        (
            "su: user devs does not exist or the user entry does not contain all the required \
             fields",
            "there is no user devs; there is one dev",
        ),
        ("runuser: user edvs does not exist", "there is no user edvs; there is one dev"),
        ("Failed to look up user de: No such process", "there is no user de; there is one dev"),
    ] {
        assert_eq!(
            explained(&good(), text),
            [format!("user-unknown: fail {expected} > sudo claw-linger-setup --apply --user dev")]
        );
    }
}

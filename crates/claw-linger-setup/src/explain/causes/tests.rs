//! Real texts of both systemds, and what they mean on boxes of every kind.

use super::super::caller::Way;
use super::super::init::Init;
use super::super::scene::Stillness;
use super::super::scene::tests::{by, good, off};
use super::super::sockets::Socket;
use super::super::states::States;
use super::super::units::Units;
use super::*;
use crate::runtime_dir::Folder;

const TEXTS: [(&str, &str); 2] = [
    ("257", include_str!("../fixtures/systemd-257.txt")),
    ("252", include_str!("../fixtures/systemd-252.txt")),
];
const GATEWAY: &str = include_str!("../fixtures/gateway.txt");

/// The text of that name: what stands between its line and the next.
fn fixture<'a>(texts: &'a str, name: &str) -> &'a str {
    let parts = texts.split("# ").filter_map(|part| part.split_once('\n'));
    let (_, text) = parts.into_iter().find(|(is, _)| *is == name).expect(name);
    text
}

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
fn s7_each_text_of_both_systemds_has_its_cause_and_its_cure() {
    let root = || by(with_units(), 0, Way::Login, Some("/run/user/0"));
    let dead = || Scene { manager: Socket::Left, bus: Socket::Left, ..by_sudo() };
    let cases: Vec<(&str, Scene, &str)> = vec![
        (
            "no environment",
            by_sudo(),
            "environment: fail XDG_RUNTIME_DIR is not set in this shell, which came by sudo: only a \
             login session of dev's own sets it; the user manager of dev runs, at /run/user/1000 \
             > export XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            "no environment",
            by(good(), 1000, Way::Cron, None),
            "environment: fail cron sets no XDG_RUNTIME_DIR; the user manager of dev runs, at \
             /run/user/1000 > in the crontab: XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            "no environment",
            by(off(), 1000, Way::Sudo, None),
            "linger: fail linger is off for dev and nobody of that name is logged in, so there is \
             no user manager to connect to; that XDG_RUNTIME_DIR is not set in this shell, which \
             came by sudo, comes second > claw-linger-setup --apply && export \
             XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            "no environment",
            root(),
            "environment: fail root asked for its own user manager, or a shell without a login \
             session for dev's; the user manager of dev runs > systemctl --user -M dev@ status",
        ),
        (
            "no environment",
            by(off(), 0, Way::Login, Some("/run/user/0")),
            "linger: fail linger is off for dev and nobody of that name is logged in, so there is \
             no user manager to connect to > claw-linger-setup --apply --user dev",
        ),
        (
            "no environment",
            good(),
            "elsewhere: warn nothing that leads to this text is so here and now: dev lingers, the \
             user manager of dev runs and this shell reaches it; it was printed before, or by \
             another shell, a cron job or another user > where it was printed: export \
             XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            "busctl without environment",
            by(good(), 1000, Way::Su, None),
            "environment: fail XDG_RUNTIME_DIR is not set in this shell, which came by su: only a \
             login session of dev's own sets it; the user manager of dev runs, at /run/user/1000 \
             > export XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            "no manager",
            off(),
            "linger: fail linger is off for dev and nobody of that name is logged in, so there is \
             no user manager to connect to > claw-linger-setup --apply",
        ),
        (
            "manager killed",
            dead(),
            "manager: fail dev lingers, but user@1000.service does not run: nobody listens at \
             /run/user/1000/systemd/private > as root: claw-linger-setup --apply --user dev; then \
             as dev: export XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            "foreign runtime folder",
            by(good(), 1000, Way::Su, Some("/run/user/0")),
            "environment: fail XDG_RUNTIME_DIR is the one of root in this shell, which came by su \
             and kept it; the user manager of dev runs, at /run/user/1000 > export \
             XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
        ),
        (
            "foreign runtime folder",
            by(good(), 0, Way::Bare, Some("/run/user/1000")),
            "environment: fail root may not use the runtime folder of dev and is let in by nobody \
             there; the user manager of dev runs > systemctl --user -M dev@ status",
        ),
        (
            "machine",
            good(),
            "machine: fail only root may reach a user manager by -M USER@; its owner reaches it \
             without > systemctl --user status",
        ),
        (
            "not booted",
            good(),
            "no-systemd: warn systemd runs here: the text was printed in a container or a chroot, \
             where there are no user services > outside of it: claw-linger-setup --check",
        ),
        (
            "no system bus",
            Scene { system_bus: Socket::Absent, ..root() },
            "system-bus: fail the system bus does not run, and logind with it: there is no \
             /run/dbus/system_bus_socket > systemctl restart dbus.socket",
        ),
        (
            "logind masked",
            Scene { is_logind_masked: true, ..root() },
            "logind: fail systemd-logind.service is masked: nobody makes runtime folders, starts \
             user managers or remembers who lingers > systemctl unmask systemd-logind.service && \
             systemctl start systemd-logind.service",
        ),
        (
            "linger without a name",
            by(off(), 1000, Way::Bare, None),
            "rights: fail without a name, loginctl takes the user whose login session it runs in, \
             and it ran in none > claw-linger-setup --apply && export XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            "linger of another",
            Scene { has_polkit: false, ..off() },
            "rights: fail polkit lets nobody but root make another user linger, and dev does not \
             > sudo claw-linger-setup --apply --user dev",
        ),
        (
            "not logged in",
            by(off(), 0, Way::Login, None),
            "linger: fail linger is off for dev and nobody of that name is logged in, so there is \
             no user manager to connect to > claw-linger-setup --apply --user dev",
        ),
        (
            "no such user",
            root(),
            "user-unknown: fail there is no user nosuch on this box > useradd --create-home nosuch",
        ),
        (
            "rights",
            with_units(),
            "rights: fail cron.service is asked of the system's manager, which only root may do \
             > sudo systemctl start cron.service",
        ),
        (
            "rights without a unit",
            by_sudo(),
            "rights: fail the system's manager was told to do something, which only root may; for \
             one's own units it is systemctl --user > export XDG_RUNTIME_DIR=/run/user/1000 && \
             systemctl --user daemon-reload",
        ),
        (
            "start of no unit",
            with_units(),
            "unit-not-found: fail neither dev nor the system has nosuch.service > systemctl \
             --user list-unit-files --type=service",
        ),
        (
            "changed on disk",
            with_units(),
            "unit-not-found: warn mine.service was changed, and its manager still has what it read \
             before > systemctl --user daemon-reload && systemctl --user restart mine.service",
        ),
        (
            "start of a masked unit",
            by_sudo(),
            "unit-masked: fail hidden.service is masked in the manager of dev \
             (/home/dev/.config/systemd/user/hidden.service): nothing can start it until it is \
             unmasked > export XDG_RUNTIME_DIR=/run/user/1000 && systemctl --user unmask \
             hidden.service && systemctl --user start hidden.service",
        ),
        (
            "start limit of a user unit",
            with_units(),
            "start-limit: fail lim.service of dev failed again and again until systemd gave it \
             up: its last lines say why, and it starts only after that is reset > journalctl \
             --user -u lim.service -n 50 && systemctl --user reset-failed lim.service && systemctl \
             --user start lim.service",
        ),
        (
            "start limit of a system unit",
            root(),
            "start-limit: fail lim.service of the system failed again and again until systemd gave \
             it up: its last lines say why, and it starts only after that is reset > journalctl -u \
             lim.service -n 50 && systemctl reset-failed lim.service && systemctl start lim.service",
        ),
        (
            "configuration",
            Scene { has_configuration: false, ..root() },
            "configuration: fail conf.service ended with status 78, which says that its \
             configuration is wrong: systemd does not start it again, and a restart helps nothing; \
             there is no ~/.openclaw/openclaw.json of dev > su - dev -c 'openclaw setup' && \
             systemctl --user -M dev@ restart conf.service",
        ),
    ];
    for (suite, texts) in TEXTS {
        for (name, scene, expected) in &cases {
            assert_eq!(explained(scene, fixture(texts, name)), [*expected], "{suite}: {name}");
        }
    }
}

#[test]
fn every_fixture_is_known_and_blames_what_it_names() {
    for (suite, texts) in TEXTS {
        for (name, causes) in [
            ("status of no unit", &["unit-not-found"][..]),
            ("enable of no unit", &["unit-not-found"]),
            ("stop of no unit", &["unit-not-found"]),
            ("status of a masked unit", &["unit-masked"]),
            ("enable of a masked unit", &["unit-masked"]),
            ("linger without polkit", &["unit-masked"]),
            ("network", &["network-online"]),
            ("root at the bus of another", &["elsewhere"]),
        ] {
            assert_eq!(names(&with_units(), fixture(texts, name)), causes, "{suite}: {name}");
        }
        let texts: Vec<_> = texts.split("# ").filter(|part| !part.is_empty()).collect();
        assert_eq!(texts.len(), 29, "{suite}");
        for text in texts {
            let (name, text) = text.split_once('\n').unwrap();
            assert!(!names(&with_units(), text).contains(&"unknown"), "{suite}: {name}");
        }
    }
}

#[test]
fn what_the_gateway_says_is_known_too() {
    let units = Units::of(
        &[
            (Scope::User, "/home/dev/.config/systemd/user/openclaw-gateway.service", false),
            (Scope::System, "/etc/systemd/system/openclaw-gateway.service", false),
        ],
        &["openclaw-gateway.service"],
    );
    let both = Scene { units, ..good() };
    let twin = "twin: fail the system's manager has openclaw-gateway.service too \
                (/etc/systemd/system/openclaw-gateway.service): both end each other's gateway, and \
                OpenClaw refuses to start > sudo systemctl disable --now openclaw-gateway.service \
                && sudo rm /etc/systemd/system/openclaw-gateway.service && sudo systemctl \
                daemon-reload && systemctl --user restart openclaw-gateway.service";
    assert_eq!(explained(&both, fixture(GATEWAY, "twin")), [twin]);
    assert_eq!(explained(&both, ""), [twin]);
    assert_eq!(
        explained(&good(), fixture(GATEWAY, "no mode")),
        ["configuration: fail openclaw-gateway.service ended with status 78, which says that its \
          configuration is wrong: systemd does not start it again, and a restart helps nothing; \
          gateway.mode is not set in it > openclaw config set gateway.mode local && systemctl \
          --user restart openclaw-gateway.service"]
    );
    for name in ["Chinese", "systemctl unavailable"] {
        assert_eq!(names(&off(), fixture(GATEWAY, name)), ["linger"]);
        assert_eq!(names(&by_sudo(), fixture(GATEWAY, name)), ["environment"]);
    }
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
fn with_gateway(said: &str) -> Scene {
    let unit = "openclaw-gateway.service";
    let file = [(Scope::User, "/home/dev/.config/systemd/user/openclaw-gateway.service", false)];
    let states = States::said(Scope::User, unit, said);
    Scene { units: Units::of(&file, &[unit]), states, ..good() }
}

const RUNS: &str = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success";

#[test]
fn a_gateway_that_failed_is_seen_without_a_text() {
    let again = "journalctl --user -u openclaw-gateway.service -n 50 && systemctl --user \
                 reset-failed openclaw-gateway.service && systemctl --user start \
                 openclaw-gateway.service";
    for (said, expected) in [
        (
            "ActiveState=failed\nResult=exit-code\nExecMainStatus=78",
            "configuration: fail openclaw-gateway.service ended with status 78, which says that \
             its configuration is wrong: systemd does not start it again, and a restart helps \
             nothing; what is wrong with it, the doctor says > openclaw doctor && systemctl --user \
             restart openclaw-gateway.service"
                .to_owned(),
        ),
        (
            "ActiveState=failed\nResult=start-limit-hit",
            format!(
                "start-limit: fail openclaw-gateway.service of dev failed again and again until \
                 systemd gave it up: its last lines say why, and it starts only after that is \
                 reset > {again}"
            ),
        ),
        (
            "ActiveState=failed\nResult=exit-code\nExecMainStatus=1",
            format!(
                "unit-failed: fail openclaw-gateway.service of dev ended with status 1: its last \
                 lines say why > {again}"
            ),
        ),
        (
            "LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success",
            "none: pass dev lingers and the user manager of dev runs, and this shell reaches it; \
             openclaw-gateway.service is not started, and has not failed"
                .to_owned(),
        ),
        (
            RUNS,
            "none: pass dev lingers and the user manager of dev runs, and this shell reaches it"
                .to_owned(),
        ),
    ] {
        assert_eq!(explained(&with_gateway(said), ""), [expected], "{said}");
    }
}

#[test]
fn what_cannot_be_seen_does_not_pass_and_a_silent_manager_is_broken() {
    let blind = Scene { sight: Sight::None("nobody may".to_owned()), ..good() };
    assert_eq!(
        explained(&blind, ""),
        ["none: unknown dev lingers and the user manager of dev runs, and this shell reaches it; \
          whether its units failed cannot be seen: nobody may > systemctl --user --failed"]
    );
    for (stillness, expected) in [
        (Stillness::Frozen, "it is frozen > sudo systemctl thaw user@1000.service"),
        (
            Stillness::Stopped,
            "a signal has stopped it > sudo systemctl kill --kill-who=main -s CONT \
             user@1000.service",
        ),
        (
            Stillness::None,
            "a new start ends all of its services > sudo systemctl restart user@1000.service",
        ),
    ] {
        let scene = Scene { sight: Sight::Silent, stillness, ..good() };
        let told = "manager: fail user@1000.service runs, but does not answer at \
                    /run/user/1000/systemd/private: ";
        assert_eq!(explained(&scene, ""), [format!("{told}{expected}")]);
    }
}

#[test]
fn a_text_is_not_believed_where_the_unit_is_well_or_not_there() {
    let told = |unit: &str, state: &str| {
        format!(
            "elsewhere: warn what the text tells of {unit} is not so here and now: the manager of \
             dev says that it is {state}; it was so before, or is so on another box > systemctl \
             --user status {unit}"
        )
    };
    let gone = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success";
    let ghost = Scene { states: States::said(Scope::User, "ghost.service", gone), ..with_units() };
    let text = "ghost.service: Start request repeated too quickly.";
    assert_eq!(explained(&ghost, text), [told("ghost.service", "not there")]);
    assert_eq!(explained(&with_units(), text), [told("ghost.service", "not there")]);
    let gateway = "openclaw-gateway.service";
    for text in [
        "openclaw-gateway.service: Main process exited, code=exited, status=78/CONFIG",
        "Gateway start blocked: existing config is missing gateway.mode.",
        "Job for openclaw-gateway.service failed because the control process exited with error \
         code.",
    ] {
        assert_eq!(explained(&with_gateway(RUNS), text), [told(gateway, "active")], "{text}");
    }
}

#[test]
fn a_job_that_failed_names_its_unit_and_where_its_lines_are() {
    assert_eq!(
        explained(
            &with_units(),
            "Job for mine.service failed because the control process exited with error code.\n\
             See \"systemctl --user status mine.service\" and \"journalctl --user -xeu \
             mine.service\" for details."
        ),
        ["unit-failed: fail mine.service of dev could not be started: its last lines say why > \
          journalctl --user -u mine.service -n 50 && systemctl --user reset-failed mine.service \
          && systemctl --user start mine.service"]
    );
    let failed = "ActiveState=failed\nResult=start-limit-hit";
    let states = States::said(Scope::System, "user@1000.service", failed);
    let scene = Scene { manager: Socket::Left, states, ..good() };
    let text = "Job for user@1000.service failed because start of the service was attempted too \
                often.\nSee \"systemctl status user@1000.service\" and \"journalctl -xe\" for \
                details.";
    assert_eq!(
        explained(&scene, text),
        ["start-limit: fail user@1000.service of the system failed again and again until systemd \
          gave it up: its last lines say why, and it starts only after that is reset > sudo \
          journalctl -u user@1000.service -n 50 && sudo systemctl reset-failed user@1000.service \
          && sudo systemctl start user@1000.service"]
    );
    let remedy = "sudo systemctl reset-failed user@1000.service && sudo claw-linger-setup --apply";
    assert!(explained(&scene, "")[0].contains(remedy));
}

#[test]
fn what_a_manager_stands_on_is_unmasked_before_anything_else() {
    for unit in ["user@1000.service", "user@.service", "user-runtime-dir@1000.service"] {
        let path = format!("/etc/systemd/system/{unit}");
        let units = Units::of(&[(Scope::System, &path, true)], &[]);
        let expected = format!(
            "unit-masked: fail {unit} is masked in the system's manager ({path}): without it no \
             user manager of dev starts > sudo systemctl unmask {unit} && sudo claw-linger-setup \
             --apply --user dev"
        );
        for scene in [off(), Scene { lingers: true, ..off() }] {
            let scene = Scene { units: units.clone(), ..scene };
            for text in [
                "",
                "Failed to connect to bus: No medium found",
                "Failed to start user@1000.service: Unit user@1000.service is masked.",
            ] {
                assert_eq!(explained(&scene, text), [&*expected], "{text}");
            }
        }
    }
}

#[test]
fn a_twin_that_would_come_back_is_masked() {
    for (path, origin) in [
        ("/usr/lib/systemd/system", "a package brought it"),
        ("/run/systemd/system", "it was made at run time, by a generator or a program"),
        ("/usr/local/lib/systemd/system", "somebody installed it there"),
    ] {
        let path = format!("{path}/openclaw-gateway.service");
        let own = "/home/dev/.config/systemd/user/openclaw-gateway.service";
        let files = [(Scope::User, own, false), (Scope::System, &*path, false)];
        let units = Units::of(&files, &["openclaw-gateway.service"]);
        assert_eq!(
            explained(&Scene { units, ..good() }, ""),
            [format!(
                "twin: fail the system's manager has openclaw-gateway.service too ({path}): both \
                 end each other's gateway, and OpenClaw refuses to start; {origin}; the mask is \
                 taken back by systemctl unmask openclaw-gateway.service > sudo systemctl mask \
                 --now openclaw-gateway.service && systemctl --user restart \
                 openclaw-gateway.service"
            )]
        );
    }
}

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

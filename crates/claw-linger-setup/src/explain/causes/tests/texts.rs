//! Real texts of both systemds and of the gateway, and what they mean.

use super::*;

const TEXTS: [(&str, &str); 2] = [
    ("257", include_str!("../../fixtures/systemd-257.txt")),
    ("252", include_str!("../../fixtures/systemd-252.txt")),
];
const GATEWAY: &str = include_str!("../../fixtures/gateway.txt");

/// The text of that name: what stands between its line and the next.
fn fixture<'a>(texts: &'a str, name: &str) -> &'a str {
    let parts = texts.split("# ").filter_map(|part| part.split_once('\n'));
    let (_, text) = parts.into_iter().find(|(is, _)| *is == name).expect(name);
    text
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

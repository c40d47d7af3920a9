//! What the managers say of a unit weighs more than a text.

use super::*;

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

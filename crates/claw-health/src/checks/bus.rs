//! Do the system bus and the session bus of the gateway's owner answer?

use std::io::BufReader;
use std::time::{Duration, Instant};

use claw_box::Scope;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::Finding;
use crate::look::Look;
use crate::remedy::systemctl;
use crate::systemd::dbus::authenticate;
use crate::systemd::socket::{self, Unreached};
use crate::systemd::user_manager_runs;

pub(super) const CHECK: Check = Check {
    name: "bus",
    about: "the system bus and the owner's session bus answer",
    operand: "system|user",
    settings: &[],
    find: Find::On(|_| vec!["system".to_owned(), "user".to_owned()]),
    needs: Needs::Systemd,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

const SYSTEM_SOCKET: &str = "/run/dbus/system_bus_socket";

/// How a bus took a login.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// It answered, if only to refuse us: a user's bus lets nobody in but that user.
    Line,
    /// It took the connection, and then nothing came, or something else went wrong.
    Nothing(String),
    Unreached(Unreached),
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let owner = host.owner();
    match look.operand.as_str() {
        "system" => Ok(vec![judge_system(&ask(look, SYSTEM_SOCKET, 0))]),
        "user" => {
            let path = format!("/run/user/{}/bus", owner.uid);
            let answer = ask(look, &path, owner.uid);
            let manager = user_manager_runs(host);
            let is_needed = host.has_openclaw();
            Ok(vec![judge_user(
                &answer,
                &path,
                &owner.name,
                manager,
                is_needed,
                &systemctl(host, Scope::User),
            )])
        }
        other => Err(format!("there is no bus {other:?}: it is 'system' or 'user'")),
    }
}

fn ask(look: &Look, path: &str, uid: u32) -> Answer {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let limit = TIMEOUT.min(look.time_left());
    let deadline = Instant::now() + limit;
    let stream = match socket::connect(path, uid) {
        Ok(stream) => stream,
        Err(why) => return Answer::Unreached(why),
    };
    match authenticate(&mut BufReader::new(stream), deadline) {
        Ok(line) if is_answer(&line) => Answer::Line,
        Ok(_) => Answer::Nothing("answers with something that is not D-Bus".to_owned()),
        Err(_) if Instant::now() >= deadline => Answer::Nothing(silent(limit)),
        Err(why) => Answer::Nothing(why),
    }
}

fn silent(limit: Duration) -> String {
    format!("does not answer within {} s", (limit.as_secs_f64() * 10.0).round() / 10.0)
}

/// Is it one of the words that a server says while somebody logs in?
fn is_answer(line: &str) -> bool {
    const WORDS: [&str; 5] = ["OK", "REJECTED", "DATA", "ERROR", "AGREE_UNIX_FD"];
    let word = line.trim_end().split(' ').next().unwrap_or_default();
    WORDS.contains(&word)
}

fn judge_system(answer: &Answer) -> Finding {
    let subject = "bus:system";
    let how = "sudo systemctl restart dbus.socket dbus.service";
    let fail = |why: String| Finding::fail(subject, format!("the system bus {why}")).remedy(how);
    match answer {
        Answer::Line => Finding::pass(subject, "the system bus answers"),
        Answer::Nothing(why) => fail(why.clone()),
        Answer::Unreached(Unreached::Failed(error)) => {
            Finding::unknown(subject, format!("cannot ask '{SYSTEM_SOCKET}': {}", error.desc()))
        }
        Answer::Unreached(why) => fail(why.of(SYSTEM_SOCKET)),
    }
    .note("socket", SYSTEM_SOCKET)
}

fn judge_user(
    answer: &Answer,
    path: &str,
    name: &str,
    manager_runs: bool,
    is_needed: bool,
    systemctl: &str,
) -> Finding {
    let subject = "bus:user";
    let restart = format!("{systemctl} restart dbus.socket dbus.service");
    let fail = |why: String| {
        Finding::fail(subject, format!("the session bus of {name} {why}")).remedy(restart.clone())
    };
    match answer {
        Answer::Line => Finding::pass(subject, format!("the session bus of {name} answers")),
        Answer::Unreached(Unreached::Absent) if manager_runs => Finding::pass(
            subject,
            format!(
                "{name} has no session bus (package dbus-user-session); \
                 systemctl --user works without it"
            ),
        )
        .note("private_socket_only", true),
        Answer::Unreached(Unreached::Absent) if !is_needed => Finding::pass(
            subject,
            format!("{name} has no session bus, and no gateway that needs it"),
        ),
        Answer::Unreached(Unreached::Absent) => Finding::fail(
            subject,
            format!(
                "there is no {path} and no user manager of {name}: systemctl --user says \
                 \"Failed to connect to bus\" (No medium found)"
            ),
        )
        .remedy(format!("sudo loginctl enable-linger {name}")),
        Answer::Nothing(why) => fail(why.clone()),
        Answer::Unreached(Unreached::Failed(error)) => {
            Finding::unknown(subject, format!("cannot ask '{path}': {}", error.desc()))
        }
        Answer::Unreached(why) => fail(why.of(path)),
    }
    .note("socket", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_of_the_protocol_is_an_answer() {
        for (line, expected) in [
            ("OK 1234deadbeef\r\n", true),
            ("REJECTED EXTERNAL ANONYMOUS\r\n", true),
            ("ERROR\r\n", true),
            ("AGREE_UNIX_FD\r\n", true),
            ("OKAY\r\n", false),
            ("HTTP/1.1 400 Bad Request\r\n", false),
            ("\u{fffd}x\n", false),
            ("\n", false),
        ] {
            assert_eq!(is_answer(line), expected, "{line:?}");
        }
    }

    #[test]
    fn the_time_that_is_told_is_the_one_that_was_waited() {
        let told = |millis| silent(Duration::from_millis(millis));
        assert_eq!(told(2000), "does not answer within 2 s");
        assert_eq!(told(987), "does not answer within 1 s");
        assert_eq!(told(510), "does not answer within 0.5 s");
    }

    #[test]
    fn s7_a_bus_that_cannot_be_had_is_told_with_its_cause() {
        let silent = || Answer::Nothing("does not answer within 2 s".to_owned());
        let restart = "> systemctl --user restart dbus.socket dbus.service";
        for (answer, manager, expected) in [
            (Answer::Line, true, "pass INFO the session bus of dev answers".to_owned()),
            (
                Answer::Unreached(Unreached::Absent),
                true,
                "pass INFO dev has no session bus (package dbus-user-session); \
                 systemctl --user works without it"
                    .to_owned(),
            ),
            (
                Answer::Unreached(Unreached::Absent),
                false,
                "fail ERROR there is no /b and no user manager of dev: systemctl --user says \
                 \"Failed to connect to bus\" (No medium found) > sudo loginctl enable-linger dev"
                    .to_owned(),
            ),
            (
                Answer::Unreached(Unreached::Refused),
                true,
                format!(
                    "fail ERROR the session bus of dev does not run: nobody listens at /b {restart}"
                ),
            ),
            (
                silent(),
                true,
                format!("fail ERROR the session bus of dev does not answer within 2 s {restart}"),
            ),
        ] {
            let finding = judge_user(&answer, "/b", "dev", manager, true, "systemctl --user");
            assert_eq!(finding.line(), expected);
        }
        assert_eq!(
            judge_system(&silent()).line(),
            "fail ERROR the system bus does not answer within 2 s \
             > sudo systemctl restart dbus.socket dbus.service"
        );
    }
}

//! Does a service that was started in a session outlive it?

use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_record::Status;
use nix::unistd::getpid;

use super::{Verdict, progress};
use crate::act::Act;
use crate::plan::{World, apply};
use crate::systemctl::Unit;
use crate::systemd_run::Started;
use crate::{linger, loginctl, systemctl, systemd_run};

/// How long after the user manager would have been stopped it is looked for: stopping takes a while.
const MARGIN: Duration = Duration::from_secs(3);
/// How long the unit lives by itself beyond that, so that nothing stays behind whatever happens.
const SPARE_SECONDS: u64 = 60;

/// What was seen in the end.
#[derive(Clone, Debug)]
struct Seen {
    /// What is left of the unit; nothing where no manager could be asked.
    unit: Option<Unit>,
    /// The classes of the sessions that the user had besides.
    others: Vec<String>,
    lingers: bool,
}

/// Opens a session, starts a unit in it, ends it, waits, and looks.
pub(super) fn prove(world: &World, timeout: Duration) -> Verdict {
    let owner = &world.owner;
    let name = format!("claw-linger-proof-{}-{}.service", getpid(), epoch_seconds());
    let tried = attempt(world, &name, timeout);
    // Where it lives it is not needed any more, and where it does not there is nothing to stop.
    let deadline = Instant::now() + timeout;
    let _ = systemctl::user(owner, &["stop".to_owned(), name.clone()], deadline);
    match tried {
        Ok((started, delay, seen)) => judge(world, &started, &seen)
            .note("unit", name)
            .note("session", started.session)
            .note("main_pid", started.main_pid)
            .note("invocation_id", started.invocation_id)
            .note("other_sessions_count", seen.others.len())
            .note("user_stop_delay_seconds", delay.as_secs_f64())
            .note("waited_seconds", (delay + MARGIN).as_secs_f64()),
        Err(why) => Verdict::new(Status::Unknown, why),
    }
}

fn attempt(
    world: &World,
    name: &str,
    timeout: Duration,
) -> Result<(Started, Duration, Seen), String> {
    let owner = &world.owner;
    let until = || Instant::now() + timeout;
    let delay = loginctl::stop_delay(until())?.ok_or(
        "UserStopDelaySec=infinity in logind.conf(5): a user manager that ran once is never stopped, \
         so a log-out proves nothing",
    )?;
    progress(&format!("opening a session of {}, and starting a service in it", owner.name));
    let life = (delay + MARGIN + timeout).as_secs() + SPARE_SECONDS;
    let started = systemd_run::start_in_session(owner, name, life, until())?;
    progress("the session has ended; waiting until logind has forgotten it");
    let deadline = until();
    while loginctl::knows(&started.session, deadline)? {
        if Instant::now() >= deadline {
            return Err(format!("logind still keeps session {} of the proof", started.session));
        }
        sleep(Duration::from_millis(100));
    }
    let wait = delay + MARGIN;
    progress(&format!(
        "waiting {} s: without linger, the user manager goes {} s after the last session",
        wait.as_secs(),
        delay.as_secs()
    ));
    sleep(wait);
    let others = loginctl::sessions(owner.uid, until())?;
    // A manager that has gone cannot be asked.
    let unit = systemctl::user_unit(owner, name, until()).ok();
    let others = others.into_iter().map(|session| format!("{} ({})", session.id, session.class));
    Ok((
        started,
        delay,
        Seen { unit, others: others.collect(), lingers: linger::is_on(&owner.name)? },
    ))
}

fn judge(world: &World, started: &Started, seen: &Seen) -> Verdict {
    let name = &world.owner.name;
    let lives = seen.unit.as_ref().is_some_and(|unit| {
        unit.active_state == "active"
            && unit.main_pid == started.main_pid
            && unit.invocation_id == started.invocation_id
    });
    let enable = Act::loginctl(&["enable-linger", name]).typed(&world.owner).unwrap_or_default();
    match (lives, seen.lingers) {
        (true, true) if seen.others.is_empty() => Verdict::new(
            Status::Pass,
            format!(
                "a service of {name} outlived the session that started it: same process, same start"
            ),
        ),
        (true, false) if seen.others.is_empty() => Verdict::new(
            Status::Warn,
            format!(
                "a service of {name} outlived its session, but {name} does not linger: something \
                 else keeps the user manager, and it will not start at boot"
            ),
        )
        .remedy(enable),
        (true, _) => Verdict::new(
            Status::Warn,
            format!(
                "a service of {name} outlived the session that started it, but {name} has other \
                 sessions, which may have kept it: {}",
                seen.others.join(", ")
            ),
        )
        .remedy("end them and prove it again, or prove it by a reboot: --prove --after-reboot"),
        (false, false) => Verdict::new(
            Status::Fail,
            format!(
                "a service of {name} ended with the session that started it: {name} does not linger"
            ),
        )
        .remedy(apply(world)),
        (false, true) => Verdict::new(
            Status::Fail,
            format!(
                "{name} lingers, and yet a service of {name} did not outlive its session: {}",
                match &seen.unit {
                    Some(unit) => format!("it is {}", unit.active_state),
                    None => "the user manager does not answer".to_owned(),
                }
            ),
        )
        .remedy(format!("journalctl -u user@{}.service -n 50", world.owner.uid)),
    }
}

fn epoch_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Ground;
    use claw_box::Owner;

    #[test]
    fn s3_a_proof_passes_only_where_nothing_but_linger_can_have_kept_the_service() {
        let owner = Owner::parse("dev:x:1000:1000::/home/dev:").unwrap();
        let world = World { owner, ground: Ground::Running };
        let started =
            Started { session: "1".into(), main_pid: "7".into(), invocation_id: "a".into() };
        let unit = |state: &str, pid: &str, start: &str| {
            Some(Unit {
                active_state: state.into(),
                main_pid: pid.into(),
                invocation_id: start.into(),
            })
        };
        let alive = || unit("active", "7", "a");
        for (unit, others, lingers, expected) in [
            (alive(), 0, true, Status::Pass),
            (alive(), 0, false, Status::Warn),
            (alive(), 1, true, Status::Warn),
            (alive(), 1, false, Status::Warn),
            (None, 0, false, Status::Fail),
            (None, 0, true, Status::Fail),
            (unit("inactive", "0", ""), 0, true, Status::Fail),
            (unit("active", "8", "b"), 0, true, Status::Fail),
            (unit("active", "7", "b"), 0, true, Status::Fail),
        ] {
            let seen = Seen { unit, others: vec!["3 (user)".to_owned(); others], lingers };
            assert_eq!(judge(&world, &started, &seen).status, expected, "{seen:?}");
        }
    }
}

//! What is said of a unit in each state.

use std::time::Duration;

use super::judge::{Role, View, judge};
use super::restarts::Growth;
use super::with_notes;
use crate::finding::Finding;
use crate::systemd::Unit;

fn unit(states: &str) -> Unit {
    let words: Vec<_> = states.split(' ').collect();
    let [load_state, active_state, sub_state, result] = [0, 1, 2, 3].map(|at| words[at].to_owned());
    let is_active = active_state == "active";
    Unit {
        name: "x.service".to_owned(),
        kind: "simple".to_owned(),
        active_since: is_active.then(|| Duration::from_secs(3600)),
        changed: Some(Duration::from_secs(60)),
        was_active: true,
        restart_delay: Duration::from_secs(5),
        start_limit_burst: 10,
        start_limit_interval: Duration::from_secs(300),
        load_state,
        active_state,
        sub_state,
        result,
        ..Unit::default()
    }
}

fn view(role: Role, growth: Growth) -> View {
    View {
        subject: "unit:user/x.service".to_owned(),
        role,
        growth,
        loop_restarts: 3,
        loop_window: 300.0,
        memory_warn: 90.0,
        droppable: 0,
        systemctl: "systemctl --user".to_owned(),
        journal: "journalctl --user -u x.service -n 50".to_owned(),
        edit: "systemctl --user edit x.service".to_owned(),
        linger: None,
        idle_timer: None,
        as_owner: String::new(),
    }
}

/// The state and the line that a unit draws.
fn said(unit: &Unit, role: Role, growth: Growth) -> String {
    let finding = judge(unit, &view(role, growth));
    format!("{}: {}", finding.data["state"].as_str().unwrap(), finding.line())
}

#[test]
fn m2_every_state_of_a_unit_is_told_with_its_cause() {
    let running = unit("loaded active running success");
    let ended = |states: &str, code, status| Unit {
        exec_main_code: code,
        exec_main_status: status,
        ..unit(states)
    };
    let failed = "loaded failed failed";
    for (unit, expected) in [
        (running.clone(), "active: pass INFO active for 1 h, no restarts"),
        (Unit { kind: String::new(), ..running.clone() }, "active: pass INFO active for 1 h"),
        (
            Unit {
                memory_current: Some(512_000_000),
                memory_max: Some(2_000_000_000),
                restarts: 4,
                ..running
            },
            "active: pass INFO active for 1 h, 512.0 MB of memory (limit 2.0 GB), after 4 restarts",
        ),
        (
            ended(&format!("{failed} exit-code"), 1, 3),
            "failed: fail CRITICAL failed 1 min ago: exit status 3 > \
             journalctl --user -u x.service -n 50, then systemctl --user restart x.service",
        ),
        (
            ended(&format!("{failed} exit-code"), 1, 78),
            "failed: fail CRITICAL failed 1 min ago: exit status 78: OpenClaw refuses its configuration > \
             openclaw config validate says what is wrong, openclaw doctor repairs it; \
             then systemctl --user start x.service",
        ),
        (
            Unit { memory_max: Some(50_000_000), ..ended(&format!("{failed} oom-kill"), 2, 15) },
            "failed: fail CRITICAL failed 1 min ago: out of memory: killed by the kernel (oom-kill), \
             limit 50.0 MB > journalctl --user -u x.service -n 50, then systemctl --user restart x.service",
        ),
        (
            ended(&format!("{failed} core-dump"), 3, 11),
            "failed: fail CRITICAL failed 1 min ago: killed by SIGSEGV, core dumped > \
             journalctl --user -u x.service -n 50, then systemctl --user restart x.service",
        ),
        (
            ended("loaded activating auto-restart signal", 2, 9),
            "activating: warn WARNING it ended 1 min ago (killed by SIGKILL) and is started again 5 s \
             after that > journalctl --user -u x.service -n 50",
        ),
        (
            unit("loaded activating start success"),
            "activating: warn WARNING starting for 1 min > journalctl --user -u x.service -n 50",
        ),
        (
            unit("loaded deactivating stop-sigterm success"),
            "stopped: warn WARNING stopping for 1 min",
        ),
        (
            Unit { job: "restart".to_owned(), ..unit("loaded deactivating stop-sigterm success") },
            "activating: warn WARNING stopping for 1 min, to be started anew > \
             journalctl --user -u x.service -n 50",
        ),
        (
            ended("loaded inactive dead success", 2, 15),
            "stopped: warn WARNING stopped 1 min ago, by hand or at its own end, without a failure > \
             systemctl --user start x.service",
        ),
        (
            Unit {
                was_active: false,
                file_state: "disabled".to_owned(),
                ..unit("loaded inactive dead success")
            },
            "stopped: warn WARNING it does not run; it is disabled: a reboot does not start it \
             > systemctl --user enable --now x.service",
        ),
        (
            unit("masked inactive dead success"),
            "masked: warn WARNING masked: it cannot be started > systemctl --user unmask x.service",
        ),
        (
            unit("not-found inactive dead success"),
            "missing: warn WARNING there is no such unit: the gateway is not installed as a service > \
             openclaw gateway install",
        ),
        (
            Unit {
                load_error: "no ExecStart".to_owned(),
                fragment_path: "/x".to_owned(),
                ..unit("bad-setting inactive dead success")
            },
            "failed: fail CRITICAL it cannot be loaded (bad-setting): no ExecStart > \
             systemd-analyze verify /x, then systemctl --user daemon-reload",
        ),
    ] {
        assert_eq!(said(&unit, Role::Gateway, Growth::default()), expected);
    }
}

#[test]
fn s7_a_start_limit_is_known_though_the_result_is_that_of_the_last_crash() {
    let crashed = Unit {
        exec_main_code: 2,
        exec_main_status: 9,
        restarts: 10,
        ..unit("loaded failed failed signal")
    };
    let told = "start limit hit";
    for (unit, is_hit) in [
        (crashed.clone(), true),
        (Unit { restarts: 9, ..crashed.clone() }, false),
        (Unit { exec_main_status: 78, ..crashed.clone() }, false),
        (Unit { start_limit_burst: 0, ..crashed.clone() }, false),
        (Unit { restarts: 0, result: "start-limit-hit".to_owned(), ..crashed.clone() }, true),
    ] {
        let said = said(&unit, Role::Gateway, Growth::default());
        assert_eq!(said.contains(told), is_hit, "{said}");
    }
    assert_eq!(
        said(&crashed, Role::Gateway, Growth::default()),
        "failed: fail CRITICAL start limit hit 1 min ago after 10 restarts, the last: killed by \
         SIGKILL; systemd gave up: start request repeated too quickly (limit 10 in 5 min) > \
         journalctl --user -u x.service -n 50, then systemctl --user reset-failed x.service && systemctl --user start x.service"
    );
}

/// The limit counts starts by hand as well, which no counter tells: `restart` may be refused.
#[test]
fn s7_a_unit_that_was_restarted_and_failed_is_started_past_a_start_limit() {
    let ended = Unit {
        exec_main_code: 1,
        exec_main_status: 1,
        restarts: 8,
        ..unit("loaded failed failed exit-code")
    };
    assert_eq!(
        said(&ended, Role::Gateway, Growth::default()),
        "failed: fail CRITICAL failed 1 min ago: exit status 1, after 8 restarts > \
         journalctl --user -u x.service -n 50, then systemctl --user reset-failed x.service && \
         systemctl --user start x.service"
    );
}

#[test]
fn s3_without_linger_what_is_started_would_end_with_the_session() {
    let linger = Some("sudo loginctl enable-linger dev".to_owned());
    let view = View { linger, ..view(Role::Gateway, Growth::default()) };
    for (unit, expected) in [
        (
            unit("loaded inactive dead success"),
            Some("sudo loginctl enable-linger dev, then systemctl --user start x.service"),
        ),
        (unit("loaded active running success"), None),
    ] {
        assert_eq!(judge(&unit, &view).remedy.as_deref(), expected);
    }
}

#[test]
fn m2_a_crash_loop_is_seen_though_the_unit_is_active() {
    let active = |seconds, restarts| Unit {
        active_since: Some(Duration::from_secs(seconds)),
        restarts,
        ..unit("loaded active running success")
    };
    let grew = |at_least, at_most| Growth { at_least, at_most };
    for (seconds, restarts, growth, expected) in [
        (20, 0, grew(0, None), "active: pass"),
        (20, 1, grew(0, None), "active: warn"),
        (20, 3, grew(0, None), "crash-looping: fail CRITICAL"),
        (20, 3, grew(1, Some(1)), "active: warn"),
        (100, 3, grew(0, None), "active: warn"),
        (100, 9, grew(3, None), "crash-looping: fail CRITICAL"),
        (299, 9, grew(0, Some(0)), "active: pass"),
        (3600, 9, grew(0, None), "active: pass"),
    ] {
        let said = said(&active(seconds, restarts), Role::Gateway, growth);
        assert!(said.starts_with(expected), "{seconds} s, {restarts}, {growth:?}: {said}");
    }
}

#[test]
fn m2_a_unit_that_comes_near_its_memory_limit_is_told_with_how_to_raise_it() {
    let using = |memory_current, restarts| Unit {
        memory_current: Some(memory_current),
        memory_max: Some(2_000_000_000),
        restarts,
        ..unit("loaded active running success")
    };
    let raise =
        "raise CLAW_GATEWAY_MEMORY_MAX in /etc/claw/claw.env, then run 'deploy install' again";
    let edit = "raise its MemoryMax=: systemctl --user edit x.service";
    let journal = "journalctl --user -u x.service -n 50";
    let (used, near) = (
        "active for 1 h, 1.9 GB of memory (limit 2.0 GB)",
        "95.0 % of its memory limit in use, limit 90 %",
    );
    let grew = Growth { at_least: 1, at_most: None };
    for (bytes, droppable, restarts, role, growth, expected) in [
        (
            1_799_000_000,
            0,
            0,
            Role::Gateway,
            Growth::default(),
            "pass INFO active for 1 h, 1.8 GB of memory (limit 2.0 GB), no restarts".to_owned(),
        ),
        (
            1_900_000_000,
            0,
            0,
            Role::Gateway,
            Growth::default(),
            format!("warn WARNING {used}, no restarts; {near} > {raise}"),
        ),
        (
            1_900_000_000,
            0,
            2,
            Role::Other,
            Growth::default(),
            format!("warn WARNING {used}, after 2 restarts; {near} > {edit}"),
        ),
        // It may be what it is restarted for; the journal tells.
        (
            1_900_000_000,
            0,
            2,
            Role::Gateway,
            grew,
            format!(
                "warn WARNING {used}, after 2 restarts; limit 3 restarts in 5 min; {near} > {journal}"
            ),
        ),
        // A cache that the kernel drops when it needs the room.
        (
            1_900_000_000,
            800_000_000,
            0,
            Role::Gateway,
            Growth::default(),
            format!("pass INFO {used}, no restarts"),
        ),
    ] {
        let view = View { droppable, ..view(role, growth) };
        let finding = judge(&using(bytes, restarts), &view);
        assert_eq!(finding.line(), expected);
        let percent = finding.measures.iter().find(|measure| measure.key == "memory_percent");
        let percent = percent.map(|measure| (measure.value * 100.0).round());
        assert_eq!(percent, Some((bytes - droppable) as f64 / 2e5));
    }
    let unlimited = Unit { memory_max: None, ..using(1_900_000_000, 0) };
    let finding = judge(&unlimited, &view(Role::Gateway, Growth::default()));
    assert!(finding.measures.iter().all(|measure| measure.key != "memory_percent"));
}

#[test]
fn the_cache_that_can_go_is_read() {
    for (stat, expected) in [
        ("anon 5\nfile 7\ninactive_file 4096\nactive_file 1\n", 4096),
        ("inactive_file x\n", 0),
        ("", 0),
    ] {
        assert_eq!(super::judge::droppable(stat), expected);
    }
}

#[test]
fn m2_a_monitor_that_a_timer_starts_is_at_rest_between_two_looks() {
    let oneshot = |states: &str| Unit { kind: "oneshot".to_owned(), ..unit(states) };
    let rests = Unit {
        triggers: vec!["x.timer".to_owned()],
        exec_main_code: 1,
        exec_main_status: 1,
        ..oneshot("loaded inactive dead success")
    };
    let at_work = Unit {
        changed: Some(Duration::from_secs(2)),
        ..oneshot("loaded activating start success")
    };
    let stuck = Unit { changed: Some(Duration::from_secs(60)), ..at_work.clone() };
    let watches = |seconds| Unit {
        kind: "notify".to_owned(),
        changed: Some(Duration::from_secs(seconds)),
        ..unit("loaded activating start success")
    };
    for (unit, expected) in [
        (watches(2), "activating: pass INFO at work for 2 s"),
        (watches(60), "activating: warn WARNING starting for 1 min"),
        (rests.clone(), "stopped: pass INFO its timer runs; it ended 1 min ago"),
        (Unit { triggers: Vec::new(), ..rests.clone() }, "stopped: warn"),
        (Unit { kind: "simple".to_owned(), ..rests.clone() }, "stopped: warn"),
        (at_work, "activating: pass INFO at work for 2 s"),
        (stuck, "activating: warn WARNING starting for 1 min"),
    ] {
        let said = said(&unit, Role::Monitor, Growth::default());
        assert!(said.starts_with(expected), "{said}");
    }
    let idle_timer = Some("x.timer".to_owned());
    let view = View { idle_timer, ..view(Role::Monitor, Growth::default()) };
    assert_eq!(
        judge(&rests, &view).line(),
        "warn WARNING x.timer, which is to start it, is not active > \
         systemctl --user enable --now x.timer"
    );
}

#[test]
fn s7_what_does_no_harm_by_itself_is_told_and_passes() {
    let pass = || Finding::pass("unit:user/x.service", "active for 1 h");
    let noted = |lints: &[&str]| {
        with_notes(pass(), lints.iter().map(|&lint| lint.to_owned()).collect()).line()
    };
    assert_eq!(noted(&[]), "pass INFO active for 1 h");
    assert_eq!(
        noted(&["RestartSec is 5 s, but a start takes 12 s", "b"]),
        "pass INFO active for 1 h; note: RestartSec is 5 s, but a start takes 12 s, and b"
    );
}

#[test]
fn s7_a_unit_that_runs_at_times_may_be_at_rest() {
    let idle = unit("loaded inactive dead success");
    let oneshot = Unit { kind: "oneshot".to_owned(), ..idle.clone() };
    let started_by_timer = Unit { triggers: vec!["x.timer".to_owned()], ..idle.clone() };
    for (unit, expected) in [(oneshot, "pass"), (started_by_timer, "pass"), (idle, "warn")] {
        let said = said(&unit, Role::Other, Growth::default());
        assert!(said.starts_with(&format!("stopped: {expected}")), "{said}");
    }
}

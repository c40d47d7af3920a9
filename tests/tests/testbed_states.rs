//! Units in every state under a real systemd, and what claw-health says of them.
//!
//! Each suite boots hosts of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes.

use claw_tests::testbed::{Host, mismatches};
use serde_json::Value;

/// A unit of `states.sh`, the state that claw-health has to give it, the status and the severity,
/// and words of the message and the remedy.
const STATES: &[(&str, &str, &str, &[&str])] = &[
    ("ok", "active", "pass INFO", &["active for "]),
    ("exits3", "failed", "fail CRITICAL", &["exit status 3", "journalctl"]),
    ("killed", "failed", "fail CRITICAL", &["killed by SIGKILL"]),
    (
        "limit",
        "failed",
        "fail CRITICAL",
        &["start limit hit", "3 restarts", "exit status 1", "reset-failed limit.service && "],
    ),
    ("loops", "crash-looping", "fail CRITICAL", &["crash-looping", "limit 3 restarts in 5 min"]),
    ("activating", "activating", "warn WARNING", &["starting for "]),
    ("stopped", "stopped", "warn WARNING", &["stopped ", "start stopped.service"]),
    ("masked", "masked", "warn WARNING", &["masked", "unmask masked.service"]),
    ("watchdog", "failed", "fail CRITICAL", &["watchdog timed out", "SIGABRT"]),
    ("twin", "active", "pass INFO", &["active for "]),
    ("oldlimit", "active", "warn WARNING", &["MemoryLimit=", "write MemoryMax="]),
    ("missing", "missing", "warn WARNING", &["there is no such unit"]),
];

fn every_state_is_told(suite: &str) {
    let Some(host) = Host::boot(suite, "states", &[]) else { return };
    host.run("root", &["bash", "/opt/testbed/states.sh", "--no-limits"]);
    // For one restart more of the loop.
    host.run("root", &["sleep", "2"]);
    let mut wrong = Vec::new();
    for user in ["root", "dev"] {
        for scope in ["system", "user"] {
            let targets: Vec<_> =
                STATES.iter().map(|(name, ..)| format!("unit:{scope}/{name}.service")).collect();
            let targets: Vec<_> = targets.iter().map(String::as_str).collect();
            let records = host.health(user, &targets);
            assert_eq!(records.len(), targets.len());
            for ((target, record), (_, state, loud, words)) in
                targets.iter().zip(&records).zip(STATES)
            {
                assert_eq!(record["subject"], *target);
                wrong.extend(mismatches(user, record, (state, loud, words)));
            }
        }
    }
    let gateway = |unit: &str, user: &str| {
        let target = format!("unit:user/{unit}");
        host.health(user, &["--gateway-unit", unit, &target]).remove(0)
    };
    let refuses = "mkdir -p ~/.config/systemd/user && cd ~/.config/systemd/user && printf \
        '[Unit]\\nWants=network-online.target\\n[Service]\\nExecStart=sh -c \"exit 78\"\\nRestart=always\\n\
        RestartPreventExitStatus=78\\n' >refuses.service && systemctl --user daemon-reload && \
        systemctl --user start refuses && sleep 1";
    host.run("dev", &["sh", "-c", refuses]);
    for user in ["root", "dev"] {
        let twin = ["/etc/systemd/system/twin.service is its twin", "systemctl disable --now"];
        wrong.extend(mismatches(
            user,
            &gateway("twin.service", user),
            ("active", "fail ERROR", &twin),
        ));
        let refuses = gateway("refuses.service", user);
        let words = ["exit status 78", "OpenClaw refuses its configuration", "openclaw doctor"];
        wrong.extend(mismatches(user, &refuses, ("failed", "fail CRITICAL", &words)));
        let lint = refuses["data"]["lint"][0].as_str().unwrap_or_default();
        if !lint.contains("network-online.target") {
            wrong.push(format!("{user}: {refuses}"));
        }
    }
    // Without a target it finds by itself what failed, in both managers.
    // One that starts again and again is at work for a moment each time, and is seen between.
    let mut found = host.health("root", &["unit"]);
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        found.extend(host.health("root", &["unit"]));
    }
    for scope in ["system", "user"] {
        for name in ["exits3", "killed", "limit", "loops", "watchdog"] {
            let subject = format!("unit:{scope}/{name}.service");
            if !found.iter().any(|record| record["subject"] == *subject) {
                wrong.push(format!("{subject} is in trouble and is not told"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn m2_every_state_of_a_unit_is_told_on_trixie() {
    every_state_is_told("trixie");
}

#[test]
fn m2_every_state_of_a_unit_is_told_on_bookworm() {
    every_state_is_told("bookworm");
}

#[test]
fn m2_a_monitor_that_a_timer_starts_is_as_it_should_be() {
    const NAME: &str = "openclaw-agent-monitor";
    let Some(host) = Host::boot("trixie", "monitor", &[]) else { return };
    let service = "[Service]\nType=oneshot\nExecStart=/opt/bind/claw-health --failing\n\
        SuccessExitStatus=1\nStateDirectory=claw\nTimeoutStartSec=25s\n";
    let timer = "[Timer]\nOnActiveSec=0s\nOnUnitActiveSec=30s\nAccuracySec=1s\n\
        [Install]\nWantedBy=timers.target\n";
    for (file, end) in [(service, "service"), (timer, "timer")] {
        let path = format!("/etc/systemd/system/{NAME}.{end}");
        host.run("root", &["sh", "-c", "printf %s \"$1\" >\"$0\"", &path, file]);
    }
    // It has a look of its own under way, or behind it.
    let enable = format!(
        "systemctl daemon-reload && systemctl --quiet enable --now {NAME}.timer && \
         until journalctl -u {NAME} | grep -q Finished; do sleep 0.1; done"
    );
    host.run("root", &["sh", "-c", &enable]);
    let target = format!("unit:system/{NAME}.service");
    for user in ["root", "dev"] {
        let record = host.health(user, &[&target]).remove(0);
        let expected = ("stopped", "pass INFO", &["its timer runs; it ended "][..]);
        assert_eq!(mismatches(user, &record, expected), Vec::<String>::new());
    }
    host.run("root", &["systemctl", "stop", &format!("{NAME}.timer")]);
    let record = host.health("dev", &[&target]).remove(0);
    let words = ["is not active", "sudo systemctl enable --now openclaw-agent-monitor.timer"];
    assert_eq!(
        mismatches("dev", &record, ("stopped", "warn WARNING", &words)),
        Vec::<String>::new()
    );
}

/// A container does not enforce a unit's limits; a host with a kernel of its own does.
#[test]
fn m2_a_unit_that_runs_out_of_memory_is_told_with_its_limit() {
    let Some(host) = Host::boot("trixie", "limits", &["-v"]) else { return };
    host.run("root", &["bash", "/opt/testbed/states.sh"]);
    let mut wrong = Vec::new();
    for scope in ["system", "user"] {
        let target = format!("unit:{scope}/oom.service");
        let record = host.health("root", &[&target]).remove(0);
        let words = ["out of memory", "oom-kill", "limit 52.4 MB"];
        wrong.extend(mismatches("root", &record, ("failed", "fail CRITICAL", &words)));
        let ok = host.health("root", &[&format!("unit:{scope}/ok.service")]).remove(0);
        if ok["data"]["memory_bytes"].as_u64().is_none_or(|bytes| bytes == 0) {
            wrong.push(format!("no memory: {ok}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What claw-health says of linger, the runtime folder and the buses, and of a user's unit.
fn session(host: &Host, user: &str) -> String {
    let targets = ["linger", "runtime-dir", "bus", "unit:user/openclaw-gateway.service"];
    let line = |record: &Value| {
        format!(
            "{} {} {} > {}\n",
            record["subject"].as_str().unwrap_or_default(),
            record["status"].as_str().unwrap_or_default(),
            record["message"].as_str().unwrap_or_default(),
            record["remedy"].as_str().unwrap_or_default()
        )
    };
    host.health(user, &targets).iter().map(line).collect()
}

#[test]
fn s3_looking_at_a_user_starts_no_user_manager() {
    let Some(host) = Host::boot("trixie", "linger", &[]) else { return };
    let mut wrong = Vec::new();
    let mut expect = |case: &str, text: String, words: &[&str]| {
        for word in words.iter().filter(|word| !text.contains(**word)) {
            wrong.push(format!("{case}: no {word:?} in\n{text}"));
        }
    };
    let home = "mkdir -p ~dev/.openclaw ~dev/.config/systemd/user && printf '[Service]\\nExecStart=sleep \
        infinity\\n[Install]\\nWantedBy=default.target\\n' >~dev/.config/systemd/user/openclaw-gateway.service \
        && chown -R dev: ~dev && loginctl disable-linger dev && systemctl stop user@1000";
    host.run("root", &["bash", "-c", home]);

    let down = [
        "linger fail linger is off for dev: the gateway dies at log-out and does not start after a reboot",
        "loginctl enable-linger dev",
        "runtime-dir fail there is no /run/user/1000",
        "bus:user fail there is no /run/user/1000/bus and no user manager of dev",
        "Failed to connect to bus",
        "bus:system pass",
        "unit:user/openclaw-gateway.service fail not started: the user manager of dev does not run",
    ];
    expect("linger off, seen by root", session(&host, "root"), &down);
    let state = "systemctl is-active user@1000; loginctl list-sessions --no-legend; ls /run/user";
    let after = host.run("root", &["sh", "-c", &format!("sleep 1; {state}; true")]);
    expect("after the look", format!("<{after}>"), &["<inactive\n>"]);

    // A folder made by hand does not help, and nobody says that it would.
    host.run("root", &["mkdir", "-p", "/run/user/1000"]);
    let by_hand = session(&host, "root");
    expect("made by hand", by_hand.clone(), &["runtime-dir fail /run/user/1000 was made by hand"]);
    assert!(!by_hand.contains("mkdir"), "{by_hand}");
    host.run("root", &["rmdir", "/run/user/1000"]);

    host.run("root", &["loginctl", "enable-linger", "dev"]);
    let until = "until [ -S /run/user/1000/bus ]; do sleep 0.1; done; systemctl start openclaw-gateway --user";
    host.run(
        "root",
        &[
            "setpriv",
            "--reuid=dev",
            "--regid=dev",
            "--init-groups",
            "env",
            "XDG_RUNTIME_DIR=/run/user/1000",
            "sh",
            "-c",
            until,
        ],
    );
    let up = [
        "linger pass dev lingers, and user@1000.service is active",
        "runtime-dir pass /run/user/1000 is dev's, mode 0700",
        "bus:user pass the session bus of dev answers",
        "bus:system pass the system bus answers",
        "unit:user/openclaw-gateway.service pass active for ",
    ];
    for user in ["root", "dev"] {
        expect(&format!("linger on, seen by {user}"), session(&host, user), &up);
    }

    // As it is without the package dbus-user-session: only the manager's own socket.
    host.run("root", &["rm", "/run/user/1000/bus"]);
    for user in ["root", "dev"] {
        let alone =
            ["bus:user pass dev has no session bus", "unit:user/openclaw-gateway.service pass"];
        expect(&format!("no session bus, seen by {user}"), session(&host, user), &alone);
    }

    // A user may put anything in the place of the manager's socket.
    let private =
        "cd /run/user/1000/systemd && mv private aside && ln -s /run/systemd/private private";
    host.run("dev", &["sh", "-c", private]);
    let refused = ["unit:user/openclaw-gateway.service unknown", "symbolic links"];
    expect("a link", session(&host, "root"), &refused);
    let private = "cd /run/user/1000/systemd && rm private && \
        systemd-socket-activate -l $PWD/private sleep infinity >/dev/null 2>&1 & sleep 1";
    host.run("dev", &["sh", "-c", private]);
    let refused = ["unit:user/openclaw-gateway.service unknown", "does not answer within 2 s"];
    expect("a silent socket", session(&host, "root"), &refused);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! A gateway that crashes under a real systemd in each way that a container has, and what
//! claw-health says of it afterwards.
//!
//! Where there can be no host, the test says so and passes.

use claw_tests::testbed::{Host, mismatches};
use serde_json::{Value, json};

/// What every step may use, in the shell of dev.
const TOOLS: &str = r#"
unit=openclaw-gateway.service
gateway() { # SCRIPT [SETTING]: let a gateway of that kind run
  mkdir -p ~/.config/systemd/user
  mkdir -p -m 700 ~/.openclaw
  printf '%s\n' "$1" >~/gateway.sh
  printf '[Service]\nExecStart=bash %s/gateway.sh\n%s\n' "$HOME" "${2:-}" >~/.config/systemd/user/$unit
  systemctl --user daemon-reload
  systemctl --user restart $unit
}
within() { for _ in {1..300}; do ! "$@" || return 0; sleep 0.1; done; echo "not within 30 s: $*" >&2; return 1; }
failed() { within systemctl --user is-failed -q $unit; }
there() { within test -e "$1"; }
"#;

/// What happens to the gateway, and what is to be said of that then.
struct Step {
    claim: &'static str,
    /// Lines of shell.
    doing: &'static str,
    options: &'static [&'static str],
    loud: &'static str,
    words: &'static [&'static str],
    data: fn() -> Value,
}

const STEPS: &[Step] = &[
    Step {
        claim: "of_a_gateway_that_runs_there_was_no_crash",
        doing: "gateway 'sleep infinity'",
        options: &[],
        loud: "pass INFO",
        words: &["no crash in the journal since its first entry, 20"],
        data: || json!({}),
    },
    Step {
        claim: "a_kill_is_a_crash",
        doing: "systemctl --user kill --kill-whom=main -s KILL $unit; failed",
        options: &[],
        loud: "warn WARNING",
        words: &[" ago: killed by SIGKILL; limit 1 d", "--since '20", "openclaw-gateway.service"],
        data: || json!({"cause": "signal", "signal": "SIGKILL"}),
    },
    Step {
        claim: "an_exit_status_is_a_crash",
        doing: "gateway 'exit 3'; failed",
        options: &[],
        loud: "warn WARNING",
        words: &[" ago: exit status 3; limit 1 d"],
        data: || json!({"cause": "exit", "exit_code": 3}),
    },
    Step {
        claim: "what_a_person_stops_or_what_ends_well_is_no_crash",
        doing: "gateway 'trap \"exit 1\" TERM; sleep infinity & touch ~/up; wait'; there ~/up
            systemctl --user stop $unit; failed; gateway 'exit 0'; sleep 0.5
            gateway 'exit 143' SuccessExitStatus=143; sleep 0.5",
        options: &[],
        loud: "warn WARNING",
        words: &[" ago: exit status 3; limit 1 d"],
        data: || json!({"cause": "exit", "exit_code": 3}),
    },
    Step {
        claim: "a_configuration_that_is_refused_is_a_start_that_failed",
        doing: "gateway 'exit 78'; failed",
        options: &[],
        loud: "warn WARNING",
        words: &["it could not start, exit status 78: OpenClaw refuses its configuration"],
        data: || json!({"cause": "startup-failed", "exit_code": 78}),
    },
    Step {
        claim: "a_watchdog_is_named",
        doing: "gateway 'systemd-notify --ready; exec sleep infinity' $'Type=notify\\nNotifyAccess=all\\nWatchdogSec=1s'; failed",
        options: &[],
        loud: "warn WARNING",
        words: &["its watchdog timed out, killed by SIGABRT"],
        data: || json!({"cause": "watchdog", "signal": "SIGABRT"}),
    },
    Step {
        claim: "what_openclaw_wrote_of_it_tells_more",
        doing: r#"gateway 'cd ~/.openclaw; mkdir -p logs/stability; cd logs/stability
            at=$(date -u +%Y-%m-%dT%H-%M-%S-%3NZ)
            printf %s "{\"error\":{\"name\":\"TypeError\",\"message\":\"no \\u0007 bell\"}}" >openclaw-stability-$at-77-uncaught_exception.json
            exit 1'; failed"#,
        options: &[],
        loud: "warn WARNING",
        words: &[
            "uncaught exception: TypeError: no ",
            ", exit status 1; limit 1 d",
            "-77-uncaught_exception.json'",
        ],
        data: || json!({"cause": "uncaught-exception", "exit_code": 1, "pid": 77}),
    },
    Step {
        claim: "an_old_crash_passes",
        doing: "",
        options: &["--crash-warn-hours", "0"],
        loud: "pass INFO",
        words: &["; limit 0 s"],
        data: || json!({"cause": "uncaught-exception", "exit_code": 1, "pid": 77}),
    },
];

fn each_crash_is_told(suite: &str) {
    let Some(host) = Host::boot(suite, "crash", &[]) else { return };
    host.run("root", &["sh", "-c", "loginctl enable-linger dev; useradd -m other; until [ -S /run/user/1000/bus ]; do sleep 0.1; done"]);
    let mut wrong = Vec::new();
    for step in STEPS {
        host.shell(&[TOOLS, step.doing].concat());
        host.run("root", &["journalctl", "--sync"]);
        for user in ["root", "dev"] {
            let record = host.health(user, &[step.options, &["last_crash"]].concat()).remove(0);
            let mut found = mismatches(user, &record, ("", step.loud, step.words));
            let data = &record["data"];
            let known: Value = ["cause", "exit_code", "signal", "pid"]
                .iter()
                .filter(|key| !data[**key].is_null())
                .map(|key| ((*key).to_owned(), data[*key].clone()))
                .collect::<serde_json::Map<_, _>>()
                .into();
            if known != (step.data)() {
                found.push(format!("{user}: {data}"));
            }
            wrong.extend(found.into_iter().map(|wrong| format!("{}: {wrong}", step.claim)));
        }
    }
    wrong.extend(nobody_can_tell(&host));
    wrong.extend(of_the_system(&host));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A user who may read neither the journal nor the bundles.
fn nobody_can_tell(host: &Host) -> Vec<String> {
    let record = host.health("other", &["last-crash"]).remove(0);
    let words = ["insufficient permissions", "sudo claw-health last-crash"];
    mismatches("other", &record, ("", "unknown WARNING", &words))
}

/// A gateway that the system's manager has. What dev may write into the journal is not believed.
fn of_the_system(host: &Host) -> Vec<String> {
    let unit = "printf '[Service]\\nExecStart=sh -c \"exit 5\"\\n' >/etc/systemd/system/gw.service
        systemctl daemon-reload; systemctl start gw; until systemctl is-failed -q gw; do sleep 0.1; done";
    host.run("root", &["sh", "-c", unit]);
    let forged = "printf 'MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15\\nUNIT=gw.service\\nEXIT_CODE=killed\\n\
        EXIT_STATUS=11\\nMESSAGE=x\\n' | logger --journald";
    host.shell(forged);
    host.run("root", &["journalctl", "--sync"]);
    // What was written of the other gateway's end would be newer than nothing.
    host.shell("rm -r ~/.openclaw/logs");
    let look = |user| host.health(user, &["--gateway-unit", "gw.service", "last-crash"]).remove(0);
    let mut wrong = mismatches("root", &look("root"), ("", "warn WARNING", &["exit status 5"]));
    let words = ["may read no entry of the system manager", "sudo claw-health last-crash"];
    wrong.extend(mismatches("dev", &look("dev"), ("", "unknown WARNING", &words)));
    wrong
}

#[test]
fn m2_the_last_crash_is_told_on_trixie() {
    each_crash_is_told("trixie");
}

#[test]
fn m2_the_last_crash_is_told_on_bookworm() {
    each_crash_is_told("bookworm");
}

#[test]
fn whose_gateway_it_is_is_said_in_a_line() {
    let Some(host) = Host::boot("trixie", "whose", &[]) else { return };
    let whose = |command: &[&str]| {
        let tool = ["/opt/bind/claw-health", "--whose"];
        host.run("root", &[command, &tool].concat())
    };
    assert_eq!(whose(&[]), "root 0 0 /root\n");
    // Nobody has an OpenClaw yet.
    assert_eq!(whose(&["env", "SUDO_USER=dev"]), "dev 1000 1000 /home/dev\n");
    host.run("root", &["sh", "-c", "useradd -m other && mkdir ~other/.openclaw"]);
    assert_eq!(whose(&["env", "SUDO_USER=dev"]), "other 1001 1001 /home/other\n");
    assert_eq!(whose(&["env", "CLAW_USER=dev"]), "dev 1000 1000 /home/dev\n");
    let mine = host.run("dev", &["/opt/bind/claw-health", "--whose"]);
    assert_eq!(mine, "dev 1000 1000 /home/dev\n");
}

/// A container does not enforce a unit's limits; a host with a kernel of its own does.
#[test]
fn m2_want_of_memory_is_told_before_and_after_it_kills() {
    let Some(host) = Host::boot("trixie", "memory", &["-v"]) else { return };
    let linger = "loginctl enable-linger dev; until [ -S /run/user/1000/bus ]; do sleep 0.1; done";
    host.run("root", &["sh", "-c", linger]);
    // The gateway's unit goes on when one of its processes is killed, so it fails by a mere signal.
    let units = r#"
        gateway 'exec tail /dev/zero' $'MemoryMax=50M\nMemorySwapMax=0\nOOMPolicy=continue'
        limited() { # NAME SCRIPT
          printf '%s\n' "$2" >~/$1.sh
          printf '[Service]\nExecStart=bash %s/%s.sh\nMemoryMax=50M\nMemorySwapMax=0\n' "$HOME" "$1" \
            >~/.config/systemd/user/$1.service
        }
        limited near 'head -c 48000000 /dev/zero >/dev/shm/near; touch ~/near; sleep infinity'
        limited cache 'head -c 80000000 /dev/zero >~/big; touch ~/cache; sleep infinity'
        systemctl --user daemon-reload
        systemctl --user start near cache
        failed
        there ~/near; there ~/cache"#;
    host.shell(&[TOOLS, units].concat());
    host.run("root", &["journalctl", "--sync"]);
    let mut wrong = Vec::new();
    for user in ["root", "dev"] {
        let targets = ["last-crash", "unit:user/near.service", "unit:user/cache.service"];
        let records = host.health(user, &targets);
        let killed = ["out of memory, killed by the kernel"];
        let near = [" % of its memory limit in use, limit 90 %", "raise its MemoryMax=: "];
        wrong.extend(mismatches(user, &records[0], ("", "warn WARNING", &killed)));
        wrong.extend(mismatches(user, &records[1], ("active", "warn WARNING", &near)));
        wrong.extend(mismatches(user, &records[2], ("active", "pass INFO", &["(limit 52.4 MB)"])));
        let cached = records[2]["data"]["memory_bytes"].as_f64().unwrap_or_default();
        if records[0]["data"]["cause"] != "oom" || cached < 0.9 * 52_428_800.0 {
            wrong.push(format!("{user}: {} {}", records[0], records[2]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! A real OpenClaw gateway under a real systemd, brought into one state after another, and what
//! claw-health says of each.
//!
//! Where the gateway cannot be had, the test says so and passes.

use std::io::{Write, stderr};
use std::time::{Duration, Instant};

use claw_tests::testbed::{Expected, Host, mismatches};
use serde_json::Value;

/// What every step may use, in the shell of dev.
const TOOLS: &str = r#"
unit=openclaw-gateway.service
config=~/.openclaw/openclaw.json
[[ -e ~/good.json ]] || cp $config ~/good.json
configure() { # CODE, which changes c
  cp ~/good.json $config
  node -e 'const f = process.argv[1], c = JSON.parse(fs.readFileSync(f)); eval(process.argv[2])
    fs.writeFileSync(f, JSON.stringify(c))' $config "$1"
}
signal() { systemctl --user kill --kill-whom=main -s "$1" $unit; }
until_unit() { # STATE SECONDS: that claw-health gives it
  for _ in $(seq "$2"); do
    ! /opt/bind/claw-health --format json unit:user/$unit | grep -q "\"state\":\"$1\"" || return 0
    sleep 1
  done
}
"#;

/// Something that happens to the gateway, and what is to be said of it then.
struct Step {
    claim: &'static str,
    /// Lines of shell.
    doing: &'static str,
    /// Does it start, so that every look until it is ready has to find it starting?
    starts: bool,
    options: &'static [&'static str],
    expected: &'static [(&'static str, Expected<'static>)],
}

const UNIT: &str = "unit:user/openclaw-gateway.service";
const READY: (&str, Expected) =
    ("gateway", ("ready", "pass INFO", &["ready: version 2026.9.6, up for "]));
const REFUSED: &str = "nothing listens there: connection refused";

const STEPS: &[Step] = &[
    Step {
        claim: "m2_a_gateway_that_works_is_ready",
        doing: "",
        starts: true,
        options: &[],
        expected: &[
            READY,
            (UNIT, ("active", "pass INFO", &["active for "])),
            ("websocket", ("", "pass INFO", &["it greets after "])),
            (
                "bind",
                (
                    "",
                    "pass INFO",
                    &["127.0.0.1:18789 (loopback), [::1]:18789 (loopback): from this box alone"],
                ),
            ),
            ("http://127.0.0.1:18789/healthz", ("", "pass INFO", &["status 200, 27 bytes"])),
        ],
    },
    Step {
        claim: "a1_a_gateway_that_is_restarted_is_starting_until_it_is_ready",
        doing: "systemctl --user --no-block restart $unit",
        starts: true,
        options: &[],
        expected: &[READY, (UNIT, ("active", "pass INFO", &[]))],
    },
    Step {
        claim: "a1_a_gateway_that_was_killed_is_starting_again",
        doing: "signal KILL; sleep 1",
        starts: false,
        options: &[],
        expected: &[
            ("gateway", ("starting", "warn INFO", &[REFUSED])),
            (
                UNIT,
                ("activating", "warn WARNING", &["killed by SIGKILL", "started again 5 s after"]),
            ),
            ("websocket", ("", "unknown WARNING", &[REFUSED])),
            ("bind", ("", "unknown WARNING", &["nothing listens on port 18789"])),
        ],
    },
    Step {
        claim: "a1_a_gateway_that_was_killed_comes_back_and_that_is_told",
        doing: "",
        starts: true,
        options: &[],
        expected: &[READY, (UNIT, ("active", "warn WARNING", &["after 1 restart"]))],
    },
    Step {
        claim: "a1_a_gateway_that_stands_still_is_hung",
        doing: "signal STOP",
        starts: false,
        options: &["--timeout", "2", "--gateway-grace", "5"],
        expected: &[
            (
                "gateway",
                ("hung", "fail CRITICAL", &["sends no byte within 2.0 s; its unit is active"]),
            ),
            ("websocket", ("", "unknown WARNING", &["the gateway does not answer"])),
            ("bind", ("", "pass INFO", &[])),
        ],
    },
    Step {
        claim: "a1_a_gateway_that_moves_on_is_ready",
        doing: "signal CONT",
        starts: true,
        options: &[],
        expected: &[READY],
    },
    Step {
        claim: "a1_a_gateway_that_was_stopped_by_hand_is_dead_and_its_unit_stopped",
        doing: "systemctl --user stop $unit",
        starts: false,
        options: &[],
        expected: &[
            (
                "gateway",
                (
                    "dead",
                    "warn WARNING",
                    &["its unit was stopped, and did not fail", "deploy start"],
                ),
            ),
            (UNIT, ("stopped", "warn WARNING", &["by hand", " start openclaw-gateway.service"])),
        ],
    },
    Step {
        claim: "s7_a_configuration_that_it_refuses_is_told_as_that",
        doing: "configure 'c.gateway.surprise = 1'; systemctl --user start $unit; until_unit failed 60",
        starts: false,
        options: &[],
        expected: &[
            ("gateway", ("dead", "fail CRITICAL", &[REFUSED, "its unit is failed"])),
            (
                UNIT,
                (
                    "failed",
                    "fail CRITICAL",
                    &[
                        "exit status 78: OpenClaw refuses its configuration",
                        "openclaw config validate",
                        "openclaw doctor",
                    ],
                ),
            ),
        ],
    },
    Step {
        claim: "h2_a_gateway_that_works_for_everybody_is_ready_and_exposed",
        doing: "configure 'c.gateway.bind = \"lan\"'; systemctl --user --no-block start $unit",
        starts: true,
        options: &[],
        expected: &[
            READY,
            (
                "bind",
                (
                    "",
                    "fail CRITICAL",
                    &[
                        "0.0.0.0:18789 (every address): from everywhere",
                        "set gateway.bind to \"loopback\"",
                    ],
                ),
            ),
        ],
    },
    Step {
        claim: "s7_a_gateway_that_fails_at_every_start_is_crash_looping_though_systemd_never_gives_up",
        doing: "configure 'c.gateway.bind = \"custom\"'; systemctl --user restart $unit; until_unit crash-looping 150",
        starts: false,
        options: &[],
        expected: &[
            ("gateway", ("dead", "fail CRITICAL", &["starting again and again"])),
            (
                UNIT,
                (
                    "crash-looping",
                    "fail CRITICAL",
                    &["crash-looping: 3 restarts", "limit 3 restarts in 5 min", "journalctl"],
                ),
            ),
        ],
    },
    Step {
        claim: "s7_a_gateway_that_was_repaired_is_ready_and_holds_its_channels_back_for_a_while",
        doing: "configure ''; systemctl --user --no-block restart $unit",
        starts: true,
        options: &[],
        expected: &[
            (
                "gateway",
                (
                    "ready",
                    "warn WARNING",
                    &[
                        "ready: restart-loop breaker: channels are held back",
                        "openclaw gateway stability",
                    ],
                ),
            ),
            (UNIT, ("active", "pass INFO", &[])),
            ("bind", ("", "pass INFO", &[])),
        ],
    },
];

#[test]
fn a1_m2_h2_s7_every_state_of_a_real_gateway_is_told() {
    let Some(host) = Host::boot("trixie", "openclaw", &[]) else { return };
    if !host.openclaw() {
        return;
    }
    let mut wrong = Vec::new();
    for step in STEPS {
        let begun = Instant::now();
        let mut found = take(&host, step);
        if step.claim.starts_with("m2_") {
            found.extend(cries_wolf(&host));
            found.extend(refuses_forwarded(&host));
        }
        let _ = writeln!(stderr(), "{} s for {}", begun.elapsed().as_secs(), step.claim);
        wrong.extend(found.into_iter().map(|wrong| format!("{}: {wrong}", step.claim)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Does what a step does, and tells what is not as it should be.
fn take(host: &Host, step: &Step) -> Vec<String> {
    host.shell(&[TOOLS, step.doing].concat());
    let mut wrong = if step.starts { start(host) } else { Vec::new() };
    let targets: Vec<_> = step.expected.iter().map(|(target, _)| *target).collect();
    for user in ["dev", "root"] {
        let records = host.health(user, &[step.options, &targets].concat());
        assert_eq!(records.len(), targets.len());
        for (record, (target, expected)) in records.iter().zip(step.expected) {
            wrong.extend(mismatches(user, record, *expected));
            wrong.extend(of_another(user, target, record));
        }
        // What systemd and the kernel know stays for a moment, and the next look is not worth a wait.
        if ["activating", "crash-looping"]
            .iter()
            .any(|state| records.iter().any(|record| record["data"]["state"] == *state))
        {
            break;
        }
    }
    wrong
}

/// The sockets have to be known as those of the gateway's unit.
fn of_another(user: &str, target: &str, record: &Value) -> Option<String> {
    if target != "bind" || record["status"] == "unknown" {
        return None;
    }
    let listeners = record["data"]["listeners"].as_array()?;
    let is_own = |listener: &Value| {
        listener["unit"] == "openclaw-gateway.service" && listener["pid"].is_u64()
    };
    (!listeners.iter().all(is_own)).then(|| format!("{user}: a stranger: {record}"))
}

/// Looks twice a second until the gateway is ready. Each look has to find it starting, and cries
/// over nothing.
fn start(host: &Host) -> Vec<String> {
    const LONGEST: Duration = Duration::from_secs(90);
    let begun = Instant::now();
    let (mut wrong, mut last) = (Vec::new(), String::new());
    loop {
        let record = host.health("dev", &["--timeout", "2", "gateway"]).remove(0);
        let state = record["data"]["state"].as_str().unwrap_or_default().to_owned();
        let after = begun.elapsed();
        let said =
            format!("{:.1} s: {} {}", after.as_secs_f64(), record["severity"], record["message"]);
        if state != last {
            let _ = writeln!(stderr(), "{said}");
        }
        if !["starting", "ready"].contains(&state.as_str())
            || state == "starting" && record["severity"] != "INFO"
        {
            wrong.push(format!("cries wolf over a start: {said}"));
        }
        if state == "ready" || after > LONGEST {
            wrong.extend((state != "ready").then(|| format!("never ready: {said}")));
            return wrong;
        }
        last = state;
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A stock gateway on a bare box: what does not pass is the box.
fn cries_wolf(host: &Host) -> Vec<String> {
    const BARE: [&str; 5] =
        ["unit:system/openclaw-agent-monitor.service", "clock", "workspace", "backup", "updates"];
    let look = |user| {
        // What depends on the machine below the test bed is left out.
        let records = host.health(user, &["--skip", "load,pressure,disk,memory,oom"]);
        // A gateway on a busy machine says itself that its event loop is busy, and it is.
        let is_busy = |record: &Value| {
            let message = record["message"].as_str().unwrap_or_default();
            message.contains("its event loop is busy") || message.contains("its answer is late")
        };
        let failing =
            records.iter().filter(|record| record["status"] != "pass" && !is_busy(record));
        let subjects: Vec<_> = failing
            .map(|record| record["subject"].as_str().unwrap_or_default().to_owned())
            .collect();
        (subjects != BARE).then(|| format!("{user}: what does not pass is {subjects:?}"))
    };
    ["root", "dev"].into_iter().filter_map(look).collect()
}

/// The gateway would refuse a look that brought a forwarding header, so none did.
fn refuses_forwarded(host: &Host) -> Option<String> {
    let request = r"exec 3<>/dev/tcp/127.0.0.1/18789
printf 'GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n' >&3
head -n1 <&3";
    let answer = host.shell(request);
    (!answer.contains("403")).then(|| format!("a forwarding header is not refused: {answer}"))
}

use claw_record::Status;

use super::*;
use crate::network::probe::{Answer, Clocks, Head};

const LIVE: &str = include_str!("../../../fixtures/openclaw/healthz.json");
const STARTED: &str = include_str!("../../../fixtures/openclaw/startupz-local.json");
const READY: &str = include_str!("../../../fixtures/openclaw/readyz-ready-local.json");
const READY_REMOTE: &str = include_str!("../../../fixtures/openclaw/readyz-200-remote-unauth.json");
const CHANNEL_DOWN: &str = include_str!("../../../fixtures/openclaw/readyz-503-channel-down.json");
const NOT_READY_REMOTE: &str =
    include_str!("../../../fixtures/openclaw/readyz-503-remote-unauth.json");
const SIDECARS: &str = include_str!("../../../fixtures/openclaw/readyz-503-starting.json");
const PROXIED: &str = include_str!("../../../fixtures/openclaw/403-proxy-attribution.json");

fn answer(status: u16, kind: &str, body: &str) -> Probe {
    let head = Head::of(status, &[("content-type", kind)]);
    probe(Ok(Answer { head, body: body.into(), is_cut: false }))
}

fn json(status: u16, body: &str) -> Probe {
    answer(status, "application/json; charset=utf-8", body)
}

fn probe(outcome: Result<Answer, Failure>) -> Probe {
    let first_byte = outcome.is_ok().then_some(Duration::from_millis(3));
    let mut clocks = Clocks::start();
    clocks.connect = Some(Duration::from_micros(400));
    clocks.first_byte = first_byte;
    Probe { clocks, outcome }
}

fn seen(life: Probe) -> Seen {
    Seen {
        url: Url::local(false, 18789),
        life,
        start: None,
        readiness: None,
        service: None,
        remedy: None,
        starting_for: None,
        is_looping: false,
        was_ready: false,
        safe_mode: false,
        grace: Duration::from_secs(90),
        warn: 1.0,
    }
}

fn alive(start: Probe, readiness: Probe) -> Seen {
    Seen { start: Some(start), readiness: Some(readiness), ..seen(json(200, LIVE)) }
}

fn service(state: &str, age: Option<u64>, restarts: u64) -> Option<Service> {
    let age = age.map(Duration::from_secs);
    Some(Service {
        state: state.to_owned(),
        age,
        restarts,
        main_pid: Some(7),
        is_restarting: false,
        is_put_away: false,
    })
}

/// A readiness of that uptime, with or without a busy event loop.
fn ready(uptime_seconds: u64, busy: bool) -> Probe {
    let reasons = if busy { r#"["cpu"]"# } else { "[]" };
    json(
        200,
        &format!(
            r#"{{"ready":true,"failing":[],"uptimeMs":{},"eventLoop":{{"degraded":{busy},
            "reasons":{reasons},"delayP99Ms":347.1,"utilization":0.666}}}}"#,
            uptime_seconds * 1000
        ),
    )
}

/// The finding as one line: state, status, severity, message.
fn line(seen: &Seen) -> String {
    let finding = judge(seen);
    let state = finding.data["state"].as_str().unwrap();
    assert!(finding.message.starts_with(state), "{}", finding.message);
    format!("{} {:?} {}", finding.status, finding.severity, finding.message)
}

#[test]
fn m2_the_real_answers_are_told_apart() {
    for (seen, expected) in [
        (
            alive(json(200, STARTED), ready(241, false)),
            "pass Info ready: version 2026.9.6, up for 4 min 1 s, first byte after 3.0 ms; limit 1 s",
        ),
        (
            alive(json(200, STARTED), json(200, READY)),
            "warn Info starting: its event loop is busy (cpu), delay p99 347 ms, utilization 67 %, 9 s after its start; limit 90 s",
        ),
        (
            alive(json(200, r#"{"ok":true,"status":"started"}"#), json(200, READY_REMOTE)),
            "pass Info ready: first byte after 3.0 ms; limit 1 s",
        ),
        (
            alive(json(503, r#"{"ok":false,"status":"starting"}"#), json(503, NOT_READY_REMOTE)),
            "warn Info starting: it says so itself",
        ),
        (
            alive(json(200, STARTED), json(503, SIDECARS)),
            "warn Info starting: it says so itself, 3 s after its start; limit 90 s",
        ),
        (
            alive(json(503, r#"{"ok":false,"status":"draining"}"#), json(503, NOT_READY_REMOTE)),
            "warn Info starting: it drains before it stops or starts anew",
        ),
        (
            // Its own age, which is no late start.
            alive(json(503, r#"{"ok":false,"status":"draining"}"#), ready(600, false)),
            "warn Info starting: it drains before it stops or starts anew",
        ),
        (
            Seen {
                starting_for: Some(Duration::from_secs(400)),
                ..alive(
                    json(503, r#"{"ok":false,"status":"draining"}"#),
                    json(503, NOT_READY_REMOTE),
                )
            },
            "warn Warning starting: it drains before it stops or starts anew, for 6 min 40 s already; limit 5 min 30 s",
        ),
        (
            alive(json(200, STARTED), json(503, CHANNEL_DOWN)),
            "fail Error useless: it lives, and says that it cannot work; failing: telegram",
        ),
        (
            alive(json(200, STARTED), json(503, NOT_READY_REMOTE)),
            "fail Error useless: it lives, and says that it cannot work; it does not say what is failing",
        ),
        (
            alive(json(200, STARTED), ready(600, true)),
            "warn Warning degraded: its event loop is busy (cpu), delay p99 347 ms, utilization 67 %; version 2026.9.6, up for 10 min, first byte after 3.0 ms; limit 1 s",
        ),
        (
            alive(json(200, STARTED), probe(Err(Failure::Silent(Duration::from_secs(2))))),
            "warn Warning degraded: it lives, and /readyz does not say whether it can work: it accepts connections and sends no byte within 2.0 s",
        ),
        (
            seen(json(403, PROXIED)),
            "warn Warning degraded: it lives, and refuses what the proxy before it passes on (403 proxy_attribution_required)",
        ),
        (
            alive(json(403, PROXIED), json(403, PROXIED)),
            "warn Warning degraded: it lives, and refuses what the proxy before it passes on (403 proxy_attribution_required)",
        ),
        (
            seen(answer(200, "text/html; charset=utf-8", "<html>")),
            "fail Critical dead: another program answers at 127.0.0.1:18789: status 200 and text/html",
        ),
        (
            seen(answer(502, "text/html", "<html>")),
            "fail Critical dead: a proxy answers, with status 502",
        ),
        (
            seen(json(200, r#"{"ok":true,"status":"UP"}"#)),
            "fail Critical dead: another program answers at 127.0.0.1:18789: status 200 and application/json",
        ),
    ] {
        assert_eq!(line(&seen), expected);
    }
}

#[test]
fn d3_what_a_person_put_away_is_not_cried_over() {
    let silent = Failure::Silent(Duration::from_secs(2));
    for (state, failure, expected) in [
        ("inactive", Failure::Refused, "dead: its unit was stopped, and did not fail"),
        ("deactivating", Failure::Refused, "dead: its unit is being stopped"),
        ("deactivating", silent, "dead: its unit is being stopped"),
    ] {
        let service = service(state, None, 0);
        let service = service.map(|service| Service { is_put_away: true, ..service });
        let seen = Seen { service, ..seen(probe(Err(failure))) };
        assert_eq!(line(&seen), format!("warn Warning {expected}"));
    }
}

#[test]
fn a1_a_start_is_not_cried_over_and_its_end_is() {
    let refused = || probe(Err(Failure::Refused));
    let silent = || probe(Err(Failure::Silent(Duration::from_secs(2))));
    let nothing = "nothing listens there: connection refused";
    for (life, service, starting_for, expected) in [
        (refused(), None, 0, format!("fail Critical dead: {nothing}")),
        (
            refused(),
            service("active", Some(12), 0),
            12,
            format!("warn Info starting: {nothing}, 12 s after its start; limit 90 s"),
        ),
        (
            refused(),
            service("active", Some(90), 0),
            90,
            format!("fail Critical dead: {nothing}; its unit is active"),
        ),
        (
            refused(),
            service("activating", None, 1),
            300,
            format!("warn Info starting: {nothing}"),
        ),
        (
            refused(),
            service("activating", None, 9),
            300,
            format!("fail Critical dead: {nothing}; its unit is activating, starting again and again for 5 min, 9 restarts"),
        ),
        (
            refused(),
            service("failed", None, 0),
            0,
            format!("fail Critical dead: {nothing}; its unit is failed"),
        ),
        (
            silent(),
            service("active", Some(30), 0),
            0,
            "warn Info starting: it accepts connections and sends no byte within 2.0 s, 30 s after its start; limit 90 s".to_owned(),
        ),
        (
            silent(),
            service("active", Some(300), 0),
            0,
            "fail Critical hung: it accepts connections and sends no byte within 2.0 s; its unit is active".to_owned(),
        ),
        // Somebody else has its port, so that no start will help.
        (
            probe(Err(Failure::NotHttp("it says 'SSH-2.0'".to_owned()))),
            service("active", Some(5), 0),
            0,
            "fail Critical dead: another program answers at 127.0.0.1:18789: that is not HTTP: it says 'SSH-2.0'".to_owned(),
        ),
    ] {
        let starting_for = Some(Duration::from_secs(starting_for));
        assert_eq!(line(&Seen { service, starting_for, ..seen(life) }), expected);
    }
}

#[test]
fn a1_a_stop_is_an_outage_unless_a_start_follows() {
    let refused = || probe(Err(Failure::Refused));
    let stops = |is_restarting| {
        let service = service("deactivating", None, 0);
        service.map(|service| Service { is_restarting, ..service })
    };
    let nothing = "nothing listens there: connection refused";
    for (is_restarting, expected) in [
        (true, format!("warn Info starting: {nothing}")),
        (false, format!("fail Critical dead: {nothing}; its unit is deactivating")),
    ] {
        let service = stops(is_restarting);
        assert_eq!(line(&Seen { service, ..seen(refused()) }), expected);
    }
}

#[test]
fn a1_a_start_that_takes_too_long_is_loud() {
    let start = r#"{"ok":false,"status":"starting","version":"1","uptimeMs":200000}"#;
    assert_eq!(
        line(&alive(json(503, start), json(503, NOT_READY_REMOTE))),
        "warn Warning starting: it says so itself, 3 min 20 s after its start; limit 90 s"
    );
}

#[test]
fn s7_the_restart_loop_breaker_is_told_of_a_gateway_that_looks_well() {
    let seen = Seen { safe_mode: true, ..alive(json(200, STARTED), ready(100, false)) };
    let finding = judge(&seen);
    assert_eq!((finding.status, &finding.data["state"]), (Status::Warn, &"ready".into()));
    assert_eq!(finding.data["safe_mode"], true);
    assert!(finding.message.contains("restart-loop breaker: channels are held back"));
}

#[test]
fn m2_a_late_first_byte_degrades() {
    let mut seen = alive(json(200, STARTED), ready(600, false));
    seen.life.clocks.first_byte = Some(Duration::from_millis(1400));
    assert_eq!(
        line(&seen),
        "warn Warning degraded: its answer is late; version 2026.9.6, up for 10 min, first byte after 1.4 s; limit 1 s"
    );
}

#[test]
fn the_figures_stand_in_the_data() {
    let seen = alive(json(200, STARTED), json(503, CHANNEL_DOWN));
    let source = claw_record::Source::on("claw-health", "h".into());
    assert_eq!(
        serde_json::Value::Object(judge(&seen).record(&source).data),
        serde_json::json!({
            "state": "useless", "failing": ["telegram"], "version": "2026.9.6", "safe_mode": false,
            "connect_seconds": 0.0004, "first_byte_seconds": 0.003, "first_byte_warn_seconds": 1,
            "uptime_seconds": 241.704, "event_loop_delay_seconds": 0.0253, "event_loop_percent": 2.2,
        })
    );
}

#[test]
fn what_the_gateway_names_is_shown_within_limits() {
    let many: Vec<String> = (0..20).map(|number| format!("{number}{}", "x".repeat(200))).collect();
    let shown = list(&many);
    assert!(shown.len() < 600 && shown.ends_with("and 12 more"), "{shown}");
}

#[test]
fn s7_a_crash_loop_is_no_start_whatever_the_gateway_says() {
    let refused = || probe(Err(Failure::Refused));
    let says_so =
        || alive(json(503, r#"{"ok":false,"status":"starting"}"#), json(503, NOT_READY_REMOTE));
    let busy = || alive(json(200, STARTED), ready(9, true));
    for (seen, is_looping, expected) in [
        (seen(refused()), false, "starting"),
        (seen(refused()), true, "dead"),
        (says_so(), false, "starting"),
        (says_so(), true, "dead"),
        (busy(), false, "starting"),
        (busy(), true, "degraded"),
        (alive(json(200, STARTED), ready(9, false)), true, "ready"),
    ] {
        let line = line(&Seen { service: service("active", Some(11), 7), is_looping, ..seen });
        let word = line.split(' ').nth(2).unwrap().trim_end_matches(':');
        assert_eq!(word, expected, "{line}");
        assert_eq!(line.contains("starting again and again, 7 restarts"), word == "dead", "{line}");
        assert_eq!(line.starts_with("fail Critical"), word == "dead", "{line}");
    }
}

#[test]
fn s7_a_process_that_was_ready_is_not_starting_when_it_no_longer_answers() {
    let silent = || probe(Err(Failure::Silent(Duration::from_secs(2))));
    for (life, state, was_ready, expected) in [
        (silent(), "active", false, "starting"),
        (silent(), "active", true, "hung"),
        (probe(Err(Failure::Refused)), "active", true, "dead"),
        (probe(Err(Failure::Refused)), "activating", true, "starting"),
        (probe(Err(Failure::Refused)), "reloading", true, "starting"),
    ] {
        let line = line(&Seen { service: service(state, Some(30), 0), was_ready, ..seen(life) });
        assert_eq!(line.split(' ').nth(2).unwrap().trim_end_matches(':'), expected, "{line}");
    }
}

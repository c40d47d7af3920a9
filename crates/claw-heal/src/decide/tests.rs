use super::*;
use crate::chart::Seen;

mod whatever_happens;

const RULES: Rules = Rules {
    limit: Limit { restarts: 5, within: Duration::from_secs(300) },
    cool_down: Duration::from_secs(3600),
    grace: Duration::from_secs(330),
    confirm: 2,
    kind: Kind::Other,
};
const AGENT: Rules = Rules { kind: Kind::Agent, ..RULES };
const GATEWAY: Rules = Rules { kind: Kind::Gateway, ..RULES };

fn at(seconds: u64) -> Moment {
    let wall = 1_700_000_000_000 + i64::try_from(seconds * 1000).unwrap();
    Moment { boot: "boot".into(), milliseconds: seconds * 1000, wall }
}

fn facts(state: &str, age: u64) -> Facts {
    let age = Duration::from_secs(age);
    Facts {
        load_state: "loaded".into(),
        active_state: state.into(),
        result: if state == "failed" { "exit-code" } else { "success" }.into(),
        exit_kind: 1,
        exit_status: 1,
        invocation: "first".into(),
        active_for: (state == "active").then_some(age),
        started_ago: Some(age),
        ..Facts::default()
    }
}

/// What is decided of a unit of which nothing is known, at the second 1000.
fn fresh(said: Said, facts: &Facts, rules: &Rules) -> Deed {
    decide(&mut Chart::default(), Some(said), facts, rules, &at(1000)).deed
}

fn says(chart: &mut Chart, said: Said, facts: &Facts, seconds: u64) -> Deed {
    decide(chart, Some(said), facts, &GATEWAY, &at(seconds)).deed
}

#[test]
fn what_failed_is_started_and_nothing_else_is_touched() {
    let start = Deed::Act(Act::Start, Cause::Exit);
    assert_eq!(fresh(Said::Failed, &facts("failed", 5), &RULES), start);
    for state in ["activating", "deactivating", "reloading", "inactive", "maintenance"] {
        for said in [Said::Failed, Said::Crashed(Cause::Oom), Said::Hung, Said::Dead] {
            let deed = fresh(said, &facts(state, 5), &GATEWAY);
            assert!(matches!(deed, Deed::Nothing(Some(_))), "{state} {said:?}: {deed:?}");
        }
    }
    let masked = Facts { load_state: "masked".into(), ..facts("failed", 5) };
    assert_eq!(fresh(Said::Failed, &masked, &RULES), Deed::Nothing(Some("it is masked")));
    let never = Facts { never_restarts: true, ..facts("failed", 5) };
    let left = Deed::Nothing(Some("it is never to be restarted (Restart=no)"));
    assert_eq!(fresh(Said::Failed, &never, &AGENT), left);
    assert_ne!(fresh(Said::Failed, &never, &RULES), left);
    let no_manager = Deed::Nothing(Some("its manager does not run"));
    assert_eq!(fresh(Said::Failed, &Facts::default(), &RULES), no_manager);
    // A record may be old.
    for said in [Said::Failed, Said::Crashed(Cause::Oom)] {
        let mut chart = Chart::default();
        let deed = decide(&mut chart, Some(said), &facts("active", 60), &RULES, &at(1000)).deed;
        assert_eq!((deed, chart.trouble), (Deed::Nothing(None), None));
    }
}

#[test]
fn a_gateway_is_restarted_only_when_looks_in_a_row_say_for_long_enough_that_it_is_sick() {
    use Said::{Alive, Dead, Hung, Starting};
    let up = facts("active", 1000);
    let abort = Deed::Act(Act::Abort, Cause::Hang);
    let not_yet = Deed::Nothing(Some("it may come back by itself"));
    for (case, looks, every, expected) in [
        ("two in a row", &[Hung, Hung][..], 30, abort),
        ("too short", &[Hung, Hung], 29, not_yet.clone()),
        ("dead though active", &[Dead; 4], 30, Deed::Act(Act::Restart, Cause::Dead)),
        ("a start within its process", &[Dead; 3], 30, not_yet.clone()),
        ("one", &[Hung], 30, not_yet.clone()),
        ("with a gap", &[Hung, Hung], 61, not_yet.clone()),
        ("broken off", &[Hung, Alive(None), Hung], 30, not_yet.clone()),
        ("drains in between", &[Hung, Starting, Hung], 30, not_yet.clone()),
        ("of two minds", &[Hung, Dead], 60, not_yet),
        ("a dead channel", &[Alive(None); 9], 30, Deed::Nothing(None)),
    ] {
        let (mut chart, mut last) = (Chart::default(), None);
        for (said, number) in looks.iter().zip(0..) {
            last = Some(says(&mut chart, *said, &up, 1000 + number * every));
        }
        assert_eq!(last, Some(expected), "{case}");
    }
}

/// Two looks, half a minute apart.
fn hangs(chart: &mut Chart, facts: &Facts) -> Deed {
    says(chart, Said::Hung, facts, 970);
    says(chart, Said::Hung, facts, 1000)
}

#[test]
fn no_start_is_disturbed_and_a_long_one_is_learnt() {
    let wait = Deed::Nothing(Some("it may still be starting"));
    let hung = |chart: &mut Chart, age| hangs(chart, &facts("active", age));
    for age in 0..330 {
        assert_eq!(hung(&mut Chart::default(), age), wait, "{age} s after a start");
    }
    assert!(matches!(hung(&mut Chart::default(), 330), Deed::Act(..)));
    // One that has answered is not starting any more, though never restarted within 90 s.
    let mut chart = Chart::default();
    says(&mut chart, Said::Alive(Some(10.0)), &facts("active", 50), 900);
    assert_eq!(chart.start_seconds, [40.0]);
    assert_eq!(hung(&mut chart.clone(), 89), wait);
    assert!(matches!(hung(&mut chart, 90), Deed::Act(..)));
    // The next one may take three times as long as the longest.
    let mut chart = Chart { start_seconds: vec![20.0, 200.0, 30.0], ..Chart::default() };
    assert_eq!(hung(&mut chart.clone(), 599), wait);
    assert!(matches!(hung(&mut chart, 600), Deed::Act(..)));
}

#[test]
fn a_restart_of_an_operator_is_waited_for() {
    let facts = Facts { operated_ago: Some(Duration::from_secs(60)), ..facts("active", 1000) };
    let deed = hangs(&mut Chart::default(), &facts);
    assert_eq!(deed, Deed::Nothing(Some("somebody had OpenClaw restart it")));
}

/// Whether it is still starting its own check has judged.
#[test]
fn m7_an_agent_that_hangs_is_ended_and_is_well_once_its_check_says_so() {
    let hears = |chart: &mut Chart, said, facts: &Facts, seconds| {
        decide(chart, Some(said), facts, &AGENT, &at(seconds))
    };
    let (mut chart, up) = (Chart::default(), facts("active", 90));
    let first = hears(&mut chart, Said::Hung, &up, 1000);
    assert_eq!((first.deed, first.look), (Deed::Nothing(Some(TOO_SHORT)), true));
    // It is well again by itself.
    let mut other = chart.clone();
    let alive = hears(&mut other, Said::Alive(None), &up, 1020);
    assert_eq!((alive.deed, alive.look), (Deed::Nothing(None), false));
    assert_eq!(hears(&mut chart, Said::Hung, &up, 1031).deed, Deed::Act(Act::Abort, Cause::Hang));
    // systemd starts it anew, and it is asked until its check passes.
    let anew = Facts { invocation: "second".into(), restarts: 1, ..facts("active", 20) };
    let starting = hears(&mut chart, Said::Starting, &anew, 1050);
    assert_eq!((starting.deed, starting.look), (Deed::Nothing(None), true));
    let well = hears(&mut chart, Said::Alive(None), &anew, 1060);
    assert!(matches!(well.deed, Deed::Recovered(..)), "{well:?}");
    assert_eq!((chart.budget.used(), chart.budget.by_others()), (1, 0));
    // A unit of which no check is known is never ended.
    let mut chart = Chart::default();
    for seconds in [1000, 1040, 1080] {
        let deed = decide(&mut chart, Some(Said::Hung), &up, &RULES, &at(seconds)).deed;
        assert_eq!(deed, Deed::Nothing(None));
    }
}

#[test]
fn sigabrt_comes_before_a_restart_and_both_are_one() {
    let (mut chart, up) = (Chart::default(), facts("active", 1000));
    assert_eq!(hangs(&mut chart, &up), Deed::Act(Act::Abort, Cause::Hang));
    let by_itself = Deed::Nothing(Some("it may start anew by itself"));
    assert_eq!(says(&mut chart.clone(), Said::Hung, &up, 1014), by_itself);
    let mut other = chart.clone();
    // It takes no notice.
    assert_eq!(says(&mut chart, Said::Hung, &up, 1015), Deed::Act(Act::Restart, Cause::Hang));
    assert_eq!(chart.budget.used(), 1);
    // It came back by itself, and that is no restart of systemd's own.
    let anew = Facts { invocation: "second".into(), restarts: 1, ..facts("active", 2) };
    assert_eq!(says(&mut other, Said::Starting, &anew, 1012), Deed::Nothing(None));
    assert_eq!((other.budget.used(), other.budget.by_others()), (1, 0));
    let up = says(&mut other, Said::Alive(Some(1.0)), &anew, 1030);
    assert!(
        matches!(&up, Deed::Recovered(trouble, down)
        if trouble.cause == Cause::Hang && *down == Duration::from_secs(60)),
        "{up:?}"
    );
}

#[test]
fn what_systemd_restarts_counts_and_is_given_up_once() {
    let mut chart = Chart::default();
    let crashed =
        |n: u64, state: &str| Facts { restarts: n, invocation: n.to_string(), ..facts(state, 0) };
    let crash = Some(Said::Crashed(Cause::Signal));
    decide(&mut chart, None, &crashed(0, "active"), &RULES, &at(900));
    for n in 1..=5 {
        let deed = decide(&mut chart, crash, &crashed(n, "activating"), &RULES, &at(1000 + n)).deed;
        assert_eq!(deed, Deed::Nothing(Some("it is starting")), "{n}");
    }
    // systemd has used it up.
    let failed = crashed(5, "failed");
    let deed = decide(&mut chart, crash, &failed, &RULES, &at(1010)).deed;
    assert!(matches!(deed, Deed::GiveUp(_)), "{deed:?}");
    // Until it was told it is told again, and then never.
    assert_eq!(decide(&mut chart, None, &failed, &RULES, &at(1020)).deed, deed);
    chart.gave_up.as_mut().unwrap().is_told = true;
    let silent = Deed::Nothing(Some("it was given up"));
    for seconds in [1021, 1400, 4609] {
        assert_eq!(decide(&mut chart, crash, &failed, &RULES, &at(seconds)).deed, silent);
    }
    let start = Deed::Act(Act::Start, Cause::Signal);
    let mut cold = chart.clone();
    assert_eq!(decide(&mut cold, None, &failed, &RULES, &at(4610)).deed, start);
    chart.reset();
    assert_eq!(decide(&mut chart, None, &failed, &RULES, &at(4000)).deed, start);
}

#[test]
fn a_gateway_that_never_comes_up_is_given_up_however_slowly_it_fails() {
    let mut chart = Chart::default();
    let mut deeds = Vec::new();
    for round in 0..8_u64 {
        let up = Facts { invocation: round.to_string(), ..facts("active", 400) };
        for look in 0..4 {
            let deed = says(&mut chart, Said::Dead, &up, 1000 + round * 500 + look * 30);
            if let Deed::GiveUp(gave_up) = &deed {
                chart.gave_up.as_mut().unwrap().is_told = true;
                assert_eq!(gave_up.trouble.tries, 5);
            }
            deeds.extend(matches!(deed, Deed::Act(..) | Deed::GiveUp(_)).then_some(deed));
        }
    }
    let gave_up = deeds.iter().filter(|deed| matches!(deed, Deed::GiveUp(_))).count();
    assert_eq!((deeds.len(), gave_up), (6, 1));
}

#[test]
fn a_unit_that_is_up_again_is_told_once() {
    let mut chart = Chart::default();
    let mut deed =
        |facts: &Facts, seconds| decide(&mut chart, None, facts, &RULES, &at(seconds)).deed;
    assert_eq!(deed(&facts("failed", 5), 1000), Deed::Act(Act::Start, Cause::Exit));
    let up = |age| Facts { invocation: "second".into(), ..facts("active", age) };
    assert_eq!(deed(&up(9), 1011), Deed::Nothing(None));
    let recovered = deed(&up(10), 1012);
    assert!(
        matches!(&recovered, Deed::Recovered(trouble, down)
        if trouble.tries == 1 && *down == Duration::from_secs(2)),
        "{recovered:?}"
    );
    assert_eq!(deed(&up(11), 1013), Deed::Nothing(None));
}

#[test]
fn what_is_remembered_reads_back() {
    let mut chart = Chart::default();
    hangs(&mut chart, &facts("active", 1000));
    decide(&mut chart, None, &facts("failed", 1000), &RULES, &at(1100));
    let text = serde_json::to_string(&chart).unwrap();
    let _: Seen = serde_json::from_value(serde_json::json!(chart.seen)).unwrap();
    assert_eq!(serde_json::from_str::<Chart>(&text).unwrap(), chart);
    assert_eq!(serde_json::from_str::<Chart>("{}").unwrap(), Chart::default());
}

use proptest::prelude::*;

use super::*;
use crate::spool::Id;

const RULES: Rules =
    Rules { wait: 5_000, again: 10_000, remind: 100_000, settle: 50_000, flaps: 3 };

fn fact(index: u32, event: &str, status: Status, severity: Severity) -> Fact {
    Fact {
        id: Id { segment: 1, index },
        time: i64::from(index),
        tool: "t".into(),
        event: event.into(),
        status,
        severity,
        message: "m".into(),
        more: 0,
        remedy: None,
    }
}

fn down(index: u32) -> Fact {
    fact(index, "check", Status::Fail, Severity::Error)
}

fn up(index: u32) -> Fact {
    fact(index, "check", Status::Pass, Severity::Info)
}

fn opened(fact: Fact) -> Incident {
    Incident::open("h".into(), "s".into(), fact, 0)
}

/// What is told when, for facts at their moments, up to an end.
fn story(facts: &[(Milliseconds, Fact)], end: Milliseconds) -> Vec<String> {
    let mut incident: Option<Incident> = None;
    let mut told = Vec::new();
    let mut facts = facts.iter().peekable();
    let mut number = 0;
    for now in (0..=end).step_by(1000) {
        while let Some((_, fact)) = facts.next_if(|(at, _)| *at <= now) {
            match &mut incident {
                Some(incident) => incident.hear(fact.clone(), now, &RULES),
                None => incident = Some(Incident::open("h".into(), "s".into(), fact.clone(), now)),
            }
        }
        let Some(known) = &mut incident else { continue };
        match known.next(&RULES) {
            (at, Next::Tell(news)) if at <= now => {
                told.push(format!("{}: {news:?} {}", now / 1000, known.untold));
                known.tell(news, number, now);
                number += 1;
            }
            (at, Next::Forget) if at <= now => {
                assert_eq!(known.untold_count, 0, "nothing is forgotten that was not told");
                told.push(format!("{}: forgotten", now / 1000));
                incident = None;
            }
            _ => {}
        }
    }
    told
}

#[test]
fn it_is_told_after_a_wait_once_and_its_end_at_once() {
    let facts = [(0, down(1)), (2_000, down(2)), (30_000, down(3)), (60_000, up(4))];
    assert_eq!(story(&facts, 200_000), ["5: Opened #1.1-2", "60: Over #1.3-4", "110: forgotten"]);
}

#[test]
fn what_is_over_before_it_was_told_is_told_as_one() {
    assert_eq!(story(&[(0, down(1)), (3_000, up(2))], 10_000), ["5: CameAndWent #1.1-2"]);
}

#[test]
fn one_that_lasts_is_told_again_after_a_while() {
    let facts = [(0, down(1)), (20_000, down(2))];
    assert_eq!(story(&facts, 210_000), ["5: Opened #1.1", "105: Lasts #1.2", "205: Lasts "]);
}

#[test]
fn one_that_gets_worse_is_told_after_the_wait() {
    let facts = [(0, down(1)), (20_000, fact(2, "check", Status::Fail, Severity::Critical))];
    assert_eq!(story(&facts, 40_000), ["5: Opened #1.1", "25: Worse #1.2"]);
}

#[test]
fn what_only_happened_is_not_said_to_last() {
    let crash = |index| fact(index, "crash", Status::Fail, Severity::Critical);
    assert_eq!(story(&[(0, crash(1))], 300_000), ["5: Opened #1.1", "55: forgotten"]);
    assert_eq!(
        story(&[(0, crash(1)), (20_000, crash(2)), (21_000, crash(3))], 300_000),
        ["5: Opened #1.1", "55: Again #1.2-3", "105: forgotten"]
    );
}

/// What says something else is told, though not at once where much is said.
#[test]
fn new_words_of_the_same_are_told_in_time() {
    let says = |index, event: &str, message: &str| {
        let mut fact = fact(index, event, Status::Fail, Severity::Error);
        fact.message = message.into();
        fact
    };
    for event in ["text", "log", "crash"] {
        let facts = [
            (0, says(1, event, "job A failed")),
            (20_000, says(2, event, "job B failed")),
            (21_000, says(3, event, "job C failed")),
            (27_000, says(4, event, "job D failed")),
            (28_000, says(5, event, "job D failed")),
        ];
        assert_eq!(
            story(&facts, 300_000),
            ["5: Opened #1.1", "25: Again #1.2-3", "35: Again #1.4-5", "85: forgotten"],
            "{event}"
        );
    }
    let mut incident = opened(says(1, "text", "A"));
    incident.tell(News::Opened, 1, 5_000);
    incident.hear(says(2, "text", "B"), 6_000, &RULES);
    incident.hear(says(3, "text", "C"), 6_000, &RULES);
    assert_eq!(incident.last.words(), "B\nC");
}

#[test]
fn a_note_is_told_and_forgotten() {
    assert_eq!(story(&[(0, up(1))], 100_000), ["5: Note #1.1", "55: forgotten"]);
    assert_eq!(
        story(&[(0, up(1)), (20_000, up(2))], 100_000),
        ["5: Note #1.1", "25: Note #1.2", "75: forgotten"]
    );
}

#[test]
fn one_that_comes_and_goes_is_told_as_flapping_and_when_it_is_settled() {
    let mut facts = Vec::new();
    for round in 0..20_u32 {
        facts.push((u64::from(round) * 10_000, down(2 * round + 1)));
        facts.push((u64::from(round) * 10_000 + 6_000, up(2 * round + 2)));
    }
    assert_eq!(
        story(&facts, 400_000),
        [
            "5: Opened #1.1",
            "6: Over #1.2",
            "15: Opened #1.3",
            "16: Over #1.4",
            "25: Flapping #1.5",
            "125: Flapping #1.6-25",
            "225: Flapping #1.26-40",
            "246: Settled ",
            "296: forgotten",
        ]
    );
}

#[test]
fn of_flapping_what_is_worse_is_told_all_the_same() {
    let mut incident = opened(down(1));
    for (at, fact) in [(1_000, up(2)), (2_000, down(3)), (3_000, up(4)), (4_000, down(5))] {
        incident.hear(fact, at, &RULES);
    }
    assert_eq!(incident.next(&RULES), (5_000, Next::Tell(News::Flapping)));
    incident.tell(News::Flapping, 1, 5_000);
    incident.hear(fact(6, "crash", Status::Fail, Severity::Critical), 6_000, &RULES);
    assert_eq!(incident.next(&RULES), (11_000, Next::Tell(News::Flapping)));
}

proptest! {
    /// Whatever comes and whenever: each record is told in the end, none twice, and within the
    /// longest of the waits; and in any hour there are few messages.
    #[test]
    fn every_record_is_told_once(
        steps in prop::collection::vec((0u64..40, 0u8..3, any::<bool>()), 1..60)
    ) {
        let mut now = 0;
        let facts: Vec<_> = (1..).zip(&steps).map(|(index, &(after, severity, is_state))| {
            now += after * 1000;
            let event = if is_state { "check" } else { "crash" };
            (now, match severity {
                0 => fact(index, event, Status::Pass, Severity::Info),
                1 => fact(index, event, Status::Warn, Severity::Warning),
                _ => fact(index, event, Status::Fail, Severity::Critical),
            })
        }).collect();
        let told = story(&facts, now + 2 * (RULES.remind + RULES.settle));
        let ids: Vec<_> = told.iter().flat_map(|line| line.split(' ').filter(|w| w.starts_with('#'))).collect();
        let mut count = 0;
        let mut last = 0;
        for id in &ids {
            let (first, end) = id[3..].split_once('-').unwrap_or((&id[3..], &id[3..]));
            let (first, end): (u32, u32) = (first.parse().unwrap(), end.parse().unwrap());
            prop_assert!(first > last, "{told:?}");
            (last, count) = (end, count + end - first + 1);
        }
        prop_assert_eq!(count as usize, facts.len(), "{:?}", told);
        prop_assert!(told.len() as u64 <= 8 + facts.len() as u64);
    }
}

//! What counts as a change: by example, and held against a plainer way to say it.

use super::*;

const SUBJECT: &str = "x:y";

/// `pass`, `warn`, `fail`, `critical`, `unknown`, with a state behind a slash.
fn finding(subject: &str, words: &str) -> Finding {
    let (word, state) = words.split_once('/').unwrap_or((words, ""));
    let finding = match word {
        "pass" => Finding::pass(subject, words),
        "warn" => Finding::warn(subject, words),
        "fail" => Finding::fail(subject, words),
        "critical" => Finding::critical(subject, words),
        "unknown" => Finding::unknown(subject, words),
        other => panic!("{other}"),
    };
    if state.is_empty() { finding } else { finding.note("state", state) }
}

fn confirm(text: &str) -> Confirm {
    text.parse().unwrap()
}

#[test]
fn what_stands_is_what_was_told_last() {
    let mut monitor = Monitor::new(Memory::default(), confirm("2"));
    let stands = ["fail/hung", "fail/hung", "fail/dead", "fail/hung", "pass"].map(|words| {
        let finding = finding(SUBJECT, words);
        monitor.look(std::slice::from_ref(&finding));
        monitor.memory.stands(&finding)
    });
    assert_eq!(stands, [false, true, false, true, false]);
}

/// A monitor of one check `x`, whose looks are ten seconds apart.
struct Monitor {
    memory: Memory,
    confirm: Confirm,
    is_sure: bool,
    seconds: u64,
}

impl Monitor {
    fn new(memory: Memory, confirm: Confirm) -> Self {
        Self { memory, confirm, is_sure: false, seconds: 0 }
    }

    /// What is told after a look that found these, each with its message.
    fn look(&mut self, found: &[Finding]) -> Vec<(Finding, Change)> {
        self.seconds += 10;
        let now = Moment::at(self.seconds);
        let (mut told, mut heard) = (Vec::new(), BTreeSet::new());
        for finding in found {
            heard.insert(finding.subject.clone());
            let heard = Heard { check: "x", is_sure: self.is_sure, finding };
            let change = self.memory.hear(heard, self.confirm, now);
            told.extend(change.map(|change| (finding.clone(), change)));
        }
        let checks = BTreeSet::from(["x"]);
        told.extend(self.memory.end_look(&checks, &checks, &heard, self.confirm, now));
        told
    }

    /// The looks of one subject, `-` where it was not found; what is told, with the number of the look:
    /// `3 fail was pass for 20`.
    fn looks(&mut self, looks: &str) -> String {
        let mut lines = Vec::new();
        for (number, word) in looks.split(' ').enumerate() {
            let found: Vec<_> = [word].into_iter().filter(|word| *word != "-").collect();
            let found: Vec<_> = found.iter().map(|word| finding(SUBJECT, word)).collect();
            for (finding, change) in self.look(&found) {
                let was = change.was.map(|was| {
                    let state = was.condition.state.map(|state| format!("/{state}"));
                    let state = state.unwrap_or_default();
                    format!(" was {}{state} for {}", was.condition.status, was.lasted.as_secs())
                });
                let was = was.unwrap_or_default();
                lines.push(format!("{} {}{was}", number + 1, finding.message));
            }
        }
        lines.join(", ")
    }
}

#[test]
fn m2_a_change_is_told_once_and_when_it_is_sure() {
    for (what, rule, looks, expected) in [
        ("the first look tells what does not pass", "2/3", "fail fail", "1 fail"),
        ("and not what does", "2/3", "pass pass", ""),
        ("a spike", "2/3", "pass fail pass pass pass", ""),
        ("an outage", "2/3", "pass fail fail fail", "3 fail was pass for 10"),
        ("two of three", "2/3", "pass fail pass fail fail", "4 fail was pass for 10"),
        ("two of four looks are not", "2/3", "pass fail pass pass fail", ""),
        ("the worst is told", "2/3", "pass warn critical", "3 critical was pass for 10"),
        (
            "a recovery takes all three",
            "2/3",
            "fail pass pass fail pass pass pass",
            "1 fail, 7 pass was fail for 40",
        ),
        ("what comes and goes is told once", "2/3", "fail pass fail pass fail pass fail", "1 fail"),
        (
            "also where it was well",
            "2/3",
            "pass fail pass fail pass fail",
            "4 fail was pass for 10",
        ),
        ("two in a row", "2", "pass fail pass fail fail", "5 fail was pass for 30"),
        ("at once", "1", "pass fail pass", "2 fail was pass for 10, 3 pass was fail for 10"),
        (
            "it grows worse and better",
            "1",
            "warn fail warn",
            "1 warn, 2 fail was warn for 10, 3 warn was fail for 10",
        ),
        (
            "another state",
            "2",
            "fail/dead fail/hung fail/hung",
            "1 fail/dead, 3 fail/hung was fail/dead for 10",
        ),
        (
            "the same severity counts too",
            "1",
            "fail critical",
            "1 fail, 2 critical was fail for 10",
        ),
        (
            "nobody could find out",
            "2",
            "pass unknown unknown pass pass",
            "3 unknown was pass for 10, 5 pass was unknown for 20",
        ),
        (
            "what is not found any more is over",
            "2",
            "fail - - -",
            "1 fail, 3 no longer so: fail was fail for 10",
        ),
        ("all that is well is the same", "1", "pass/ready pass/idle pass", ""),
        ("what was well and is not found is nothing", "2", "pass - - pass", ""),
        (
            "what is not found once is there still",
            "2",
            "fail - fail - -",
            "1 fail, 5 no longer so: fail was fail for 30",
        ),
    ] {
        let mut monitor = Monitor::new(Memory::fresh(), confirm(rule));
        assert_eq!(monitor.looks(looks), expected, "{what}: {looks}");
    }
}

#[test]
fn a1_what_happened_is_told_at_once_and_what_may_pass_is_not() {
    for (is_sure, looks, expected) in [
        (true, "pass critical/failed", "2 critical/failed was pass for 10"),
        (false, "pass critical/failed", ""),
        (true, "pass warn/activating pass", ""),
        (true, "pass unknown", ""),
        (true, "warn fail", "1 warn, 2 fail was warn for 10"),
        (true, "fail/a fail/b fail/b", "1 fail/a"),
    ] {
        let mut monitor = Monitor { is_sure, ..Monitor::new(Memory::fresh(), confirm("2/3")) };
        assert_eq!(monitor.looks(looks), expected, "{looks}");
    }
}

/// A monitor that has looked before knows what was well: a thing that it never saw is new.
#[test]
fn what_appears_later_is_confirmed_as_well() {
    let mut monitor = Monitor::new(Memory::fresh(), confirm("2"));
    monitor.look(&[]);
    assert_eq!(monitor.looks("fail pass pass"), "");
    let mut monitor = Monitor::new(Memory::fresh(), confirm("2"));
    monitor.look(&[]);
    assert_eq!(monitor.looks("fail fail pass pass"), "2 fail, 4 pass was fail for 20");
}

#[test]
fn a_monitor_that_looks_at_other_things_forgets_without_a_word() {
    let mut monitor = Monitor::new(Memory::fresh(), confirm("1"));
    monitor.looks("fail");
    monitor.memory = monitor.memory.clone().of_another();
    assert_eq!(monitor.looks("- - -"), "");
    assert!(monitor.memory.subjects.is_empty());
}

#[test]
fn what_is_gone_is_forgotten_in_time_and_never_grows_without_bound() {
    let mut monitor = Monitor::new(Memory::fresh(), confirm("1"));
    for round in 0..50 {
        let found: Vec<_> =
            (0..100).map(|number| finding(&format!("x:{round}-{number}"), "fail")).collect();
        assert_eq!(monitor.look(&found).len(), if round == 0 { 100 } else { 200 });
        assert!(monitor.memory.subjects.len() <= 1100, "{}", monitor.memory.subjects.len());
    }
    monitor.look(&[]);
    monitor.seconds += 86_400;
    monitor.look(&[]);
    assert!(monitor.memory.subjects.is_empty());
}

#[test]
fn a_number_of_looks_is_read() {
    for (text, expected) in [
        ("1", Some((1, 1))),
        ("2", Some((2, 2))),
        ("2/3", Some((2, 3))),
        ("100/100", Some((100, 100))),
        ("0", None),
        ("3/2", None),
        ("1/101", None),
        ("", None),
        ("a/b", None),
        ("1/2/3", None),
    ] {
        let confirm = text.parse::<Confirm>().ok();
        assert_eq!(confirm.map(|confirm| (confirm.needed, confirm.of)), expected, "{text}");
    }
}

/// The same rules said another way: over the whole history since something was told, from its words
/// alone.
#[derive(Clone, Default)]
struct Model {
    told: Option<&'static str>,
    since: Vec<&'static str>,
}

impl Model {
    const ORDER: [&'static str; 5] = ["pass", "unknown", "warn", "fail", "critical"];

    fn rank(words: &str) -> usize {
        let word = words.split('/').next().unwrap_or_default();
        Self::ORDER.iter().position(|known| *known == word).unwrap()
    }

    /// What is told after a look that said this; `-` where the subject was not found.
    fn look(&mut self, said: &'static str, rule: Confirm, is_sure: bool, is_first: bool) -> bool {
        if said == "-" && self.told.is_none_or(|told| told.starts_with("pass")) {
            match self.told {
                Some(_) => self.since.clear(),
                None if self.since.is_empty() => {}
                None => self.since.push("pass"),
            }
            return false;
        }
        let said = if said == "-" { "pass" } else { said };
        if self.told.is_none() && said.starts_with("pass") {
            (self.told, self.since) = (Some(said), Vec::new());
            return false;
        }
        self.since.push(said);
        let told = self.told.unwrap_or("pass");
        let last = &self.since[self.since.len().saturating_sub(rule.of)..];
        let is_full = last.len() == rule.of;
        let counts = if Self::rank(said) > Self::rank(told) {
            let worse = last.iter().filter(|look| Self::rank(look) > Self::rank(told)).count();
            let is_failure = said.starts_with("fail") || said.starts_with("critical");
            worse >= rule.needed || is_sure && is_failure || is_first && self.told.is_none()
        } else if Self::rank(said) < Self::rank(told) {
            is_full && last.iter().all(|look| Self::rank(look) < Self::rank(told))
        } else {
            let differs = |look: &str| Self::rank(look) <= Self::rank(told) && look != told;
            told_of_trouble(told)
                && said != told
                && is_full
                && last.iter().all(|look| differs(look))
        };
        if counts {
            (self.told, self.since) = (Some(said), Vec::new());
        }
        counts
    }
}

fn told_of_trouble(told: &str) -> bool {
    !told.starts_with("pass")
}

/// Numbers that are random enough, and the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// A hundred thousand monitors, each with looks of its own: some end as they are asked to and some are
/// killed, and the next one goes on with what was kept.
#[test]
fn every_change_is_told_exactly_once_whatever_comes_between() {
    const WORDS: [&str; 8] =
        ["pass", "pass/ready", "unknown", "warn", "warn/slow", "fail", "critical/dead", "-"];
    const RULES: [&str; 6] = ["1", "2", "2/3", "3/5", "1/4", "3"];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut told_in_all = 0;
    for sequence in 0..100_000 {
        let rule = confirm(RULES[random.below(RULES.len())]);
        let is_sure = random.below(4) == 0;
        let mut monitor = Monitor { is_sure, ..Monitor::new(Memory::fresh(), rule) };
        let mut model = Model::default();
        let mut kept: Option<(String, Model)> = None;
        // What a reader of the records knows.
        let mut known: Option<Condition> = None;
        let (mut word, mut first) = (WORDS[random.below(WORDS.len())], true);
        for look in 0..12 {
            if random.below(3) == 0 {
                word = WORDS[random.below(WORDS.len())];
            }
            let found: Vec<_> = [word]
                .iter()
                .filter(|word| **word != "-")
                .map(|word| finding(SUBJECT, word))
                .collect();
            let before = model.told;
            let told = monitor.look(&found);
            let expected = usize::from(model.look(word, rule, is_sure, first));
            let case = format!("{sequence}, look {look}, {rule:?}: {word}");
            assert_eq!(told.len(), expected, "{case}");
            for (finding, change) in &told {
                let condition = Condition::of(finding);
                assert_ne!(known.as_ref(), Some(&condition), "told twice: {case}");
                let was = change.was.as_ref().map(|was| was.condition.clone());
                let model_was =
                    before.map(|words| Condition::of(&super::tests::finding("", words)));
                assert_eq!(was, model_was, "{case}");
                known = Some(condition);
                told_in_all += 1;
            }
            first = false;
            let is_kept = std::mem::take(&mut monitor.memory.is_changed);
            let ends = random.below(12) == 0;
            if is_kept || ends {
                kept = Some((serde_json::to_string(&monitor.memory).unwrap(), model.clone()));
            }
            let is_killed = random.below(12) == 0;
            if (ends || is_killed)
                && let Some((text, of_then)) = &kept
            {
                monitor.memory = serde_json::from_str(text).unwrap();
                model = of_then.clone();
            }
        }
        // Whatever was, what stays is told in the end, or was told before.
        for _ in 0..rule.of {
            let told = monitor.look(&[finding(SUBJECT, "warn/slow")]);
            known = told.first().map(|(finding, _)| Condition::of(finding)).or(known);
        }
        assert_eq!(known, Some(Condition::of(&finding(SUBJECT, "warn/slow"))), "{sequence}");
    }
    assert!(told_in_all > 50_000, "{told_in_all}");
}

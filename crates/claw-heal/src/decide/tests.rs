use super::*;
use crate::chart::Seen;

const RULES: Rules = Rules {
    limit: Limit { restarts: 5, within: Duration::from_secs(300) },
    cool_down: Duration::from_secs(3600),
    grace: Duration::from_secs(330),
    confirm: 2,
    is_gateway: false,
};
const GATEWAY: Rules = Rules { is_gateway: true, ..RULES };

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

/// Chance, the same at each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn is(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

/// A box with one unit, its systemd, and a claw-heal that may be killed at any instant.
struct World {
    chance: Chance,
    /// Milliseconds that really went by.
    time: u64,
    wall: i64,
    unit: Facts,
    starts: u64,
    /// When systemd starts it, and whether that is of its own accord.
    start_at: Option<(u64, Who)>,
    started: u64,
    restarts: Vec<(u64, Who)>,
    /// What is on the disk.
    kept: Chart,
    /// When it remembered that it would restart the unit, whether it lived to do so or not.
    counted: Vec<u64>,
    /// When each boot was.
    boots: Vec<u64>,
    /// When it gave up, as far as anybody read of it.
    gave_up: Vec<u64>,
    /// When claw-heal was told to begin anew.
    resets: Vec<u64>,
    rules: Rules,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Us,
    Systemd,
    Person,
    /// systemd, and what showed it was wiped out before anybody looked.
    Unseen,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut rules = if chance.is(2) { GATEWAY } else { RULES };
        if chance.is(3) {
            rules.cool_down = Duration::from_secs(60);
        }
        let mut world = Self {
            chance,
            time: 10_000_000,
            counted: Vec::new(),
            boots: vec![0],
            wall: 0,
            unit: facts("active", 0),
            starts: 0,
            start_at: None,
            started: 0,
            restarts: Vec::new(),
            kept: Chart::default(),
            gave_up: Vec::new(),
            resets: Vec::new(),
            rules,
        };
        world.start(Who::Person);
        let (facts, now) = (world.facts(), world.now());
        decide(&mut world.kept, None, &facts, &rules, &now);
        world
    }

    fn now(&self) -> Moment {
        Moment {
            boot: (self.boots.len() - 1).to_string(),
            milliseconds: self.time - self.booted(),
            wall: self.wall + i64::try_from(self.time).unwrap(),
        }
    }

    fn booted(&self) -> u64 {
        *self.boots.last().unwrap()
    }

    fn start(&mut self, who: Who) {
        self.starts += 1;
        self.unit.restarts = if who == Who::Systemd { self.unit.restarts + 1 } else { 0 };
        self.unit.active_state = "active".into();
        self.unit.invocation = self.starts.to_string();
        self.start_at = None;
        self.started = self.time;
        if who == Who::Person {
            for restart in self.restarts.iter_mut().filter(|one| one.1 == Who::Systemd) {
                restart.1 = Who::Unseen;
            }
        }
        self.restarts.push((self.time, who));
        if who == Who::Us {
            self.no_more_than_five();
        }
    }

    /// Of ours, and of ours and systemd's own in this boot, no more than five in any 300 s.
    fn no_more_than_five(&self) {
        let reset = self.resets.last().copied().unwrap_or(0);
        let recent =
            self.restarts.iter().filter(|(at, _)| *at + 300_000 > self.time && *at > reset);
        let ours = recent.clone().filter(|(_, who)| *who == Who::Us).count();
        let all = recent
            .filter(|(at, who)| *who == Who::Us || *who == Who::Systemd && *at >= self.booted());
        let all = all.count();
        assert!(ours <= 5 && all <= 5, "{ours} {all} {:?} {:?}", self.restarts, self.kept);
    }

    fn advance(&mut self, milliseconds: u64) {
        let end = self.time + milliseconds;
        if let Some((at, who)) = self.start_at.filter(|(at, _)| *at <= end) {
            self.time = self.time.max(at);
            self.start(who);
        }
        self.time = end;
    }

    fn fails(&mut self) {
        self.unit.active_state = "failed".into();
        self.start_at = None;
    }

    fn comes_back(&mut self, state: &str, after: u64, who: Who) {
        self.unit.active_state = state.into();
        self.start_at = Some((self.time + after, who));
    }

    fn facts(&self) -> Facts {
        let age = Duration::from_millis(self.time - self.started);
        let is_active = self.unit.active_state == "active";
        Facts { active_for: is_active.then_some(age), started_ago: Some(age), ..self.unit.clone() }
    }

    /// A claw-heal that hears something, and is killed somewhere on its way, or not.
    fn look(&mut self, said: Option<Said>) {
        let killed_at = if self.chance.is(4) { self.chance.below(4) } else { 4 };
        let mut chart = self.kept.clone();
        let now = self.now();
        let decision = decide(&mut chart, said, &self.facts(), &self.rules, &now);
        if let Deed::Recovered(..) = decision.deed
            && killed_at == 1
        {
            return;
        }
        if killed_at == 0 {
            return;
        }
        self.kept = chart;
        if matches!(decision.deed, Deed::Act(..)) {
            self.counted.push(self.time);
        }
        if killed_at == 1 {
            return;
        }
        match decision.deed {
            Deed::Act(act, _) => self.act(act),
            Deed::GiveUp(gave_up) => {
                // What is told again, because claw-heal was killed before it could note that it told
                // it, says the same moment.
                let at = self.boots[gave_up.at.boot.parse::<usize>().unwrap()];
                let at = at + gave_up.at.milliseconds;
                if self.gave_up.last() != Some(&at) {
                    self.gave_up.push(at);
                }
                if killed_at > 2 {
                    self.kept.gave_up.as_mut().unwrap().is_told = true;
                }
            }
            Deed::Nothing(_) | Deed::Recovered(..) => {}
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Start => self.start(Who::Us),
            Act::Restart if self.chance.is(3) => {
                let stop = self.chance.below(330_000);
                self.comes_back("deactivating", stop, Who::Us);
            }
            Act::Restart => self.start(Who::Us),
            // It takes no notice, fails for good, or is restarted by systemd on our behalf.
            Act::Abort => match self.chance.below(3) {
                0 => {}
                1 => self.fails(),
                _ => {
                    self.unit.restarts += 1;
                    let restarts = self.unit.restarts;
                    self.comes_back("activating", 5000, Who::Us);
                    self.advance(5000);
                    self.unit.restarts = restarts;
                }
            },
        }
    }

    fn step(&mut self) {
        let is_up = self.unit.active_state == "active";
        match self.chance.below(16) {
            0 | 1 if is_up => self.fails(),
            2..=4 if is_up => {
                let after = self.chance.below(10_000);
                self.comes_back("activating", after, Who::Systemd);
            }
            5 => self.wall += i64::try_from(self.chance.below(7_200_000)).unwrap() - 3_600_000,
            6 if self.chance.is(4) => {
                self.advance(1000);
                self.boots.push(self.time);
                self.start_at = None;
                // No restart, but the start of the boot.
                self.start(Who::Person);
            }
            7 if self.chance.is(8) => {
                self.resets.push(self.time);
                self.kept.reset();
            }
            8 if self.chance.is(8) => {
                self.unit.active_state = "inactive".into();
                self.start_at = None;
            }
            9 if self.unit.active_state == "inactive" => self.start(Who::Person),
            10 if self.chance.is(8) => self.advance(3_600_000),
            _ => {}
        }
        let span = [100, 3000, 20_000, 200_000][self.chance.below(4) as usize];
        let span = self.chance.below(span);
        self.advance(span);
        if self.chance.is(4) {
            // A hang or an absence that lasts.
            let said = if self.chance.is(2) { Said::Hung } else { Said::Dead };
            for _ in 0..4 {
                self.look(Some(said));
                self.advance(30_000);
            }
        }
        let said = [
            None,
            Some(Said::Failed),
            Some(Said::Crashed(Cause::Signal)),
            Some(Said::Hung),
            Some(Said::Hung),
            Some(Said::Dead),
            Some(Said::Alive(None)),
        ][self.chance.below(7) as usize];
        self.look(said);
    }

    /// From now on every start fails at once: there are five, one giving up, and silence.
    fn loops_for_ever(&mut self) {
        self.resets.push(self.time);
        self.kept.reset();
        let before = self.gave_up.len();
        for _ in 0..400 {
            if self.unit.active_state != "failed" {
                self.fails();
            }
            self.advance(2000);
            self.look(None);
        }
        let ours = self
            .restarts
            .iter()
            .filter(|(at, who)| *who == Who::Us && *at > *self.resets.last().unwrap());
        assert!(ours.count() <= 5);
        assert_eq!(self.gave_up.len(), before + 1, "{:?}", self.kept);
    }

    /// Between two of them claw-heal was told to begin anew, or it cooled down and tried again.
    fn one_giving_up_an_exhaustion(&self) {
        for pair in self.gave_up.windows(2) {
            let is_reset = self.resets.iter().any(|reset| (pair[0]..=pair[1]).contains(reset));
            let apart = Duration::from_millis(pair[1] - pair[0]);
            let restarts = self.restarts.iter().map(|(at, _)| at).chain(&self.counted);
            let is_another = restarts.clone().any(|at| pair[0] < *at && *at <= pair[1]);
            let may_be = is_another && apart >= self.rules.cool_down;
            assert!(is_reset || may_be, "{:?} {:?}", self.gave_up, self.restarts);
        }
    }
}

#[test]
fn never_more_than_five_in_300_s_and_one_giving_up_whatever_happens() {
    const SEQUENCES: u64 = 100_000;
    const STEPS: u64 = 40;
    let (mut restarts, mut gave_up) = (0, 0);
    for seed in 1..=SEQUENCES {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.one_giving_up_an_exhaustion();
        if seed % 20 == 0 && world.rules.cool_down == RULES.cool_down {
            world.loops_for_ever();
        }
        restarts += world.restarts.iter().filter(|(_, who)| *who == Who::Us).count();
        gave_up += world.gave_up.len();
    }
    // The sequences reach what they are about.
    assert!(restarts > 100_000 && gave_up > 10_000, "{restarts} restarts, {gave_up} given up");
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

//! Chance makes up a box, and whatever happens on it the budget holds.

use super::*;

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

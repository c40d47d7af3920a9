//! How it goes with a target, and which of a route's targets is to be asked.

use std::time::Duration;

use claw_record::shown_span;
use serde::{Deserialize, Serialize};

use crate::channels::{self, Refusal};
use crate::clock::Milliseconds;
use crate::limits::Ledger;
use crate::message::Message;
use crate::route::Route;

/// How it goes with one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    /// It failed so often in a row, since that moment.
    pub(crate) failures: u32,
    pub(crate) down_since: Option<Milliseconds>,
    not_before: Milliseconds,
    /// Why it will take nothing more.
    pub(crate) refused: Option<String>,
    /// The address that it has now.
    pub(crate) moved_to: Option<String>,
    /// Why it failed last.
    pub(crate) why: Option<String>,
    /// Somebody was told that it does not work.
    pub(crate) is_told: bool,
}

/// What became of a try.
pub(crate) type Outcome = Result<String, Refusal>;

impl Health {
    /// Takes in what became of a try.
    pub(crate) fn learn(&mut self, outcome: &Outcome, now: Milliseconds) {
        const FIRST: Milliseconds = 1_000;
        const LONGEST: Milliseconds = 5 * 60_000;
        /// A target that refuses is asked again after that: somebody may have let us in.
        const REFUSED: Milliseconds = 60 * 60_000;
        match outcome {
            Ok(_) => {
                *self = Self {
                    moved_to: self.moved_to.take(),
                    is_told: self.is_told,
                    ..Self::default()
                };
            }
            Err(Refusal::Later(why)) => {
                self.failures = self.failures.saturating_add(1);
                self.down_since.get_or_insert(now);
                let doubled = FIRST << (self.failures - 1).min(16);
                self.not_before = now + doubled.min(LONGEST);
                self.why = Some(why.clone());
            }
            Err(Refusal::Target(why)) => {
                self.failures = self.failures.saturating_add(1);
                self.down_since.get_or_insert(now);
                self.not_before = now + REFUSED;
                self.refused = Some(why.clone());
                self.why = Some(why.clone());
            }
            Err(Refusal::Moved(address)) => self.moved_to = Some(address.clone()),
            // It works: it is busy, or does not like this one.
            Err(Refusal::Wait(_) | Refusal::Message(_)) => {}
        }
    }

    /// Asks again at once, whatever was.
    pub(crate) fn retry(&mut self) {
        self.not_before = 0;
        self.refused = None;
    }

    /// Has it been out of order for that long?
    pub(crate) fn is_down(&self, since: Milliseconds, now: Milliseconds) -> bool {
        self.refused.is_some() || self.down_since.is_some_and(|down| down + since <= now)
    }
}

/// Why a target is not told at once.
#[derive(Debug)]
pub(crate) struct Delay {
    pub(crate) words: String,
    /// It refused, and is left alone until somebody says otherwise, or for an hour.
    pub(crate) is_refused: bool,
}

impl Delay {
    /// Why nothing is sent there now, or was not the last time.
    pub(crate) fn of(
        target: &str,
        health: Option<&Health>,
        ledger: &Ledger,
        now: Milliseconds,
    ) -> Option<Self> {
        let (channel, address) = channels::of(target).ok()?;
        let moved = health.and_then(|health| health.moved_to.as_deref());
        let limits = (channel.limits)(moved.unwrap_or(address));
        let not_before = health.map_or(0, |health| health.not_before);
        let wait = ledger.free_at(&limits).max(not_before).saturating_sub(now);
        let wait = shown_span(Duration::from_millis(wait.div_ceil(1000) * 1000));
        let is_now = wait.starts_with("less");
        let words = match health.and_then(|health| health.why.as_deref()) {
            Some(why) if is_now => format!("{target}: {why}"),
            Some(why) => format!("{target}: {why}; not tried again for {wait}"),
            None if is_now => return None,
            None => format!("{target}: no more is to be sent for {wait}"),
        };
        let is_refused = health.is_some_and(|health| health.refused.is_some());
        Some(Self { words, is_refused })
    }
}

/// What is to be done with a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Send it to the target at that place in the route.
    Send(usize),
    /// Nothing until then, or until something that is on its way has arrived.
    Wait(Milliseconds),
    /// All targets refuse it for good.
    Never,
}

/// What the choice depends on.
pub(crate) struct Scene<'a> {
    pub(crate) health: &'a dyn Fn(&str) -> Option<&'a Health>,
    pub(crate) ledger: &'a Ledger,
    /// How much is on its way to a target.
    pub(crate) busy: &'a dyn Fn(&str) -> usize,
    /// How long is waited for a receipt of one target before the next one is asked.
    pub(crate) failover: Milliseconds,
    pub(crate) now: Milliseconds,
}

/// Which target a message goes to: the first one that can take it, in the order of the route; a later
/// one where those before it are out of order, or had their time.
pub(crate) fn choose(message: &Message, route: &Route, scene: &Scene<'_>) -> Choice {
    let Scene { now, failover, .. } = *scene;
    let mut earliest = Milliseconds::MAX;
    let mut may_be_taken = false;
    for (place, target) in (0_u64..).zip(&route.targets) {
        if message.refused.iter().any(|(refused, _)| refused == target) {
            continue;
        }
        let Ok((channel, address)) = channels::of(target) else { continue };
        let health = (scene.health)(target);
        let is_down = health.is_some_and(|health| health.is_down(failover, now));
        let ends = message.since + failover * (place + 1);
        may_be_taken |= channel.proves;
        if message.is_shouted && !channel.proves {
            continue;
        }
        let moved = health.and_then(|health| health.moved_to.as_deref());
        let limits = (channel.limits)(moved.unwrap_or(address));
        let not_before = health.map_or(0, |health| health.not_before);
        let free_at = scene.ledger.free_at(&limits).max(not_before);
        if (scene.busy)(target) >= channel.at_once {
            // What is on its way there comes first.
        } else if free_at <= now {
            return Choice::Send(place as usize);
        } else {
            earliest = earliest.min(free_at);
        }
        if !is_down && now < ends {
            return Choice::Wait(earliest.min(ends));
        }
    }
    if may_be_taken { Choice::Wait(earliest) } else { Choice::Never }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use claw_record::Severity;

    use super::*;
    use crate::message::Body;
    use crate::spool::Ids;

    fn message() -> Message {
        let (title, text, record) = Default::default();
        let body = Body::Words { title, text, record };
        Message::new(1, Severity::Error, body, Ids::default(), 1, 0)
    }

    const FIRST: &str = "telegram:1";
    const SECOND: &str = "telegram:2";

    fn route() -> Route {
        let targets = [FIRST, SECOND, "wall"].map(str::to_owned).to_vec();
        Route::new(targets, Severity::Info)
    }

    fn chosen(
        message: &Message,
        healths: &BTreeMap<&str, Health>,
        ledger: &Ledger,
        now: u64,
    ) -> Choice {
        let scene = Scene {
            health: &|target| healths.get(target),
            ledger,
            busy: &|_| 0,
            failover: 30_000,
            now,
        };
        choose(message, &route(), &scene)
    }

    #[test]
    fn the_first_one_has_its_time_and_then_the_next_one_is_asked() {
        let mut healths = BTreeMap::new();
        let ledger = Ledger::default();
        let mut message = message();
        assert_eq!(chosen(&message, &healths, &ledger, 0), Choice::Send(0));
        let mut first = Health::default();
        first.learn(&Err(Refusal::Later("x".into())), 0);
        healths.insert(FIRST, first.clone());
        assert_eq!(chosen(&message, &healths, &ledger, 500), Choice::Wait(1_000));
        assert_eq!(chosen(&message, &healths, &ledger, 1_000), Choice::Send(0));
        for at in [1_000, 3_000, 7_000, 15_000, 31_000] {
            first.learn(&Err(Refusal::Later("x".into())), at);
        }
        healths.insert(FIRST, first.clone());
        assert_eq!(chosen(&message, &healths, &ledger, 31_000), Choice::Send(1));
        // The next message does not wait any more, and the first target is still tried.
        message.since = 40_000;
        assert_eq!(chosen(&message, &healths, &ledger, 40_000), Choice::Send(1));
        assert_eq!(chosen(&message, &healths, &ledger, 64_000), Choice::Send(0));
        first.learn(&Ok("7".into()), 64_000);
        assert_eq!(first, Health::default());
    }

    #[test]
    fn one_that_refuses_is_passed_by_at_once_and_asked_again_after_an_hour() {
        let mut first = Health::default();
        first.learn(&Err(Refusal::Target("blocked".into())), 0);
        let mut healths = BTreeMap::from([(FIRST, first.clone())]);
        let ledger = Ledger::default();
        let later = Message { since: 3_600_000, ..message() };
        assert_eq!(chosen(&message(), &healths, &ledger, 1), Choice::Send(1));
        assert_eq!(chosen(&later, &healths, &ledger, 3_600_000), Choice::Send(0));
        healths.insert(SECOND, first);
        assert_eq!(chosen(&message(), &healths, &ledger, 1), Choice::Send(2), "somebody is told");
        let shouted = Message { is_shouted: true, ..message() };
        assert_eq!(chosen(&shouted, &healths, &ledger, 1), Choice::Wait(3_600_000));
    }

    #[test]
    fn one_that_asks_to_wait_is_obeyed_and_the_next_one_is_asked_when_that_lasts() {
        let mut ledger = Ledger::default();
        ledger.hold("telegram:1", 100_000);
        let mut health = Health::default();
        health.learn(&Err(Refusal::Wait(Duration::from_secs(100))), 0);
        let healths = BTreeMap::from([(FIRST, health)]);
        assert_eq!(chosen(&message(), &healths, &ledger, 1_000), Choice::Wait(30_000));
        assert_eq!(chosen(&message(), &healths, &ledger, 30_000), Choice::Send(1));
    }

    #[test]
    fn what_nobody_takes_is_not_tried_for_ever() {
        let refused = [FIRST, SECOND].map(|target| (target.to_owned(), "too odd".to_owned()));
        let message = Message { refused: refused.to_vec(), is_shouted: true, ..message() };
        assert_eq!(chosen(&message, &BTreeMap::new(), &Ledger::default(), 0), Choice::Never);
    }
}

//! What is to be done about a unit: by what is said of it, what systemd says, and what was done before.

use std::time::Duration;

use crate::act::Act;
use crate::budget::Limit;
use crate::cause::Cause;
use crate::chart::{Chart, GaveUp, Sick, Trouble, Try};
use crate::facts::{Facts, Standing};
use crate::moment::Moment;
use crate::patient::Kind;
use crate::said::Said;

/// The rules that it goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) limit: Limit,
    pub(crate) cool_down: Duration,
    /// How long a start may take that has not answered yet.
    pub(crate) grace: Duration,
    /// So many looks in a row have to say that the gateway hangs, or is dead while its unit is active.
    pub(crate) confirm: u32,
    pub(crate) kind: Kind,
}

/// No start of the gateway is younger than that when it is restarted: three restarts within 300 s trip
/// its own breaker.
pub(crate) const SHORTEST_GRACE: Duration = Duration::from_secs(90);
/// How long a unit has to be up before that counts.
const SETTLED: Duration = Duration::from_secs(10);
/// How long a gateway may be too busy to answer.
const LONGEST_STALL: Duration = Duration::from_secs(30);
/// How long one may not listen: it also starts anew within its process, of which no unit tells.
const LONGEST_ABSENCE: Duration = Duration::from_secs(90);
/// How long it has, after SIGABRT, to start anew by itself.
const TO_COME_BACK: Duration = Duration::from_secs(15);

/// What is to be done, and when to look again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) deed: Deed,
    /// Whether the gateway answers has to be known next time.
    pub(crate) look: bool,
    pub(crate) again: Duration,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Nothing, and why, where something is wrong.
    Nothing(Option<&'static str>),
    /// Do this to the unit. It was counted, and has to be remembered first.
    Act(Act, Cause),
    /// Tell that it was given up, and remember that it was told.
    GiveUp(GaveUp),
    /// Tell that it is up again, and after how long.
    Recovered(Trouble, Duration),
}

const TOO_SHORT: &str = "it may come back by itself";
const BY_ITSELF: &str = "it may start anew by itself";

impl Deed {
    /// Is it a part of something that is brought to its end within seconds?
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self, Self::Nothing(Some(TOO_SHORT | BY_ITSELF)) | Self::Act(Act::Abort, _))
    }
}

/// What a unit needs.
enum Need {
    /// It is left alone.
    Nothing(&'static str),
    /// Something comes of itself, or is not sure yet.
    Time(&'static str),
    Act(Act, Cause),
    /// It is well, for all that is known.
    Well,
}

/// Decides, and changes what is remembered accordingly.
pub(crate) fn decide(
    chart: &mut Chart,
    said: Option<Said>,
    facts: &Facts,
    rules: &Rules,
    now: &Moment,
) -> Decision {
    chart.see(facts, rules.limit, now);
    match said {
        Some(Said::Hung) => chart.is_sick(Sick::Hung, facts, now),
        Some(Said::Dead) => chart.is_sick(Sick::Dead, facts, now),
        Some(Said::Alive(uptime)) => chart.answers(uptime, facts),
        Some(Said::Starting) => chart.row = None,
        Some(Said::Failed | Said::Crashed(_) | Said::Other) | None => {}
    }
    let need = need(chart, facts, rules, now);
    open(chart, &need, said, facts, now);
    let is_over = chart.gave_up.as_ref().is_some_and(|gave_up| {
        let has_cooled_down = now.since_at_least(&gave_up.at) >= rules.cool_down;
        gave_up.is_told && has_cooled_down && chart.budget.used() < rules.limit.restarts
    });
    if is_over {
        chart.gave_up = None;
        if let Some(trouble) = &mut chart.trouble {
            (trouble.tries, trouble.last_try) = (0, None);
        }
    }
    let deed = deed(chart, &need, facts, rules, now);
    let look = has_to_look(chart, facts, rules);
    Decision { look, again: again(chart, &deed, look, rules), deed }
}

fn need(chart: &Chart, facts: &Facts, rules: &Rules, now: &Moment) -> Need {
    match facts.standing() {
        Standing::LeftAlone(why) => Need::Nothing(why),
        Standing::Moving(why) => Need::Time(why),
        // Whoever runs an agent says so; a unit that somebody named is to be healed.
        Standing::Failed(_) if rules.kind == Kind::Agent && facts.never_restarts => {
            Need::Nothing("it is never to be restarted (Restart=no)")
        }
        Standing::Failed(cause) => {
            let known = chart.trouble.as_ref().map(|trouble| trouble.cause);
            Need::Act(Act::Start, known.unwrap_or(cause))
        }
        Standing::Active => {
            let Some(row) = chart.row.as_ref().filter(|_| rules.kind != Kind::Other) else {
                return Need::Well;
            };
            let grace = if rules.kind == Kind::Agent {
                // Whether it still starts was judged by the check itself.
                SETTLED
            } else if chart.has_answered(facts) {
                SHORTEST_GRACE
            } else {
                chart.longest_start(rules.grace)
            };
            if facts.active_for.is_none_or(|age| age < grace) {
                return Need::Time("it may still be starting");
            }
            if facts.operated_ago.is_some_and(|ago| ago < chart.longest_start(rules.grace)) {
                return Need::Time("somebody had OpenClaw restart it");
            }
            let (lasting, act, cause) = match row.says {
                Sick::Hung => (LONGEST_STALL, Act::Abort, Cause::Hang),
                Sick::Dead => (LONGEST_ABSENCE, Act::Restart, Cause::Dead),
            };
            if row.looks < rules.confirm || now.since_at_least(&row.since) < lasting {
                return Need::Time(TOO_SHORT);
            }
            Need::Act(act, cause)
        }
    }
}

/// Notes that a unit is down, and since when.
fn open(chart: &mut Chart, need: &Need, said: Option<Said>, facts: &Facts, now: &Moment) {
    // What a record says of a unit that has been up for a while is old.
    let is_old = chart.trouble.is_none() && facts.active_for.is_some_and(|age| age >= SETTLED);
    let cause = match (need, said) {
        (Need::Nothing(_), _) => return,
        (_, Some(Said::Crashed(cause))) if !is_old => cause,
        (Need::Act(_, cause), _) => *cause,
        (_, Some(Said::Failed)) if !is_old => Cause::Exit,
        _ => return,
    };
    let since = match (facts.failed_ago, &chart.row) {
        (Some(ago), _) => now.before(ago),
        (None, Some(row)) => row.since.clone(),
        (None, None) => now.clone(),
    };
    let trouble = chart.trouble.get_or_insert(Trouble { cause, since, tries: 0, last_try: None });
    trouble.cause = cause;
}

fn deed(chart: &mut Chart, need: &Need, facts: &Facts, rules: &Rules, now: &Moment) -> Deed {
    if let Some(untold) = chart.gave_up.as_ref().filter(|gave_up| !gave_up.is_told) {
        return Deed::GiveUp(untold.clone());
    }
    match *need {
        Need::Nothing(why) => {
            chart.row = None;
            match chart.trouble.take() {
                // What does its work and ends is not active after it.
                Some(trouble) if facts.is_done() && trouble.tries > 0 => {
                    let down = now.since(&trouble.since);
                    Deed::Recovered(trouble, down)
                }
                _ => Deed::Nothing(Some(why)),
            }
        }
        Need::Time(why) => {
            let is_beyond = chart.budget.used() > rules.limit.restarts && chart.gave_up.is_none();
            match &chart.trouble {
                // systemd restarts it over and over.
                Some(trouble) if is_beyond => {
                    let trouble = trouble.clone();
                    Deed::GiveUp(chart.give_up(trouble, now))
                }
                _ => Deed::Nothing(Some(why)),
            }
        }
        Need::Act(act, cause) => act_or_give_up(chart, act, cause, facts, rules, now),
        Need::Well if is_up(chart, facts, rules) => match chart.trouble.take() {
            Some(trouble) => {
                let has_check = rules.kind == Kind::Gateway || trouble.cause == Cause::Hang;
                let up = if has_check { None } else { facts.active_for };
                let down = now.since(&trouble.since).saturating_sub(up.unwrap_or_default());
                Deed::Recovered(trouble, down)
            }
            None => Deed::Nothing(None),
        },
        Need::Well => Deed::Nothing(None),
    }
}

fn act_or_give_up(
    chart: &mut Chart,
    act: Act,
    cause: Cause,
    facts: &Facts,
    rules: &Rules,
    now: &Moment,
) -> Deed {
    if chart.gave_up.is_some() {
        return Deed::Nothing(Some("it was given up"));
    }
    let Some(trouble) = &mut chart.trouble else { return Deed::Nothing(None) };
    let commanded = |act| Try { act, at: now.clone(), invocation: facts.invocation.clone() };
    // The restart that belongs to SIGABRT was counted with it.
    if let Some(one) = chart.under_way.as_ref().filter(|one| one.act == Act::Abort) {
        let next = if act == Act::Start { Act::Start } else { Act::Restart };
        if next == Act::Restart && now.since_at_least(&one.at) < TO_COME_BACK {
            return Deed::Nothing(Some(BY_ITSELF));
        }
        if chart.budget.again(now) {
            (trouble.last_try, chart.under_way) = (Some(now.clone()), Some(commanded(next)));
            return Deed::Act(next, cause);
        }
    }
    let since_last = trouble.last_try.as_ref().map(|last| now.since_at_least(last));
    if since_last.is_some_and(|since| since < pause(trouble.tries)) {
        return Deed::Nothing(Some("it was restarted just now"));
    }
    if chart.budget.used() >= rules.limit.restarts || trouble.tries >= rules.limit.restarts {
        let trouble = trouble.clone();
        return Deed::GiveUp(chart.give_up(trouble, now));
    }
    trouble.tries += 1;
    trouble.last_try = Some(now.clone());
    chart.under_way = Some(commanded(act));
    chart.budget.ours(now, cause);
    Deed::Act(act, cause)
}

/// The time between a restart and the next one: 5 s, 10 s, 20 s …
fn pause(tries: usize) -> Duration {
    const FIRST: Duration = Duration::from_secs(5);
    const MOST_DOUBLINGS: usize = 4;
    FIRST * (1 << tries.saturating_sub(1).min(MOST_DOUBLINGS))
}

/// Is a unit that is active up for good, as far as can be said?
fn is_up(chart: &Chart, facts: &Facts, rules: &Rules) -> bool {
    let up_for = |span| facts.active_for.is_some_and(|age| age >= span);
    let hung = chart.trouble.as_ref().is_some_and(|trouble| trouble.cause == Cause::Hang);
    match rules.kind {
        // Where nobody says whether it answers, its age has to do.
        Kind::Gateway => chart.has_answered(facts) || up_for(chart.longest_start(rules.grace)),
        Kind::Agent if hung => chart.has_answered(facts),
        Kind::Agent | Kind::Other => up_for(SETTLED),
    }
}

fn has_to_look(chart: &Chart, facts: &Facts, rules: &Rules) -> bool {
    let is_known = chart.has_answered(facts) && chart.row.is_none() && chart.trouble.is_none();
    let is_asked = match rules.kind {
        Kind::Gateway => true,
        Kind::Agent => {
            let hung = |trouble: &Trouble| trouble.cause == Cause::Hang;
            chart.row.is_some() || chart.trouble.as_ref().is_some_and(hung)
        }
        Kind::Other => false,
    };
    is_asked && facts.standing() == Standing::Active && !is_known
}

fn again(chart: &Chart, deed: &Deed, look: bool, rules: &Rules) -> Duration {
    const SOON: Duration = Duration::from_secs(2);
    const LATER: Duration = Duration::from_secs(30);
    // A restart that nobody tells of is seen before it no longer counts.
    let at_rest = rules.limit.within.clamp(LATER, Duration::from_secs(300));
    match (&chart.trouble, &chart.gave_up) {
        (Some(_), None) => SOON,
        (Some(_), Some(_)) => LATER,
        (None, _) if deed.goes_on() => Duration::from_secs(5),
        (None, _) if look => LATER,
        (None, _) => at_rest,
    }
}

#[cfg(test)]
mod tests;

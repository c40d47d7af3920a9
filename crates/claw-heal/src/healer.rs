//! What is done for each unit: ask systemd, decide, write it down, do it, tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use claw_box::groups;
use claw_record::{Complaint, Output, Record, complain};

use crate::act::Act;
use crate::chart::Chart;
use crate::claw_health::Look;
use crate::decide::{Decision, Deed, Rules, decide};
use crate::facts::{Facts, Standing};
use crate::input::Input;
use crate::moment::Moment;
use crate::patient::{Kind, Patient, Unit};
use crate::said::{About, Said, agent_in_trouble, said};
use crate::state::Store;
use crate::tell::Teller;
use crate::{journalctl, restart_log, systemctl};

/// Whoever looks after the units.
pub(crate) struct Healer {
    pub(crate) patients: Vec<Patient>,
    pub(crate) rules: Rules,
    pub(crate) store: Store,
    pub(crate) teller: Teller,
    pub(crate) look: Look,
    pub(crate) timeout: Duration,
    /// The charts of a dry run, which are kept nowhere; nothing where this is none.
    pub(crate) dry: Option<BTreeMap<String, Chart>>,
    /// What comes next for each unit.
    pub(crate) next: Vec<Next>,
    /// The units that are being looked at.
    pub(crate) looking: BTreeSet<usize>,
    /// What could not be done, as it was said last.
    pub(crate) unable: Unable,
    pub(crate) has_given_up: bool,
    pub(crate) would_act: bool,
}

/// What comes next for a unit.
#[derive(Clone, Debug)]
pub(crate) struct Next {
    pub(crate) at: Instant,
    look: bool,
    /// Does it belong to something that was begun?
    is_begun: bool,
    left: Option<&'static str>,
    /// When it was found well, where it was.
    well_at: Option<Instant>,
}

impl Next {
    /// A first look at a unit, at that moment.
    pub(crate) fn first(at: Instant) -> Self {
        Self { at, look: false, is_begun: false, left: None, well_at: None }
    }
}

/// What could not be done. Each of it is said once, until it is something else.
#[derive(Debug, Default)]
pub(crate) struct Unable {
    pub(crate) ever: bool,
    said: BTreeMap<String, String>,
}

impl Unable {
    fn say(&mut self, about: &str, why: &str) {
        // Whoever is to end cannot ask any more, which is no trouble.
        if groups::is_over() {
            return;
        }
        self.ever = true;
        if self.said.insert(about.to_owned(), why.to_owned()).as_deref() != Some(why) {
            complain("claw-heal", why);
        }
    }

    fn is_over(&mut self, about: &str) {
        self.said.remove(about);
    }
}

impl Healer {
    /// Hears a record.
    pub(crate) fn hear(&mut self, record: &Record, output: &mut Output) -> Result<(), Complaint> {
        self.admit(record);
        match said(record, &self.look.host, &self.patients) {
            Some((About::Unit(unit), said)) => self.attend(unit, Some(said), output),
            Some((About::Gateway, Said::Alive(_))) if self.knows_it_is_well() => Ok(()),
            Some((About::Gateway, said)) => {
                let gateway = self.gateway();
                self.attend(gateway, Some(said), output)
            }
            None => Ok(()),
        }
    }

    /// Takes in an agent that is in trouble. What is to be done is decided by what its manager says of
    /// it, and by a look of our own.
    fn admit(&mut self, record: &Record) {
        /// More agents than a box runs; the input is not ours.
        const MOST: usize = 200;
        let Some(unit) = agent_in_trouble(record, &self.look.host) else { return };
        let is_known = self.patients.iter().any(|patient| patient.unit == unit);
        if !is_known && self.patients.len() < MOST {
            self.patients.push(Patient { unit, kind: Kind::Agent });
            self.next.push(Next::first(Instant::now()));
        }
    }

    /// Hears what a look of our own at the gateway, or at an agent, says.
    pub(crate) fn looked(
        &mut self,
        unit: usize,
        looked: &Result<Option<Said>, String>,
        output: &mut Output,
    ) -> Result<(), Complaint> {
        let is_gateway = self.patients[unit].is_gateway();
        let what = if is_gateway { "the gateway".to_owned() } else { format!("agent {unit}") };
        let about = &format!("a look at {what}");
        self.looking.remove(&unit);
        let said = match looked {
            Ok(said) => {
                self.unable.is_over(about);
                *said
            }
            Err(why) => {
                self.unable.say(about, why);
                None
            }
        };
        let unit = if is_gateway { self.gateway() } else { unit };
        self.attend(unit, said, output)
    }

    /// Does what is due; of what was not begun nothing, where `is_ended`.
    pub(crate) fn tick(
        &mut self,
        input: &Input,
        is_ended: bool,
        output: &mut Output,
    ) -> Result<(), Complaint> {
        for unit in 0..self.patients.len() {
            if self.next[unit].at > Instant::now() || is_ended && !self.next[unit].is_begun {
                continue;
            }
            if !self.next[unit].look {
                self.attend(unit, None, output)?;
                continue;
            }
            // It goes on when the look was made.
            (self.next[unit].at, self.next[unit].look) = (Instant::now() + self.timeout * 3, false);
            let patient = self.patients[unit].clone();
            // The gateway is one, whichever manager has it.
            let is_made = |other: &usize| {
                *other == unit || patient.is_gateway() && self.patients[*other].is_gateway()
            };
            if !self.looking.iter().any(is_made) {
                self.looking.insert(unit);
                let look = self.look.clone();
                let agent = Some(patient).filter(|patient| !patient.is_gateway());
                input.look(unit, move || look.make(agent.as_ref()))?;
            }
        }
        Ok(())
    }

    /// When something is due; of what was not begun nothing, where `is_ended`.
    pub(crate) fn due(&self, is_ended: bool) -> Instant {
        let counts = |next: &&Next| !is_ended || next.is_begun;
        let soonest = self.next.iter().filter(counts).map(|next| next.at).min();
        soonest.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    /// Was the gateway found well so lately that one more look which says so is no news?
    fn knows_it_is_well(&self) -> bool {
        const LATELY: Duration = Duration::from_secs(60);
        let gateways = self.patients.iter().zip(&self.next).filter(|(one, _)| one.is_gateway());
        let mut well_at = gateways.filter_map(|(_, next)| next.well_at);
        well_at.any(|at| at.elapsed() < LATELY)
    }

    /// Was something begun that goes on within seconds?
    pub(crate) fn is_busy(&self) -> bool {
        self.next.iter().any(|next| next.is_begun)
    }

    /// The ladder of each unit that is looked after.
    pub(crate) fn ladder(&self) -> Vec<Record> {
        let gateway = self.gateway();
        let is_it = |(at, one): &(usize, &Patient)| !one.is_gateway() || *at == gateway;
        let patients = self.patients.iter().enumerate().filter(is_it);
        patients.flat_map(|(_, one)| self.teller.ladder(&one.unit, one.kind)).collect()
    }

    /// The unit of the gateway: that of the user manager, unless there is only one of the system's.
    fn gateway(&self) -> usize {
        let deadline = Instant::now() + self.timeout;
        let is_there = |patient: &Patient| {
            let facts = systemctl::show(&patient.unit, &self.teller.owner, deadline);
            facts.is_ok_and(|facts| !matches!(&*facts.load_state, "" | "not-found"))
        };
        let mut gateways = self.patients.iter().enumerate().filter(|(_, one)| one.is_gateway());
        gateways.find(|(_, patient)| is_there(patient)).map_or(0, |(at, _)| at)
    }

    fn attend(
        &mut self,
        unit: usize,
        said: Option<Said>,
        output: &mut Output,
    ) -> Result<(), Complaint> {
        const AFTER_TROUBLE: Duration = Duration::from_secs(30);
        let Patient { unit: about, kind } = self.patients[unit].clone();
        let rules = Rules { kind, ..self.rules };
        let is_gateway = kind == Kind::Gateway;
        let attended = if self.dry.is_some() {
            self.rehearse(&about, &rules, said, self.next[unit].left, output)
        } else {
            self.heal(&about, &rules, said, output)
        };
        let next = match attended {
            Ok(Some(Decision { deed, look, again })) => {
                self.unable.is_over(&about.to_string());
                let left = if let Deed::Nothing(why) = &deed { *why } else { None };
                let is_begun = deed.goes_on();
                let is_well = deed == Deed::Nothing(None) && is_gateway && !look;
                let well_at = is_well.then(Instant::now);
                Next { at: Instant::now() + again, look, is_begun, left, well_at }
            }
            // Nothing can be done about it now.
            Ok(None) => Next::first(Instant::now() + AFTER_TROUBLE),
            Err(why) => return Err(why),
        };
        self.next[unit] = next;
        Ok(())
    }

    /// Asks, decides and acts, as the only claw-heal that does so at this moment.
    fn heal(
        &mut self,
        unit: &Unit,
        rules: &Rules,
        said: Option<Said>,
        output: &mut Output,
    ) -> Result<Option<Decision>, Complaint> {
        const BUDGETS: &str = "budgets";
        let mut charts = match self.store.open(self.timeout * 2) {
            Ok(charts) => charts,
            // Who cannot count restarts makes none.
            Err(why) => {
                self.unable.say(BUDGETS, &why.to_string());
                return Ok(None);
            }
        };
        let chart = charts.of(unit);
        let facts = match self.facts(unit, chart, said) {
            Ok(facts) => facts,
            Err(why) => {
                self.unable.say(&unit.to_string(), &why);
                return Ok(None);
            }
        };
        let decision = decide(chart, said, &facts, rules, &Moment::now());
        let chart = chart.clone();
        if let Deed::Recovered(trouble, down) = &decision.deed {
            output.record(&self.teller.recovered(unit, trouble, *down))?;
        }
        if let Err(why) = charts.save() {
            self.unable.say(BUDGETS, &why.to_string());
            return Ok(None);
        }
        self.unable.is_over(BUDGETS);
        match &decision.deed {
            Deed::Act(act, cause) => {
                let result = self.perform(unit, *act);
                if result.is_err() && groups::is_over() {
                    // It was noted, and the next one finds out whether it was done.
                    return Ok(None);
                }
                self.unable.ever |= result.is_err();
                drop(charts);
                output.record(&self.teller.acted(unit, (*act, *cause), &chart, result))?;
            }
            Deed::GiveUp(gave_up) => {
                self.has_given_up = true;
                output.record(&self.teller.gave_up(unit, gave_up, &chart))?;
                if let Some(gave_up) = &mut charts.of(unit).gave_up {
                    gave_up.is_told = true;
                }
                if let Err(why) = charts.save() {
                    self.unable.say(BUDGETS, &why.to_string());
                }
            }
            Deed::Nothing(_) | Deed::Recovered(..) => {}
        }
        Ok(Some(decision))
    }

    /// Asks and decides, and says what would be done.
    fn rehearse(
        &mut self,
        unit: &Unit,
        rules: &Rules,
        said: Option<Said>,
        left: Option<&str>,
        output: &mut Output,
    ) -> Result<Option<Decision>, Complaint> {
        let mut charts = self.dry.take().unwrap_or_default();
        let chart = charts.entry(unit.to_string()).or_default();
        let facts = self.facts(unit, chart, said);
        let decision = facts.map(|facts| decide(chart, said, &facts, rules, &Moment::now()));
        let (owner, limit) = (&self.teller.owner, self.rules.limit);
        let record = match &decision {
            Err(_) | Ok(Decision { deed: Deed::Nothing(None), .. }) => None,
            Ok(Decision { deed: Deed::Nothing(Some(why)), .. }) => {
                (left != Some(why)).then(|| self.teller.left(unit, why))
            }
            Ok(Decision { deed: Deed::Act(act, cause), .. }) => {
                let used = chart.budget.used();
                let what = format!("would {} it ({cause}); {used} of {limit}", act.word());
                Some(self.teller.would(unit, &what, Some(act.typed(unit, owner))))
            }
            Ok(Decision { deed: Deed::GiveUp(gave_up), .. }) => {
                let what = format!("would give up ({}); {limit} were made", gave_up.trouble.cause);
                chart.gave_up.iter_mut().for_each(|gave_up| gave_up.is_told = true);
                Some(self.teller.would(unit, &what, None))
            }
            Ok(Decision { deed: Deed::Recovered(trouble, down), .. }) => {
                Some(self.teller.recovered(unit, trouble, *down))
            }
        };
        self.dry = Some(charts);
        let decision = match decision {
            Ok(decision) => Some(decision),
            Err(why) => {
                self.unable.say(&unit.to_string(), &why);
                None
            }
        };
        let acts = |one: &Decision| matches!(one.deed, Deed::Act(..) | Deed::GiveUp(_));
        self.would_act |= decision.as_ref().is_some_and(acts);
        record.map_or(Ok(()), |record| output.record(&record))?;
        Ok(decision)
    }

    /// All that decides, as it is now.
    fn facts(&mut self, unit: &Unit, chart: &Chart, said: Option<Said>) -> Result<Facts, String> {
        let (owner, deadline) = (&self.teller.owner, Instant::now() + self.timeout);
        let mut facts = systemctl::show(unit, owner, deadline)?;
        match facts.standing() {
            Standing::Failed(_) => {
                let was_stopped = journalctl::was_stopped(unit, &facts.invocation, owner, deadline);
                facts.was_stopped = self.unable.or(was_stopped, "the journal", false);
            }
            // Only the gateway is also restarted by itself.
            Standing::Active if unit.agent().is_some() => {}
            Standing::Active
                if chart.row.is_some() || matches!(said, Some(Said::Hung | Said::Dead)) =>
            {
                let operated_ago = restart_log::operated_ago(owner, deadline);
                facts.operated_ago = self.unable.or(operated_ago, "gateway-restart.log", None);
            }
            _ => {}
        }
        Ok(facts)
    }

    fn perform(&self, unit: &Unit, act: Act) -> Result<(), String> {
        let deadline = Instant::now() + self.timeout;
        let owner = &self.teller.owner;
        let mut commands = act.commands(unit).into_iter();
        commands.try_for_each(|words| systemctl::run(unit.scope, owner, &words, deadline).map(drop))
    }
}

impl Unable {
    /// What was found out, or what stands for it where it could not be, which is said.
    fn or<T>(&mut self, found: Result<T, String>, about: &str, otherwise: T) -> T {
        match found {
            Ok(found) => {
                self.is_over(about);
                found
            }
            Err(why) => {
                self.say(about, &why);
                otherwise
            }
        }
    }
}

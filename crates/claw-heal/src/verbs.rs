//! What is done instead of reading records: saying how the budgets are, and beginning anew.

use std::path::Path;
use std::time::Duration;

use claw_record::{Complaint, Outcome, Output, Status};
use nix::unistd::geteuid;

use crate::moment::Moment;
use crate::patient::{Patient, Unit};
use crate::state::Store;
use crate::tell::Teller;

/// What somebody hears who asks for budgets of their own where root's monitor keeps others.
pub(crate) const ANOTHER_S: &str =
    "these are your own budgets; those of the monitor, which is root's: sudo claw-heal status";

/// Does root keep budgets here that this caller does not see?
pub(crate) fn is_another_s() -> bool {
    !geteuid().is_root() && Path::new("/var/lib/claw").is_dir()
}

/// Says how much of each budget is used.
pub(crate) fn status(
    store: &Store,
    patients: &[Patient],
    teller: &Teller,
    output: &mut Output,
) -> Result<Outcome, Complaint> {
    let mut charts = store.read()?;
    // The gateway's own, where nothing was ever done to it, and whatever else is known.
    if let Some(patient) = patients.first() {
        charts.entry(patient.unit.to_string()).or_default();
    }
    let mut outcome = Outcome::Well;
    for (unit, mut chart) in charts {
        let Ok(unit) = unit.parse::<Unit>() else { continue };
        if chart == Default::default() && Some(&unit) != patients.first().map(|one| &one.unit) {
            continue;
        }
        chart.budget.forget(teller.limit, chart.under_way.is_some(), &Moment::now());
        if chart.gave_up.is_some() {
            outcome = Outcome::NotWell;
        }
        output.record(&teller.budget(&unit, &chart))?;
    }
    Ok(outcome)
}

/// Begins anew with these units.
pub(crate) fn reset(
    store: &Store,
    units: &[Unit],
    timeout: Duration,
    teller: &Teller,
    output: &mut Output,
) -> Result<Outcome, Complaint> {
    let mut charts = store.open(timeout)?;
    for unit in units {
        let Some(chart) = charts.units.get_mut(&unit.to_string()) else {
            let reason = match is_another_s() {
                true => {
                    "nothing is remembered of it in your own state; the monitor is root's: sudo claw-heal reset"
                }
                false => "nothing is remembered of it; see 'claw-heal status'",
            };
            return Err(Complaint::cannot("reset", &unit.to_string(), reason));
        };
        let message = match &chart.gave_up {
            Some(gave_up) => format!("reset; it was given up at {}", gave_up.at.rfc3339()),
            None => format!("reset; restarts: {} of {}", chart.budget.used(), teller.limit),
        };
        chart.reset();
        charts.save()?;
        output.record(&teller.source.record("reset", &unit.subject(), Status::Pass, &message))?;
    }
    Ok(Outcome::Well)
}

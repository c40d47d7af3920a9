//! The looks of a monitor: a thread that makes one after the other, while the monitor itself hears
//! what else there is.

use std::collections::BTreeSet;
use std::io::{self, PipeReader, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use claw_record::Complaint;

use super::moment::Moment;
use crate::args::Args;
use crate::checks::{Check, Find};
use crate::finding::Finding;
use crate::host::Host;
use crate::look::Looker;
use crate::plan::plan;
use crate::target::{self, Target};

/// A look that is to be made.
#[derive(Debug)]
pub(super) struct Order {
    /// The box, of which nothing is known from the look before.
    pub(super) host: Host,
    /// The checks that are not due.
    pub(super) resting: BTreeSet<&'static str>,
    /// What was told, does not pass, and may be left out where it does: it is looked at in any case.
    pub(super) in_trouble: Vec<String>,
}

/// A look that was made.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) at: Moment,
    /// The name of the box.
    pub(super) host: String,
    /// The checks that were asked for, and of them those that were not due.
    pub(super) checks: Vec<&'static Check>,
    pub(super) resting: BTreeSet<&'static str>,
    /// All that there is to look at, due or not.
    pub(super) planned: Vec<Target>,
    /// What is not there to be looked at.
    pub(super) absent: Vec<Finding>,
    pub(super) found: Vec<(Target, Vec<Finding>)>,
}

/// The thread that looks.
#[derive(Debug)]
pub(super) struct Looking {
    orders: Sender<Order>,
    looked: Receiver<Result<Looked, Complaint>>,
    /// Holds a byte for each look that is made, and is closed once there will be none any more.
    pub(super) ready: PipeReader,
}

impl Looking {
    /// Starts the thread.
    pub(super) fn start(args: &Args) -> Result<Self, Complaint> {
        let cannot = |error: io::Error| Complaint::new(format!("cannot watch: {error}"));
        let (ready, mut bell) = io::pipe().map_err(cannot)?;
        let (orders, to_do) = mpsc::channel::<Order>();
        let (done, looked) = mpsc::channel();
        let args = args.clone();
        let looker = Looker::new(&args);
        let work = move || {
            for order in to_do {
                let is_heard = done.send(look(&args, &looker, order)).is_ok();
                if !is_heard || bell.write_all(b".").is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("look".to_owned()).spawn(work).map_err(cannot)?;
        Ok(Self { orders, looked, ready })
    }

    /// Has a look made.
    pub(super) fn order(&self, order: Order) -> Result<(), Complaint> {
        self.orders.send(order).map_err(|_| broken())
    }

    /// The look that was made.
    pub(super) fn take(&self) -> Result<Looked, Complaint> {
        self.looked.try_recv().map_err(|_| broken())?
    }
}

fn broken() -> Complaint {
    Complaint::new("cannot look: the look itself failed")
}

fn look(args: &Args, looker: &Looker, order: Order) -> Result<Looked, Complaint> {
    let Order { host, resting, in_trouble } = order;
    let host = Arc::new(host);
    let at = Moment::now();
    let plan = plan(args, &host)?;
    let is_due = |target: &Target| !resting.contains(target.check.name);
    let due: Vec<_> = plan.targets.iter().filter(|target| is_due(target)).cloned().collect();
    let mut found = Vec::new();
    let mut keep = |target: &Target, findings: Vec<Finding>| -> Result<(), Complaint> {
        found.push((target.clone(), findings));
        Ok(())
    };
    looker.look(&host, &due, &mut keep)?;
    let heard: BTreeSet<_> = found
        .iter()
        .flat_map(|(_, findings)| findings)
        .map(|finding| finding.subject.clone())
        .collect();
    let again: Vec<_> = in_trouble
        .iter()
        .filter(|subject| !heard.contains(*subject))
        .filter_map(|subject| by_itself(subject))
        .filter(|target| plan.checks.iter().any(|check| check.name == target.check.name))
        .filter(is_due)
        .collect();
    looker.look(&host, &again, |target, mut findings| -> Result<(), Complaint> {
        findings.retain(is_there);
        found.push((target.clone(), findings));
        Ok(())
    })?;
    Ok(Looked {
        at,
        host: host.name.clone(),
        checks: plan.checks,
        resting,
        planned: plan.targets,
        absent: plan.absent,
        found,
    })
}

/// May a check leave out what is in trouble, and was named by it before? A unit is named only as long
/// as it is in trouble, an agent as long as its manager can be asked which there are.
pub(super) fn may_leave_out(check: &Check) -> bool {
    matches!(check.find, Find::Once) || check.name == "agent"
}

/// The target of such a subject. Everything else is named by its check as long as it is there.
fn by_itself(subject: &str) -> Option<Target> {
    let target = target::parse(subject).ok()?;
    (!target.operand.is_empty() && may_leave_out(target.check)).then_some(target)
}

/// A unit that nobody knows any more is in no trouble.
fn is_there(finding: &Finding) -> bool {
    finding.data.get("state").is_none_or(|state| state != "missing")
}

//! What is to be looked at on this box?

use claw_record::Complaint;

use crate::args::Args;
use crate::checks::{self, Check};
use crate::finding::Finding;
use crate::host::Host;
use crate::target::{self, Target};

/// What a look is to look at.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The checks that were asked for, be there anything for them to look at or not.
    pub(crate) checks: Vec<&'static Check>,
    pub(crate) targets: Vec<Target>,
    /// What is not there to be looked at.
    pub(crate) absent: Vec<Finding>,
}

/// Plans a look, as it was asked for.
pub(crate) fn plan(args: &Args, host: &Host) -> Result<Plan, Complaint> {
    for name in args.only.iter().chain(&args.skip) {
        target::named(name)?;
    }
    let wanted = |target: &Target| {
        let is = |name: &String| name == target.check.name;
        (args.only.is_empty() || args.only.iter().any(is)) && !args.skip.iter().any(is)
    };
    let named = target::joined(&args.targets);
    let asked = if named.is_empty() { &args.only } else { &named };
    let (mut targets, mut absent) = if asked.is_empty() {
        checks::applicable(host, &args.skip)
    } else {
        (asked.iter().map(|text| target::parse(text)).collect::<Result<_, _>>()?, Vec::new())
    };
    targets.retain(wanted);
    if targets.is_empty() && absent.is_empty() {
        return Err(Complaint::new("nothing is left to look at: see --only and --skip"));
    }
    let mut checks: Vec<&'static Check> = targets.iter().map(|target| target.check).collect();
    checks.dedup_by_key(|check| check.name);
    let mut looks: Vec<Target> = Vec::new();
    for target in targets {
        let subject = target.subject();
        let found = checks::expand(target, host);
        if found.is_empty() && !asked.is_empty() {
            absent.push(match subject.as_str() {
                "agent" => Finding::pass(subject, "there are no agents"),
                _ => Finding::unknown(subject, "there is nothing of that kind on this box"),
            });
        }
        let is_new = |target: &Target| {
            !looks.iter().any(|other| {
                other.check.name == target.check.name && other.operand == target.operand
            })
        };
        let mut found = found;
        found.retain(is_new);
        looks.extend(found);
    }
    Ok(Plan { checks, targets: looks, absent })
}

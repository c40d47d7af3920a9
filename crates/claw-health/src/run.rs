//! The story of a look: which targets, what was found there, how to write it.

use std::sync::Arc;

use clap_complete::generate;
use claw_record::{Complaint, Outcome};

use crate::args::{self, Args};
use crate::checks;
use crate::finding::Finding;
use crate::formats::Writer;
use crate::groups;
use crate::host::Host;
use crate::look::look;
use crate::target::{self, Target};

/// Looks, writes, and says how it turned out.
pub(crate) fn run(args: &Args) -> Result<Outcome, Complaint> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        generate(shell, &mut args::command(), "claw-health", &mut script);
        return Writer::plain(args)?.bytes(&script);
    }
    if args.list {
        return Writer::plain(args)?.list();
    }
    let host = Arc::new(Host::new(&args.place)?);
    if args.whose {
        return Writer::plain(args)?.bytes(host.owner().line().as_bytes());
    }
    let (targets, absent) = plan(args, &host)?;
    let mut writer = Writer::new(args, &host)?;
    for finding in absent {
        writer.finding("absent", finding)?;
    }
    let _guard = groups::guard(targets.iter().any(|target| target.check.runs_programs));
    look(&host, &args.settings, &targets, args.timeout, |target, findings| {
        findings.into_iter().try_for_each(|finding| writer.finding(target.check.name, finding))
    })?;
    writer.finish()
}

/// What is to be looked at, and what is not there to be looked at.
fn plan(args: &Args, host: &Host) -> Result<(Vec<Target>, Vec<Finding>), Complaint> {
    for name in args.only.iter().chain(&args.skip) {
        target::named(name)?;
    }
    let wanted = |target: &Target| {
        let is = |name: &String| name == target.check.name;
        (args.only.is_empty() || args.only.iter().any(is)) && !args.skip.iter().any(is)
    };
    let asked = if args.targets.is_empty() { &args.only } else { &args.targets };
    let (mut targets, mut absent) = if asked.is_empty() {
        checks::applicable(host, &args.skip)
    } else {
        (asked.iter().map(|text| target::parse(text)).collect::<Result<_, _>>()?, Vec::new())
    };
    targets.retain(wanted);
    if targets.is_empty() && absent.is_empty() {
        return Err(Complaint::new("nothing is left to look at: see --only and --skip"));
    }
    let mut looks: Vec<Target> = Vec::new();
    for target in targets {
        let subject = target.subject();
        let found = checks::expand(target, host);
        if found.is_empty() && !asked.is_empty() {
            absent.push(Finding::unknown(subject, "there is nothing of that kind on this box"));
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
    Ok((looks, absent))
}

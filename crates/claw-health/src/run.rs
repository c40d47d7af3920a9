//! The story of a look: which targets, what was found there, how to write it.

use std::sync::Arc;

use clap_complete::generate;
use claw_box::{Owner, groups};
use claw_record::{Complaint, Outcome, Output};

use crate::agent;
use crate::args::{self, Args};
use crate::formats::Writer;
use crate::host::Host;
use crate::look::Looker;
use crate::plan::{Plan, plan};
use crate::watch;

/// Looks, writes, and says how it turned out.
pub(crate) fn run(args: &Args) -> Result<Outcome, Complaint> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        let mut command = args::command().subcommand(agent::args::subcommand());
        generate(shell, &mut command, "claw-health", &mut script);
        return Writer::plain(args)?.bytes(&script);
    }
    if args.list {
        return Writer::plain(args)?.list();
    }
    if let Some(every) = args.watch {
        return watch::run(args, every);
    }
    let host = Arc::new(Host::new(&args.place)?);
    if args.whose {
        // A script reads it, whatever the settings say of the writing of records.
        let Owner { name, uid, gid, home, .. } = host.owner();
        let line = format!("{name} {uid} {gid} {}\n", home.display());
        Output::stdout(None).piece(line.as_bytes())?;
        return Ok(Outcome::Well);
    }
    let Plan { targets, absent, .. } = plan(args, &host)?;
    let mut writer = Writer::new(args, &host)?;
    for finding in absent {
        writer.finding("absent", finding)?;
    }
    let _guard = groups::guard(targets.iter().any(|target| target.check.runs_programs));
    Looker::new(args).look(&host, &targets, |target, findings| {
        findings.into_iter().try_for_each(|finding| writer.finding(target.check.name, finding))
    })?;
    writer.finish()
}

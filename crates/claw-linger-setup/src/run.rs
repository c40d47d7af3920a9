//! The story: whose services, what is to be done, doing it, and how it turned out.

use clap_complete::generate;
use claw_record::{Complaint, Outcome, Output};

use crate::args::{self, Args};
use crate::explain;

/// Does what was asked for, and says how it turned out.
pub(crate) fn run(args: &Args) -> Result<Outcome, Complaint> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        generate(shell, &mut args::command(), "claw-linger-setup", &mut script);
        Output::stdout(None).piece(&script)?;
        return Ok(Outcome::Well);
    }
    if args.explain {
        return explain::run(args);
    }
    Err(Complaint::new("cannot do that yet"))
}

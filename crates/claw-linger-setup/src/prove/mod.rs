//! The proof that services outlive what they have to outlive.

mod log_out;
mod reboot;
pub(crate) mod unit;

use std::io::{self, IsTerminal};

use claw_record::{Complaint, Outcome, Output, Source, Status, complain};
use nix::unistd::geteuid;
use serde_json::{Map, Value};

use crate::args::Args;
use crate::ground::Ground;
use crate::memory::Store;
use crate::plan::World;
use crate::tool;

/// What came of a proof.
#[derive(Debug)]
struct Verdict {
    status: Status,
    message: String,
    remedy: Option<String>,
    data: Map<String, Value>,
}

impl Verdict {
    fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), remedy: None, data: Map::new() }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn note(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}

/// Proves it, and says how it turned out.
pub(crate) fn run(
    args: &Args,
    world: &World,
    store: &Store,
    source: &Source,
    output: &mut Output,
) -> Result<Outcome, Complaint> {
    if world.ground == Ground::Installed {
        return Err(Complaint::new("cannot prove anything: systemd does not run here"));
    }
    let verdict = if args.after_reboot {
        reboot::prove(world, store, args.timeout)?
    } else if geteuid().is_root() {
        log_out::prove(world, args.timeout)
    } else {
        let name = &world.owner.name;
        let message = "a log-out cannot be tried from within: the session that this runs in keeps \
                       everything alive";
        Verdict::new(Status::Unknown, message)
            .remedy(format!("sudo {} --prove --user {name}", tool::for_root()))
    };
    let subject = format!("proof:{}", world.owner.name);
    let mut record = source.record("proof", &subject, verdict.status, &verdict.message);
    record.remedy = verdict.remedy;
    record.data = verdict.data;
    output.restyle(|style| style.for_subjects([&*subject].into_iter()));
    output.record(&record)?;
    Ok(if record.status == Status::Pass { Outcome::Well } else { Outcome::NotWell })
}

/// Says at a terminal what takes so long.
fn progress(words: &str) {
    if io::stderr().is_terminal() {
        complain("claw-linger-setup", words);
    }
}

//! Restart what a record says is down, within limits, and say when that is given up.

mod act;
mod args;
mod as_owner;
mod budget;
mod cause;
mod chart;
mod claw_health;
mod decide;
mod facts;
mod healer;
mod input;
mod journalctl;
mod moment;
mod patient;
mod restart_log;
mod run;
mod said;
mod state;
mod systemctl;
mod tell;
mod verbs;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(end) = as_owner::AS_OWNER.serve() {
        return end;
    }
    match args::parse() {
        Ok(args) => claw_record::report("claw-heal", run::run(&args)),
        Err(end) => end,
    }
}

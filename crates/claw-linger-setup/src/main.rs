//! Make user services survive log-out and reboot, and prove it.

mod args;
mod explain;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse() {
        Ok(args) => claw_record::report("claw-linger-setup", run::run(&args)),
        Err(end) => end,
    }
}

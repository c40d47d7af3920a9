//! Make user services survive log-out and reboot, and prove it.

mod act;
mod args;
mod at_home;
mod beside;
mod bus;
mod environment;
mod explain;
mod ground;
mod linger;
mod loginctl;
mod made;
mod manager;
mod memory;
mod mounts;
mod plan;
mod prove;
mod run;
mod runtime_dir;
mod systemctl;
mod systemd_run;
mod tool;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(end) = at_home::serve() {
        return end;
    }
    match args::parse() {
        Ok(args) => claw_record::report("claw-linger-setup", run::run(&args)),
        Err(end) => end,
    }
}

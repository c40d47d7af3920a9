//! Look at this box and write one record a check.

mod agent;
mod apt_conf;
mod args;
mod checks;
mod crash;
mod files;
mod finding;
mod formats;
mod gateway;
mod git;
mod host;
mod interval;
mod journalctl;
mod kernel_clock;
mod look;
mod network;
mod performance;
mod plan;
mod processes;
mod remedy;
mod run;
mod settings;
mod systemd;
mod target;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(end) = claw_box::session::serve() {
        return end;
    }
    if agent::args::is_asked(std::env::args_os().skip(1)) {
        return match agent::args::parse() {
            Ok(asked) => claw_record::report("claw-health", agent::run::run(&asked)),
            Err(end) => end,
        };
    }
    match args::parse() {
        Ok(args) => claw_record::report("claw-health", run::run(&args)),
        Err(end) => end,
    }
}

//! Look at this box and write one record a check.

mod address;
mod apt_conf;
mod args;
mod beneath;
mod checks;
mod child;
mod dbus;
mod finding;
mod formats;
mod gateway;
mod git;
mod host;
mod kernel_clock;
mod look;
mod owner;
mod performance;
mod probe;
mod processes;
mod replace;
mod run;
mod settings;
mod socket;
mod sockets;
mod systemd;
mod target;
mod tls;
mod url;

use std::process::ExitCode;

fn main() -> ExitCode {
    claw_record::report("claw-health", run::run(&args::parse()))
}

//! What can be asked of claw-linger-setup.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgGroup, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use clap_complete::Shell;
use claw_box::{Owner, Users};
use claw_record::seconds;

use nix::unistd::{Uid, geteuid};

/// Make user services survive log-out and reboot, and prove it.
///
/// Without a mode it only looks, as with `--check`: a step that would change something is a warning.
#[derive(Debug, Parser)]
#[command(name = "claw-linger-setup", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(group = ArgGroup::new("mode").multiple(false))]
pub(crate) struct Args {
    /// Say what is so already and what would change; the default
    #[arg(long, group = "mode")]
    pub(crate) check: bool,

    /// Do what is left to do
    #[arg(long, group = "mode")]
    pub(crate) apply: bool,

    /// Print the plan, with the very commands and files, and change nothing
    #[arg(long, group = "mode")]
    pub(crate) dry_run: bool,

    /// Take back what --apply did
    #[arg(long, group = "mode")]
    pub(crate) remove: bool,

    /// Prove it: start a service in a session, end the session, and see the service live on
    #[arg(long, group = "mode")]
    pub(crate) prove: bool,

    /// Say what is broken, why, and what to type
    #[arg(long, group = "mode")]
    pub(crate) explain: bool,

    /// Prove it across a reboot: ask once before it and once after it
    // A requirement that conflicts with what is there would be dropped.
    #[arg(long, requires = "prove", conflicts_with_all = ["check", "apply", "dry_run", "remove", "explain"])]
    pub(crate) after_reboot: bool,

    /// Whose services; by default yours, or for root those of the user who has a gateway
    #[arg(long, env = "CLAW_USER", hide_env_values = true, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// How long to wait for one step
    #[arg(long, env = "CLAW_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// How to write; by default for people at a terminal and as JSON lines elsewhere
    #[arg(long, env = "CLAW_FORMAT", hide_env_values = true, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Where it is remembered what was changed; by default $STATE_DIRECTORY, then
    /// /var/lib/claw or ~/.local/state/claw
    #[arg(long, env = "CLAW_STATE", hide_env_values = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Print the completions for a shell
    #[arg(long, value_name = "SHELL")]
    pub(crate) completions: Option<Shell>,
}

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One record a line
    Json,
}

impl From<Format> for claw_record::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Human => Self::Human,
            Format::Json => Self::Json,
        }
    }
}

const AFTER_HELP: &str = "\
Exit status: 0 all is so, or was done; 1 something would change, or a proof does not hold; 2 the
work could not be done.

Settings also come from the environment and from a file of KEY=value lines: /etc/claw/claw.env,
and ~/.config/claw/claw.env before it for everybody but root.

More in claw-linger-setup(1), claw-record(5) and claw(7).";

/// Reads the command line, the environment and the settings file; an error is the process's end.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    let mut matches = claw_record::parse(command())?;
    // It has no default of its own, so that one comes from a settings file.
    let is_set = matches.value_source("user") == Some(ValueSource::DefaultValue);
    // What clap took it can also give: the types are those that it was told.
    let mut args = Args::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit());
    if is_set {
        args.user = args.user.filter(|name| is_for_me(name));
    }
    Ok(args)
}

/// Does a name that stands in a settings file of the box count for who asks? Root does the work of
/// others; for everybody else only their own does.
fn is_for_me(name: &str) -> bool {
    counts(geteuid(), Users::here().named(name).as_ref())
}

fn counts(me: Uid, named: Option<&Owner>) -> bool {
    me.is_root() || named.is_some_and(|owner| owner.uid == me.as_raw())
}

/// The whole command line.
pub(crate) fn command() -> Command {
    Args::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    /// A setting that only a flag can make is lost on everybody who uses the file. What is to be
    /// done is no setting.
    #[test]
    fn every_setting_has_its_variable() {
        for arg in command().get_opts().filter(|arg| arg.get_action().takes_values()) {
            let name = arg.get_long().unwrap_or_default();
            if name == "completions" {
                continue;
            }
            let variable = format!("CLAW_{}", name.to_uppercase().replace('-', "_"));
            let env = arg.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(variable.as_str()), "--{name}");
        }
    }

    /// [`parse`] takes a default for the settings file's.
    #[test]
    fn whose_services_has_no_default_of_its_own() {
        let user = command().get_opts().find(|arg| arg.get_long() == Some("user")).cloned();
        assert!(user.unwrap().get_default_values().is_empty());
    }

    #[test]
    fn what_is_set_for_the_box_counts_for_root_and_for_that_user_alone() {
        let dev = Owner::parse("dev:x:1000:1000::/home/dev:/bin/bash");
        for (me, expected) in [(0, true), (1000, true), (1001, false)] {
            assert_eq!(counts(Uid::from_raw(me), dev.as_ref()), expected, "{me}");
        }
        assert!(counts(Uid::from_raw(0), None), "root is told that there is no such user");
        assert!(!counts(Uid::from_raw(1001), None));
    }

    #[test]
    fn the_modes_exclude_each_other() {
        let modes = ["--check", "--apply", "--dry-run", "--remove", "--prove", "--explain"];
        let read = |words: &[&str]| {
            Args::try_parse_from(["claw-linger-setup"].iter().chain(words)).is_ok()
        };
        for (at, one) in modes.iter().enumerate() {
            assert!(read(&[one]), "{one}");
            for other in &modes[at + 1..] {
                assert!(!read(&[one, other]), "{one} {other}");
            }
        }
        assert!(read(&["--prove", "--after-reboot"]));
        assert!(!read(&["--after-reboot"]) && !read(&["--apply", "--after-reboot"]));
    }
}

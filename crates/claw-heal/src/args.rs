//! What can be asked of claw-heal.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use claw_record::seconds;

use crate::budget::Limit;
use crate::decide::SHORTEST_GRACE;
use crate::patient::Unit;

/// Restart what a record says is down, within limits.
///
/// A filter: it passes on every line that it reads, and adds what it did. Of units it touches the
/// gateway's, those of agents that claw-health runs, and those that --unit names, after it has asked
/// systemd itself.
#[derive(Debug, Parser)]
#[command(name = "claw-heal", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true, args_conflicts_with_subcommands = false)]
pub(crate) struct Args {
    /// What to do instead of reading records
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,

    /// A unit that may be restarted, beside the gateway's and the agents': user/NAME or system/NAME
    #[arg(long, env = "CLAW_HEAL_UNITS", hide_env_values = true, value_name = "UNIT", value_delimiter = ',', value_parser = unit)]
    pub(crate) unit: Vec<Unit>,

    /// How often a unit may be restarted, systemd's own restarts included
    #[arg(
        long,
        env = "CLAW_HEAL_LIMIT",
        hide_env_values = true,
        value_name = "COUNT/TIME",
        default_value = "5/5m"
    )]
    pub(crate) limit: Limit,

    /// How long after it gave up it tries again by itself
    #[arg(long, env = "CLAW_HEAL_COOL_DOWN", hide_env_values = true, value_name = "TIME", default_value = "1h", value_parser = claw_record::span)]
    pub(crate) cool_down: Duration,

    /// How long a start of the gateway may take; longer where longer ones were measured
    #[arg(long, env = "CLAW_HEAL_GRACE", hide_env_values = true, value_name = "TIME", default_value = "330s", value_parser = grace)]
    pub(crate) grace: Duration,

    /// How many looks in a row have to say that the gateway, or an agent, hangs
    #[arg(long, env = "CLAW_HEAL_CONFIRM", hide_env_values = true, value_name = "LOOKS", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) confirm: u32,

    /// Print the ladder and what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Whose gateway it is; by default yours, or for root that of the user who has one
    #[arg(long, global = true, env = "CLAW_USER", hide_env_values = true, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Where the gateway answers; by default the port of its configuration, on 127.0.0.1
    #[arg(long, env = "CLAW_GATEWAY_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) gateway_url: Option<String>,

    /// The gateway's unit
    #[arg(
        long,
        global = true,
        env = "CLAW_GATEWAY_UNIT",
        hide_env_values = true,
        value_name = "UNIT",
        default_value = "openclaw-gateway.service"
    )]
    pub(crate) gateway_unit: String,

    /// The monitor's unit, which is never restarted
    #[arg(
        long,
        global = true,
        env = "CLAW_MONITOR_UNIT",
        hide_env_values = true,
        value_name = "UNIT",
        default_value = "openclaw-agent-monitor.service"
    )]
    pub(crate) monitor_unit: String,

    /// How long one question or command may take
    #[arg(long, global = true, env = "CLAW_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// How to write; by default for people at a terminal and as JSON lines elsewhere
    #[arg(long, global = true, env = "CLAW_FORMAT", hide_env_values = true, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Where the budgets are remembered; by default $STATE_DIRECTORY, then /var/lib/claw or
    /// ~/.local/state/claw
    #[arg(long, global = true, env = "CLAW_STATE", hide_env_values = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Print the completions for a shell
    #[arg(long, value_name = "SHELL")]
    pub(crate) completions: Option<Shell>,
}

/// What to do instead of reading records.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say how much of each budget is used, and what was given up
    Status,
    /// Begin anew with units that were given up
    Reset {
        /// user/NAME or system/NAME
        #[arg(required = true, value_name = "UNIT", value_parser = unit)]
        units: Vec<Unit>,
    },
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
Exit status: 0 all went well; 1 it gave up, or with --dry-run would do something; 2 the work could
not be done.

Settings also come from the environment and from a file of KEY=value lines: /etc/claw/claw.env,
and ~/.config/claw/claw.env before it for everybody but root.

More in claw-heal(1), claw-record(5) and claw(7).";

/// Reads the command line, the environment and the settings file; an error is the process's end.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    let mut matches = claw_record::parse(command())?;
    // What clap took it can also give: the types are those that it was told.
    Ok(Args::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit()))
}

/// The whole command line.
pub(crate) fn command() -> Command {
    Args::command()
}

fn unit(text: &str) -> Result<Unit, String> {
    text.parse()
}

fn grace(text: &str) -> Result<Duration, String> {
    let grace = claw_record::span(text)?;
    if grace < SHORTEST_GRACE {
        return Err(format!("it must be {}s or more", SHORTEST_GRACE.as_secs()));
    }
    Ok(grace)
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
            let word = name.to_uppercase().replace('-', "_");
            let env = arg.get_env().and_then(|env| env.to_str()).unwrap_or_default();
            let variables = [format!("CLAW_{word}"), format!("CLAW_HEAL_{word}")];
            let is_it = variables.iter().any(|name| name == env) || env == "CLAW_HEAL_UNITS";
            assert!(is_it, "--{name}: {env}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (words, why) in [
            (&["--unit", "agent"][..], "not user/NAME or system/NAME"),
            (&["--unit", "system/reboot.target"], "only services are restarted"),
            (&["--grace", "89s"], "it must be 90s or more"),
            (&["--limit", "5"], "not a limit, such as 5/5m"),
            (&["reset"], "<UNIT>"),
        ] {
            let words = ["claw-heal"].iter().chain(words);
            let said = Args::try_parse_from(words).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
        let args = Args::try_parse_from(["claw-heal", "reset", "user/a", "--state", "/x"]).unwrap();
        assert!(matches!(args.verb, Some(Verb::Reset { .. })) && args.state.is_some());
    }
}

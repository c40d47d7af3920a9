//! What can be asked of claw-health.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use clap_complete::Shell;

use crate::checks;
use crate::host::Place;
use crate::settings::{Setting, Settings};

/// Look at this box and write one record a check.
///
/// Without a target, looks at everything there is to look at here. A target is the name of a check,
/// alone or with what to look at behind a colon, or a URL; `--list` shows them. The subject of a
/// record is a target too.
#[derive(Debug, Parser)]
#[command(name = "claw-health", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Args {
    /// What to look at: disk, disk:/var, unit:user/NAME.service, tcp:HOST:PORT, http://…
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// Only these checks, by name
    #[arg(
        long,
        env = "CLAW_ONLY",
        hide_env_values = true,
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub(crate) only: Vec<String>,

    /// All but these checks, by name
    #[arg(
        long,
        env = "CLAW_SKIP",
        hide_env_values = true,
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub(crate) skip: Vec<String>,

    /// Write only what does not pass
    #[arg(long, env = "CLAW_FAILING", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(crate) failing: bool,

    /// List the checks, their operands and their limits
    #[arg(long)]
    pub(crate) list: bool,

    /// Say whose gateway it is, as NAME UID GID HOME
    #[arg(long)]
    pub(crate) whose: bool,

    /// How long one check may take before it is cut off
    #[arg(long, env = "CLAW_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// How to write; by default for people at a terminal and as JSON lines elsewhere
    #[arg(long, env = "CLAW_FORMAT", hide_env_values = true, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Write to a file instead, beside it first and then renamed
    #[arg(long, env = "CLAW_OUTPUT", hide_env_values = true, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The box to look at.
    #[command(flatten)]
    pub(crate) place: Place,

    /// Print the completions for a shell
    #[arg(long, value_name = "SHELL")]
    pub(crate) completions: Option<Shell>,

    /// The limits and other settings of the checks.
    #[arg(skip)]
    pub(crate) settings: Arc<Settings>,
}

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One record a line
    Json,
    /// One line and performance data, with the exit status of a Nagios plug-in
    Nagios,
    /// OpenMetrics text
    Openmetrics,
    /// The classic Prometheus text, for node_exporter's text-file directory
    Textfile,
}

const AFTER_HELP: &str = "\
Exit status: 0 everything passes; 1 something does not; 2 the work could not be done.
With --format nagios: 0, 1, 2 and 3, as a plug-in.

Settings also come from the environment and from a file of KEY=value lines: /etc/claw/claw.env,
and ~/.config/claw/claw.env before it for everybody but root.

More in claw-health(1), claw-record(5) and claw(7).";

/// Reads the command line, the environment and the settings file; an error is the process's end.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    let mut matches = claw_record::parse(command())?;
    let settings = Arc::new(Settings::from_matches(&matches, all_settings()));
    // What clap took it can also give: the types are those that it was told.
    let args = Args::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit());
    Ok(Args { settings, ..args })
}

/// The whole command line: the arguments above, and one flag for each setting of a check.
pub(crate) fn command() -> Command {
    Args::command()
        .next_help_heading("Limits and settings of the checks")
        .args(all_settings().map(Setting::to_arg))
}

fn all_settings() -> impl Iterator<Item = &'static Setting> {
    checks::ALL.iter().flat_map(|check| check.settings)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout.min(Duration::from_secs(86_400))),
        _ => Err("it must be more than 0 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_holds_together() {
        super::command().debug_assert();
    }

    /// A setting that only a flag can make is lost on everybody who uses the file.
    #[test]
    fn every_option_has_its_variable() {
        for arg in super::command().get_opts() {
            let name = arg.get_long().unwrap_or_default();
            if ["completions", "help", "list", "version", "whose"].contains(&name) {
                continue;
            }
            let variable = format!("CLAW_{}", name.to_uppercase().replace('-', "_"));
            let env = arg.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(variable.as_str()), "--{name}");
        }
    }
}

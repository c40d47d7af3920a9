//! What can be asked of claw-health.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::parser::ValueSource;
use clap::{Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use clap_complete::Shell;
use claw_record::{Complaint, seconds};

use crate::checks;
use crate::host::Place;
use crate::interval;
use crate::settings::{Setting, Settings};
use crate::target;
use crate::watch::Confirm;

/// Look at this box and write one record a check.
///
/// Without a target, looks at everything there is to look at here. A target is the name of a check,
/// alone or with what to look at behind a colon, or a URL; `--list` shows them. The subject of a
/// record is a target too.
#[derive(Clone, Debug, Parser)]
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

    /// Look again and again, this often (30s, 5m, 1h), and write what changes
    #[arg(long, value_name = "INTERVAL", value_parser = interval::parse, conflicts_with_all = ["list", "completions"])]
    pub(crate) watch: Option<Duration>,

    /// How often a watch looks at some checks, such as updates=1h
    #[arg(
        long,
        env = "CLAW_INTERVAL",
        hide_env_values = true,
        value_name = "CHECK=INTERVAL",
        value_delimiter = ',',
        value_parser = own_interval
    )]
    pub(crate) interval: Vec<(&'static str, Duration)>,

    /// How many looks have to say it before a watch tells a change: 2, or 2/3 for two of the last three
    #[arg(
        long,
        env = "CLAW_CONFIRM",
        hide_env_values = true,
        value_name = "LOOKS",
        default_value = "2/3"
    )]
    pub(crate) confirm: Confirm,

    /// How often a watch says that it lives; 0 for never
    #[arg(long, env = "CLAW_HEARTBEAT", hide_env_values = true, value_name = "INTERVAL", default_value = "1h", value_parser = heartbeat)]
    pub(crate) heartbeat: Heartbeat,

    /// Write everything that a watch finds, not only what changes
    #[arg(long, env = "CLAW_EVERY", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(crate) every: bool,

    /// List the checks, their operands and their limits
    #[arg(long)]
    pub(crate) list: bool,

    /// Say whose gateway it is, as NAME UID GID HOME
    #[arg(long, conflicts_with_all = ["list", "completions", "watch", "targets"])]
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

/// How often a watch says that it lives, if at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat(pub(crate) Option<Duration>);

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
    let said: Vec<_> = ["interval", "confirm", "heartbeat", "every"]
        .into_iter()
        .filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine))
        .collect();
    // What clap took it can also give: the types are those that it was told.
    let args = Args::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit());
    match misuse(&args, &said) {
        Some(words) => Err(claw_record::report("claw-health", Err(Complaint::new(words)))),
        None => Ok(Args { settings, ..args }),
    }
}

/// What cannot be asked at once, of which these were said on the command line: in the environment they
/// are settings, which wait for the day when they are of use.
fn misuse(args: &Args, said: &[&str]) -> Option<String> {
    if args.watch.is_none() {
        return said.first().map(|name| format!("--{name} is about --watch, which is not there"));
    }
    let is_file = args.output.as_ref().is_some_and(|path| path.as_os_str() != "-");
    match (args.format, is_file) {
        (Some(Format::Nagios), _) => {
            Some("--watch does not go with --format nagios: a plug-in looks once".to_owned())
        }
        (Some(Format::Openmetrics | Format::Textfile), false) => {
            Some("--watch writes metrics into a file: say which with --output".to_owned())
        }
        (Some(Format::Openmetrics | Format::Textfile), true) => said
            .iter()
            .find(|name| **name != "interval")
            .map(|name| format!("--{name} is about records, and --watch writes metrics here")),
        (_, true) => {
            Some("--watch replaces a file with metrics alone: --format textfile".to_owned())
        }
        (_, false) => None,
    }
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

/// `updates=1h`
fn own_interval(text: &str) -> Result<(&'static str, Duration), String> {
    let (name, every) = text.split_once('=').ok_or("not CHECK=INTERVAL")?;
    let check = target::named(name).map_err(|why| why.to_string())?;
    Ok((check.name, interval::parse(every)?))
}

fn heartbeat(text: &str) -> Result<Heartbeat, String> {
    interval::parse_or_never(text).map(Heartbeat)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_holds_together() {
        super::command().debug_assert();
    }

    /// A setting that only a flag can make is lost on everybody who uses the file. What is to be done
    /// is no setting: in the file, `watch` would let nobody look just once.
    #[test]
    fn every_option_has_its_variable() {
        for arg in super::command().get_opts() {
            let name = arg.get_long().unwrap_or_default();
            if ["completions", "help", "list", "version", "watch", "whose"].contains(&name) {
                continue;
            }
            let variable = format!("CLAW_{}", name.to_uppercase().replace('-', "_"));
            let env = arg.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(variable.as_str()), "--{name}");
        }
    }
}

//! What can be asked of `claw-health agent NAME`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Args as _, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};
use claw_record::Status;
use nix::unistd::geteuid;

use super::check_name;
use crate::interval;
use crate::network::url::Url;

/// Run any program as an agent: a transient unit that systemd restarts and a monitor watches.
#[derive(Clone, Debug, Parser)]
#[command(name = "claw-health", version, max_term_width = 100, after_help = AFTER_HELP)]
#[command(override_usage = "claw-health agent NAME [OPTIONS] -- COMMAND [ARGUMENT]...\n       \
    claw-health agent NAME --stop\n       \
    claw-health agent NAME --report STATUS --words TEXT")]
pub(crate) struct Args {
    /// The word itself.
    #[arg(value_parser = PossibleValuesParser::new(["agent"]), hide = true)]
    word: String,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// What is asked, after the word.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Asked {
    /// The agent: letters, digits, '-', '_' and '.'
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) name: String,

    /// What it runs, after --
    #[arg(value_name = "COMMAND", last = true, required_unless_present_any = ["stop", "report"])]
    pub(crate) command: Vec<String>,

    /// End it, so that it stays ended
    #[arg(long, conflicts_with = "command")]
    pub(crate) stop: bool,

    /// Write the record of a check that was made elsewhere: pass, warn, fail or unknown
    #[arg(long, value_name = "STATUS", requires = "words", conflicts_with_all = ["command", "stop"], value_parser = status)]
    pub(crate) report: Option<Status>,

    /// What --report says of it
    #[arg(long, value_name = "TEXT", requires = "report")]
    pub(crate) words: Option<String>,

    /// Start it at each boot from now on, until --stop
    #[arg(long, conflicts_with = "stop")]
    pub(crate) persist: bool,

    /// A line of shell that says whether it is well, run as its user
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["http", "stop"])]
    pub(crate) check: Option<String>,

    /// A URL that answers with status 200 to 399 as long as it is well
    #[arg(long, value_name = "URL", value_parser = url, conflicts_with = "stop")]
    pub(crate) http: Option<String>,

    /// How often it is asked while it is well, where that is not at every look of the monitor
    #[arg(long, env = "CLAW_AGENT_EVERY", hide_env_values = true, value_name = "INTERVAL", value_parser = interval::parse)]
    pub(crate) every: Option<Duration>,

    /// A variable that it gets: NAME for that of the caller, or NAME=VALUE
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable, conflicts_with = "stop")]
    pub(crate) env: Vec<(String, Option<String>)>,

    /// A file of NAME=VALUE lines that systemd reads at each start; the place for secrets
    #[arg(long, value_name = "FILE", conflicts_with = "stop")]
    pub(crate) env_file: Option<PathBuf>,

    /// Its working directory; by default that of the caller
    #[arg(long, value_name = "DIR", conflicts_with = "stop")]
    pub(crate) dir: Option<PathBuf>,

    /// The memory that it may have, as in MemoryMax=
    #[arg(
        long,
        env = "CLAW_AGENT_MEMORY_MAX",
        hide_env_values = true,
        value_name = "SIZE",
        default_value = "2G",
        value_parser = size
    )]
    pub(crate) memory_max: String,

    /// The processor time that it may have, in percent of one processor, or infinity
    #[arg(
        long,
        env = "CLAW_AGENT_CPU_QUOTA",
        hide_env_values = true,
        value_name = "PERCENT",
        default_value = "80%",
        value_parser = percent
    )]
    pub(crate) cpu_quota: String,

    /// When systemd restarts it: always, on-failure or no
    #[arg(
        long,
        env = "CLAW_AGENT_RESTART",
        hide_env_values = true,
        value_name = "WHEN",
        default_value = "always"
    )]
    pub(crate) restart: Restart,

    /// How long after its end it is restarted
    #[arg(long, env = "CLAW_AGENT_RESTART_DELAY", hide_env_values = true, value_name = "TIME", default_value = "10s", value_parser = interval::parse)]
    pub(crate) restart_delay: Duration,

    /// How often it may start within a time, before systemd gives up
    #[arg(
        long,
        env = "CLAW_AGENT_START_LIMIT",
        hide_env_values = true,
        value_name = "COUNT/TIME",
        default_value = "5/5m",
        value_parser = limit
    )]
    pub(crate) start_limit: (u32, Duration),

    /// Whose agent it is; by default yours, or for root that of the user who has a gateway
    #[arg(long, env = "CLAW_USER", hide_env_values = true, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// The monitor's unit in the system manager
    #[arg(
        long,
        env = "CLAW_MONITOR_UNIT",
        hide_env_values = true,
        value_name = "UNIT",
        default_value = "openclaw-agent-monitor.service"
    )]
    pub(crate) monitor_unit: String,

    /// How to write; by default for people at a terminal and as JSON lines elsewhere
    #[arg(long, env = "CLAW_FORMAT", hide_env_values = true, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
}

/// When systemd restarts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restart {
    /// However it ended
    Always,
    /// Where it failed
    OnFailure,
    /// Never
    No,
}

impl Restart {
    /// As the unit has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OnFailure => "on-failure",
            Self::No => "no",
        }
    }
}

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One record a line
    Json,
}

const AFTER_HELP: &str = "\
'claw-health agent' lists the agents, 'claw-health agent NAME' looks at one.

Exit status: 0 it is as asked; 1 it runs already as something else, or something is not well with it;
2 the work could not be done.

More in claw-health(1), AGENTS.";

/// Is an agent to be run or ended, and not merely looked at?
pub(crate) fn is_asked(mut words: impl Iterator<Item = OsString>) -> bool {
    if words.next().is_none_or(|word| word != "agent") {
        return false;
    }
    let (ours, look) = (command(), crate::args::command());
    let has = |command: &Command, flag: &str| {
        command.get_opts().any(|option| option.get_long() == Some(flag))
    };
    let is_ours = |word: &str| {
        let flag = word.strip_prefix("--").map(|word| word.split('=').next().unwrap_or(word));
        flag.is_some_and(|flag| has(&ours, flag) && !has(&look, flag))
    };
    let mut words = words.filter_map(|word| word.into_string().ok());
    words.any(|word| matches!(word.as_str(), "--" | "--help" | "-h") || is_ours(&word))
}

/// Reads the command line, the environment and the settings file; an error is the process's end.
pub(crate) fn parse() -> Result<Asked, ExitCode> {
    let mut matches = claw_record::parse(command())?;
    // What clap took it can also give: the types are those that it was told.
    // A setting of the box says whose its gateway is; an agent is whose who starts it, but for root.
    let is_setting = matches.value_source("user") == Some(ValueSource::EnvVariable);
    let args = Args::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit());
    let mut asked = args.asked;
    if is_setting && !geteuid().is_root() {
        asked.user = None;
    }
    Ok(asked)
}

/// The whole command line, with the word before it.
pub(crate) fn command() -> Command {
    Args::command()
}

/// The command line after the word, for the completions.
pub(crate) fn subcommand() -> Command {
    Asked::augment_args(Command::new("agent").about("Run any program as an agent"))
}

fn name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned())
}

fn status(text: &str) -> Result<Status, String> {
    let all = [Status::Pass, Status::Warn, Status::Fail, Status::Unknown];
    let found = all.into_iter().find(|status| status.to_string() == text);
    found.ok_or_else(|| "not pass, warn, fail or unknown".to_owned())
}

fn url(text: &str) -> Result<String, String> {
    Url::parse(text).map(|_| text.to_owned())
}

fn variable(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = !name.is_empty() && name.chars().all(fits);
    match is_name && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true if name == super::VARIABLE => Err(format!("{name} holds what the agent is")),
        true => Ok((name.to_owned(), value)),
        false => Err("not the name of a variable".to_owned()),
    }
}

fn size(text: &str) -> Result<String, String> {
    let number = text.trim_end_matches(['K', 'M', 'G', 'T', '%']);
    let is_size = text.len() - number.len() <= 1 && number.parse::<f64>().is_ok_and(|it| it > 0.0);
    match is_size && !number.contains(['e', 'E']) || text == "infinity" {
        true => Ok(text.to_owned()),
        false => Err("not a size, such as 512M, 2G, 10% or infinity".to_owned()),
    }
}

fn percent(text: &str) -> Result<String, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
    match number.is_some_and(|number| number > 0) || text == "infinity" {
        true => Ok(text.to_owned()),
        false => Err("not a percentage, such as 80%, or infinity".to_owned()),
    }
}

fn limit(text: &str) -> Result<(u32, Duration), String> {
    let not = || "not a limit, such as 5/5m".to_owned();
    let (count, within) = text.split_once('/').ok_or_else(not)?;
    let count = count.parse().ok().filter(|count| (1..=1000).contains(count)).ok_or_else(not)?;
    Ok((count, interval::parse(within)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &[&str]) -> bool {
        is_asked(line.iter().map(OsString::from))
    }

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
        subcommand().debug_assert();
    }

    /// What is to be run is no setting.
    #[test]
    fn every_setting_has_its_variable() {
        for arg in command().get_opts() {
            let name = arg.get_long().unwrap_or_default();
            if [
                "help", "version", "stop", "report", "words", "persist", "check", "http", "env",
                "env-file", "dir",
            ]
            .contains(&name)
            {
                continue;
            }
            let word = name.to_uppercase().replace('-', "_");
            let env = arg.get_env().and_then(|env| env.to_str()).unwrap_or_default();
            assert!(
                [format!("CLAW_{word}"), format!("CLAW_AGENT_{word}")].contains(&env.to_owned())
            );
        }
    }

    #[test]
    fn m7_looking_at_an_agent_is_told_from_running_one() {
        for line in [
            &["agent", "a", "--", "x"][..],
            &["agent", "a", "--stop"],
            &["agent", "a", "--check=x"],
            &["agent", "--help"],
        ] {
            assert!(asked(line), "{line:?}");
        }
        for line in [
            &["agent"][..],
            &["agent", "a"],
            &["agent", "a", "--format", "json"],
            &["agent", "--user", "x"],
            &["disk", "--"],
            &["--failing", "agent", "--stop"],
            &[],
        ] {
            assert!(!asked(line), "{line:?}");
        }
    }

    #[test]
    fn m7_bad_values_are_named() {
        for (words, why) in [
            (&["a b", "--", "x"][..], "not ' '"),
            (&["a@b", "--stop"], "not '@'"),
            (&["a"], "<COMMAND>"),
            (&["a", "--"], "<COMMAND>"),
            (&["a", "--memory-max", "much", "--", "x"], "not a size"),
            (&["a", "--memory-max", "1G\nExecStartPre=/x", "--", "x"], "not a size"),
            (&["a", "--cpu-quota", "80", "--", "x"], "not a percentage"),
            (&["a", "--start-limit", "5", "--", "x"], "not a limit, such as 5/5m"),
            (&["a", "--http", "ftp://x", "--", "x"], "a URL begins with http:// or https://"),
            (&["a", "--env", "A B=c", "--", "x"], "not the name of a variable"),
            (&["a", "--env", "CLAW_AGENT=c", "--", "x"], "CLAW_AGENT holds what the agent is"),
            (&["a", "--check", "x", "--http", "http://x", "--", "x"], "cannot be used with"),
            (&["a", "--stop", "--", "x"], "cannot be used with"),
            (&["a", "--report", "pass"], "--words"),
            (&["a", "--report", "good", "--words", "x"], "not pass, warn, fail or unknown"),
        ] {
            let words = ["claw-health", "agent"].iter().chain(words);
            let said = Args::try_parse_from(words).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }
}

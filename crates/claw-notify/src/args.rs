//! What can be asked of claw-notify.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::channels;
use crate::means::Server;

/// Tell people what records say, and lose no alert.
///
/// A filter: what comes in is on the disk before it is passed on, and is told beside that, until a
/// service has said that it has it.
#[derive(Debug, Parser)]
#[command(name = "claw-notify", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Args {
    /// What to do instead of reading records
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,

    /// Whom to tell, scheme:address; of several the next one where those before it fail
    #[arg(long, global = true, env = "CLAW_NOTIFY_TO", hide_env_values = true, value_name = "TARGET", value_delimiter = ' ', value_parser = target)]
    pub(crate) to: Vec<String>,

    /// Whom to tell as well, whatever becomes of the others
    #[arg(long, global = true, env = "CLAW_NOTIFY_ALSO", hide_env_values = true, value_name = "TARGET", value_delimiter = ' ', value_parser = target)]
    pub(crate) also: Vec<String>,

    /// How loud a record has to be; WARNING, or INFO with --text
    #[arg(
        long,
        env = "CLAW_NOTIFY_MIN",
        hide_env_values = true,
        value_name = "SEVERITY",
        ignore_case = true
    )]
    pub(crate) min: Option<Loudness>,

    /// Take what comes as text: what comes in one go is one record
    #[arg(long)]
    pub(crate) text: bool,

    /// How loud a text is
    #[arg(long, value_name = "SEVERITY", default_value = "INFO", ignore_case = true)]
    pub(crate) severity: Loudness,

    /// What a text is about
    #[arg(long, value_name = "SUBJECT", default_value = "text")]
    pub(crate) subject: String,

    /// How long is waited for what belongs to the same incident
    #[arg(long, global = true, env = "CLAW_NOTIFY_WAIT", hide_env_values = true, value_name = "TIME", default_value = "5s", value_parser = claw_record::span)]
    pub(crate) wait: Duration,

    /// After what time it is told again that an incident lasts
    #[arg(long, global = true, env = "CLAW_NOTIFY_REMIND", hide_env_values = true, value_name = "TIME", default_value = "4h", value_parser = long)]
    pub(crate) remind: Duration,

    /// After how long a quiet a subject is settled; three failures within it are flapping
    #[arg(long, global = true, env = "CLAW_NOTIFY_SETTLE", hide_env_values = true, value_name = "TIME", default_value = "15m", value_parser = long)]
    pub(crate) settle: Duration,

    /// How long is waited for a receipt before the next target is told
    #[arg(long, global = true, env = "CLAW_NOTIFY_FAILOVER", hide_env_values = true, value_name = "TIME", default_value = "30s", value_parser = claw_record::span)]
    pub(crate) failover: Duration,

    /// How long is tried after the last record; what is left then stays in the spool
    #[arg(long, global = true, env = "CLAW_NOTIFY_PATIENCE", hide_env_values = true, value_name = "TIME", default_value = "40s", value_parser = claw_record::span)]
    pub(crate) patience: Duration,

    /// How long one thing that is sent may take
    #[arg(long, global = true, env = "CLAW_NOTIFY_TIMEOUT", hide_env_values = true, value_name = "TIME", default_value = "20s", value_parser = some)]
    pub(crate) timeout: Duration,

    /// How often it is tried whether every target works; never, where that is 0
    #[arg(long, global = true, env = "CLAW_NOTIFY_TEST_EVERY", hide_env_values = true, value_name = "TIME", default_value = "0", value_parser = long_or_never)]
    pub(crate) test_every: Duration,

    /// The folder of the spool; by default notify in the state folder
    #[arg(
        long,
        global = true,
        env = "CLAW_NOTIFY_SPOOL",
        hide_env_values = true,
        value_name = "DIR"
    )]
    pub(crate) spool: Option<PathBuf>,

    /// Where tools remember things; by default $STATE_DIRECTORY, then /var/lib/claw or
    /// ~/.local/state/claw
    #[arg(long, global = true, env = "CLAW_STATE", hide_env_values = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// The file that holds the token of the Telegram bot
    #[arg(
        long,
        global = true,
        env = "CLAW_TELEGRAM_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) telegram_token_file: Option<PathBuf>,

    /// Where the Bot API is
    #[arg(
        long,
        global = true,
        env = "CLAW_TELEGRAM_API",
        hide_env_values = true,
        value_name = "URL",
        default_value = "https://api.telegram.org",
        value_parser = web
    )]
    pub(crate) telegram_api: String,

    /// The file that holds the token for ntfy, where there is one
    #[arg(
        long,
        global = true,
        env = "CLAW_NTFY_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) ntfy_token_file: Option<PathBuf>,

    /// Where ntfy is
    #[arg(
        long,
        global = true,
        env = "CLAW_NTFY_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "https://ntfy.sh",
        value_parser = web
    )]
    pub(crate) ntfy_url: String,

    /// The file that holds the key by which webhooks are signed, where they are
    #[arg(
        long,
        global = true,
        env = "CLAW_WEBHOOK_SECRET_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) webhook_secret_file: Option<PathBuf>,

    /// The file that holds the URL of slack
    #[arg(
        long,
        global = true,
        env = "CLAW_SLACK_URL_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) slack_url_file: Option<PathBuf>,

    /// The file that holds the URL of discord
    #[arg(
        long,
        global = true,
        env = "CLAW_DISCORD_URL_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) discord_url_file: Option<PathBuf>,

    /// The file that holds the URL of wecom
    #[arg(
        long,
        global = true,
        env = "CLAW_WECOM_URL_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) wecom_url_file: Option<PathBuf>,

    /// The file that holds the URL of healthchecks
    #[arg(
        long,
        global = true,
        env = "CLAW_HEALTHCHECKS_URL_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) healthchecks_url_file: Option<PathBuf>,

    /// The mail server: smtps://USER@HOST:PORT, or smtp:// for STARTTLS
    #[arg(long, global = true, env = "CLAW_SMTP_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) smtp_url: Option<Server>,

    /// Whom a mail is from; by default claw-notify at this host
    #[arg(
        long,
        global = true,
        env = "CLAW_SMTP_FROM",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    pub(crate) smtp_from: Option<String>,

    /// The file that holds the password for the mail server
    #[arg(
        long,
        global = true,
        env = "CLAW_SMTP_PASSWORD_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) smtp_password_file: Option<PathBuf>,

    /// Whose gateway tells it, for openclaw; by default yours, or for root that of the user who has one
    #[arg(long, global = true, env = "CLAW_USER", hide_env_values = true, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// How to write; by default for people at a terminal and as JSON lines elsewhere
    #[arg(long, global = true, env = "CLAW_FORMAT", hide_env_values = true, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// List the channels
    #[arg(long)]
    pub(crate) list: bool,

    /// Print the completions for a shell
    #[arg(long, value_name = "SHELL")]
    pub(crate) completions: Option<Shell>,
}

/// What to do instead of reading records.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Tell what waits in the spool
    Flush {
        /// However long that takes
        #[arg(long)]
        until_empty: bool,
    },
    /// Say what waits in the spool
    Queue {
        #[command(subcommand)]
        act: Option<Act>,
    },
    /// Tell nothing of planned work for a while
    Silence {
        /// How long
        #[arg(long = "for", value_name = "TIME", value_parser = some)]
        time: Option<Duration>,
        /// Why
        #[arg(long, value_name = "REASON")]
        why: Option<String>,
        /// End the silence of that number now, or all that have that reason
        #[arg(long, value_name = "NUMBER|REASON", conflicts_with_all = ["time", "why", "subject"])]
        end: Option<String>,
        /// Of what alone; a * at its end stands for anything
        #[arg(value_name = "SUBJECT")]
        subject: Option<String>,
    },
    /// Say whom it tells, and how it goes with each
    Targets,
    /// Send something to every target, and show the receipts
    Test,
}

/// What to do with what waits.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Act {
    /// Try everything again at once, what nobody would take as well
    Retry,
    /// Tell nothing of a record
    Drop {
        /// Its id, such as 12.3
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Say what nobody would take
    Dead,
}

/// A severity, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum Loudness {
    /// A status report or a recovery
    Info,
    /// A failed health check or trouble with performance
    Warning,
    /// A failed operation
    Error,
    /// A process crashed, or something is down that must be up
    Critical,
}

impl From<Loudness> for claw_record::Severity {
    fn from(loudness: Loudness) -> Self {
        match loudness {
            Loudness::Info => Self::Info,
            Loudness::Warning => Self::Warning,
            Loudness::Error => Self::Error,
            Loudness::Critical => Self::Critical,
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

impl From<Format> for claw_record::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Human => Self::Human,
            Format::Json => Self::Json,
        }
    }
}

const AFTER_HELP: &str = "\
Exit status: 0 everything was told, or waits for company; 1 something is not told yet, and stays in
the spool; 2 the work could not be done.

Settings also come from the environment and from a file of KEY=value lines: /etc/claw/claw.env,
and ~/.config/claw/claw.env before it for everybody but root. A secret is never one of them: it is
in a file that a setting names, or a credential of systemd.

More in claw-notify(1), claw-record(5) and claw(7).";

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

/// A target; where it stands in a setting, any number of spaces may be between two.
fn target(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { channels::of(text).map(|_| text.to_owned()) }
}

/// An address of the web.
fn web(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        Ok(text.to_owned())
    } else {
        Err("not a URL, http:// or https://".to_owned())
    }
}

fn some(text: &str) -> Result<Duration, String> {
    match claw_record::span(text)? {
        time if time.is_zero() => Err("it must be more than 0s".to_owned()),
        time => Ok(time),
    }
}

fn long_or_never(text: &str) -> Result<Duration, String> {
    if claw_record::span(text)?.is_zero() { Ok(Duration::ZERO) } else { long(text) }
}

fn long(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_secs(1);
    match claw_record::span(text)? {
        time if time < SHORTEST => Err("it must be 1s or more".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    /// A setting that only a flag can make is lost on everybody who uses the file. What a text is
    /// about is said for one text.
    #[test]
    fn every_setting_has_its_variable() {
        for arg in command().get_opts().filter(|arg| arg.get_action().takes_values()) {
            let name = arg.get_long().unwrap_or_default();
            if ["completions", "severity", "subject"].contains(&name) {
                continue;
            }
            let word = name.to_uppercase().replace('-', "_");
            let env = arg.get_env().and_then(|env| env.to_str()).unwrap_or_default();
            let variables = [format!("CLAW_{word}"), format!("CLAW_NOTIFY_{word}")];
            assert!(variables.iter().any(|name| name == env), "--{name}: {env}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (words, why) in [
            (&["--to", "pigeon:x"][..], "there is no channel 'pigeon'"),
            (&["--to", "telegram:me"], "not telegram:CHAT"),
            (&["--min", "loud"], "invalid value 'loud'"),
            (&["--telegram-api", "127.0.0.1:8081"], "not a URL, http:// or https://"),
            (&["silence", "--for", "0s"], "it must be more than 0s"),
            (&["queue", "drop"], "<ID>"),
        ] {
            let words = ["claw-notify"].iter().chain(words);
            let said = Args::try_parse_from(words).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
        let args = Args::try_parse_from(["claw-notify", "--min", "error"]).unwrap();
        assert_eq!(args.min, Some(Loudness::Error));
    }
}

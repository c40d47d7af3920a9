//! Settings: flags first, then the environment, then one file of `KEY=value` lines.
//!
//! The file is one that a shell can source and systemd can read as `EnvironmentFile=`:
//! `/etc/claw/claw.env` for root, `~/.config/claw/claw.env` and then `/etc/claw/claw.env` for
//! everybody else. Only `CLAW_…` keys that a tool knows are used.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

use crate::exit::{Complaint, report};
use crate::human::shown;

/// Reads the command line of `command`, with the settings file behind the environment.
///
/// The outer error is the end of the process: help was written, or the usage was wrong and that was
/// said, with control characters shown. A settings file that cannot be used is wrong usage too: what
/// it would have set is not in force.
pub fn parse(command: Command) -> Result<ArgMatches, ExitCode> {
    let tool = command.get_name().to_owned();
    let end = |complaint: Complaint| report(&tool, Err(complaint));
    let settings = settings().map_err(end)?;
    let command = if settings.is_empty() { command } else { with_settings(command, &settings) };
    let variables = variables(&command);
    command.try_get_matches().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let written = error.print().and_then(|()| io::stdout().flush());
            match written {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    end(Complaint::new(format!("cannot write standard output: {error}")))
                }
                _ => ExitCode::SUCCESS,
            }
        }
        _ => {
            for line in error.to_string().lines() {
                // There is nobody left to tell when standard error cannot be written.
                let _ = writeln!(io::stderr(), "{}", shown(line));
            }
            if let Some(variable) =
                culprit(&error, &variables).filter(|it| settings.contains_key(*it))
            {
                let _ = writeln!(
                    io::stderr(),
                    "{tool}: {variable} stands in a file of settings: see claw(7)"
                );
            }
            ExitCode::from(2)
        }
    })
}

/// The long options that have a variable, each as `--name`, with it.
fn variables(command: &Command) -> Vec<(String, String)> {
    let pair = |arg: &clap::Arg| {
        let variable = arg.get_env()?.to_str()?.to_owned();
        Some((format!("--{}", arg.get_long()?), variable))
    };
    command.get_arguments().filter_map(pair).collect()
}

/// The variable of the option whose value was wrong, where that was not given on the command line.
fn culprit<'a>(error: &clap::Error, variables: &'a [(String, String)]) -> Option<&'a str> {
    let Some(ContextValue::String(invalid)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let option = invalid.split([' ', '=']).next()?;
    let typed = |arg: std::ffi::OsString| arg.to_string_lossy().starts_with(option);
    let (_, variable) = variables.iter().find(|(name, _)| name == option)?;
    (!std::env::args_os().any(typed) && std::env::var_os(variable).is_none()).then_some(variable)
}

/// How one run writes is no setting of a box: what one tool writes another does not, and scripts read
/// what they asked for.
const OF_ONE_RUN: [&str; 2] = ["CLAW_FORMAT", "CLAW_OUTPUT"];

/// Makes each setting the default of the argument that has its variable.
fn with_settings(command: Command, settings: &BTreeMap<String, String>) -> Command {
    command.mut_args(|arg| {
        let name = arg.get_env().and_then(|name| name.to_str());
        let name = name.filter(|name| !OF_ONE_RUN.contains(name));
        match name.and_then(|name| settings.get(name)) {
            Some(value) => {
                let value = value.clone();
                arg.default_value(value)
            }
            None => arg,
        }
    })
}

fn settings() -> Result<BTreeMap<String, String>, Complaint> {
    let mut settings = BTreeMap::new();
    for file in files() {
        for (key, value) in read(&file)? {
            settings.entry(key).or_insert(value);
        }
    }
    Ok(settings)
}

/// The files that count for this user, the first one first. Root heeds no file in a home, which
/// `sudo` may have left pointing at somebody else's.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    if !nix::unistd::geteuid().is_root() {
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .filter(|config| !config.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
        files.extend(config.map(|config| config.join("claw/claw.env")));
    }
    files.push("/etc/claw/claw.env".into());
    files
}

fn read(file: &Path) -> Result<Vec<(String, String)>, Complaint> {
    let name = file.display().to_string();
    let meta = match std::fs::metadata(file) {
        Ok(meta) => meta,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(Complaint::cannot("read", &name, error)),
    };
    let me = nix::unistd::geteuid().as_raw();
    if !meta.is_file() || (meta.uid() != 0 && meta.uid() != me) || meta.mode() & 0o022 != 0 {
        let reason = "it must be a file of your own or of root that nobody else can write";
        return Err(Complaint::cannot("use", &name, reason));
    }
    let text = match text(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Vec::new()),
        Err(error) => return Err(Complaint::cannot("read", &name, error)),
    };
    let mut settings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match assignment(line) {
            Ok(Some(setting)) => settings.push(setting),
            Ok(None) => {}
            Err(reason) => {
                return Err(Complaint::cannot("use", &name, format!("line {number}: {reason}")));
            }
        }
    }
    // The last assignment of a key wins, as in a shell.
    settings.reverse();
    Ok(settings)
}

fn text(file: &Path) -> io::Result<String> {
    /// More than anybody writes by hand.
    const LONGEST_BYTES: u64 = 1024 * 1024;
    let mut text = String::new();
    File::open(file)?.take(LONGEST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_BYTES {
        return Err(io::Error::other(format!("it is longer than {LONGEST_BYTES} bytes")));
    }
    Ok(text)
}

/// A `KEY=value` line in the part of the syntax that a shell and systemd read alike.
fn assignment(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (key, value) = line.split_once('=').ok_or("not KEY=value")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if key.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) || !key.chars().all(plain) {
        return Err("not KEY=value");
    }
    let quoted = |mark: char| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    let value = if let Some(inner) = quoted('\'') {
        if inner.contains('\'') {
            return Err("a quote within quotes");
        }
        inner.to_owned()
    } else {
        let inner = quoted('"');
        let text = inner.unwrap_or(value);
        if text.contains(['$', '`', '\\', '"', '\'']) {
            return Err("a shell and systemd differ on $, `, \\ and quotes: put the value in ''");
        }
        if inner.is_none() && text.contains([' ', '\t', ';', '&', '|', '<', '>', '(', ')', '#']) {
            return Err("put the value in ''");
        }
        text.to_owned()
    };
    Ok(Some((key.to_owned(), value)))
}

/// Reads a setting that is a number of seconds, of which a day is the most.
pub fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST_SECONDS: f64 = 86_400.0;
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    // What is no number at all is not more than 0 either.
    let seconds = if seconds > 0.0 { seconds.min(LONGEST_SECONDS) } else { 0.0 };
    let span = Duration::from_secs_f64(seconds);
    if span.is_zero() { Err("it must be more than 0 seconds".to_owned()) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn a_line_reads_as_a_shell_and_systemd_read_it() {
        for (line, expected) in [
            ("CLAW_A=1", Ok(Some(("CLAW_A", "1")))),
            ("  CLAW_A=a,b:/c  ", Ok(Some(("CLAW_A", "a,b:/c")))),
            ("CLAW_A='two words $x'", Ok(Some(("CLAW_A", "two words $x")))),
            ("CLAW_A=\"two words\"", Ok(Some(("CLAW_A", "two words")))),
            ("CLAW_A=", Ok(Some(("CLAW_A", "")))),
            ("# a comment", Ok(None)),
            ("", Ok(None)),
            ("CLAW_A=two words", Err("put the value in ''")),
            (
                "CLAW_A=$(rm)",
                Err("a shell and systemd differ on $, `, \\ and quotes: put the value in ''"),
            ),
            ("export CLAW_A=1", Err("not KEY=value")),
            ("CLAW_A", Err("not KEY=value")),
            ("1=2", Err("not KEY=value")),
        ] {
            let read = assignment(line);
            let read =
                read.as_ref().map(|pair| pair.as_ref().map(|(k, v)| (k.as_str(), v.as_str())));
            assert_eq!(read.map_err(|why| *why), expected, "{line}");
        }
    }

    #[test]
    fn a_setting_stands_behind_the_flag_and_before_the_default() {
        let command = Command::new("t")
            .arg(Arg::new("warn").long("warn").env("CLAW_TEST_OF_SETTINGS").default_value("80"));
        let settings = BTreeMap::from([("CLAW_TEST_OF_SETTINGS".to_owned(), "70".to_owned())]);
        let value = |arguments: &[&str]| {
            let command = with_settings(command.clone(), &settings);
            command.get_matches_from(arguments).get_one::<String>("warn").cloned().unwrap()
        };
        assert_eq!(value(&["t"]), "70");
        assert_eq!(value(&["t", "--warn", "60"]), "60");
    }

    #[test]
    fn how_one_run_writes_is_no_setting() {
        let command = Command::new("t").arg(Arg::new("format").long("format").env("CLAW_FORMAT"));
        let settings = BTreeMap::from([("CLAW_FORMAT".to_owned(), "nagios".to_owned())]);
        let command = with_settings(command, &settings);
        assert_eq!(command.get_matches_from(["t"]).get_one::<String>("format"), None);
    }

    #[test]
    fn a_wrong_value_out_of_a_file_is_traced_to_it() {
        let number = Arg::new("warn")
            .long("warn")
            .env("CLAW_TEST_OF_CULPRIT")
            .value_parser(clap::value_parser!(u8));
        let command = Command::new("t").arg(number);
        let variables = variables(&command);
        let settings = BTreeMap::from([("CLAW_TEST_OF_CULPRIT".to_owned(), "many".to_owned())]);
        let error = with_settings(command, &settings).try_get_matches_from(["t"]).unwrap_err();
        assert_eq!(culprit(&error, &variables), Some("CLAW_TEST_OF_CULPRIT"));
    }

    #[test]
    fn seconds_are_more_than_none_and_a_day_at_most() {
        for (text, expected) in [
            ("5", Ok(5.0)),
            ("0.25", Ok(0.25)),
            ("1e300", Ok(86_400.0)),
            ("inf", Ok(86_400.0)),
            ("0", Err("it must be more than 0 seconds")),
            ("-1", Err("it must be more than 0 seconds")),
            ("1e-300", Err("it must be more than 0 seconds")),
            ("NaN", Err("it must be more than 0 seconds")),
            ("soon", Err("not a number of seconds")),
        ] {
            let read = seconds(text).map(|span| span.as_secs_f64());
            assert_eq!(read, expected.map_err(str::to_owned), "{text}");
        }
    }
}

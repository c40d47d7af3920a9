//! Interface to systemd-run: a command as a transient unit of its owner's manager.
//!
//! systemd reads `$` in a command by itself. Up to version 253 it cannot be told not to, and what it keeps
//! of a transient unit it reads otherwise after a reload: there, a shell is told the words.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use claw_box::child::{self, Ended, NotEnded};
use claw_box::{Owner, Scope, session};

use crate::remedy::quoted;

/// A transient service that is to be started.
#[derive(Debug)]
pub(crate) struct Service<'a> {
    pub(crate) unit: &'a str,
    pub(crate) description: &'a str,
    pub(crate) properties: &'a [String],
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) folder: &'a str,
    /// The program, as a whole path, and its arguments.
    pub(crate) command: &'a [String],
}

/// Starts a service, and waits until its program runs.
pub(crate) fn start(
    owner: &Owner,
    scope: Scope,
    service: &Service,
    deadline: Instant,
) -> Result<(), String> {
    let is_old = is_old(owner, scope, deadline)?;
    let mut command = begin(owner, scope, service.environment)?;
    command.args(["--quiet", "--service-type=exec"]);
    command.arg(format!("--unit={}", service.unit));
    command.arg(format!("--description={}", service.description));
    command.arg(format!("--property=WorkingDirectory={}", service.folder));
    command.args(service.properties.iter().map(|property| format!("--property={property}")));
    if !is_old {
        command.arg("--expand-environment=no");
    }
    if is_old && !service.command.iter().all(|word| is_kept_by_old(word)) {
        command.arg("--property=StandardInput=data");
        command.arg(format!("--property=StandardInputData={}", base64(&script(service.command))));
        command.args(["--", "/bin/sh"]);
    } else {
        command.arg("--").args(service.command);
    }
    let ended = run(&mut command, deadline)?;
    if ended.status.success() { Ok(()) } else { Err(reason(&ended)) }
}

/// What stands before the output of a check, so that what the tools in between say is told from it.
const BEGUN: &str = "\u{1}";

/// Runs a line of shell as the owner, outside the walls of whoever asks and within its time, and gives
/// how it ended; nothing where its time was up.
pub(crate) fn check(
    owner: &Owner,
    scope: Scope,
    service: &Service,
    line: &str,
    deadline: Instant,
) -> Result<Option<Ended>, String> {
    /// What systemd needs to begin and to end it.
    const OVERHEAD: Duration = Duration::from_millis(400);
    let limit = deadline.saturating_duration_since(Instant::now()).saturating_sub(OVERHEAD);
    let mut command = begin(owner, scope, service.environment)?;
    command.args(["--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"]);
    command.arg(format!("--unit={}", service.unit));
    command.arg(format!("--description={}", service.description));
    command.arg(format!("--property=WorkingDirectory={}", service.folder));
    command.arg(format!("--property=RuntimeMaxSec={}ms", limit.as_millis().max(1)));
    // It neither outlives its time nor fills the journal.
    command.args(["--property=KillSignal=SIGKILL", "--property=LogLevelMax=emerg"]);
    command.args(service.properties.iter().map(|property| format!("--property={property}")));
    const SCRIPT: &str = "printf '\\001'; exec /bin/sh -c \"$0\"";
    command.args(["--", "/bin/sh", "-c", &literal(SCRIPT), &literal(line)]);
    let begun = Instant::now();
    let mut ended = match child::run(&mut command, deadline) {
        Ok(ended) => ended,
        Err(NotEnded::Late) => return Ok(None),
        Err(NotEnded::NotStarted(error)) => {
            return Err(format!("cannot run 'systemd-run': {error}"));
        }
    };
    if !ended.stdout.starts_with(BEGUN.as_bytes()) {
        return Err(reason(&ended));
    }
    ended.stdout.remove(0);
    let is_late = !ended.status.success() && begun.elapsed() >= limit;
    Ok(Some(ended).filter(|_| !is_late))
}

/// The command, up to what is run.
fn begin(
    owner: &Owner,
    scope: Scope,
    environment: &BTreeMap<String, String>,
) -> Result<Command, String> {
    let mut command = as_owner("systemd-run", owner, scope)?;
    for (name, value) in environment {
        if concerns_us(name) {
            command.arg(format!("--setenv={name}={value}"));
        } else {
            // Other users can read the words of a command, and not its environment.
            command.env(name, value).arg(format!("--setenv={name}"));
        }
    }
    Ok(command)
}

/// A program of systemd's that speaks to the manager with no more rights than its owner has.
pub(crate) fn as_owner(name: &str, owner: &Owner, scope: Scope) -> Result<Command, String> {
    let path = find(name, OsStr::new("/usr/bin:/bin"))
        .or_else(|| find(name, &std::env::var_os("PATH")?))
        .ok_or_else(|| format!("cannot run '{name}': no such program"))?;
    let mut command = match scope {
        Scope::User => session::of(owner, path),
        Scope::System => Command::new(path),
    };
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    if scope == Scope::User {
        command.arg("--user").env("HOME", &owner.home);
        command.env("XDG_RUNTIME_DIR", format!("/run/user/{}", owner.uid));
    }
    Ok(command)
}

/// Would this variable change what the command itself does?
fn concerns_us(name: &str) -> bool {
    let begins = ["LD_", "SYSTEMD_", "DBUS_", "XDG_", "GLIBC_", "MALLOC_"];
    ["PATH", "HOME"].contains(&name) || begins.iter().any(|begin| name.starts_with(begin))
}

/// A word that stays what it is where systemd reads `$`.
fn literal(word: &str) -> String {
    word.replace('$', "$$")
}

/// Does an old systemd leave the word as it is, also when it reads again what it wrote of it?
fn is_kept_by_old(word: &str) -> bool {
    !word.contains(['$', ';', '\'', '`'])
}

/// What a shell is told in place of a command: to be that command, without what it was told.
fn script(command: &[String]) -> String {
    let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
    format!("exec {} </dev/null\n", words.join(" "))
}

/// A text as systemd takes what is not text.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let four = |three: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(*three.get(at).unwrap_or(&0)));
        let digit = |at: usize| match at <= three.len() {
            true => char::from(DIGITS[bits >> (18 - 6 * at) & 63]),
            false => '=',
        };
        (0..4).map(digit).collect::<String>()
    };
    text.as_bytes().chunks(3).map(four).collect()
}

/// Can this systemd not be told to leave `$` as it is?
fn is_old(owner: &Owner, scope: Scope, deadline: Instant) -> Result<bool, String> {
    /// With it came `--expand-environment=no`.
    const TELLS: u32 = 254;
    let mut command = as_owner("systemd-run", owner, scope)?;
    let ended = run(command.arg("--version"), deadline)?;
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    let number = version(&text).ok_or("systemd-run does not say its version")?;
    Ok(number < TELLS)
}

/// `systemd 257 (257.13-1~deb13u1)`
fn version(text: &str) -> Option<u32> {
    let word = text.strip_prefix("systemd ")?.split_whitespace().next()?;
    word.split(['.', '~', '-']).next()?.parse().ok()
}

/// Runs one of these programs to its end.
pub(crate) fn run(command: &mut Command, deadline: Instant) -> Result<Ended, String> {
    let program = child::program(command);
    let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    child::run(command, deadline).map_err(|why| match why {
        NotEnded::NotStarted(error) => format!("cannot run '{name}': {error}"),
        NotEnded::Late => format!("'{name}' did not end in time"),
    })
}

/// What a program that failed said last.
pub(crate) fn reason(ended: &Ended) -> String {
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let line = stderr.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("it gave no reason").chars().take(300).collect()
}

/// A program of that name in these folders.
pub(crate) fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| file.exists() && is_program(file).is_ok())
}

/// Is it a program? Whether its user may run it is found out by running it.
pub(crate) fn is_program(file: &Path) -> Result<(), String> {
    let meta = match file.metadata() {
        Ok(meta) => meta,
        // What only its user can see is its user's to run.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(format!("cannot run '{}': {error}", file.display())),
    };
    if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
        return Ok(());
    }
    Err(format!("cannot run '{}': it is not a program", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, number) in [
            ("systemd 257 (257.13-1~deb13u1)\n+PAM", Some(257)),
            ("systemd 252 (252.39-1~deb12u2)", Some(252)),
            ("systemd 258.1\n", Some(258)),
            ("systemd 254~rc1 (x)", Some(254)),
            ("elogind 255", None),
            ("", None),
        ] {
            assert_eq!(version(text), number, "{text}");
        }
    }

    #[test]
    fn m7_an_old_systemd_is_given_words_in_which_nothing_means_anything() {
        assert!(is_kept_by_old("a%n \"b\" \\ \n é"));
        for odd in ["$HOME", "a;b", "it's", "`id`"] {
            assert!(!is_kept_by_old(odd), "{odd}");
        }
        let command = ["/bin/a b", "it's $HOME", ""].map(str::to_owned);
        assert_eq!(script(&command), "exec '/bin/a b' 'it'\\''s $HOME' '' </dev/null\n");
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("é>?~", "w6k+P34=")]
        {
            assert_eq!(base64(text), expected);
        }
    }

    #[test]
    fn a_variable_that_would_change_the_command_itself_is_not_given_to_it() {
        for name in ["PATH", "HOME", "LD_PRELOAD", "SYSTEMD_LOG_LEVEL", "XDG_RUNTIME_DIR"] {
            assert!(concerns_us(name), "{name}");
        }
        for name in ["TOKEN", "LANG", "NODE_OPTIONS", "PATHS"] {
            assert!(!concerns_us(name), "{name}");
        }
    }
}

//! Passwords in the arguments of commands: `mysql -pSECRET`, `curl -u user:SECRET`.

use super::{Found, Rule};
use crate::text::{Class, Text};

/// How a program is told a password.
struct Habit {
    program: &'static str,
    /// The option before it; the value follows at once or behind a blank.
    option: &'static str,
    /// It stands behind `user:` or `user%`.
    behind_user: bool,
    /// It has to follow at once.
    close: bool,
}

const fn habit(program: &'static str, option: &'static str) -> Habit {
    Habit { program, option, behind_user: false, close: false }
}

const HABITS: &[Habit] = &[
    Habit { close: true, ..habit("mysql", "-p") },
    Habit { close: true, ..habit("mariadb", "-p") },
    habit("sshpass", "-p"),
    habit("docker login", "-p"),
    habit("podman login", "-p"),
    habit("redis-cli", "-a"),
    habit("ldapsearch", "-w"),
    habit("mongo", "-p"),
    habit("useradd", "-p"),
    habit("usermod", "-p"),
    habit("ssh-keygen", "-N"),
    habit("rclone obscure", ""),
    Habit { close: true, ..habit("7z", "-p") },
    habit("unzip", "-P"),
    habit("zip", "-P"),
    Habit { behind_user: true, ..habit("curl", "-u") },
    Habit { behind_user: true, ..habit("curl", "--user") },
    Habit { behind_user: true, ..habit("curl", "--proxy-user") },
    Habit { behind_user: true, ..habit("smbclient", "-U") },
    Habit { behind_user: true, ..habit("openssl", "-pass") },
    Habit { behind_user: true, ..habit("openssl", "-passin") },
    Habit { behind_user: true, ..habit("openssl", "-passout") },
];

pub(super) const RULE: Rule = Rule {
    words: &[
        "mysql",
        "mariadb",
        "sshpass",
        "docker login",
        "podman login",
        "redis-cli",
        "ldapsearch",
        "mongo",
        "useradd",
        "usermod",
        "ssh-keygen",
        "rclone obscure",
        "7z ",
        "unzip",
        "zip",
        "curl",
        "smbclient",
        "openssl",
        "| chpasswd",
        "|chpasswd",
        "htpasswd",
    ],
    find,
};

fn find(text: Text, start: usize, end: usize) -> Option<Found> {
    if text.from(start).starts_with(b"|") {
        return before_chpasswd(text, start);
    }
    if Class::Word.has(text.before(start)) {
        return None;
    }
    const LONGEST: usize = 512;
    let line = text.from(end);
    let length = line
        .iter()
        .take(LONGEST)
        .position(|byte| *byte == b'\n')
        .unwrap_or(line.len().min(LONGEST));
    let line = Text(&text.0[..end + length]);
    if text.has_word(start, "htpasswd") {
        return last_word(line, end);
    }
    let habits = HABITS.iter().filter(|habit| text.has_word(start, habit.program));
    habits.into_iter().find_map(|habit| option(line, end, habit))
}

fn option(line: Text, from: usize, habit: &Habit) -> Option<Found> {
    let mut at = from;
    while at < line.0.len() {
        let blank = line.skip_blanks(at);
        // A pipe or a semicolon is the end of the command.
        if matches!(line.at(blank), b'|' | b';' | b'&') {
            return None;
        }
        if blank > at && line.from(blank).starts_with(habit.option.as_bytes()) {
            let behind = blank + habit.option.len();
            let start = line.skip_blanks(behind);
            let is_apart = start > behind || line.at(behind) == b'=';
            let start = start + usize::from(line.at(start) == b'=');
            if (habit.close && !is_apart)
                || (!habit.close && (is_apart || !Class::Word.has(line.at(behind))))
            {
                return word(line, start, habit.behind_user);
            }
        }
        at = blank.max(at + 1);
        while at < line.0.len() && !matches!(line.at(at), b' ' | b'\t') {
            at += 1;
        }
    }
    None
}

/// The word of a shell that begins there.
fn word(line: Text, start: usize, behind_user: bool) -> Option<Found> {
    let quote = matches!(line.at(start), b'"' | b'\'').then(|| line.at(start));
    let start = start + usize::from(quote.is_some());
    let ends = |byte: &u8| quote.map_or(!Class::Shell.has(*byte), |quote| *byte == quote);
    let end = start
        + line.from(start).iter().position(ends).unwrap_or(line.0.len().saturating_sub(start));
    let mut from = start;
    if behind_user {
        let mark = line.0[start..end].iter().position(|byte| matches!(byte, b':' | b'%'))?;
        from = start + mark + 1;
    }
    let value = line.0.get(from..end)?;
    let is_it = value.len() >= 2 && !value.starts_with(b"-") && !super::is_ordinary(value);
    is_it.then_some(Found { kind: "password", start: from, end })
}

/// `htpasswd -b FILE USER PASSWORD`.
fn last_word(line: Text, from: usize) -> Option<Found> {
    let rest = line.from(from);
    let option = rest
        .windows(2)
        .position(|pair| pair[0] == b'-' && pair[1] == b'b' || pair == b"bb" || pair == b"nb")?;
    let words = rest[option..].split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let last = words.clone().count() >= 4;
    let end = line.0.trim_ascii_end().len();
    let start = line.0[..end].iter().rposition(|byte| *byte == b' ')? + 1;
    (last && start > from).then(|| word(line, start, false)).flatten()
}

/// `echo user:password | chpasswd`.
fn before_chpasswd(text: Text, pipe: usize) -> Option<Found> {
    let line = text.0[..pipe].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let said = &text.0[line..pipe];
    let colon = line + said.iter().rposition(|byte| *byte == b':')? + 1;
    let end = colon
        + text.0[colon..pipe]
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\'' | b' '))
            .unwrap_or(pipe - colon);
    (end > colon).then_some(Found { kind: "password", start: colon, end })
}

//! An error text: its lines in English, without what a terminal would obey, and what stands in them.

use std::collections::{BTreeSet, HashSet};

use claw_box::Scope;

use super::errno;

/// An error text, a line at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    text: String,
    lower: String,
}

/// A line of a text that a cause may be behind, with the text around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) text: &'a Text,
    pub(crate) line: &'a str,
}

impl Text {
    /// Bytes of any kind as the text that they hold.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let text = plain(&String::from_utf8_lossy(bytes));
        let line = |line: &str| {
            let text = errno::english(line);
            Line { lower: text.to_lowercase(), text }
        };
        // What is said again is told once.
        let mut said = HashSet::new();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        Self { lines: lines.filter(|line| said.insert(*line)).map(line).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// The first line that one of the patterns is in.
    pub(crate) fn heard(&self, patterns: &[&str]) -> Option<Heard<'_>> {
        let is_in = |line: &&Line| patterns.iter().any(|pattern| is_in(pattern, &line.lower));
        self.lines.iter().find(is_in).map(|line| Heard { text: self, line: &line.text })
    }

    /// Is one of the patterns in it?
    pub(crate) fn says(&self, patterns: &[&str]) -> bool {
        self.heard(patterns).is_some()
    }

    /// The manager that it is of, where that can be seen in it.
    pub(crate) fn scope(&self) -> Option<Scope> {
        const USER: &[&str] = &[
            "systemctl --user",
            "journalctl --user",
            "systemd-run --user",
            "see user logs",
            "user scope bus",
            "/systemd/user/",
        ];
        const SYSTEM: &[&str] =
            &["see system logs", "\"systemctl status", "/systemd/system/", " systemd[1]: "];
        self.lines.iter().map(|line| line.lower.as_str()).find_map(|line| {
            let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
            let by_user_manager = || {
                let (_, after) = line.split_once(" systemd[")?;
                let (pid, _) = after.split_once("]: ")?;
                (pid.bytes().all(|byte| byte.is_ascii_digit()) && pid != "1").then_some(())
            };
            if has(USER) || by_user_manager().is_some() {
                Some(Scope::User)
            } else if has(SYSTEM) {
                Some(Scope::System)
            } else {
                None
            }
        })
    }

    /// The units that it names: as many as anybody reads of.
    pub(crate) fn units(&self) -> BTreeSet<&str> {
        const MOST: usize = 8;
        self.lines.iter().filter_map(|line| unit_in(&line.text)).take(MOST).collect()
    }

    /// The name of the user that it speaks of.
    pub(crate) fn user(&self) -> Option<String> {
        const BEFORE: [&str; 5] = [
            "failed to look up user ",
            "unknown user: ",
            "unknown user ",
            "runuser: user ",
            "su: user ",
        ];
        let (_, after) = BEFORE.iter().find_map(|words| self.after(words))?;
        let name = after.split([':', ' ', ',']).next().unwrap_or_default();
        is_user(name).then(|| name.to_owned())
    }

    /// The number of the user that it speaks of.
    pub(crate) fn uid(&self) -> Option<u32> {
        let (_, after) = self.after("user id ")?;
        after.split(' ').next()?.parse().ok()
    }

    fn after(&self, words: &str) -> Option<(&str, &str)> {
        self.lines.iter().find_map(|line| {
            let at = line.lower.find(words)?;
            // Letters that change their length with their case do not stand in these lines.
            line.text.get(at + words.len()..).map(|after| (line.text.as_str(), after))
        })
    }
}

impl Heard<'_> {
    /// The unit that the line names, or else the text.
    pub(crate) fn unit(&self) -> Option<String> {
        unit_in(self.line)
            .or_else(|| self.text.lines.iter().find_map(|line| unit_in(&line.text)))
            .map(str::to_owned)
    }

    /// Is one of the patterns in the line itself?
    pub(crate) fn says(&self, patterns: &[&str]) -> bool {
        let lower = self.line.to_lowercase();
        patterns.iter().any(|pattern| is_in(pattern, &lower))
    }
}

/// Do the parts of a pattern stand in a line, in their order? A `*` between them is anything.
fn is_in(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    pattern.split('*').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// The first word of a line that can be the name of a unit, and nothing else.
fn unit_in(line: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    line.split(|c: char| !is_part(c)).map(|word| word.trim_end_matches(['.', ':'])).find(|word| {
        const KINDS: [&str; 11] = [
            "service",
            "socket",
            "target",
            "timer",
            "path",
            "slice",
            "scope",
            "mount",
            "automount",
            "swap",
            "device",
        ];
        let is_kind = |(name, kind): (&str, &str)| !name.is_empty() && KINDS.contains(&kind);
        // What begins with a dash would be taken for an option.
        word.len() <= 255 && !word.starts_with('-') && word.rsplit_once('.').is_some_and(is_kind)
    })
}

/// Is all of it the name of a unit, and nothing that a shell or systemctl would take for more?
pub(crate) fn is_unit(name: &str) -> bool {
    unit_in(name) == Some(name)
}

/// Can it be the name of a user, and be typed?
pub(crate) fn is_user(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    name.len() <= 32
        && !name.starts_with(['-', '.'])
        && !name.is_empty()
        && name.chars().all(is_letter)
}

/// A text without its escape sequences and control characters; a line of its own behind each
/// carriage return.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\u{1b}', Some('[')) => {
                chars.next();
                // Up to the letter that ends it.
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) || c == '\n' {
                        break;
                    }
                }
            }
            ('\u{1b}', Some(']')) => {
                let mut last = ']';
                for c in chars.by_ref() {
                    if c == '\u{7}' || c == '\n' || (last, c) == ('\u{1b}', '\\') {
                        break;
                    }
                    last = c;
                }
            }
            ('\u{1b}', Some(_)) => {
                chars.next();
            }
            ('\n' | '\r', _) => plain.push('\n'),
            // The direction of what follows is changed by these.
            ('\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}', _) => {}
            (c, _) if c.is_control() => plain.push(' '),
            (c, _) => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        Text::new(bytes).lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_a_terminal_would_obey_is_gone_and_nothing_panics() {
        for (bytes, expected) in [
            (
                &b"\x1b[1;31mFailed\x1b[0m to\x1b]0;title\x07 start\r\nnext\n"[..],
                vec!["Failed to start", "next"],
            ),
            (b"a\0b\xff\xfec", vec!["a b\u{fffd}\u{fffd}c"]),
            (b"\x1b", vec![]),
            (b"\x1b[", vec![]),
            (b"\x1b]never ended", vec![]),
            (b"a\x1b[31\nb", vec!["a", "b"]),
            ("x\u{202e}y".as_bytes(), vec!["xy"]),
        ] {
            // An escape sequence that no letter ends takes the end of its line.
            let expected: Vec<String> = if bytes == b"a\x1b[31\nb" {
                vec!["ab".to_owned()]
            } else {
                expected.into_iter().map(str::to_owned).collect()
            };
            assert_eq!(lines(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn only_what_can_be_a_unit_is_one() {
        for (line, expected) in [
            ("Unit x.service not found.", Some("x.service")),
            ("lim.service: Start request repeated too quickly.", Some("lim.service")),
            ("Unit a@b\\x2d.service is masked.", Some("a@b\\x2d.service")),
            ("Unit file /home/dev/x/fresh.service is masked.", Some("fresh.service")),
            ("Unit --now.service not found.", None),
            ("Unit $(reboot).service not found.", None),
            ("Unit ;reboot;.service not found.", None),
            ("Unit x not found", None),
            (&format!("Unit {}.service", "a".repeat(260)), None),
        ] {
            assert_eq!(unit_in(line), expected, "{line}");
        }
    }

    #[test]
    fn the_manager_is_seen_in_the_text() {
        for (line, expected) in [
            ("Nov 22 19:07:22 t systemd[96]: lim.service: Failed", Some(Scope::User)),
            ("Nov 22 19:07:22 t systemd[1]: lim.service: Failed", Some(Scope::System)),
            (
                "Loaded: loaded (/home/dev/.config/systemd/user/lim.service; static)",
                Some(Scope::User),
            ),
            (
                "See system logs and 'systemctl status cron.service' for details.",
                Some(Scope::System),
            ),
            ("Unit x.service not found.", None),
            ("systemd[x]: nothing", None),
        ] {
            assert_eq!(Text::new(line.as_bytes()).scope(), expected, "{line}");
        }
    }

    #[test]
    fn a_user_is_read_only_where_it_can_be_one() {
        let user = |text: &str| Text::new(text.as_bytes()).user();
        assert_eq!(
            user("Failed to look up user nosuch: No such process").as_deref(),
            Some("nosuch")
        );
        assert_eq!(user("Failed to look up user $(x): No such process"), None);
        let text = Text::new(b"Failed to get user: User ID 1000 is not logged in or lingering");
        assert_eq!(text.uid(), Some(1000));
    }

    #[test]
    fn the_parts_of_a_pattern_stand_in_their_order() {
        assert!(is_in("failed to connect to *bus", "failed to connect to user scope bus"));
        assert!(!is_in("bus*failed", "failed to connect to bus"));
    }
}

//! Records as people read them: aligned, coloured, with control characters shown and not obeyed.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::record::{Record, Severity, Status};

/// How records look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// The width of the column of subjects; a longer one moves its own message only.
    pub subject_width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, subject_width: 32 }
    }
}

const STATUS_WIDTH: usize = 8;
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

impl Style {
    /// A style whose column holds every one of these subjects, within reason.
    pub fn for_subjects<'a>(self, subjects: impl Iterator<Item = &'a str>) -> Self {
        const WIDEST: usize = 48;
        let widest = subjects.map(|subject| shown(subject).width()).max().unwrap_or(0);
        Self { subject_width: widest.min(WIDEST), ..self }
    }

    /// The record as one line for people, and a second one where there is a remedy.
    pub fn lines(self, record: &Record) -> String {
        let status = record.status.to_string();
        let subject = shown(&record.subject);
        let mut text = String::new();
        self.paint(&mut text, colour(record), &status);
        let gap = STATUS_WIDTH.saturating_sub(status.width()).max(1);
        let pad = self.subject_width.saturating_sub(subject.width()) + 2;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:gap$}{subject}{:pad$}{}", "", "", shown(&record.message));
        if let Some(remedy) = &record.remedy {
            text.push_str(&" ".repeat(STATUS_WIDTH));
            self.paint(&mut text, DIM, &format!("→ {}", shown(remedy)));
            text.push('\n');
        }
        text
    }

    fn paint(self, text: &mut String, colour: &str, words: &str) {
        if self.colour {
            text.push_str(colour);
            text.push_str(words);
            text.push_str(RESET);
        } else {
            text.push_str(words);
        }
    }
}

fn colour(record: &Record) -> &'static str {
    match (record.status, record.severity) {
        (Status::Pass, _) => "\x1b[32m",
        (Status::Warn, _) => "\x1b[33m",
        (Status::Fail, Severity::Critical) => "\x1b[1;31m",
        (Status::Fail, _) => "\x1b[31m",
        (Status::Unknown, _) => "\x1b[35m",
    }
}

/// The text with every character that a terminal could obey written out as its escape.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Controls (C0, DEL, C1), line separators, and the marks that reorder or hide text.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    #[test]
    fn a_record_is_a_line_and_its_remedy_another() {
        let source = Source::on("t", "h".into());
        let mut record = source.record("check", "disk:/", Status::Warn, "81 % used");
        record.remedy = Some("prune".into());
        let plain = Style { colour: false, subject_width: 10 };
        assert_eq!(plain.lines(&record), "warn    disk:/      81 % used\n        → prune\n");
        let coloured = Style { colour: true, subject_width: 10 };
        assert_eq!(
            coloured.lines(&record),
            "\x1b[33mwarn\x1b[0m    disk:/      81 % used\n        \x1b[2m→ prune\x1b[0m\n"
        );
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        for (text, expected) in [
            ("plain, 中文, é", "plain, 中文, é"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("a\tb\nc", "a\\tb\\nc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("abc\u{202e}txt.exe", "abc\\u{202e}txt.exe"),
            ("\u{7f}\0", "\\u{7f}\\u{0}"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn columns_hold_their_width_with_wide_characters() {
        let source = Source::on("t", "h".into());
        let wide = source.record("check", "disk:/数据", Status::Pass, "x");
        let style = Style::default().for_subjects(["disk:/数据", "disk:/"].into_iter());
        assert_eq!(style.subject_width, 10);
        assert_eq!(style.lines(&wide), "pass    disk:/数据  x\n");
    }
}

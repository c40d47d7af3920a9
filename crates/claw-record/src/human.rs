//! Records as people read them: aligned, coloured, with control characters shown and not obeyed.

use std::borrow::Cow;
use std::fmt::Write;

use time::UtcOffset;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::record::{Record, Severity, Status};

/// How records look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// The width of the column of subjects; the message of a longer one stands below it.
    pub subject_width: usize,
    /// The width of the terminal, where messages are broken between words; remedies never are, as
    /// they are there to be copied.
    pub width: Option<usize>,
    /// With the time of day before it, in UTC: for records that come one by one.
    pub time: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, subject_width: 32, width: None, time: false }
    }
}

const STATUS_WIDTH: usize = 8;
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

impl Style {
    /// A style whose column holds every one of these subjects, within reason.
    pub fn for_subjects<'a>(self, subjects: impl Iterator<Item = &'a str>) -> Self {
        const WIDEST: usize = 48;
        let most = self.width.map_or(WIDEST, |width| WIDEST.min(width / 3));
        let widest = subjects.map(|subject| shown(subject).width()).max().unwrap_or(0);
        Self { subject_width: widest.min(most), ..self }
    }

    /// The record as a line for people, or as many as the terminal needs, and the remedy below it.
    pub fn lines(self, record: &Record) -> String {
        let status = record.status.to_string();
        let subject = shown(&record.subject);
        let mut text = String::new();
        let time = if self.time { time_of_day(record) } else { String::new() };
        text.push_str(&time);
        self.paint(&mut text, colour(record), &status);
        let gap = STATUS_WIDTH.saturating_sub(status.width()).max(1);
        let message = shown(&record.message);
        let before = time.width() + STATUS_WIDTH;
        let indent = before + self.subject_width + 2;
        let pad = indent.saturating_sub(before + subject.width());
        // Writing to a string does not fail.
        let _ = write!(text, "{:gap$}{subject}", "");
        let mut lines = wrapped(&message, self.width.map(|width| width.saturating_sub(indent)));
        match lines.next() {
            Some(first) if pad >= 2 || self.width.is_none() => {
                let pad = pad.max(2);
                let _ = writeln!(text, "{:pad$}{first}", "");
            }
            Some(first) => {
                let _ = writeln!(text, "\n{:indent$}{first}", "");
            }
            None => text.push('\n'),
        }
        for line in lines {
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
        if let Some(remedy) = &record.remedy {
            text.push_str(&" ".repeat(before));
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

/// `03:14:15Z `
fn time_of_day(record: &Record) -> String {
    let (hour, minute, second) = record.time.to_offset(UtcOffset::UTC).to_hms();
    format!("{hour:02}:{minute:02}:{second:02}Z ")
}

/// The text in pieces no wider than `width`, broken between words where that can be.
fn wrapped(text: &str, width: Option<usize>) -> impl Iterator<Item = &str> {
    /// A column that is narrower than this is no help.
    const NARROWEST: usize = 24;
    let width = width.map_or(usize::MAX, |width| width.max(NARROWEST));
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if rest.width() <= width {
            return Some(std::mem::take(&mut rest));
        }
        let mut room = width;
        let fits = |(_, character): &(usize, char)| {
            let needs = character.width().unwrap_or(0);
            let fits = needs <= room;
            room = room.saturating_sub(needs);
            fits
        };
        let end = rest.char_indices().take_while(fits).last();
        let end = end.map_or(rest.len(), |(at, character)| at + character.len_utf8());
        let (line, after) = match rest[..end].rfind(' ').filter(|_| !rest[end..].starts_with(' ')) {
            Some(space) if space > 0 => (&rest[..space], &rest[space + 1..]),
            _ => (&rest[..end], rest[end..].trim_start_matches(' ')),
        };
        rest = after;
        Some(line)
    })
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
        let plain = Style { subject_width: 10, ..Style::default() };
        assert_eq!(plain.lines(&record), "warn    disk:/      81 % used\n        → prune\n");
        let coloured = Style { colour: true, ..plain };
        assert_eq!(
            coloured.lines(&record),
            "\x1b[33mwarn\x1b[0m    disk:/      81 % used\n        \x1b[2m→ prune\x1b[0m\n"
        );
        record.time = time::macros::datetime!(2026-11-22 05:14:15 +02:00);
        let timed = Style { time: true, ..plain };
        assert_eq!(
            timed.lines(&record),
            "03:14:15Z warn    disk:/      81 % used\n                  → prune\n"
        );
    }

    #[test]
    fn a_message_is_broken_between_words_and_a_remedy_is_not() {
        let source = Source::on("t", "h".into());
        let message = "81.2 % of 40.0 GB in use, 7.5 GB available; limit 80 %";
        let mut record = source.record("check", "disk:/", Status::Warn, message);
        record.remedy = Some("find what grew: du -xh '/' | sort -h | tail".into());
        let narrow = Style { subject_width: 6, width: Some(40), ..Style::default() };
        assert_eq!(
            narrow.lines(&record),
            "warn    disk:/  81.2 % of 40.0 GB in\n                use, 7.5 GB available;\n                \
             limit 80 %\n        → find what grew: du -xh '/' | sort -h | tail\n"
        );
        let longer = Style { subject_width: 3, ..narrow };
        assert!(longer.lines(&record).starts_with("warn    disk:/\n             81.2 % of"));
    }

    #[test]
    fn every_piece_fits_and_nothing_is_lost() {
        for text in [
            "",
            "a",
            "数据数据 数据数据数据数据数据数据数据",
            "x ".repeat(60).trim_end(),
            &"y".repeat(100),
        ] {
            let pieces: Vec<_> = wrapped(text, Some(24)).collect();
            assert!(pieces.iter().all(|piece| piece.width() <= 24), "{text}: {pieces:?}");
            assert_eq!(pieces.concat().replace(' ', ""), text.replace(' ', ""));
        }
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

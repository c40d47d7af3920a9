//! Text as a chat takes it: nothing in it is obeyed, and no part of it is too long.

use std::borrow::Cow;

use claw_record::Record;

/// The text with what could be obeyed, or hide something, written out. Line breaks stay.
pub(crate) fn shown(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(claw_record::shown).collect();
    lines.join("\n")
}

/// How long a text is where a chat counts: in units of UTF-16.
pub(crate) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text in pieces no longer than `most` units, broken behind a line break where that leaves a
/// piece half full, and elsewhere behind a character. All of them together are the text.
pub(crate) fn pieces(text: &str, most: usize) -> Vec<&str> {
    /// A character has up to two units, and would otherwise never fit.
    const FEWEST: usize = 2;
    let most = most.max(FEWEST);
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let (mut end, mut length, mut line_end) = (0, 0, None);
        for character in rest.chars() {
            length += character.len_utf16();
            if length > most {
                break;
            }
            end += character.len_utf8();
            if character == '\n' && length >= most / 2 {
                line_end = Some(end);
            }
        }
        if end == rest.len() {
            pieces.push(rest);
            return pieces;
        }
        let (piece, after) = rest.split_at(line_end.unwrap_or(end));
        pieces.push(piece);
        rest = after;
    }
}

/// As many messages as the text needs, each numbered where there is more than one: `(2/3) …`.
pub(crate) fn parts(text: &str, most: usize) -> Vec<String> {
    /// As long as a number can be: `(1000/1000) `.
    const NUMBER: usize = 14;
    if units(text) <= most {
        return vec![text.to_owned()];
    }
    let pieces = pieces(text, most.saturating_sub(NUMBER));
    let all = pieces.len();
    (1..).zip(pieces).map(|(number, piece)| format!("({number}/{all}) {piece}")).collect()
}

/// Begins what stands at the end of a text that was cut.
pub(crate) const CUT: &str = "… (";

/// As much of what is said is told at most: a handful of parts in a chat.
pub(crate) const LONGEST: usize = 12_000;

/// The text up to that many units, and how many bytes come behind.
pub(crate) fn begin(text: &str, most: usize) -> (&str, usize) {
    if units(text) <= most {
        return (text, 0);
    }
    let kept = pieces(text, most).first().copied().unwrap_or_default();
    (kept, text.len() - kept.len())
}

/// The text, and that so many bytes come behind it.
pub(crate) fn with_more(text: &str, more: usize) -> String {
    if more == 0 { text.to_owned() } else { format!("{text}{CUT}{more} more bytes)") }
}

/// The text up to that many units, and how much was left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let (kept, more) = begin(text, most);
    with_more(kept, more)
}

/// Is it an event of which each says something by itself, in as many lines as it likes?
pub(crate) fn is_words(event: &str) -> bool {
    const WORDS: [&str; 2] = ["text", "log"];
    WORDS.contains(&event)
}

/// What a record tells in words. Only a text has lines: those of anything else could be taken for ours.
pub(crate) fn told(record: &Record) -> Cow<'_, str> {
    let words = crate::entry::words(record);
    if is_words(&record.event) { Cow::Borrowed(words) } else { claw_record::shown(words) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_broken_between_lines_where_that_can_be() {
        assert_eq!(pieces("", 10), [""]);
        assert_eq!(pieces("0123456789", 10), ["0123456789"]);
        assert_eq!(pieces("01234\n6789abc", 10), ["01234\n", "6789abc"]);
        assert_eq!(pieces("0\n23456789abc", 10), ["0\n23456789", "abc"]);
        assert_eq!(pieces("😀😀😀", 4), ["😀😀", "😀"]);
        assert_eq!(pieces("😀a", 1), ["😀", "a"]);
        let parts = parts(&"line\n".repeat(10), 34);
        assert_eq!(parts[0], "(1/3) line\nline\nline\nline\n");
        assert_eq!(parts[2], "(3/3) line\nline\n");
    }

    #[test]
    fn what_is_left_out_is_said() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("é".repeat(12).as_str(), 10), format!("{}… (4 more bytes)", "é".repeat(10)));
    }

    #[test]
    fn line_breaks_stay_and_the_rest_is_shown() {
        assert_eq!(shown("a\nb\u{202e}\x1b[1m"), "a\nb\\u{202e}\\u{1b}[1m");
    }

    /// Any text, though what is hostile in it is more than by chance.
    fn hostile() -> impl Strategy<Value = String> {
        fn character(number: u32) -> char {
            match number % 16 {
                0..6 => char::from_u32(number / 16 % 0x11_0000).unwrap_or('\u{fffd}'),
                6..8 => '\n',
                8 => '😀',
                9 => '\u{202e}',
                _ => char::from(b' ' + (number / 16 % 95) as u8),
            }
        }
        // A strategy a character would take ten times as long and more.
        prop::collection::vec(any::<u32>(), 0..400)
            .prop_map(|numbers| numbers.into_iter().map(character).collect())
    }

    // CLAW_PROPTEST_CASES asks for more: ten million is what was promised.
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(
            std::env::var("CLAW_PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
        ))]

        #[test]
        fn no_piece_is_too_long_and_together_they_are_the_text(text in hostile(), most in 0usize..120) {
            let pieces = pieces(&text, most);
            prop_assert_eq!(pieces.concat(), text.as_str());
            for piece in &pieces {
                prop_assert!(piece.encode_utf16().count() <= most.max(2));
                prop_assert!(!piece.is_empty() || text.is_empty());
            }
        }

        #[test]
        fn no_part_is_too_long_and_each_has_its_number(text in hostile(), most in 20usize..120) {
            let parts = parts(&text, most);
            for part in &parts {
                prop_assert!(part.encode_utf16().count() <= most);
            }
            let unnumbered: String = if parts.len() == 1 { parts[0].clone() } else {
                parts.iter().map(|part| part.split_once(") ").unwrap().1).collect()
            };
            prop_assert_eq!(unnumbered, text);
        }

        #[test]
        fn nothing_that_is_shown_is_obeyed(text in hostile()) {
            let shown = shown(&text);
            prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
            const MARKS: [char; 4] = ['\u{202a}', '\u{202e}', '\u{2066}', '\u{200f}'];
            prop_assert!(!shown.contains(MARKS));
            prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
        }
    }
}

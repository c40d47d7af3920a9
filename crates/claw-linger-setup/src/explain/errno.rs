//! The reasons that the C library gives, in the languages that it knows.
//!
//! systemctl speaks English everywhere, but the reason at the end of its line is translated.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A reason in English, a tab, and the same in another language: the catalogues of glibc.
const TABLE: &str = include_str!("errno.tsv");

/// A line with its reason in English.
pub(crate) fn english(line: &str) -> String {
    let (before, after) = line.rsplit_once(": ").unwrap_or(("", line));
    let (reason, rest) = match after.split_once(" (") {
        Some((reason, _)) => (reason, &after[reason.len()..]),
        None => (after, ""),
    };
    match original(reason.trim().trim_end_matches(['.', '。'])) {
        Some(reason) if before.is_empty() => format!("{reason}{rest}"),
        Some(reason) => format!("{before}: {reason}{rest}"),
        None => line.to_owned(),
    }
}

fn original(reason: &str) -> Option<&'static str> {
    static ENGLISH: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        let rows = TABLE.lines().filter_map(|line| line.split_once('\t'));
        rows.map(|(english, translated)| (translated, english)).collect()
    });
    ENGLISH.get(reason).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_any_language_is_read() {
        for (line, expected) in [
            ("Failed to connect to bus: 找不到介质", "Failed to connect to bus: No medium found"),
            (
                "Failed to connect to bus: Kein Medium gefunden",
                "Failed to connect to bus: No medium found",
            ),
            (
                "Failed to connect to bus: Отказано в доступе.",
                "Failed to connect to bus: Permission denied",
            ),
            (
                "Failed to connect to user scope bus via local transport: Opération non permise (consider using --machine=<user>@.host --user to connect to bus of other user)",
                "Failed to connect to user scope bus via local transport: Operation not permitted (consider using --machine=<user>@.host --user to connect to bus of other user)",
            ),
            ("找不到介质", "No medium found"),
            (
                "Failed to connect to bus: No medium found",
                "Failed to connect to bus: No medium found",
            ),
            ("nothing: of the kind", "nothing: of the kind"),
            ("", ""),
        ] {
            assert_eq!(english(line), expected);
        }
    }

    #[test]
    fn each_row_has_two_sides() {
        for line in TABLE.lines() {
            let (english, translated) = line.split_once('\t').expect(line);
            assert!(
                !english.is_empty() && !translated.is_empty() && english != translated,
                "{line}"
            );
        }
    }
}

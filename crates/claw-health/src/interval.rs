//! How often something is done, as it is said on the command line: `30s`, `5m`, `1h`, `500ms`.

use std::time::Duration;

use claw_record::span;

/// More often than this nothing is looked at.
const SHORTEST: Duration = Duration::from_millis(100);
/// Whoever looks less often than once a week does not watch.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// How often something is to be done.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    if (SHORTEST..=LONGEST).contains(&span) {
        Ok(span)
    } else {
        Err("it must be from 100ms to 7d".to_owned())
    }
}

/// How often something is to be done, if at all: 0 is never.
pub(crate) fn parse_or_never(text: &str) -> Result<Option<Duration>, String> {
    if span(text)?.is_zero() { Ok(None) } else { parse(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_bounds_and_never_is_one_where_that_can_be() {
        let bounds = || "it must be from 100ms to 7d".to_owned();
        for (text, expected) in [
            ("99ms", Err(bounds())),
            ("100ms", Ok(Duration::from_millis(100))),
            ("7d", Ok(Duration::from_secs(604_800))),
            ("8d", Err(bounds())),
            ("0", Err(bounds())),
            ("soon", span("soon")),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse_or_never("0"), Ok(None));
        assert_eq!(parse_or_never("1h"), Ok(Some(Duration::from_secs(3600))));
        assert_eq!(parse_or_never("5ms"), Err(bounds()));
    }
}

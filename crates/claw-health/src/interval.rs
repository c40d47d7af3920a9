//! A span of time as it is said on the command line: `30s`, `5m`, `1h`, `500ms`, or plain seconds.

use std::time::Duration;

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

fn span(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 5] =
        [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let not = || "not a span of time, such as 30s, 5m, 1h or 500ms".to_owned();
    let seconds = match unit {
        "" => 1.0,
        unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(not)?.1,
    };
    let number: f64 = number.parse().map_err(|_| not())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| not())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit_or_is_in_seconds() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("30", 30_000),
            ("500ms", 500),
            ("1.5s", 1500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(parse_or_never("0"), Ok(None));
        assert_eq!(parse_or_never("1h"), Ok(Some(Duration::from_secs(3600))));
    }

    #[test]
    fn what_is_no_span_or_out_of_bounds_is_said() {
        let not = "not a span of time, such as 30s, 5m, 1h or 500ms";
        let bounds = "it must be from 100ms to 7d";
        for (text, why) in [
            ("", not),
            ("s", not),
            ("-1", not),
            ("1e3", not),
            ("1 s", not),
            ("1w", not),
            ("inf", not),
            ("NaN", not),
            ("1.2.3", not),
            (&"9".repeat(400), not),
            ("0", bounds),
            ("99ms", bounds),
            ("8d", bounds),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
        assert_eq!(parse_or_never("5ms"), Err(bounds.to_owned()));
    }
}

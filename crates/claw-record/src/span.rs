//! A span of time as it is typed, `30s`, `5m`, `1h`, and as people read it.

use std::time::Duration;

/// Reads a span of time as it is typed: a number of `ms`, `s`, `m`, `h` or `d`, or of seconds.
pub fn span(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 6] =
        [("", 1.0), ("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    /// Longer than anybody waits, and short enough to be added to any time.
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let not = || "not a span of time, such as 30s, 5m or 1h".to_owned();
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(not)?;
    let number: f64 = number.parse().map_err(|_| not())?;
    let span = Duration::try_from_secs_f64(number * seconds).map_err(|_| not())?;
    if span > LONGEST { Err("it must be no more than 366d".to_owned()) } else { Ok(span) }
}

/// A span in the two largest units that it has: `2 min 3 s`.
pub fn shown_span(span: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let mut seconds = span.as_secs_f64().round() as u64;
    let mut parts = Vec::new();
    for (name, length) in UNITS {
        let count = seconds / length;
        seconds %= length;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count} {name}"));
        }
    }
    if parts.is_empty() { "less than a second".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_and_shown() {
        for (text, seconds, as_shown) in [
            ("30s", 30.0, "30 s"),
            ("330", 330.0, "5 min 30 s"),
            ("5m", 300.0, "5 min"),
            ("1.5h", 5400.0, "1 h 30 min"),
            ("1d", 86_400.0, "1 d"),
            ("250ms", 0.25, "less than a second"),
            ("0", 0.0, "less than a second"),
        ] {
            let span = span(text).unwrap();
            assert_eq!((span.as_secs_f64(), &*shown_span(span)), (seconds, as_shown), "{text}");
        }
        for text in ["", "s", "m", "-1", "1w", "1 s", "1.2.3s", "inf", "1e3", "1e9999"] {
            let why = span(text).unwrap_err();
            assert_eq!(why, "not a span of time, such as 30s, 5m or 1h", "{text}");
        }
        assert_eq!(span("367d").unwrap_err(), "it must be no more than 366d");
    }
}

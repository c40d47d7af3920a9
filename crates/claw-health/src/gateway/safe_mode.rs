//! Did the gateway's own restart-loop breaker trip? It then comes up and looks well, and its
//! channels are held back until no unclean start is left in its window.

use std::time::Duration;

use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::host::Host;

/// The breaker's window: it lets go once the start that it tripped at has left it as well.
const WINDOW: Duration = Duration::from_secs(300);
/// How long the gateway may take to come up, and to notice that the window is over.
const MARGIN: Duration = Duration::from_secs(60);

/// Is the breaker holding back the channels of a gateway that has been up for so long? The gateway
/// leaves a bundle when it trips, none when it lets go.
pub(crate) fn safe_mode(host: &Host, uptime: Option<Duration>, suppressed: bool) -> bool {
    /// More than a year of crashes; an agent may have filled the folder.
    const ENTRIES_LIMIT: usize = 20_000;
    let folder = host.path(host.openclaw_home().join("logs/stability"));
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let names = entries.take(ENTRIES_LIMIT).flatten().map(|entry| entry.file_name());
    let tripped = names.filter_map(|name| tripped(name.to_str()?)).max();
    tripped.is_some_and(|tripped| is_on(OffsetDateTime::now_utc() - tripped, uptime, suppressed))
}

/// When the breaker tripped, by the name of its bundle.
fn tripped(name: &str) -> Option<OffsetDateTime> {
    const FORMAT: &[FormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]-[subsecond digits:3]Z");
    let rest = name.strip_prefix("openclaw-stability-")?;
    let rest = rest.strip_suffix("-gateway.crash_loop_breaker.json")?;
    let (time, _pid) = rest.rsplit_once('-')?;
    PrimitiveDateTime::parse(time, FORMAT).ok().map(PrimitiveDateTime::assume_utc)
}

/// `since` is the time since the breaker tripped last.
fn is_on(since: time::Duration, uptime: Option<Duration>, suppressed: bool) -> bool {
    let Ok(since) = Duration::try_from(since) else { return false };
    if suppressed {
        return since < Duration::from_secs(86_400);
    }
    match uptime {
        Some(uptime) => uptime < WINDOW + MARGIN && since < uptime + WINDOW + MARGIN,
        None => since < WINDOW + MARGIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_holds_for_its_window_after_the_start_it_tripped_at() {
        let is_on = |since: i64, uptime: Option<u64>, suppressed| {
            is_on(time::Duration::seconds(since), uptime.map(Duration::from_secs), suppressed)
        };
        for (since, uptime, suppressed, expected) in [
            (20, Some(5), false, true),
            (310, Some(290), false, true),
            (400, Some(380), false, false),
            // A clean start long after it tripped.
            (3600, Some(20), false, false),
            // Crashed again in safe mode: no second bundle is written.
            (200, Some(30), false, true),
            (4000, Some(3900), true, true),
            (100_000, Some(3900), true, false),
            (100, None, false, true),
            (400, None, false, false),
            (-5, None, false, false),
        ] {
            assert_eq!(is_on(since, uptime, suppressed), expected, "{since} {uptime:?}");
        }
    }

    #[test]
    fn only_bundles_of_the_breaker_count() {
        let name =
            "openclaw-stability-2026-11-22T14-05-27-160Z-1693-gateway.crash_loop_breaker.json";
        assert_eq!(tripped(name).unwrap().unix_timestamp(), 1_795_356_327);
        for name in [
            "openclaw-stability-2026-11-22T14-31-18-709Z-1865-uncaught_exception.json",
            "openclaw-stability-gateway.crash_loop_breaker.json",
            "openclaw-stability-2026-99-22T14-05-27-160Z-1693-gateway.crash_loop_breaker.json",
            "x",
        ] {
            assert_eq!(tripped(name), None, "{name}");
        }
    }
}

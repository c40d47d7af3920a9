//! Did the gateway's own restart-loop breaker trip? It then comes up and looks well, and its
//! channels are held back until no unclean start is left in its window.

use std::time::Duration;

use time::OffsetDateTime;

use crate::gateway::stability::bundles;
use crate::host::Host;

/// The breaker's window: it lets go once the start that it tripped at has left it as well.
const WINDOW: Duration = Duration::from_secs(300);
/// How long the gateway may take to come up, and to notice that the window is over.
const MARGIN: Duration = Duration::from_secs(60);

/// Is the breaker holding back the channels of a gateway that has been up for so long? The gateway
/// leaves a bundle when it trips, none when it lets go.
pub(crate) fn safe_mode(host: &Host, uptime: Option<Duration>, suppressed: bool) -> bool {
    let Ok(bundles) = bundles(host) else { return false };
    let tripped = bundles.iter().filter(|bundle| bundle.reason == "gateway.crash_loop_breaker");
    let tripped = tripped.map(|bundle| bundle.at).max();
    tripped.is_some_and(|tripped| is_on(OffsetDateTime::now_utc() - tripped, uptime, suppressed))
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
}

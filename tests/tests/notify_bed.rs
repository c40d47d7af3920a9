//! claw-notify in a host whose clock is set back and ahead: nothing too early, twice or never.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use claw_tests::testbed::Host;
use serde_json::Value;

#[test]
fn whatever_is_done_to_the_clock_waits_silences_and_receipts_are_what_they_were() {
    let Some(host) = Host::boot("trixie", "notify", &["-v"]) else { return };
    for (story, change) in [
        ("wait", "-1 day"),
        ("wait", "+1 day"),
        ("again", "-1 day"),
        ("again", "+1 day"),
        ("silence", "-1 day"),
        ("silence", "+1 day"),
    ] {
        let said = host.run("root", &["bash", "/opt/testbed/clock.sh", story, change]);
        let lines: Vec<Value> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of =
            |key: &str| -> Vec<&Value> { lines.iter().filter_map(|line| line.get(key)).collect() };
        assert!(of("wrong").is_empty(), "{story} {change}: {said}");
        let taken: Vec<_> = lines.iter().filter(|line| line["is_taken"] == true).collect();
        let heads: Vec<_> = taken
            .iter()
            .map(|line| line["text"].as_str().unwrap().lines().next().unwrap().to_owned())
            .collect();
        let expected =
            ["🔴 ERROR: disk:/ on vps", "🟢 well again: disk:/ on vps", "🔴 ERROR: disk:/ on vps"];
        assert_eq!(heads, expected, "{story} {change}: {said}");
        assert_eq!(of("receipt"), [1, 2, 3], "{story} {change}: {said}");
        if story == "silence" {
            // Of two clocks that differ the one counts by which it is over: nobody is left in the dark.
            let is_over = u64::from(change == "+1 day");
            assert_eq!(
                (of("told_in_silence"), of("told_after_it")),
                (vec![&is_over.into()], vec![&1.into()]),
                "{change}: {said}"
            );
        } else {
            let waited = taken[0]["after_ms"].as_u64().unwrap();
            assert!((4000..7000).contains(&waited), "{story} {change}: {said}");
        }
    }
}

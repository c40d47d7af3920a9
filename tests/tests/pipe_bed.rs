//! The monitor's pipe under a real systemd, while its tools are killed and a gateway crashes and hangs.
//!
//! Each suite boots a host of its own with `scripts/testbed`; where there can be none, the test says
//! so and passes. `scripts/soak pipe` does the same for longer.

use claw_tests::pipe::Storm;
use claw_tests::testbed::Host;

fn nothing_is_lost_with_a_tool_that_is_killed(suite: &str) {
    const KILLS: usize = 5;
    let Some(host) = Host::boot(suite, "pipe", &[]) else { return };
    let mut storm = Storm::new(host);
    storm.rage(KILLS, 4);
    let tally = storm.tally();
    assert_eq!(tally.wrong, Vec::<String>::new(), "{}", storm.kills());
    assert_eq!(tally.once + tally.more, storm.crashes());
    assert!(storm.crashes() >= KILLS, "{}", storm.crashes());
}

#[test]
fn a1_a2_a3_a4_nothing_is_lost_with_a_tool_that_is_killed_on_trixie() {
    nothing_is_lost_with_a_tool_that_is_killed("trixie");
}

#[test]
fn a1_a2_a3_a4_nothing_is_lost_with_a_tool_that_is_killed_on_bookworm() {
    nothing_is_lost_with_a_tool_that_is_killed("bookworm");
}

//! Each tool of the monitor's pipe is killed ten times while a gateway crashes and hangs: systemd brings the
//! pipe back, each crash is told, and nothing is restarted more often than it may be.

use std::path::Path;

use claw_tests::pipe::Storm;
use claw_tests::testbed::Host;

use crate::{Case, Chance};

const KILLS: usize = 10;

pub(crate) fn run(chance: &mut Chance, tools: &Path) -> Case {
    let suite = *chance.of(&["trixie", "bookworm"]);
    let host =
        Host::boot_with(suite, "soak-pipe", &[], tools).ok_or("there can be no host here")?;
    let mut storm = Storm::new(host);
    storm.rage(KILLS, chance.below(1 << 15));
    let tally = storm.tally();
    let said = format!(
        "{suite}: {}; of {} crashes {} told once and {} more often; {} starts by claw-heal",
        storm.kills(),
        storm.crashes(),
        tally.once,
        tally.more,
        storm.heals()
    );
    if tally.wrong.is_empty() {
        Ok(said)
    } else {
        Err(format!("{said}: {}", tally.wrong.join("; ")))
    }
}

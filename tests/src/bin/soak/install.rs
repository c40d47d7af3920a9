//! A `deploy install` that is killed at any moment is completed by the next one, and taken out whole.

use std::path::Path;

use claw_tests::testbed::Host;

use crate::{Case, Chance};

pub(crate) fn run(chance: &mut Chance, tools: &Path) -> Case {
    let suite = *chance.of(&["trixie", "bookworm"]);
    let host = Host::boot_with(suite, "soak", &[], tools).ok_or("there can be no host here")?;
    host.copy_project();
    host.run("dev", &["sh", "/opt/testbed/gateway.sh"]);
    let seed = chance.below(1 << 15).to_string();
    let run = host.attempt("root", &["bash", "/opt/testbed/interrupted.sh", "1", &seed]);
    match run.status {
        0 if run.stdout.contains("(0 had ended)") => Ok(format!("killed and completed on {suite}")),
        0 => Ok("ended before its kill".to_owned()),
        _ => Err(format!("{suite}, seed {seed}: {}{}", run.stdout, run.stderr)),
    }
}

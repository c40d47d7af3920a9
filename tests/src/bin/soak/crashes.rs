//! Two hundred ends of every kind on each version of systemd, with the monitor killed in between: each
//! crash is told once and with its cause. A few more where there is a real memory limit.

use std::path::Path;

use claw_tests::crashes::Crashing;
use claw_tests::testbed::Host;

use crate::{Case, Chance};

const ENDS: usize = 200;
const ENDS_WITH_LIMITS: usize = 40;

pub(crate) fn run(chance: &mut Chance, tools: &Path) -> Case {
    let mut word = Vec::new();
    for (suite, kind, ends) in
        [("trixie", None, ENDS), ("bookworm", None, ENDS), ("trixie", Some("-v"), ENDS_WITH_LIMITS)]
    {
        let purpose = if kind.is_some() { "soak-limits" } else { "soak" };
        let Some(host) = Host::boot_with(suite, purpose, kind.as_slice(), tools) else {
            if kind.is_some() {
                continue;
            }
            return Err("there can be no host here".to_owned());
        };
        let mut crashing = Crashing::new(host);
        let kinds = crashing.kinds();
        let mut left = ends;
        while left > 0 {
            let count = (1 + chance.below(12)).min(left);
            let some: Vec<_> = (0..count).map(|_| chance.of(&kinds).as_str()).collect();
            match chance.below(6) {
                0 => crashing.kill_monitor(),
                1 if chance.below(4) == 0 => crashing.restart_manager(),
                _ => {}
            }
            crashing.happen(&some);
            left -= count;
        }
        let wrong = crashing.differences();
        if !wrong.is_empty() {
            return Err(format!("{purpose} {suite}: {}", wrong.join("; ")));
        }
        let delays = crashing.delays();
        let (median, worst) = (delays[delays.len() / 2], delays[delays.len() - 1]);
        word.push(format!(
            "{} crashes of {ends} ends on {suite}{} (median {median} ms, worst {worst} ms)",
            crashing.count(),
            kind.map_or("", |_| " with limits")
        ));
    }
    Ok(word.join(" and "))
}

//! Do as many processes of a name run as ought to, and not too many of all?

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure};
use crate::look::Look;
use crate::processes;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "process",
    about: "processes by the exact name of their command, or all of them",
    operand: "NAME",
    settings: &[
        Setting::limit("process-min", "count", 1.0, "How many must run at least"),
        Setting::limit("process-max", "count", 0.0, "How many may run at most; 0 for any number"),
        Setting::limit("process-all-warn", "count", 5000.0, "How many of all are worth a look"),
    ],
    find: Find::Once,
    needs: Needs::Files,
    waits: false,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

fn run(look: &Look) -> Found {
    let (host, name) = (&look.host, look.operand.as_str());
    let all = processes::all(host)?;
    if name.is_empty() {
        return Ok(vec![judge_all(look.subject(), all.len(), look.number("process-all-warn"))]);
    }
    let mut pids = Vec::new();
    for pid in all {
        if processes::runs(host, pid, name)? {
            pids.push(pid);
        }
    }
    let (min, max) = (look.number("process-min"), look.number("process-max"));
    if processes::are_hidden(host) && (pids.len() as f64) < min {
        return Err(
            "the processes of other users are hidden from me: /proc is mounted with hidepid"
                .to_owned(),
        );
    }
    Ok(vec![judge(look.subject(), &pids, min, max)])
}

fn judge_all(subject: String, count: usize, warn: f64) -> Finding {
    let measure = Measure::new("processes_count", count as f64).warn_at(warn);
    let finding =
        Finding::judged(measure.status(), subject, format!("{count} processes run, limit {warn}"));
    let finding = finding.measure(measure);
    if finding.passes() {
        return finding;
    }
    finding.remedy("see whose they are: ps -eo user= | sort | uniq -c | sort -n | tail")
}

fn judge(subject: String, pids: &[u32], min: f64, max: f64) -> Finding {
    /// Enough to look at; a box that forks without end has too many for a line.
    const SHOWN: usize = 20;
    let count = pids.len() as f64;
    let limits = if max > 0.0 { format!("{min} to {max}") } else { format!("{min} and more") };
    let run = if pids.len() == 1 { "process runs" } else { "processes run" };
    let message = format!("{count} {run}, limits {limits}");
    let finding = if count < min || (max > 0.0 && count > max) {
        Finding::fail(subject, message)
    } else {
        Finding::pass(subject, message)
    };
    finding
        .measure(Measure::new("processes_count", count))
        .note("pids", pids.iter().take(SHOWN).copied().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_count() {
        for (count, min, max, expected) in [
            (0, 1.0, 0.0, "0 processes run, limits 1 and more!"),
            (1, 1.0, 0.0, "1 process runs, limits 1 and more"),
            (3, 1.0, 2.0, "3 processes run, limits 1 to 2!"),
            (2, 1.0, 2.0, "2 processes run, limits 1 to 2"),
            (0, 0.0, 0.0, "0 processes run, limits 0 and more"),
        ] {
            let finding = judge("process:x".into(), &vec![7; count], min, max);
            let bad = if finding.passes() { "" } else { "!" };
            assert_eq!(finding.message + bad, expected);
        }
    }
}

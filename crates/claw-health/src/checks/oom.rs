//! Did the kernel kill processes for want of memory?

use serde::{Deserialize, Serialize};

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, span};
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "oom",
    about: "processes killed for want of memory since boot, and lately",
    operand: "",
    settings: &[Setting::limit(
        "oom-recent",
        "seconds",
        86_400.0,
        "How long a kill is worth a look",
    )],
    find: Find::Once,
    needs: Needs::Files,
    waits: false,
    runs_programs: false,
    every_seconds: 0,
    is_sure: true,
    run,
};

/// What a look remembers.
///
/// A rise is remembered with its time and not only as the last count: whoever looks first, a person
/// or the monitor, the other one still hears of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Memory {
    boot: String,
    kills: u64,
    /// When a look last found more kills than the one before, in seconds since boot: a clock that
    /// jumps does not touch it.
    risen_seconds: Option<f64>,
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let kills = kills(&host.read("/proc/vmstat")?)?;
    let uptime = uptime(&host.read("/proc/uptime")?)?;
    let boot = host.read("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
    let before = host.recall("oom").and_then(|memory| serde_json::from_value(memory).ok());
    let now = remembered(before.as_ref(), &boot, kills, uptime);
    let mut finding = judge(&now, uptime, look.number("oom-recent"));
    if before.as_ref() != Some(&now)
        && let Err(why) = host.remember("oom", &serde_json::json!(now))
    {
        finding = finding.note("not_remembered", why);
    }
    Ok(vec![finding])
}

fn kills(vmstat: &str) -> Result<u64, String> {
    let line = vmstat.lines().find_map(|line| line.strip_prefix("oom_kill "));
    line.and_then(|count| count.trim().parse().ok())
        .ok_or_else(|| "cannot read '/proc/vmstat': no number in oom_kill".to_owned())
}

fn uptime(text: &str) -> Result<f64, String> {
    let first = text.split_whitespace().next();
    first
        .and_then(|seconds| seconds.parse().ok())
        .filter(|seconds| f64::is_finite(*seconds) && *seconds >= 0.0)
        .ok_or_else(|| format!("cannot read '/proc/uptime': no number: {:.40}", text.trim()))
}

/// What is known after this look. Kills that no look of this boot has seen before count as of now:
/// better loud once too often than silent.
fn remembered(before: Option<&Memory>, boot: &str, kills: u64, uptime: f64) -> Memory {
    let before = before.filter(|before| before.boot == boot);
    let known = before.map_or(0, |before| before.kills);
    let risen_seconds =
        if kills > known { Some(uptime) } else { before.and_then(|before| before.risen_seconds) };
    Memory { boot: boot.to_owned(), kills, risen_seconds }
}

fn judge(memory: &Memory, uptime: f64, recent: f64) -> Finding {
    let total = Measure::new("kills_total", memory.kills as f64);
    let age = memory.risen_seconds.map(|risen| (uptime - risen).max(0.0));
    let processes = if memory.kills == 1 { "process" } else { "processes" };
    let killed = format!(
        "{} {processes} killed for want of memory in {} since boot",
        memory.kills,
        span(uptime)
    );
    let Some(age) = age else {
        return Finding::pass("oom", killed).measure(total);
    };
    let message = format!("{killed}, the last one seen {} ago; limit {}", span(age), span(recent));
    let finding = if age < recent {
        Finding::warn("oom", message)
            .remedy("see which: sudo journalctl -k -g 'Killed process'; then add memory or swap")
    } else {
        Finding::pass("oom", message)
    };
    finding.measure(total).measure(Measure::new("last_seen_seconds", age))
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    #[test]
    fn m2_a_kill_is_told_until_it_is_no_longer_recent() {
        let mut memory = None;
        for (what, boot, kills, uptime, expected) in [
            ("none yet", "a", 0, 10.0, Status::Pass),
            ("the first", "a", 1, 20.0, Status::Warn),
            ("seen already, by a person perhaps", "a", 1, 30.0, Status::Warn),
            ("long ago", "a", 1, 120.0, Status::Pass),
            ("another", "a", 2, 130.0, Status::Warn),
            ("after a reboot", "b", 0, 5.0, Status::Pass),
            ("two before the first look of this boot", "c", 2, 900.0, Status::Warn),
        ] {
            let now = remembered(memory.as_ref(), boot, kills, uptime);
            assert_eq!(judge(&now, uptime, 100.0).status, expected, "{what}");
            memory = Some(now);
        }
    }

    #[test]
    fn a_first_look_at_an_old_kill_is_loud() {
        let now = remembered(None, "a", 3, 200_000.0);
        assert_eq!(
            judge(&now, 200_000.0, 86_400.0).message,
            "3 processes killed for want of memory in 2 d 7 h since boot, the last one seen 0 s \
             ago; limit 1 d"
        );
    }

    #[test]
    fn garbled_files_are_named() {
        assert_eq!(kills("nr_free_pages 1\noom_kill 7\n"), Ok(7));
        for text in ["", "oom_kill", "oom_kill -1", "oom_kill x"] {
            assert!(kills(text).unwrap_err().contains("/proc/vmstat"), "{text}");
        }
        for text in ["", "x", "-1 2", "inf 1"] {
            assert!(uptime(text).unwrap_err().contains("/proc/uptime"), "{text}");
        }
    }
}

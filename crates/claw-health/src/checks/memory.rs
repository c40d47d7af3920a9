//! Is there memory left for the gateway to grow into?

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, bytes};
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "memory",
    about: "memory that is not available, and swap in use",
    operand: "",
    settings: &[
        Setting::limit("memory-warn", "percent", 80.0, "Memory in use that is worth a look"),
        Setting::limit("memory-fail", "percent", 95.0, "Memory in use that is too much"),
        Setting::limit("memory-swap-warn", "percent", 80.0, "Swap in use that is worth a look"),
    ],
    find: Find::Once,
    needs: Needs::Files,
    waits: false,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

/// What `/proc/meminfo` says, in bytes.
#[derive(Debug, PartialEq)]
struct Memory {
    total: f64,
    available: f64,
    swap_total: f64,
    swap_free: f64,
}

fn run(look: &Look) -> Found {
    let memory = parse(&look.host.read("/proc/meminfo")?)?;
    // A kernel without pressure information has no such file.
    let pressure = look.host.read("/proc/pressure/memory").ok().and_then(|text| full_avg60(&text));
    let limits = ["memory-warn", "memory-fail", "memory-swap-warn"].map(|name| look.number(name));
    Ok(vec![judge(&memory, pressure, limits)])
}

fn parse(text: &str) -> Result<Memory, String> {
    const KIB: f64 = 1024.0;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number =
            line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        let number = number.map(|kib| kib as f64 * KIB);
        number.ok_or_else(|| format!("cannot read '/proc/meminfo': no number in {name}"))
    };
    let memory = Memory {
        total: field("MemTotal")?,
        available: field("MemAvailable")?,
        swap_total: field("SwapTotal")?,
        swap_free: field("SwapFree")?,
    };
    if memory.total <= 0.0
        || memory.available > memory.total
        || memory.swap_free > memory.swap_total
    {
        return Err("cannot read '/proc/meminfo': more is free than there is".to_owned());
    }
    Ok(memory)
}

/// The share of the last minute in which every task waited for memory.
fn full_avg60(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("full "))?;
    line.split_whitespace().find_map(|word| word.strip_prefix("avg60="))?.parse().ok()
}

fn judge(memory: &Memory, pressure: Option<f64>, [warn, fail, swap_warn]: [f64; 3]) -> Finding {
    let used_bytes = memory.total - memory.available;
    let used = Measure::percent("used_percent", 100.0 * used_bytes / memory.total)
        .warn_at(warn)
        .fail_at(fail);
    let mut message = format!(
        "{:.1} % of {} in use, {} available; limit {} %",
        used.value,
        bytes(memory.total),
        bytes(memory.available),
        used.limit()
    );
    let swap_used = memory.swap_total - memory.swap_free;
    let swap = (memory.swap_total > 0.0).then(|| {
        Measure::percent("swap_used_percent", 100.0 * swap_used / memory.swap_total)
            .warn_at(swap_warn)
    });
    match &swap {
        Some(swap) => message.push_str(&format!(
            "; swap {:.1} % of {}, limit {swap_warn} %",
            swap.value,
            bytes(memory.swap_total)
        )),
        None => message.push_str("; no swap"),
    }
    if let Some(stalled) = pressure {
        message.push_str(&format!("; all tasks waited {stalled:.1} % of the last minute"));
    }
    let status =
        crate::finding::worse(used.status(), swap.as_ref().map_or(used.status(), Measure::status));
    let finding = Finding::judged(status, "memory", message)
        .measure(used)
        .measure(Measure::new("total_bytes", memory.total))
        .measure(Measure::new("available_bytes", memory.available));
    let stalled = pressure.map(|value| Measure::percent("stalled_percent", value));
    let finding = swap.into_iter().chain(stalled).fold(finding, Finding::measure);
    if finding.passes() {
        return finding;
    }
    finding.remedy("see who holds it: ps -eo rss,pid,comm --sort=-rss | head")
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    const LIMITS: [f64; 3] = [80.0, 95.0, 80.0];

    fn meminfo(available: &str, swap_total: &str, swap_free: &str) -> String {
        format!(
            "MemTotal:       4000000 kB\nMemFree:         1000 kB\nMemAvailable:   {available} kB\n\
             SwapTotal:      {swap_total} kB\nSwapFree:       {swap_free} kB\n"
        )
    }

    #[test]
    fn m2_memory_warns_at_80_percent() {
        for (available, swap_free, expected) in [
            ("2000000", "1000", Status::Pass),
            ("800001", "1000", Status::Pass),
            ("800000", "1000", Status::Warn),
            ("200000", "1000", Status::Fail),
            ("2000000", "200", Status::Warn),
        ] {
            let memory = parse(&meminfo(available, "1000", swap_free)).unwrap();
            assert_eq!(judge(&memory, None, LIMITS).status, expected, "{available} {swap_free}");
        }
    }

    #[test]
    fn the_message_says_what_was_seen_and_what_the_limit_was() {
        let memory = parse(&meminfo("1000000", "0", "0")).unwrap();
        assert_eq!(
            judge(&memory, Some(0.25), LIMITS).message,
            "75.0 % of 4.1 GB in use, 1.0 GB available; limit 80 %; no swap; \
             all tasks waited 0.2 % of the last minute"
        );
    }

    #[test]
    fn garbled_files_are_named() {
        for text in [
            "",
            "MemTotal: lots kB\n",
            "MemTotal: 1\n",
            &meminfo("9000000", "0", "0"),
            &meminfo("-1", "0", "0"),
        ] {
            assert!(
                parse(text).unwrap_err().starts_with("cannot read '/proc/meminfo': "),
                "{text}"
            );
        }
    }
}

//! Do the tasks of the box wait for processors, disks or memory?

use claw_record::Status;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, worse};
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "pressure",
    about: "share of the last minute in which tasks waited for processor, disk or memory",
    operand: "",
    settings: &[
        Setting::limit(
            "pressure-cpu-warn",
            "percent",
            80.0,
            "Time in which some task waited for a processor that is worth a look",
        ),
        Setting::limit(
            "pressure-io-warn",
            "percent",
            50.0,
            "Time in which all tasks waited for a disk that is worth a look",
        ),
        Setting::limit(
            "pressure-memory-warn",
            "percent",
            20.0,
            "Time in which all tasks waited for memory that is worth a look",
        ),
    ],
    find: Find::Once,
    needs: Needs::Files,
    waits: false,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

/// The share of the last minute in which at least one task waited, and in which all did.
#[derive(Debug, PartialEq)]
struct Stall {
    some: f64,
    /// Nobody ever waits with all processors busy: older kernels leave this out for them.
    full: f64,
}

fn run(look: &Look) -> Found {
    let mut stalls = Vec::new();
    for name in ["cpu", "io", "memory"] {
        let file = format!("/proc/pressure/{name}");
        match look.host.read(&file) {
            Ok(text) => stalls.push(parse(&file, &text)?),
            // All three are there or none.
            Err(why) => {
                let why = format!("the kernel keeps no pressure figures: {why}");
                let remedy = "add psi=1 to the kernel's command line and reboot";
                return Ok(vec![Finding::unknown(look.subject(), why).remedy(remedy)]);
            }
        }
    }
    let limits = ["pressure-cpu-warn", "pressure-io-warn", "pressure-memory-warn"];
    Ok(vec![judge(&stalls, limits.map(|name| look.number(name)))])
}

fn parse(file: &str, text: &str) -> Result<Stall, String> {
    let average = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let share = line.split_whitespace().find_map(|word| word.strip_prefix("avg60="))?;
        share.parse().ok().filter(|share| (0.0..=100.0).contains(share))
    };
    match (average("some "), average("full "), text.contains("full ")) {
        (Some(some), Some(full), _) => Ok(Stall { some, full }),
        (Some(some), None, false) => Ok(Stall { some, full: 0.0 }),
        _ => Err(format!("cannot read '{file}': no share of a minute: {:.40}", text.trim())),
    }
}

fn judge(stalls: &[Stall], [cpu_warn, io_warn, memory_warn]: [f64; 3]) -> Finding {
    let [cpu, io, memory] = stalls else {
        return Finding::unknown("pressure", "not three kinds of pressure");
    };
    let judged = [
        Measure::percent("cpu_some_percent", cpu.some).warn_at(cpu_warn),
        Measure::percent("io_full_percent", io.full).warn_at(io_warn),
        Measure::percent("memory_full_percent", memory.full).warn_at(memory_warn),
    ];
    let message = format!(
        "in the last minute some task waited {:.1} % for a processor, limit {cpu_warn} %; \
         all waited {:.1} % for a disk, limit {io_warn} %, and {:.1} % for memory, limit {memory_warn} %",
        cpu.some, io.full, memory.full
    );
    let status = judged.iter().map(Measure::status).fold(Status::Pass, worse);
    let remedy = match judged.iter().position(|measure| measure.status() != Status::Pass) {
        Some(0) => Some("see who computes: ps -eo pcpu,pid,comm --sort=-pcpu | head"),
        Some(1) => Some("see who reads and writes: pidstat -d 1 5, or iotop"),
        Some(_) => Some("see who holds memory: ps -eo rss,pid,comm --sort=-rss | head"),
        None => None,
    };
    let mut finding = Finding::judged(status, "pressure", message);
    for measure in judged {
        finding = finding.measure(measure);
    }
    let finding = finding
        .measure(Measure::percent("io_some_percent", io.some))
        .measure(Measure::percent("memory_some_percent", memory.some));
    match remedy {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: [f64; 3] = [80.0, 50.0, 20.0];

    fn text(some: f64, full: f64) -> String {
        format!(
            "some avg10=0.00 avg60={some:.2} avg300=0.00 total=1\n\
             full avg10=0.00 avg60={full:.2} avg300=0.00 total=1\n"
        )
    }

    #[test]
    fn m2_each_pressure_has_its_own_limit() {
        for (cpu, io, memory, expected) in [
            (79.9, 49.9, 19.9, Status::Pass),
            (80.0, 0.0, 0.0, Status::Warn),
            (0.0, 50.0, 0.0, Status::Warn),
            (0.0, 0.0, 20.0, Status::Warn),
        ] {
            let stalls = [(cpu, 0.0), (90.0, io), (90.0, memory)]
                .map(|(some, full)| parse("file", &text(some, full)).unwrap());
            let finding = judge(&stalls, LIMITS);
            assert_eq!(finding.status, expected, "{cpu} {io} {memory}");
            assert_eq!(finding.remedy.is_some(), expected != Status::Pass);
        }
    }

    #[test]
    fn an_older_kernel_has_no_full_line_for_processors() {
        let some = "some avg10=0.00 avg60=1.50 avg300=0.00 total=1\n";
        assert_eq!(parse("file", some), Ok(Stall { some: 1.5, full: 0.0 }));
    }

    #[test]
    fn garbled_files_are_named() {
        for text in ["", "some", "some avg60=x", "some avg60=101", "some avg60=1\nfull avg60=nan"] {
            assert!(parse("/proc/pressure/io", text).unwrap_err().contains("/io"), "{text}");
        }
    }
}

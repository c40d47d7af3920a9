//! Is the queue for the processors longer than they can work off?

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure};
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "load",
    about: "load average of five minutes for each processor",
    operand: "",
    settings: &[
        Setting::limit(
            "load-warn",
            "per_core",
            2.0,
            "Load for each processor that is worth a look",
        ),
        Setting::limit("load-fail", "per_core", 10.0, "Load for each processor that is too much"),
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
    let load = parse(&look.host.read("/proc/loadavg")?)?;
    let cores = count(&look.host.read("/sys/devices/system/cpu/online")?)?;
    Ok(vec![judge(load, cores, look.number("load-warn"), look.number("load-fail"))])
}

/// The averages of one, five and fifteen minutes.
fn parse(text: &str) -> Result<[f64; 3], String> {
    let numbers: Option<Vec<f64>> =
        text.split_whitespace().take(3).map(|word| word.parse().ok()).collect();
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .filter(|load: &[f64; 3]| load.iter().all(|number| number.is_finite() && *number >= 0.0))
        .ok_or_else(|| {
            format!("cannot read '/proc/loadavg': not three numbers: {:.40}", text.trim())
        })
}

/// How many processors a list such as `0-3,6` names.
fn count(list: &str) -> Result<u32, String> {
    let bad =
        || format!("cannot read '/sys/devices/system/cpu/online': no list: {:.40}", list.trim());
    let mut count = 0;
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) =
            (first.parse().map_err(|_| bad())?, last.parse().map_err(|_| bad())?);
        count += last.checked_sub(first).filter(|more| *more < 65_536).ok_or_else(bad)? + 1;
    }
    Ok(count)
}

fn judge([one, five, fifteen]: [f64; 3], cores: u32, warn: f64, fail: f64) -> Finding {
    let measure =
        Measure::new("per_core_load", five / f64::from(cores)).warn_at(warn).fail_at(fail);
    let message = format!(
        "{one:.2} {five:.2} {fifteen:.2} on {cores} processors, {:.2} each; limit {}",
        measure.value,
        measure.limit()
    );
    Finding::judged(measure.status(), "load", message)
        .measure(measure)
        .measure(Measure::new("processors_count", f64::from(cores)))
        .note("averages", vec![one, five, fifteen])
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    #[test]
    fn five_minutes_for_each_processor_count() {
        let finding = judge([9.0, 4.0, 1.0], 2, 2.0, 10.0);
        assert_eq!(finding.status, Status::Warn);
        assert_eq!(finding.message, "9.00 4.00 1.00 on 2 processors, 2.00 each; limit 2");
        assert_eq!(judge([9.0, 3.9, 1.0], 2, 2.0, 10.0).status, Status::Pass);
    }

    #[test]
    fn garbled_files_are_named() {
        assert_eq!(parse("0.32 0.21 0.18 1/110 7"), Ok([0.32, 0.21, 0.18]));
        for text in ["", "a b c", "1 2", "nan 1 1", "-1 0 0"] {
            assert!(parse(text).unwrap_err().contains("/proc/loadavg"), "{text}");
        }
        assert_eq!([count("0"), count("0-1\n"), count("0-3,6")], [Ok(1), Ok(2), Ok(5)]);
        for text in ["", "x", "3-1", "0-9999999"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}

//! Is the clock right, and did it jump?

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, span};
use crate::kernel_clock::{self, KernelClock};
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "clock",
    about: "the clock: kept by a time service, and no jumps since the last look",
    operand: "",
    settings: &[
        Setting::limit("clock-jump", "seconds", 10.0, "Jump that is worth a look"),
        Setting::limit("clock-recent", "seconds", 3600.0, "How long a jump is worth a look"),
    ],
    find: Find::Once,
    needs: Needs::Running,
    waits: false,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

/// From here on the kernel itself calls its clock unsynchronised. The flag for that is not asked:
/// a time service may set it to keep the kernel's hands off the battery clock.
const UNSYNCHRONISED_SECONDS: f64 = 16.0;

/// What a look remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Memory {
    boot: String,
    /// What the clock shows at boot: a time service that slews leaves it as it is, a jump moves it.
    offset_seconds: f64,
    jump: Option<Jump>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Jump {
    by_seconds: f64,
    /// When it was seen, since boot.
    seen_seconds: f64,
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    if !host.is_running() {
        return Err("a tree of files has no clock".to_owned());
    }
    let clock = kernel_clock::read()
        .map_err(|error| format!("cannot ask the kernel for its clock: {}", error.desc()))?;
    let (now, uptime) = (seconds(ClockId::CLOCK_REALTIME)?, seconds(ClockId::CLOCK_BOOTTIME)?);
    let boot = host.read("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    let before = host.recall("clock").and_then(|memory| serde_json::from_value(memory).ok());
    let memory = remembered(before.as_ref(), boot, now - uptime, uptime, look.number("clock-jump"));
    let mut finding = judge(clock, &memory, uptime, look.number("clock-recent"));
    if before.as_ref() != Some(&memory)
        && let Err(why) = host.remember("clock", &serde_json::json!(memory))
    {
        finding.message.push_str("; a jump would not be seen: ");
        finding.message.push_str(&why);
    }
    Ok(vec![finding])
}

fn seconds(clock: ClockId) -> Result<f64, String> {
    let time = clock_gettime(clock).map_err(|error| format!("no clock: {}", error.desc()))?;
    Ok(Duration::from(time).as_secs_f64())
}

/// What is known after this look. The offset that a jump is measured from stays the same until one
/// is seen, so that many small ones add up and the file is not written each time.
fn remembered(
    before: Option<&Memory>,
    boot: String,
    offset: f64,
    uptime: f64,
    limit: f64,
) -> Memory {
    match before.filter(|before| before.boot == boot) {
        None => Memory { boot, offset_seconds: offset, jump: None },
        Some(before) => {
            let by_seconds = offset - before.offset_seconds;
            if by_seconds.abs() > limit {
                let jump = Some(Jump { by_seconds, seen_seconds: uptime });
                Memory { boot, offset_seconds: offset, jump }
            } else {
                before.clone()
            }
        }
    }
}

fn judge(clock: KernelClock, memory: &Memory, uptime: f64, recent: f64) -> Finding {
    let synchronised = clock.max_error_seconds < UNSYNCHRONISED_SECONDS;
    let jump = memory.jump.as_ref().map(|jump| (jump, (uptime - jump.seen_seconds).max(0.0)));
    let jump = jump.filter(|(_, age)| *age < recent);
    let mut message = if synchronised {
        format!("kept by a time service, wrong by {:.3} s at most", clock.max_error_seconds)
    } else {
        format!(
            "no time service keeps the clock: it may be wrong by more than {UNSYNCHRONISED_SECONDS} s"
        )
    };
    if let Some((jump, age)) = jump {
        let (by, way) =
            (span(jump.by_seconds.abs()), if jump.by_seconds < 0.0 { "back" } else { "forward" });
        message.push_str(&format!(
            "; it jumped {way} by {by}, seen {} ago; limit {}",
            span(age),
            span(recent)
        ));
    }
    let finding = match (synchronised, jump) {
        (true, None) => Finding::pass("clock", message),
        (true, Some(_)) => Finding::warn("clock", message).remedy(
            "see who set it: sudo journalctl -b -g 'time|clock'; logs of that time may be out of order",
        ),
        (false, _) => Finding::warn("clock", message).remedy(
            "keep it: sudo apt-get install systemd-timesyncd (or chrony), then sudo timedatectl set-ntp true",
        ),
    };
    let finding = finding
        .note("synchronised", synchronised)
        .measure(Measure::new("max_error_seconds", clock.max_error_seconds))
        .measure(Measure::new("estimated_error_seconds", clock.estimated_error_seconds));
    match &memory.jump {
        Some(jump) => finding.measure(Measure::new("jump_seconds", jump.by_seconds)),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    const KEPT: KernelClock =
        KernelClock { max_error_seconds: 0.05, estimated_error_seconds: 0.001 };

    #[test]
    fn m2_a_jump_is_told_until_it_is_no_longer_recent() {
        let mut memory = None;
        for (what, boot, offset, uptime, expected) in [
            ("the first look", "a", 1000.0, 10.0, Status::Pass),
            ("a step of a second", "a", 1001.0, 20.0, Status::Pass),
            ("a jump forward", "a", 1020.0, 30.0, Status::Warn),
            ("seen already", "a", 1020.0, 40.0, Status::Warn),
            ("long ago", "a", 1020.0, 131.0, Status::Pass),
            ("a jump back", "a", 1000.0, 140.0, Status::Warn),
            ("another boot has another offset", "b", 5000.0, 5.0, Status::Pass),
        ] {
            let now = remembered(memory.as_ref(), boot.to_owned(), offset, uptime, 10.0);
            assert_eq!(judge(KEPT, &now, uptime, 100.0).status, expected, "{what}");
            memory = Some(now);
        }
    }

    #[test]
    fn m2_a_clock_that_nobody_keeps_is_told() {
        let memory = remembered(None, "a".into(), 0.0, 1.0, 10.0);
        let alone = KernelClock { max_error_seconds: 16.0, estimated_error_seconds: 16.0 };
        let finding = judge(alone, &memory, 1.0, 3600.0);
        assert_eq!(finding.status, Status::Warn);
        assert!(finding.remedy.unwrap().contains("systemd-timesyncd"));
        let finding = judge(KEPT, &memory, 1.0, 3600.0);
        assert_eq!(finding.message, "kept by a time service, wrong by 0.050 s at most");
    }

    #[test]
    fn a_jump_says_how_far_and_which_way() {
        let before = remembered(None, "a".into(), 5000.0, 1.0, 10.0);
        let now = remembered(Some(&before), "a".into(), 1400.0, 61.0, 10.0);
        assert!(
            judge(KEPT, &now, 121.0, 3600.0)
                .message
                .ends_with("; it jumped back by 1 h, seen 1 min ago; limit 1 h")
        );
    }
}

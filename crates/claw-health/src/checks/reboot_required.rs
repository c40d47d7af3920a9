//! Does an update wait for a reboot?

use std::cmp::Ordering;
use std::time::SystemTime;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, span};
use crate::host::Host;
use crate::look::Look;

pub(super) const CHECK: Check = Check {
    name: "reboot-required",
    about: "updates that wait for a reboot, and a newer kernel than the one that runs",
    operand: "",
    settings: &[],
    find: Find::Once,
    needs: Needs::Files,
    waits: false,
    runs_programs: false,
    every_seconds: 600,
    is_sure: true,
    run,
};

/// Debian and Ubuntu leave it behind an update of libc, the kernel, systemd …
const FLAG: &str = "/run/reboot-required";

/// What is asked for, and by whom.
#[derive(Debug, Default)]
struct Asked {
    /// How long ago the first package asked, where one did.
    age_seconds: Option<f64>,
    packages: Vec<String>,
    running: String,
    /// The newest kernel of its kind that is installed, where that can be told.
    newest: Option<String>,
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let running = host.read("/proc/sys/kernel/osrelease")?.trim().to_owned();
    let mut asked =
        Asked { newest: newest(&running, &installed(host)), running, ..Asked::default() };
    match host.meta(FLAG) {
        Ok(meta) => {
            let age = meta.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            asked.age_seconds = Some(age.unwrap_or_default().as_secs_f64());
            // The list may be missing; the flag alone counts.
            let list = host.read(format!("{FLAG}.pkgs")).unwrap_or_default();
            asked.packages = packages(&list);
        }
        Err(nix::errno::Errno::ENOENT) => {}
        Err(error) => return Err(format!("cannot look at '{FLAG}': {}", error.desc())),
    }
    Ok(vec![judge(&asked)])
}

/// The kernels that are here whole: with modules and with an image to boot.
fn installed(host: &Host) -> Vec<String> {
    let mut kernels = host.names("/lib/modules").unwrap_or_default();
    kernels.retain(|kernel| {
        host.meta(format!("/boot/vmlinuz-{kernel}")).is_ok()
            || host.meta(format!("/lib/modules/{kernel}/vmlinuz")).is_ok()
    });
    kernels
}

/// The newest kernel of the kind that runs (`amd64`, `cloud-amd64` …). Nothing where the one that
/// runs is not among them: it is then not this system that chose it, as in a container.
fn newest(running: &str, installed: &[String]) -> Option<String> {
    if !installed.iter().any(|kernel| kernel == running) {
        return None;
    }
    let same_kind = |kernel: &&String| kind(kernel) == kind(running);
    installed.iter().filter(same_kind).max_by(|one, other| compare(one, other)).cloned()
}

/// `6.1.0-18-cloud-amd64` is of the kind `cloud-amd64`.
fn kind(kernel: &str) -> &str {
    let begins = |part: &str| part.starts_with(|first: char| first.is_ascii_alphabetic());
    let mut rest = kernel;
    while let Some((_, after)) = rest.split_once('-') {
        if begins(after) {
            return after;
        }
        rest = after;
    }
    ""
}

/// Compares by the numbers in the versions: `6.1.0-9` comes before `6.1.0-18`.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u64> {
        version
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect()
    };
    numbers(one).cmp(&numbers(other))
}

/// The packages that asked, each once, in their order.
fn packages(list: &str) -> Vec<String> {
    let mut packages: Vec<String> = Vec::new();
    for name in list.lines().map(str::trim).filter(|name| !name.is_empty()) {
        if !packages.iter().any(|known| known == name) {
            packages.push(name.to_owned());
        }
    }
    packages
}

fn judge(asked: &Asked) -> Finding {
    /// As many as a sentence bears; all of them are in the data.
    const SHOWN: usize = 5;
    let mut reasons = Vec::new();
    if let Some(age) = asked.age_seconds {
        let mut names = asked.packages.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if asked.packages.len() > SHOWN {
            names.push_str(&format!(" and {} more", asked.packages.len() - SHOWN));
        }
        let by = if names.is_empty() { String::new() } else { format!(" by {names}") };
        reasons.push(format!("a reboot has been asked for{by} for {}", span(age)));
    }
    let newer = asked.newest.as_ref().filter(|newest| **newest != asked.running);
    if let Some(newer) = newer {
        reasons.push(format!("kernel {} runs and {newer} is installed", asked.running));
    }
    let finding = if reasons.is_empty() {
        let newest = if asked.newest.is_some() { ", the newest installed" } else { "" };
        let message = format!("no reboot is asked for; kernel {} runs{newest}", asked.running);
        Finding::pass("reboot-required", message)
    } else {
        Finding::warn("reboot-required", reasons.join("; "))
            .remedy("back up and reboot when it suits: sudo systemctl reboot")
    };
    let finding = finding
        .note("packages", asked.packages.clone())
        .note("running_kernel", asked.running.clone())
        .note("newest_kernel", asked.newest.clone());
    match asked.age_seconds {
        Some(age) => finding.measure(Measure::new("asked_age_seconds", age)),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    #[test]
    fn h6_the_newest_kernel_of_its_kind_counts() {
        let installed = ["6.1.0-9-amd64", "6.1.0-18-amd64", "6.1.0-20-cloud-amd64", "6.12.1"]
            .map(str::to_owned);
        for (running, expected) in [
            ("6.1.0-9-amd64", Some("6.1.0-18-amd64")),
            ("6.1.0-18-amd64", Some("6.1.0-18-amd64")),
            ("6.1.0-20-cloud-amd64", Some("6.1.0-20-cloud-amd64")),
            ("6.12.1", Some("6.12.1")),
            ("5.15.0-91-generic", None),
        ] {
            assert_eq!(newest(running, &installed).as_deref(), expected, "{running}");
        }
    }

    #[test]
    fn h6_who_asks_for_a_reboot_is_named() {
        let list = "libc6\nlinux-image-amd64\nlibc6\n\ndbus\nsystemd\na\nb\n";
        let asked = Asked {
            age_seconds: Some(7200.0),
            packages: packages(list),
            running: "6.1.0-9-amd64".into(),
            newest: Some("6.1.0-18-amd64".into()),
        };
        let finding = judge(&asked);
        assert_eq!(finding.status, Status::Warn);
        assert_eq!(
            finding.message,
            "a reboot has been asked for by libc6, linux-image-amd64, dbus, systemd, a and 1 more for \
             2 h; kernel 6.1.0-9-amd64 runs and 6.1.0-18-amd64 is installed"
        );
    }

    #[test]
    fn nothing_asked_for_passes() {
        let asked = Asked { running: "6.1.0".into(), ..Asked::default() };
        assert_eq!(judge(&asked).message, "no reboot is asked for; kernel 6.1.0 runs");
    }
}

//! Do security updates install themselves?

use std::time::SystemTime;

use nix::errno::Errno;

use crate::apt_conf::{self, Settings};
use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, span};
use crate::host::Host;
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "updates",
    about: "security updates that install themselves, and when they last did",
    operand: "",
    settings: &[Setting::limit(
        "updates-max-age",
        "days",
        7.0,
        "Age of the last run from which on it is worth a look",
    )],
    find: Find::Once,
    needs: Needs::Files,
    waits: false,
    runs_programs: false,
    every_seconds: 3600,
    is_sure: true,
    run,
};

const TOOL: &str = "/usr/bin/unattended-upgrade";
const STAMP: &str = "/var/lib/apt/periodic/unattended-upgrades-stamp";
const TIMERS: [&str; 2] = ["apt-daily.timer", "apt-daily-upgrade.timer"];
const DAY: f64 = 86_400.0;

/// What was seen of apt.
#[derive(Debug, Default)]
struct Seen {
    settings: Settings,
    is_installed: bool,
    masked: Option<&'static str>,
    age_seconds: Option<f64>,
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let names = match host.names("/etc/apt/apt.conf.d") {
        Ok(names) => names,
        Err(Errno::ENOENT) => {
            return Err(
                "there is no apt here, and of other package managers nothing is known".into()
            );
        }
        Err(error) => return Err(format!("cannot read '/etc/apt/apt.conf.d': {}", error.desc())),
    };
    let stamp = host.meta(STAMP).ok().and_then(|meta| meta.modified().ok());
    let age = stamp.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    let seen = Seen {
        settings: settings(host, &names)?,
        is_installed: host.meta(TOOL).is_ok(),
        masked: TIMERS.into_iter().find(|timer| {
            let link = std::fs::read_link(host.path(format!("/etc/systemd/system/{timer}")));
            link.is_ok_and(|end| end.as_os_str() == "/dev/null")
        }),
        age_seconds: age.map(|age| age.as_secs_f64()),
    };
    Ok(vec![judge(&seen, look.number("updates-max-age"))])
}

/// All settings of apt; what a later file says counts.
fn settings(host: &Host, names: &[String]) -> Result<Settings, String> {
    let mut settings = Settings::new();
    for name in names.iter().filter(|name| is_read(name)) {
        apt_conf::read(&host.read(format!("/etc/apt/apt.conf.d/{name}"))?, &mut settings);
    }
    // Read last, where it is there.
    if host.meta("/etc/apt/apt.conf").is_ok() {
        apt_conf::read(&host.read("/etc/apt/apt.conf")?, &mut settings);
    }
    Ok(settings)
}

/// Does apt read a file of that name? Not a `.bak`, a `.dpkg-old` or a `name~`.
fn is_read(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    !name.starts_with('.') && name.chars().all(plain) && matches!(ending, None | Some("conf"))
}

/// Is it on: an interval that is not zero? `1`, `7`, `12h`, `always`.
fn is_on(settings: &Settings, name: &str, default: bool) -> bool {
    match settings.get(name) {
        Some(value) => !matches!(value.trim_end_matches(['s', 'm', 'h', 'd']), "" | "0"),
        None => default,
    }
}

/// Is an origin of security updates among those that are taken from? Debian, Ubuntu and those made
/// from them all have the word in it.
fn has_security(settings: &Settings) -> bool {
    ["unattended-upgrade::origins-pattern", "unattended-upgrade::allowed-origins"]
        .iter()
        .filter_map(|list| settings.get(*list))
        .flat_map(|list| list.lines())
        .any(|origin| origin.to_lowercase().contains("security") || origin.contains("=*"))
}

fn judge(seen: &Seen, max_days: f64) -> Finding {
    const TURN_ON: &str = "turn them on: sudo apt-get install unattended-upgrades && sudo dpkg-reconfigure -plow unattended-upgrades";
    const UNMASK: &str = "let them run: sudo systemctl unmask apt-daily.timer apt-daily-upgrade.timer, \
                          then sudo systemctl enable --now for both";
    let on = |name, default| is_on(&seen.settings, name, default);
    let trouble = if !seen.is_installed {
        Some(("unattended-upgrades is not installed".to_owned(), TURN_ON))
    } else if !on("apt::periodic::enable", true) {
        Some(("APT::Periodic::Enable is 0".to_owned(), TURN_ON))
    } else if !on("apt::periodic::unattended-upgrade", false) {
        Some(("APT::Periodic::Unattended-Upgrade is off".to_owned(), TURN_ON))
    } else if !on("apt::periodic::update-package-lists", false) {
        Some((
            "APT::Periodic::Update-Package-Lists is off, so no update is ever seen".to_owned(),
            TURN_ON,
        ))
    } else if !has_security(&seen.settings) {
        Some((
            "no origin of security updates is listed".to_owned(),
            "list it in /etc/apt/apt.conf.d/50unattended-upgrades, and try: sudo unattended-upgrade --dry-run --debug",
        ))
    } else {
        seen.masked.map(|timer| (format!("{timer} is masked"), UNMASK))
    };
    let age = seen.age_seconds.map(|age| Measure::new("age_seconds", age).warn_at(max_days * DAY));
    let finding = match (trouble, &age) {
        (Some((why, remedy)), _) => {
            Finding::warn("updates", format!("security updates do not install themselves: {why}"))
                .remedy(remedy)
        }
        (None, None) => Finding::warn("updates", "security updates are on and have never run yet")
            .remedy("try them: sudo unattended-upgrade --dry-run --debug"),
        (None, Some(age)) => {
            let told = format!(
                "security updates install themselves, last {} ago; limit {}",
                span(age.value),
                span(max_days * DAY)
            );
            let finding = Finding::judged(age.status(), "updates", told);
            if finding.passes() {
                finding
            } else {
                finding.remedy("see why not: systemctl list-timers apt-daily-upgrade.timer; sudo unattended-upgrade --dry-run --debug")
            }
        }
    };
    match age {
        Some(age) => finding.measure(age),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use claw_record::Status;

    use super::*;

    fn seen(conf: &str) -> Seen {
        let mut settings = Settings::new();
        apt_conf::read(conf, &mut settings);
        Seen { settings, is_installed: true, masked: None, age_seconds: Some(3600.0) }
    }

    const ON: &str = r#"APT::Periodic { Update-Package-Lists "1"; Unattended-Upgrade "1"; };
        Unattended-Upgrade::Origins-Pattern { "label=Debian"; "label=Debian-Security"; };"#;

    #[test]
    fn h6_updates_are_on_only_where_all_of_it_is() {
        for (what, seen, expected) in [
            ("on", seen(ON), ""),
            ("nothing said", seen(""), "APT::Periodic::Unattended-Upgrade is off"),
            (
                "off later",
                seen(&format!("{ON} APT::Periodic::Unattended-Upgrade \"0\";")),
                "APT::Periodic::Unattended-Upgrade is off",
            ),
            (
                "no lists",
                seen("APT::Periodic::Unattended-Upgrade \"1\";"),
                "APT::Periodic::Update-Package-Lists is off, so no update is ever seen",
            ),
            (
                "all off",
                seen(&format!("{ON} APT::Periodic::Enable \"0\";")),
                "APT::Periodic::Enable is 0",
            ),
            (
                "not there",
                Seen { is_installed: false, ..seen(ON) },
                "unattended-upgrades is not installed",
            ),
            (
                "no origin",
                seen(&format!("{ON} #clear Unattended-Upgrade::Origins-Pattern;")),
                "no origin of security updates is listed",
            ),
            (
                "masked",
                Seen { masked: Some(TIMERS[1]), ..seen(ON) },
                "apt-daily-upgrade.timer is masked",
            ),
        ] {
            let finding = judge(&seen, 7.0);
            assert_eq!(finding.passes(), expected.is_empty(), "{what}");
            assert!(finding.message.ends_with(expected), "{what}: {}", finding.message);
        }
    }

    #[test]
    fn h6_updates_that_no_longer_run_are_told() {
        let old = Seen { age_seconds: Some(7.0 * DAY), ..seen(ON) };
        assert_eq!(judge(&old, 7.0).status, Status::Warn);
        let never = Seen { age_seconds: None, ..seen(ON) };
        assert_eq!(judge(&never, 7.0).message, "security updates are on and have never run yet");
    }

    #[test]
    fn only_what_apt_reads_is_read() {
        for (name, expected) in [
            ("20auto-upgrades", true),
            ("50unattended.conf", true),
            ("20auto-upgrades.bak", false),
            ("20auto-upgrades.ucf-dist", false),
            ("20auto-upgrades~", false),
            (".hidden", false),
        ] {
            assert_eq!(is_read(name), expected, "{name}");
        }
        for (value, expected) in
            [("1", true), ("0", false), ("", false), ("12h", true), ("always", true), ("0d", false)]
        {
            let settings = Settings::from([("x".to_owned(), value.to_owned())]);
            assert_eq!(is_on(&settings, "x", false), expected, "{value}");
        }
    }
}

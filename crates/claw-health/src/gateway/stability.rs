//! The stability bundles that OpenClaw writes when something ends as it should not.

use nix::dir::Dir;
use nix::errno::Errno;
use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::host::Host;

/// Where they are, below OpenClaw's own folder.
const FOLDER: &str = "logs/stability";

/// A bundle, as far as its name tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bundle {
    pub(crate) at: OffsetDateTime,
    pub(crate) pid: u64,
    /// Why it was written: `uncaught_exception`, `gateway.startup_failed` …
    pub(crate) reason: String,
    pub(crate) name: String,
}

impl Bundle {
    /// Where it is.
    pub(crate) fn path(&self, host: &Host) -> std::path::PathBuf {
        host.openclaw_home().join(FOLDER).join(&self.name)
    }
}

/// The bundles that there are; none where there is no folder for them.
pub(crate) fn bundles(host: &Host) -> Result<Vec<Bundle>, String> {
    /// More than a year of crashes; an agent may have filled the folder.
    const ENTRIES_LIMIT: usize = 20_000;
    let path = host.openclaw_home().join(FOLDER);
    let failed = |error: Errno| format!("cannot read '{}': {}", path.display(), error.desc());
    let folder = match host.folder(&path) {
        Ok(folder) => folder,
        Err(Errno::ENOENT) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut folder = Dir::from_fd(folder).map_err(failed)?;
    let names = folder.iter().take(ENTRIES_LIMIT).flatten();
    Ok(names.filter_map(|entry| named(entry.file_name().to_str().ok()?)).collect())
}

/// `openclaw-stability-TIME-PID-REASON.json`, the time with hyphens for colons and the point.
fn named(name: &str) -> Option<Bundle> {
    const FORMAT: &[FormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]-[subsecond digits:3]Z");
    let rest = name.strip_prefix("openclaw-stability-")?.strip_suffix(".json")?;
    let (time, rest) = rest.split_once("Z-")?;
    let (pid, reason) = rest.split_once('-')?;
    let at = PrimitiveDateTime::parse(&format!("{time}Z"), FORMAT).ok()?.assume_utc();
    let is_word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (!reason.is_empty() && reason.chars().all(is_word)).then_some(())?;
    Some(Bundle { at, pid: pid.parse().ok()?, reason: reason.to_owned(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_known_by_its_name() {
        for (name, expected) in [
            (
                "openclaw-stability-2026-11-22T14-05-27-160Z-1693-gateway.crash_loop_breaker.json",
                Some((1_795_356_327, 1693, "gateway.crash_loop_breaker")),
            ),
            (
                "openclaw-stability-2026-11-22T14-31-18-709Z-1865-uncaught_exception.json",
                Some((1_795_357_878, 1865, "uncaught_exception")),
            ),
            ("openclaw-stability-2026-99-22T14-05-27-160Z-1693-uncaught_exception.json", None),
            ("openclaw-stability-2026-11-22T14-05-27-160Z-x-uncaught_exception.json", None),
            ("openclaw-stability-2026-11-22T14-05-27-160Z-1693-.json", None),
            ("openclaw-stability-2026-11-22T14-05-27-160Z-1693-a b.json", None),
            ("openclaw-stability-gateway.crash_loop_breaker.json", None),
            ("x", None),
        ] {
            let bundle = named(name);
            let read = bundle
                .as_ref()
                .map(|bundle| (bundle.at.unix_timestamp(), bundle.pid, bundle.reason.as_str()));
            assert_eq!(read, expected, "{name}");
        }
    }
}

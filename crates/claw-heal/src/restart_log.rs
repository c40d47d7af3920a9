//! OpenClaw's own `logs/gateway-restart.log`: the stops and restarts that somebody asked for.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use claw_box::Owner;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::as_owner::{AS_OWNER, Job};

/// How long ago somebody had OpenClaw stop or restart the gateway; nothing where nobody did, or the
/// clock says that it is yet to come.
pub(crate) fn operated_ago(owner: &Owner, deadline: Instant) -> Result<Option<Duration>, String> {
    let text = AS_OWNER.ask(owner, Job::RestartLog, deadline)?;
    Ok(last(&text).and_then(|at| Duration::try_from(OffsetDateTime::now_utc() - at).ok()))
}

/// The end of the file, read with the rights of its owner; nothing where there is none.
pub(crate) fn tail(owner: &Owner) -> io::Result<String> {
    const KEPT_BYTES: u64 = 4096;
    // A pipe that somebody put in its place is not waited for.
    let mut open = OpenOptions::new();
    open.read(true).custom_flags(nix::libc::O_NONBLOCK);
    let mut file: File = match open.open(owner.home.join(".openclaw/logs/gateway-restart.log")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Ok(String::new());
    }
    file.seek(SeekFrom::Start(meta.len().saturating_sub(KEPT_BYTES)))?;
    let mut end = Vec::new();
    file.take(KEPT_BYTES).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}

/// The time of the last line that is whole.
fn last(text: &str) -> Option<OffsetDateTime> {
    text.lines().rev().filter(|line| line.contains(" action=")).find_map(|line| {
        let (time, _) = line.strip_prefix('[')?.split_once(']')?;
        OffsetDateTime::parse(time, &Rfc3339).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenClaw 2026.9.6 writes it.
    const LOG: &str = "\
[2026-11-22T14:35:12.378Z] openclaw gateway lifecycle source=cli action=restart mode=systemctl-restart interactive=0
[2026-11-22T14:36:31.023Z] openclaw gateway lifecycle source=cli action=stop mode=systemctl-stop interactive=0
";

    #[test]
    fn the_last_stop_or_restart_is_read() {
        let time = |text| OffsetDateTime::parse(text, &Rfc3339).ok();
        for (case, text, expected) in [
            ("two", LOG.to_owned(), time("2026-11-22T14:36:31.023Z")),
            (
                "a last line that is cut",
                format!("{LOG}[2026-11-22T1"),
                time("2026-11-22T14:36:31.023Z"),
            ),
            ("nothing", String::new(), None),
            ("something else", "[2026-11-22T14:36:31.023Z] hello\n".to_owned(), None),
            ("no time", "[soon] action=stop\n".to_owned(), None),
        ] {
            assert_eq!(last(&text), expected, "{case}");
        }
    }

    #[test]
    fn where_there_is_no_log_nobody_did_anything() {
        let home = tempfile::tempdir().unwrap();
        let owner = Owner::parse(&format!("dev:x:0:0::{}:", home.path().display())).unwrap();
        assert_eq!(tail(&owner).unwrap(), "");
        let logs = home.path().join(".openclaw/logs");
        std::fs::create_dir_all(&logs).unwrap();
        let file = logs.join("gateway-restart.log");
        std::fs::write(&file, LOG.repeat(1000)).unwrap();
        assert_eq!(last(&tail(&owner).unwrap()), last(LOG));
        // A pipe, which would hold up whoever reads it.
        std::fs::remove_file(&file).unwrap();
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(tail(&owner).unwrap(), "");
    }
}

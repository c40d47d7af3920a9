//! A claw-notify that is killed at any moment, against a Telegram that behaves badly: every alert that
//! it passed on is told, nothing is told before that is allowed, but for what it was told to wait in the instant before the
//! kill, and twice is only what was on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use claw_tests::bad_telegram::{BadTelegram, Mood};

use crate::{Case, Chance};

const KILLS: usize = 100;
const ALERTS: usize = 10;

/// A spool, and a bot that is never well for long.
struct Place {
    folder: PathBuf,
    tools: PathBuf,
    telegram: BadTelegram,
}

impl Place {
    fn notify(&self, arguments: &[&str]) -> Command {
        let mut notify = Command::new(self.tools.join("claw-notify"));
        notify.args(["--format", "json", "--timeout", "500ms", "--settle", "1s", "--wait", "0s"]);
        notify.arg("--spool").arg(self.folder.join("spool"));
        notify.args(["--telegram-api", &self.telegram.url(), "--failover", "1h"]);
        notify.arg("--telegram-token-file").arg(self.folder.join("token"));
        notify.args(arguments);
        notify
    }

    /// The number of the last segment.
    fn last_segment(&self) -> u32 {
        let entries = fs::read_dir(self.folder.join("spool/in")).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.max().unwrap_or(0)
    }

    /// Feeds alerts to one that is killed, and gives how many of them it passed on.
    fn kill_one(&self, chance: &mut Chance, round: usize) -> std::io::Result<usize> {
        let mut command = self.notify(&["--to", "telegram:5"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("no pipes"));
        };
        let (sender, lines) = channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.contains("\"event\":\"crash\"") && sender.send(()).is_err() {
                    break;
                }
            }
        });
        for alert in 0..ALERTS {
            let line = format!(
                r#"{{"time":"2026-11-22T03:14:15.000Z","host":"h","tool":"t","event":"crash","subject":"alert:{round}.{alert}","status":"fail","severity":"ERROR","message":"m"}}"#
            );
            // It may be dead already.
            let _ = writeln!(stdin, "{line}");
            if chance.below(4) == 0 {
                std::thread::sleep(Duration::from_micros(chance.below(4_000) as u64));
            }
        }
        if chance.below(2) == 0 {
            drop(stdin);
            std::thread::sleep(Duration::from_micros(chance.below(200_000) as u64));
        } else {
            std::thread::sleep(Duration::from_micros(chance.below(60_000) as u64));
        }
        // Nothing else than that signal, wherever it is.
        let _ = child.kill();
        child.wait()?;
        self.telegram.caller_was_killed();
        let _ = reader.join();
        Ok(lines.iter().count())
    }
}

pub(crate) fn run(chance: &mut Chance, tools: &Path) -> Case {
    let text = |error: std::io::Error| error.to_string();
    let folder = tools.join("soak-tally/notify");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(text)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(text)?;
    fs::write(folder.join("token"), "1:x").map_err(text)?;
    fs::set_permissions(folder.join("token"), fs::Permissions::from_mode(0o600)).map_err(text)?;
    let place = Place { folder, tools: tools.to_owned(), telegram: BadTelegram::start() };
    let mut moods = vec![Mood::Well; 8];
    moods.extend([
        Mood::Wait(1),
        Mood::Wait(2),
        Mood::Says(500, "Internal Server Error"),
        Mood::Garbage,
        Mood::Silent,
    ]);
    place.telegram.any_of(chance.below(usize::MAX) as u64, moods);
    // How many of each segment were passed on.
    let mut passed: BTreeMap<u32, usize> = BTreeMap::new();
    for round in 0..KILLS {
        let before = place.last_segment();
        let count = place.kill_one(chance, round).map_err(text)?;
        let after = place.last_segment();
        if count > 0 && after <= before {
            return Err(format!("round {round}: {count} were passed on, and are in no segment"));
        }
        passed.insert(after, count);
    }
    let flush = place.notify(&["flush", "--until-empty"]).output().map_err(text)?;
    if flush.status.code() != Some(0) {
        let said = String::from_utf8_lossy(&flush.stderr);
        return Err(format!("the last flush ended with {}: {said}", flush.status));
    }
    judge(&place, &passed)
}

fn judge(place: &Place, passed: &BTreeMap<u32, usize>) -> Case {
    let wrongs = place.telegram.wrongs();
    if !wrongs.is_empty() {
        return Err(wrongs.join("; "));
    }
    let mut told: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut twice = 0;
    for seen in place.telegram.delivered() {
        let ids: Vec<_> = ids(seen.text()).collect();
        twice += usize::from(ids.iter().any(|id| told.contains(id)));
        told.extend(ids);
    }
    for (segment, count) in passed {
        let missing = (1..=*count as u32).find(|index| !told.contains(&(*segment, *index)));
        if let Some(index) = missing {
            return Err(format!("#{segment}.{index} was passed on and never told"));
        }
    }
    let receipts = fs::read_to_string(place.folder.join("spool/receipts")).unwrap_or_default();
    if receipts.is_empty() || twice > KILLS {
        return Err(format!("{twice} messages came twice, at {KILLS} kills"));
    }
    Ok(format!("told whole, {}", if twice == 0 { "each once" } else { "some twice" }))
}

/// The ids that a message names.
fn ids(text: &str) -> impl Iterator<Item = (u32, u32)> {
    text.split_whitespace()
        .filter_map(|word| {
            let (segment, range) = word.strip_prefix('#')?.split_once('.')?;
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let segment: u32 = segment.parse().ok()?;
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            Some((first..=last).map(move |index| (segment, index)))
        })
        .flatten()
}

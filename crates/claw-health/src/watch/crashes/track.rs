//! Which of the things that a manager noted of a unit are crashes, each told once.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::crash::Cause;
use crate::crash::end::{self, End};
use crate::journalctl::{Entry, Event};

/// What is known of a unit: what was noted of it lately, and what was told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Track {
    heard: VecDeque<Heard>,
    /// The ends that were told, by what they are the end of.
    told: VecDeque<String>,
    /// How often its manager has started it anew by itself; nothing where nobody knows.
    restarts: Option<u64>,
    /// Is it about to be started anew?
    #[serde(default)]
    is_restarting: bool,
    /// The start that was found to hang and is not told yet, and by how many looks.
    #[serde(skip)]
    suspect: (String, usize),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Heard {
    entry: Entry,
    /// When that was heard, since boot; by the next monitor, long ago.
    #[serde(skip)]
    at: Duration,
}

/// A crash, as its manager noted it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) at: OffsetDateTime,
    pub(super) invocation: String,
    pub(super) cause: Cause,
    /// The end of its main process, where that is what it was.
    pub(super) end: Option<End>,
    /// The result that its manager gave it, where nothing else is known.
    pub(super) result: Option<String>,
    pub(super) restarts: Option<u64>,
}

/// What a manager notes of an end comes within a moment, unless a process of the unit is left that
/// does not end.
const PATIENCE: Duration = Duration::from_millis(400);

impl Track {
    /// So often it was started anew, as its manager says.
    pub(super) fn begin(&mut self, restarts: u64) {
        self.restarts.get_or_insert(restarts);
    }

    /// Takes in what was noted next.
    pub(super) fn hear(&mut self, entry: Entry, now: Duration) {
        /// Some starts and their ends.
        const MOST: usize = 64;
        match entry.event {
            Event::Restarting(count) => {
                self.restarts = Some(count);
                self.is_restarting = true;
            }
            Event::Started if !std::mem::take(&mut self.is_restarting) => self.restarts = Some(0),
            _ => {}
        }
        self.heard.push_back(Heard { entry, at: now });
        while self.heard.len() > MOST {
            self.heard.pop_front();
        }
    }

    /// The crashes that are not told yet, and of which all is noted that will be.
    pub(super) fn take(&mut self, now: Duration) -> Vec<Seen> {
        let entries: Vec<Entry> = self.heard.iter().map(|heard| heard.entry.clone()).collect();
        let mut seen = Vec::new();
        for heard in &self.heard {
            let crash = crash(&heard.entry, &entries, heard.at + PATIENCE <= now);
            let Some(crash) = crash else { continue };
            let key = key(&crash);
            if !self.told.contains(&key) {
                self.told.push_back(key);
                // Of a hang it was told already; it takes a kill to end it.
                if crash.cause == Cause::Signal && self.told.contains(&hang(&crash.invocation)) {
                    continue;
                }
                seen.push(Seen { restarts: self.restarts_at(&heard.entry), ..crash });
            }
        }
        /// More than there are ends among what is kept.
        const MOST_TOLD: usize = 100;
        while self.told.len() > MOST_TOLD {
            self.told.pop_front();
        }
        seen
    }

    /// When there may be more to tell, though nothing more is noted.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let ends =
            |heard: &&Heard| matches!(heard.entry.event, Event::Ended { .. } | Event::Failed(_));
        let next = self.heard.iter().filter(ends).map(|heard| heard.at + PATIENCE);
        next.filter(|next| *next > now).min()
    }

    /// Is the end of that start known, be it a crash or not?
    pub(super) fn knows(&self, invocation: &str) -> bool {
        let is_end = |event: &Event| matches!(event, Event::Ended { .. } | Event::Succeeded);
        self.of(invocation).any(|entry| is_end(&entry.event))
            || self.told.iter().any(|told| told == invocation)
    }

    /// When that start failed, where the journal has that and not how: of a unit that says very much
    /// it takes in only what is a warning.
    pub(super) fn failed(&self, invocation: &str) -> Option<OffsetDateTime> {
        let is_it = |entry: &&Entry| matches!(entry.event, Event::Failed(_));
        self.of(invocation).find(is_it).map(|entry| entry.at)
    }

    /// Did its manager note anything of the end of that start?
    pub(super) fn is_over(&self, invocation: &str) -> bool {
        let is_end = |event: &Event| matches!(event, Event::Stopping | Event::Failed(_));
        self.knows(invocation) || self.of(invocation).any(|entry| is_end(&entry.event))
    }

    fn of(&self, invocation: &str) -> impl Iterator<Item = &Entry> {
        let entries = self.heard.iter().map(|heard| &heard.entry);
        entries.filter(move |entry| entry.invocation == invocation)
    }

    /// Tells a crash that is known by other means; false where it was told.
    pub(super) fn tell(&mut self, seen: &Seen) -> bool {
        let key = key(seen);
        let is_new = !self.told.contains(&key);
        if is_new {
            self.told.push_back(key);
        }
        is_new
    }

    /// Tells that a start hangs, once so many looks found that; false where it was told, or is not yet.
    pub(super) fn tell_hang(&mut self, seen: &Seen, looks: usize) -> bool {
        if self.suspect.0 != seen.invocation {
            self.suspect = (seen.invocation.clone(), 0);
        }
        self.suspect.1 += 1;
        self.suspect.1 >= looks && self.tell(seen)
    }

    /// How often it had been started anew when that was noted.
    fn restarts_at(&self, entry: &Entry) -> Option<u64> {
        let later = self.heard.iter().skip_while(|heard| heard.entry != *entry);
        let next = later.map(|heard| &heard.entry.event).find_map(|event| match event {
            Event::Restarting(count) => Some(Some(count.saturating_sub(1))),
            // Somebody started it meanwhile, and the count began anew.
            Event::Started => Some(None),
            _ => None,
        });
        match next {
            None => self.restarts,
            Some(known) => known,
        }
    }
}

/// Of a start there is one end; that it is not started any more is told beside it.
fn key(seen: &Seen) -> String {
    match seen.cause {
        _ if seen.invocation.is_empty() => seen.at.unix_timestamp_nanos().to_string(),
        Cause::StartLimit => format!("limit {}", seen.invocation),
        Cause::Hang => hang(&seen.invocation),
        _ => seen.invocation.clone(),
    }
}

fn hang(invocation: &str) -> String {
    format!("hang {invocation}")
}

/// What one entry tells of a crash, with all the others. `is_settled`: will no more be noted of it?
fn crash(entry: &Entry, entries: &[Entry], is_settled: bool) -> Option<Seen> {
    let same = || entries.iter().filter(|other| other.invocation == entry.invocation);
    let seen = |cause| Seen {
        at: entry.at,
        invocation: entry.invocation.clone(),
        cause,
        end: None,
        result: None,
        restarts: None,
    };
    match &entry.event {
        Event::Ended { code, .. } => {
            let is_noted = |other: &Entry| {
                other.at >= entry.at && matches!(other.event, Event::Failed(_) | Event::Started)
            };
            if code != "exited" && !is_settled && !same().any(is_noted) {
                return None;
            }
            let end = end::crash(entry, entries)?;
            Some(Seen { end: Some(end.clone()), ..seen(end.cause) })
        }
        Event::StartLimit => Some(seen(Cause::StartLimit)),
        Event::Failed(result) => {
            let tells_more = |other: &Entry| {
                matches!(
                    other.event,
                    Event::Ended { .. } | Event::Stopping | Event::Succeeded | Event::StartLimit
                )
            };
            // Its manager ends what timed out as it ends what is to stop.
            let timed_out = end::timed_out(&entry.invocation, entries);
            let timed_out = timed_out.filter(|_| result == "timeout");
            if timed_out.is_none() && same().any(tells_more) {
                return None;
            }
            let helper = same().find_map(|other| match &other.event {
                Event::HelperEnded { code, status } => Some((code, *status)),
                Event::Ended { code, status } if timed_out.is_some() => Some((code, *status)),
                _ => None,
            });
            if helper.is_none() && !is_settled {
                // The signal of it may come after it.
                return None;
            }
            let end = helper.map(|(code, status)| End::of(entry, code, status));
            let cause = match (result.as_str(), &end) {
                ("start-limit-hit", _) => Cause::StartLimit,
                ("oom-kill", _) => Cause::Oom,
                ("watchdog", _) => Cause::Watchdog,
                ("timeout", _) => timed_out.unwrap_or(Cause::StartTimeout),
                (_, Some(end)) => end.cause,
                _ => Cause::Exit,
            };
            let result = if end.is_none() { Some(result.clone()) } else { None };
            Some(Seen { end, result, ..seen(cause) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// An entry a word, a second each: `a:ended:killed:9`, where `a` is the start that it is of.
    fn entries(words: &str) -> Vec<Entry> {
        let entry = |(at, word): (usize, &str)| {
            let parts: Vec<_> = word.split(':').collect();
            let number = |text: &str| text.parse().unwrap();
            let event = match parts[1..] {
                ["started"] => Event::Started,
                ["stopping"] => Event::Stopping,
                ["oom"] => Event::OutOfMemory,
                ["watchdog"] => Event::WatchdogTimeout,
                ["late"] => Event::StartTimeout,
                ["long"] => Event::RuntimeLimit,
                ["limit"] => Event::StartLimit,
                ["again", count] => Event::Restarting(count.parse().unwrap()),
                ["failed", result] => Event::Failed(result.to_owned()),
                ["ended", code, status] => {
                    Event::Ended { code: code.to_owned(), status: number(status) }
                }
                ["helper", code, status] => {
                    Event::HelperEnded { code: code.to_owned(), status: number(status) }
                }
                _ => unreachable!("{word}"),
            };
            let at = datetime!(2026-11-22 14:00 UTC) + Duration::from_secs(at as u64);
            Entry { at, invocation: parts[0].to_owned(), event }
        };
        words.split_whitespace().enumerate().map(entry).collect()
    }

    fn word(seen: &Seen) -> String {
        let end = seen.end.as_ref().and_then(|end| end.exit_code.or(end.signal));
        let end = end.map(|end| format!(" {end}")).unwrap_or_default();
        let result = seen.result.as_ref().map(|result| format!(" {result}")).unwrap_or_default();
        let restarts = seen.restarts.map_or("?".to_owned(), |count| count.to_string());
        format!("{}{end}{result} ({restarts})", seen.cause.word())
    }

    const START: Duration = Duration::from_secs(1000);

    /// What is told, where everything is heard at once and then nothing more.
    fn told(words: &str) -> String {
        let mut track = Track::default();
        entries(words).into_iter().for_each(|entry| track.hear(entry, START));
        let mut told: Vec<_> = track.take(START).iter().map(word).collect();
        told.extend(track.take(START + PATIENCE).iter().map(|seen| format!("late {}", word(seen))));
        told.join(", ")
    }

    #[test]
    fn a1_each_crash_is_told_with_its_cause_and_what_is_asked_for_is_none() {
        for (noted, expected) in [
            ("a:started a:ended:exited:3 a:failed:exit-code", "exit 3 (0)"),
            // Nothing has to come after an exit, and something may after a signal.
            ("a:started a:ended:exited:3", "exit 3 (0)"),
            ("a:started a:ended:killed:9", "late signal 9 (0)"),
            ("a:started a:ended:killed:9 a:failed:signal", "signal 9 (0)"),
            ("a:started a:ended:dumped:11 a:failed:core-dump", "signal 11 (0)"),
            ("a:started a:oom a:ended:killed:9 a:failed:oom-kill", "oom 9 (0)"),
            ("a:started a:watchdog a:ended:killed:6 a:failed:watchdog", "watchdog 6 (0)"),
            ("a:started a:stopping a:ended:exited:1 a:failed:exit-code", ""),
            ("a:started a:stopping a:failed:timeout", ""),
            ("a:started a:ended:killed:15", ""),
            ("a:helper:exited:1 a:failed:exit-code", "exit 1 (?)"),
            ("a:failed:timeout", "late hang timeout (?)"),
            // Of an end by the manager's own signal nothing is noted, and what is signalled of it looks
            // like a stop.
            ("a:late a:failed:timeout", "late hang timeout (?)"),
            ("a:late a:stopping a:ended:killed:15 a:failed:timeout", "hang 15 (?)"),
            ("a:late a:failed:timeout a:stopping a:ended:exited:0", "hang 0 (?)"),
            ("a:late a:ended:killed:9 a:failed:timeout", "hang 9 (?)"),
            ("a:late a:ended:exited:3 a:failed:timeout", "hang 3 (?)"),
            ("a:ended:killed:9 a:failed:timeout", "hang 9 (?)"),
            ("a:late a:helper:killed:9 a:failed:timeout", "hang 9 (?)"),
            ("a:started a:long a:stopping a:ended:killed:15 a:failed:timeout", "hang 15 (0)"),
            ("a:started a:long a:failed:timeout", "late hang timeout (0)"),
            ("a:started a:stopping a:ended:killed:9 a:failed:timeout", ""),
            (
                "a:late a:failed:timeout a:again:1 b:limit b:failed:timeout",
                "start-limit (1), late hang timeout (0)",
            ),
            (
                "a:late a:ended:killed:9 a:failed:timeout a:again:1 a:limit a:failed:timeout",
                "hang 9 (0), start-limit (1)",
            ),
            ("a:failed:resources", "late exit resources (?)"),
            ("a:failed:start-limit-hit", "late start-limit start-limit-hit (?)"),
            // Two in a row; the second one hits the limit, with the result of the crash before it.
            (
                "a:started a:ended:exited:1 a:failed:exit-code a:again:1 b:started b:ended:killed:9 \
                 b:failed:signal b:again:2 b:limit b:failed:signal",
                "exit 1 (0), signal 9 (1), start-limit (2)",
            ),
            // Only the end of it was heard.
            ("b:again:2 b:limit b:failed:signal", "start-limit (2)"),
            // Somebody started it: the count begins anew.
            (
                "a:again:7 b:started b:ended:exited:1 c:started c:ended:exited:1",
                "exit 1 (?), exit 1 (0)",
            ),
        ] {
            assert_eq!(told(noted), expected, "{noted}");
        }
    }

    #[test]
    fn a1_a_crash_is_told_once_whatever_comes_again_and_by_the_next_monitor() {
        let all = entries(
            "a:started a:ended:killed:9 a:failed:signal a:again:1 b:started b:ended:exited:1 b:failed:exit-code",
        );
        for first in 0..=all.len() {
            let mut track = Track::default();
            let mut told = Vec::new();
            for entry in &all[..first] {
                track.hear(entry.clone(), START);
                told.extend(track.take(START));
            }
            // The next monitor knows what was kept, and may read on from before that.
            let kept = serde_json::to_string(&track).unwrap();
            let mut track: Track = serde_json::from_str(&kept).unwrap();
            for entry in &all[first.saturating_sub(2)..] {
                track.hear(entry.clone(), START);
                told.extend(track.take(START));
            }
            told.extend(track.take(START + PATIENCE));
            let words: Vec<_> = told.iter().map(word).collect();
            assert_eq!(words.len(), 2, "{first}: {words:?}");
            assert!(
                words[0].starts_with("signal 9") && words[1].starts_with("exit 1"),
                "{words:?}"
            );
        }
    }

    #[test]
    fn a_hang_and_the_kill_that_ends_it_are_one() {
        let mut track = Track::default();
        let hang = Seen {
            at: datetime!(2026-11-22 14:00 UTC),
            invocation: "a".to_owned(),
            cause: Cause::Hang,
            end: None,
            result: None,
            restarts: None,
        };
        assert!(track.tell_hang(&hang, 1) && !track.tell_hang(&hang, 1));
        let rest =
            "a:ended:killed:6 a:failed:signal a:again:1 b:started b:ended:killed:6 b:failed:signal";
        entries(rest).into_iter().for_each(|entry| track.hear(entry, START));
        assert_eq!(track.take(START).iter().map(word).collect::<Vec<_>>(), ["signal 6 (1)"]);
    }

    #[test]
    fn each_start_that_hangs_is_told_once_enough_looks_found_it() {
        let mut track = Track::default();
        let mut found = |invocation: &str, looks| {
            let seen = Seen {
                at: datetime!(2026-11-22 14:00 UTC),
                invocation: invocation.to_owned(),
                cause: Cause::Hang,
                end: None,
                result: None,
                restarts: None,
            };
            track.tell_hang(&seen, looks)
        };
        let told = [("a", 1), ("a", 2), ("b", 2), ("a", 2), ("b", 2), ("b", 2), ("b", 2)];
        let told = told.map(|(invocation, looks)| found(invocation, looks));
        assert_eq!(told, [true, false, false, false, false, true, false]);
        // The kills that end them are no crashes.
        let rest =
            "a:ended:killed:6 a:failed:signal a:again:1 b:started b:ended:killed:6 b:failed:signal";
        entries(rest).into_iter().for_each(|entry| track.hear(entry, START));
        assert_eq!(track.take(START), []);
    }

    /// The journal has no room for what is no warning, and the signal tells the rest.
    #[test]
    fn a_failure_waits_for_the_signal_of_how_it_ended() {
        for (signalled, expected) in
            [("a:ended:exited:3", "exit 3 (?)"), ("a:stopping a:ended:exited:1", "")]
        {
            let mut track = Track::default();
            let failed = entries("a:failed:exit-code").remove(0);
            let at = failed.at;
            track.hear(failed, START);
            assert_eq!(track.take(START), []);
            assert_eq!((track.knows("a"), track.failed("a")), (false, Some(at)));
            for entry in entries(signalled) {
                track.hear(Entry { at, ..entry }, START);
            }
            let told: Vec<_> = track.take(START + PATIENCE).iter().map(word).collect();
            assert_eq!(told.join(", "), expected);
        }
    }

    #[test]
    fn a_start_is_over_once_anything_of_its_end_is_noted_or_told() {
        for (noted, expected) in [
            ("a:started b:ended:exited:1", false),
            ("a:started a:stopping", true),
            ("a:ended:killed:9", true),
            ("a:failed:signal", true),
        ] {
            let mut track = Track::default();
            entries(noted).into_iter().for_each(|entry| track.hear(entry, START));
            assert_eq!(track.is_over("a"), expected, "{noted}");
        }
        let mut track = Track::default();
        let lost = Seen {
            at: datetime!(2026-11-22 14:00 UTC),
            invocation: "a".to_owned(),
            cause: Cause::ManagerGone,
            end: None,
            result: None,
            restarts: None,
        };
        assert!(!track.is_over("a") && track.tell(&lost) && track.is_over("a"));
        // Whatever of it comes to light later is the same.
        entries("a:ended:killed:9").into_iter().for_each(|entry| track.hear(entry, START));
        assert_eq!(track.take(START + PATIENCE), []);
    }

    #[test]
    fn what_is_kept_of_a_unit_is_bounded() {
        let mut track = Track::default();
        for number in 0..10_000 {
            let words = format!("i{number}:started i{number}:ended:exited:1");
            entries(&words).into_iter().for_each(|entry| track.hear(entry, START));
            assert_eq!(track.take(START).len(), 1);
        }
        assert!(serde_json::to_string(&track).unwrap().len() < 20_000);
    }
}

//! When did the gateway crash last, and of what?
//!
//! Two know of it: systemd, which saw the process end, and OpenClaw, which writes a bundle where it
//! still can. The newest of what they know counts.

#[cfg(test)]
mod tests;

use claw_box::Scope;
use nix::unistd::geteuid;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::checks::unit::{gateway_scope, signal};
use crate::checks::{Check, Find, Found, Needs};
use crate::crash::Crash;
use crate::crash::bundle::{self, Bundle};
use crate::crash::end::{self, End};
use crate::finding::{Finding, Measure, span};
use crate::host::Host;
use crate::journalctl::Journal;
use crate::look::Look;
use crate::remedy::{journal_around, quoted};
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "last-crash",
    about: "when the gateway crashed last, and of what; only where it is asked for",
    operand: "",
    settings: &[Setting::limit(
        "crash-warn-hours",
        "hours",
        24.0,
        "How long a crash is worth a look",
    )],
    find: Find::Named,
    needs: Needs::OpenClaw,
    waits: true,
    runs_programs: true,
    every_seconds: 600,
    is_sure: false,
    run,
};

/// What is known of the ends of the gateway's process.
struct Known {
    /// The last one that was a crash, or why nobody can tell.
    end: Result<Option<End>, String>,
    /// Where there was none, since when that is known.
    since: Option<OffsetDateTime>,
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    let (me, owner) = (geteuid(), host.owner());
    // Another user may not see its folder, and still read the journal.
    let sees_home = me.is_root() || me.as_raw() == owner.uid || !host.is_running();
    if sees_home && !host.has_openclaw() {
        return Err(format!("OpenClaw is not set up for {}", owner.name));
    }
    let now = OffsetDateTime::now_utc();
    let (bundle, bundles_unread) = match bundle::latest(host, now) {
        Ok(bundle) => (bundle, None),
        Err(why) => (None, Some(why)),
    };
    let scope = gateway_scope(host);
    let known = known(look, scope);
    let crash = latest(known.end.as_ref().ok().cloned().flatten(), bundle);
    let limit = look.number("crash-warn-hours") * 3600.0;
    let mut finding = judge(crash.as_ref(), &known, now, limit);
    if let Some(crash) = &crash
        && !finding.passes()
    {
        finding = finding.remedy(remedy(host, scope, crash));
    } else if known.end.is_err() && host.is_running() && !geteuid().is_root() {
        finding = finding.remedy("ask as root: sudo claw-health last-crash");
    }
    if let Some(path) = crash.iter().find_map(|crash| Some(crash.bundle.as_ref()?.path(host))) {
        finding = finding.note("bundle", path);
    }
    for (key, why) in [("bundles_unread", bundles_unread), ("journal_unread", known.end.err())] {
        if let Some(why) = why {
            finding = finding.note(key, why);
        }
    }
    Ok(vec![finding])
}

/// Asks the journal.
fn known(look: &Look, scope: Scope) -> Known {
    let host = &look.host;
    let of_nobody = |why: String| Known { end: Err(why), since: None };
    if !host.is_running() {
        return of_nobody("the journal of a tree of files is not read".to_owned());
    }
    let uid = host.owner().uid;
    let journal = Journal { scope, unit: &host.gateway_unit, uid, deadline: look.deadline };
    let end = match journal.ends() {
        Ok(entries) => end::last_crash(&entries),
        Err(why) => return of_nobody(why),
    };
    if end.is_some() {
        return Known { end: Ok(end), since: None };
    }
    match journal.oldest() {
        Ok(Some(since)) => Known { end: Ok(None), since: Some(since) },
        Ok(None) => {
            let who = if geteuid().is_root() { "the journal has" } else { "this user may read" };
            of_nobody(format!("{who} no entry of the {scope} manager that has the gateway"))
        }
        Err(why) => of_nobody(why),
    }
}

/// The newest crash. An end and the bundle that was written before it are one crash.
fn latest(end: Option<End>, bundle: Option<Bundle>) -> Option<Crash> {
    match (end, bundle) {
        (None, None) => None,
        (Some(end), Some(bundle)) if bundle.is_of(&end) => {
            Some(Crash { end: Some(end), bundle: Some(bundle) })
        }
        (Some(end), Some(bundle)) if bundle.at > end.at => {
            Some(Crash { end: None, bundle: Some(bundle) })
        }
        (None, bundle) => Some(Crash { end: None, bundle }),
        (end, _) => Some(Crash { end, bundle: None }),
    }
}

fn judge(crash: Option<&Crash>, known: &Known, now: OffsetDateTime, limit: f64) -> Finding {
    let subject = CHECK.name;
    let Some(crash) = crash else {
        return match (&known.end, known.since) {
            (Err(why), _) => Finding::unknown(subject, why),
            (Ok(_), None) => Finding::unknown(subject, "nobody knows since when it did not crash"),
            (Ok(_), Some(since)) => {
                let day = shown(since);
                let message = format!("no crash in the journal since its first entry, {day}");
                Finding::pass(subject, message).note("since", day)
            }
        };
    };
    let age = (now - crash.at()).max(Duration::ZERO).as_seconds_f64();
    let told =
        format!("the last one was {} ago: {}; limit {}", span(age), crash.words(), span(limit));
    let finding = match &known.end {
        _ if age < limit => Finding::warn(subject, told),
        // A kill leaves no bundle: there may have been one since.
        Err(why) => {
            Finding::unknown(subject, format!("{told}; of a later one nobody can tell: {why}"))
        }
        Ok(_) => Finding::pass(subject, told),
    };
    with_data(finding, crash).measure(Measure::new("age_seconds", age))
}

fn with_data(finding: Finding, crash: &Crash) -> Finding {
    let mut finding = finding.note("cause", crash.cause().word()).note("at", shown(crash.at()));
    if let Some(end) = &crash.end {
        if let Some(code) = end.exit_code {
            finding = finding.note("exit_code", code);
        }
        if let Some(number) = end.signal {
            finding = finding.note("signal", signal(number));
        }
    }
    if let Some(bundle) = &crash.bundle {
        finding = finding.note("pid", bundle.pid);
        if let Some(error) = &bundle.error {
            finding = finding.note("error", error.line());
        }
    }
    finding
}

fn remedy(host: &Host, scope: Scope, crash: &Crash) -> String {
    let around = journal_around(host, scope, &host.gateway_unit, crash.at());
    match &crash.bundle {
        Some(bundle) => {
            format!("{around}; and see {}", quoted(&bundle.path(host)))
        }
        None => around,
    }
}

/// A time as records have it.
fn shown(time: OffsetDateTime) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // There is no field in it that a time has not.
    time.to_offset(UtcOffset::UTC).format(FORMAT).unwrap_or_default()
}

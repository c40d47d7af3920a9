//! Does a URL answer with the right status, in time, and with the right text?

use std::ops::RangeInclusive;

use claw_record::Status;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure};
use crate::look::Look;
use crate::network::probe::{self, Answer, Probe, time};
use crate::network::tls::Trust;
use crate::network::url::Url;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "http",
    about: "status, time and text of what a URL answers",
    operand: "URL",
    settings: &[
        Setting::text(
            "http-status",
            "codes",
            "200-399",
            "Statuses that are right, as in 200,300-399",
        ),
        Setting::text("http-body", "text", "", "Text that must be in the body"),
        Setting::limit(
            "http-warn",
            "seconds",
            2.0,
            "Time for the whole answer that is worth a look",
        ),
    ],
    find: Find::Asked,
    needs: Needs::Running,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

/// What is asked of an answer.
struct Wanted {
    status: Vec<RangeInclusive<u16>>,
    /// The statuses as they were given.
    status_text: String,
    text: String,
    warn: f64,
}

fn run(look: &Look) -> Found {
    let url = Url::parse(&look.operand)?;
    let wanted = Wanted {
        status: codes(look.text("http-status"))?,
        status_text: look.text("http-status").to_owned(),
        text: look.text("http-body").to_owned(),
        warn: look.number("http-warn"),
    };
    let probe = probe::get(&url, Trust::Roots, look.deadline);
    Ok(vec![judge(look.subject(), &probe, &wanted)])
}

/// A list such as `200,300-399`.
fn codes(text: &str) -> Result<Vec<RangeInclusive<u16>>, String> {
    let bad = || format!("--http-status is no list of codes such as 200,300-399: {text:.40}");
    let code = |text: &str| {
        let code = text.trim().parse().ok();
        code.filter(|code| (100..=999).contains(code)).ok_or_else(bad)
    };
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = code(first)?..=code(last)?;
        if range.is_empty() { Err(bad()) } else { Ok(range) }
    };
    text.split(',').map(range).collect()
}

fn judge(subject: String, probe: &Probe, wanted: &Wanted) -> Finding {
    let clocks = &probe.clocks;
    let finding = match &probe.outcome {
        Err(failure) => failure.finding(subject),
        Ok(answer) => {
            let after = clocks.total.unwrap_or_default();
            let total = Measure::new("total_seconds", after.as_secs_f64()).warn_at(wanted.warn);
            let (status, said) = match objection(answer, wanted) {
                Some(objection) => (Status::Fail, objection),
                None => (total.status(), seen(answer)),
            };
            let message = format!("{said}, after {}; limit {} s", time(after), wanted.warn);
            Finding::judged(status, subject, message)
                .note("status_code", answer.head.status)
                .measure(total)
                .measure(Measure::new("body_bytes", answer.body.len() as f64))
        }
    };
    let steps = [("connect_seconds", clocks.connect), ("first_byte_seconds", clocks.first_byte)];
    steps.into_iter().fold(finding, |finding, (key, after)| match after {
        Some(after) => finding.measure(Measure::new(key, after.as_secs_f64())),
        None => finding,
    })
}

/// What is wrong with an answer, if anything is.
fn objection(answer: &Answer, wanted: &Wanted) -> Option<String> {
    let status = answer.head.status;
    if !wanted.status.iter().any(|range| range.contains(&status)) {
        return Some(format!("status {status}, which is not in {}", wanted.status_text));
    }
    let text = wanted.text.as_bytes();
    if text.is_empty() || answer.body.windows(text.len()).any(|window| window == text) {
        return None;
    }
    let part = if answer.is_cut { "first part of the " } else { "" };
    Some(format!("status {status}, and the {part}body lacks the text '{}'", wanted.text))
}

fn seen(answer: &Answer) -> String {
    let status = answer.head.status;
    if (300..400).contains(&status) && answer.head.header("location").is_some() {
        return format!("status {status}, a redirect that was not followed");
    }
    let more = if answer.is_cut { "more than " } else { "" };
    format!("status {status}, {more}{} bytes", answer.body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_codes_and_ranges() {
        for (list, inside, outside) in
            [("200", 200, 201), ("200-399", 399, 400), ("204, 401,500-599", 503, 200)]
        {
            let codes = codes(list).expect(list);
            assert!(codes.iter().any(|range| range.contains(&inside)), "{list}");
            assert!(!codes.iter().any(|range| range.contains(&outside)), "{list}");
        }
        for list in ["", "x", "200-", "399-200", "99", "200,,300"] {
            assert!(codes(list).unwrap_err().contains("200,300-399"), "{list}");
        }
    }
}

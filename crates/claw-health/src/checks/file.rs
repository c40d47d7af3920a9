//! Is a file there, and as old and as large as it ought to be?

use std::os::unix::fs::FileTypeExt;
use std::time::SystemTime;

use claw_record::Status;
use nix::errno::Errno;
use nix::unistd::AccessFlags;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, bytes, span};
use crate::look::Look;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "file",
    about: "a file that must be there, its age and its size",
    operand: "PATH",
    settings: &[
        Setting::limit(
            "file-max-age",
            "seconds",
            0.0,
            "Age from which on it is too old; 0 for any",
        ),
        Setting::limit("file-min-size", "bytes", 0.0, "Size below which it is too small"),
        Setting::limit(
            "file-max-size",
            "bytes",
            0.0,
            "Size above which it is too large; 0 for any",
        ),
    ],
    find: Find::Asked,
    needs: Needs::Files,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

/// What was asked of the file; 0 is not asked.
#[derive(Debug, Default)]
struct Limits {
    max_age: f64,
    min_size: f64,
    max_size: f64,
}

/// What the kernel says of it.
#[derive(Debug)]
struct Seen {
    kind: &'static str,
    /// Less than 0 where its time is in the future, of a clock that was wrong.
    age_seconds: f64,
    size_bytes: f64,
}

fn run(look: &Look) -> Found {
    let (host, path) = (&look.host, look.operand.as_str());
    let meta = match host.meta(path) {
        Ok(meta) => meta,
        Err(Errno::ENOENT | Errno::ENOTDIR) => {
            // In a tree, too: this reads the link and goes nowhere.
            let link = std::fs::read_link(host.path(path)).ok();
            let message = match link {
                Some(end) => format!("it is a link to '{}', which is not there", end.display()),
                None => "it is not there".to_owned(),
            };
            return Ok(vec![Finding::fail(look.subject(), message)]);
        }
        Err(error) => return Err(format!("cannot look at '{path}': {}", error.desc())),
    };
    let kind = meta.file_type();
    let seen = Seen {
        kind: match kind {
            _ if kind.is_file() => "file",
            _ if kind.is_dir() => "folder",
            _ if kind.is_socket() => "socket",
            _ if kind.is_fifo() => "pipe",
            _ => "device",
        },
        age_seconds: meta.modified().map_or(0.0, age),
        size_bytes: meta.len() as f64,
    };
    let limits = Limits {
        max_age: look.number("file-max-age"),
        min_size: look.number("file-min-size"),
        max_size: look.number("file-max-size"),
    };
    let readable = nix::unistd::eaccess(&host.path(path), AccessFlags::R_OK).is_ok();
    Ok(vec![judge(look.subject(), &seen, &limits).note("readable", readable)])
}

fn age(at: SystemTime) -> f64 {
    match SystemTime::now().duration_since(at) {
        Ok(age) => age.as_secs_f64(),
        Err(ahead) => -ahead.duration().as_secs_f64(),
    }
}

fn judge(subject: String, seen: &Seen, limits: &Limits) -> Finding {
    /// The clock of a file server may be so much ahead.
    const SKEW_SECONDS: f64 = 60.0;
    let is_ahead = seen.age_seconds < -SKEW_SECONDS;
    let mut age = Measure::new("age_seconds", seen.age_seconds.max(0.0));
    let mut troubles = Vec::new();
    let mut told = format!("a {} of {}", seen.kind, bytes(seen.size_bytes));
    if limits.min_size > 0.0 || limits.max_size > 0.0 {
        told.push_str(", limits ");
        told.push_str(&bytes(limits.min_size));
        match limits.max_size {
            0.0 => told.push_str(" and more"),
            max => told.push_str(&format!(" to {}", bytes(max))),
        }
    }
    if is_ahead {
        told.push_str(&format!(", its time is in the future by {}", span(-seen.age_seconds)));
    } else {
        told.push_str(&format!(", {} old", span(seen.age_seconds.max(0.0))));
    }
    if limits.max_age > 0.0 {
        age = age.fail_at(limits.max_age);
        told.push_str(&format!(", limit {}", span(limits.max_age)));
        if age.status() != Status::Pass {
            troubles.push("too old");
        }
    }
    if seen.size_bytes < limits.min_size {
        troubles.push("too small");
    }
    if limits.max_size > 0.0 && seen.size_bytes > limits.max_size {
        troubles.push("too large");
    }
    let finding = match troubles.is_empty() {
        // How old it is cannot be known.
        true if is_ahead && limits.max_age > 0.0 => Finding::warn(subject, told),
        true => Finding::pass(subject, told),
        false => Finding::fail(subject, format!("{}: {told}", troubles.join(" and "))),
    };
    let finding = if is_ahead { finding } else { finding.measure(age) };
    finding.measure(Measure::new("size_bytes", seen.size_bytes)).note("kind", seen.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_is_judged() {
        let none = Limits::default();
        for (age, size, limits, expected) in [
            (1e9, 0.0, &none, "a file of 0 B, 11574 d 1 h old"),
            (
                60.0,
                500.0,
                &Limits { max_age: 60.0, ..none },
                "too old: a file of 500 B, 1 min old, limit 1 min",
            ),
            (
                1.0,
                9.0,
                &Limits { min_size: 10.0, ..none },
                "too small: a file of 9 B, limits 10 B and more, 1 s old",
            ),
            (
                1.0,
                10.0,
                &Limits { min_size: 10.0, max_size: 10.0, ..none },
                "a file of 10 B, limits 10 B to 10 B, 1 s old",
            ),
            (
                9.0,
                2000.0,
                &Limits { max_age: 5.0, min_size: 0.0, max_size: 1000.0 },
                "too old and too large: a file of 2.0 kB, limits 0 B to 1.0 kB, 9 s old, limit 5 s",
            ),
            (-5.0, 9.0, &none, "a file of 9 B, 0 s old"),
            (-7200.0, 9.0, &none, "a file of 9 B, its time is in the future by 2 h"),
            (
                -7200.0,
                9.0,
                &Limits { max_age: 60.0, ..none },
                "a file of 9 B, its time is in the future by 2 h, limit 1 min",
            ),
        ] {
            let seen = Seen { kind: "file", age_seconds: age, size_bytes: size };
            let finding = judge("file:/x".into(), &seen, limits);
            assert_eq!(finding.message, expected);
            let is_ill =
                expected.starts_with("too ") || expected.ends_with("future by 2 h, limit 1 min");
            assert_eq!(finding.passes(), !is_ill, "{expected}");
        }
    }
}

//! How long is a certificate still good, and would a client trust it?

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use claw_record::Status;

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure, span};
use crate::host::Host;
use crate::look::Look;
use crate::network::probe::{Clocks, Failure, connect};
use crate::network::tls::{self, Certificate, Presented};
use crate::network::url::Endpoint;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "certificate",
    about: "days that a certificate is good, of an endpoint or a /FILE, and who trusts it",
    operand: "HOST:PORT",
    settings: &[
        Setting::limit("certificate-warn", "days", 21.0, "Days left that are worth a look"),
        Setting::limit("certificate-fail", "days", 3.0, "Days left that are too few"),
    ],
    find: Find::On(files),
    needs: Needs::Files,
    waits: true,
    runs_programs: false,
    every_seconds: 3600,
    is_sure: true,
    run,
};

/// Where certbot and the BT-Panel put the certificates of a box.
const FOLDERS: &[&str] = &["/etc/letsencrypt/live", "/www/server/panel/vhost/cert"];

const DAY_SECONDS: f64 = 86_400.0;

/// The certificates that this box uses, as far as one may look.
fn files(host: &Host) -> Vec<String> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(host.path(folder)) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let file = |name: String| format!("{folder}/{name}/fullchain.pem");
        files.extend(names.map(file).filter(|file| host.path(file).symlink_metadata().is_ok()));
    }
    files.sort();
    files
}

/// What is to be judged.
struct Seen {
    certificates: Vec<Certificate>,
    /// What a client would say against it.
    objections: Vec<String>,
}

fn run(look: &Look) -> Found {
    if look.operand.is_empty() {
        return Err("it needs to know which: certificate:HOST:PORT or certificate:FILE".to_owned());
    }
    let seen = if look.operand.starts_with('/') {
        let text = look.host.read(&look.operand)?;
        let certificates = Certificate::read_pem(&text)
            .map_err(|why| format!("cannot read '{}': {why}", look.operand))?;
        Seen { certificates, objections: Vec::new() }
    } else if look.host.is_running() {
        let endpoint = Endpoint::parse(&look.operand)?;
        match presented(&endpoint, look.deadline) {
            Ok(presented) => Seen::of(presented, &endpoint)?,
            Err(failure) => return Ok(vec![failure.finding(look.subject())]),
        }
    } else {
        return Err("a tree of files serves none; name a file".to_owned());
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (warn, fail) = (look.number("certificate-warn"), look.number("certificate-fail"));
    Ok(vec![judge(look.subject(), &seen, now, warn, fail)])
}

fn presented(endpoint: &Endpoint, deadline: Instant) -> Result<Presented, Failure> {
    let mut clocks = Clocks::start();
    let socket = connect(endpoint, deadline, &mut clocks)?;
    tls::presented(socket, endpoint, &clocks)
}

impl Seen {
    fn of(presented: Presented, endpoint: &Endpoint) -> Result<Self, String> {
        // Whoever connects by address does not ask for a name.
        let misnamed = presented.misnamed.filter(|_| endpoint.address().is_none());
        let certificates = presented.chain.iter().map(Certificate::read).collect::<Result<_, _>>();
        let objections = presented.untrusted.into_iter().chain(misnamed).collect();
        Ok(Self { certificates: certificates?, objections })
    }
}

/// Of several certificates, the one that ends first counts.
fn judge(subject: String, seen: &Seen, now: Duration, warn: f64, fail: f64) -> Finding {
    let Some(certificate) = seen.certificates.iter().min_by_key(|its| its.ends) else {
        return Finding::unknown(subject, "there is no certificate");
    };
    let now = now.as_secs_f64();
    let left_seconds = certificate.ends as f64 - now;
    let left = left_seconds / DAY_SECONDS;
    let name = certificate.name();
    let (mut status, mut message) = if left_seconds <= 0.0 {
        (Status::Fail, format!("the certificate of {name} expired {} ago", span(-left_seconds)))
    } else if certificate.begins as f64 > now {
        let until = span(certificate.begins as f64 - now);
        (Status::Fail, format!("the certificate of {name} is not valid for another {until}"))
    } else {
        let status = match left {
            left if left < fail => Status::Fail,
            left if left < warn => Status::Warn,
            _ => Status::Pass,
        };
        let limit = if status == Status::Fail { fail } else { warn };
        (status, format!("the certificate of {name} ends in {left:.1} days; limit {limit} days"))
    };
    // An expired one is also not to be trusted, which need not be said twice.
    if status != Status::Fail && !seen.objections.is_empty() {
        status = Status::Warn;
        message = format!("{}; {message}", seen.objections.join("; "));
    }
    let finding = Finding::judged(status, subject, message)
        .measure(Measure::new("left_days", left))
        .note("warn_days", warn)
        .note("fail_days", fail)
        .note("subject", certificate.subject.clone())
        .note("issuer", certificate.issuer.clone())
        .note("names", certificate.names.clone())
        .note("self_signed", certificate.is_self_signed());
    if finding.passes() || !seen.objections.is_empty() {
        return finding;
    }
    finding.remedy(
        "renew it; where certbot does that: sudo certbot renew, and see why its timer did not",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str, begins: u64, ends: u64) -> Certificate {
        Certificate {
            subject: format!("CN={name}"),
            issuer: "CN=An Authority".to_owned(),
            names: vec![name.to_owned()],
            begins,
            ends,
        }
    }

    #[test]
    fn the_certificate_that_ends_first_is_judged_by_its_days() {
        const DAY: u64 = 86_400;
        let now = 1000 * DAY;
        for (begins, ends, objection, expected) in [
            (
                900,
                1100,
                None,
                "pass the certificate of a.example ends in 100.0 days; limit 21 days",
            ),
            (900, 1020, None, "warn the certificate of a.example ends in 20.0 days; limit 21 days"),
            (900, 1002, None, "fail the certificate of a.example ends in 2.0 days; limit 3 days"),
            (900, 998, Some("it has expired"), "fail the certificate of a.example expired 2 d ago"),
            (1001, 1100, None, "fail the certificate of a.example is not valid for another 1 d"),
            (
                900,
                1100,
                Some("it is self-signed"),
                "warn it is self-signed; the certificate of a.example ends in 100.0 days; limit 21 days",
            ),
        ] {
            let certificates = vec![
                certificate("ca.example", 0, 9000 * DAY),
                certificate("a.example", begins * DAY, ends * DAY),
            ];
            let objections = objection.map(str::to_owned).into_iter().collect();
            let seen = Seen { certificates, objections };
            let finding = judge("c".into(), &seen, Duration::from_secs(now), 21.0, 3.0);
            assert_eq!(format!("{} {}", finding.status, finding.message), expected);
        }
    }
}

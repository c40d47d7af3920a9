//! Does something accept connections at a port, and how soon?

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::{Finding, Measure};
use crate::look::Look;
use crate::network::probe::{Clocks, Failure, connect, time};
use crate::network::url::Endpoint;
use crate::settings::Setting;

pub(super) const CHECK: Check = Check {
    name: "tcp",
    about: "a port that accepts connections, and how soon",
    operand: "HOST:PORT",
    settings: &[Setting::limit("tcp-warn", "seconds", 1.0, "Time to connect that is worth a look")],
    find: Find::Asked,
    needs: Needs::Running,
    waits: true,
    runs_programs: false,
    every_seconds: 0,
    is_sure: false,
    run,
};

fn run(look: &Look) -> Found {
    let endpoint = Endpoint::parse(&look.operand)?;
    let mut clocks = Clocks::start();
    let failure = connect(&endpoint, look.deadline, &mut clocks).err();
    Ok(vec![judge(look.subject(), failure.as_ref(), &clocks, look.number("tcp-warn"))])
}

fn judge(subject: String, failure: Option<&Failure>, clocks: &Clocks, warn: f64) -> Finding {
    if let Some(failure) = failure {
        return failure.finding(subject);
    }
    let after = clocks.connect.unwrap_or_default();
    let measure = Measure::new("connect_seconds", after.as_secs_f64()).warn_at(warn);
    let message = format!("accepts connections after {}; limit {warn} s", time(after));
    Finding::judged(measure.status(), subject, message).measure(measure)
}

//! A filter in a dozen lines: passes every record on, and adds one when something stops passing.
//!
//! `claw-health --format json | filter | jq .`

use claw_record::{Output, Source, Status, pass_on, report};

fn main() -> std::process::ExitCode {
    let (source, mut output) = (Source::new("claw-example"), Output::stdout(None));
    let result = pass_on("claw-example", std::io::stdin(), &mut output, |record, output| {
        if record.status == Status::Pass {
            return Ok(());
        }
        let message = format!("{} does not pass: {}", record.subject, record.message);
        output.record(&source.record("alert", &record.subject, record.status, &message))
    });
    report("claw-example", result)
}

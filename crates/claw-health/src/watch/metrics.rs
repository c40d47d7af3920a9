//! The monitor as a collector of metrics: a file that is replaced at each look.

use std::path::PathBuf;

use claw_record::{Complaint, complain};

use super::overview::Overview;
use crate::args::{Args, Format};
use crate::formats;

/// A file of metrics.
#[derive(Debug)]
pub(super) struct Metrics {
    format: Format,
    file: PathBuf,
    /// Was it said that it cannot be written?
    is_said: bool,
}

impl Metrics {
    /// The file that was asked for.
    pub(super) fn new(args: &Args, format: Format) -> Self {
        Self { format, file: args.output.clone().unwrap_or_default(), is_said: false }
    }

    /// Writes everything as it was seen last. That it cannot is said once, until it can again.
    pub(super) fn write(&mut self, overview: &Overview) {
        let findings: Vec<_> =
            overview.findings().map(|(check, finding)| (check, finding.clone())).collect();
        let text = formats::metrics(self.format, &findings);
        match formats::replace_output(&self.file, text.as_bytes()) {
            Ok(()) => self.is_said = false,
            Err(error) if !self.is_said => {
                let file = self.file.display().to_string();
                complain("claw-health", &Complaint::cannot("write", &file, error).to_string());
                self.is_said = true;
            }
            Err(_) => {}
        }
    }
}

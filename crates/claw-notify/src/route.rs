//! Who is told of what, and who else if that fails.

use claw_record::Severity;
use serde::{Deserialize, Serialize};

use crate::incident::loudness;

/// Targets in order of failover: `scheme:address` each. One receipt of any of them is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) targets: Vec<String>,
    /// What is less loud is told only where it ends what was told.
    min: Severity,
    /// Nothing is told there: it is only tried whether that works.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_trial: bool,
}

impl Route {
    pub(crate) fn new(targets: Vec<String>, min: Severity) -> Self {
        Self { targets, min, is_trial: false }
    }

    /// A route by which it is tried whether a target works.
    pub(crate) fn trial(target: String) -> Self {
        Self { targets: vec![target], min: Severity::Info, is_trial: true }
    }

    /// A route to nobody.
    pub(crate) fn empty() -> Self {
        Self::new(Vec::new(), Severity::Info)
    }

    /// Has it another target than that one, even if that proves nothing?
    pub(crate) fn has_another_than(&self, target: &str) -> bool {
        self.targets.iter().any(|other| other != target)
    }

    /// Is it loud enough to be told?
    pub(crate) fn hears(&self, severity: Severity) -> bool {
        !self.is_trial && loudness(severity) >= loudness(self.min)
    }
}

//! What is broken, and why.

use claw_record::{Complaint, Outcome};

use crate::args::Args;

/// Looks, and says what is broken.
pub(crate) fn run(_args: &Args) -> Result<Outcome, Complaint> {
    Err(Complaint::new("cannot explain yet"))
}

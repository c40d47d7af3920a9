//! What splits a text, and what makes nothing in it be obeyed, keep their word for any text.

use std::path::Path;
use std::process::Command;

use crate::{Case, Chance};

const TEXTS: &str = "10000";

const PROPERTIES: [&str; 3] = [
    "text::tests::no_part_is_too_long_and_each_has_its_number",
    "text::tests::no_piece_is_too_long_and_together_they_are_the_text",
    "text::tests::nothing_that_is_shown_is_obeyed",
];

/// Runs each property on texts of its own; one that does not hold is shown as small as it can be.
pub(crate) fn run(_: &mut Chance, _: &Path) -> Case {
    let tests = std::env::var_os("CLAW_SPLITTER")
        .ok_or("CLAW_SPLITTER names no program: scripts/soak splitter builds it")?;
    let mut command = Command::new(tests);
    command.arg("--exact").args(PROPERTIES).env("CLAW_PROPTEST_CASES", TEXTS);
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && said.contains("ok. 3 passed;") {
        Ok("held".to_owned())
    } else {
        Err(said.into_owned())
    }
}

//! A Bot API that takes everything: prints its address, and ends with its standard input.

use std::io::{Read, Write};

use claw_tests::bad_telegram::BadTelegram;

fn main() -> std::io::Result<()> {
    let telegram = BadTelegram::start();
    let mut out = std::io::stdout();
    writeln!(out, "{}", telegram.url())?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

//! Big numbers: the same thing thousands of times, with a tally that goes on where it stopped.
//!
//! `soak NAME COUNT`: runs until the tally of that name has reached COUNT, and prints it. A case that
//! goes wrong is printed with its seed, and makes the exit status 1.

mod crashes;
mod gateway;
mod install;
mod kill;
mod lines;
mod notify;
mod pipe;
mod slow_start;
mod splitter;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What became of one case: a word for the tally, or what went wrong.
type Case = Result<String, String>;

/// One kind of soak.
struct Soak {
    name: &'static str,
    about: &'static str,
    /// After so many the tally is kept.
    kept_every: u64,
    run: fn(&mut Chance, &Path) -> Case,
}

const ALL: &[Soak] = &[
    Soak {
        name: "crashes",
        about: "times two hundred ends of every kind in hosts",
        kept_every: 1,
        run: crashes::run,
    },
    Soak {
        name: "gateway",
        about: "looks at gateways of every kind",
        kept_every: 50,
        run: gateway::run,
    },
    Soak {
        name: "install",
        about: "kills of deploy install in a host",
        kept_every: 1,
        run: install::run,
    },
    Soak {
        name: "kill",
        about: "kills of claw-health while it writes its files",
        kept_every: 50,
        run: kill::run,
    },
    Soak {
        name: "lines",
        about: "streams of hostile lines through a filter",
        kept_every: 50,
        run: lines::run,
    },
    Soak {
        name: "pipe",
        about: "times ten kills of each tool of the monitor's pipe, while there are crashes",
        kept_every: 1,
        run: pipe::run,
    },
    Soak {
        name: "slow-start",
        about: "times gateways that start slowly, and that fall silent, before the monitor",
        kept_every: 1,
        run: slow_start::run,
    },
    Soak {
        name: "notify",
        about: "times a hundred kills of claw-notify and a thousand alerts",
        kept_every: 1,
        run: notify::run,
    },
    Soak {
        name: "splitter",
        about: "times ten thousand texts through the splitter and the escaper",
        kept_every: 1,
        run: splitter::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [name, count] = &arguments[..] else { return usage() };
    let Some(soak) = ALL.iter().find(|soak| soak.name == name) else { return usage() };
    let Ok(count) = count.parse() else { return usage() };
    match soak_until(soak, count) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "soak: {error}");
            ExitCode::from(2)
        }
    }
}

fn usage() -> ExitCode {
    let mut out = std::io::stderr();
    let _ = writeln!(out, "usage: soak NAME COUNT");
    for soak in ALL {
        let _ = writeln!(out, "  {:<12}{}", soak.name, soak.about);
    }
    ExitCode::from(2)
}

/// After so many there is something to mend first.
const WRONG_LIMIT: u64 = 10;

fn soak_until(soak: &Soak, count: u64) -> std::io::Result<bool> {
    let tools = std::env::current_exe()?;
    let tools = tools.parent().unwrap_or(Path::new("."));
    let file = tools.join("soak-tally").join(format!("{}.json", soak.name));
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    let mut tally = recall(&file);
    let mut done: u64 = tally.values().sum();
    while done < count && tally.get("WRONG").is_none_or(|wrong| *wrong < WRONG_LIMIT) {
        done += 1;
        let word = match (soak.run)(&mut Chance(done.wrapping_mul(0x9e37_79b9_7f4a_7c15)), tools) {
            Ok(word) => word,
            Err(why) => {
                let _ = writeln!(std::io::stderr(), "soak: {} case {done}: {why}", soak.name);
                "WRONG".to_owned()
            }
        };
        *tally.entry(word).or_default() += 1;
        if done.is_multiple_of(soak.kept_every) || done >= count {
            std::fs::write(&file, serde_json::to_string(&tally).unwrap_or_default())?;
        }
    }
    let words: Vec<_> = tally.iter().map(|(word, count)| format!("{count} {word}")).collect();
    writeln!(std::io::stdout(), "{} {}: {}", done, soak.about, words.join(", "))?;
    Ok(!tally.contains_key("WRONG"))
}

fn recall(file: &PathBuf) -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Chance that a seed decides, so that a case can be had again (xorshift64*).
struct Chance(u64);

impl Chance {
    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    /// One of several.
    fn of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }
}

//! Runs commands in turn and prints what each whole process cost.
//!
//! `bench RUNS NAME COMMAND [NAME COMMAND]…`: each command is a line for `sh`. They run A B C A B C …,
//! so that a machine that drifts does so for all of them; ratios are taken within a round, against
//! the first one. Processor time and peak memory are those that the kernel accounts to the command
//! and its children (`getrusage(2)`), so start-up is in them.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// What one run cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: f64,
    cpu: f64,
    peak_kib: f64,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, [line])) if word == "once" => once(line),
        Some((runs, commands)) if !commands.is_empty() && commands.len().is_multiple_of(2) => {
            match runs.parse() {
                Ok(runs) => compare(runs, commands),
                Err(_) => usage(),
            }
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    let _ = writeln!(std::io::stderr(), "usage: bench RUNS NAME COMMAND [NAME COMMAND]...");
    ExitCode::from(2)
}

/// Runs one command, and prints its cost: a process of its own, as the kernel keeps one peak for all
/// the children of a process.
fn once(line: &str) -> ExitCode {
    let words = line.split_whitespace().collect::<Vec<_>>();
    let (program, arguments): (&str, Vec<&str>) = match words.split_first() {
        Some((program, rest)) if !line.contains(['\'', '"', ';', '|', '&', '$']) => {
            (program, rest.to_vec())
        }
        _ => ("sh", vec!["-c", line]),
    };
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let wall = start.elapsed().as_secs_f64();
    let (Ok(_), Ok(usage)) = (status, getrusage(UsageWho::RUSAGE_CHILDREN)) else {
        return ExitCode::from(2);
    };
    let seconds = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec().unsigned_abs(), time.tv_usec().unsigned_abs() as u32 * 1000)
            .as_secs_f64()
    };
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    let _ = writeln!(std::io::stdout(), "{wall} {cpu} {}", usage.max_rss());
    ExitCode::SUCCESS
}

fn measure(line: &str) -> Option<Cost> {
    let output = Command::new(std::env::current_exe().ok()?).args(["once", line]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, cpu, peak_kib] = numbers[..] else { return None };
    Some(Cost { wall, cpu, peak_kib })
}

fn compare(runs: usize, commands: &[String]) -> ExitCode {
    let commands: Vec<_> = commands.chunks(2).map(|pair| (&pair[0], &pair[1])).collect();
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); commands.len()];
    for round in 0..=runs {
        for ((name, line), costs) in commands.iter().zip(&mut costs) {
            let Some(cost) = measure(line) else {
                let _ = writeln!(std::io::stderr(), "bench: cannot run '{name}': {line}");
                return ExitCode::from(2);
            };
            // The first round warms up.
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{:<28}{:>11}{:>11}{:>11}{:>12}{:>12}",
        "medians of whole processes", "wall ms", "cpu ms", "peak MiB", "wall ratio", "cpu ratio"
    );
    for ((name, _), row) in commands.iter().zip(&costs) {
        let of = |cost: fn(&Cost) -> f64| median(row.iter().map(cost).collect());
        let ratio = |cost: fn(&Cost) -> f64| {
            median(
                row.iter().zip(&costs[0]).map(|(this, first)| cost(this) / cost(first)).collect(),
            )
        };
        let _ = writeln!(
            out,
            "{name:<28}{:>11.2}{:>11.2}{:>11.1}{:>12.2}{:>12.2}",
            of(|cost| cost.wall * 1e3),
            of(|cost| cost.cpu * 1e3),
            of(|cost| cost.peak_kib / 1024.0),
            ratio(|cost| cost.wall),
            ratio(|cost| cost.cpu)
        );
    }
    ExitCode::SUCCESS
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

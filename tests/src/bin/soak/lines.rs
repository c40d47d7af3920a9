//! What goes into a filter comes out of it, whatever it is.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Case, Chance};

const RECORD: &str = r#"{"time":"2026-11-22T03:14:15.000Z","host":"h","tool":"t","event":"e","subject":"s","status":"STATUS","severity":"INFO","message":"m","data":{"used_percent":81.2,"x":[1,null,"\u001b"]}}"#;

pub(crate) fn run(chance: &mut Chance, tools: &Path) -> Case {
    let input: Vec<u8> = (0..chance.below(40)).flat_map(|_| line(chance)).collect();
    let mut child = Command::new(tools.join("examples/filter"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut stdin = child.stdin.take().ok_or("no pipe")?;
    let fed = input.clone();
    let feeder = std::thread::spawn(move || stdin.write_all(&fed));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    feeder.join().map_err(|_| "the feeder failed")?.map_err(|error| error.to_string())?;
    let status = output.status.code();
    if !matches!(status, Some(0 | 2)) || (status == Some(0)) != output.stderr.is_empty() {
        return Err(format!("{}, {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    const OWN: &[u8] = br#""tool":"claw-example""#;
    let own = |line: &&[u8]| !line.windows(OWN.len()).any(|part| part == OWN);
    let passed: Vec<u8> = output
        .stdout
        .split_inclusive(|&byte| byte == b'\n')
        .filter(own)
        .flatten()
        .copied()
        .collect();
    let mut expected = input;
    if !expected.is_empty() && !expected.ends_with(b"\n") {
        expected.push(b'\n');
    }
    if passed == expected {
        Ok(if status == Some(0) { "clean" } else { "passed on and named" }.to_owned())
    } else {
        Err(format!("{} bytes went in, {} came out", expected.len(), passed.len()))
    }
}

/// A record, a damaged one, or anything else, ended or not.
fn line(chance: &mut Chance) -> Vec<u8> {
    let status = chance.of(&["pass", "warn", "fail", "unknown", "later"]);
    let mut line = RECORD.replace("STATUS", status).into_bytes();
    match chance.below(10) {
        0..=3 => {}
        4 => line.truncate(chance.below(line.len())),
        5 => {
            for _ in 0..=chance.below(8) {
                let at = chance.below(line.len());
                line[at] = chance.below(256) as u8;
            }
        }
        6 => line = (0..chance.below(300)).map(|_| chance.below(256) as u8).collect(),
        7 => {
            let depth = chance.below(20_000);
            line = [b"{\"a\":".repeat(depth), b"1".to_vec(), b"}".repeat(depth)].concat();
        }
        8 if chance.below(20) == 0 => line = vec![b'x'; 1024 * 1024 - 2 + chance.below(4)],
        8 => line.extend_from_slice(b"  \r"),
        _ => line.clear(),
    }
    if chance.below(50) > 0 {
        line.push(b'\n');
    }
    line
}

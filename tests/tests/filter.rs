//! What every filter does with a stream that holds anything: `examples/filter.rs`, whole.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use claw_tests::fed_without_a_reader;

const RECORD: &str = r#"{"time":"2026-11-22T03:14:15.000Z","host":"h","tool":"t","event":"e","subject":"s","status":"pass","severity":"INFO","message":"m","later":1}"#;

/// Examples are built beside the tests.
fn filter() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    Command::new(path.join("examples/filter"))
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Feeds it, and gives back its status, output and complaints.
fn fed(input: Vec<u8>) -> (i32, Vec<u8>, String) {
    let mut child = start(&mut filter());
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    (output.status.code().unwrap(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn passes_every_line_on_unchanged_and_names_what_is_no_record() {
    for (what, input, status, complaint) in [
        ("nothing", b"".to_vec(), 0, String::new()),
        ("a record with a key of later", format!("{RECORD}\n").into_bytes(), 0, String::new()),
        ("blank lines", b"\n\n".to_vec(), 0, String::new()),
        ("CRLF", format!("{RECORD}\r\n").into_bytes(), 0, String::new()),
        (
            "text between records",
            format!("{RECORD}\nhello\n{RECORD}\n").into_bytes(),
            2,
            "claw-example: line 2, column 1: not a record: expected value\n".into(),
        ),
        (
            "binary",
            b"\xff\xfe\x00\x1b[31m\n".to_vec(),
            2,
            "claw-example: line 1, column 1: not a record: expected value\n".into(),
        ),
        (
            "a line of 3 MiB",
            [vec![b'x'; 3 << 20], b"\n".to_vec(), RECORD.into(), b"\n".to_vec()].concat(),
            2,
            "claw-example: line 1, not a record: longer than 1048576 bytes\n".into(),
        ),
    ] {
        let (code, output, stderr) = fed(input.clone());
        assert_eq!((code, stderr.as_str()), (status, complaint.as_str()), "{what}");
        assert!(output == input, "{what}: what went in did not come out");
    }
}

#[test]
fn ends_the_last_line_where_nobody_did() {
    assert_eq!(fed(RECORD.into()).1, format!("{RECORD}\n").into_bytes());
}

#[test]
fn adds_its_own_records_behind_the_line_that_caused_them() {
    let failing = RECORD.replace("\"pass\"", "\"fail\"");
    let (status, output, _) = fed(format!("{RECORD}\n{failing}\n{RECORD}\n").into_bytes());
    let output = String::from_utf8(output).unwrap();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!((status, lines.len(), lines[1], lines[3]), (0, 4, failing.as_str(), RECORD));
    let added = serde_json::from_str(lines[2]).unwrap();
    claw_tests::assert_fits_the_schema(&added);
    assert_eq!(added["message"], "s does not pass: m");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let end = fed_without_a_reader(&mut filter(), RECORD);
    assert_eq!(end, (Some(0), String::new()));
}

#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child =
        filter().stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let _ = writeln!(child.stdin.take().unwrap(), "{RECORD}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "claw-example: cannot write standard output: No space left on device (os error 28)\n"
    );
}

#[test]
fn a_stranger_reads_the_stream_in_a_dozen_lines() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/read.py");
    let mut command = Command::new("python3");
    if command.arg("--version").output().is_err() {
        return claw_tests::skip("no python3: examples/read.py was not run");
    }
    let mut child = start(Command::new("python3").arg(script));
    let failing = RECORD.replace("\"pass\"", "\"fail\"").replace("INFO", "CRITICAL");
    write!(child.stdin.take().unwrap(), "{RECORD}\n{failing}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "CRITICAL s: m\n");
    assert_eq!(output.status.code(), Some(1));
}

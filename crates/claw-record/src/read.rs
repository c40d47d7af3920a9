//! Reading lines that may hold anything, and passing them on.

use std::io::{self, BufRead, BufReader, Read};

use crate::exit::{Complaint, Outcome, complain};
use crate::record::{LINE_LIMIT, Record};
use crate::write::Output;

/// What stood on a line.
#[derive(Debug)]
pub enum Line {
    /// A record.
    Record(Box<Record>),
    /// Nothing, or white space.
    Blank,
    /// Something else, and why it is not a record.
    Other(String),
    /// The first [`LINE_LIMIT`] bytes of a line that is longer; [`Lines::rest`] has what follows.
    TooLong,
}

/// The lines of a stream, in memory that does not grow with them.
#[derive(Debug)]
pub struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    inside: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of `input`.
    pub fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(64 * 1024, input),
            line: Vec::new(),
            number: 0,
            inside: false,
        }
    }

    /// Reads the next line; `None` at the end. The rest of a line that was too long is passed over.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        while self.inside {
            self.rest()?;
        }
        self.number += 1;
        if !self.fill()? && self.line.is_empty() {
            return Ok(None);
        }
        Ok(Some(if self.inside { Line::TooLong } else { judge(&self.line) }))
    }

    /// The bytes of the line as they stood there, without the newline.
    pub fn bytes(&self) -> &[u8] {
        &self.line
    }

    /// The number of the line, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Reads on in a line that was too long; `None` when it ended.
    pub fn rest(&mut self) -> io::Result<Option<&[u8]>> {
        if !self.inside {
            return Ok(None);
        }
        self.fill()?;
        Ok(Some(&self.line))
    }

    /// Reads up to the limit into the line. Is there a newline behind it, or more of the line?
    fn fill(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.inside = false;
        loop {
            let ready = match self.input.fill_buf() {
                Ok(ready) => ready,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if ready.is_empty() {
                return Ok(false);
            }
            let room = LINE_LIMIT - self.line.len();
            if let Some(end) = ready.iter().take(room + 1).position(|&byte| byte == b'\n') {
                self.line.extend_from_slice(&ready[..end]);
                self.input.consume(end + 1);
                return Ok(true);
            }
            if ready.len() > room {
                self.line.extend_from_slice(&ready[..room]);
                self.input.consume(room);
                self.inside = true;
                return Ok(true);
            }
            let all = ready.len();
            self.line.extend_from_slice(ready);
            self.input.consume(all);
        }
    }
}

fn judge(line: &[u8]) -> Line {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Line::Blank;
    }
    // An array of the right values would read as a record too.
    if line.trim_ascii_start().starts_with(b"[") {
        return Line::Other("column 1: not a record: an array".to_owned());
    }
    match serde_json::from_slice(line) {
        Ok(record) => Line::Record(Box::new(record)),
        Err(error) => Line::Other(reason(&error)),
    }
}

/// The parser's reason behind its column, without its own line number, which is always 1 here.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("column {}: not a record: {what}", error.column())
}

/// Reads `input` to its end, passes every line on to `output`, unchanged and in order, and calls
/// `each` for every record, after it was passed on.
///
/// What is not a record is passed on as well, named on standard error with the number of its line,
/// and makes the outcome [`Outcome::Unable`]. A blank line is passed on in silence.
pub fn pass_on<R: Read>(
    tool: &str,
    input: R,
    output: &mut Output,
    mut each: impl FnMut(&Record, &mut Output) -> Result<(), Complaint>,
) -> Result<Outcome, Complaint> {
    let mut lines = Lines::new(input);
    let mut outcome = Outcome::Well;
    let cannot_read =
        |error: io::Error| Complaint::new(format!("cannot read standard input: {error}"));
    while let Some(line) = lines.next_line().map_err(cannot_read)? {
        if output.is_closed() {
            break;
        }
        let number = lines.number();
        let mut not_a_record = |why: &str| {
            complain(tool, &format!("line {number}, {why}"));
            outcome = Outcome::Unable;
        };
        match line {
            Line::Record(record) => {
                output.pass(lines.bytes(), Some(&record))?;
                each(&record, output)?;
            }
            Line::Blank => output.pass(lines.bytes(), None)?,
            Line::Other(why) => {
                not_a_record(&why);
                output.pass(lines.bytes(), None)?;
            }
            Line::TooLong => {
                not_a_record(&format!("not a record: longer than {LINE_LIMIT} bytes"));
                output.piece(lines.bytes())?;
                while let Some(piece) = lines.rest().map_err(cannot_read)? {
                    output.piece(piece)?;
                }
                output.piece(b"\n")?;
            }
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(input);
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            let what = match line {
                Line::Record(record) => record.subject,
                Line::Blank => "blank".into(),
                Line::Other(why) => why,
                Line::TooLong => "too long".into(),
            };
            seen.push(format!("{}: {what}", lines.number()));
        }
        seen
    }

    const RECORD: &str = r#"{"time":"2026-11-22T03:14:15Z","host":"h","tool":"t","event":"e","subject":"s","status":"pass","severity":"INFO","message":"m"}"#;

    #[test]
    fn every_kind_of_line_is_told_apart() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let deep_record = RECORD.replace("\"m\"}", &format!("\"m\",\"data\":{{\"x\":{deep}}}}}"));
        for (what, input, expected) in [
            ("nothing", "".as_bytes(), vec![]),
            ("a record", RECORD.as_bytes(), vec!["1: s"]),
            ("CRLF", format!("{RECORD}\r\n").as_bytes(), vec!["1: s"]),
            ("blank lines", b"\n \t\r\n\n", vec!["1: blank", "2: blank", "3: blank"]),
            ("text", b"hello\n", vec!["1: column 1: not a record: expected value"]),
            (
                "cut off",
                &RECORD.as_bytes()[..50],
                vec!["1: column 50: not a record: EOF while parsing a string"],
            ),
            ("a NUL", b"\0\n", vec!["1: column 1: not a record: expected value"]),
            (
                "invalid UTF-8",
                b"{\"time\":\"\xff\xfe\"}\n",
                vec!["1: column 10: not a record: invalid unicode code point"],
            ),
            (
                "two on a line",
                format!("{RECORD}{RECORD}").as_bytes(),
                vec!["1: column 128: not a record: trailing characters"],
            ),
            ("nested deep", deep.as_bytes(), vec!["1: column 1: not a record: an array"]),
            (
                "a record nested deep",
                deep_record.as_bytes(),
                vec!["1: column 265: not a record: recursion limit exceeded"],
            ),
            (
                "the next one still reads",
                format!("x\n{RECORD}\n").as_bytes(),
                vec!["1: column 1: not a record: expected value", "2: s"],
            ),
        ] {
            assert_eq!(read(input), expected, "{what}");
        }
    }

    #[test]
    fn a_line_at_the_limit_is_read_and_one_beyond_it_is_too_long() {
        let padded = |length: usize| format!("{RECORD}{}", " ".repeat(length - RECORD.len()));
        assert_eq!(read(padded(LINE_LIMIT).as_bytes()), ["1: s"]);
        assert_eq!(read(format!("{}\n{RECORD}", padded(LINE_LIMIT)).as_bytes()), ["1: s", "2: s"]);
        let long = format!("{}\n{RECORD}\n", padded(5 * LINE_LIMIT + 1));
        assert_eq!(read(long.as_bytes()), ["1: too long", "2: s"]);
        assert_eq!(read(padded(LINE_LIMIT + 1).as_bytes()), ["1: too long"]);
    }

    #[test]
    fn memory_stays_bounded_however_long_a_line_is() {
        let mut lines = Lines::new(io::repeat(b'x').take(64 * LINE_LIMIT as u64));
        assert!(matches!(lines.next_line().unwrap(), Some(Line::TooLong)));
        assert!(lines.next_line().unwrap().is_none());
        assert!(lines.line.capacity() <= 2 * LINE_LIMIT);
    }
}

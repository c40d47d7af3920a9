//! What is said and heard over a connection: a request, the head of an answer, and its body.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use super::{Clocks, Failure, connect};
use crate::network::tls::{self, Trust};
use crate::network::url::Url;

/// A head that is longer than this is none.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// What is read of a body at most.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;
/// The line before a chunk holds a number and hardly ever more.
const CHUNK_LINE_LIMIT_BYTES: usize = 4096;
/// Answers that only announce another one; more than one is rare.
const INTERIM_LIMIT: usize = 8;
const HEADERS_LIMIT: usize = 128;
const PIECE_BYTES: usize = 16 * 1024;

/// A connection, plain or not.
pub(crate) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A connection and what came over it.
pub(crate) struct Conversation<'a> {
    stream: Box<dyn Stream>,
    clocks: &'a mut Clocks,
    /// What came and was not yet made use of.
    heard: Vec<u8>,
    bytes: u64,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header, whose name is in small letters here.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(its, _)| its == name);
        header.map(|(_, value)| value.as_str())
    }

    #[cfg(test)]
    pub(crate) fn of(status: u16, headers: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Self { status, headers: headers.iter().map(owned).collect() }
    }

    /// The media type of the body, without its parameters.
    pub(crate) fn media_type(&self) -> &str {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }
}

impl<'a> Conversation<'a> {
    /// Connects, and agrees on TLS where the URL asks for it.
    pub(crate) fn open(
        url: &Url,
        trust: Trust,
        deadline: Instant,
        clocks: &'a mut Clocks,
    ) -> Result<Self, Failure> {
        let socket = connect(&url.endpoint, deadline, clocks)?;
        let stream: Box<dyn Stream> = if url.tls {
            Box::new(tls::connect(socket, &url.endpoint, trust, clocks)?)
        } else {
            Box::new(socket)
        };
        Ok(Self { stream, clocks, heard: Vec::new(), bytes: 0 })
    }

    /// Sends.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        sent.map_err(|error| failure(&error, self.bytes, self.clocks))
    }

    /// Waits for more; the end of the connection is a failure.
    fn more(&mut self) -> Result<(), Failure> {
        if self.more_or_end()? { Ok(()) } else { Err(Failure::Closed { bytes: self.bytes }) }
    }

    fn more_or_end(&mut self) -> Result<bool, Failure> {
        let old = self.heard.len();
        self.heard.resize(old + PIECE_BYTES, 0);
        let read = loop {
            match self.stream.read(&mut self.heard[old..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A TLS connection that ends without saying so.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break Ok(0),
                read => break read,
            }
        };
        self.heard.truncate(old + read.as_ref().map_or(0, |count| *count));
        let count = read.map_err(|error| failure(&error, self.bytes, self.clocks))?;
        if count > 0 && self.clocks.first_byte.is_none() {
            self.clocks.first_byte = Some(self.clocks.elapsed());
        }
        self.bytes += count as u64;
        Ok(count > 0)
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        while self.heard.len() < count {
            self.more()?;
        }
        let rest = self.heard.split_off(count);
        Ok(std::mem::replace(&mut self.heard, rest))
    }

    /// The head of the answer, once those that only say that it is coming are passed over.
    pub(crate) fn head(&mut self) -> Result<Head, Failure> {
        for _ in 0..INTERIM_LIMIT {
            let (head, length) = self.any_head()?;
            self.heard.drain(..length);
            if !(100..200).contains(&head.status) || head.status == 101 {
                return Ok(head);
            }
        }
        Err(Failure::NotHttp("announcements of an answer, and no answer".to_owned()))
    }

    fn any_head(&mut self) -> Result<(Head, usize), Failure> {
        let mut looked_at = 0;
        loop {
            let begins = self.heard.iter().zip(b"HTTP/1.").all(|(one, other)| one == other);
            if !begins {
                return Err(Failure::NotHttp(beginning(&self.heard)));
            }
            if self.heard[looked_at..].contains(&b'\n')
                && let Some(found) = parse(&self.heard)?
            {
                return Ok(found);
            }
            if self.heard.len() > HEAD_LIMIT_BYTES {
                let limit = HEAD_LIMIT_BYTES / 1024;
                return Err(Failure::NotHttp(format!("a head of more than {limit} KiB")));
            }
            looked_at = self.heard.len();
            self.more()?;
        }
    }

    /// The body of the answer and whether there is more of it than is read.
    pub(crate) fn body(&mut self, head: &Head) -> Result<(Vec<u8>, bool), Failure> {
        if matches!(head.status, 101 | 204 | 304) {
            return Ok((Vec::new(), false));
        }
        let coding = head.header("transfer-encoding").unwrap_or_default();
        if coding.to_ascii_lowercase().contains("chunked") {
            return self.chunks();
        }
        if let Some(length) = head.header("content-length") {
            let length: u64 = length
                .trim()
                .parse()
                .map_err(|_| Failure::NotHttp("a length that is no number".to_owned()))?;
            let is_cut = length > BODY_LIMIT_BYTES as u64;
            let length = if is_cut { BODY_LIMIT_BYTES } else { length as usize };
            return Ok((self.take(length)?, is_cut));
        }
        while self.heard.len() <= BODY_LIMIT_BYTES && self.more_or_end()? {}
        let is_cut = self.heard.len() > BODY_LIMIT_BYTES;
        self.heard.truncate(BODY_LIMIT_BYTES);
        Ok((std::mem::take(&mut self.heard), is_cut))
    }

    fn chunks(&mut self) -> Result<(Vec<u8>, bool), Failure> {
        let garbled = || Failure::NotHttp("a garbled chunk".to_owned());
        let mut body = Vec::new();
        loop {
            let (line, size) = match httparse::parse_chunk_size(&self.heard) {
                Ok(httparse::Status::Complete((line, size))) => (line, size),
                Ok(httparse::Status::Partial) if self.heard.len() < CHUNK_LINE_LIMIT_BYTES => {
                    self.more()?;
                    continue;
                }
                _ => return Err(garbled()),
            };
            if size == 0 {
                return Ok((body, false));
            }
            self.heard.drain(..line);
            let room = BODY_LIMIT_BYTES - body.len();
            if size > room as u64 {
                body.extend(self.take(room)?);
                return Ok((body, true));
            }
            body.extend(self.take(size as usize)?);
            if self.take(2)? != b"\r\n" {
                return Err(garbled());
            }
        }
    }
}

/// A head and its length, once it is complete.
fn parse(heard: &[u8]) -> Result<Option<(Head, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(heard) {
        Ok(httparse::Status::Complete(length)) => {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let headers = answer.headers.iter();
            let headers = headers
                .map(|header| (header.name.to_ascii_lowercase(), text(header.value)))
                .collect();
            Ok(Some((Head { status: answer.code.unwrap_or_default(), headers }, length)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            Err(Failure::NotHttp(format!("more than {HEADERS_LIMIT} headers")))
        }
        Err(error) => Err(Failure::NotHttp(error.to_string())),
    }
}

/// How something that is not HTTP begins, for people.
fn beginning(heard: &[u8]) -> String {
    const LONGEST: usize = 40;
    if heard.starts_with(&[0x15, 3]) {
        return "it speaks TLS: ask with https://".to_owned();
    }
    let line = heard.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    let text: String = line.trim_ascii_end().iter().take(LONGEST).map(shown).collect();
    format!("it says '{text}'")
}

fn failure(error: &io::Error, bytes: u64, clocks: &Clocks) -> Failure {
    let within = clocks.elapsed();
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock if bytes == 0 => Failure::Silent(within),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::Dribble { bytes, within },
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Failure::Reset
        }
        ErrorKind::InvalidData => Failure::Tls(error.to_string()),
        _ => Failure::Unreachable(error.to_string()),
    }
}

#[cfg(test)]
mod tests;

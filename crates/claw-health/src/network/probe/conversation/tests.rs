use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::network::probe::Answer;

/// A connection that gives its pieces one by one, and then ends or goes silent.
struct Script {
    pieces: Vec<Vec<u8>>,
    ends: bool,
    given: Rc<RefCell<usize>>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pieces.is_empty() {
            return if self.ends { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let length = self.pieces[0].len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.pieces[0][..length]);
        self.pieces[0].drain(..length);
        if self.pieces[0].is_empty() {
            self.pieces.remove(0);
        }
        *self.given.borrow_mut() += length;
        Ok(length)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hear(pieces: Vec<Vec<u8>>, ends: bool) -> (Result<Answer, Failure>, usize) {
    let given = Rc::new(RefCell::new(0));
    let stream = Box::new(Script { pieces, ends, given: Rc::clone(&given) });
    let mut clocks = Clocks::start();
    let mut conversation =
        Conversation { stream, clocks: &mut clocks, heard: Vec::new(), bytes: 0 };
    let answer = conversation.head().and_then(|head| {
        let (body, is_cut) = conversation.body(&head)?;
        Ok(Answer { head, body, is_cut })
    });
    let given = *given.borrow();
    (answer, given)
}

/// What is heard of an answer, in whole and in single bytes, as one line.
fn read(text: &str, ends: bool) -> String {
    let line = |pieces| match hear(pieces, ends).0 {
        Ok(answer) => format!("{} {}", answer.head.status, String::from_utf8_lossy(&answer.body)),
        Err(Failure::Silent(_)) => "silent".to_owned(),
        Err(Failure::Dribble { bytes, .. }) => format!("dribble {bytes}"),
        Err(failure) => failure.to_string(),
    };
    let whole = line(text.as_bytes().chunks(1024).map(<[u8]>::to_vec).collect());
    let bytes = line(text.bytes().map(|byte| vec![byte]).collect());
    // How much came before it was clear that it is nothing depends on the pieces.
    if !whole.starts_with("that is not HTTP: it ") {
        assert_eq!(whole, bytes, "{text}");
    }
    whole
}

#[test]
fn answers_are_read_however_they_are_framed_and_cut_into_pieces() {
    for (text, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody and more", "200 body"),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 until the end"),
        ("HTTP/1.0 503\r\ncontent-length:2\r\n\r\nno", "503 no"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nbod\r\n1\r\ny\r\n0\r\n\r\n",
            "200 body",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\nno body", "204 "),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "200 ",
        ),
    ] {
        assert_eq!(read(text, true), expected, "{text}");
    }
}

#[test]
fn a1_what_never_becomes_an_answer_is_told_apart() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (text, ends, expected) in [
        ("", false, "silent"),
        ("", true, "it accepts connections and closes them without a byte"),
        ("HTT", false, "dribble 3"),
        ("HTTP/1.1 200 OK\r\nX: y\r\n", false, "dribble 23"),
        (
            "HTTP/1.1 200 OK\r\nX: y\r\n",
            true,
            "it closed the connection after 23 bytes of an answer",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", false, "dribble 42"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody",
            true,
            "it closed the connection after 42 bytes of an answer",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", true, "that is not HTTP: it says 'SSH-2.0-OpenSSH_9.2'"),
        ("\x15\x03\x03\0\x02\x02\x46", true, "that is not HTTP: it speaks TLS: ask with https://"),
        ("\x1b]0;evil\x07\r\n", true, "that is not HTTP: it says '.]0;evil.'"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", true, "that is not HTTP: invalid response status"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            true,
            "that is not HTTP: a length that is no number",
        ),
        (
            &"HTTP/1.1 100 Continue\r\n\r\n".repeat(9),
            true,
            "that is not HTTP: announcements of an answer, and no answer",
        ),
        (&format!("{chunked}zz\r\n"), true, "that is not HTTP: a garbled chunk"),
        (&format!("{chunked}1\r\nxyz"), true, "that is not HTTP: a garbled chunk"),
        (&format!("{chunked}fffffffffffffffff\r\n"), true, "that is not HTTP: a garbled chunk"),
    ] {
        assert_eq!(read(text, ends), expected, "{text}");
    }
}

#[test]
fn what_never_ends_is_read_to_a_limit() {
    let endless = |begin: &str, piece: &[u8]| {
        let mut pieces = vec![begin.as_bytes().to_vec()];
        pieces.extend(std::iter::repeat_n(piece.to_vec(), 8 * 1024 * 1024 / piece.len()));
        hear(pieces, false)
    };
    let filler = [b'x'; 8192];
    for (begin, expected) in [
        ("HTTP/1.1 200 OK\r\nX: ", "that is not HTTP: a head of more than 64 KiB"),
        ("HTTP/1.1 200 ", "that is not HTTP: a head of more than 64 KiB"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            "that is not HTTP: a garbled chunk",
        ),
    ] {
        let (answer, given) = endless(begin, &filler);
        assert_eq!(answer.unwrap_err().to_string(), expected);
        assert!(given < 128 * 1024, "{given}");
    }
    let headers = endless("HTTP/1.1 200 OK\r\n", b"a: b\r\n").0.unwrap_err();
    assert_eq!(headers.to_string(), "that is not HTTP: more than 128 headers");
    for begin in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n",
    ] {
        let (answer, given) = endless(begin, &filler);
        let answer = answer.unwrap();
        assert_eq!((answer.body.len(), answer.is_cut), (BODY_LIMIT_BYTES, true), "{begin}");
        assert!(given < BODY_LIMIT_BYTES + 64 * 1024, "{given}");
    }
}

/// Real answers with bytes changed, in pieces: each is read or refused, and none brings it down.
#[test]
fn no_bytes_bring_it_down() {
    let seeds: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: a/b; c\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nbod\r\n1\r\ny\r\n0\r\n\r\n",
        b"\x81\x05hello\x88\x02\x03\xe8\x89\x00\x81\x7e\x00\x01a\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01b",
    ];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for round in 0..2_000 {
        let mut bytes = seeds[round % 3].to_vec();
        for _ in 0..random(6) {
            let at = random(bytes.len());
            bytes[at] = random(256) as u8;
        }
        bytes.truncate(random(bytes.len()) + 1);
        let size = random(20) + 1;
        let pieces: Vec<_> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let _ = hear(pieces.clone(), round % 2 == 0);
        let stream = Box::new(Script { pieces, ends: true, given: Rc::default() });
        let mut clocks = Clocks::start();
        let mut conversation =
            Conversation { stream, clocks: &mut clocks, heard: Vec::new(), bytes: 0 };
        while conversation.frame().is_ok() {}
    }
}

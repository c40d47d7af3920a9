//! Peers that do not speak as they should.

use std::thread;

use super::*;

const PING: Method = Method { path: "/", interface: "a.b", name: "C" };

/// A method return to the first call, with this signature and body.
fn reply(signature: &str, body: &[u8]) -> Vec<u8> {
    let mut fields = vec![5, 1, b'u', 0, 1, 0, 0, 0, 8, 1, b'g', 0, signature.len() as u8];
    fields.extend(signature.bytes());
    fields.push(0);
    let mut message = if cfg!(target_endian = "little") { vec![b'l'] } else { vec![b'B'] };
    message.extend([METHOD_RETURN, 0, 1]);
    for word in [body.len(), 7, fields.len()] {
        message.extend((word as u32).to_ne_bytes());
    }
    message.extend(fields);
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend(body);
    message
}

/// What comes of a call to a peer that lets us in and then sends this, and no more.
fn call(answer: Vec<u8>) -> Result<Vec<Value>, Failure> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let peer = thread::spawn(move || {
        let _ = theirs.write_all(b"OK 0123456789abcdef\r\n");
        let _ = theirs.write_all(&answer);
        // What it is sent has to be read, or it is lost with the connection.
        let _ = theirs.shutdown(std::net::Shutdown::Write);
        let _ = theirs.read_to_end(&mut Vec::new());
    });
    let answer = Connection::direct(ours).unwrap().call(&PING, &[Argument::Text("x")]);
    peer.join().unwrap();
    answer
}

#[test]
fn an_answer_is_read_whatever_its_types() {
    let text = |text: &str| Value::Text(text.to_owned());
    for (signature, body, expected) in [
        ("", &b""[..], vec![]),
        ("s", b"\x02\0\0\0hi\0", vec![text("hi")]),
        ("ay", b"\x02\0\0\0\x01\x02", vec![Value::Bytes(vec![1, 2])]),
        ("as", b"\0\0\0\0", vec![Value::List(vec![])]),
        ("v", b"\x01s\0\0\x01\0\0\0x\0", vec![text("x")]),
        (
            "a{sv}",
            b"\x10\0\0\0\0\0\0\0\x01\0\0\0k\0\x01i\0\0\0\0\xff\xff\xff\xff",
            vec![Value::List(vec![Value::List(vec![text("k"), Value::Signed(-1)])])],
        ),
        (
            "yt",
            b"\x05\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0",
            vec![Value::Unsigned(5), Value::Unsigned(7)],
        ),
    ] {
        if cfg!(target_endian = "little") {
            assert_eq!(call(reply(signature, body)), Ok(expected), "{signature}");
        }
    }
}

#[test]
fn an_answer_that_is_none_breaks_the_connection_and_nothing_else() {
    let nested = "a".repeat(200) + "s";
    let garbled = "answered with something that is not D-Bus";
    let mut huge = reply("", b"");
    huge[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
    let mut foreign = reply("", b"");
    foreign[0] = b'?';
    for (answer, why) in [
        (Vec::new(), "hung up"),
        (b"lll".to_vec(), "hung up"),
        (foreign, "answered in a foreign byte order"),
        (huge, "answered with more than 2097152 bytes"),
        (reply("s", b"\xff\xff\xff\xffx\0"), garbled),
        (reply("as", b"\xff\xff\xff\xff"), garbled),
        (reply("a()", b"\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), garbled),
        (reply("a", b"\0\0\0\0"), garbled),
        (reply("(s", b"\x01\0\0\0x\0"), garbled),
        (reply("v", b"\x02ss\0\0\0\0\0"), garbled),
        (reply("z", b""), garbled),
        (reply(&nested, b"\0\0\0\0"), garbled),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(call(answer), Err(Failure::Broken(why.to_owned())), "{shown:?}");
    }
}

#[test]
fn a_peer_that_never_answers_does_not_hold_us() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let began = Instant::now();
    let why = Connection::direct(ours).map(drop);
    assert_eq!(why, Err("does not answer within 2 s".to_owned()));
    assert!(began.elapsed() < TIMEOUT * 2);
}

/// It would keep a time limit on each single read for ever.
#[test]
fn a_peer_that_dribbles_does_not_hold_us() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        while theirs.write_all(b"O").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let began = Instant::now();
    assert_eq!(Connection::direct(ours).map(drop), Err("does not answer within 2 s".to_owned()));
    assert!(began.elapsed() < TIMEOUT * 2);
}

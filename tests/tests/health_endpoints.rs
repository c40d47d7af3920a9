//! Ports and URLs, on real sockets.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use claw_tests::{Run, health, run, tool};

/// A server of one answer, given piece by piece; its port, and what it was asked last.
fn serve(pieces: &'static [&'static str]) -> (u16, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut asked = vec![0; 4096];
        let count = socket.read(&mut asked).unwrap();
        for piece in pieces {
            // The other side may have heard enough.
            let _ = socket.write_all(piece.as_bytes());
            thread::sleep(Duration::from_millis(20));
        }
        String::from_utf8_lossy(&asked[..count]).into_owned()
    });
    (port, served)
}

fn said(run: &Run) -> String {
    let record = run.record();
    format!("{} {}", record["status"].as_str().unwrap(), record["message"].as_str().unwrap())
}

#[test]
fn m2_a_port_accepts_refuses_or_has_no_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = health(&[&format!("tcp:127.0.0.1:{port}")]);
    assert!(said(&run).starts_with("pass accepts connections after "), "{}", run.stdout);
    let record = run.record();
    assert_eq!(record["subject"], format!("tcp:127.0.0.1:{port}"));
    assert!(record["data"]["connect_seconds"].as_f64().unwrap() < 1.0);
    assert_eq!(record["data"]["connect_warn_seconds"], 1);
    assert_eq!(health(&[&format!("tcp:localhost:{port}")]).status, 0);
    drop(listener);
    let run = health(&[&format!("tcp:127.0.0.1:{port}")]);
    assert_eq!(said(&run), "fail nothing listens there: connection refused");
    assert_eq!(run.status, 1);
}

/// A statically linked program does not survive the modules of the C library, so getent asks them.
#[test]
fn names_are_looked_up_by_getent_within_the_time_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = folder.path().join("getent");
    let say = |target: &str, script: &str| {
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut tool = tool("claw-health");
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        said(&run(tool.env("PATH", path).args(["--format", "json", "--timeout", "1", target])))
    };
    let target = format!("tcp:a.example:{port}");
    for (target, script, expected) in [
        (
            target.as_str(),
            "[ \"$*\" = 'ahosts -- a.example' ] && echo '127.0.0.1 STREAM a.example'",
            "pass accepts connections after ",
        ),
        (&target, "exit 2", "fail its name has no address: unknown host"),
        (&target, "exit 1", "unknown this box cannot ask: 'getent ahosts' failed: exit status: 1"),
        (&target, "sleep 60", "unknown this box cannot ask: 'getent ahosts' did not end in time"),
        (&format!("tcp:a.localhost:{port}"), "sleep 60", "pass accepts connections after "),
        ("tcp:-x:1", "sleep 60", "fail its name has no address: unknown host"),
    ] {
        let said = say(target, script);
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
    std::fs::remove_file(&path).unwrap();
    let run = run(tool("claw-health").env("PATH", folder.path()).args([
        "--format",
        "json",
        "tcp:a.example:1",
        "http://a.example/",
    ]));
    for record in run.records() {
        assert_eq!(record["status"], "unknown");
        assert_eq!(
            record["message"],
            "this box cannot ask: cannot run 'getent': No such file or directory (os error 2)"
        );
    }
}

#[test]
fn m2_a_port_that_is_late_is_worth_a_look() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = health(&[&format!("tcp:[::1]:{port}"), "--tcp-warn", "0"]);
    assert!(said(&run).starts_with("warn accepts connections after "), "{}", run.stdout);
}

#[test]
fn m7_a_url_is_judged_by_status_text_and_time() {
    let ok = &["HTTP/1.1 200 OK\r\nContent-", "Length: 11\r\n\r\nall ", "is well"];
    let moved = &[
        "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/?key=secret\r\nContent-Length: 0\r\n\r\n",
    ];
    let broken =
        &["HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"];
    for (answer, arguments, expected) in [
        (&ok[..], &[][..], "pass status 200, 11 bytes, after"),
        (&ok[..], &["--http-body", "is well"], "pass status 200, 11 bytes, after"),
        (
            &ok[..],
            &["--http-body", "is ill"],
            "fail status 200, and the body lacks the text 'is ill', after",
        ),
        (
            &ok[..],
            &["--http-status", "204,300-399"],
            "fail status 200, which is not in 204,300-399, after",
        ),
        (&ok[..], &["--http-warn", "0"], "warn status 200, 11 bytes, after"),
        (&ok[..], &["--http-status", "fine"], "unknown --http-status is no list of codes"),
        (&moved[..], &[], "pass status 302, a redirect that was not followed, after"),
        (&broken[..], &[], "fail status 503, which is not in 200-399, after"),
        (&broken[..], &["--http-status", "503"], "pass status 503, 2 bytes, after"),
    ] {
        let (port, _served) = serve(answer);
        let url = format!("http://127.0.0.1:{port}/health");
        let run = health(&[&[url.as_str()], arguments].concat());
        assert!(said(&run).starts_with(expected), "{}", run.stdout);
        assert_eq!(run.record()["subject"], url);
        assert!(!run.stdout.contains("secret"), "{}", run.stdout);
    }
}

#[test]
fn m7_the_figures_of_an_answer_stand_in_the_data() {
    let (port, _served) = serve(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "body"]);
    let data = health(&[&format!("http:http://127.0.0.1:{port}")]).record()["data"].clone();
    assert_eq!((&data["status_code"], &data["body_bytes"]), (&200.into(), &4.into()));
    let [connect, first_byte, total] = ["connect_seconds", "first_byte_seconds", "total_seconds"]
        .map(|key| data[key].as_f64().unwrap());
    assert!(connect <= first_byte && first_byte < total && total < 2.0, "{data}");
}

/// What a gateway would take for a proxy's word must never be sent.
#[test]
fn m2_a_probe_sends_no_forwarding_headers() {
    let (port, served) = serve(&["HTTP/1.1 204 No Content\r\n\r\n"]);
    assert_eq!(health(&[&format!("http://127.0.0.1:{port}/x?y=z")]).status, 0);
    let asked = served.join().unwrap().to_lowercase();
    assert!(asked.starts_with("get /x?y=z http/1.1\r\n"), "{asked}");
    assert!(asked.contains("connection: close\r\n"), "{asked}");
    for header in ["forwarded", "x-real-ip", "authorization", "cookie"] {
        assert!(!asked.contains(header), "{asked}");
    }
}

#[test]
fn a_secret_in_a_url_is_never_repeated() {
    for (url, status, expected) in [
        (
            "http://me:secret-token@127.0.0.1:1/",
            2,
            "a user or a password has no place in a URL here",
        ),
        ("http://127.0.0.1:1/?key=secret-token", 1, "http://127.0.0.1:1/?…"),
        ("http://127.0.0.1:1x/secret-token", 2, "the port is no number from 1 to 65535"),
        ("gateway:http://me:secret-token@127.0.0.1:1", 2, "a user or a password"),
    ] {
        let run = health(&[url]);
        let all = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.status, status, "{all}");
        assert!(all.contains(expected) && !all.contains("secret-token"), "{all}");
    }
    let run = health(&["gateway", "--gateway-url", "http://me:secret-token@127.0.0.1:1"]);
    assert_eq!(
        said(&run),
        "unknown cannot use --gateway-url: a user or a password has no place in a URL here"
    );
}

/// A queue of connections that is full takes no more, and says nothing about it.
#[test]
fn a1_what_does_not_even_accept_is_cut_off_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(socket) =
        std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200))
    {
        queued.push(socket);
        if queued.len() > 8192 {
            claw_tests::skip("the queue of connections is too long to fill");
            return;
        }
    }
    let begin = Instant::now();
    let run = health(&[
        "--timeout",
        "1",
        &format!("tcp:{address}"),
        &format!("gateway:http://{address}"),
    ]);
    assert!(begin.elapsed() < Duration::from_secs(2));
    let records = run.records();
    assert_eq!(records[0]["message"], "no connection within 1.0 s");
    assert_eq!(records[1]["data"]["state"], "hung");
}

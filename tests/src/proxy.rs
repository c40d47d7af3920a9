//! A proxy on a port of its own: it goes where it is asked to by CONNECT, and notes what passes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What came through.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// The line that asked for it: `CONNECT 192.0.2.1:443 HTTP/1.1`.
    pub line: String,
    /// The head below that line, in lower case.
    pub head: String,
    /// What the caller sent to where it was connected.
    pub bytes: Vec<u8>,
}

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    port: u16,
    to: Option<u16>,
    passed: Arc<Mutex<Vec<Passed>>>,
}

impl Proxy {
    /// One that connects to that port of this box, whatever it is asked for, or that refuses with status
    /// 407. It lives as long as the process.
    pub fn start(to: Option<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let port = listener.local_addr().expect("it has an address").port();
        let proxy = Self { port, to, passed: Arc::default() };
        let serving = proxy.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let proxy = serving.clone();
                thread::spawn(move || proxy.serve(&stream));
            }
        });
        proxy
    }

    /// Where it is: `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What passed, up to now.
    pub fn passed(&self) -> Vec<Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut input = BufReader::new(stream);
        let mut asked = Passed::default();
        input.read_line(&mut asked.line).ok()?;
        loop {
            let mut line = String::new();
            input.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            asked.head.push_str(&line.to_ascii_lowercase());
        }
        let is_connect = asked.line.starts_with("CONNECT ");
        let place = {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            passed.push(asked);
            passed.len() - 1
        };
        let mut output = stream;
        let to = self.to.filter(|_| is_connect);
        let Some(to) = to.and_then(|port| TcpStream::connect(("127.0.0.1", port)).ok()) else {
            let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
            return output.write_all(refusal.as_bytes()).ok();
        };
        output.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
        let (mut back, mut caller) = (to.try_clone().ok()?, stream.try_clone().ok()?);
        thread::spawn(move || {
            let _ = std::io::copy(&mut back, &mut caller);
            let _ = caller.shutdown(Shutdown::Both);
        });
        let mut part = [0; 4096];
        while let Ok(count @ 1..) = input.read(&mut part) {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            passed[place].bytes.extend_from_slice(&part[..count]);
            drop(passed);
            (&to).write_all(&part[..count]).ok()?;
        }
        to.shutdown(Shutdown::Both).ok()
    }
}

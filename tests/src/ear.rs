//! A service on a port of its own that notes what it is told, and answers as it is set up to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its path, with what follows it.
    pub path: String,
    /// Its head, in lower case.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Heard {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What a line of its head says.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        Some(line.split_once(':')?.1.trim())
    }
}

/// A service.
#[derive(Clone, Debug)]
pub struct Ear {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Ear {
    /// One that always answers that, after a while. It lives as long as the process.
    pub fn start(status: u16, answer: &str, after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let port = listener.local_addr().expect("it has an address").port();
        let ear = Self { port, heard: Arc::default() };
        let serving = ear.clone();
        let answer =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (ear, answer) = (serving.clone(), answer.clone());
                thread::spawn(move || ear.listen(&stream, &answer, after));
            }
        });
        ear
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it heard, up to now.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn listen(&self, mut stream: &TcpStream, answer: &str, after: Duration) {
        let mut input = BufReader::new(stream);
        while let Some(heard) = request(&mut input) {
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
            thread::sleep(after);
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn request(input: &mut impl BufRead) -> Option<Heard> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut head, mut length) = (String::new(), 0);
    loop {
        line.clear();
        input.read_line(&mut line).ok()?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&format!("{name}:{value}\n"));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(Heard { path, head, body: String::from_utf8_lossy(&body).into_owned() })
}

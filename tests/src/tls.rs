//! Certificates, and a service behind them; openssl makes the ones and is the other.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Who signs certificates.
#[derive(Debug)]
pub struct Authority(TempDir);

impl Authority {
    /// One of that name; nothing where there is no openssl.
    pub fn new(name: &str) -> Option<Self> {
        let authority = Self(tempfile::tempdir().expect("a folder"));
        Command::new("openssl").arg("version").output().ok()?;
        authority.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
             -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca"
        ));
        Some(authority)
    }

    /// What somebody who trusts it has in a file.
    pub fn file(&self) -> PathBuf {
        self.0.path().join("ca")
    }

    /// A certificate for a name, valid for so many days from now on.
    pub fn sign(&self, name: &str, days: i32) -> Certificate {
        let known = fs::read_dir(self.0.path()).expect("a folder").count();
        let base = format!("certificate-{known}");
        let says = format!("subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n");
        fs::write(self.0.path().join("extensions"), says).expect("it is written");
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
             -keyout {base}.key -out {base}.request"
        ));
        self.openssl(&format!(
            "x509 -req -in {base}.request -CA ca -CAkey ca.key -CAcreateserial -days {days} \
             -extfile extensions -out {base}"
        ));
        Certificate { file: self.0.path().join(&base), key: self.0.path().join(base + ".key") }
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .expect("openssl starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {stderr}");
    }
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    file: PathBuf,
    key: PathBuf,
}

/// A service on a port of this box that ends when it is dropped.
#[derive(Debug)]
pub struct Secure {
    port: u16,
    child: Child,
    heard: Arc<Mutex<String>>,
}

impl Secure {
    /// One that answers each request with status 200 and that body.
    pub fn start(port: u16, certificate: &Certificate, answer: &str) -> Self {
        let path = |path: &Path| path.to_str().expect("plain").to_owned();
        let mut child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")])
            .args(["-cert", &path(&certificate.file), "-key", &path(&certificate.key)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts");
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = child.stdout.take().expect("a pipe");
        let heard = Arc::new(Mutex::new(String::new()));
        let hearing = Arc::clone(&heard);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        thread::spawn(move || {
            let (mut part, mut request) = ([0; 4096], String::new());
            while let Ok(count @ 1..) = output.read(&mut part) {
                let words = String::from_utf8_lossy(&part[..count]);
                hearing.lock().unwrap_or_else(PoisonError::into_inner).push_str(&words);
                request.push_str(&words);
                if is_whole(&request) {
                    request.clear();
                    if input.write_all(answer.as_bytes()).and_then(|()| input.flush()).is_err() {
                        return;
                    }
                }
            }
        });
        let secure = Self { port, child, heard };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "openssl does not listen at {port}");
            thread::sleep(Duration::from_millis(20));
        }
        secure
    }

    /// A port that nobody has.
    pub fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        listener.local_addr().expect("it has an address").port()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All that it was told, as it was before it was encrypted.
    pub fn heard(&self) -> String {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

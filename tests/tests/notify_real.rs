//! claw-notify and real servers: a mail server with TLS, and Alertmanager.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_tests::{Run, run, skip, tool};
use serde_json::Value;
use tempfile::TempDir;

fn record(subject: &str, status: &str, severity: &str) -> String {
    format!(
        r#"{{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"claw-health","event":"check","subject":"{subject}","status":"{status}","severity":"{severity}","message":"81 % used, übervoll","remedy":"du -xh"}}"#
    ) + "\n"
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens at {port}");
        sleep(Duration::from_millis(50));
    }
}

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Post {
    folder: TempDir,
    port: u16,
    _server: Server,
}

impl Post {
    /// Nothing where the box has no such server.
    fn open(way: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=CA:FALSE",
            ])
            .arg("-keyout")
            .arg(here.join("key"))
            .arg("-out")
            .arg(here.join("certificate"))
            .output();
        let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
            let import = Command::new(python).args(["-c", "import aiosmtpd"]).output();
            import.is_ok_and(|output| output.status.success())
        });
        let (Ok(_), Some(python)) = (made, python) else {
            skip("no openssl or no aiosmtpd: no mail was sent");
            return None;
        };
        let port = free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("mail-server.py");
        let mut server = Command::new(python)
            .arg(script)
            .arg(way)
            .args([here.join("certificate"), here.join("key"), here.to_owned()])
            .args(["claw", "secret-password"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(server.stdin.as_mut().unwrap(), "{port}").unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let password = here.join("password");
        fs::write(&password, "secret-password\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        Some(Self { folder, port, _server: Server(server) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tell(&self, url: &str, to: &str, input: &str) -> Run {
        let mut notify = tool("claw-notify");
        notify.args(["--format", "json", "--patience", "2s", "--failover", "500ms"]);
        notify.args(["--to", to, "--smtp-url", url, "--smtp-from", "claw@example.org"]);
        notify.arg("--smtp-password-file").arg(self.path("password"));
        // One for each server: what was found out of one holds not for the next.
        notify.arg("--spool").arg(self.path(&url.replace(['/', ':'], "_")));
        // The box trusts nobody else; and nobody is logged in.
        notify.env("SSL_CERT_FILE", self.path("certificate")).env("PATH", "/nowhere");
        run(notify.write_stdin(input))
    }
}

#[test]
fn n3_a_mail_is_plain_text_with_the_record_and_goes_over_tls() {
    for (way, scheme) in [("starttls", "smtp"), ("tls", "smtps")] {
        let Some(post) = Post::open(way) else { return };
        let url = format!("{scheme}://claw@localhost:{}", post.port);
        let told = post.tell(&url, "smtp:ops@example.org", &record("disk:/", "fail", "ERROR"));
        assert_eq!((told.status, told.stderr.as_str()), (0, ""), "{way}");
        assert!(told.stdout.contains("\"receipt\":\"250 kept as 1\""), "{way}: {}", told.stdout);
        let mail = fs::read_to_string(post.path("1.eml")).unwrap();
        for words in [
            "X-From: claw@example.org",
            "X-To: ops@example.org",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: application/json",
            "record.json",
        ] {
            assert!(mail.contains(words), "{way}: {words} is not in\n{mail}");
        }
    }
}

#[test]
fn a_mail_server_that_is_another_one_gets_no_password_and_no_mail() {
    let Some(post) = Post::open("starttls") else { return };
    let port = post.port;
    for (url, why) in [
        (format!("smtp://claw@127.0.0.1:{port}"), "certificate"),
        (format!("smtps://claw@localhost:{port}"), "corrupt message"),
        (format!("smtp://claw@localhost:{}", free_port()), "onnection"),
    ] {
        let told = post.tell(&url, "smtp:ops@example.org", &record(&url, "fail", "ERROR"));
        assert_eq!(told.status, 1, "{url}");
        assert!(told.stderr.to_lowercase().contains(&why.to_lowercase()), "{url}: {}", told.stderr);
        assert!(!told.stderr.contains("secret-password"), "{}", told.stderr);
    }
    fs::write(post.path("password"), "another-password").unwrap();
    let url = format!("smtp://claw@localhost:{port}");
    let told = post.tell(&url, "smtp:ops@example.org", &record("disk:/", "fail", "ERROR"));
    assert_eq!(told.status, 1);
    assert!(told.stderr.contains("it does not let us in"), "{}", told.stderr);
    assert!(!told.stderr.contains("another-password") && !post.path("1.eml").exists());
}

#[test]
fn a_mailbox_that_is_none_is_passed_by() {
    let Some(post) = Post::open("starttls") else { return };
    let url = format!("smtp://claw@localhost:{}", post.port);
    let to = "smtp:nobody@example.org smtp:ops@example.org";
    let told = post.tell(&url, to, &record("disk:/", "fail", "ERROR"));
    assert_eq!(told.status, 0, "{}", told.stderr);
    assert!(fs::read_to_string(post.path("1.eml")).unwrap().contains("X-To: ops@example.org"));
}

struct Alertmanager {
    folder: TempDir,
    port: u16,
    _server: Server,
}

impl Alertmanager {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        fs::write(&config, "route:\n  receiver: nobody\nreceivers:\n- name: nobody\n").unwrap();
        let port = free_port();
        let server = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(server) = server else {
            skip("no prometheus-alertmanager: it was told nothing");
            return None;
        };
        let server = Server(server);
        wait_for(port);
        Some(Self { folder, port, _server: server })
    }

    fn tell(&self, input: &str) -> Run {
        let mut notify = tool("claw-notify");
        notify.args(["--format", "json", "--also"]);
        notify.arg(format!("alertmanager:http://127.0.0.1:{}", self.port));
        notify.arg("--spool").arg(self.folder.path().join("spool"));
        run(notify.write_stdin(input))
    }

    /// What it holds, by its own word.
    fn holds(&self) -> Vec<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = "GET /api/v2/alerts HTTP/1.0\r\nHost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<Value>(body).unwrap().as_array().unwrap().clone()
    }
}

#[test]
fn an_alertmanager_holds_what_lasts_and_no_more_what_is_over() {
    let Some(alertmanager) = Alertmanager::start() else { return };
    let two = record("disk:/", "fail", "ERROR") + &record("memory", "warn", "WARNING");
    let told = alertmanager.tell(&two);
    assert_eq!((told.status, told.stderr.as_str()), (0, ""));
    let mut held = alertmanager.holds();
    held.sort_by_key(|alert| alert["labels"]["subject"].to_string());
    let labels = |at: usize, name: &str| held[at]["labels"][name].as_str().unwrap().to_owned();
    assert_eq!(held.len(), 2);
    assert_eq!(
        (labels(0, "alertname"), labels(0, "subject")),
        ("claw-disk".into(), "disk:/".into())
    );
    assert_eq!((labels(0, "severity"), labels(0, "instance")), ("error".into(), "vps".into()));
    assert_eq!(held[0]["annotations"]["summary"], "81 % used, übervoll");
    assert_eq!(held[0]["annotations"]["description"], "du -xh");
    assert_eq!(held[0]["startsAt"], "2026-11-22T03:14:15.000Z");
    assert_eq!(held[0]["status"]["state"], "active");
    let told = alertmanager.tell(&record("disk:/", "pass", "INFO"));
    assert_eq!((told.status, told.stderr.as_str()), (0, ""));
    let subjects: Vec<_> =
        alertmanager.holds().iter().map(|alert| alert["labels"]["subject"].clone()).collect();
    assert_eq!(subjects, ["memory"]);
}

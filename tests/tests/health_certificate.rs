//! Certificates made and served by the openssl program, each wrong in its own way.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use claw_tests::{Run, run, tool};
use tempfile::TempDir;

/// Certificates in a folder: `ca.pem`, which the tools are told to trust, and those below it.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Option<Self> {
        if let Err(why) = Command::new("openssl").arg("version").output() {
            claw_tests::skip(&format!("certificates are made with openssl: {why}"));
            return None;
        }
        let authority = Self { folder: TempDir::new().unwrap() };
        authority.key("ca");
        authority.openssl(
            &["req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=Test Authority"],
            &["-days", "365", "-out", "ca.pem"],
        );
        Some(authority)
    }

    fn openssl(&self, arguments: &[&str], more: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .args(more)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn key(&self, name: &str) {
        let file = format!("{name}.key");
        self.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &file], &[]);
    }

    /// Issues a certificate that is good from and until so many days from now.
    fn issue(&self, name: &str, names: &str, from: i64, until: i64) {
        self.key(name);
        let path = |suffix: &str| format!("{name}.{suffix}");
        let subject = format!("/CN={name}");
        self.openssl(
            &["req", "-new", "-key", &path("key"), "-subj", &subject, "-out", &path("csr")],
            &[],
        );
        std::fs::write(self.path("ca.cnf"), CONFIGURATION).unwrap();
        std::fs::write(self.path("index.txt"), "").unwrap();
        std::fs::write(self.path("names.ext"), format!("subjectAltName={names}\n")).unwrap();
        let day = |days: i64| {
            let date = Command::new("date")
                .args(["-u", "-d", &format!("{days} days"), "+%Y%m%d%H%M%SZ"])
                .output()
                .unwrap();
            String::from_utf8(date.stdout).unwrap().trim().to_owned()
        };
        self.openssl(
            &["ca", "-batch", "-config", "ca.cnf", "-extfile", "names.ext"],
            &[
                "-startdate",
                &day(from),
                "-enddate",
                &day(until),
                "-in",
                &path("csr"),
                "-out",
                &path("pem"),
            ],
        );
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Serves a certificate on a free port of this host.
    fn serve(&self, name: &str) -> Server {
        let mut child = Command::new("openssl")
            .args(["s_server", "-www", "-naccept", "100", "-accept", "127.0.0.1:0"])
            .args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ACCEPT ") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "openssl serves");
        }
        let port = line.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        Server { child, port, _said: said }
    }

    fn health(&self, arguments: &[&str]) -> Run {
        run(tool("claw-health")
            .env("SSL_CERT_FILE", self.path("ca.pem"))
            .env_remove("SSL_CERT_DIR")
            .args(["--format", "json"])
            .args(arguments))
    }
}

const CONFIGURATION: &str = "\
[ca]
default_ca = own
[own]
dir = .
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
";

struct Server {
    child: Child,
    port: u16,
    _said: BufReader<std::process::ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(run: &Run) -> String {
    let record = run.record();
    format!("{} {}", record["status"].as_str().unwrap(), record["message"].as_str().unwrap())
}

#[test]
fn m2_what_is_wrong_with_a_served_certificate_is_told_apart() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("good", "DNS:localhost,IP:127.0.0.1", -10, 90);
    authority.issue("ending", "DNS:localhost", -80, 10);
    authority.issue("expired", "DNS:localhost", -90, -2);
    authority.issue("other", "DNS:a.example,DNS:b.example", -10, 90);
    authority.key("self");
    authority.openssl(
        &["req", "-x509", "-new", "-key", "self.key", "-subj", "/CN=self", "-addext"],
        &["subjectAltName=DNS:localhost", "-days", "90", "-out", "self.pem"],
    );
    for (name, expected, over_https) in [
        (
            "good",
            "pass the certificate of localhost ends in 90.0 days; limit 21 days",
            "pass status 200",
        ),
        (
            "ending",
            "warn the certificate of localhost ends in 10.0 days; limit 21 days",
            "pass status 200",
        ),
        (
            "expired",
            "fail the certificate of localhost expired 2 d ago",
            "fail its certificate is not one to trust: it has expired",
        ),
        (
            "self",
            "warn it is self-signed; the certificate of localhost ends in 90.0 days; limit 21 days",
            "fail its certificate is not one to trust: it is self-signed",
        ),
        (
            "other",
            "warn it is for a.example, b.example and not for localhost; the certificate of a.example ends in 90.0 days; limit 21 days",
            "fail its certificate is not one to trust: it is for a.example, b.example and not for localhost",
        ),
    ] {
        let server = authority.serve(name);
        let run = authority.health(&[&format!("certificate:localhost:{}", server.port)]);
        assert!(said(&run).starts_with(expected), "{name}: {}", said(&run));
        let run = authority.health(&[&format!("https://localhost:{}/", server.port)]);
        assert!(said(&run).starts_with(over_https), "{name}: {}", said(&run));
    }
    let server = authority.serve("good");
    let stranger = run(tool("claw-health")
        .env("SSL_CERT_FILE", authority.path("self.pem"))
        .args(["--format", "json", &format!("certificate:127.0.0.1:{}", server.port)]));
    let expected = "warn nobody whom this box trusts vouches for CN=Test Authority; ";
    assert!(said(&stranger).starts_with(expected), "{}", stranger.stdout);
    let data = &stranger.record()["data"];
    assert_eq!(
        (&data["subject"], &data["issuer"]),
        (&"CN=good".into(), &"CN=Test Authority".into())
    );
    assert_eq!(data["names"], serde_json::json!(["localhost", "127.0.0.1"]));
}

#[test]
fn m2_of_the_certificates_of_a_file_the_one_that_ends_first_counts() {
    let Some(authority) = Authority::new() else { return };
    authority.issue("leaf", "DNS:a.example", -80, 2);
    let root = authority.folder.path();
    let live = root.join("etc/letsencrypt/live/a.example");
    std::fs::create_dir_all(&live).unwrap();
    let read = |name| std::fs::read_to_string(root.join(name)).unwrap();
    std::fs::write(
        live.join("fullchain.pem"),
        read("ca.pem") + &read("leaf.key") + &read("leaf.pem"),
    )
    .unwrap();
    std::fs::write(root.join("none.pem"), read("leaf.key")).unwrap();
    std::fs::write(
        root.join("garbled.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let of_tree = |target| authority.health(&["--root", root.to_str().unwrap(), target]);
    let found = of_tree("certificate");
    assert_eq!(said(&found), "fail the certificate of a.example ends in 2.0 days; limit 3 days");
    assert_eq!(
        found.record()["subject"],
        "certificate:/etc/letsencrypt/live/a.example/fullchain.pem"
    );
    for (target, expected) in [
        ("certificate:/none.pem", "unknown cannot read '/none.pem': it holds no certificate"),
        (
            "certificate:/garbled.pem",
            "unknown cannot read '/garbled.pem': a certificate that cannot be read",
        ),
        ("certificate:/absent.pem", "unknown cannot read '/absent.pem': No such file or directory"),
        ("certificate:127.0.0.1:443", "unknown a tree of files serves none; name a file"),
    ] {
        assert!(
            said(&of_tree(target)).starts_with(expected),
            "{target}: {}",
            said(&of_tree(target))
        );
    }
}

#[test]
fn m2_what_speaks_no_tls_is_said() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        use std::io::Write;
        let (mut socket, _): (TcpStream, _) = listener.accept().unwrap();
        socket.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(300));
    });
    assert!(Path::new("/etc/ssl").exists(), "the roots of this box are needed");
    let run = claw_tests::health(&[&format!("certificate:127.0.0.1:{port}")]);
    assert!(said(&run).starts_with("fail no TLS: "), "{}", run.stdout);
    served.join().unwrap();
}

//! claw-notify and the way to a service: proxies, certificates, redirects and names; what goes wrong
//! there is said, and nothing is lost or goes elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use claw_tests::bad_telegram::{BadTelegram, Mood};
use claw_tests::ear::Ear;
use claw_tests::proxy::Proxy;
use claw_tests::tls::{Authority, Certificate, Secure};
use claw_tests::{Run, run, skip, tool};
use tempfile::TempDir;

const TOKEN: &str = "123456:secret-token-of-the-bot";
const ANSWER: &str = r#"{"ok":true,"result":{"message_id":77}}"#;
const RECORD: &str = r#"{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"t","event":"check","subject":"disk:/","status":"fail","severity":"ERROR","message":"full"}"#;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.path("token"), TOKEN).unwrap();
        fs::set_permissions(place.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, api: &str, set: &[(&str, &str)], arguments: &[&str], input: &str) -> Run {
        let mut notify = tool("claw-notify");
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            notify.env_remove(name).env_remove(name.to_uppercase());
        }
        notify.args(["--format", "json", "--telegram-api", api, "--failover", "100ms"]);
        notify.arg("--telegram-token-file").arg(self.path("token"));
        notify.arg("--spool").arg(self.path("spool")).args(arguments).envs(set.iter().copied());
        let run = run(notify.write_stdin(input));
        for secret in ["secret-token", "secret-password"] {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{}", run.stderr);
        }
        run
    }

    fn tell(&self, api: &str, set: &[(&str, &str)]) -> Run {
        let arguments = ["--to", "telegram:5", "--timeout", "2s", "--patience", "500ms"];
        self.run(api, set, &arguments, &format!("{RECORD}\n"))
    }

    /// Nothing was told, that is said with these words, and once it can be it is told.
    fn assert_kept(&self, told: &Run, words: &str) {
        assert_eq!(told.status, 1, "{}", told.stderr);
        assert!(told.stderr.contains(words), "{words} is not in: {}", told.stderr);
        let telegram = BadTelegram::start();
        let flush = self.run(&telegram.url(), &[], &["flush"], "");
        assert_eq!((flush.status, flush.stderr.as_str()), (0, ""), "{words}");
        let texts: Vec<_> =
            telegram.delivered().iter().map(|seen| seen.text().to_owned()).collect();
        assert!(texts[0].starts_with("🔴 ERROR: disk:/ on vps\nfull\n"), "{texts:?}");
    }
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn a_proxy_is_asked_that_the_variable_of_the_scheme_names() {
    for (name, list, is_asked) in [
        ("http_proxy", "", true),
        ("HTTP_PROXY", "", true),
        ("all_proxy", "", true),
        ("ALL_PROXY", "", true),
        ("https_proxy", "", false),
        ("HTTPS_PROXY", "", false),
        ("HTTP_PROXY", "example.org, localhost", true),
        ("HTTP_PROXY", "example.org, 127.0.0.0/8", false),
        ("ALL_PROXY", "*", false),
    ] {
        for spelling in ["NO_PROXY", "no_proxy"] {
            let place = Place::new();
            let telegram = BadTelegram::start();
            let port = port(&telegram.url());
            let proxy = Proxy::start(Some(port));
            let address = format!("http://claw:secret-password@{}", proxy.address());
            let told = place.tell(&telegram.url(), &[(name, &address), (spelling, list)]);
            assert_eq!((told.status, told.stderr.as_str()), (0, ""), "{name} {list}");
            assert_eq!(telegram.delivered().len(), 1, "{name} {list}");
            let passed = proxy.passed();
            assert_eq!(passed.len(), usize::from(is_asked), "{name} {spelling}={list}");
            if let Some(passed) = passed.first() {
                assert_eq!(passed.line, format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n"));
                let password = "proxy-authorization: basic y2xhdzpzzwnyzxqtcgfzc3dvcmq=";
                assert!(passed.head.contains(password), "{}", passed.head);
            }
        }
    }
}

/// The proxy finds the name of the service, and sees neither the token nor the text.
#[test]
fn through_a_proxy_it_is_the_service_itself_that_is_talked_to() {
    let Some(authority) = Authority::new("one") else { return no_openssl() };
    let name = "api.example.org";
    for variable in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        let certificate = authority.sign(name, 2);
        let service = Secure::start(Secure::free_port(), &certificate, ANSWER);
        let proxy = Proxy::start(Some(service.port()));
        let trusted = authority.file();
        let set = [(variable, &*proxy.address()), ("SSL_CERT_FILE", trusted.to_str().unwrap())];
        let told = Place::new().tell(&format!("https://{name}"), &set);
        assert_eq!((told.status, told.stderr.as_str()), (0, ""), "{variable}");
        assert!(told.stdout.contains(r#""receipt":"77""#), "{}", told.stdout);
        let heard = service.heard();
        assert!(
            heard.starts_with(&format!("POST /bot{TOKEN}/sendMessage HTTP/1.1\r\n")),
            "{heard}"
        );
        let passed = &proxy.passed()[0];
        assert_eq!(passed.line, format!("CONNECT {name}:443 HTTP/1.1\r\n"));
        assert_encrypted(&passed.bytes);
    }
}

/// A proxy that has to prove its own name first.
#[test]
fn a_proxy_behind_tls_is_one_only_where_it_is_trusted() {
    let Some(authority) = Authority::new("one") else { return no_openssl() };
    for (name, is_trusted) in [("localhost", true), ("another.example.org", false)] {
        let place = Place::new();
        // It says yes to whatever it is asked, as the service behind it does.
        let proxy = Secure::start(Secure::free_port(), &authority.sign(name, 2), "");
        let (trusted, address) = (authority.file(), format!("https://localhost:{}", proxy.port()));
        let set = [("HTTP_PROXY", &*address), ("SSL_CERT_FILE", trusted.to_str().unwrap())];
        let arguments = ["--also", "webhook:http://api.example.org/hook", "--patience", "500ms"];
        let told = place.run("http://192.0.2.1", &set, &arguments, &format!("{RECORD}\n"));
        let heard = proxy.heard();
        if is_trusted {
            assert_eq!((told.status, told.stderr.as_str()), (0, ""));
            assert!(heard.starts_with("CONNECT api.example.org:80 HTTP/1.1\r\n"), "{heard}");
            assert!(heard.contains("POST /hook HTTP/1.1\r\n"), "{heard}");
        } else {
            let words = "its certificate is refused: it is for another name";
            let words = format!("through the proxy localhost:{}: {words}", proxy.port());
            assert_eq!((told.status, heard.as_str()), (1, ""), "{}", told.stderr);
            assert!(told.stderr.contains(&words), "{}", told.stderr);
        }
    }
}

/// A handshake of TLS, and nothing that can be read.
fn assert_encrypted(bytes: &[u8]) {
    const HANDSHAKE: u8 = 22;
    assert_eq!(bytes.first(), Some(&HANDSHAKE));
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains("secret-token") && !text.contains("POST"), "{text}");
}

#[test]
fn a_proxy_that_does_not_help_is_said_and_nothing_is_lost_or_goes_straight() {
    let telegram = BadTelegram::start();
    let dead = format!("127.0.0.1:{}", Secure::free_port());
    let strict = Proxy::start(None).address();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for (value, words) in [
        (dead.clone(), format!("through the proxy {dead}: ")),
        (strict.clone(), format!("through the proxy {strict}: it answers 407")),
        (silent.clone(), format!("through the proxy {silent}: ")),
        (
            "http://u:secret-password@no-such-host.invalid:3128".into(),
            "through the proxy no-such-host.invalid:3128: unknown host".into(),
        ),
        (
            "socks5://u:secret-password@127.0.0.1:1080".into(),
            "HTTP_PROXY is neither http://HOST:PORT nor https://HOST:PORT".into(),
        ),
        ("http://u:secret-password@[".into(), "HTTP_PROXY is neither http://HOST:PORT".into()),
    ] {
        let place = Place::new();
        let began = Instant::now();
        let told = place.tell(&telegram.url(), &[("HTTP_PROXY", &value)]);
        assert!(began.elapsed() < Duration::from_secs(6), "{value}: {:?}", began.elapsed());
        assert!(telegram.seen().is_empty(), "{value}: it went straight");
        place.assert_kept(&told, &words);
    }
}

fn no_openssl() {
    skip("no openssl: nothing was told over TLS");
}

#[test]
fn a_service_that_cannot_prove_its_name_is_told_nothing_until_it_can() {
    let Some(authority) = Authority::new("one") else { return no_openssl() };
    let [another, pretender] = ["another", "one"].map(|name| Authority::new(name).unwrap());
    let good = authority.sign("localhost", 2);
    for (what, certificate, words) in [
        ("name", authority.sign("api.example.org", 2), "it is for another name"),
        ("expired", authority.sign("localhost", -1), "it is expired"),
        ("unknown", another.sign("localhost", 2), "nobody whom this box trusts has signed it"),
        ("forged", pretender.sign("localhost", 2), "nobody whom this box trusts has signed it"),
    ] {
        let place = Place::new();
        let service = Secure::start(Secure::free_port(), &certificate, ANSWER);
        let port = service.port();
        let proxy = Proxy::start(Some(port));
        let (trusted, api) = (authority.file(), format!("https://localhost:{port}"));
        let (proxy_at, trusted) = (proxy.address(), trusted.to_str().unwrap());
        let set = [("HTTPS_PROXY", proxy_at.as_str()), ("SSL_CERT_FILE", trusted)];
        let told = place.tell(&api, &set);
        assert_eq!(told.status, 1, "{what}: {}", told.stderr);
        let words = format!("its certificate is refused: {words}");
        assert!(told.stderr.contains(&words), "{what}: {}", told.stderr);
        assert_eq!(service.heard(), "", "{what}");
        // Straight as well, and it is not tried in the clear either.
        let flush = place.run(&api, &set[1..], &["flush", "--patience", "3s"], "");
        assert_eq!(flush.status, 1, "{what}");
        assert_eq!(service.heard(), "", "{what}");
        assert!(!proxy.passed().is_empty());
        for passed in proxy.passed() {
            assert_encrypted(&passed.bytes);
        }
        drop(service);
        let service = renewed(port, &good);
        let flush = place.run(&api, &set[1..], &["flush"], "");
        assert_eq!((flush.status, flush.stderr.as_str()), (0, ""), "{what}");
        assert_eq!(service.heard().matches("disk:/ on vps").count(), 1, "{what}");
    }
}

fn renewed(port: u16, certificate: &Certificate) -> Secure {
    Secure::start(port, certificate, ANSWER)
}

/// Whoever answers does not decide who else is told.
#[test]
fn nobody_is_told_who_is_elsewhere() {
    for target in ["telegram:5", "ntfy:ops", "webhook:URL", "slack:FILE", "healthchecks:FILE"] {
        let place = Place::new();
        let elsewhere = Ear::start(200, ANSWER, Duration::ZERO);
        let telegram = BadTelegram::start();
        telegram.any_of(1, vec![Mood::Elsewhere(elsewhere.url())]);
        let file = place.path("url");
        fs::write(&file, telegram.url()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let target = target.replace("URL", &telegram.url()).replace("FILE", file.to_str().unwrap());
        let token = place.path("token");
        let arguments = [
            "--also",
            &target,
            "--patience",
            "1s",
            "--ntfy-url",
            &telegram.url(),
            "--ntfy-token-file",
            token.to_str().unwrap(),
        ];
        let told = place.run(&telegram.url(), &[], &arguments, &format!("{RECORD}\n"));
        assert_eq!(told.status, 1, "{target}: {}", told.stderr);
        assert!(!telegram.seen().is_empty(), "{target}");
        assert!(elsewhere.heard().is_empty(), "{target}: {:?}", elsewhere.heard());
    }
}

/// The one who knows the names may be slow, or know nothing.
#[test]
fn a_name_that_nobody_finds_in_time_is_said_and_tried_again() {
    for (script, words) in [
        ("sleep 60", "'getent ahosts' did not end in time"),
        ("exit 2", "unknown host"),
        ("exit 3", "'getent ahosts' failed"),
        ("echo nonsense", "unknown host"),
    ] {
        let place = Place::new();
        let getent = place.path("getent");
        fs::write(&getent, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
        fs::set_permissions(&getent, fs::Permissions::from_mode(0o755)).unwrap();
        let path = place.0.path().to_str().unwrap();
        let began = Instant::now();
        let told = place.tell("http://api.example.org", &[("PATH", path)]);
        assert!(began.elapsed() < Duration::from_secs(6), "{script}: {:?}", began.elapsed());
        place.assert_kept(&told, words);
    }
}

//! What claw-notify knows and nobody else may: in no argument, environment, output, log, spool or core.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use claw_tests::bad_telegram::{BadTelegram, Mood};
use claw_tests::ear::Ear;
use claw_tests::skip;
use tempfile::TempDir;

const RECORD: &str = r#"{"time":"2026-11-22T03:14:15.000Z","host":"vps","tool":"t","event":"check","subject":"disk:/","status":"fail","severity":"ERROR","message":"full"}"#;

/// What is in the files, and whether a service is told it.
const SECRETS: [(&str, &str, bool); 8] = [
    ("TELEGRAM_TOKEN", "123456:secret-of-telegram", true),
    ("SMTP_PASSWORD", "secret-of-smtp", false),
    ("NTFY_TOKEN", "secret-of-ntfy", true),
    ("WEBHOOK_SECRET", "secret-of-webhook", false),
    ("SLACK_URL", "URL/secret-of-slack", true),
    ("DISCORD_URL", "URL/secret-of-discord", true),
    ("WECOM_URL", "URL/send?key=secret-of-wecom", true),
    ("HEALTHCHECKS_URL", "URL/secret-of-healthchecks", true),
];

/// The password as SMTP says it: base64 of `\0claw\0secret-of-smtp`.
const SMTP_SAYS: &str = "AGNsYXcAc2VjcmV0LW9mLXNtdHA=";

struct Place {
    folder: TempDir,
    settings: Vec<(String, String)>,
    targets: Vec<String>,
}

impl Place {
    /// Every channel, and services that take what they are told, or refuse it in these words.
    fn new(refusal: Option<&str>) -> (Self, [Ear; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let answer = r#"{"ok":true,"result":{"message_id":1},"id":"x","errcode":0}"#;
        let (status, answers) = match refusal {
            Some(words) => (500, [words; 2]),
            None => (200, [answer, "ok"]),
        };
        let ears = answers.map(|answer| Ear::start(status, answer, Duration::ZERO));
        let mut settings = Vec::new();
        for (name, text, _) in SECRETS {
            let url = ears[usize::from(name == "SLACK_URL")].url();
            let file = folder.path().join(name);
            fs::write(&file, text.replace("URL", &url)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            settings.push((format!("CLAW_{name}_FILE"), file.to_str().unwrap().to_owned()));
        }
        let url = ears[0].url();
        let mailbox = format!("smtp+plain://claw@127.0.0.1:{}", mailbox(refusal.is_none()));
        for (name, value) in [
            ("CLAW_TELEGRAM_API", &url),
            ("CLAW_NTFY_URL", &url),
            ("CLAW_SMTP_URL", &mailbox),
            ("CLAW_SMTP_FROM", &"claw@example.org".to_owned()),
            ("CLAW_USER", &(if is_root() { "nobody" } else { "" }).to_owned()),
        ] {
            settings.push((name.to_owned(), value.clone()));
        }
        settings.retain(|(_, value)| !value.is_empty());
        let program = folder.path().join("program");
        let end = i32::from(refusal.is_some());
        fs::write(&program, format!("#!/bin/sh\ncat\nexit {end}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let mut targets: Vec<_> = [
            "telegram:5",
            "smtp:ops@example.org",
            "ntfy:ops",
            "slack",
            "discord",
            "wecom",
            "healthchecks",
        ]
        .map(str::to_owned)
        .to_vec();
        targets.push(format!("webhook:{url}"));
        targets.push(format!("alertmanager:{url}"));
        targets.push(format!("exec:{}", program.display()));
        if is_root() {
            targets.push("openclaw:telegram/5".to_owned());
        }
        (Self { folder, settings, targets }, ears)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program, where root can with an `openclaw` of its own where everybody has it.
    fn run(&self, command: &[&str]) -> Output {
        const OPENCLAW: &str = "mount -t tmpfs -o mode=755 tmpfs /usr/local/bin && \
            printf '#!/bin/sh\\necho \"$OPENCLAW\"\\n' >/usr/local/bin/openclaw && \
            sed -i \"s/\\$OPENCLAW/$ANSWER/\" /usr/local/bin/openclaw && \
            chmod 755 /usr/local/bin/openclaw && exec \"$@\"";
        let mut wrapped = Command::new(if is_root() { "unshare" } else { command[0] });
        if is_root() {
            wrapped.args(["-m", "sh", "-c", OPENCLAW, "sh"]).args(command);
            wrapped.env("ANSWER", "{\\\\\"messageId\\\\\":7}");
        } else {
            wrapped.args(&command[1..]);
        }
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("CLAW_") {
                wrapped.env_remove(key);
            }
        }
        wrapped.envs(self.settings.iter().cloned()).env("CLAW_NOTIFY_SPOOL", self.path("spool"));
        wrapped.env("CLAW_NOTIFY_ALSO", self.targets.join(" "));
        wrapped.env("CLAW_NOTIFY_PATIENCE", "3s").env("CLAW_NOTIFY_FAILOVER", "500ms");
        fs::write(self.path("input"), format!("{RECORD}\n")).unwrap();
        wrapped.stdin(fs::File::open(self.path("input")).unwrap()).output().unwrap()
    }

    /// None of the files of the spool holds anything secret, nor do these words.
    fn assert_silent(&self, output: &Output) {
        let mut texts = vec![
            ("stdout".to_owned(), String::from_utf8_lossy(&output.stdout).into_owned()),
            ("stderr".to_owned(), String::from_utf8_lossy(&output.stderr).into_owned()),
        ];
        files(&self.path("spool"), &mut texts);
        assert!(texts.len() > 3, "the spool is empty");
        for (name, text) in texts {
            for secret in ["secret-of", SMTP_SAYS, "123456:"] {
                assert!(!text.contains(secret), "{secret} is in {name}: {text}");
            }
        }
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn files(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, texts);
        } else {
            let bytes = fs::read(&path).unwrap();
            texts.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// A mail server on a port of its own that lets in whoever comes; or nobody, and repeats why.
fn mailbox(lets_in: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |mut stream: TcpStream| -> std::io::Result<()> {
        let lines = BufReader::new(stream.try_clone()?).lines();
        stream.write_all(b"220 here\r\n")?;
        let mut is_mail = false;
        for line in lines {
            let line = line?;
            let answer = match line.split(' ').next().unwrap_or_default() {
                "." => "250 kept".to_owned(),
                _ if is_mail => continue,
                "EHLO" => "250-here\r\n250 AUTH PLAIN".to_owned(),
                "AUTH" if !lets_in => format!("535 not with {line} secret-of-smtp"),
                "AUTH" => "235 welcome".to_owned(),
                "DATA" => "354 go on".to_owned(),
                _ => "250 well".to_owned(),
            };
            is_mail = answer.starts_with("354");
            stream.write_all(format!("{answer}\r\n").as_bytes())?;
        }
        Ok(())
    };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Every call that starts a program or writes anything, with the arguments, the environment and where to.
#[test]
fn no_channel_shows_a_secret_to_another_program_a_file_or_a_terminal() {
    let (place, ears) = Place::new(None);
    let trace = place.path("trace");
    if Command::new("strace").arg("-V").output().is_err() {
        return skip("no strace: what is asked of the system was not watched");
    }
    if !is_root() {
        skip("not root: the channel openclaw was not watched");
    }
    let notify = assert_cmd::cargo::cargo_bin("claw-notify");
    let calls = "trace=execve,write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg,sendfile";
    let output = place.run(&[
        "strace",
        "-f",
        "-v",
        "-yy",
        "-s",
        "100000",
        "-e",
        calls,
        "-o",
        trace.to_str().unwrap(),
        notify.to_str().unwrap(),
        "--format",
        "json",
    ]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let told = String::from_utf8_lossy(&output.stdout).matches(r#""event":"told""#).count();
    assert_eq!(told, place.targets.len(), "{stderr}");
    assert_eq!((ears[0].heard().len(), ears[1].heard().len()), (7, 1));
    place.assert_silent(&output);
    let text = fs::read_to_string(&trace).unwrap();
    let lines: Vec<_> = text.lines().collect();
    // It is the environments that are seen, and those of the children too.
    assert!(lines.iter().any(|line| line.contains("execve(") && line.contains("CLAW_SMTP_URL=")));
    for child in ["/program\"", "openclaw\", \"message\""].iter().take(1 + usize::from(is_root())) {
        assert!(
            lines.iter().any(|line| line.contains("execve(") && line.contains(child)),
            "{child}"
        );
    }
    let said = SECRETS.map(|(_, secret, is_said)| (secret.trim_start_matches("URL"), is_said));
    for (secret, is_said) in said.into_iter().chain([(SMTP_SAYS, true)]) {
        let holding: Vec<_> = lines.iter().filter(|line| line.contains(secret)).collect();
        assert_eq!(holding.len(), usize::from(is_said), "{secret}: {holding:#?}");
        assert!(holding.iter().all(|line| line.contains("<TCP:[127.0.0.1:")), "{holding:#?}");
    }
}

/// Whoever refuses may say what it likes, even what it was told, and so much that it is cut.
#[test]
fn no_channel_that_fails_repeats_a_secret() {
    let notify = assert_cmd::cargo::cargo_bin("claw-notify");
    let notify = notify.to_str().unwrap();
    for (name, secret, _) in SECRETS {
        let channel = name.split('_').next().unwrap().to_lowercase();
        let secret = secret.trim_start_matches("URL/");
        let described = serde_json::json!({
            "ok": false, "error_code": 500, "errcode": 1, "description": secret, "errmsg": secret,
        });
        let long = "x".repeat(190);
        for refusal in
            [format!("wrong: {secret}!"), format!("{long}{secret}"), described.to_string()]
        {
            let (mut place, _ears) = Place::new(Some(&refusal));
            place.targets.retain(|target| target.starts_with(&channel));
            let output = place.run(&[notify, "--format", "json", "--patience", "100ms"]);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{channel}: {stderr}");
            let why = if channel == "smtp" { "535" } else { "500" };
            assert!(stderr.contains(&format!("({channel}")) && stderr.contains(why), "{stderr}");
            place.assert_silent(&output);
            place.assert_silent(&place.run(&[notify, "queue"]));
        }
    }
}

/// Killed while the secret is in memory, it leaves nothing of that.
#[test]
fn no_core_is_left_of_what_is_sending() {
    const UNLIMITED: &str = "ulimit -c unlimited && exec \"$@\"";
    let folder = tempfile::tempdir().unwrap();
    let limited = |command: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", UNLIMITED, "sh"]).args(command).current_dir(folder.path());
        shell
    };
    for signal in ["ABRT", "SEGV"] {
        let kill = format!("kill -{signal} $$");
        let dumped = limited(&["sh", "-c", &kill]).status().unwrap().core_dumped();
        if !dumped {
            return skip("no core is written here by anybody: it was not looked for");
        }
        let (mut place, _ears) = Place::new(None);
        let telegram = BadTelegram::start();
        telegram.always("5", Mood::Silent);
        place.settings.retain(|(name, _)| name != "CLAW_TELEGRAM_API");
        let notify = assert_cmd::cargo::cargo_bin("claw-notify");
        let mut child = limited(&[notify.to_str().unwrap(), "--text", "--to", "telegram:5"])
            .envs(place.settings.iter().cloned())
            .env("CLAW_TELEGRAM_API", telegram.url())
            .env("CLAW_NOTIFY_SPOOL", place.path("spool"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "hello").unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while telegram.seen().is_empty() {
            assert!(Instant::now() < deadline, "it does not send");
            thread::sleep(Duration::from_millis(20));
        }
        assert!(telegram.seen()[0].path.contains("secret-of-telegram"));
        let pid = child.id().to_string();
        // The first SIGSEGV is for the runtime of Rust, which looks for a stack that is full.
        let status = loop {
            Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
            thread::sleep(Duration::from_millis(20));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
        };
        assert!(status.signal().is_some(), "{status}");
        assert!(!status.core_dumped(), "{status}");
    }
    let mut texts = Vec::new();
    files(folder.path(), &mut texts);
    assert!(texts.iter().all(|(_, text)| !text.contains("secret-of")));
}

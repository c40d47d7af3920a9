//! Where a host keeps its secrets, and reading them from there.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOCTTY, O_NONBLOCK};
use zeroize::Zeroizing;

use crate::engine::Redactor;
use crate::held::Held;
use crate::key::Key;
use crate::text::{Class, looks_random};

/// Files or folders with secrets in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A file or a folder.
    pub path: PathBuf,
    /// Everything in it that looks like chance is secret, whatever it is called.
    pub all: bool,
}

/// How a place is found below a folder: parts between slashes, a `*` in one stands for anything.
struct Row(&'static str, bool);

/// Below the home of whoever has the gateway.
const AT_HOME: &[Row] = &[
    Row(".openclaw*/openclaw.json*", false),
    Row(".openclaw*/.env", false),
    Row(".openclaw*/secrets.json", true),
    Row(".openclaw*/gateway.systemd.env", false),
    Row(".openclaw*/credentials/*", true),
    Row(".openclaw*/credentials/*/*", true),
    Row(".openclaw*/credentials/*/*/*", true),
    Row(".openclaw*/agents/*/agent/auth*.json", true),
    Row(".openclaw*/workspace*/.env*", false),
    Row(".openclaw*/config-journal-fingerprint.key", true),
    Row(".env", false),
    Row(".ssh/*", false),
    Row(".netrc", false),
    Row(".npmrc", false),
    Row(".pgpass", false),
    Row(".my.cnf", false),
    Row(".git-credentials", false),
    Row(".docker/config.json", false),
    Row(".aws/credentials", false),
    Row(".config/gh/hosts.yml", false),
    Row(".config/claw/*.env", false),
];

/// Of the whole box; what cannot be read by who runs this is passed over.
const OF_THE_BOX: &[Row] = &[
    Row("etc/claw/*", true),
    Row("etc/ssh/ssh_host_*_key", false),
    Row("etc/ssl/private/*", false),
    Row("etc/letsencrypt/live/*/privkey.pem", false),
    Row("etc/nginx/ssl/*", false),
    Row("etc/nginx/conf.d/*.key", false),
    Row("etc/msmtprc", false),
    Row("www/server/panel/default.pl", true),
    Row("www/server/panel/data/*.pl", true),
    Row("www/server/panel/vhost/cert/*/privkey.pem", false),
];

/// Where a box keeps its secrets: of the box as a whole, and of the users with these homes.
pub fn places(root: &Path, homes: &[&Path]) -> Vec<Place> {
    let mut places = Vec::new();
    let below = homes.iter().map(|home| (*home, AT_HOME)).chain([(root, OF_THE_BOX)]);
    for (folder, rows) in below {
        for Row(pattern, all) in rows {
            let mut found = vec![folder.to_owned()];
            for part in pattern.split('/') {
                found = found.iter().flat_map(|folder| matching(folder, part)).collect();
            }
            places.extend(found.into_iter().map(|path| Place { path, all: *all }));
        }
    }
    if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|it| !it.is_empty()) {
        let credentials = matching(Path::new(&folder), "*");
        places.extend(credentials.into_iter().map(|path| Place { path, all: true }));
    }
    places
}

fn matching(folder: &Path, part: &str) -> Vec<PathBuf> {
    const MOST: usize = 200;
    let Some((begins, ends)) = part.split_once('*') else {
        return Vec::from_iter(Some(folder.join(part)).filter(|path| path.exists()));
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.len() >= begins.len() + ends.len()
                && name.starts_with(begins)
                && name.ends_with(ends)
        })
        .map(|entry| entry.path())
        .take(MOST)
        .collect();
    found.sort();
    found
}

impl Held {
    /// Holds what stands in these places. What cannot be read is passed over: who runs this has no part
    /// in it.
    pub fn read(key: &Key, places: &[Place]) -> Self {
        let mut held = Self::default();
        let rules = Redactor::new(key.clone(), Self::default());
        for place in places {
            if let Some(text) = text(&place.path) {
                held.learn(key, &rules, &text, place.all);
            }
        }
        held
    }

    /// Holds the secrets in a text: what the rules find there, the lines of keys, and where everything is
    /// secret all that looks like chance.
    fn learn(&mut self, key: &Key, rules: &Redactor, text: &[u8], all: bool) {
        for span in rules.spans(text) {
            let bytes = &text[span.start..span.end];
            if span.secret.kind == "private-key" && bytes.contains(&b'\n') {
                self.learn_key(key, bytes);
            } else {
                self.add(key, span.secret.kind, &unescaped(bytes));
            }
        }
        if all {
            self.learn_words(key, text);
        }
    }

    /// Each line of a private key. What all keys of a kind begin with is none of it.
    fn learn_key(&mut self, key: &Key, text: &[u8]) {
        const LEAST: usize = 24;
        let is_body =
            |line: &&[u8]| line.len() >= LEAST && line.iter().all(|byte| Class::Base64.has(*byte));
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(is_body);
        for line in lines.filter(|line| !line.starts_with(b"b3BlbnNzaC1rZXktdjE")) {
            self.add(key, "private-key", line);
        }
    }

    fn learn_words(&mut self, key: &Key, text: &[u8]) {
        const LEAST: usize = 16;
        let is_one_line = text.trim_ascii().iter().all(|byte| Class::Shell.has(*byte));
        if is_one_line {
            self.add(key, "secret", text.trim_ascii());
            return;
        }
        for word in text.split(|byte| {
            !Class::Shell.has(*byte) || matches!(byte, b',' | b'{' | b'}' | b'[' | b']')
        }) {
            if word.len() >= LEAST && looks_random(word) && !word.contains(&b'/') {
                self.add(key, "secret", word);
            }
        }
    }
}

/// What an escaped text of JSON says.
fn unescaped(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match (byte, rest.as_slice().first()) {
            (b'\\', Some(b'"' | b'\\' | b'/')) => plain.extend(rest.next()),
            _ => plain.push(*byte),
        }
    }
    plain
}

/// The text of a file, where it is one and not too long.
fn text(path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    const LONGEST_BYTES: u64 = 512 * 1024;
    let mut options = OpenOptions::new();
    let file: File = options.read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.len() > LONGEST_BYTES {
        return None;
    }
    let mut text = Zeroizing::new(Vec::with_capacity(meta.len() as usize + 1));
    file.take(LONGEST_BYTES).read_to_end(&mut text).ok()?;
    Some(text)
}

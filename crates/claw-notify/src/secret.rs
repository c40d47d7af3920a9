//! Secrets: out of a file or a credential of systemd, and nowhere else to be seen.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::O_NONBLOCK;
use nix::unistd::geteuid;
use zeroize::Zeroizing;

/// Where a secret is: the file that a setting names, or else a credential of that name.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: Option<PathBuf>,
    pub(crate) credential: &'static str,
    /// The setting that names the file.
    pub(crate) variable: &'static str,
}

/// Something that nobody may read. It does not show, and is wiped from memory.
pub(crate) type Secret = Zeroizing<String>;

/// Where root keeps what systemd hands to the monitor as credentials.
const OF_ROOT: &str = "/etc/claw/credentials";

impl Place {
    /// Reads it, where there is one.
    pub(crate) fn read_if_any(&self) -> Result<Option<Secret>, String> {
        self.path().map(|path| read(&path)).transpose()
    }

    /// Reads it. The reason why not never repeats any of it.
    pub(crate) fn read(&self) -> Result<Secret, String> {
        let path = self.path().ok_or_else(|| {
            let name = self.credential;
            format!(
                "no secret: {} names no file, and there is no credential '{name}'",
                self.variable
            )
        })?;
        read(&path)
    }

    fn path(&self) -> Option<PathBuf> {
        let folder = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
        let by_systemd = folder.map(|folder| Path::new(&folder).join(self.credential));
        let name = self.credential.strip_prefix("claw_").unwrap_or(self.credential);
        let of_root = geteuid().is_root().then(|| Path::new(OF_ROOT).join(name));
        let kept = [by_systemd, of_root].into_iter().flatten().find(|path| path.exists());
        self.file.clone().or(kept)
    }
}

/// Reads a secret that is a file's first line.
pub(crate) fn read(file: &Path) -> Result<Secret, String> {
    const LONGEST_BYTES: u64 = 16 * 1024;
    let name = file.display();
    let cannot = |why: &dyn std::fmt::Display| format!("cannot read '{name}': {why}");
    // A pipe that nobody writes to would be waited for.
    let open = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(file);
    let open = open.map_err(|error| cannot(&error))?;
    let meta = open.metadata().map_err(|error| cannot(&error))?;
    if !meta.is_file() {
        return Err(cannot(&"it is no regular file"));
    }
    if meta.mode() & 0o007 != 0 {
        return Err(cannot(&format!("everybody can: chmod o= '{name}'")));
    }
    let mut text = Zeroizing::new(String::with_capacity(1024));
    open.take(LONGEST_BYTES).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(cannot(&"it is empty"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// The words without that secret, where they hold it.
pub(crate) fn without(words: &str, secret: &str) -> String {
    /// What is shorter stands in many words, and is no secret.
    const SHORTEST: usize = 5;
    if secret.len() < SHORTEST {
        return words.to_owned();
    }
    let words = words.replace(secret, "…");
    // Words that were cut may end within it.
    let Some((kept, left)) = words.rsplit_once(crate::text::CUT) else { return words };
    let begins = |length: &usize| secret.get(..*length).is_some_and(|part| kept.ends_with(part));
    match (SHORTEST..secret.len()).rev().find(begins) {
        Some(length) => format!("{}{}{left}", &kept[..kept.len() - length], crate::text::CUT),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_the_first_line_of_a_file_that_not_everybody_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, mode, expected) in [
            ("123:abc\n", 0o600, Ok("123:abc")),
            ("  123:abc \nmore", 0o640, Ok("123:abc")),
            ("123:abc", 0o644, Err("everybody can: chmod o= ")),
            ("", 0o600, Err("it is empty")),
            ("\n123", 0o600, Err("it is empty")),
        ] {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            match (read(&file), expected) {
                (Ok(secret), Ok(expected)) => assert_eq!(secret.as_str(), expected),
                (Err(why), Err(expected)) => {
                    assert!(why.contains(expected) && !why.contains("abc"), "{why}");
                }
                (read, _) => panic!("{read:?}"),
            }
        }
        assert!(read(folder.path()).unwrap_err().ends_with("it is no regular file"));
    }

    #[test]
    fn nothing_of_a_secret_is_left_in_words_even_where_they_were_cut() {
        assert_eq!(without("a 123:secret b", "123:secret"), "a … b");
        assert_eq!(without("a 123:secret b", "sec"), "a 123:secret b");
        for length in 0..20 {
            let said = crate::text::cut("a 123:secret b", length);
            let without = without(&said, "123:secret");
            assert!(!without.contains("123:s"), "{length}: {without}");
        }
    }
}

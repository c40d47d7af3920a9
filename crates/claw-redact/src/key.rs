//! The key that the prints of secrets are made with.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NOFOLLOW;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// How many bytes a key has.
const KEY_BYTES: usize = 32;

/// A secret of this host's, without which nobody can try what a print stands for.
#[derive(Clone, Debug)]
pub struct Key(hmac::Key);

impl Key {
    /// The key that a file holds; one that is not there yet is made.
    pub fn kept(file: &Path) -> io::Result<Self> {
        match read(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read.map(|bytes| Self::of(&bytes)),
        }
        let bytes = chance()?;
        let beside = file.with_extension(format!("new-{}", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(O_NOFOLLOW);
        let mut new = options.open(&beside)?;
        new.write_all(&bytes)?;
        new.sync_all()?;
        // Whoever was first has made it.
        let linked = std::fs::hard_link(&beside, file);
        std::fs::remove_file(&beside)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => read(file).map(|bytes| Self::of(&bytes)),
        }
    }

    /// A key that nobody will ever have again.
    pub fn passing() -> io::Result<Self> {
        Ok(Self::of(&chance()?))
    }

    /// The key of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The keyed hash of a secret.
    pub(crate) fn hash(&self, secret: &[u8]) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&self.0, secret).as_ref());
        hash
    }

    /// The short print that stands for a secret: eight digits.
    pub(crate) fn print(&self, secret: &[u8]) -> String {
        print_of(&self.hash(secret))
    }
}

/// The print of a secret whose hash this is.
pub(crate) fn print_of(hash: &[u8; 32]) -> String {
    hash[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn chance() -> io::Result<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_| io::Error::other("the kernel gives no random bytes"))
}

fn read(file: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(file)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_then_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let prints = [(); 2].map(|()| Key::kept(&file).unwrap().print(b"secret"));
        assert_eq!(prints[0], prints[1]);
        assert_eq!(prints[0].len(), 8);
        assert_ne!(Key::passing().unwrap().print(b"secret"), prints[0]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

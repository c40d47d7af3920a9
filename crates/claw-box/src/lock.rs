//! A lock on a file or a folder, which ends with whoever holds it.

use std::fs::File;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Waits until nobody else holds it, though not longer than so; nothing where somebody still does.
pub fn lock(mut file: File, patience: Duration) -> io::Result<Option<Flock<File>>> {
    let deadline = Instant::now() + patience;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((back, Errno::EAGAIN)) if Instant::now() < deadline => file = back,
            Err((_, Errno::EAGAIN)) => return Ok(None),
            Err((_, error)) => return Err(error.into()),
        }
        sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_waits_for_the_first_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::open(folder.path()).unwrap();
        let first = lock(open(), Duration::ZERO).unwrap().unwrap();
        assert!(lock(open(), Duration::from_millis(30)).unwrap().is_none());
        std::thread::scope(|scope| {
            let second = scope.spawn(|| lock(open(), Duration::from_secs(20)).unwrap().is_some());
            drop(first);
            assert!(second.join().unwrap());
        });
    }
}

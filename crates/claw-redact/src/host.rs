//! What this host holds, and the key for the prints of it.

use std::io;
use std::path::Path;

use crate::engine::Redactor;
use crate::held::Held;
use crate::key::Key;
use crate::places::{Place, places};

impl Redactor {
    /// One that knows what the box and these homes hold, and more places; its key is kept in the folder
    /// where tools remember things.
    ///
    /// Where there is no place for a key, as for somebody without a home, prints are those of one run
    /// alone.
    pub fn of_host(state: &Path, homes: &[&Path], more: Vec<Place>) -> io::Result<Self> {
        let kept =
            claw_box::private_folder(state).and_then(|()| Key::kept(&state.join("redact.key")));
        let key = kept.or_else(|_| Key::passing())?;
        let mut all = places(Path::new("/"), homes);
        all.extend(more);
        let held = Held::read(&key, &all);
        Ok(Self::new(key, held))
    }
}

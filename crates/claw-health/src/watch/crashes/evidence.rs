//! What OpenClaw wrote of a crash, copied at once: it prunes its own, and a reboot clears the rest.

use std::fs::{read_dir, remove_file};
use std::path::Path;

use crate::crash::bundle::{Bundle, parse};
use crate::files::replace::{make_folder, replace};
use crate::host::Host;

/// Where the copies are, beside what the monitor remembers.
const FOLDER: &str = "evidence";
/// So many are kept, the newest.
const MOST: usize = 20;
/// Larger ones are not copied; those that OpenClaw writes are of some kilobytes.
const LIMIT_BYTES: usize = 256 * 1024;

/// Copies a bundle, and gives it with what it says; and where the copy is, or why there is none.
pub(super) fn secure(host: &Host, bundle: Bundle) -> (Bundle, Result<String, String>) {
    let text = match host.read_owned(bundle.file.path(host)) {
        Ok(text) => text,
        // Its name tells something by itself.
        Err(why) => return (bundle, Err(why)),
    };
    let folder = host.memory_file("watch").with_file_name(FOLDER);
    let name = bundle.file.name.clone();
    let bundle = Bundle { error: parse(&text), ..bundle };
    if text.len() > LIMIT_BYTES {
        return (bundle, Err(format!("it is larger than {LIMIT_BYTES} bytes")));
    }
    let copied = copy(&folder, &name, &text);
    (bundle, copied.map_err(|error| format!("cannot write into '{}': {error}", folder.display())))
}

fn copy(folder: &Path, name: &str, text: &str) -> std::io::Result<String> {
    make_folder(folder)?;
    let file = folder.join(name);
    replace(&file, text.as_bytes(), 0o600)?;
    let mut names: Vec<_> = read_dir(folder)?.flatten().map(|entry| entry.file_name()).collect();
    // The time stands at the beginning of a name.
    names.sort_unstable();
    for old in names.iter().take(names.len().saturating_sub(MOST)) {
        // What cannot be removed now is tried again with the next one.
        let _ = remove_file(folder.join(old));
    }
    Ok(file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("evidence");
        for number in 0..30 {
            copy(&folder, &format!("openclaw-stability-{number:02}.json"), "{}").unwrap();
        }
        let mut names: Vec<_> =
            read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        assert_eq!((names.len(), names[0].to_str()), (MOST, Some("openclaw-stability-10.json")));
    }
}

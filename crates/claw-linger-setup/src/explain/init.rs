//! What was the box booted with?

use std::fs;
use std::path::Path;

/// What the box was booted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Systemd,
    Container,
    Wsl,
    /// Systemd runs, but not for what is changed into here.
    Chroot,
    /// Another first process, of that name.
    Other(String),
}

impl Init {
    /// What the box of that tree was booted with.
    pub(crate) fn of(root: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let is = |path: &str| root.join(path).symlink_metadata().is_ok();
        if is("run/systemd/system") {
            return Self::Systemd;
        }
        let name = read("proc/1/comm").trim().to_owned();
        if read("proc/version").to_lowercase().contains("microsoft") {
            Self::Wsl
        } else if is("run/systemd/container") || is(".dockerenv") || is("run/.containerenv") {
            Self::Container
        } else if name == "systemd" {
            Self::Chroot
        } else {
            Self::Other(if name.is_empty() { "unknown".to_owned() } else { name })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_without_systemd_is_told_by_what_it_is() {
        for (files, expected) in [
            (&[("run/systemd/system/x", "")][..], Init::Systemd),
            (&[("proc/version", "Linux 5.15-microsoft-standard-WSL2")], Init::Wsl),
            (&[(".dockerenv", ""), ("proc/1/comm", "node\n")], Init::Container),
            (&[("run/systemd/container", "lxc")], Init::Container),
            (&[("proc/1/comm", "systemd\n")], Init::Chroot),
            (&[("proc/1/comm", "runit\n")], Init::Other("runit".to_owned())),
            (&[], Init::Other("unknown".to_owned())),
        ] {
            let root = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = root.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            assert_eq!(Init::of(root.path()), expected);
        }
    }
}

//! What does a login shell read, when somebody logs in and when `ssh` runs one command?

/// What a shell reads in a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// These files.
    Files(&'static [&'static str]),
    /// What bash reads depends on what there is.
    BashFiles,
    /// It lets nobody in.
    Nothing,
    Unknown,
}

const FISH: &str = ".config/fish/conf.d/claw.fish";

/// The shells, by the last part of their path.
const SHELLS: [(&[&str], Reads); 5] = [
    (&["bash", "rbash"], Reads::BashFiles),
    (&["sh", "dash", "ash", "ksh", "ksh93", "mksh", "yash"], Reads::Files(&[".profile"])),
    // Whatever it sets ZDOTDIR to, zsh has read this one before.
    (&["zsh", "rzsh"], Reads::Files(&[".zshenv"])),
    (&["fish"], Reads::Files(&[FISH])),
    (&["nologin", "false", "true", "sync", "halt", "shutdown"], Reads::Nothing),
];

/// Every file that may ever get our block.
pub(super) const ALL_FILES: [&str; 6] =
    [".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshenv", FISH];

/// What this login shell reads.
pub(super) fn reads(shell: &str) -> Reads {
    let shell = if shell.is_empty() { "/bin/sh" } else { shell };
    let name = shell.rsplit('/').next().unwrap_or(shell);
    let known = SHELLS.iter().find(|(names, _)| names.contains(&name));
    known.map_or(Reads::Unknown, |(_, reads)| *reads)
}

/// The files that bash reads: `.bashrc`, also for one command of `ssh`, and the first login file that
/// there is, unless it reads `.bashrc` itself.
pub(super) fn bash_files(text: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<&'static str> {
    let login = [".bash_profile", ".bash_login", ".profile"];
    let first = login.into_iter().find_map(|file| Some((file, text(file)?)));
    match first {
        Some((_, text)) if reads_bashrc(&text) => vec![".bashrc"],
        Some((file, _)) => vec![".bashrc", file],
        None => vec![".bashrc", ".profile"],
    }
}

/// Does it have a `.` or `source` of `.bashrc`, in a line that is not a comment?
fn reads_bashrc(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.lines().filter(|line| !line.trim_start().starts_with('#')).any(|line| {
        let words: Vec<_> = line
            .split(|c: char| {
                c.is_whitespace() || matches!(c, ';' | '&' | '|' | '{' | '}' | '(' | ')')
            })
            .filter(|word| !word.is_empty())
            .collect();
        words.windows(2).any(|pair| {
            matches!(pair[0], "." | "source")
                && pair[1].trim_matches(['"', '\'']).ends_with("/.bashrc")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_reads_its_own() {
        for (shell, expected) in [
            ("/bin/bash", Reads::BashFiles),
            ("/usr/bin/bash", Reads::BashFiles),
            ("", Reads::Files(&[".profile"])),
            ("/bin/dash", Reads::Files(&[".profile"])),
            ("/usr/bin/zsh", Reads::Files(&[".zshenv"])),
            ("/usr/bin/fish", Reads::Files(&[FISH])),
            ("/usr/sbin/nologin", Reads::Nothing),
            ("/bin/false", Reads::Nothing),
            ("/usr/bin/tcsh", Reads::Unknown),
            ("/usr/bin/git-shell", Reads::Unknown),
        ] {
            assert_eq!(reads(shell), expected, "{shell}");
        }
    }

    #[test]
    fn every_file_that_is_written_is_one_that_is_looked_for_when_it_is_taken_back() {
        for (_, reads) in SHELLS {
            if let Reads::Files(files) = reads {
                assert!(files.iter().all(|file| ALL_FILES.contains(file)));
            }
        }
    }

    #[test]
    fn bash_reads_the_first_login_file_and_not_always_bashrc() {
        let debian = "if [ -n \"$BASH_VERSION\" ]; then\n    if [ -f \"$HOME/.bashrc\" ]; then\n\t. \"$HOME/.bashrc\"\n    fi\nfi\n";
        let root =
            "if [ \"$BASH\" ]; then\n  if [ -f ~/.bashrc ]; then\n    . ~/.bashrc\n  fi\nfi\n";
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
        let all: [Case; 9] = [
            (&[], &[".bashrc", ".profile"]),
            (&[(".profile", debian)], &[".bashrc"]),
            (&[(".profile", root)], &[".bashrc"]),
            (&[(".profile", "[ -f ~/.bashrc ] && source ~/.bashrc")], &[".bashrc"]),
            (&[(".profile", "test -r '/home/dev/.bashrc'")], &[".bashrc", ".profile"]),
            (&[(".profile", "#. ~/.bashrc\n")], &[".bashrc", ".profile"]),
            (&[(".profile", ". ~/.bashrc.d/x\n")], &[".bashrc", ".profile"]),
            (&[(".bash_profile", ""), (".profile", debian)], &[".bashrc", ".bash_profile"]),
            (&[(".bash_login", "{ . ~/.bashrc; }"), (".profile", "")], &[".bashrc"]),
        ];
        for (there, expected) in all {
            let text = |file: &str| {
                let found = there.iter().find(|(name, _)| *name == file);
                found.map(|(_, text)| text.as_bytes().to_vec())
            };
            assert_eq!(bash_files(text), expected, "{there:?}");
        }
    }
}

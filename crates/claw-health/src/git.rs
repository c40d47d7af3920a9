//! Interface to git: what a repository holds, without running anything that the repository names.
//!
//! An agent writes the repository and its configuration. Hooks, filters, file system monitors,
//! pagers, ssh commands and signature checkers named there are programs of the agent's choice. So
//! git runs as the owner of the workspace, without the configuration of anybody else, and only with
//! commands that read objects, refs and the index: none that compares files (which would run
//! filters), shows a log (which may check signatures) or fetches what is missing.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::child::{self, Ended, NotEnded};
use crate::owner::Owner;

/// What a repository says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Head {
    /// It has a commit, made then in seconds since 1970.
    Commit(i64),
    /// It is new: no commit yet, on that branch.
    Unborn(String),
    /// It cannot be read, and what git said of that.
    Broken(String),
}

/// A repository, or the reason why git could not be asked.
pub(crate) struct Repository<'a> {
    folder: &'a Path,
    owner: &'a Owner,
    deadline: Instant,
}

impl<'a> Repository<'a> {
    /// The repository in that folder, which is not searched for above it.
    pub(crate) fn new(folder: &'a Path, owner: &'a Owner, deadline: Instant) -> Self {
        Self { folder, owner, deadline }
    }

    /// Where it stands.
    pub(crate) fn head(&self) -> Result<Head, String> {
        let commit = self.run(&["cat-file", "commit", "HEAD"])?;
        if commit.status.success() {
            let text = String::from_utf8_lossy(&commit.stdout);
            return Ok(committed(&text)
                .map_or_else(|| Head::Broken("its last commit has no date".into()), Head::Commit));
        }
        // Why there is none is told by two more questions: is there a branch, and does it lead to
        // anything?
        let branch = self.run(&["symbolic-ref", "--quiet", "HEAD"])?;
        let refs = self.run(&["for-each-ref", "--count=1"])?;
        let branch = String::from_utf8_lossy(&branch.stdout).trim().to_owned();
        let is_new = !branch.is_empty() && refs.stdout.is_empty() && refs.stderr.is_empty();
        Ok(if is_new { Head::Unborn(branch) } else { Head::Broken(complaint(&commit)) })
    }

    /// Can its index and the tree of its last commit be read? What git said where they cannot.
    pub(crate) fn trouble(&self, head: &Head) -> Result<Option<String>, String> {
        // A path that no index holds: all of it is read and nothing written.
        let index = self.run(&["ls-files", "--cached", "--", ".git"])?;
        if !index.status.success() {
            return Ok(Some(complaint(&index)));
        }
        if matches!(head, Head::Commit(_)) {
            let tree = self.run(&["cat-file", "-e", "HEAD^{tree}"])?;
            if !tree.status.success() {
                return Ok(Some(complaint(&tree)));
            }
        }
        Ok(None)
    }

    fn run(&self, arguments: &[&str]) -> Result<Ended, String> {
        let mut command = Command::new("git");
        command.env_clear().envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            // No way to fetch is of that name; older versions know no other way to forbid it.
            ("GIT_ALLOW_PROTOCOL", "none"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_TRACE2", "0"),
            ("GIT_TRACE2_EVENT", "0"),
            ("GIT_TRACE2_PERF", "0"),
            ("LC_ALL", "C"),
        ]);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // A folder above the workspace may be a repository too: not the one that is meant.
        if let Some(above) = self.folder.parent() {
            command.env("GIT_CEILING_DIRECTORIES", above);
        }
        command.arg("--no-pager").arg("-C").arg(self.folder);
        for setting in ["core.fsmonitor=false", "core.hooksPath=/dev/null", "core.sshCommand=false"]
        {
            command.args(["-c", setting]);
        }
        if nix::unistd::geteuid().is_root() && self.owner.uid != 0 {
            // With the user the further groups of root are left as well.
            command.gid(self.owner.gid).uid(self.owner.uid);
        }
        let ended = child::run(command.args(arguments), self.deadline);
        let ended = ended.map_err(|why| match why {
            NotEnded::NotStarted(error) => format!("cannot run 'git': {error}"),
            NotEnded::Late => format!("'git {}' did not end in time", arguments[0]),
        })?;
        if complaint(&ended).contains("dubious ownership") {
            return Err(format!("the workspace is not {}'s own", self.owner.name));
        }
        Ok(ended)
    }
}

/// What git complained of: its own words on the first line that has any.
fn complaint(ended: &Ended) -> String {
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let line = stderr.lines().map(str::trim).find(|line| line.starts_with("fatal: "));
    let line = line.or_else(|| stderr.lines().map(str::trim).find(|line| !line.is_empty()));
    let words = line.unwrap_or("it gave no reason");
    let words = words.trim_start_matches("fatal: ").trim_start_matches("error: ");
    words.chars().take(200).collect()
}

/// The time of a commit: `committer NAME <ADDRESS> SECONDS ZONE`.
fn committed(commit: &str) -> Option<i64> {
    let head = commit.split("\n\n").next()?;
    let line = head.lines().find_map(|line| line.strip_prefix("committer "))?;
    line.rsplit_once("> ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_commit_is_the_committers() {
        let head =
            "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.org> 1 +0000\n";
        for (rest, expected) in [
            ("committer C <c@example.org> 1767225600 +0100\n\nwords\n", Some(1_767_225_600)),
            ("committer > 9 <x> 7 +0000\n\n", Some(7)),
            ("committer C <c@example.org> x +0100\n\n", None),
            ("\ncommitter C <c@example.org> 5 +0100\n", None),
            ("", None),
        ] {
            assert_eq!(committed(&format!("{head}{rest}")), expected, "{rest}");
        }
    }
}

//! Interface to git: what a repository holds, without running anything that the repository names.
//!
//! An agent writes the repository and its configuration. Hooks, filters, file system monitors,
//! pagers, ssh commands and signature checkers named there are programs of the agent's choice. So
//! git runs as the owner of the workspace, away from root's terminal, without the configuration of
//! anybody else, and only with commands that read objects, refs and the index: none that compares files
//! (which would run filters), shows a log (which may check signatures) or fetches what is missing.

use std::path::Path;
use std::time::Instant;

use claw_box::child::{self, Ended, NotEnded};
use claw_box::{Owner, session};

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

    /// Where it stands, and what else is wrong with it.
    pub(crate) fn state(&self) -> Result<(Head, Option<String>), String> {
        // The commit, its tree, and the index: of that a path that it cannot hold, so that all of it
        // is read and nothing found.
        const QUESTIONS: &str = "HEAD\nHEAD^{tree}\n:.git\n";
        let answer = self.tell(QUESTIONS, &["cat-file", "--batch"])?;
        let answer = if answer.status.success() { parse(&answer.stdout) } else { None };
        // What the matter is takes more questions, each of which can fail by itself.
        match answer {
            Some(Batch::Commit(at)) => Ok((Head::Commit(at), None)),
            Some(Batch::NoCommit) => Ok((self.without_commit()?, None)),
            None => {
                let head = self.head()?;
                let trouble = self.trouble(&head)?;
                Ok((head, trouble))
            }
        }
    }

    fn head(&self) -> Result<Head, String> {
        let commit = self.run(&["cat-file", "commit", "HEAD"])?;
        if commit.status.success() {
            let text = String::from_utf8_lossy(&commit.stdout);
            return Ok(committed(&text)
                .map_or_else(|| Head::Broken("its last commit has no date".into()), Head::Commit));
        }
        self.without_commit()
    }

    /// Why there is no commit: is there a branch, and does it lead to anything?
    fn without_commit(&self) -> Result<Head, String> {
        let branch = self.run(&["symbolic-ref", "--quiet", "HEAD"])?;
        let refs = self.run(&["for-each-ref", "--count=1"])?;
        let branch = String::from_utf8_lossy(&branch.stdout).trim().to_owned();
        let is_new = !branch.is_empty() && refs.stdout.is_empty() && refs.stderr.is_empty();
        if is_new {
            return Ok(Head::Unborn(branch));
        }
        Ok(Head::Broken(complaint(&self.run(&["cat-file", "commit", "HEAD"])?)))
    }

    /// Can its index and the tree of its last commit be read? What git said where they cannot.
    fn trouble(&self, head: &Head) -> Result<Option<String>, String> {
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
        self.tell("", arguments)
    }

    fn tell(&self, input: &str, arguments: &[&str]) -> Result<Ended, String> {
        let mut command = session::of(self.owner, "git");
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
        let ended = child::tell(input, command.args(arguments), self.deadline);
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

/// What `git cat-file --batch` said of the commit, its tree and the index, where all is well.
#[derive(Debug, PartialEq)]
enum Batch {
    /// A commit of that time, with a tree.
    Commit(i64),
    /// There is no commit, or it leads nowhere.
    NoCommit,
}

/// Each answer is `ID KIND BYTES`, a line, then so many bytes and a line's end; or a line with the
/// question and `missing`. A tree may be larger than what is kept.
fn parse(answer: &[u8]) -> Option<Batch> {
    if answer == b"HEAD missing\nHEAD^{tree} missing\n:.git missing\n" {
        return Some(Batch::NoCommit);
    }
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = (str::from_utf8(&answer[..end]).ok()?, &answer[end + 1..]);
    let (_, size) = head.split_once(" commit ")?;
    let (commit, rest) = rest.split_at_checked(size.parse().ok()?)?;
    let head =
        String::from_utf8_lossy(rest.strip_prefix(b"\n")?.split(|byte| *byte == b'\n').next()?);
    head.split_once(" tree ")?;
    committed(&String::from_utf8_lossy(commit)).map(Batch::Commit)
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
    fn the_answers_of_a_batch_are_read() {
        let id = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let commit = format!("tree {id}\ncommitter A <a@example.org> 7 +0000\n\nwords\n");
        let head = format!("{id} commit {}\n{commit}\n", commit.len());
        for (answer, expected) in [
            (format!("{head}{id} tree 3\n\u{0}b\n\n:.git missing\n"), Some(Batch::Commit(7))),
            // The rest of a large tree is not kept.
            (format!("{head}{id} tree 900000\nabc"), Some(Batch::Commit(7))),
            (
                "HEAD missing\nHEAD^{tree} missing\n:.git missing\n".to_owned(),
                Some(Batch::NoCommit),
            ),
            (format!("{head}HEAD^{{tree}} missing\n:.git missing\n"), None),
            (format!("{id} commit 900\n{commit}\n"), None),
            (format!("{id} commit 99999999999999999999\n"), None),
            (format!("{id} tag 1\n\n\n"), None),
            (String::new(), None),
        ] {
            assert_eq!(parse(answer.as_bytes()), expected, "{answer}");
        }
    }

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

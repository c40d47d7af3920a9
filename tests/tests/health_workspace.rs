//! claw-health on the agents' workspace: real repositories, broken, hostile and good ones.

#![allow(clippy::unwrap_used, reason = "in a test, what is not there is the failure")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use claw_tests::{health, skip};
use serde_json::Value;
use tempfile::TempDir;

/// A workspace with the files that OpenClaw wants.
struct Workspace {
    folder: TempDir,
}

impl Workspace {
    fn new() -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md"] {
            workspace.write(name, "words\n");
        }
        workspace.git(&["init", "--quiet", "--initial-branch=main"]);
        workspace
    }

    fn with_commit() -> Self {
        let workspace = Self::new();
        workspace.git(&["add", "--all"]);
        workspace.git(&["commit", "--quiet", "--message", "first"]);
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs git as anybody would, with all that the repository asks for.
    fn git(&self, arguments: &[&str]) -> bool {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.folder.path());
        git.args(["-c", "user.name=claw", "-c", "user.email=claw@example.org"]);
        git.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.output().expect("git is here").status.success()
    }

    fn look(&self) -> Value {
        look(self.folder.path())
    }
}

fn look(folder: &Path) -> Value {
    look_as(&me(), folder)
}

/// Looks at the workspace of that user.
fn look_as(owner: &str, folder: &Path) -> Value {
    health(&["--user", owner, &format!("workspace:{}", folder.display())]).record()
}

fn me() -> String {
    let me = Command::new("id").arg("-un").output().unwrap().stdout;
    String::from_utf8(me).unwrap().trim().to_owned()
}

#[track_caller]
fn assert_begins(record: &Value, expected: &str) {
    let status = record["status"].as_str().unwrap();
    let line = format!("{status} {}", record["message"].as_str().unwrap());
    assert!(line.starts_with(expected), "{record}\n{expected}");
}

#[test]
fn r5_a_workspace_with_a_commit_passes() {
    let record = Workspace::with_commit().look();
    assert_begins(&record, "pass a git repository that works, last commit ");
    assert!(record["data"]["commit_age_seconds"].as_u64().unwrap() < 600);
}

#[test]
fn r5_a_new_workspace_has_nothing_to_roll_back_to() {
    let expected = "warn a new git repository without any commit on refs/heads/main, so that";
    assert_begins(&Workspace::new().look(), expected);
    let plain = Workspace::new();
    fs::remove_dir_all(plain.path(".git")).unwrap();
    assert_begins(
        &plain.look(),
        "warn it is no git repository, so that nothing can be rolled back",
    );
}

#[test]
fn r5_a_workspace_that_vanished_fails() {
    let workspace = Workspace::with_commit();
    for name in ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md"] {
        fs::remove_file(workspace.path(name)).unwrap();
    }
    assert_begins(
        &workspace.look(),
        "fail AGENTS.md, SOUL.md, IDENTITY.md, USER.md are all missing",
    );
    assert_begins(&look(&workspace.path("gone")), "fail there is no workspace: ");
    assert_begins(
        &look(&{
            workspace.write("file", "");
            workspace.path("file")
        }),
        "unknown '",
    );
}

/// Some keep these files elsewhere, and their repository too.
#[test]
fn r5_a_workspace_of_links_is_a_workspace() {
    let workspace = Workspace::with_commit();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", ".git"] {
        fs::rename(workspace.path(name), elsewhere.path().join(name)).unwrap();
        symlink(elsewhere.path().join(name), workspace.path(name)).unwrap();
    }
    assert_begins(&workspace.look(), "pass a git repository that works, last commit ");
}

#[test]
fn r5_a_broken_repository_fails() {
    type Breaks = fn(&Workspace);
    let cases: [(&str, Breaks); 6] = [
        ("an index that was cut", |w| fs::write(w.path(".git/index"), "DIRC").unwrap()),
        ("an index of zeroes", |w| fs::write(w.path(".git/index"), [0; 4096]).unwrap()),
        ("a branch of zeroes", |w| fs::write(w.path(".git/refs/heads/main"), [0; 41]).unwrap()),
        ("an empty branch", |w| fs::write(w.path(".git/refs/heads/main"), "").unwrap()),
        ("no objects", |w| {
            fs::remove_dir_all(w.path(".git/objects")).unwrap();
            fs::create_dir(w.path(".git/objects")).unwrap();
        }),
        ("a HEAD of zeroes", |w| fs::write(w.path(".git/HEAD"), [0; 20]).unwrap()),
    ];
    for (what, breaks) in cases {
        let workspace = Workspace::with_commit();
        breaks(&workspace);
        let record = workspace.look();
        let message = record["message"].as_str().unwrap();
        assert_eq!(record["status"], "fail", "{what}: {message}");
        assert!(message.starts_with("its git repository is broken: "), "{what}: {message}");
    }
    let workspace = Workspace::with_commit();
    workspace.write(".git/config", "[core\n");
    assert_begins(&workspace.look(), "fail its git repository is broken: bad config line 1");
}

#[test]
fn r5_the_repository_of_a_folder_above_is_not_meant() {
    let above = Workspace::with_commit();
    for name in ["AGENTS.md", "HEAD"] {
        above.write(&format!("work/{name}"), "x");
    }
    fs::create_dir(above.path("work/.git")).unwrap();
    assert_begins(&look(&above.path("work")), "fail its git repository is broken: not a git repo");
}

#[test]
fn r5_a_stale_lock_is_told_and_a_fresh_one_is_not() {
    let workspace = Workspace::with_commit();
    workspace.write(".git/index.lock", "");
    assert_begins(&workspace.look(), "pass a git repository that works");
    let old = ["-d", "2 hours ago"];
    let touched = Command::new("touch").args(old).arg(workspace.path(".git/index.lock")).status();
    assert!(touched.unwrap().success());
    let record = workspace.look();
    let runs = record["status"] == "pass";
    // A git of another test may just run: it might hold the lock.
    assert!(runs || record["message"].as_str().unwrap().starts_with("its index.lock is 2 h old"));
    assert!(record["data"]["lock_age_seconds"].as_f64().unwrap() > 7000.0);
}

#[test]
fn r5_nested_repositories_are_named() {
    let workspace = Workspace::with_commit();
    workspace.write("skills/one/.git/HEAD", "");
    workspace.write("node_modules/two/.git/HEAD", "");
    let outside = Workspace::with_commit();
    symlink(outside.folder.path(), workspace.path("link")).unwrap();
    let record = workspace.look();
    assert_begins(&record, "warn commits leave out what is in nested repositories: skills/one; ");
    assert_eq!(record["data"]["nested"], serde_json::json!(["skills/one"]));
}

/// Git refuses root the repository of somebody else: it is run as who owns it, and so is what an
/// agent's repository might yet make it do.
#[test]
fn r5_root_looks_as_the_owner() {
    if me() != "root" {
        skip("only root can look as somebody else");
        return;
    }
    let workspace = Workspace::with_commit();
    assert_begins(&look_as("nobody", workspace.folder.path()), "unknown '");
    let owned = Command::new("chown").args(["-R", "nobody"]).arg(workspace.folder.path()).status();
    assert!(owned.unwrap().success());
    assert_begins(
        &look_as("nobody", workspace.folder.path()),
        "pass a git repository that works, last commit ",
    );
    assert_begins(&look_as("root", workspace.folder.path()), "unknown '");
}

#[test]
fn r5_a_workspace_in_a_tree_is_looked_at_without_git() {
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("home/claw/.openclaw/workspace");
    fs::create_dir_all(home.join(".git")).unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    let passwd = "claw:x:1000:1000::/home/claw:/bin/sh\n";
    fs::write(root.path().join("etc/passwd"), passwd).unwrap();
    let look = || health(&["--root", root.path().to_str().unwrap(), "workspace"]).record();
    assert_begins(&look(), "fail AGENTS.md, SOUL.md, IDENTITY.md, USER.md are all missing");
    fs::write(home.join("SOUL.md"), "x").unwrap();
    assert_begins(&look(), "pass a git repository, which was not asked");
    fs::remove_dir_all(&home).unwrap();
    symlink(std::env::temp_dir(), &home).unwrap();
    assert_begins(
        &look(),
        "fail there is no workspace: /home/claw/.openclaw/workspace is not there",
    );
}

/// An agent writes the repository's configuration: nothing that it names may run.
#[test]
fn r5_looking_runs_nothing_that_a_repository_names() {
    let workspace = Workspace::with_commit();
    let outside = tempfile::tempdir().unwrap();
    let marker = outside.path().join("marker");
    let trap = outside.path().join("trap");
    let script = format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\n", marker.display());
    fs::write(&trap, script).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let trap = trap.to_str().unwrap();
    for hook in ["post-index-change", "reference-transaction", "post-checkout", "pre-commit"] {
        fs::create_dir_all(workspace.path(".git/hooks")).unwrap();
        let _ = symlink(trap, workspace.path(&format!(".git/hooks/{hook}")));
    }
    workspace.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    workspace.write(".git/info/attributes", "* filter=evil diff=evil\n");
    let mut config = fs::read_to_string(workspace.path(".git/config")).unwrap();
    config.push_str(&format!(
        "[core]\nfsmonitor = {trap}\npager = {trap}\nsshCommand = {trap}\neditor = {trap}\n\
         gitProxy = {trap}\nalternateRefsCommand = {trap}\naskPass = {trap}\n\
         [filter \"evil\"]\nclean = {trap}\nsmudge = {trap}\nprocess = {trap}\nrequired = true\n\
         [diff]\nexternal = {trap}\n[diff \"evil\"]\ncommand = {trap}\ntextconv = {trap}\n\
         [log]\nshowSignature = true\n[gpg]\nprogram = {trap}\n[credential]\nhelper = {trap}\n\
         [pager]\ncat-file = {trap}\nls-files = {trap}\n\
         [alias]\ncat-file = !{trap}\nls-files = !{trap}\nsymbolic-ref = !{trap}\n"
    ));
    fs::write(workspace.path(".git/config"), config).unwrap();
    // Younger than the index, and of another size: whoever compares has to read it.
    workspace.write("AGENTS.md", "other words\n");

    let record = workspace.look();
    assert_begins(&record, "pass a git repository that works");
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());

    workspace.git(&["status"]);
    assert!(marker.exists(), "the traps are armed: plain git runs into them");
}

/// A repository may also name a way to fetch what is missing.
#[test]
fn r5_looking_fetches_nothing_that_is_missing() {
    let workspace = Workspace::with_commit();
    let outside = tempfile::tempdir().unwrap();
    let marker = outside.path().join("marker");
    workspace.git(&["config", "core.repositoryFormatVersion", "1"]);
    workspace.git(&["config", "extensions.partialClone", "origin"]);
    workspace.git(&["config", "remote.origin.promisor", "true"]);
    workspace.git(&["config", "protocol.ext.allow", "always"]);
    let url = format!("ext::touch {}", marker.display());
    workspace.git(&["config", "remote.origin.url", &url]);
    let out = Command::new("git")
        .arg("-C")
        .arg(workspace.folder.path())
        .args(["rev-parse", "HEAD^{tree}"])
        .output()
        .unwrap();
    let tree = String::from_utf8(out.stdout).unwrap();
    let (folder, file) = tree.trim().split_at(2);
    fs::remove_file(workspace.path(&format!(".git/objects/{folder}/{file}"))).unwrap();

    assert_begins(&workspace.look(), "fail its git repository is broken: ");
    assert!(!marker.exists());

    workspace.git(&["cat-file", "-e", "HEAD^{tree}"]);
    assert!(marker.exists(), "the trap is armed: plain git fetches");
}

/// A pipe in place of a file makes git wait for ever; the rest is told all the same.
#[test]
fn a_repository_that_hangs_is_cut_off() {
    let workspace = Workspace::with_commit();
    fs::remove_file(workspace.path(".git/index")).unwrap();
    let made = Command::new("mkfifo").arg(workspace.path(".git/index")).status();
    assert!(made.unwrap().success());
    workspace.write("skills/one/.git/HEAD", "");
    let record = workspace.look();
    assert_begins(&record, "warn commits leave out what is in nested repositories: skills/one; ");
    assert!(record["message"].as_str().unwrap().ends_with("'git cat-file' did not end in time"));
}

/// A workspace of nobody's, with a program in place of git.
fn workspace_of_nobody(git: &str) -> Workspace {
    let workspace = Workspace::with_commit();
    workspace.write("bin/git", &format!("#!/bin/sh\n{git}\n"));
    fs::set_permissions(workspace.path("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
    let owned = Command::new("chown").args(["-R", "nobody"]).arg(workspace.folder.path()).status();
    assert!(owned.unwrap().success());
    workspace
}

/// Whoever shares a terminal with root can type into it.
#[test]
fn git_of_somebody_else_has_no_terminal_of_roots() {
    if me() != "root" {
        skip("only root can look as somebody else");
        return;
    }
    let workspace = workspace_of_nobody(
        "(: </dev/tty) 2>/dev/null && has=a || has=no; echo fatal: it has $has terminal >&2; exit 128",
    );
    let at_terminal = |command: &str| {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
        let path = std::env::var("PATH").unwrap();
        script.env("PATH", format!("{}:{path}", workspace.path("bin").display()));
        let said = script.stdin(std::process::Stdio::null()).output().expect("script is here");
        String::from_utf8(said.stdout).unwrap()
    };
    assert!(at_terminal("git").contains("fatal: it has a terminal"), "there is one");
    let folder = workspace.folder.path().display();
    let health = assert_cmd::cargo::cargo_bin("claw-health");
    let look = format!("{} --user nobody --format json workspace:{folder}", health.display());
    let said = at_terminal(&look);
    assert!(said.contains("its git repository is broken: it has no terminal"), "{said}");
}

/// What has a session of its own is ended with all that it started, and also when it was stopped.
#[test]
fn git_of_somebody_else_leaves_nothing_running() {
    if me() != "root" {
        skip("only root can look as somebody else");
        return;
    }
    let workspace = workspace_of_nobody("sleep 67 & echo $! $$ >\"$0.pids\"\nkill -STOP $$");
    let path = format!("{}:{}", workspace.path("bin").display(), std::env::var("PATH").unwrap());
    let operand = format!("workspace:{}", workspace.folder.path().display());
    let health = assert_cmd::cargo::cargo_bin("claw-health");
    let mut look = Command::new(health);
    look.args(["--user", "nobody", "--timeout", "2", "--format", "json", &operand]);
    let said = look.env("PATH", path).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("'git cat-file' did not end in time"), "{said}");
    let pids = fs::read_to_string(workspace.path("bin/git.pids")).unwrap();
    for pid in pids.split_whitespace() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z"), "{stat}");
    }
    assert_eq!(pids.split_whitespace().count(), 2);
}

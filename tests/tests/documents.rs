//! The documents say what the tools do: flags, verbs, checks and examples, held against the tools.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use claw_tests::{run, skip, tool};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(project().join("man").join(name)).unwrap()
}

/// The long flags that a text names: `--disk-warn`, or `Fl \-disk-warn` in a man page.
fn flags(text: &str, mark: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.match_indices(mark)
        .map(|(at, _)| &text[at + mark.len()..])
        .map(|rest| {
            rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
                .trim_end_matches('-')
                .to_owned()
        })
        .filter(|flag| !flag.is_empty())
        .collect()
}

#[test]
fn the_flags_of_the_help_are_the_flags_of_the_page() {
    let pages = fs::read_dir(project().join("man")).unwrap();
    let names = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let tools: Vec<_> = names
        .filter_map(|page| page.strip_suffix(".1").map(str::to_owned))
        .filter(|name| name.starts_with("claw-"))
        .collect();
    assert!(!tools.is_empty());
    for name in &tools {
        let mut help = run(tool(name).arg("--help")).stdout;
        if name == "claw-health" {
            help += &run(tool(name).args(["agent", "--help"])).stdout;
        }
        assert_eq!(flags(&help, "--"), flags(&page(&format!("{name}.1")), r"Fl \-"), "{name}");
    }
}

#[test]
fn every_check_stands_in_the_page() {
    let page = page("claw-health.1");
    for record in run(tool("claw-health").args(["--list", "--format", "json"])).records() {
        let target = record["data"]["target"].as_str().unwrap();
        let name = target.split([':', '[']).next().unwrap();
        assert!(page.contains(&format!(".It Cm {name}")), "{name}");
    }
}

/// What a watch does at once, and what it looks at seldom, stand in the table and in the page.
#[test]
fn what_a_watch_does_with_each_check_stands_in_the_page() {
    let page = page("claw-health.1");
    let names = |from: &str, to: &str| -> BTreeSet<String> {
        let part = page.split(from).nth(1).unwrap().split(to).next().unwrap();
        let words = part.split([' ', ',', '\n', '(']).filter(|word| !word.starts_with('.'));
        words.map(str::to_owned).collect()
    };
    let told_at_once = names("\n.Cm fail\nof\n", "is a fact");
    let told_seldom = names("\nThe checks\n.Cm workspace\n", "are looked at no more often");
    for record in run(tool("claw-health").args(["--list", "--format", "json"])).records() {
        let name = record["subject"].as_str().unwrap().strip_prefix("check:").unwrap();
        let is_sure = record["data"]["is_sure"].as_bool().unwrap();
        assert_eq!(told_at_once.contains(name), is_sure, "{name}");
        let is_seldom = record["data"]["every_seconds"].is_u64();
        assert_eq!(told_seldom.contains(name) || name == "workspace", is_seldom, "{name}");
    }
}

#[test]
fn d11_the_verbs_of_help_are_those_of_the_page() {
    let help = Command::new(project().join("scripts/deploy")).arg("help").output().unwrap();
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    let verbs: BTreeSet<_> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ").and_then(|line| line.split_whitespace().next()))
        .collect();
    let page = page("deploy.1");
    let told: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix(".It Cm ")).collect();
    assert_eq!(verbs, told);
}

#[test]
fn deploy_names_a_verb_that_does_not_exist() {
    for (arguments, status, words) in [
        (
            vec!["frobnicate"],
            2,
            "deploy: there is no verb 'frobnicate'; 'deploy help' lists them\n",
        ),
        (vec![], 2, "usage: deploy VERB [ARGUMENT...]\n"),
    ] {
        let output =
            Command::new(project().join("scripts/deploy")).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(status));
        assert!(String::from_utf8(output.stderr).unwrap().starts_with(words), "{arguments:?}");
    }
}

/// By its own name, by the old one, and by a link from elsewhere.
#[test]
fn d7_deploy_health_hands_its_arguments_to_the_tool_on_path() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("anything");
    std::os::unix::fs::symlink(project().join("scripts/deploy"), &link).unwrap();
    for script in [project().join("scripts/deploy"), project().join("scripts/deploy.sh"), link] {
        let output = Command::new(&script)
            .args(["health", "--format", "json", "--memory-warn", "0", "memory"])
            .env("PATH", path_with_tools())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", script.display());
        let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["subject"], "memory");
    }
}

fn path_with_tools() -> String {
    let tools = assert_cmd::cargo::cargo_bin("claw-health");
    format!("{}:{}", tools.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn the_pages_are_clean_mdoc() {
    let pages: Vec<_> =
        fs::read_dir(project().join("man")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() >= 4);
    match Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(pages).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), ""),
        Err(_) => skip("no mandoc: the man pages were not linted"),
    }
}

/// The `console` blocks of the README: what stands behind `$` is typed, and what follows must come.
/// Numbers and units differ from box to box; everything else is compared.
#[test]
fn the_examples_of_the_readme_print_what_it_shows() {
    if Command::new("jq").arg("--version").output().is_err() {
        return skip("no jq: the examples of the README were not run");
    }
    let readme = fs::read_to_string(project().join("README.md")).unwrap();
    let blocks: Vec<_> = readme
        .split("```console\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        for example in block.split("$ ").filter(|example| !example.trim().is_empty()) {
            let mut lines = example.lines();
            let mut typed = lines.next().unwrap().to_owned();
            while typed.ends_with('\\') {
                typed.push('\n');
                typed.push_str(lines.next().unwrap());
            }
            let expected: String = lines.map(|line| format!("{line}\n")).collect();
            let output = Command::new("sh")
                .args(["-c", &typed])
                .current_dir(project())
                .env("PATH", path_with_tools())
                .env_remove("CLAW_FORMAT")
                .output()
                .unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            assert_eq!(
                without_numbers(&printed),
                without_numbers(&expected),
                "$ {typed}\n{printed}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            _ => plain.push(character),
        }
    }
    plain
}

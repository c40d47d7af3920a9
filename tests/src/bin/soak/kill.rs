//! A claw-health that is killed at any moment leaves whole files behind: the old ones or the new.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Case, Chance};

pub(crate) fn run(chance: &mut Chance, tools: &Path) -> Case {
    let folder = tools.join("soak-tally/kill");
    let (state, file) = (folder.join("state"), folder.join("claw.prom"));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut child = Command::new(tools.join("claw-health"))
        .args(["memory", "load", "oom", "clock", "--format", "textfile", "--output"])
        .arg(&file)
        .arg("--state")
        .arg(&state)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    std::thread::sleep(Duration::from_micros(chance.below(3_000) as u64));
    let _ = child.kill();
    let killed = child.wait().map_err(|error| error.to_string())?.code().is_none();
    if let Ok(text) = std::fs::read_to_string(&file) {
        let last = text.lines().last().unwrap_or_default();
        if !text.starts_with("# HELP claw_")
            || !text.ends_with('\n')
            || !last.starts_with("claw_oom_")
        {
            return Err(format!("half a file: {last}"));
        }
    }
    for entry in std::fs::read_dir(state.join("health")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "json") {
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
            serde_json::from_str::<serde_json::Value>(&text)
                .map_err(|error| format!("{}: {error}: {text}", path.display()))?;
        } else if killed {
            // What a killed writer left beside its file is never read; it goes with the next case.
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(if killed { "killed, files whole" } else { "ended first" }.to_owned())
}

//! Interface to claw-health: does the gateway answer now?
//!
//! A record may be old, and a hang may be over; before anything is done, the same tool looks again.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use claw_box::child::{self, NotEnded};
use claw_record::Record;

use crate::patient::Patient;
use crate::said::{self, About, Said};

/// How a look is made.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) gateway_unit: String,
    pub(crate) gateway_url: Option<String>,
    pub(crate) timeout: Duration,
}

impl Look {
    /// Looks at the gateway, or at that agent; nothing where what it says is about another one's.
    pub(crate) fn make(&self, agent: Option<&Patient>) -> Result<Option<Said>, String> {
        let name = agent.and_then(|agent| agent.unit.agent());
        let target = name.map_or_else(|| "gateway".to_owned(), |name| format!("agent:{name}"));
        let program = program();
        let mut command = Command::new(&program);
        let timeout = self.timeout.as_secs_f64().to_string();
        command.args(["--format", "json", "--output", "-", "--timeout", &timeout]);
        command.args(["--user", &self.user, "--gateway-unit", &self.gateway_unit]);
        command.args(self.gateway_url.iter().flat_map(|url| ["--gateway-url", url]));
        // Of a caller's settings, what would keep it from saying how the gateway is.
        for variable in ["CLAW_ONLY", "CLAW_SKIP", "CLAW_ROOT"] {
            command.env_remove(variable);
        }
        command.env("CLAW_FAILING", "false").env("LC_ALL", "C").arg(&target);
        let name = program.display();
        let deadline = Instant::now() + self.timeout * 2;
        let ended = child::run(&mut command, deadline).map_err(|why| match why {
            NotEnded::NotStarted(error) => format!("cannot run '{name}': {error}"),
            NotEnded::Late => format!("'{name} {target}' did not end in time"),
        })?;
        // It ends with 1 where something is not well, which is what is asked.
        match parse(&String::from_utf8_lossy(&ended.stdout), &self.host, agent) {
            Some(said) => Ok(said),
            None => Err(format!("'{name} {target}' failed: {}", ended.reason())),
        }
    }
}

/// The one that came with this program, or else the one on PATH.
fn program() -> PathBuf {
    const NAME: &str = "claw-health";
    let beside = std::env::current_exe().map(|own| own.with_file_name(NAME));
    beside.ok().filter(|file| file.is_file()).unwrap_or_else(|| NAME.into())
}

fn parse(text: &str, host: &str, agent: Option<&Patient>) -> Option<Option<Said>> {
    let record: Record = serde_json::from_str(text.lines().last()?).ok()?;
    let said = said::said(&record, host, agent.map_or(&[], std::slice::from_ref));
    let is_it = |about: &About| (*about == About::Gateway) == agent.is_none();
    Some(said.filter(|(about, _)| is_it(about)).map(|(_, said)| said))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As claw-health writes it.
    const READY: &str = r#"{"time":"2026-11-22T20:31:46.018Z","host":"ht","tool":"claw-health","event":"check","subject":"gateway:http://127.0.0.1:18789","status":"pass","severity":"INFO","message":"ready: version 2026.9.6","data":{"connect_seconds":0.00017,"failing":[],"state":"ready","unit_state":"active","uptime_seconds":100,"version":"2026.9.6"}}"#;

    #[test]
    fn what_claw_health_writes_is_read() {
        assert_eq!(parse(READY, "ht", None), Some(Some(Said::Alive(Some(100.0)))));
        let hung = READY.replace("\"ready\"", "\"hung\"");
        assert_eq!(parse(&hung, "ht", None), Some(Some(Said::Hung)));
        assert_eq!(parse(READY, "other", None), Some(None));
        let agents = crate::patient::patients("gw", "m", &["user/claw-agent-a".parse().unwrap()]);
        let agents = agents.unwrap();
        let agent = agents.last();
        assert_eq!(parse(READY, "ht", agent), Some(None));
        for (state, expected) in [
            ("hung", Said::Hung),
            ("active", Said::Alive(None)),
            ("starting", Said::Starting),
            ("stopped", Said::Other),
        ] {
            let text = format!(
                r#"{{"time":"2026-11-22T20:31:46.018Z","host":"ht","tool":"claw-health","event":"check","subject":"agent:a","status":"fail","severity":"CRITICAL","message":"m","data":{{"state":"{state}"}}}}"#
            );
            assert_eq!(parse(&text, "ht", agent), Some(Some(expected)), "{state}");
            assert_eq!(parse(&text.replace("agent:a", "agent:b"), "ht", agent), Some(None));
            assert_eq!(parse(&text, "ht", None), Some(None));
        }
        assert_eq!(parse("", "ht", None), None);
        assert_eq!(parse("error: unknown option", "ht", None), None);
    }
}

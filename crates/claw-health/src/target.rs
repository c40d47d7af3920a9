//! What to look at, as it is said on the command line: `disk`, `disk:/var`, `http://…`.

use claw_record::Complaint;

use crate::checks::{self, Check, Find};
use crate::network::url::Url;

/// How the operand of a check is spelled that is a URL.
const URL: &str = "URL";

/// One thing to look at: a check and its operand, which is empty where it needs none.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) check: &'static Check,
    pub(crate) operand: String,
}

impl Target {
    /// The subject of what is found there, unless the check names a better one; also a target.
    pub(crate) fn subject(&self) -> String {
        if self.operand.is_empty() {
            self.check.name.to_owned()
        } else if self.check.operand == URL {
            // The query of a URL may hold a key.
            let shown = Url::parse(&self.operand).map(|url| url.to_string()).unwrap_or_default();
            if self.check.name == "http" { shown } else { format!("{}:{shown}", self.check.name) }
        } else {
            format!("{}:{}", self.check.name, self.operand)
        }
    }
}

/// The targets, in which the name of an agent may stand behind the word: `agent NAME`.
pub(crate) fn joined(targets: &[String]) -> Vec<String> {
    match targets {
        [word, name] if word == "agent" && !name.contains(':') => vec![format!("agent:{name}")],
        _ => targets.to_vec(),
    }
}

/// Reads a target. An operand is empty where the target names the check alone.
pub(crate) fn parse(text: &str) -> Result<Target, Complaint> {
    let is_url = text.split_once("://").is_some_and(|(scheme, _)| {
        ["http", "https"].iter().any(|its| scheme.eq_ignore_ascii_case(its))
    });
    let (name, operand) =
        if is_url { ("http", text) } else { text.split_once(':').unwrap_or((text, "")) };
    let check = named(name)?;
    if operand.is_empty() && matches!(check.find, Find::Asked) {
        let reason = format!("it needs to know what: {name}:{}", check.operand);
        return Err(Complaint::cannot("look at", text, reason));
    }
    if !operand.is_empty() && check.operand.is_empty() {
        return Err(Complaint::cannot("look at", text, format!("'{name}' takes no operand")));
    }
    if !operand.is_empty() && check.operand == URL {
        // The complaint does not repeat it: it may hold a password.
        Url::parse(operand)
            .map_err(|why| Complaint::cannot("look at", &format!("{name}:…"), why))?;
    }
    Ok(Target { check, operand: operand.to_owned() })
}

/// The check of that name, in which an underscore stands for a hyphen.
pub(crate) fn named(name: &str) -> Result<&'static Check, Complaint> {
    let spelled = name.replace('_', "-");
    checks::ALL.iter().copied().find(|check| check.name == spelled).ok_or_else(|| {
        Complaint::cannot("look at", name, "there is no such check; --list shows them all")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_names_operands_and_urls() {
        for (text, expected) in [
            ("disk", "disk|"),
            ("disk:/var", "disk|/var"),
            ("memory", "memory|"),
            ("http://a.example/x", "http|http://a.example/x"),
            ("gateway:http://[::1]:1", "gateway|http://[::1]:1"),
        ] {
            let target = parse(text).unwrap();
            assert_eq!(format!("{}|{}", target.check.name, target.operand), expected);
            assert_eq!(target.subject(), text, "a subject is a target");
        }
    }

    #[test]
    fn a_subject_does_not_hold_the_query_of_a_url() {
        let target = parse("https://a.example/x?key=secret-token").unwrap();
        assert_eq!(target.subject(), "https://a.example/x?…");
    }

    #[test]
    fn a_name_may_be_spelled_with_an_underscore() {
        assert_eq!(parse("last_crash").unwrap().subject(), "last-crash");
    }

    #[test]
    fn a_scheme_may_be_in_capitals() {
        let target = parse("HTTP://a.example/X").unwrap();
        assert_eq!((target.check.name, target.subject().as_str()), ("http", "http://a.example/X"));
    }

    #[test]
    fn what_is_no_target_is_said() {
        for (text, expected) in [
            ("dusk", "cannot look at 'dusk': there is no such check; --list shows them all"),
            ("", "cannot look at '': there is no such check; --list shows them all"),
            ("memory:x", "cannot look at 'memory:x': 'memory' takes no operand"),
            ("http", "cannot look at 'http': it needs to know what: http:URL"),
            ("http:x", "cannot look at 'http:…': a URL begins with http:// or https://"),
            (
                "http://me:secret-token@a.example",
                "cannot look at 'http:…': a user or a password has no place in a URL here",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }
}

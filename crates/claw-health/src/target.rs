//! What to look at, as it is said on the command line: `disk`, `disk:/var`, `http://…`.

use claw_record::Complaint;

use crate::checks::{self, Check, Find};

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
        } else if self.check.name == "http" {
            self.operand.clone()
        } else {
            format!("{}:{}", self.check.name, self.operand)
        }
    }
}

/// Reads a target. An operand is empty where the target names the check alone.
pub(crate) fn parse(text: &str) -> Result<Target, Complaint> {
    let is_url = text.starts_with("http://") || text.starts_with("https://");
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
    Ok(Target { check, operand: operand.to_owned() })
}

/// The check of that name.
pub(crate) fn named(name: &str) -> Result<&'static Check, Complaint> {
    checks::ALL.iter().copied().find(|check| check.name == name).ok_or_else(|| {
        Complaint::cannot("look at", name, "there is no such check; --list shows them all")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_names_operands_and_urls() {
        for (text, expected) in
            [("disk", "disk|"), ("disk:/var", "disk|/var"), ("memory", "memory|")]
        {
            let target = parse(text).unwrap();
            assert_eq!(format!("{}|{}", target.check.name, target.operand), expected);
            assert_eq!(target.subject(), text, "a subject is a target");
        }
    }

    #[test]
    fn what_is_no_target_is_said() {
        for (text, expected) in [
            ("dusk", "cannot look at 'dusk': there is no such check; --list shows them all"),
            ("", "cannot look at '': there is no such check; --list shows them all"),
            ("memory:x", "cannot look at 'memory:x': 'memory' takes no operand"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }
}

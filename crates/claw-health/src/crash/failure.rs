//! An error that ended a process, as far as it was told.

use serde::Deserialize;

use super::redact::redact;

/// The name of an error, the first line of its message, and where it was raised.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Failure {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// The first line of its stack that is no part of Node or of a package.
    #[serde(skip)]
    pub(crate) own_line: Option<String>,
}

impl Failure {
    /// `TypeError: its message`, as the first line of a stack has it, and the lines below.
    pub(crate) fn of_stack<'a>(first: &str, stack: impl IntoIterator<Item = &'a str>) -> Self {
        let first = first.strip_prefix("Uncaught ").unwrap_or(first);
        let (name, message) = match first.split_once(": ") {
            Some((name, message)) if is_name(name) => (Some(name), message),
            _ if is_name(first) && first.ends_with("Error") => (Some(first), ""),
            _ => (None, first),
        };
        let own_line = own_line(stack);
        Self { name: name.map(str::to_owned), message: Some(message.to_owned()), own_line }.short()
    }

    /// With nothing longer than people read; an agent may have written it.
    pub(crate) fn short(self) -> Self {
        const LONGEST: usize = 200;
        let short = |text: Option<String>| {
            let text = text?;
            let line = text.trim().lines().next()?.trim_end();
            // A secret that is cut is not known as one any more.
            (!line.is_empty()).then(|| redact(line).chars().take(LONGEST).collect::<String>())
        };
        Self {
            name: short(self.name),
            message: short(self.message),
            own_line: short(self.own_line),
        }
    }

    /// Name and message in one line; empty where neither is known.
    pub(crate) fn line(&self) -> String {
        let parts = [&self.name, &self.message].into_iter().flatten();
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    /// The same with every text changed in one way.
    pub(crate) fn map(self, change: impl Fn(&str) -> String) -> Self {
        let change = |text: Option<String>| text.map(|text| change(&text));
        Self {
            name: change(self.name),
            message: change(self.message),
            own_line: change(self.own_line),
        }
    }
}

/// The first line of a stack that is the program's own: `at load (/home/dev/agent.js:3:7)`.
pub(crate) fn own_line<'a>(stack: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let frames = stack.into_iter().filter_map(|line| line.trim_start().strip_prefix("at "));
    let mut own = frames.filter(|frame| {
        let is_foreign = ["node:", "node_modules/", "<anonymous>)", "native)"]
            .iter()
            .any(|part| frame.contains(part));
        !is_foreign && frame.contains(':')
    });
    own.next().map(|frame| frame.trim_end_matches(" {").trim_end().to_owned())
}

/// `TypeError`, `AbortError [ERR_X]`: what stands before a message is not always a name.
fn is_name(text: &str) -> bool {
    let word = text.split(" [").next().unwrap_or(text);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_$".contains(c);
    word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_its_error_and_the_first_line_of_the_program_itself() {
        let stack = [
            "    at Object.<anonymous> (/home/dev/node_modules/x/index.js:1:1)",
            "    at wrapSafe (node:internal/modules/cjs/loader:1861:18)",
            "    at new Promise (<anonymous>)",
            "    at run (/home/dev/agents/reject.js:1:31) {",
            "    at main (/home/dev/agents/reject.js:9:1)",
        ];
        for (first, name, message) in [
            ("TypeError: boom: cannot read", Some("TypeError"), Some("boom: cannot read")),
            ("Error [ERR_X]: gone", Some("Error [ERR_X]"), Some("gone")),
            ("it is over: said it", None, Some("it is over: said it")),
            ("RangeError", Some("RangeError"), None),
            ("5", None, Some("5")),
            ("", None, None),
        ] {
            let failure = Failure::of_stack(first, stack);
            assert_eq!((failure.name.as_deref(), failure.message.as_deref()), (name, message));
            assert_eq!(failure.own_line.as_deref(), Some("run (/home/dev/agents/reject.js:1:31)"));
        }
        assert_eq!(own_line([]), None);
    }
}

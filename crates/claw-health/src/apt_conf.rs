//! The settings of apt, as they stand in its files: `apt.conf(5)`.

use std::collections::BTreeMap;

/// Settings by their whole name in lower case: `apt::periodic::unattended-upgrade`. The values of a
/// list stand under its name, a line each.
pub(crate) type Settings = BTreeMap<String, String>;

/// A word of the language.
#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Open,
    Close,
    End,
}

/// Reads one file over what earlier ones said. What cannot be understood is passed over: it is apt
/// itself that complains of it.
pub(crate) fn read(text: &str, settings: &mut Settings) {
    /// Deeper than anybody writes; a file of nothing but braces costs no more memory.
    const DEEPEST: usize = 64;
    let mut scopes: Vec<String> = Vec::new();
    let mut words: Vec<Token> = Vec::new();
    for token in tokens(text) {
        match token {
            Token::Open => {
                if scopes.len() < DEEPEST {
                    scopes.push(full_name(&scopes, &words));
                }
                words.clear();
            }
            Token::Close => {
                scopes.pop();
                words.clear();
            }
            Token::End => {
                statement(&scopes, &words, settings);
                words.clear();
            }
            word => words.push(word),
        }
    }
}

/// The words of a statement, up to its semicolon.
fn statement(scopes: &[String], words: &[Token], settings: &mut Settings) {
    match words {
        [Token::Word(directive), Token::Word(name)] if directive == "#clear" => {
            let name = name.to_lowercase();
            let below = format!("{name}::");
            settings.retain(|key, _| *key != name && !key.starts_with(&below));
        }
        // `List { "one"; };` and `List:: "one";`
        [Token::Quoted(value)] => append(settings, &full_name(scopes, &[]), value),
        [Token::Word(name), Token::Quoted(value)] if name.ends_with("::") => {
            append(settings, &full_name(scopes, words), value);
        }
        [Token::Word(_), Token::Quoted(value) | Token::Word(value)] => {
            settings.insert(full_name(scopes, words), value.clone());
        }
        _ => {}
    }
}

fn append(settings: &mut Settings, name: &str, value: &str) {
    let list = settings.entry(name.trim_end_matches(':').to_owned()).or_default();
    list.push_str(value);
    list.push('\n');
}

/// The name that the first word has within its braces.
fn full_name(scopes: &[String], words: &[Token]) -> String {
    let name = match words.first() {
        Some(Token::Word(name)) => name.to_lowercase(),
        _ => String::new(),
    };
    match scopes.last() {
        Some(scope) if !scope.is_empty() => format!("{scope}::{name}"),
        _ => name,
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let directive = ["#clear", "#include"].iter().any(|word| rest.starts_with(word));
        if rest.starts_with("//") || (first == '#' && !directive) {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            tokens.push(Token::Quoted(value.to_owned()));
            rest = after;
        } else if let Some(token) = match first {
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            ';' => Some(Token::End),
            _ => None,
        } {
            tokens.push(token);
            rest = &rest[1..];
        } else if first.is_whitespace() {
            rest = rest.trim_start();
        } else {
            let ends = |c: char| c.is_whitespace() || "{};\"".contains(c);
            let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<String> {
        let mut settings = Settings::new();
        read(text, &mut settings);
        settings.remove("apt::periodic::unattended-upgrade")
    }

    #[test]
    fn h6_every_spelling_of_a_setting_is_read() {
        for (text, expected) in [
            ("APT::Periodic::Unattended-Upgrade \"1\";", Some("1")),
            ("apt::periodic::unattended-upgrade \"1\" ;", Some("1")),
            ("APT::Periodic { Update-Package-Lists \"1\"; Unattended-Upgrade \"7\"; };", Some("7")),
            ("APT { Periodic { Unattended-Upgrade \"always\"; }; };", Some("always")),
            ("APT::Periodic::Unattended-Upgrade 1;", Some("1")),
            ("// APT::Periodic::Unattended-Upgrade \"1\";", None),
            ("# APT::Periodic::Unattended-Upgrade \"1\";", None),
            ("/* APT::Periodic::\nUnattended-Upgrade \"1\"; */", None),
            ("A \"//\"; APT::Periodic::Unattended-Upgrade \"1\"; // \"0\";", Some("1")),
            (
                "APT::Periodic::Unattended-Upgrade \"1\";\nAPT::Periodic::Unattended-Upgrade \"0\";",
                Some("0"),
            ),
            ("APT::Periodic::Unattended-Upgrade \"1\"; #clear APT::Periodic;", None),
            (
                "Unattended-Upgrade::Origins { \"a\"; \"b\"; }; APT::Periodic::Unattended-Upgrade \"1\";",
                Some("1"),
            ),
        ] {
            assert_eq!(value(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn h6_a_list_is_read_in_both_its_spellings() {
        let mut settings = Settings::new();
        read("U::Origins { \"a\"; // \"b\";\n\"c\"; };\nU::Origins:: \"d\";", &mut settings);
        assert_eq!(settings["u::origins"], "a\nc\nd\n");
        read("#clear U::Origins;", &mut settings);
        assert!(settings.is_empty());
    }

    #[test]
    fn a_garbled_file_gives_what_it_gives() {
        for text in ["{", "}", "};};", "\"", "/*", "A", "A \"", ";", "\u{0}é\"\u{0}", "a b c d;"] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value(&"{".repeat(100_000)), None);
        assert_eq!(value(&"A::B{".repeat(100_000)), None);
    }
}

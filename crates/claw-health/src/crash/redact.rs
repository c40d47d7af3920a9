//! Taking secrets out of lines that an agent wrote, before anybody is told them.

/// What stands in the place of a secret.
const GONE: &str = "[redacted]";

/// The lines without what looks like a secret: keys and tokens of well-known kinds, passwords in
/// addresses, values of settings that are called secret, and private keys as a whole.
pub(crate) fn redacted<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut is_within = false;
    let mut one = |line: &str| {
        if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
            is_within = !line.contains("-----END ");
            return GONE.to_owned();
        }
        if is_within {
            is_within = !line.contains("-----END ");
            return GONE.to_owned();
        }
        redact(line)
    };
    lines.into_iter().map(&mut one).collect()
}

/// One line without its secrets.
pub(crate) fn redact(line: &str) -> String {
    words(&values(&addresses(line)))
}

/// `scheme://user:password@host`
fn addresses(line: &str) -> String {
    let mut parts = line.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "://";
        let ends = |c: char| c.is_whitespace() || "/?#\"'<>".contains(c);
        let authority = &part[..part.find(ends).unwrap_or(part.len())];
        match authority.rfind('@') {
            Some(at) => {
                out += GONE;
                out += &part[at..];
            }
            None => out += part,
        }
    }
    out
}

/// `token=…`, `"password": "…"`, `Authorization: Bearer …`
fn values(line: &str) -> String {
    const NAMES: [&str; 10] = [
        "token",
        "password",
        "passwd",
        "passphrase",
        "secret",
        "api_key",
        "api-key",
        "apikey",
        "authorization",
        "cookie",
    ];
    const SCHEMES: [&str; 2] = ["bearer ", "basic "];
    // Only letters of ASCII change, so that each place is the same in both.
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    let mut at = 0;
    while let Some(rest) = lower.get(at..).filter(|rest| !rest.is_empty()) {
        let scheme = SCHEMES.iter().find(|scheme| rest.starts_with(**scheme));
        let name = NAMES.iter().find(|name| rest.starts_with(**name));
        let value = match (scheme, name) {
            // A word of a sentence is no credential.
            (Some(scheme), _) => Some(at + scheme.len()).filter(|at| long(&line[*at..]) >= 8),
            (None, Some(name)) => value_at(line, at + name.len()),
            (None, None) => None,
        };
        match value {
            Some(value) => {
                out += &line[at..value];
                let mut length = long(&line[value..]);
                // The scheme of a header is not yet what it carries.
                let after = &lower[value..];
                if let Some(scheme) = SCHEMES.iter().find(|scheme| after.starts_with(**scheme)) {
                    length = scheme.len() + long(&line[value + scheme.len()..]);
                }
                out += GONE;
                at = value + length;
            }
            None => {
                let char = line[at..].chars().next().unwrap_or_default();
                out.push(char);
                at += char.len_utf8().max(1);
            }
        }
    }
    out
}

/// Where the value begins, where `=` or `:` comes next, quotes aside.
fn value_at(line: &str, at: usize) -> Option<usize> {
    let rest = line.get(at..)?;
    let trimmed = rest.trim_start_matches(['"', '\'', '\\']).trim_start();
    let value = trimmed.strip_prefix(['=', ':'])?;
    let value = value.trim_start().trim_start_matches(['"', '\'', '\\']);
    (long(value) > 0).then(|| line.len() - value.len())
}

/// How long a value is that stands at the beginning.
fn long(value: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || "\"',;&}\\".contains(c);
    value.find(ends).unwrap_or(value.len())
}

/// What is a secret by how it looks.
fn words(line: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    for c in line.chars() {
        if is_part(c) {
            word.push(c);
            continue;
        }
        out += &without(&std::mem::take(&mut word));
        out.push(c);
    }
    out + &without(&word)
}

fn without(word: &str) -> String {
    const PREFIXES: [&str; 18] = [
        "sk-",
        "sk_",
        "rk_",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "xoxa-",
        "xapp-",
        "npm_",
        "AIza",
        "AKIA",
        "ASIA",
    ];
    const SHORTEST: usize = 16;
    let pieces = word.split(':').collect::<Vec<_>>();
    // bot1234567890:35 letters
    let is_bot = pieces.windows(2).any(|pair| {
        let number = pair[0].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let is_number = number.len() >= 6 && number.chars().all(|c| c.is_ascii_digit());
        is_number && pair[1].len() >= 30
    });
    if is_bot {
        return GONE.to_owned();
    }
    let is_secret = |piece: &str| {
        let is_known = PREFIXES.iter().any(|prefix| piece.starts_with(prefix));
        // Commits and digests of 40 and 64 are names, the gateway's tokens are of 48.
        let is_hex =
            piece.len() >= 48 && piece.len() != 64 && piece.chars().all(|c| c.is_ascii_hexdigit());
        let is_jwt =
            piece.starts_with("eyJ") && piece.matches('.').count() == 2 && piece.len() > 40;
        is_known && piece.len() >= SHORTEST || is_hex || is_jwt
    };
    let kept = pieces.into_iter().map(|piece| if is_secret(piece) { GONE } else { piece });
    kept.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        let hex = "0123456789abcdef".repeat(3);
        let bot = format!("123456789:{}", "AbCd-5_".repeat(5));
        for (line, expected) in [
            (format!("token {hex} refused"), "token [redacted] refused".to_owned()),
            (
                format!("GET https://api.telegram.org/bot{bot}/getMe"),
                "GET https://api.telegram.org/[redacted]/getMe".into(),
            ),
            ("Authorization: Bearer abc.def-ghi".into(), "Authorization: [redacted]".into()),
            (
                "authorization=Basic Zm9vOmJhcg==, next".into(),
                "authorization=[redacted], next".into(),
            ),
            ("sent Bearer abcdefgh1234 to".into(), "sent Bearer [redacted] to".into()),
            ("the bearer of news".into(), "the bearer of news".into()),
            ("key sk-proj-abcdefghijklmnop: bad".into(), "key [redacted]: bad".into()),
            ("ghp_abcdefghijklmnop1234".into(), "[redacted]".into()),
            (
                "https://me:secret@example.org/x?a=b".into(),
                "https://[redacted]@example.org/x?a=b".into(),
            ),
            (
                "at https://example.org/@me and a@b".into(),
                "at https://example.org/@me and a@b".into(),
            ),
            (
                r#"{"password": "two words", "n": 1}"#.into(),
                r#"{"password": "[redacted] words", "n": 1}"#.into(),
            ),
            (r#"{"botToken":"x1","n":1}"#.into(), r#"{"botToken":"[redacted]","n":1}"#.into()),
            ("MY_API_KEY=abc&x=1".into(), "MY_API_KEY=[redacted]&x=1".into()),
            (
                "SyntaxError: Unexpected token ';'".into(),
                "SyntaxError: Unexpected token ';'".into(),
            ),
            (
                "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904".into(),
                "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904".into(),
            ),
            (
                "    at run (/home/dev/reject.js:1:31)".into(),
                "    at run (/home/dev/reject.js:1:31)".into(),
            ),
            ("ünicode tokén=ü token=ü".into(), "ünicode tokén=ü token=[redacted]".into()),
            (String::new(), String::new()),
        ] {
            assert_eq!(redact(&line), expected, "{line}");
        }
    }

    #[test]
    fn a_private_key_is_taken_out_whole() {
        let lines =
            ["a", "-----BEGIN RSA PRIVATE KEY-----", "MIIE", "-----END RSA PRIVATE KEY-----", "b"];
        assert_eq!(redacted(lines), ["a", GONE, GONE, GONE, "b"]);
    }
}

//! Names that say that what they name is secret.

use crate::text::{Class, Text};

/// A word that stands in such names.
pub(crate) struct Name {
    pub(crate) word: &'static str,
    pub(crate) kind: &'static str,
    /// Stands for itself alone, or behind `_`, `-`, `.` or a change of case: within words it is chance.
    alone: bool,
    /// What it names is a word of a person's choice and not of a machine's: anything may be one.
    pub(crate) chosen: bool,
}

const fn chosen(word: &'static str) -> Name {
    Name { word, kind: "password", alone: false, chosen: true }
}

const fn name(word: &'static str, kind: &'static str) -> Name {
    Name { word, kind, alone: false, chosen: false }
}

const fn alone(word: &'static str, kind: &'static str, chosen: bool) -> Name {
    Name { word, kind, alone: true, chosen }
}

/// All of them. To add one: a row.
pub(crate) const NAMES: &[Name] = &[
    chosen("password"),
    chosen("passwd"),
    chosen("passphrase"),
    chosen("passwort"),
    chosen("mot_de_passe"),
    chosen("contraseña"),
    chosen("密码"),
    chosen("密碼"),
    chosen("口令"),
    chosen("identified by"),
    chosen("requirepass"),
    chosen("masterauth"),
    alone("pwd", "password", true),
    alone("pass", "password", true),
    alone("pw", "password", true),
    alone("passcode", "password", true),
    alone("psk", "password", true),
    name("token", "token"),
    name("令牌", "token"),
    name("secret", "secret"),
    name("密钥", "secret"),
    name("api_key", "api-key"),
    name("api-key", "api-key"),
    name("apikey", "api-key"),
    name("access_key", "api-key"),
    name("access-key", "api-key"),
    name("accesskey", "api-key"),
    name("account_key", "api-key"),
    name("accountkey", "api-key"),
    name("auth_key", "api-key"),
    name("auth-key", "api-key"),
    name("authkey", "api-key"),
    name("app_key", "api-key"),
    name("appkey", "api-key"),
    name("license_key", "api-key"),
    name("signing_key", "secret"),
    name("signingkey", "secret"),
    name("encryption_key", "secret"),
    name("encryptionkey", "secret"),
    name("encodingaeskey", "secret"),
    name("master_key", "secret"),
    name("masterkey", "secret"),
    name("private_key", "private-key"),
    name("private-key", "private-key"),
    name("privatekey", "private-key"),
    name("preshared_key", "private-key"),
    name("presharedkey", "private-key"),
    name("pre-shared-key", "private-key"),
    name("shared_key", "private-key"),
    name("sharedkey", "private-key"),
    name("credential", "credential"),
    name("authorization", "authorization"),
    name("x-auth", "authorization"),
    name("cookie", "cookie"),
    name("session_id", "session"),
    name("sessionid", "session"),
    name("session_key", "session"),
    name("sessionkey", "session"),
    alone("phpsessid", "session", false),
    alone("connect.sid", "session", false),
    alone("sig", "signature", false),
    alone("signature", "signature", false),
    alone("auth", "authorization", false),
    alone("webhook", "webhook", false),
    alone("_authtoken", "token", false),
    alone("_auth", "token", false),
    alone("otp", "password", true),
    alone("pin", "password", true),
    alone("seed_phrase", "secret", true),
    alone("mnemonic", "secret", true),
];

/// What may stand behind the word in a name that still says the same, by its length.
const BEHINDS: &[&[&str]] = &[
    &[],
    &["1", "2", "3"],
    &["_1", "_2"],
    &["new", "old", "key"],
    &["text", "hash", "data", "_key", "-key", "_b64", "_raw", "_new", "_old", "_dev"],
    &["value", "_text", "_hash", "_prod", "_live", "_test", "token", "again", "plain"],
    &["_value", "-value", "string", "base64", "_plain", "_token"],
    &["_string", "_base64"],
    &["id_value", "_staging", "_confirm"],
    &["_key_base", "accesskey"],
    &[],
    &["_access_key"],
    &[],
    &["_confirmation"],
];

impl Name {
    /// How places begin where it stands. A short one is told by what follows.
    pub(crate) fn begins(&self) -> Vec<String> {
        if self.word.len() > 3 {
            return vec![self.word.to_owned()];
        }
        let follows = ["=", ":", "\"", "'", "%", " ", "_", "-", "]", "<", ">", "\\", "&"];
        follows.iter().map(|next| format!("{}{next}", self.word)).collect()
    }

    /// Where the name ends whose word stands there, and whether it names several; nothing where the name
    /// says something else.
    pub(crate) fn end(&self, text: Text, start: usize, end: usize) -> Option<(usize, bool)> {
        let before = text.before(start);
        let is_turn = before.is_ascii_lowercase() && text.at(start).is_ascii_uppercase();
        if self.alone && (before.is_ascii_alphanumeric() || before >= 0x80) && !is_turn {
            return None;
        }
        if self.alone
            && before == b'-'
            && self.word != "auth"
            && text.at(start.wrapping_sub(2)) != b'-'
        {
            // `three-pass`, `two-pin`; `--pass` is one.
            return None;
        }
        let next = text.at(end);
        if !Class::Word.has(next) && next != b'-' {
            return Some((end, false));
        }
        let mut stop = text.end_of(Class::Word, end);
        // `api-key-id` and `token-count` are one name each.
        while text.at(stop) == b'-' && Class::Word.has(text.at(stop + 1)) {
            stop = text.end_of(Class::Word, stop + 1);
        }
        let behind = &text.0[end..stop];
        let several = matches!(behind, b"s" | b"S");
        let same = BEHINDS.get(behind.len()).copied().unwrap_or_default();
        let says_so = several || same.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(behind));
        says_so.then_some((stop, several))
    }
}

/// Does a name, as of a setting or a key in JSON, say that its value is secret?
pub fn is_secret(name: &str) -> bool {
    let text = Text(name.as_bytes());
    NAMES.iter().any(|row| {
        let word = row.word;
        (0..name.len()).filter(|at| text.has_word(*at, word)).any(|at| {
            row.end(text, at, at + word.len())
                .is_some_and(|(end, several)| end == name.len() && !several)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_stands_by_its_length() {
        for (length, same) in BEHINDS.iter().enumerate() {
            assert!(same.iter().all(|it| it.len() == length), "{same:?}");
        }
    }

    #[test]
    fn names_say_what_they_name() {
        for name in [
            "password",
            "botToken",
            "OPENAI_API_KEY",
            "db_pass",
            "client-secret",
            "smtpPwd",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "token_count",
            "maxTokens",
            "password-policy",
            "bypass",
            "compass",
            "tokenFile",
            "secret_name",
            "author",
            "pinned",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}

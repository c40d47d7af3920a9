//! The line of a record, which is one still once secrets are taken out of it.

use std::borrow::Cow;

use claw_record::Record;
use serde_json::Value;

use crate::engine::Redactor;
use crate::rules::names_a_secret;

impl Redactor {
    /// The line of a record without secrets.
    pub fn line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let Cow::Owned(clean) = self.bytes(line) else { return Cow::Borrowed(line) };
        if serde_json::from_slice::<Record>(&clean).is_ok() {
            return Cow::Owned(clean);
        }
        // A secret was no text but a number, or went beyond its quotes.
        match serde_json::from_slice(line) {
            Ok(mut value) => {
                self.value(&mut value, false);
                Cow::Owned(serde_json::to_vec(&value).unwrap_or_default())
            }
            Err(_) => Cow::Owned(clean),
        }
    }

    /// Takes secrets out of each text by itself, and what a key says is one.
    fn value(&self, value: &mut Value, is_secret: bool) {
        match value {
            Value::String(text) if is_secret => *text = self.mark("secret", text.as_bytes()),
            Value::Number(number) if is_secret => {
                *value = self.mark("secret", number.to_string().as_bytes()).into();
            }
            Value::String(text) => *text = self.text(text).into_owned(),
            Value::Array(all) => all.iter_mut().for_each(|one| self.value(one, is_secret)),
            Value::Object(all) => {
                for (key, one) in all {
                    self.value(one, is_secret || names_a_secret(key));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::Held;
    use crate::key::Key;

    #[test]
    fn a_record_without_secrets_is_a_record() {
        let key = Key::of(b"key");
        let redactor = Redactor::new(key.clone(), Held::read(&key, &[]));
        let line = |message: &str, data: &str| {
            format!(
                r#"{{"time":"2026-11-22T03:14:15Z","host":"h","tool":"t","event":"e","subject":"s","status":"pass","severity":"INFO","message":"{message}","data":{data}}}"#
            )
        };
        let plain = line("all is well", "{}");
        assert_eq!(&*redactor.line(plain.as_bytes()), plain.as_bytes());
        let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
        for secret in
            [line(&format!("it said {token}"), "{}"), line("x", r#"{"password":31415926535}"#)]
        {
            let clean = redactor.line(secret.as_bytes());
            let record: Record = serde_json::from_slice(&clean).unwrap();
            let text = String::from_utf8_lossy(&clean);
            assert!(!text.contains(token) && !text.contains("31415926535"), "{text}");
            assert!(text.contains("[redacted:"), "{text}");
            assert_eq!(record.subject, "s");
        }
    }
}

//! What the channels work with: settings, secrets, and the way to the network.

use std::str::FromStr;
use std::time::Duration;

use crate::http::Http;
use crate::secret::Place;

/// Settings of the channels.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) http: Http,
    /// How long one thing that is sent may take.
    pub(crate) timeout: Duration,
    /// This host, as it says who it is.
    pub(crate) host: String,
    /// Whose gateway it is, where somebody says.
    pub(crate) user: Option<String>,
    pub(crate) telegram_api: String,
    pub(crate) telegram_token: Place,
    pub(crate) ntfy_url: String,
    pub(crate) ntfy_token: Place,
    pub(crate) webhook_secret: Place,
    pub(crate) slack_url: Place,
    pub(crate) discord_url: Place,
    pub(crate) wecom_url: Place,
    pub(crate) healthchecks_url: Place,
    pub(crate) smtp: Option<Server>,
    pub(crate) smtp_from: String,
    pub(crate) smtp_password: Place,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) tls: Tls,
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// `smtps://`
    FromTheStart,
    /// `smtp://`: by STARTTLS, or not at all.
    Upgraded,
    /// `smtp+plain://`, to this very host alone.
    None,
}

impl FromStr for Server {
    type Err = String;

    /// `smtp://USER@HOST:PORT`; the user and the port may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (tls, port) = match scheme {
            "smtps" => (Tls::FromTheStart, 465),
            "smtp" => (Tls::Upgraded, 587),
            "smtp+plain" => (Tls::None, 25),
            _ => return Err("not smtp://HOST or smtps://HOST".to_owned()),
        };
        let rest = rest.trim_end_matches('/');
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        if user.as_ref().is_some_and(|user| user.contains(':')) {
            return Err("a password has no place in it: CLAW_SMTP_PASSWORD_FILE".to_owned());
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, digits)) if !host.ends_with(':') && !digits.contains(']') => {
                (host, digits.parse().map_err(|_| "the port is no number".to_owned())?)
            }
            _ => (rest, port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(of_a_name) {
            return Err("it names no host".to_owned());
        }
        const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
        if tls == Tls::None && !LOCAL.contains(&host) {
            return Err("without encryption it may only be this very host".to_owned());
        }
        Ok(Self { tls, user, host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_read() {
        for (text, expected) in [
            ("smtp://mail.example.org", (Tls::Upgraded, None, "mail.example.org", 587)),
            (
                "smtps://me@mail.example.org:1465/",
                (Tls::FromTheStart, Some("me"), "mail.example.org", 1465),
            ),
            (
                "smtps://a@b.example@mail.example.org",
                (Tls::FromTheStart, Some("a@b.example"), "mail.example.org", 465),
            ),
            ("smtp+plain://127.0.0.1:2525", (Tls::None, None, "127.0.0.1", 2525)),
            ("smtp://[2001:db8::1]:25", (Tls::Upgraded, None, "2001:db8::1", 25)),
        ] {
            let Server { tls, user, host, port } = text.parse().unwrap();
            assert_eq!((tls, user.as_deref(), host.as_str(), port), expected, "{text}");
        }
        for (text, why) in [
            ("mail.example.org", "not smtp://HOST"),
            ("smtp://me:secret@mail.example.org", "a password has no place in it"),
            ("smtp://", "it names no host"),
            ("smtp://x:y", "the port is no number"),
            ("smtp+plain://mail.example.org", "only be this very host"),
        ] {
            let said = text.parse::<Server>().unwrap_err();
            assert!(said.contains(why) && !said.contains("secret@"), "{said}");
        }
    }
}

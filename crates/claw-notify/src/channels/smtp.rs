//! E-mail: plain text with the record attached, over TLS, to a server that is named in a setting.

use std::net::SocketAddr;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, MultiPart, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};

use super::{Channel, Parcel, Refusal, Takes, unlimited};
use crate::http::addresses;
use crate::means::{Means, Server, Tls};
use crate::secret::without;

pub(super) const CHANNEL: Channel = Channel {
    name: "smtp",
    about: "a mailbox: smtp:NAME@EXAMPLE.ORG",
    takes: Takes::Incidents,
    at_once: 1,
    longest: 100_000,
    limits: unlimited,
    check,
    send,
    proves: true,
};

fn check(address: &str) -> Result<(), String> {
    let read: Result<Address, _> = address.parse();
    read.map(drop).map_err(|_| "not smtp:NAME@EXAMPLE.ORG".to_owned())
}

fn send(parcel: &Parcel<'_>, means: &Means) -> Result<String, Refusal> {
    let server = means
        .smtp
        .as_ref()
        .ok_or_else(|| Refusal::Later("no server: CLAW_SMTP_URL names none".to_owned()))?;
    let password = match server.user {
        Some(_) => Some(means.smtp_password.read().map_err(Refusal::Later)?),
        None => None,
    };
    let secret = password.as_ref().map_or("", |password| password.as_str());
    let (envelope, mail) = mail(parcel, means).map_err(Refusal::Message)?;
    // As it is said to the server, which may say it again.
    let user = server.user.as_deref().unwrap_or_default();
    let plain = zeroize::Zeroizing::new(base64(format!("\0{user}\0{secret}").as_bytes()));
    let login = zeroize::Zeroizing::new(base64(secret.as_bytes()));
    let hidden = |why: &str| without(&without(&without(why, secret), &plain), &login);
    let scrub = |why: String| Refusal::Later(hidden(&why));
    let sockets = sockets(server, means.timeout).map_err(scrub)?;
    let hello = ClientId::Domain(means.host.clone());
    let mut smtp = connect(server, &sockets, &hello, means.timeout).map_err(scrub)?;
    if let (Some(user), Some(password)) = (&server.user, &password) {
        let credentials = Credentials::new(user.clone(), password.as_str().to_owned());
        let auth = smtp.auth(DEFAULT_MECHANISMS, &credentials);
        auth.map_err(|error| scrub(format!("it does not let us in: {}", words(&error))))?;
    }
    let answer = smtp.send(&envelope, &mail);
    let answer = answer.map_err(|error| {
        let why = hidden(&words(&error));
        // What it says of a mailbox may be true tomorrow no more.
        if error.is_permanent() { Refusal::Message(why) } else { Refusal::Later(why) }
    })?;
    let said = answer.first_line().unwrap_or_default();
    let receipt = format!("{} {}", answer.code(), crate::text::cut(said, 150));
    // It has it; how it says good-bye does not matter.
    let _ = smtp.quit();
    Ok(hidden(&receipt))
}

fn sockets(server: &Server, within: Duration) -> Result<Vec<SocketAddr>, String> {
    let found = addresses(&server.host, within).map_err(|_| "unknown host".to_owned())?;
    if found.is_empty() {
        return Err("unknown host".to_owned());
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, server.port)).collect())
}

fn connect(
    server: &Server,
    sockets: &[SocketAddr],
    hello: &ClientId,
    timeout: Duration,
) -> Result<SmtpConnection, String> {
    let tls = || TlsParameters::new_rustls(server.host.clone()).map_err(|error| words(&error));
    let timeout = Some(timeout);
    let open = |tls: Option<&TlsParameters>| {
        SmtpConnection::connect(sockets, timeout, hello, tls, None).map_err(|error| words(&error))
    };
    match server.tls {
        Tls::FromTheStart => open(Some(&tls()?)),
        Tls::Upgraded => {
            let mut smtp = open(None)?;
            if !smtp.can_starttls() {
                return Err("it offers no STARTTLS".to_owned());
            }
            smtp.starttls(&tls()?, hello).map_err(|error| words(&error))?;
            Ok(smtp)
        }
        Tls::None => open(None),
    }
}

fn mail(parcel: &Parcel<'_>, means: &Means) -> Result<(Envelope, Vec<u8>), String> {
    let wrong = |why: &dyn std::fmt::Display| format!("no mail can be made of it: {why}");
    let to: Address = parcel.address.parse().map_err(|error| wrong(&error))?;
    let from: Address = means
        .smtp_from
        .parse()
        .map_err(|_| "CLAW_SMTP_FROM is no address: name@example.org".to_owned())?;
    let envelope =
        Envelope::new(Some(from.clone()), vec![to.clone()]).map_err(|error| wrong(&error))?;
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(parcel.text.to_owned());
    let json = ContentType::parse("application/json").map_err(|error| wrong(&error))?;
    let record =
        Attachment::new("record.json".to_owned()).body(format!("{}\n", parcel.record), json);
    let number = parcel.ids.replace(['#', ' '], "");
    let mail = Message::builder()
        .from(from.into())
        .to(to.into())
        .subject(parcel.title)
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .message_id(Some(format!("<claw-{number}-{}@{}>", crate::clock::wall(), means.host)))
        .multipart(MultiPart::mixed().singlepart(text).singlepart(record))
        .map_err(|error| wrong(&error))?;
    Ok((envelope, mail.formatted()))
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = char::from(SIGNS[bits >> (18 - 6 * place) & 63]);
            text.push(if place <= three.len() { sign } else { '=' });
        }
    }
    text
}

/// What went wrong, with what was behind it.
fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let why = error.to_string();
        if !words.contains(&why) {
            words = format!("{words}: {why}");
        }
        source = error.source();
    }
    crate::text::cut(&words, 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), expected, "{text}");
        }
    }
}

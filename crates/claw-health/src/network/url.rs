//! Where something answers: `http://HOST[:PORT][/PATH]`, or `HOST:PORT` alone.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A URL, in the part of the syntax that a probe has a use for. It shows without its query: that
/// is where people put keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) tls: bool,
    pub(crate) endpoint: Endpoint,
    path: String,
    query: Option<String>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// A name or an address, one of IPv6 without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Url {
    /// Reads a URL. The reason why it is none repeats nothing of it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err("a URL begins with http:// or https://".to_owned()),
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it holds a character that a URL holds as %XX".to_owned());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a user or a password has no place in a URL here".to_owned());
        }
        let endpoint = Endpoint::read(authority, Some(if tls { 443 } else { 80 }))?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        Ok(Self { tls, endpoint, path: path.to_owned(), query })
    }

    /// A plain URL of a port of this host.
    pub(crate) fn local(tls: bool, port: u16) -> Self {
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port };
        Self { tls, endpoint, path: String::new(), query: None }
    }

    /// The same host and port with another path.
    pub(crate) fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), query: None, ..self.clone() }
    }

    /// What is asked for in the first line of a request.
    pub(crate) fn request_target(&self) -> String {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        match &self.query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// The host as it stands in the head of a request.
    pub(crate) fn host_header(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        let text = self.endpoint.to_string();
        match text.rsplit_once(':') {
            Some((host, _)) if self.endpoint.port == default => host.to_owned(),
            _ => text,
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.path)?;
        if self.query.is_some() { f.write_str("?…") } else { Ok(()) }
    }
}

impl Endpoint {
    /// Reads `HOST:PORT`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text, None)
    }

    fn read(text: &str, default_port: Option<u16>) -> Result<Self, String> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or("the address lacks its ]")?;
                host.parse::<Ipv6Addr>().map_err(|_| "no IPv6 address between [ and ]")?;
                let port = match port.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if port.is_empty() => None,
                    None => return Err("something else than a port behind the address".to_owned()),
                };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if port.is_some_and(|port| port.contains(':')) {
            return Err("an IPv6 address stands between [ and ]".to_owned());
        }
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || !(text.starts_with('[') || host.bytes().all(of_a_name)) {
            return Err("it names no host".to_owned());
        }
        let port = match port {
            // A number to Rust may have a sign.
            Some(port) if !port.bytes().all(|byte| byte.is_ascii_digit()) => Some(None),
            Some(port) => Some(port.parse().ok().filter(|port| *port > 0)),
            None => default_port.map(Some),
        };
        match port {
            Some(Some(port)) => Ok(Self { host: host.to_owned(), port }),
            Some(None) => Err("the port is no number from 1 to 65535".to_owned()),
            None => Err("it lacks a port: HOST:PORT".to_owned()),
        }
    }

    /// The address, where it is one and not a name.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Is it a name of this very host that needs no resolver? (RFC 6761)
    pub(crate) fn is_localhost(&self) -> bool {
        let name = self.host.strip_suffix('.').unwrap_or(&self.host).to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    }

    /// Is it certainly this very host?
    pub(crate) fn is_loopback(&self) -> bool {
        self.is_localhost() || self.address().is_some_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_into_what_is_asked_of_whom() {
        for (text, expected) in [
            ("http://192.0.2.1", "192.0.2.1:80 192.0.2.1 / http://192.0.2.1"),
            (
                "http://a.example:8080/x/y",
                "a.example:8080 a.example:8080 /x/y http://a.example:8080/x/y",
            ),
            ("https://a.example/", "a.example:443 a.example / https://a.example/"),
            ("https://a.example:443/x#part", "a.example:443 a.example /x https://a.example/x"),
            ("wss://a.example:1", "a.example:1 a.example:1 / https://a.example:1"),
            (
                "http://[2001:db8::1]:81/",
                "[2001:db8::1]:81 [2001:db8::1]:81 / http://[2001:db8::1]:81/",
            ),
            ("HTTPS://a.example/X", "a.example:443 a.example /X https://a.example/X"),
            ("http://[::1]", "[::1]:80 [::1] / http://[::1]"),
            (
                "http://a.example?key=secret",
                "a.example:80 a.example /?key=secret http://a.example?…",
            ),
        ] {
            let url = Url::parse(text).expect(text);
            let read =
                format!("{} {} {} {url}", url.endpoint, url.host_header(), url.request_target());
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_said_without_repeating_it() {
        for (text, expected) in [
            ("", "a URL begins with http:// or https://"),
            ("ftp://a.example", "a URL begins with http:// or https://"),
            ("a.example:80", "a URL begins with http:// or https://"),
            ("http://", "it names no host"),
            ("http:///x", "it names no host"),
            ("http://:80", "it names no host"),
            ("http://a b", "it holds a character that a URL holds as %XX"),
            ("http://a/\r\nX-Forwarded-For: 1", "it holds a character that a URL holds as %XX"),
            ("http://a.example/ü", "it holds a character that a URL holds as %XX"),
            ("http://me:secret-token@a.example", "a user or a password has no place in a URL here"),
            ("http://a.example:0", "the port is no number from 1 to 65535"),
            ("http://a.example:65536", "the port is no number from 1 to 65535"),
            ("http://a.example:+80", "the port is no number from 1 to 65535"),
            ("http://a.example:", "the port is no number from 1 to 65535"),
            ("http://2001:db8::1/", "an IPv6 address stands between [ and ]"),
            ("http://[2001:db8::1/", "the address lacks its ]"),
            ("http://[a.example]", "no IPv6 address between [ and ]"),
            ("http://[::1]x", "something else than a port behind the address"),
            ("http://a*b", "it names no host"),
        ] {
            assert_eq!(Url::parse(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn an_endpoint_needs_its_port() {
        assert_eq!(Endpoint::parse("a.example").unwrap_err(), "it lacks a port: HOST:PORT");
        assert!(Endpoint::parse("127.0.0.1:+80").is_err());
        assert_eq!(Endpoint::parse("[::1]:22").unwrap().to_string(), "[::1]:22");
        assert!(Endpoint::parse("127.0.0.1:22").unwrap().is_loopback());
    }

    #[test]
    fn localhost_is_this_host_in_any_spelling() {
        for (text, expected) in [
            ("localhost:1", true),
            ("LocalHost.:1", true),
            ("a.b.localhost:1", true),
            ("localhost.example:1", false),
            ("notlocalhost:1", false),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().is_localhost(), expected, "{text}");
        }
    }
}

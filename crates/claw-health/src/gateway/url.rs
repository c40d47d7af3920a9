//! Where the gateway answers, found in the order in which the gateway itself decides it: the
//! command line of its unit, the environment of its unit, its configuration, and 18789.

use serde::Deserialize;

use crate::host::Host;
use crate::network::url::Url;

/// The port of a gateway that nobody told another one.
const DEFAULT_PORT: u16 = 18789;

/// The part of `openclaw.json` that says where the gateway answers. Of the rest nothing is kept:
/// it holds the gateway's token.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
struct Configuration {
    gateway: Gateway,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
struct Gateway {
    port: Option<u16>,
    tls: Tls,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
struct Tls {
    enabled: bool,
}

/// Where the gateway answers. The reason why that is unknown repeats nothing of a URL.
pub(crate) fn url(host: &Host) -> Result<Url, String> {
    if let Some(text) = host.gateway_url() {
        return Url::parse(text).map_err(|why| format!("cannot use --gateway-url: {why}"));
    }
    let file = host.openclaw_home().join("openclaw.json");
    let configuration = host.read_owned(file).ok().and_then(|text| parse(&text));
    let configuration = configuration.unwrap_or_default().gateway;
    let unit = host.owner().home.join(".config/systemd/user").join(&host.gateway_unit);
    let port = host.read_owned(unit).ok().and_then(|text| port_of_unit(&text));
    let port = port.or(configuration.port).unwrap_or(DEFAULT_PORT);
    Ok(Url::local(configuration.tls.enabled, port))
}

/// A configuration that cannot be read is the gateway's own trouble; its port is then the default.
fn parse(text: &str) -> Option<Configuration> {
    /// The parser follows nesting on the stack, and an agent may have written the file.
    const DEEPEST: usize = 64;
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return None;
        }
    }
    json5::from_str(text).ok()
}

/// The port that a unit file gives to its program.
fn port_of_unit(text: &str) -> Option<u16> {
    let mut flag = words(text, "ExecStart=").skip_while(|word| !word.starts_with("--port"));
    let flag = match flag.next() {
        Some("--port") => flag.next(),
        Some(word) => word.strip_prefix("--port="),
        None => None,
    };
    let variable =
        words(text, "Environment=").filter_map(|word| word.strip_prefix("OPENCLAW_GATEWAY_PORT="));
    flag.or(variable.last())?.parse().ok().filter(|port| *port > 0)
}

/// The words of every line that begins with `key`.
fn words<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = text.lines().filter_map(move |line| line.trim().strip_prefix(key));
    lines.flat_map(str::split_whitespace).map(|word| word.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(text: &str) -> Option<u16> {
        parse(text).and_then(|configuration| configuration.gateway.port)
    }

    #[test]
    fn the_port_is_read_from_the_real_files() {
        assert_eq!(port(include_str!("../../fixtures/openclaw/openclaw.json")), Some(18789));
        let unit = include_str!("../../fixtures/openclaw/openclaw-gateway.service");
        assert_eq!(port_of_unit(unit), Some(18789));
    }

    #[test]
    fn a_configuration_may_be_odd_and_broken() {
        for (text, expected) in [
            ("// a comment\n{gateway: {port: 19001, tls: {enabled: true,},},}", Some(19001)),
            ("{gateway: {}}", None),
            ("{}", None),
            ("", None),
            ("{gateway: {port: '${PORT}'}}", None),
            ("{gateway: {port: 70000}}", None),
            ("{gateway: 1}", None),
            (&"[".repeat(100_000), None),
        ] {
            assert_eq!(port(text), expected, "{text:.60}");
        }
    }

    #[test]
    fn the_flag_of_a_unit_counts_before_its_variable() {
        for (unit, expected) in [
            ("ExecStart=/usr/bin/node x.js gateway --port 19001", Some(19001)),
            (
                "ExecStart=node gateway --port=19002\nEnvironment=OPENCLAW_GATEWAY_PORT=1",
                Some(19002),
            ),
            (
                "ExecStart=node gateway\nEnvironment=A=b \"OPENCLAW_GATEWAY_PORT=19003\"",
                Some(19003),
            ),
            ("ExecStart=node gateway --port", None),
            ("ExecStart=node gateway --port 0", None),
            ("# ExecStart=node --port 5", None),
        ] {
            assert_eq!(port_of_unit(unit), expected, "{unit}");
        }
    }
}

//! Which way to a service: straight, or through the proxy that the usual variables name.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

/// The proxy for a URL; nothing where the way is straight. The reason why there is no way never holds
/// the address of the proxy: a password may stand in it.
pub(crate) fn of(
    uri: &Uri,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, String> {
    let names = match uri.scheme_str() {
        Some("https") => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let set = |name: &&str| variable(name).filter(|value| !value.trim().is_empty());
    let Some((name, address)) = names.iter().find_map(|name| Some((name, set(name)?))) else {
        return Ok(None);
    };
    let straight = ["no_proxy", "NO_PROXY"].iter().find_map(set).unwrap_or_default();
    if is_straight(uri.host().unwrap_or_default(), &straight) {
        return Ok(None);
    }
    let proxy = Proxy::new(address.trim()).ok();
    let known =
        proxy.filter(|it| matches!(it.protocol(), ProxyProtocol::Http | ProxyProtocol::Https));
    match known {
        Some(proxy) => Ok(Some(proxy)),
        // Whoever names a proxy does not want the straight way instead.
        None => Err(format!("{name} is neither http://HOST:PORT nor https://HOST:PORT")),
    }
}

/// Does that list name the host: itself, a domain that it is in, or a network?
fn is_straight(host: &str, list: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    let names_it = |entry: &str| {
        if entry == "*" {
            return true;
        }
        if let Some(address) = address {
            return is_in(address, entry);
        }
        let domain = entry.strip_prefix('*').unwrap_or(entry).trim_matches('.');
        let before = host.strip_suffix(&domain.to_ascii_lowercase());
        !domain.is_empty() && before.is_some_and(|it| it.is_empty() || it.ends_with('.'))
    };
    list.split([',', ' ']).filter(|entry| !entry.is_empty()).any(names_it)
}

/// Is the address that one, or in that network: `192.0.2.0/24`?
fn is_in(address: IpAddr, entry: &str) -> bool {
    let (network, length) = match entry.split_once('/') {
        Some((network, length)) => (network, length.parse().ok()),
        None => (entry, Some(u32::MAX)),
    };
    let shifted = |bits: u128, width: u32, length: u32| {
        bits.checked_shr(width - length.min(width)).unwrap_or(0)
    };
    match (address, network.trim_matches(['[', ']']).parse(), length) {
        (IpAddr::V4(one), Ok(IpAddr::V4(other)), Some(length)) => {
            let [one, other] = [one, other].map(|it| shifted(it.to_bits().into(), 32, length));
            one == other
        }
        (IpAddr::V6(one), Ok(IpAddr::V6(other)), Some(length)) => {
            let [one, other] = [one, other].map(|it| shifted(it.to_bits(), 128, length));
            one == other
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_proxy_and_no_other_one() {
        for (url, set, expected) in [
            ("https://a.example", "", Ok(None)),
            ("https://a.example", "HTTPS_PROXY=http://p:1", Ok(Some("p"))),
            ("http://a.example", "HTTPS_PROXY=http://p:1", Ok(None)),
            ("https://a.example", "HTTP_PROXY=http://p:1", Ok(None)),
            ("http://a.example", "HTTP_PROXY=p:1", Ok(Some("p"))),
            ("http://a.example", "ALL_PROXY=p:1", Ok(Some("p"))),
            ("https://a.example", "ALL_PROXY=q:1 https_proxy=p:1", Ok(Some("p"))),
            ("https://a.example", "HTTPS_PROXY=q:1 https_proxy=p:1", Ok(Some("p"))),
            ("https://a.example", "all_proxy=q:1 https_proxy=", Ok(Some("q"))),
            ("https://a.example", "https_proxy=p:1 NO_PROXY=b.example,.example", Ok(None)),
            ("https://a.example", "https_proxy=p:1 no_proxy=b.example", Ok(Some("p"))),
            (
                "https://a.example",
                "https_proxy=socks5://u:secret@p:1",
                Err("https_proxy is neither"),
            ),
            ("https://a.example", "ALL_PROXY=http://[", Err("ALL_PROXY is neither")),
        ] {
            let variable = |name: &str| {
                let mut words = set.split(' ').filter_map(|word| word.split_once('='));
                words.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
            };
            let found = of(&url.parse().unwrap(), variable);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.as_ref().map(Proxy::host), expected, "{url} {set}");
                }
                (Err(why), Err(words)) => {
                    assert!(why.contains(words) && !why.contains("secret"), "{why}");
                }
                _ => panic!("{url} {set}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_list_names_hosts_domains_and_networks() {
        for (host, list, expected) in [
            ("a.example", "*", true),
            ("a.example", "a.example", true),
            ("A.Example.", "b.example, a.EXAMPLE", true),
            ("a.example", "example", true),
            ("a.example", ".example", true),
            ("a.example", "*.example", true),
            ("example", ".example", true),
            ("badexample", "example", false),
            ("a.example", "", false),
            ("a.example", ".", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.0/24", true),
            ("192.0.2.7", "0.0.0.0/0", true),
            ("192.0.3.7", "192.0.2.0/24", false),
            ("192.0.2.70", "192.0.2.7", false),
            ("192.0.2.7", "192.0.2.0/x", false),
            ("192.0.2.7", "2.7", false),
            ("[2001:db8::7]", "2001:db8::/32", true),
            ("[2001:db8::7]", "192.0.2.0/24", false),
        ] {
            assert_eq!(is_straight(host, list), expected, "{host} {list}");
        }
    }
}

//! Addresses that are URLs, and often secret: in the target, in a file, or where a setting says.

use std::path::Path;

use zeroize::Zeroizing;

use super::Refusal;
use crate::secret::{self, Place};

/// A URL, or the path of a file that holds one.
pub(super) fn check_url(address: &str) -> Result<(), String> {
    if address.starts_with('/') || is_url(address) {
        Ok(())
    } else {
        Err("not a URL, http:// or https://, nor the path of a file that holds one".to_owned())
    }
}

/// A path of a file that holds a URL, or nothing where a setting says it.
pub(super) fn check_file(address: &str) -> Result<(), String> {
    if address.is_empty() || address.starts_with('/') {
        Ok(())
    } else {
        let why = "not the path of a file that holds the URL: such a URL is a secret";
        Err(why.to_owned())
    }
}

/// The URL of an address.
pub(super) fn url(address: &str, place: Option<&Place>) -> Result<Zeroizing<String>, Refusal> {
    let found = match place {
        Some(place) if address.is_empty() => place.read(),
        _ if address.starts_with('/') => secret::read(Path::new(address)),
        _ => Ok(Zeroizing::new(address.to_owned())),
    };
    let found = found.map_err(Refusal::Later)?;
    if is_url(&found) {
        Ok(found)
    } else {
        Err(Refusal::Later("what the file holds is no URL".to_owned()))
    }
}

/// The refusal without the URL, and without what in it may be secret: who asks, the path, the query, and
/// the parts of them.
pub(super) fn scrub(refusal: Refusal, url: &str) -> Refusal {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let asks = authority.rsplit_once('@').map_or("", |(asks, _)| asks);
    let parts = path.split(['/', '?', '&', '=']).chain(asks.split(':'));
    parts.fold(refusal.without(url).without(path), |refusal, part| refusal.without(part))
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_url_is_shown() {
        let url = "https://somebody:password@example.org/hooks/T0/secret?key=another";
        for said in [url, "/hooks/T0/secret?key=another", "no secret", "another", "password"] {
            let Refusal::Later(words) = scrub(Refusal::Later(format!("x {said}")), url) else {
                panic!("{said}")
            };
            let shown = ["secret", "another", "password"].iter().any(|part| words.contains(part));
            assert!(!shown && words.starts_with('x'), "{words}");
        }
    }
}

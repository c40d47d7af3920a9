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

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

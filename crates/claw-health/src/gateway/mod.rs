//! The OpenClaw gateway: where it answers, what it says of itself, and what that means.

mod answers;
mod safe_mode;
mod service;
pub(crate) mod stability;
mod url;
mod verdict;

pub(crate) use answers::is_proxied;
pub(crate) use safe_mode::safe_mode;
pub(crate) use service::{Service, service};
pub(crate) use url::url;
pub(crate) use verdict::{Seen, judge};

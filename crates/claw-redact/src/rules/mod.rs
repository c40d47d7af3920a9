//! The rules: each has words by which it may begin, and a look at the place that decides.

mod command;
mod hash;
mod name;
mod named;
mod pem;
mod scheme;
mod token;
mod url;
mod value;

use crate::text::Text;

pub(crate) use name::NAMES;
pub use name::is_secret as names_a_secret;
pub(crate) use named::find as named;
pub(crate) use token::TOKENS;
pub(crate) use value::is_ordinary;

/// Where a secret stands, and of which kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: &'static str,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One way in which secrets stand in text.
pub(crate) struct Rule {
    /// The words by which it may begin, in either case.
    pub(crate) words: &'static [&'static str],
    /// Looks at a place where one of the words stands, from its start to its end.
    pub(crate) find: fn(Text, usize, usize) -> Option<Found>,
}

/// All of them, beside the tokens and the names, which have tables of their own.
pub(crate) const RULES: &[Rule] =
    &[url::USERINFO, url::HOOKS, scheme::RULE, pem::RULE, command::RULE, hash::RULE];

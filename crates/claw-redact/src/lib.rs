//! Takes secrets out of text, and leaves in their place what they were and a short print of each.
//!
//! A secret is found in two ways. **By rule**: a token that begins as its maker's tokens do, the value
//! behind a name such as `password`, a password in an address or a command, a private key as a whole;
//! see `rules`. Rules are only ever added. **By knowledge**: what this host really holds in its
//! configuration, its credential files and its private keys is found wherever it stands, also in
//! base64, percent-coded, escaped, in hexadecimal digits, and across a line break; see [`Held`]. What is
//! held is kept as its first bytes and a keyed hash, and not as text.
//!
//! One pass over the text finds the words by which any of them may begin, and a small piece of code looks
//! at the place. That is why a near miss (`token_count`) costs next to nothing.
//!
//! `[redacted:KIND:PRINT]` stands in the place of a secret. The print is made with a key that this host
//! keeps: the same secret has the same print in two places, and who does not have the key cannot try
//! what it could be.

mod coding;
mod engine;
mod held;
mod host;
mod key;
mod line;
mod long;
mod places;
mod rules;
mod stream;
mod text;
mod words;

pub use engine::{Redactor, Secret};
pub use held::Held;
pub use key::Key;
pub use places::{Place, places};
pub use stream::Stream;

//! The spool: what was accepted and not yet told, on the disk.

mod id;
pub(crate) mod journal;
mod line;
mod lock;
pub(crate) mod read;
mod segment;

pub(crate) use id::{Id, Ids};
pub(crate) use lock::{Lock, give_reserve, keep_reserve, lock};
pub(crate) use segment::{Writer, numbers, path};

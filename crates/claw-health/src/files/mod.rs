//! Files that others may write, and files that others read.

pub(crate) mod beneath;
pub(crate) mod replace;

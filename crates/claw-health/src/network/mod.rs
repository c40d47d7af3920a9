//! The network: what is listened on here, and how to ask what answers.

pub(crate) mod address;
pub(crate) mod probe;
pub(crate) mod sockets;
pub(crate) mod tls;
pub(crate) mod url;

//! From where can an address be reached?

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The class of an address, the most private one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// From this box alone.
    Loopback,
    /// From the boxes of a tailnet.
    Tailnet,
    /// From the link it is on.
    LinkLocal,
    /// From a private network.
    Private,
    /// From everywhere.
    Public,
    /// Any address that the box has or will have.
    Wildcard,
}

impl Class {
    /// The class of an address. An IPv4 address written as an IPv6 one has the class it has.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [first, second, ..] = address.octets();
        if address.is_unspecified() {
            Self::Wildcard
        } else if address.is_loopback() {
            Self::Loopback
        } else if first == 100 && (64..128).contains(&second) {
            Self::Tailnet
        } else if address.is_private() {
            Self::Private
        } else if address.is_link_local() {
            Self::LinkLocal
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_unspecified() {
            Self::Wildcard
        } else if address.is_loopback() {
            Self::Loopback
        } else if address.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0] {
            Self::Tailnet
        } else if address.is_unique_local() {
            Self::Private
        } else if address.is_unicast_link_local() {
            Self::LinkLocal
        } else {
            Self::Public
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loopback => "loopback",
            Self::Tailnet => "tailnet",
            Self::LinkLocal => "link-local",
            Self::Private => "private",
            Self::Public => "public",
            Self::Wildcard => "wildcard",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2_every_address_has_its_class() {
        for (address, expected) in [
            ("127.0.0.1", "loopback"),
            ("127.255.0.9", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("0.0.0.0", "wildcard"),
            ("::", "wildcard"),
            ("::ffff:0.0.0.0", "wildcard"),
            ("100.63.255.255", "public"),
            ("100.64.0.0", "tailnet"),
            ("100.127.255.255", "tailnet"),
            ("100.128.0.0", "public"),
            ("fd7a:115c:a1e0::1", "tailnet"),
            ("fd7a:115c:a1e1::1", "private"),
            ("::ffff:100.64.0.1", "tailnet"),
            ("10.1.2.3", "private"),
            ("172.15.0.1", "public"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.1", "public"),
            ("192.168.0.1", "private"),
            ("fc00::1", "private"),
            ("fdff::1", "private"),
            ("169.254.1.1", "link-local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "public"),
            ("192.0.2.1", "public"),
            ("2001:db8::1", "public"),
        ] {
            let class = Class::of(address.parse().unwrap());
            assert_eq!(class.to_string(), expected, "{address}");
        }
    }
}

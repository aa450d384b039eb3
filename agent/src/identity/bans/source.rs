//! From where somebody comes, as far as it is told apart: an IPv4 address, or the first 64 bits of an
//! IPv6 address, which one host has all for itself (RFC 4291 §2.5.4).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

const LENGTH: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                Source(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - LENGTH)))))
            }
            address @ IpAddr::V4(_) => Source(address),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(out),
            IpAddr::V6(address) => write!(out, "{address}/{LENGTH}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn hosts_of_one_network_are_one_source_and_an_address_has_one_form() {
        assert_eq!(source("2001:db8:1:2::3"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::3"), source("2001:db8:1:3::3"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8:1:2::3").to_string(), "2001:db8:1:2::/64");
        assert_eq!(source("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    }
}

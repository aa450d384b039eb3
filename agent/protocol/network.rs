//! Where clients are.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An address, or a block of them (RFC 4632, RFC 4291 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    pub fn contains(&self, source: IpAddr) -> bool {
        match (self.address, source.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(source)) => {
                let mask = u32::MAX.checked_shl(32 - self.length).unwrap_or(0);
                (network.to_bits() ^ source.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(source)) => {
                let mask = u128::MAX.checked_shl(128 - self.length).unwrap_or(0);
                (network.to_bits() ^ source.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.as_str(), None),
        };
        let read = address.parse::<IpAddr>().ok().and_then(|address| {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Some(most), |length| length.parse().ok())?;
            (length <= most).then_some(Network { address, length })
        });
        read.ok_or_else(|| format!("\"{text}\" is neither an address nor a block like 192.0.2.0/24"))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        format!("{}/{}", network.address, network.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_a_block() {
        let has = |network: &str, source: &str| {
            Network::try_from(network.to_owned()).unwrap().contains(source.parse().unwrap())
        };
        assert!(has("127.0.0.0/8", "127.9.9.9") && has("127.0.0.1", "::ffff:127.0.0.1") && has("0.0.0.0/0", "9.9.9.9"));
        assert!(!has("127.0.0.0/8", "128.0.0.1") && !has("127.0.0.1", "127.0.0.2") && !has("0.0.0.0/0", "::1"));
        assert!(has("2001:db8::/32", "2001:db8:9::1") && !has("2001:db8::/32", "2001:db9::1") && has("::/0", "::1"));
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(Network::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}

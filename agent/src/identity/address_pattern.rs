//! Address pattern lists of `from=` (sshd(8); PATTERNS in ssh_config(5)).

use std::net::IpAddr;

use accountd_protocol::pattern::like;

/// Whether `source` matches a comma-separated list of addresses, CIDR blocks and patterns with
/// `*` and `?`. An entry that begins with `!` and matches refuses, wherever it stands. Names of
/// hosts never match: no name is looked up.
pub fn matches(list: &str, source: IpAddr) -> bool {
    let source = source.to_canonical();
    let mut matched = false;
    for entry in list.split(',').map(str::trim) {
        match entry.strip_prefix('!') {
            Some(refused) if entry_matches(refused, source) => return false,
            Some(_) => {}
            None => matched |= entry_matches(entry, source),
        }
    }
    matched
}

fn entry_matches(entry: &str, source: IpAddr) -> bool {
    match entry.split_once('/') {
        Some((network, length)) => within(network, length, source),
        None => {
            entry.parse::<IpAddr>().map_or_else(|_| like(entry, &source.to_string()), |ip| ip.to_canonical() == source)
        }
    }
}

fn within(network: &str, length: &str, source: IpAddr) -> bool {
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    match (network, source) {
        (IpAddr::V4(network), IpAddr::V4(source)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            (network.to_bits() ^ source.to_bits()) & mask == 0
        }
        (IpAddr::V6(network), IpAddr::V6(source)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            (network.to_bits() ^ source.to_bits()) & mask == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(list: &str, source: &str) -> bool {
        matches(list, source.parse().unwrap())
    }

    #[test]
    fn blocks_addresses_and_wildcards_match() {
        assert!(hit("127.0.0.1", "127.0.0.1") && hit("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(hit("10.0.0.0/8", "10.255.0.1") && !hit("10.0.0.0/8", "11.0.0.1"));
        assert!(hit("0.0.0.0/0", "1.2.3.4") && !hit("0.0.0.0/0", "::1"));
        assert!(hit("2001:db8::/32", "2001:db8:1::1") && !hit("2001:db8::/32", "2001:db9::1"));
        assert!(hit("192.0.2.*", "192.0.2.99") && !hit("192.0.2.?", "192.0.2.99"));
        assert!(hit("*", "::1"));
    }

    #[test]
    fn a_refusing_entry_wins_wherever_it_stands() {
        assert!(!hit("!10.1.0.0/16,10.0.0.0/8", "10.1.1.1"));
        assert!(!hit("10.0.0.0/8,!10.1.0.0/16", "10.1.1.1"));
        assert!(!hit("!10.1.0.0/16", "10.2.0.1"));
    }

    #[test]
    fn nonsense_matches_nothing() {
        for list in ["", "/", "10.0.0.0/33", "10.0.0.0/x", "host.example.org", "localhost", "10.0.0.0/-1"] {
            assert!(!hit(list, "10.0.0.1"), "{list:?}");
        }
    }
}

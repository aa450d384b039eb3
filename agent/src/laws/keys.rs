//! Laws of `authorized_keys`.

use std::net::{IpAddr, Ipv4Addr};

use ssh_key::PublicKey;

use crate::identity::authorized_keys::{AuthorizedKey, Use, checked, parse};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Text that is accepted is stored line by line as it came, and is accepted again as it is
/// stored. Each key of any text stands in one of its lines, as ssh-key reads it.
pub fn authorized_keys(text: &str) {
    for line in text.lines() {
        let keys: Vec<AuthorizedKey> = parse(line).collect();
        assert!(keys.len() <= 1, "{line:?}");
        assert!(keys.iter().all(|key| stands_in(line, key)), "{line:?}");
    }
    let Ok(stored) = checked(text) else { return };
    assert!(checked(&stored).is_ok_and(|again| again == stored));
    let lines = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    assert!(stored.lines().eq(lines));
    assert!(stored.is_empty() || stored.ends_with('\n'));
    assert_eq!(parse(&stored).count(), stored.lines().filter(|line| !line.starts_with('#')).count());
}

fn stands_in(line: &str, key: &AuthorizedKey) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.windows(2).any(|pair| {
        let found = PublicKey::from_openssh(&pair.join(" "));
        found.is_ok_and(|found| found.to_bytes().is_ok_and(|blob| blob == key.blob))
    })
}

/// No text behind a restriction lifts it.
pub fn restriction(text: &str) {
    let rest = text.lines().next().unwrap_or_default();
    for option in ["command=\"x\"", "cert-authority", "from=\"192.0.2.1\"", "expiry-time=\"19700101Z\""] {
        let line = format!("{option}{rest}");
        assert!(parse(&line).all(|key| !key.admits(Use { source: SOURCE, now: 1 })), "{line:?}");
    }
}

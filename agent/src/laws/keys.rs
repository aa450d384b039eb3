//! Laws of `authorized_keys`.

use std::net::{IpAddr, Ipv4Addr};

use ssh_key::PublicKey;

use crate::identity::authorized_keys::{AuthorizedKey, Use, checked, parse};
use crate::identity::key_options::{KeyOption, parse_options, split_options};

const USE: Use = Use { source: IpAddr::V4(Ipv4Addr::LOCALHOST), now: 1, zone: |_| None };

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

/// No text behind a restriction lifts it; a command stays the one that it was.
pub fn restriction(text: &str) {
    let rest = text.lines().next().unwrap_or_default();
    for option in ["cert-authority", "from=\"192.0.2.1\"", "expiry-time=\"19700101Z\""] {
        let line = format!("{option}{rest}");
        assert!(parse(&line).all(|key| !key.admits(USE)), "{line:?}");
    }
    let line = format!("command=\"x\"{rest}");
    for key in parse(&line) {
        let commands: Vec<&KeyOption> = key.options.iter().filter(|option| option.name() == "command").collect();
        assert_eq!(commands, [&KeyOption::Command("x".into())], "{line:?}");
    }
}

/// Options that are understood are the same when they are printed and read again, and so is where they
/// end. No text whose quotes do not end is a key.
pub fn key_options(text: &str) {
    let line = text.lines().next().unwrap_or_default();
    if quotes_of(line) % 2 == 1 && split_options(line).is_err() {
        assert!(parse(line).next().is_none(), "{line:?}");
    }
    let Ok((texts, _)) = split_options(line) else { return };
    let Ok(options) = parse_options(&texts) else { return };
    let printed: Vec<String> = options.iter().map(ToString::to_string).collect();
    let again = format!("{} rest", printed.join(","));
    let (texts, rest) = split_options(&again).unwrap_or_default();
    assert_eq!(rest, " rest", "{again:?}");
    assert_eq!(parse_options(&texts), Ok(options), "{again:?}");
}

/// Quotes that are not behind a backslash.
fn quotes_of(line: &str) -> usize {
    line.replace("\\\"", "").matches('"').count()
}

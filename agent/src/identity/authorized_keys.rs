//! The text of `~/.ssh/authorized_keys` (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
//!
//! Each line is its options and its key; blobs are decoded by ssh-key.

use std::net::IpAddr;

use accountd_protocol::audit::Word;
use accountd_protocol::refusal::Problem;
use ssh_key::{HashAlg, PublicKey};

use super::address_pattern;
use super::expiry_time::Zone;
use super::key_options::{KeyOption, LineError, parse_options, split_options};

/// The longest key file that is read or written.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most keys that one account may have.
pub const MAX_KEYS: usize = 256;

/// One line that is understood.
#[derive(Debug, PartialEq, Eq)]
pub struct AuthorizedKey {
    /// The key as it goes over the wire (RFC 4253 §6.6).
    pub blob: Vec<u8>,
    pub options: Vec<KeyOption>,
}

/// When and whence a key is used.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    pub source: IpAddr,
    /// Seconds since 1970.
    pub now: u64,
    pub zone: Zone,
}

/// Why a line that is understood lets nobody in, whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untaken {
    #[error("certificates are not taken, so an authority for them lets nobody in")]
    Authority,
    #[error("security keys (sk-) are not taken: it can not be seen whether they were touched")]
    SecurityKey,
}

impl AuthorizedKey {
    pub fn untaken(&self) -> Option<Untaken> {
        let is_authority = |option: &KeyOption| matches!(option, KeyOption::CertAuthority | KeyOption::Principals(_));
        if is_security_key(&self.blob) {
            return Some(Untaken::SecurityKey);
        }
        self.options.iter().any(is_authority).then_some(Untaken::Authority)
    }

    /// Whether this line lets its key in, in these circumstances. What it may then do, the other
    /// options say.
    pub fn admits(&self, circumstances: Use) -> bool {
        let Use { source, now, zone } = circumstances;
        self.untaken().is_none()
            && self.options.iter().all(|option| match option {
                KeyOption::From(patterns) => address_pattern::matches(patterns, source),
                KeyOption::ExpiryTime(time) => time.seconds(zone).is_some_and(|end| now < end),
                KeyOption::Command(_)
                | KeyOption::PermitOpen(_)
                | KeyOption::Environment(..)
                | KeyOption::CertAuthority
                | KeyOption::Principals(_)
                | KeyOption::Restrict
                | KeyOption::Pty(_)
                | KeyOption::PortForwarding(_)
                | KeyOption::Idle(..)
                | KeyOption::IdleValue(..)
                | KeyOption::Touch(_)
                | KeyOption::VerifyRequired => true,
            })
    }
}

/// The line of this key that counts: the first that admits it, as in sshd. What stands in later ones is
/// not looked at, be it less restricted or more.
pub fn line_of<'a>(
    keys: impl IntoIterator<Item = &'a AuthorizedKey>,
    blob: &[u8],
    by: Use,
) -> Option<&'a AuthorizedKey> {
    keys.into_iter().find(|key| key.blob == blob && key.admits(by))
}

/// Whether a key is one of a FIDO authenticator (PROTOCOL.u2f of OpenSSH).
pub fn is_security_key(blob: &[u8]) -> bool {
    algorithm(blob).is_some_and(|name| name.starts_with(b"sk-"))
}

/// Whether it is a certificate (PROTOCOL.certkeys of OpenSSH) and no key.
pub fn is_certificate(blob: &[u8]) -> bool {
    algorithm(blob).is_some_and(|name| name.ends_with(b"-cert-v01@openssh.com"))
}

/// The name that a key begins with: its length in four bytes, then the name.
fn algorithm(blob: &[u8]) -> Option<&[u8]> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// The keys of a file; lines that are not understood are passed over.
pub fn parse(text: &str) -> impl Iterator<Item = AuthorizedKey> {
    numbered(text).filter_map(|(_, parsed)| parsed.ok()).take(MAX_KEYS)
}

/// Every line that is neither blank nor a comment, with its number, counted from 1.
pub fn numbered(text: &str) -> impl Iterator<Item = (usize, Result<AuthorizedKey, LineError>)> {
    let lines = (1..).zip(text.lines());
    lines.filter_map(|(number, line)| parse_line(line).transpose().map(|parsed| (number, parsed)))
}

/// The fingerprints of the usable keys, as ssh-keygen(1) shows them; `None` where there are none.
pub fn fingerprints(text: &str) -> Option<Word> {
    let shown: Vec<String> = parse(text).map(|key| fingerprint(&key.blob)).collect();
    (!shown.is_empty()).then(|| shown.join(" ").into())
}

/// The fingerprint of a key as it goes over the wire.
pub fn fingerprint(blob: &[u8]) -> String {
    let key = PublicKey::from_bytes(blob).map(|key| key.fingerprint(HashAlg::Sha256).to_string());
    key.unwrap_or_else(|_| "of no known kind".into())
}

/// The text as it is to be stored: trimmed lines, blank ones removed, one newline at the end.
/// Every line has to be a comment or a key.
pub fn checked(text: &str) -> Result<String, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Problem::TooLong { max: MAX_BYTES, actual: text.len() });
    }
    let mut lines = Vec::new();
    for (index, line) in text.split(['\n', '\r']).map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Problem::ControlCharacters);
        }
        parse_line(line).map_err(|reason| Problem::BadKey { line: index + 1, reason: reason.to_string() })?;
        lines.push(line);
    }
    if lines.len() > MAX_KEYS {
        return Err(Problem::TooMany { max: MAX_KEYS, actual: lines.len() });
    }
    Ok(lines.iter().flat_map(|line| [*line, "\n"]).collect())
}

/// `None` for a blank line or a comment.
pub(super) fn parse_line(line: &str) -> Result<Option<AuthorizedKey>, LineError> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if let Ok(blob) = parse_key(line) {
        return Ok(Some(AuthorizedKey { blob, options: Vec::new() }));
    }
    let (options, rest) = split_options(line)?;
    Ok(Some(AuthorizedKey { options: parse_options(&options)?, blob: parse_key(rest)? }))
}

/// `type base64 [comment]`, with any number of blanks and tabs between.
fn parse_key(text: &str) -> Result<Vec<u8>, LineError> {
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(base64)) = (words.next(), words.next()) else { return Err(LineError::NoKey) };
    if kind.ends_with("-cert-v01@openssh.com") {
        return Err(LineError::Certificate);
    }
    let key = PublicKey::from_openssh(&format!("{kind} {base64}")).map_err(|_| LineError::BadBlob)?;
    key.to_bytes().map_err(|_| LineError::BadBlob)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    /// The same point as the key of an authenticator.
    const SECURITY_KEY: &str = "sk-ssh-ed25519@openssh.com \
                                AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJAAAABHNzaDo=";

    fn at(source: &str, now: u64) -> Use {
        Use { source: source.parse().unwrap(), now, zone: |_| None }
    }

    fn admits(line: &str, circumstances: Use) -> bool {
        parse(line).next().is_some_and(|key| key.admits(circumstances))
    }

    #[test]
    fn a_plain_key_is_admitted_with_any_blanks_and_comment() {
        for line in [KEY.to_string(), format!("  {KEY} me@host  "), KEY.replace(' ', " \t ")] {
            assert!(admits(&line, at("192.0.2.1", 0)), "{line}");
        }
    }

    #[test]
    fn from_admits_only_the_sources_it_names() {
        let line = format!("from=\"10.0.0.0/8,!10.9.0.0/16,192.0.2.*\",no-pty {KEY} c");
        assert!(admits(&line, at("10.1.2.3", 0)) && admits(&line, at("192.0.2.7", 0)));
        assert!(!admits(&line, at("10.9.1.1", 0)) && !admits(&line, at("127.0.0.1", 0)));
    }

    #[test]
    fn an_expired_key_is_not_admitted() {
        let line = format!("expiry-time=\"20260101Z\" {KEY}");
        assert!(admits(&line, at("::1", 1_767_225_599)));
        assert!(!admits(&line, at("::1", 1_767_225_600)));
        assert!(!admits(&format!("expiry-time=\"20990101\" {KEY}"), at("::1", 0)), "the zone does not know");
        assert!(!admits(&format!("expiry-time=\"never\" {KEY}"), at("::1", 0)));
    }

    #[test]
    fn authorities_and_security_keys_let_nobody_in() {
        for (line, why) in [
            (format!("cert-authority {KEY}"), Untaken::Authority),
            (format!("restrict,principals=\"anna\" {KEY}"), Untaken::Authority),
            (SECURITY_KEY.to_owned(), Untaken::SecurityKey),
            (format!("no-touch-required {SECURITY_KEY}"), Untaken::SecurityKey),
        ] {
            assert!(!admits(&line, at("::1", 0)), "{line}");
            assert_eq!(parse(&line).next().unwrap().untaken(), Some(why), "{line}");
        }
    }

    #[test]
    fn the_first_line_that_admits_a_key_counts() {
        let text = format!("from=\"192.0.2.1\",pty {KEY}\ncert-authority {KEY}\ncommand=\"a\" {KEY}\n{KEY}\n");
        let keys: Vec<AuthorizedKey> = parse(&text).collect();
        let blob = keys[0].blob.clone();
        let of = |source: &str| line_of(&keys, &blob, at(source, 0)).map(|key| key.options.clone());
        assert_eq!(of("::1"), Some(vec![KeyOption::Command("a".into())]));
        assert_eq!(of("192.0.2.1").unwrap().len(), 2);
        assert_eq!(line_of(&keys, b"another", at("::1", 0)), None);
    }

    #[test]
    fn a_line_that_is_not_understood_is_void() {
        for line in [
            format!("from=\"10.0.0.0/8 {KEY}"),
            format!("frmo=\"10.0.0.0/8\" {KEY}"),
            format!("no-pty,,new-option {KEY}"),
            format!("from {KEY}"),
            "ssh-ed25519 AAAA".into(),
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ".into(),
            "garbage".into(),
            format!("expiry-time=\"never\" {KEY}"),
            format!("command=\"a\",command=\"b\" {KEY}"),
            KEY.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com "),
            // sshd wants quotes around a value, and a comma or a blank behind them.
            format!("from=192.0.2.1 {KEY}"),
            format!("from=\"192.0.2.1\"from=\",*\" {KEY}"),
            format!("from=\"192.0.2.1\\\\\",no-pty {KEY}"),
        ] {
            assert!(parse(&line).next().is_none(), "{line}");
            assert!(checked(&line).is_err(), "{line}");
        }
    }

    #[test]
    fn stored_text_has_clean_lines() {
        let text = format!("\r\n  {KEY} a \n\n# note\n{KEY} b");
        assert_eq!(checked(&text).unwrap(), format!("{KEY} a\n# note\n{KEY} b\n"));
        assert_eq!(checked(" \n ").unwrap(), "");
        assert!(checked(&format!("{KEY} a\u{1b}[m")).is_err());
        assert!(checked(&"#\n".repeat(MAX_BYTES)).is_err());
    }
}

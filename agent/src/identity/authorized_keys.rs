//! The text of `~/.ssh/authorized_keys` (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
//!
//! Split by hand: a quote that does not end, or an option that we do not know, makes the whole
//! line void, because a restriction might stand behind it. Blobs are decoded by ssh-key.

use std::net::IpAddr;

use accountd_protocol::audit::Word;
use accountd_protocol::refusal::Problem;
use ssh_key::{HashAlg, PublicKey};

use super::address_pattern;

/// The longest key file that is read or written.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most keys that one account may have.
pub const MAX_KEYS: usize = 256;

/// One usable line.
#[derive(Debug, PartialEq, Eq)]
pub struct AuthorizedKey {
    /// The key as it goes over the wire (RFC 4253 §6.6).
    pub blob: Vec<u8>,
    options: Vec<KeyOption>,
}

/// The options that decide whether a key lets its owner in here. Those that only switch off
/// forwarding, a terminal or the user's rc file restrict what is not offered anyway.
#[derive(Debug, PartialEq, Eq)]
enum KeyOption {
    From(String),
    /// `YYYYMMDD[HHMM[SS]]`, optionally with `Z` for UTC.
    ExpiryTime(String),
    Command,
    CertAuthority,
    Harmless,
}

/// When and whence a key is used.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    pub source: IpAddr,
    /// Seconds since 1970.
    pub now: u64,
}

impl AuthorizedKey {
    /// Whether this line lets its key in, for file transfer, in these circumstances. A forced
    /// command and a certificate authority do not: neither can be honoured by a file session.
    pub fn admits(&self, circumstances: Use) -> bool {
        self.options.iter().all(|option| match option {
            KeyOption::From(patterns) => address_pattern::matches(patterns, circumstances.source),
            KeyOption::ExpiryTime(time) => seconds(time).is_some_and(|end| circumstances.now < end),
            KeyOption::Command | KeyOption::CertAuthority => false,
            KeyOption::Harmless => true,
        })
    }
}

/// The usable keys of a file; lines that are not understood are passed over.
pub fn parse(text: &str) -> impl Iterator<Item = AuthorizedKey> {
    text.lines().filter_map(|line| parse_line(line).ok().flatten()).take(MAX_KEYS)
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    #[error("a quoted option does not end")]
    OpenQuote,
    #[error("an option is not known")]
    UnknownOption,
    #[error("there is no key in it")]
    NoKey,
    #[error("the key can not be decoded")]
    BadBlob,
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
    let options = options.iter().map(|option| parse_option(option)).collect::<Result<_, _>>()?;
    Ok(Some(AuthorizedKey { blob: parse_key(rest)?, options }))
}

/// `type base64 [comment]`, with any number of blanks and tabs between.
fn parse_key(text: &str) -> Result<Vec<u8>, LineError> {
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(base64)) = (words.next(), words.next()) else { return Err(LineError::NoKey) };
    let key = PublicKey::from_openssh(&format!("{kind} {base64}")).map_err(|_| LineError::BadBlob)?;
    key.to_bytes().map_err(|_| LineError::BadBlob)
}

/// The comma-separated options up to the first blank outside quotes, and what follows it. As
/// sshd reads them, `\"` does not end a quote, whatever stands before it.
pub(super) fn split_options(line: &str) -> Result<(Vec<&str>, &str), LineError> {
    let (mut options, mut start) = (Vec::new(), 0);
    let (mut quoted, mut before) = (false, ' ');
    for (at, c) in line.char_indices() {
        let ended = || line.get(start..at).unwrap_or_default();
        match c {
            '"' if before != '\\' => quoted = !quoted,
            ',' if !quoted => {
                options.push(ended());
                start = at + 1;
            }
            ' ' | '\t' if !quoted => {
                options.push(ended());
                return Ok((options, line.get(at..).unwrap_or_default()));
            }
            _ => {}
        }
        before = c;
    }
    Err(if quoted { LineError::OpenQuote } else { LineError::NoKey })
}

/// What is between the quotes that begin and end a value; nothing stands before or behind them.
fn unquoted(value: &str) -> Result<String, LineError> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(LineError::UnknownOption)?;
    let plain = inner.replace("\\\"", "");
    if plain.contains('"') || inner.ends_with('\\') {
        return Err(LineError::UnknownOption);
    }
    Ok(inner.replace("\\\"", "\""))
}

fn parse_option(option: &str) -> Result<KeyOption, LineError> {
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(unquoted(value)?)),
        None => (option, None),
    };
    match (name.to_ascii_lowercase().as_str(), value) {
        ("from", Some(patterns)) => Ok(KeyOption::From(patterns)),
        ("expiry-time", Some(time)) => Ok(KeyOption::ExpiryTime(time)),
        ("command", Some(_)) => Ok(KeyOption::Command),
        ("cert-authority", None) => Ok(KeyOption::CertAuthority),
        ("principals", Some(_)) => Ok(KeyOption::CertAuthority),
        ("environment" | "permitlisten" | "permitopen" | "tunnel", Some(_)) => Ok(KeyOption::Harmless),
        (
            "agent-forwarding"
            | "no-agent-forwarding"
            | "port-forwarding"
            | "no-port-forwarding"
            | "pty"
            | "no-pty"
            | "user-rc"
            | "no-user-rc"
            | "x11-forwarding"
            | "no-x11-forwarding"
            | "restrict",
            None,
        ) => Ok(KeyOption::Harmless),
        _ => Err(LineError::UnknownOption),
    }
}

/// Seconds since 1970 of `YYYYMMDD[HHMM[SS]][Z]`. A time without `Z` is taken as UTC as well:
/// appliances run their clocks on it.
fn seconds(time: &str) -> Option<u64> {
    let digits = time.strip_suffix(['Z', 'z']).unwrap_or(time);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |text| text.parse::<u64>().ok());
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let valid = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    (valid && hour < 24 && minute < 60 && second < 61)
        .then(|| days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 in the Gregorian calendar, counting years from March.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn at(source: &str, now: u64) -> Use {
        Use { source: source.parse().unwrap(), now }
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
        assert!(!admits(&format!("expiry-time=\"never\" {KEY}"), at("::1", 0)));
    }

    #[test]
    fn forced_commands_and_authorities_do_not_open_a_file_session() {
        for options in ["command=\"echo hi, \\\"you\\\"\"", "cert-authority", "restrict,command=\"x\""] {
            assert!(!admits(&format!("{options} {KEY}"), at("::1", 0)), "{options}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_void() {
        for line in [
            format!("from=\"10.0.0.0/8 {KEY}"),
            format!("frmo=\"10.0.0.0/8\" {KEY}"),
            format!("no-pty,, {KEY}"),
            format!("from {KEY}"),
            "ssh-ed25519 AAAA".into(),
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ".into(),
            "garbage".into(),
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

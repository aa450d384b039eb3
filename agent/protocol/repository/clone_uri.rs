//! Where a pull comes from: a URL of one of a few schemes (RFC 3986), and what may be shown of it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::Secret;

const LONGEST: usize = 2000;
/// Stands for what is not shown.
const HIDDEN: &str = "***";

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloneUriError {
    #[error("must not be empty")]
    Empty,
    #[error("is longer than {max} bytes (it has {actual})")]
    TooLong { max: usize, actual: usize },
    #[error("contains characters that are not allowed in a URL")]
    BadCharacters,
    #[error("must begin with https://, http://, ssh:// or git://")]
    UnknownScheme,
    /// One that the configuration does not allow.
    #[error("may not be of the scheme {0} here")]
    Scheme(String),
    #[error("has a user, a host or a port that can not be meant")]
    BadAuthority,
    #[error("has a password, which {0} can not take")]
    Password(String),
}

/// What is spoken to the other side. Neither paths of this machine nor anything that runs a program are
/// among these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    Https,
    Http,
    Ssh,
    Git,
}

impl Scheme {
    pub const ALL: [Self; 4] = [Self::Https, Self::Http, Self::Ssh, Self::Git];

    pub fn name(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
            Scheme::Ssh => "ssh",
            Scheme::Git => "git",
        }
    }
}

/// A URL that was taken apart once: nothing in it can be taken for an option, for a path or for another
/// transport.
#[derive(Clone)]
pub struct CloneUri(Secret);

/// What a URL consists of, as it is written in it.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub scheme: Scheme,
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    /// Host and port.
    pub host: &'a str,
    /// From the first `/` on.
    pub path: &'a str,
}

impl CloneUri {
    pub fn new(text: impl Into<String>) -> Result<Self, CloneUriError> {
        let text = Secret::new(text.into());
        parts(text.reveal())?;
        Ok(Self(text))
    }

    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    pub fn parts(&self) -> Parts<'_> {
        // It was taken apart before.
        let nothing = Parts { scheme: Scheme::Https, user: None, password: None, host: "", path: "" };
        parts(self.0.reveal()).unwrap_or(nothing)
    }

    pub fn scheme(&self) -> Scheme {
        self.parts().scheme
    }

    /// Without user and password.
    pub fn bare(&self) -> String {
        let Parts { scheme, user: _, password: _, host, path } = self.parts();
        format!("{}://{host}{path}", scheme.name())
    }

    /// What may be shown: over HTTP a user may be a token.
    pub fn shown(&self) -> String {
        let Parts { scheme, user, password, host, path } = self.parts();
        let user = match (scheme, user, password) {
            (_, None, None) => String::new(),
            (Scheme::Ssh, Some(user), None) => format!("{user}@"),
            (Scheme::Ssh | Scheme::Https | Scheme::Http | Scheme::Git, _, _) => format!("{HIDDEN}@"),
        };
        // What follows a `?` may be a token too.
        let path = path.split_once('?').map_or(path.to_owned(), |(path, _)| format!("{path}?{HIDDEN}"));
        format!("{}://{user}{host}{path}", scheme.name())
    }

    /// A text of a program that may have said the URL or parts of it again.
    pub fn redact(&self, text: &str) -> String {
        let Parts { user, password, path, .. } = self.parts();
        let query = path.split_once('?').map(|(_, query)| query);
        let mut redacted = text.replace(self.reveal(), &self.shown());
        let user = user.filter(|_| self.scheme() != Scheme::Ssh);
        for secret in [password, user, query].into_iter().flatten().filter(|secret| !secret.is_empty()) {
            redacted = redacted.replace(secret, HIDDEN);
            redacted = redacted.replace(&decoded(secret), HIDDEN);
        }
        redacted
    }
}

/// Percent-encoded characters as themselves (RFC 3986, 2.1).
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let number = digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match number {
            Some(number) => {
                bytes.push(number);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn parts(text: &str) -> Result<Parts<'_>, CloneUriError> {
    if text.is_empty() {
        return Err(CloneUriError::Empty);
    }
    if text.len() > LONGEST {
        return Err(CloneUriError::TooLong { max: LONGEST, actual: text.len() });
    }
    let (scheme, rest) = Scheme::ALL
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme.name())?.strip_prefix("://").map(|rest| (scheme, rest)))
        .ok_or(CloneUriError::UnknownScheme)?;
    // No blank, quote or control, and no `#`: git and Mercurial mean different things by it.
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}#$".contains(&byte)) {
        return Err(CloneUriError::BadCharacters);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (credentials, host) = match authority.rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials), host),
        None => (None, authority),
    };
    let (user, password) = match credentials.map(|credentials| credentials.split_once(':').ok_or(credentials)) {
        Some(Ok((user, password))) => (Some(user), Some(password)),
        Some(Err(user)) => (Some(user), None),
        None => (None, None),
    };
    let is_user = |user: &str| !user.is_empty() && !user.starts_with('-') && !decoded(user).contains(char::is_control);
    if !is_host(host) || !user.is_none_or(is_user) || password.is_some_and(|it| decoded(it).contains(char::is_control))
    {
        return Err(CloneUriError::BadAuthority);
    }
    match scheme {
        Scheme::Ssh if password.is_some() => Err(CloneUriError::Password("ssh".into())),
        Scheme::Git if user.is_some() => Err(CloneUriError::Password("git".into())),
        Scheme::Https | Scheme::Http | Scheme::Ssh | Scheme::Git => Ok(Parts { scheme, user, password, host, path }),
    }
}

/// A name or an address, and maybe a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", rest),
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0) && !port.starts_with('+');
    !host.is_empty()
        && !host.starts_with(['-', '.'])
        && host.chars().all(is_name)
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

impl fmt::Debug for CloneUri {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("CloneUri").field(&self.shown()).finish()
    }
}

impl Serialize for CloneUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// What is refused is not said again: it may hold a password.
impl<'de> Deserialize<'de> for CloneUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::deserialize(deserializer)?;
        parts(text.reveal()).map(drop).map_err(serde::de::Error::custom)?;
        Ok(Self(text))
    }
}

/// JSON has one `null`; of two options the outer one is whether the member is there.
pub mod change {
    use super::{CloneUri, Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Option<CloneUri>>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|value| [value]).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<CloneUri>>, D::Error> {
        Ok(Option::<[Option<CloneUri>; 1]>::deserialize(deserializer)?.map(|[value]| value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_four_schemes_with_a_host_are_taken() {
        for good in [
            "https://example.org/a/b.git",
            "http://127.0.0.1:8080/x",
            "http://[::1]:8080/x",
            "ssh://git@example.org:22/~x/y",
            "git://example.org/x",
            "https://user:p%40ss@example.org/x?y=1",
            "https://token@example.org",
        ] {
            assert_eq!(CloneUri::new(good).map(|uri| uri.reveal().to_owned()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "/srv/x",
            "./x",
            "file:///srv/x",
            "ext::sh -c id",
            "ext::sh",
            "--upload-pack=x",
            "-x",
            "git@example.org:x",
            "HTTPS://example.org/x",
            "https://",
            "https:///x",
            "ssh://-oProxyCommand=x/y",
            "ssh://-l@example.org/y",
            "ssh://u:p@example.org/y",
            "git://u@example.org/y",
            "https://example.org:0/x",
            "https://example.org:99999/x",
            "https://example.org:+1/x",
            "https://exa mple.org/x",
            "https://example.org/x#y",
            "https://example.org/\nx",
            "https://u:a%0ab@example.org/x",
            "https://example.org/$HOME",
            "https://[::x]/y",
            "https://ä/x",
            "bundle:x",
            "git+ssh://example.org/x",
        ] {
            assert!(CloneUri::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn credentials_are_not_shown_nor_said_again() {
        let rows = [
            ("https://anna:hunter%322@example.org/x", "https://***@example.org/x"),
            ("https://token@example.org/x?key=5", "https://***@example.org/x?***"),
            ("ssh://git@example.org/x", "ssh://git@example.org/x"),
            ("git://example.org:9418/x", "git://example.org:9418/x"),
        ];
        for (uri, shown) in rows {
            let uri = CloneUri::new(uri).unwrap();
            assert_eq!(uri.shown(), shown);
            assert_eq!(format!("{uri:?}"), format!("CloneUri({shown:?})"));
        }
        let uri = CloneUri::new("https://anna:hunter%322@example.org/x").unwrap();
        let said = "fatal: https://anna:hunter%322@example.org/x and anna and hunter22 and hunter%322";
        assert_eq!(uri.redact(said), "fatal: https://***@example.org/x and *** and *** and ***");
        assert_eq!(uri.bare(), "https://example.org/x");
        let refused = serde_json::from_str::<CloneUri>("\"ftp://u:hunter2@h/x\"").unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn a_change_tells_nothing_from_none() {
        #[derive(Serialize, Deserialize)]
        struct Change {
            #[serde(default, with = "change")]
            uri: Option<Option<CloneUri>>,
        }
        for uri in [None, Some(None), Some(Some(CloneUri::new("git://h/x").unwrap()))] {
            let text = serde_json::to_string(&Change { uri: uri.clone() }).unwrap();
            let read: Change = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{:?}", read.uri), format!("{uri:?}"));
        }
        assert!(serde_json::from_str::<Change>("{}").unwrap().uri.is_none());
    }

    #[test]
    fn a_url_that_is_too_long_is_told_with_both_lengths() {
        let of = |length: usize| CloneUri::new(format!("https://h/{}", "x".repeat(length - 10))).map(drop);
        assert_eq!(of(LONGEST), Ok(()));
        let actual = LONGEST + 1;
        assert_eq!(of(actual), Err(CloneUriError::TooLong { max: LONGEST, actual }));
    }
}

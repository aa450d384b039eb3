//! Texts that become fields of an account file: full name, home, shell.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes: 120 characters of any script.
const MAX_FULL_NAME: usize = 480;
const MAX_PATH: usize = 255;

/// Why a text may not become a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("is longer than {max} bytes (it has {actual})")]
    TooLong { max: usize, actual: usize },
    #[error("contains characters that are not allowed: {0}")]
    BadCharacters(String),
    #[error("must be an absolute path")]
    NotAbsolute,
    #[error("must not contain `.` or `..`")]
    DotComponent,
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                $parse(text.into()).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, TextError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

text_type! {
    /// The person's name: the GECOS field of passwd(5). Commas are kept; they separate its
    /// sub-fields (chfn(1)). May be empty.
    FullName, parse_full_name
}
text_type! {
    /// An absolute path as a passwd(5) field: one slash between components, none at the end,
    /// no `.` or `..`. Where it leads is decided when it is opened.
    FieldPath, parse_path
}
text_type! {
    /// A mail address, or empty. Only its shape is checked: `local@host.tld`.
    Email, parse_email
}

impl FieldPath {
    /// The components below `/`, none of them empty.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// This path with one more component, itself checked.
    pub fn join(&self, component: &str) -> Result<FieldPath, TextError> {
        FieldPath::new(format!("{}/{component}", self.0.trim_end_matches('/')))
    }

    /// Whether this is `other` or lies below it, by whole components.
    pub fn is_within(&self, other: &FieldPath) -> bool {
        let mut mine = self.components();
        other.components().all(|part| mine.next() == Some(part))
    }
}

/// Characters that end a field or a line, or that a terminal would obey: colon, controls (C0, DEL
/// and C1) and the Unicode line separators.
fn forbidden(c: char) -> bool {
    c == ':' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn check_characters(text: &str, max: usize) -> Result<(), TextError> {
    if text.len() > max {
        return Err(TextError::TooLong { max, actual: text.len() });
    }
    let bad: Vec<String> = text.chars().filter(|c| forbidden(*c)).map(|c| c.escape_default().to_string()).collect();
    if bad.is_empty() { Ok(()) } else { Err(TextError::BadCharacters(bad.join(", "))) }
}

fn parse_full_name(text: String) -> Result<String, TextError> {
    check_characters(&text, MAX_FULL_NAME)?;
    Ok(text)
}

fn parse_path(text: String) -> Result<String, TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    check_characters(&text, MAX_PATH)?;
    if !text.starts_with('/') {
        return Err(TextError::NotAbsolute);
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(TextError::DotComponent);
    }
    Ok(format!("/{}", parts.join("/")))
}

fn parse_email(text: String) -> Result<String, TextError> {
    if text.is_empty() {
        return Ok(text);
    }
    check_characters(&text, 254)?;
    let shaped = text.rsplit_once('@').is_some_and(|(local, host)| is_local_part(local) && is_host(host));
    if shaped { Ok(text) } else { Err(TextError::BadCharacters(text.escape_debug().to_string())) }
}

/// Words with dots between them (RFC 5322, 3.2.3). In aliases(5) a slash, a dash or a hash at the
/// beginning would stand for a file, an option or a comment, and a bar for a program.
fn is_local_part(local: &str) -> bool {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_{}~".contains(c);
    !local.starts_with(['/', '-', '#', '!']) && local.split('.').all(|word| !word.is_empty() && word.chars().all(atom))
}

/// Labels of letters, digits and dashes (RFC 5321, 2.3.5), at least two of them.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let letters = label.chars().all(|c| c.is_alphanumeric() || c == '-');
        !label.is_empty() && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    host.rsplit_once('.').is_some_and(|(_, top)| top.chars().count() >= 2) && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_can_not_end_its_line_or_its_field() {
        for text in ["a:b", "a\nb", "a\rb", "a\0b", "a\tb", "a\u{7f}", "a\u{85}b", "a\u{2028}b"] {
            assert!(FullName::new(text).is_err(), "{text:?}");
            assert!(FieldPath::new(format!("/{text}")).is_err(), "{text:?}");
        }
        assert!(FullName::new("Jörg Müller, Room 3").is_ok());
        assert!(FullName::new("x".repeat(481)).is_err());
        assert!(FullName::new("\u{20000}".repeat(120)).is_ok(), "a character of four bytes");
    }

    #[test]
    fn paths_are_absolute_and_have_one_spelling() {
        assert_eq!(FieldPath::new("//mnt//tank/").unwrap().as_str(), "/mnt/tank");
        for path in ["", "mnt", "/mnt/../etc", "/mnt/./x", "/.."] {
            assert!(FieldPath::new(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn within_goes_by_components_and_not_by_prefix() {
        let path = |text: &str| FieldPath::new(text).unwrap();
        assert!(path("/mnt/tank/a").is_within(&path("/mnt/tank")));
        assert!(path("/mnt/tank").is_within(&path("/mnt/tank")));
        assert!(!path("/mnt/tank2").is_within(&path("/mnt/tank")));
    }

    #[test]
    fn mail_addresses_have_a_host_with_a_dot() {
        for mail in ["", "a@b.cd", "first.last+tag@mail.example.org", "o'neil/x@b-c.de", "a@m\u{fc}ller.de"] {
            assert!(Email::new(mail).is_ok(), "{mail:?}");
        }
        for mail in [
            "a",
            "a@b",
            "a@b.c",
            "@b.cd",
            "a@@b.cd",
            "a b@c.de",
            "a@b.cd\nroot: x",
            "a@b.cd, |sh",
            "/etc/x@b.cd",
            "-oQ/tmp@b.cd",
            "#a@b.cd",
            "|a@b.cd",
            ".a@b.cd",
            "a..b@c.de",
            "a@-b.cd",
            "a@b-.cd",
            "a@b.cd#x.yz",
            "\u{e4}@b.cd",
            "a:b@c.de",
            "\"a b\"@c.de",
            "a@b..cd",
        ] {
            assert!(Email::new(mail).is_err(), "{mail:?}");
        }
    }
}

//! Names of users and groups: strict to create, relaxed to find.
//!
//! useradd(8) of Debian accepts `..`, `a/b`, `0x10` and `a;id`; each of them has hurt some
//! program that reads passwd(5). A new name therefore has a narrow grammar; a name that somebody
//! else put into the file can still be looked up, changed and deleted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::role::Role;

/// The longest name that utmp(5) and `ps` show whole.
pub const MAX_NEW_NAME: usize = 32;
/// The longest name that is looked for.
const MAX_NAME: usize = 255;

/// Names that mean something else to sudoers(5), to Samba or to this program.
const RESERVED: [&str; 7] = ["all", "default", "root", "nobody", "nogroup", "none", "self"];
const RESERVED_PREFIX: &str = "accountd";

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NameError {
    #[error("must not be empty")]
    Empty,
    /// In characters for a new name, in bytes for one that is looked for.
    #[error("is longer than {max} (it has {actual})")]
    TooLong { max: usize, actual: usize },
    #[error("must begin with a letter or an underscore")]
    BadStart,
    #[error("contains characters that are not allowed: {0}")]
    BadCharacters(String),
    #[error("may have `$` only as its last character")]
    DollarInside,
    #[error("must not end with a dot")]
    TrailingDot,
    #[error("must not be a number")]
    AllDigits,
    #[error("is reserved")]
    Reserved,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

name_type! {
    /// A user name that may be given to a new account.
    NewUserName, check_new_user
}
name_type! {
    /// A group name that may be given to a new group.
    NewGroupName, check_new_group
}
name_type! {
    /// A user name as it may stand in passwd(5), whoever wrote it there.
    UserName, check_existing
}
name_type! {
    /// A group name as it may stand in group(5), whoever wrote it there.
    GroupName, check_existing
}

impl From<&NewUserName> for NewGroupName {
    /// A user's private group has the user's name; every new user name is a new group name.
    fn from(name: &NewUserName) -> NewGroupName {
        NewGroupName(name.0.clone())
    }
}

fn check_new_user(text: &str) -> Result<(), NameError> {
    check_new(text, |first| first.is_ascii_alphabetic() || first == '_')
}

/// The groups that give roles can be made like others; who may do so is another question.
fn check_new_group(text: &str) -> Result<(), NameError> {
    if Role::ALL.iter().any(|role| role.usual_group() == text) {
        return Ok(());
    }
    check_new(text, |first| first.is_ascii_alphanumeric() || first == '_')
}

fn check_new(text: &str, may_begin: fn(char) -> bool) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    let length = text.chars().count();
    if length > MAX_NEW_NAME {
        return Err(NameError::TooLong { max: MAX_NEW_NAME, actual: length });
    }
    let body = text.strip_suffix('$').unwrap_or(text);
    if body.contains('$') {
        return Err(NameError::DollarInside);
    }
    let bad = forbidden_characters(body);
    if !bad.is_empty() {
        return Err(NameError::BadCharacters(bad));
    }
    if body.bytes().all(|byte| byte.is_ascii_digit()) && !body.is_empty() {
        return Err(NameError::AllDigits);
    }
    if !may_begin(first) {
        return Err(NameError::BadStart);
    }
    if body.ends_with('.') {
        return Err(NameError::TrailingDot);
    }
    if is_reserved(body) {
        return Err(NameError::Reserved);
    }
    Ok(())
}

/// The characters of `text` that no new name may have, once each, escaped to be printable.
fn forbidden_characters(text: &str) -> String {
    let mut bad: Vec<char> =
        text.chars().filter(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))).collect();
    bad.sort_unstable();
    bad.dedup();
    let printable = |c: char| c.is_ascii_graphic() || c.is_alphanumeric();
    let show = |c: &char| if printable(*c) { c.to_string() } else { c.escape_debug().to_string() };
    let shown: Vec<String> = bad.iter().map(show).collect();
    shown.join(", ")
}

fn is_reserved(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    RESERVED.contains(&lower.as_str()) || lower.starts_with(RESERVED_PREFIX)
}

fn check_existing(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong { max: MAX_NAME, actual: text.len() });
    }
    let bad: String = text.chars().filter(|c| matches!(c, ':' | '\n' | '\0')).collect();
    if bad.is_empty() { Ok(()) } else { Err(NameError::BadCharacters(bad.escape_debug().to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_may_be_created() {
        for name in ["a", "myuser", "My.User-2", "_svc", "machine$", "x23456789012345678901234567890ab"] {
            assert!(NewUserName::new(name).is_ok(), "{name}");
        }
        assert!(NewGroupName::new("2fast").is_ok());
    }

    #[test]
    fn names_that_hurt_other_programs_may_not_be_created() {
        let hostile = [
            "",
            ".",
            "..",
            "a.",
            "-rf",
            "--help",
            "a/b",
            "../../bin/ls",
            "0",
            "123",
            "0day",
            "0x10",
            "a:b",
            "a\nb",
            "a\0b",
            "a b",
            "root ",
            "ünï",
            "a;id",
            "*",
            "a\"b",
            "a#b",
            "a@b.c",
            "a%b",
            "+nis",
            "~a",
            "a$b",
            "a$$",
            "$",
            "root",
            "Root",
            "ALL",
            "nobody",
            "accountd-api",
            "ACCOUNTD",
            "x234567890123456789012345678901234",
            "a\u{85}b",
            "a\u{1b}[m",
        ];
        for name in hostile {
            assert!(NewUserName::new(name).is_err(), "{name:?}");
        }
        for name in ["", "..", "123", "a/b", "a,b", "-a"] {
            assert!(NewGroupName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_length_of_a_name_is_counted_in_characters() {
        let too_long = NameError::TooLong { max: 32, actual: 33 };
        assert_eq!(NewGroupName::new("字".repeat(33)), Err(too_long.clone()));
        assert_eq!(NewUserName::new("x".repeat(33)), Err(too_long));
        assert!(matches!(NewGroupName::new("字".repeat(32)), Err(NameError::BadCharacters(_))));
    }

    #[test]
    fn names_that_others_made_can_be_found_unless_they_would_break_the_line() {
        for name in ["123", "a/b", "ünï", "..", "root "] {
            assert!(UserName::new(name).is_ok(), "{name:?}");
        }
        for name in ["", "a:b", "a\nb", "a\0b"] {
            assert!(UserName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_checked_when_it_arrives_in_a_frame_too() {
        assert!(serde_json::from_str::<NewUserName>("\"..\"").is_err());
        assert!(serde_json::from_str::<NewUserName>("\"anna\"").is_ok());
    }

    #[test]
    fn the_groups_of_roles_can_be_made_and_nothing_else_of_this_program() {
        assert!(NewGroupName::new("accountd-auditors").is_ok());
        for name in ["accountd-api", "Accountd-auditors", "accountd-auditors$"] {
            assert_eq!(NewGroupName::new(name), Err(NameError::Reserved), "{name}");
        }
        assert_eq!(NewUserName::new("accountd-auditors"), Err(NameError::Reserved));
    }
}

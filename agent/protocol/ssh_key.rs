//! The SSH keys of a user one by one: lines of `authorized_keys` that could let somebody in, with what the
//! file itself has no place for.

use serde::{Deserialize, Serialize};

use crate::refusal::Problem;

/// Of a title, in characters of any script.
pub const LONGEST_TITLE: usize = 200;

/// Given once, never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SshKeyId(pub u64);

/// Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKey {
    pub id: SshKeyId,
    /// No two keys of a user have the same. That of a key that somebody has written into the file is its
    /// comment, or else its fingerprint.
    pub title: String,
    /// `SHA256:…`, as ssh-keygen(1) shows it.
    pub fingerprint: String,
    /// When it was added, or first seen.
    pub added: u64,
    /// When somebody has logged in with it last, since it was first seen.
    pub last_used: Option<u64>,
}

/// What a user calls a key: 1 to [`LONGEST_TITLE`] characters, none of which a terminal would obey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyTitle(String);

impl KeyTitle {
    pub fn new(text: impl Into<String>) -> Result<Self, Problem> {
        let text = text.into();
        let length = text.chars().count();
        match () {
            () if text.trim().is_empty() => Err(Problem::Required),
            () if length > LONGEST_TITLE => Err(Problem::TooManyCharacters { max: LONGEST_TITLE, actual: length }),
            () if text.chars().any(is_bad) => Err(Problem::ControlCharacters),
            () => Ok(Self(text)),
        }
    }

    /// What can be said of a comment; `None` where nothing of it is left.
    pub fn of_comment(comment: &str) -> Option<Self> {
        let text: String = comment.trim().chars().filter(|c| !is_bad(*c)).take(LONGEST_TITLE).collect();
        Self::new(text).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_bad(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

impl TryFrom<String> for KeyTitle {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        Self::new(text)
    }
}

impl From<KeyTitle> for String {
    fn from(title: KeyTitle) -> String {
        title.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_has_1_to_200_characters_none_of_them_a_control() {
        for good in ["a", "laptop of Anna", "ключ", &"ä".repeat(200)] {
            assert_eq!(KeyTitle::new(good).map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", " ", "a\nb", "\u{1b}[31m", "a\u{2028}b", &"ä".repeat(201)] {
            assert!(KeyTitle::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn of_a_comment_that_remains_which_can_be_a_title() {
        let of = |comment: &str| KeyTitle::of_comment(comment).map(String::from);
        assert_eq!(of(" anna@laptop \u{1b}[31m"), Some("anna@laptop [31m".into()));
        assert_eq!(of(" \t"), None);
        assert_eq!(of(&"x".repeat(300)).map(|title| title.len()), Some(200));
    }
}

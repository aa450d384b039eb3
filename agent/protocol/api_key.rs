//! API keys: what a program shows instead of its user's password.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::refusal::Problem;

/// A key is 160 bits out of the kernel, in hexadecimal.
pub const KEY_BYTES: usize = 20;
pub const KEY_DIGITS: usize = 2 * KEY_BYTES;
/// The most that an account has at a time.
pub const MOST_KEYS: usize = 100;
/// Of a name, in characters of any script.
const LONGEST_NAME: usize = 64;

/// Given once, never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKeyId(pub u64);

impl fmt::Display for ApiKeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What its user calls a key: 1 to 64 characters, none of which a terminal would obey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiKeyName(String);

impl ApiKeyName {
    pub fn new(text: impl Into<String>) -> Result<Self, Problem> {
        let text = text.into();
        let length = text.chars().count();
        let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        match () {
            () if text.trim().is_empty() => Err(Problem::Required),
            () if length > LONGEST_NAME => Err(Problem::TooManyCharacters { max: LONGEST_NAME, actual: length }),
            () if text.chars().any(bad) => Err(Problem::ControlCharacters),
            () => Ok(Self(text)),
        }
    }
}

impl TryFrom<String> for ApiKeyName {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        Self::new(text)
    }
}

impl From<ApiKeyName> for String {
    fn from(name: ApiKeyName) -> String {
        name.0
    }
}

/// A key as it is shown: without itself. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub created: u64,
    /// From this moment on it is void; `None`: never.
    pub expires: Option<u64>,
    /// At most an hour before it was used last.
    pub last_used: Option<u64>,
}

/// The name that a key is made with, and until when it is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewApiKey {
    pub name: ApiKeyName,
    pub expires: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_64_characters_none_of_them_a_control() {
        for good in ["a", "backup of the NAS", "ключ", &"ä".repeat(64), "a:b"] {
            assert_eq!(ApiKeyName::new(good).map(String::from).as_deref(), Ok(good));
        }
        let too_long = Problem::TooManyCharacters { max: 64, actual: 65 };
        assert_eq!(ApiKeyName::new("ä".repeat(65)), Err(too_long));
        for (bad, problem) in [("", Problem::Required), (" ", Problem::Required), ("a\nb", Problem::ControlCharacters)]
        {
            assert_eq!(ApiKeyName::new(bad), Err(problem), "{bad:?}");
        }
        for bad in ["\u{1b}[31m", "a\0", "a\u{85}", "a\u{2028}b"] {
            assert_eq!(ApiKeyName::new(bad), Err(Problem::ControlCharacters), "{bad:?}");
        }
    }
}

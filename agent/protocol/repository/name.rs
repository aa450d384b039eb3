//! Names of repositories: paths below the root, of components that mean nothing to a shell, to git, to
//! Mercurial or to a file system.

use serde::{Deserialize, Serialize};

/// In bytes, of the name as a whole: PATH_MAX leaves room for the root and what is in a repository.
const LONGEST: usize = 255;
/// The most components.
const DEEPEST: usize = 8;
/// Endings of components that another name or a program of its own could be taken for: `a.git` is what
/// clients write for `a`, and `a.lock` is git's lock of `a`.
const TAKEN_ENDINGS: [&str; 3] = [".git", ".lock", ".hg"];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryNameError {
    #[error("must not be empty")]
    Empty,
    #[error("is longer than {max} bytes (it has {actual})")]
    TooLong { max: usize, actual: usize },
    #[error("has more than {max} levels")]
    TooDeep { max: usize },
    #[error("has an empty component")]
    EmptyComponent,
    #[error("contains characters that are not allowed: {0}")]
    BadCharacters(String),
    #[error("has a component that begins with `.` or `-`")]
    BadStart,
    #[error("has a component that ends with {0}")]
    TakenEnding(String),
}

/// `a/b/c`: at most 8 components of `A-Z a-z 0-9 . _ -`, none of which begins with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

impl RepositoryName {
    pub fn new(text: impl Into<String>) -> Result<Self, RepositoryNameError> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether one of the two lies below the other.
    pub fn nests_with(&self, other: &str) -> bool {
        let is_below = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        is_below(&self.0, other) || is_below(other, &self.0)
    }
}

fn check(text: &str) -> Result<(), RepositoryNameError> {
    if text.is_empty() {
        return Err(RepositoryNameError::Empty);
    }
    if text.len() > LONGEST {
        return Err(RepositoryNameError::TooLong { max: LONGEST, actual: text.len() });
    }
    if text.split('/').count() > DEEPEST {
        return Err(RepositoryNameError::TooDeep { max: DEEPEST });
    }
    text.split('/').try_for_each(check_component)
}

fn check_component(component: &str) -> Result<(), RepositoryNameError> {
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let bad: String = component.chars().filter(|c| !is_allowed(c)).take(8).collect();
    if component.is_empty() {
        return Err(RepositoryNameError::EmptyComponent);
    }
    if !bad.is_empty() {
        return Err(RepositoryNameError::BadCharacters(bad.escape_debug().to_string()));
    }
    if component.starts_with(['.', '-']) {
        return Err(RepositoryNameError::BadStart);
    }
    let lower = component.to_ascii_lowercase();
    match TAKEN_ENDINGS.into_iter().find(|ending| lower.ends_with(ending)) {
        Some(ending) => Err(RepositoryNameError::TakenEnding(ending.to_owned())),
        None => Ok(()),
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = RepositoryNameError;

    fn try_from(text: String) -> Result<Self, RepositoryNameError> {
        Self::new(text)
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_of_plain_components() {
        for good in ["a", "a/b", "A.b_c-d", "1", "a/b/c/d/e/f/g/h", "_x", "git", "a..b", "hg/lock"] {
            assert_eq!(RepositoryName::new(good).map(String::from).as_deref(), Ok(good));
        }
        let rows = [
            ("", RepositoryNameError::Empty),
            ("/a", RepositoryNameError::EmptyComponent),
            ("a/", RepositoryNameError::EmptyComponent),
            ("a//b", RepositoryNameError::EmptyComponent),
            ("..", RepositoryNameError::BadStart),
            ("../x", RepositoryNameError::BadStart),
            ("a/../b", RepositoryNameError::BadStart),
            (".hidden", RepositoryNameError::BadStart),
            ("a/-x", RepositoryNameError::BadStart),
            ("we ird", RepositoryNameError::BadCharacters(" ".into())),
            ("a\nb", RepositoryNameError::BadCharacters("\\n".into())),
            ("a\0b", RepositoryNameError::BadCharacters("\\0".into())),
            ("ä", RepositoryNameError::BadCharacters("ä".into())),
            ("a;b$c", RepositoryNameError::BadCharacters(";$".into())),
            ("a.git", RepositoryNameError::TakenEnding(".git".into())),
            ("a.GIT/b", RepositoryNameError::TakenEnding(".git".into())),
            ("a.lock", RepositoryNameError::TakenEnding(".lock".into())),
            ("a/b/c/d/e/f/g/h/i", RepositoryNameError::TooDeep { max: 8 }),
        ];
        for (bad, error) in rows {
            assert_eq!(RepositoryName::new(bad), Err(error), "{bad:?}");
        }
        assert!(RepositoryName::new("x".repeat(255)).is_ok());
        assert!(RepositoryName::new("x".repeat(256)).is_err());
    }

    #[test]
    fn one_name_lies_in_another_by_components() {
        let name = RepositoryName::new("a/b").unwrap();
        for other in ["a", "a/b/c"] {
            assert!(name.nests_with(other), "{other}");
        }
        for other in ["a/b", "a/bc", "b", "a/c", "a/b.c"] {
            assert!(!name.nests_with(other), "{other}");
        }
    }
}

//! Which state of an account a change is meant for (RFC 9110, 13.1.1).

use serde::{Deserialize, Serialize};

/// Stands for everything of an account that is shown, but for its secrets: equal tags, equal
/// accounts. Says nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(pub String);

/// What an account has to be like for a change to be made. Judged under the lock, together with
/// the change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precondition {
    #[default]
    None,
    /// As it was when it had one of these tags.
    OneOf(Vec<Tag>),
}

impl Precondition {
    pub fn admits(&self, tag: &Tag) -> bool {
        match self {
            Precondition::None => true,
            Precondition::OneOf(tags) => tags.contains(tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_without_a_precondition_is_for_an_account_as_it_is_whatever_it_is() {
        let (tag, other) = (Tag("a".into()), Tag("b".into()));
        assert!(Precondition::default().admits(&tag));
        assert!(Precondition::OneOf(vec![other.clone(), tag.clone()]).admits(&tag));
        assert!(!Precondition::OneOf(vec![other]).admits(&tag));
        assert!(!Precondition::OneOf(vec![]).admits(&tag));
    }
}

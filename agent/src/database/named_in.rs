//! Groups by whom their lines name.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

/// The groups that name each user. A user is in few groups; a group's name is kept once for all
/// whom it names.
#[derive(Clone, Debug, Default)]
pub struct NamedIn(HashMap<Arc<str>, SmallVec<[Arc<str>; 1]>>);

impl NamedIn {
    pub fn groups(&self, user: &str) -> &[Arc<str>] {
        self.0.get(user).map(SmallVec::as_slice).unwrap_or_default()
    }

    pub fn add(&mut self, group: &str, users: impl IntoIterator<Item = String>) {
        let group = Arc::<str>::from(group);
        for user in users {
            match self.0.get_mut(user.as_str()) {
                Some(groups) => groups.push(group.clone()),
                None => drop(self.0.insert(user.into(), SmallVec::from([group.clone()]))),
            }
        }
    }

    /// Takes back what [`NamedIn::add`] has entered.
    pub fn remove(&mut self, group: &str, users: impl IntoIterator<Item = String>) {
        for user in users {
            let Some(groups) = self.0.get_mut(user.as_str()) else { continue };
            if let Some(at) = groups.iter().position(|known| **known == *group) {
                groups.remove(at);
            }
            if groups.is_empty() {
                self.0.remove(user.as_str());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_is_named_twice_is_there_until_both_are_taken_back() {
        let mut named = NamedIn::default();
        named.add("a", ["anna".into(), "anna".into(), "berta".into()]);
        named.add("b", ["anna".into()]);
        named.remove("a", ["anna".into()]);
        assert_eq!(named.groups("anna"), ["a".into(), "b".into()]);
        named.remove("a", ["anna".into(), "carla".into()]);
        assert_eq!((named.groups("anna"), named.groups("berta")), (&["b".into()][..], &["a".into()][..]));
        named.remove("b", ["anna".into()]);
        assert!(named.groups("anna").is_empty());
    }
}

//! The order of a list, and places in it.

use std::cmp::Ordering;

use accountd_protocol::agent::{Direction, SortBy, SortKey, Window};
use accountd_protocol::id::AccountId;
use accountd_protocol::list::{Position, SortValue};

use super::show::show_user;
use crate::database::entry::{Entry, passwd, shadow};
use crate::database::{FileKind, GroupRow, UserRow, View};
use crate::sudoers::Grantee;

/// What a list is sorted by, first key first. Each is there once: a second time, it would cost
/// memory for every item and decide nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Order(Vec<SortKey>);

/// An item, by what it is sorted by.
pub type Keyed = (Vec<SortValue>, AccountId);

impl Order {
    /// `None`: the order that the accounts are kept in, built-in ones last, then by number.
    pub fn of(window: &Window) -> Option<Self> {
        let mut keys: Vec<SortKey> = Vec::new();
        for key in &window.sort {
            if keys.iter().all(|earlier| earlier.by != key.by) {
                keys.push(key.clone());
            }
        }
        (!keys.is_empty()).then_some(Self(keys))
    }

    pub fn keys(&self, key: impl Fn(SortBy) -> SortValue) -> Vec<SortValue> {
        self.0.iter().map(|sort| key(sort.by)).collect()
    }

    /// The first `count` of the items behind `after`, in order.
    pub fn first(&self, count: usize, after: Option<&Position>, mut keyed: Vec<Keyed>) -> Vec<Keyed> {
        if let Some(Position { values, id }) = after {
            keyed.retain(|(keys, item)| self.compare((keys, *item), (values, *id)) == Ordering::Greater);
        }
        let compare = |left: &Keyed, right: &Keyed| self.compare((&left.0, left.1), (&right.0, right.1));
        if count < keyed.len() {
            keyed.select_nth_unstable_by(count, compare);
            keyed.truncate(count);
        }
        keyed.sort_unstable_by(compare);
        keyed
    }

    /// What is equal by every key stands in the order of ids.
    fn compare(&self, left: (&[SortValue], AccountId), right: (&[SortValue], AccountId)) -> Ordering {
        let pairs = self.0.iter().zip(left.0.iter().zip(right.0));
        let compared = pairs.map(|(sort, (left, right))| match sort.direction {
            Direction::Ascending => left.cmp(right),
            Direction::Descending => right.cmp(left),
        });
        compared.fold(Ordering::Equal, Ordering::then).then(left.1.cmp(&right.1))
    }
}

pub fn user_key(view: &View, row: &UserRow, by: SortBy) -> SortValue {
    let shown = || show_user(view, row).map(|shown| shown.user);
    let entry = || view.entry(FileKind::Passwd, &row.name).unwrap_or(Entry::parse(b""));
    match by {
        SortBy::Id => SortValue::Number(row.id.0),
        SortBy::Number => SortValue::Number(row.uid.0.into()),
        SortBy::Name => SortValue::Text(row.name.clone()),
        SortBy::FullName => SortValue::Text(entry().text(passwd::GECOS)),
        SortBy::Home => SortValue::Text(entry().text(passwd::HOME)),
        SortBy::Shell => SortValue::Text(entry().text(passwd::SHELL)),
        SortBy::Builtin => SortValue::Number(row.is_builtin().into()),
        SortBy::Locked => {
            let shadow = view.entry(FileKind::Shadow, &row.name).map(|line| line.text(shadow::PASSWORD));
            SortValue::Number(shadow.is_some_and(|field| field.starts_with('!')).into())
        }
        SortBy::PrimaryGroup => SortValue::Number(entry().number(passwd::GID).unwrap_or_default()),
        SortBy::Email => SortValue::Text(row.email.clone()),
        SortBy::MicrosoftAccount => SortValue::Number(row.microsoft_account.into()),
        SortBy::PasswordDisabled => SortValue::Number(shown().is_some_and(|user| user.password_disabled).into()),
        SortBy::UnixHash => SortValue::Text(shown().map(|user| user.unix_hash).unwrap_or_default()),
        SortBy::SmbHash => SortValue::Text(shown().map(|user| user.smb_hash).unwrap_or_default()),
        SortBy::Sudo => SortValue::Number(view.sudo(Grantee::User(row.id)).is_granted().into()),
        SortBy::AllSudo => SortValue::Number(view.sudo(Grantee::User(row.id)).shows_as_all().into()),
    }
}

pub fn group_key(view: &View, row: &GroupRow, by: SortBy) -> SortValue {
    match by {
        SortBy::Id => SortValue::Number(row.id.0),
        SortBy::Number | SortBy::PrimaryGroup => SortValue::Number(row.gid.0.into()),
        SortBy::Builtin => SortValue::Number(row.is_builtin().into()),
        SortBy::Sudo => SortValue::Number(view.sudo(Grantee::Group(row.id)).is_granted().into()),
        SortBy::AllSudo => SortValue::Number(view.sudo(Grantee::Group(row.id)).shows_as_all().into()),
        SortBy::Name
        | SortBy::FullName
        | SortBy::Home
        | SortBy::Shell
        | SortBy::Locked
        | SortBy::Email
        | SortBy::PasswordDisabled
        | SortBy::MicrosoftAccount
        | SortBy::UnixHash
        | SortBy::SmbHash => SortValue::Text(row.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(sort: Vec<SortKey>) -> Window {
        Window::part(0, 20, sort)
    }

    const UP: SortKey = SortKey { by: SortBy::Number, direction: Direction::Ascending };
    const DOWN: SortKey = SortKey { by: SortBy::Number, direction: Direction::Descending };
    const NAME: SortKey = SortKey { by: SortBy::Name, direction: Direction::Descending };

    #[test]
    fn a_key_counts_where_it_comes_first_and_not_again() {
        let repeated = [DOWN, NAME, UP].into_iter().cycle().take(60_000).collect();
        assert_eq!(Order::of(&window(repeated)), Some(Order(vec![DOWN, NAME])));
        assert_eq!(Order::of(&window(vec![])), None);
    }

    #[test]
    fn what_is_equal_by_one_key_is_told_apart_by_the_next() {
        let order = Order(vec![DOWN, NAME]);
        let item =
            |number, name: &str, id| (vec![SortValue::Number(number), SortValue::Text(name.into())], AccountId(id));
        let items = vec![item(1, "a", 1), item(2, "a", 2), item(2, "b", 3), item(2, "b", 4)];
        let ids = |count, after: Option<&Keyed>| -> Vec<u64> {
            let after = after.map(|(values, id)| Position { values: values.clone(), id: *id });
            order.first(count, after.as_ref(), items.clone()).into_iter().map(|(_, id)| id.0).collect()
        };
        assert_eq!(ids(9, None), [3, 4, 2, 1]);
        assert_eq!(ids(2, None), [3, 4]);
        assert_eq!(ids(9, Some(&items[2])), [4, 2, 1]);
        let gone = item(2, "b", 5);
        assert_eq!(ids(9, Some(&gone)), [2, 1], "a place where nobody stands is one too");
    }
}

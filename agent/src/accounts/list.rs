//! Lists: sorted, and only the part that was asked for is looked at in full.

use std::cmp::Ordering;

use accountd_protocol::agent::{Direction, Group, Page, SortBy, SortKey, User, Window};
use accountd_protocol::id::AccountId;

use super::show::{Shown, show_group, show_user};
use crate::agent::Agent;
use crate::database::entry::{Entry, passwd, shadow};
use crate::database::{FileKind, GroupRow, UserRow, View};
use crate::sudoers::{Grantee, Sudo};

impl Agent {
    pub(crate) fn list_users(&self, window: &Window) -> Page<User> {
        let (shown, total) = match Order::of(window) {
            Some(order) => self.users_sorted(window, &order),
            None => self.users_in_order(window),
        };
        Page { items: shown.into_iter().map(|shown| self.with_keys(shown)).collect(), total }
    }

    fn users_in_order(&self, window: &Window) -> (Vec<Shown>, usize) {
        let view = self.database.view();
        let total = view.users().len();
        (part(view.users().iter(), window).filter_map(|row| show_user(&view, row)).collect(), total)
    }

    /// Sorts without a view, because a change waits for every view but its own. A user that goes
    /// meanwhile is left out.
    fn users_sorted(&self, window: &Window, order: &Order) -> (Vec<Shown>, usize) {
        let keyed = {
            let view = self.database.view();
            view.users().iter().map(|row| (order.keys(|by| user_key(&view, row, by)), row.id)).collect()
        };
        let ids = order.sort(keyed);
        let total = ids.len();
        let view = self.database.view();
        let rows = part(ids.into_iter(), window).filter_map(|id| view.user(id));
        (rows.filter_map(|row| show_user(&view, row)).collect(), total)
    }

    pub(crate) fn list_groups(&self, window: &Window) -> Page<Group> {
        match Order::of(window) {
            Some(order) => self.groups_sorted(window, &order),
            None => self.groups_in_order(window),
        }
    }

    fn groups_in_order(&self, window: &Window) -> Page<Group> {
        let view = self.database.view();
        let total = view.groups().len();
        Page { items: part(view.groups().iter(), window).map(|row| show_group(&view, row)).collect(), total }
    }

    fn groups_sorted(&self, window: &Window, order: &Order) -> Page<Group> {
        let keyed = {
            let view = self.database.view();
            view.groups().iter().map(|row| (order.keys(|by| group_key(&view, row, by)), row.id)).collect()
        };
        let ids = order.sort(keyed);
        let total = ids.len();
        let view = self.database.view();
        let rows = part(ids.into_iter(), window).filter_map(|id| view.group(id));
        Page { items: rows.map(|row| show_group(&view, row)).collect(), total }
    }
}

fn part<T>(rows: impl Iterator<Item = T>, window: &Window) -> impl Iterator<Item = T> {
    rows.skip(window.offset).take(window.limit)
}

/// A value that items are compared by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Text(String),
}

/// What a list is sorted by, first key first. Each is there once: a second time, it would cost
/// memory for every item and decide nothing.
#[derive(Debug, PartialEq, Eq)]
struct Order(Vec<SortKey>);

impl Order {
    /// `None`: the order that the accounts are kept in, built-in ones last, then by number.
    fn of(window: &Window) -> Option<Self> {
        let mut keys: Vec<SortKey> = Vec::new();
        for key in &window.sort {
            if keys.iter().all(|earlier| earlier.by != key.by) {
                keys.push(key.clone());
            }
        }
        (!keys.is_empty()).then_some(Self(keys))
    }

    fn keys(&self, key: impl Fn(SortBy) -> Key) -> Vec<Key> {
        self.0.iter().map(|sort| key(sort.by)).collect()
    }

    /// What is equal by every key stands in the order of ids.
    fn sort(&self, mut keyed: Vec<(Vec<Key>, AccountId)>) -> Vec<AccountId> {
        keyed.sort_unstable_by(|(left, first), (right, second)| self.compare(left, right).then(first.cmp(second)));
        keyed.into_iter().map(|(_, id)| id).collect()
    }

    fn compare(&self, left: &[Key], right: &[Key]) -> Ordering {
        let pairs = self.0.iter().zip(left.iter().zip(right));
        let compared = pairs.map(|(sort, (left, right))| match sort.direction {
            Direction::Ascending => left.cmp(right),
            Direction::Descending => right.cmp(left),
        });
        compared.fold(Ordering::Equal, Ordering::then)
    }
}

fn user_key(view: &View, row: &UserRow, by: SortBy) -> Key {
    let shown = || show_user(view, row).map(|shown| shown.user);
    let entry = || view.entry(FileKind::Passwd, &row.name).unwrap_or(Entry::parse(b""));
    match by {
        SortBy::Id => Key::Number(row.id.0),
        SortBy::Number => Key::Number(row.uid.0.into()),
        SortBy::Name => Key::Text(row.name.clone()),
        SortBy::FullName => Key::Text(entry().text(passwd::GECOS)),
        SortBy::Home => Key::Text(entry().text(passwd::HOME)),
        SortBy::Shell => Key::Text(entry().text(passwd::SHELL)),
        SortBy::Builtin => Key::Number(row.is_builtin().into()),
        SortBy::Locked => {
            let shadow = view.entry(FileKind::Shadow, &row.name).map(|line| line.text(shadow::PASSWORD));
            Key::Number(shadow.is_some_and(|field| field.starts_with('!')).into())
        }
        SortBy::PrimaryGroup => Key::Number(entry().number(passwd::GID).unwrap_or_default()),
        SortBy::Email => Key::Text(row.email.clone()),
        SortBy::MicrosoftAccount => Key::Number(row.microsoft_account.into()),
        SortBy::PasswordDisabled => Key::Number(shown().is_some_and(|user| user.password_disabled).into()),
        SortBy::UnixHash => Key::Text(shown().map(|user| user.unix_hash).unwrap_or_default()),
        SortBy::SmbHash => Key::Text(shown().map(|user| user.smb_hash).unwrap_or_default()),
        SortBy::Sudo => Key::Number((view.sudo(Grantee::User(row.id)) == Sudo::Granted).into()),
    }
}

fn group_key(view: &View, row: &GroupRow, by: SortBy) -> Key {
    match by {
        SortBy::Id => Key::Number(row.id.0),
        SortBy::Number | SortBy::PrimaryGroup => Key::Number(row.gid.0.into()),
        SortBy::Builtin => Key::Number(row.is_builtin().into()),
        SortBy::Sudo => Key::Number((view.sudo(Grantee::Group(row.id)) == Sudo::Granted).into()),
        SortBy::Name
        | SortBy::FullName
        | SortBy::Home
        | SortBy::Shell
        | SortBy::Locked
        | SortBy::Email
        | SortBy::PasswordDisabled
        | SortBy::MicrosoftAccount
        | SortBy::UnixHash
        | SortBy::SmbHash => Key::Text(row.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(sort: Vec<SortKey>) -> Window {
        Window { offset: 0, limit: 20, sort }
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
        let item = |number, name: &str, id| (vec![Key::Number(number), Key::Text(name.into())], AccountId(id));
        let items = vec![item(1, "a", 1), item(2, "a", 2), item(2, "b", 3), item(2, "b", 4)];
        assert_eq!(order.sort(items), [3, 4, 2, 1].map(AccountId));
    }
}

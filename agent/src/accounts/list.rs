//! Lists: sorted, and only the part that was asked for is looked at in full.

use std::cmp::Ordering;

use accountd_protocol::agent::{Direction, Group, Page, SortBy, SortKey, User, Window};

use super::show::{Shown, show_group, show_user};
use crate::agent::Agent;
use crate::database::entry::{Entry, passwd, shadow};
use crate::database::{FileKind, GroupRow, UserRow, View};

/// Built-in accounts last, then by number: the order of FreeNAS.
const DEFAULT_ORDER: [SortKey; 2] = [
    SortKey { by: SortBy::Builtin, direction: Direction::Ascending },
    SortKey { by: SortBy::Number, direction: Direction::Ascending },
];

impl Agent {
    pub(crate) fn list_users(&self, window: &Window) -> Page<User> {
        let (shown, total) = self.page_of_users(window);
        Page { items: shown.into_iter().map(|shown| self.with_keys(shown)).collect(), total }
    }

    fn page_of_users(&self, window: &Window) -> (Vec<Shown>, usize) {
        let view = self.database.view();
        let mut rows: Vec<&UserRow> = view.users().collect();
        sort(&mut rows, window, |row, by| user_key(&view, row, by));
        let page = rows.iter().skip(window.offset).take(window.limit);
        (page.filter_map(|row| show_user(&view, row)).collect(), rows.len())
    }

    pub(crate) fn list_groups(&self, window: &Window) -> Page<Group> {
        let view = self.database.view();
        let mut rows: Vec<&GroupRow> = view.groups().collect();
        sort(&mut rows, window, group_key);
        let page = rows.iter().skip(window.offset).take(window.limit);
        Page { items: page.map(|row| show_group(&view, row)).collect(), total: rows.len() }
    }
}

/// A value that items are compared by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Text(String),
}

/// Stable; the keys are made once for each item.
fn sort<T: Copy>(items: &mut Vec<T>, window: &Window, key: impl Fn(T, SortBy) -> Key) {
    let order: &[SortKey] = if window.sort.is_empty() { &DEFAULT_ORDER } else { &window.sort };
    let keyed = |item: T| (order.iter().map(|sort| key(item, sort.by)).collect::<Vec<_>>(), item);
    let mut with_keys: Vec<(Vec<Key>, T)> = items.iter().copied().map(keyed).collect();
    with_keys.sort_by(|(left, _), (right, _)| compare(order, left, right));
    *items = with_keys.into_iter().map(|(_, item)| item).collect();
}

fn compare(order: &[SortKey], left: &[Key], right: &[Key]) -> Ordering {
    let pairs = order.iter().zip(left.iter().zip(right));
    let compared = pairs.map(|(sort, (left, right))| match sort.direction {
        Direction::Ascending => left.cmp(right),
        Direction::Descending => right.cmp(left),
    });
    compared.fold(Ordering::Equal, Ordering::then)
}

fn user_key(view: &View, row: &UserRow, by: SortBy) -> Key {
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
    }
}

fn group_key(row: &GroupRow, by: SortBy) -> Key {
    match by {
        SortBy::Id => Key::Number(row.id.0),
        SortBy::Number | SortBy::PrimaryGroup => Key::Number(row.gid.0.into()),
        SortBy::Builtin => Key::Number(row.is_builtin().into()),
        SortBy::Name | SortBy::FullName | SortBy::Home | SortBy::Shell | SortBy::Locked | SortBy::Email => {
            Key::Text(row.name.clone())
        }
    }
}

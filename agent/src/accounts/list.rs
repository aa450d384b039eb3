//! Lists: filtered, sorted, and only the part that was asked for is looked at in full.

use accountd_protocol::agent::{Group, Page, User, Window};
use accountd_protocol::id::AccountId;
use accountd_protocol::list::{KeyTexts, Position, SortValue};

use super::filter::{group_passes, user_passes};
use super::order::{Keyed, Order, group_key, user_key};
use super::show::{Shown, show_group, show_user};
use crate::agent::Agent;
use crate::database::{GroupRow, Origin, UserRow, View};

impl Agent {
    pub(crate) fn list_users(&self, window: &Window) -> Page<User> {
        let Page { items, total, next } = match Order::of(window) {
            Some(order) => self.users_sorted(window, &order),
            None => self.users_in_order(window),
        };
        let full = |shown: Shown| match window.keys {
            KeyTexts::Read => self.with_keys(shown),
            KeyTexts::LeftOut => self.completed(shown.user),
        };
        Page { items: items.into_iter().map(full).collect(), total, next }
    }

    fn users_in_order(&self, window: &Window) -> Page<Shown> {
        let view = self.database.view();
        let passes = |row: &&UserRow| user_passes(&view, row, &window.filters);
        let total = match window.filters.is_empty() {
            true => view.users().len(),
            false => view.users().iter().filter(passes).count(),
        };
        let (rows, more) = part(view.users().iter_behind(place(window)).filter(passes), window);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| position(row.is_builtin(), row.uid.0, row.id));
        Page { items: rows.into_iter().filter_map(|row| show_user(&view, row)).collect(), total, next }
    }

    /// Sorts without a view, because a change waits for every view but its own. A user that goes
    /// meanwhile is left out.
    fn users_sorted(&self, window: &Window, order: &Order) -> Page<Shown> {
        let keyed: Vec<Keyed> = {
            let view = self.database.view();
            let rows = view.users().iter().filter(|row| user_passes(&view, row, &window.filters));
            rows.map(|row| (order.keys(|by| user_key(&view, row, by)), row.id)).collect()
        };
        let total = keyed.len();
        let (ids, next) = sorted_part(window, order, keyed);
        let view: &View = &self.database.view();
        let rows = ids.into_iter().filter_map(|id| view.user(id));
        Page { items: rows.filter_map(|row| show_user(view, row)).collect(), total, next }
    }

    pub(crate) fn list_groups(&self, window: &Window) -> Page<Group> {
        match Order::of(window) {
            Some(order) => self.groups_sorted(window, &order),
            None => self.groups_in_order(window),
        }
    }

    fn groups_in_order(&self, window: &Window) -> Page<Group> {
        let view = self.database.view();
        let passes = |row: &&GroupRow| group_passes(&view, row, &window.filters);
        let total = match window.filters.is_empty() {
            true => view.groups().len(),
            false => view.groups().iter().filter(passes).count(),
        };
        let (rows, more) = part(view.groups().iter_behind(place(window)).filter(passes), window);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| position(row.is_builtin(), row.gid.0, row.id));
        Page { items: rows.into_iter().map(|row| show_group(&view, row)).collect(), total, next }
    }

    fn groups_sorted(&self, window: &Window, order: &Order) -> Page<Group> {
        let keyed: Vec<Keyed> = {
            let view = self.database.view();
            let rows = view.groups().iter().filter(|row| group_passes(&view, row, &window.filters));
            rows.map(|row| (order.keys(|by| group_key(&view, row, by)), row.id)).collect()
        };
        let total = keyed.len();
        let (ids, next) = sorted_part(window, order, keyed);
        let view: &View = &self.database.view();
        let rows = ids.into_iter().filter_map(|id| view.group(id));
        Page { items: rows.map(|row| show_group(view, row)).collect(), total, next }
    }
}

/// What is in the window, and whether there is more behind it.
fn part<T>(rows: impl Iterator<Item = T>, window: &Window) -> (Vec<T>, bool) {
    let mut rows = rows.skip(window.offset);
    let part = rows.by_ref().take(window.limit).collect();
    (part, rows.next().is_some())
}

fn sorted_part(window: &Window, order: &Order, keyed: Vec<Keyed>) -> (Vec<AccountId>, Option<Position>) {
    let enough = window.offset.saturating_add(window.limit).saturating_add(1);
    let (items, more) = part(order.first(enough, window.after.as_ref(), keyed).into_iter(), window);
    let last = items.last().filter(|_| more);
    let next = last.map(|(values, id)| Position { values: values.clone(), id: *id });
    (items.into_iter().map(|(_, id)| id).collect(), next)
}

/// A place in the order that accounts are kept in.
fn position(builtin: bool, number: u32, id: AccountId) -> Position {
    Position { values: vec![SortValue::Number(builtin.into()), SortValue::Number(number.into())], id }
}

/// Where the window begins in that order; what is no place in it is its beginning.
fn place(window: &Window) -> Option<(Origin, u32, AccountId)> {
    let Position { values, id } = window.after.as_ref()?;
    let [SortValue::Number(builtin), SortValue::Number(number)] = values.as_slice() else { return None };
    let origin = if *builtin == 0 { Origin::Added } else { Origin::Builtin };
    Some((origin, u32::try_from(*number).ok()?, *id))
}

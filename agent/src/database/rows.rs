//! The rows of users or of groups, by id, by name, and in the order of lists.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::Arc;

use accountd_protocol::id::AccountId;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::row::{GroupRow, Origin, UserRow};

/// What users and groups have in common.
pub trait Row {
    fn id(&self) -> AccountId;
    fn name(&self) -> &str;
    /// uid or gid.
    fn number(&self) -> u32;
    fn origin(&self) -> Origin;
}

/// Cheap to copy: the rows are shared.
#[derive(Clone, Debug)]
pub struct Rows<R> {
    by_id: HashTable<Arc<R>>,
    by_name: HashTable<Arc<R>>,
    seed: DefaultHashBuilder,
    /// Built-in ones last, then by number.
    in_order: BTreeSet<(Origin, u32, AccountId)>,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        let (by_id, by_name) = (HashTable::new(), HashTable::new());
        Self { by_id, by_name, seed: DefaultHashBuilder::default(), in_order: BTreeSet::new() }
    }
}

impl<R: Row> Rows<R> {
    pub fn get(&self, id: AccountId) -> Option<&R> {
        self.by_id.find(self.seed.hash_one(id), |row| row.id() == id).map(Arc::as_ref)
    }

    /// The row as an edit has it.
    pub fn shared(&self, id: AccountId) -> Option<Arc<R>> {
        self.by_id.find(self.seed.hash_one(id), |row| row.id() == id).cloned()
    }

    pub fn named(&self, name: &str) -> Option<&R> {
        self.by_name.find(self.seed.hash_one(name), |row| row.name() == name).map(Arc::as_ref)
    }

    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Built-in ones last, then by number.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.in_order.iter().filter_map(|(.., id)| self.get(*id))
    }

    /// The same from behind a place on, be there a row in it or not.
    pub fn iter_behind(&self, place: Option<(Origin, u32, AccountId)>) -> impl Iterator<Item = &R> {
        let start = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.in_order.range((start, Bound::Unbounded)).filter_map(|(.., id)| self.get(*id))
    }

    /// Puts a row in the place of the one with this id, or removes that.
    pub fn put(&mut self, id: AccountId, new: Option<Arc<R>>) {
        if let Ok(entry) = self.by_id.find_entry(self.seed.hash_one(id), |row| row.id() == id) {
            let old = entry.remove().0;
            self.in_order.remove(&place(&*old));
            // The name may be another account's by now.
            if let Ok(entry) = self.by_name.find_entry(self.seed.hash_one(old.name()), |row| Arc::ptr_eq(row, &old)) {
                entry.remove();
            }
        }
        let Some(new) = new else { return };
        let hash = |row: &Arc<R>| self.seed.hash_one(row.name());
        match self.by_name.find_mut(hash(&new), |row| row.name() == new.name()) {
            Some(row) => *row = new.clone(),
            None => drop(self.by_name.insert_unique(hash(&new), new.clone(), hash)),
        }
        self.in_order.insert(place(&*new));
        self.by_id.insert_unique(self.seed.hash_one(id), new, |row| self.seed.hash_one(row.id()));
    }
}

fn place(row: &impl Row) -> (Origin, u32, AccountId) {
    (row.origin(), row.number(), row.id())
}

impl Row for UserRow {
    fn id(&self) -> AccountId {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn number(&self) -> u32 {
        self.uid.0
    }

    fn origin(&self) -> Origin {
        self.origin
    }
}

impl Row for GroupRow {
    fn id(&self) -> AccountId {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn number(&self) -> u32 {
        self.gid.0
    }

    fn origin(&self) -> Origin {
        self.origin
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::Gid;

    use super::*;

    fn group(id: u64, name: &str, gid: u32, origin: Origin) -> Option<Arc<GroupRow>> {
        Some(Arc::new(GroupRow { id: AccountId(id), name: name.into(), gid: Gid(gid), origin, limits: None }))
    }

    fn ids<'a>(rows: impl Iterator<Item = &'a GroupRow>) -> Vec<u64> {
        rows.map(|row| row.id.0).collect()
    }

    #[test]
    fn rows_stand_in_the_order_of_lists_through_every_change() {
        let mut rows = Rows::default();
        rows.put(AccountId(1), group(1, "root", 0, Origin::Builtin));
        rows.put(AccountId(2), group(2, "b", 9, Origin::Added));
        rows.put(AccountId(3), group(3, "a", 8, Origin::Added));
        assert_eq!(ids(rows.iter()), [3, 2, 1]);
        let behind = |number, id| ids(rows.iter_behind(Some((Origin::Added, number, AccountId(id)))));
        assert_eq!((behind(8, 3), behind(8, 2), behind(10, 0)), (vec![2, 1], vec![3, 2, 1], vec![1]));
        rows.put(AccountId(3), group(3, "c", 10, Origin::Added));
        assert_eq!(ids(rows.iter()), [2, 3, 1]);
        assert!(rows.named("a").is_none() && rows.named("c").is_some());
        rows.put(AccountId(2), None);
        assert_eq!((rows.len(), ids(rows.iter())), (2, vec![3, 1]));
        assert!(rows.get(AccountId(2)).is_none() && rows.named("b").is_none());
    }

    #[test]
    fn a_name_that_passes_to_another_account_stays_with_it() {
        let mut rows = Rows::default();
        rows.put(AccountId(1), group(1, "a", 5, Origin::Added));
        rows.put(AccountId(2), group(2, "a", 5, Origin::Added));
        rows.put(AccountId(1), None);
        assert_eq!(rows.named("a").map(|row| row.id), Some(AccountId(2)));
    }
}

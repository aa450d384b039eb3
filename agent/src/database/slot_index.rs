//! Slots of a file by something that their lines say, so that no name is kept twice.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// A table of nothing but slots, five bytes each: what they are found by is read from their lines,
/// as they are when it is asked for. A slot leaves before its line changes.
#[derive(Clone, Debug, Default)]
pub struct SlotIndex {
    seed: DefaultHashBuilder,
    slots: HashTable<u32>,
}

impl SlotIndex {
    /// The slots whose lines say `key`, in no order.
    pub fn slots<K: Hash + Eq>(&self, key: K, key_of: impl Fn(usize) -> Option<K>) -> impl Iterator<Item = usize> {
        let found = self.slots.iter_hash(self.seed.hash_one(&key)).map(|slot| *slot as usize);
        found.filter(move |slot| key_of(*slot).as_ref() == Some(&key))
    }

    /// Enters a slot, where its line says something.
    pub fn insert<K: Hash>(&mut self, slot: usize, key_of: impl Fn(usize) -> Option<K>) {
        let (Some(key), Ok(slot)) = (key_of(slot), u32::try_from(slot)) else { return };
        let hash = |key: Option<K>| key.map_or(0, |key| self.seed.hash_one(key));
        self.slots.insert_unique(hash(Some(key)), slot, |slot| hash(key_of(*slot as usize)));
    }

    pub fn remove<K: Hash>(&mut self, slot: usize, key: Option<K>) {
        let Some(key) = key else { return };
        if let Ok(entry) = self.slots.find_entry(self.seed.hash_one(key), |known| *known as usize == slot) {
            entry.remove();
        }
    }
}

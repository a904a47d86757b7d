//! A hash index of slots: the keys stay where they are.

use hashbrown::HashTable;

/// A power of two. Many small tables grow one at a time, so no single insertion is slow.
const SHARDS: usize = 256;

/// Slots found by the hash of what stands in them.
#[derive(Debug)]
pub(super) struct Index {
    /// Empty until the first insertion.
    shards: Vec<HashTable<u32>>,
}

impl Index {
    pub(super) const fn new() -> Self {
        Self { shards: Vec::new() }
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let shard = self.shards.get(shard_of(hash))?;
        shard.find(hash, |&slot| is_it(slot)).copied()
    }

    pub(super) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, HashTable::new);
        }
        self.shards[shard_of(hash)].insert_unique(hash, slot, |&slot| hash_of(slot));
    }

    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let Some(shard) = self.shards.get_mut(shard_of(hash)) else { return };
        if let Ok(found) = shard.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }
}

/// The tables take their bits from both ends of the hash; the shard takes its from the middle.
const fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize & (SHARDS - 1)
}

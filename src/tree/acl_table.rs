//! The lists in use, each kept once however many znodes have it.
//!
//! Each list has the number by which a snapshot's znodes name it; it keeps it while it is here.
//!
//! Behaviour: `org.apache.zookeeper.server.ReferenceCountedACLCache`.

use std::{collections::BTreeMap, sync::Arc};

use super::acl;
use crate::{
    hash::{Keys, Map},
    wire::{Acl, AclList},
};

/// The number of the list that lets everyone do everything; no snapshot lists it.
pub(super) const OPEN_INDEX: i64 = -1;

/// Lists, and how many znodes have each.
#[derive(Debug)]
pub(super) struct AclTable {
    lists: Map<AclList, Use>,
    /// The lists that snapshots list, by their number, which rises with the time they came.
    by_index: BTreeMap<i64, AclList>,
    /// The number of the next one.
    next_index: i64,
    /// What almost every create asks for.
    open: AclList,
}

/// How a list is used.
#[derive(Debug)]
struct Use {
    znodes: usize,
    index: i64,
}

impl AclTable {
    pub(super) fn new(keys: &Keys) -> Self {
        Self { lists: keys.map(), by_index: BTreeMap::new(), next_index: 1, open: acl::open() }
    }

    /// The list that lets everyone do everything.
    pub(super) fn open(&self) -> AclList {
        Arc::clone(&self.open)
    }

    /// The list as the table has it, or a new one.
    pub(super) fn shared(&self, list: Vec<Acl>) -> AclList {
        match self.lists.get_key_value(&list[..]) {
            Some((shared, _)) => Arc::clone(shared),
            None => list.into(),
        }
    }

    /// A znode gets the list.
    pub(super) fn acquire(&mut self, list: AclList) -> AclList {
        match self.lists.entry(list) {
            hashbrown::hash_map::Entry::Occupied(mut entry) => {
                entry.get_mut().znodes += 1;
                Arc::clone(entry.key())
            }
            hashbrown::hash_map::Entry::Vacant(entry) => {
                let list = Arc::clone(entry.key());
                let mut index = OPEN_INDEX;
                if *list != *self.open {
                    index = self.next_index;
                    self.next_index += 1;
                    self.by_index.insert(index, Arc::clone(&list));
                }
                entry.insert(Use { znodes: 1, index });
                list
            }
        }
    }

    /// A znode has the list no more. Returns the list's number when it was the last to have it.
    pub(super) fn release(&mut self, list: &AclList) -> Option<i64> {
        let used = self.lists.get_mut(list)?;
        used.znodes -= 1;
        if used.znodes > 0 {
            return None;
        }
        let index = used.index;
        self.lists.remove(list);
        self.by_index.remove(&index);
        Some(index)
    }

    /// The number of a list in use.
    pub(super) fn index(&self, list: &AclList) -> i64 {
        self.lists.get(list).map_or(OPEN_INDEX, |used| used.index)
    }

    /// How many lists a snapshot lists.
    pub(super) fn listed(&self) -> usize {
        self.by_index.len()
    }

    /// The number of the next list.
    pub(super) const fn next_index(&self) -> i64 {
        self.next_index
    }

    /// Those numbered `from..bound`.
    pub(super) fn between(&self, from: i64, bound: i64) -> impl Iterator<Item = (i64, &AclList)> {
        self.by_index.range(from..bound).map(|(&index, list)| (index, list))
    }

    pub(super) fn check_invariants<'a>(&self, lists: impl Iterator<Item = &'a AclList>) {
        let mut total = 0;
        for list in lists {
            assert!(self.lists.contains_key(list));
            total += 1;
        }
        assert_eq!(self.lists.values().map(|used| used.znodes).sum::<usize>(), total);
        for (list, used) in &self.lists {
            let is_open = **list == *self.open;
            assert_eq!(used.index == OPEN_INDEX, is_open);
            assert!(is_open || self.by_index.get(&used.index) == Some(list));
            assert!(used.index < self.next_index);
        }
        let open = usize::from(self.lists.contains_key(&self.open));
        assert_eq!(self.by_index.len() + open, self.lists.len());
    }
}

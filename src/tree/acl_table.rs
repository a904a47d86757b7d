//! The lists in use, each kept once however many znodes have it.
//!
//! Behaviour: `org.apache.zookeeper.server.ReferenceCountedACLCache`.

use std::sync::Arc;

use super::acl;
use crate::{
    hash::{Keys, Map},
    wire::{Acl, AclList},
};

/// Lists, and how many znodes have each.
#[derive(Debug)]
pub(super) struct AclTable {
    lists: Map<AclList, usize>,
    /// What almost every create asks for.
    open: AclList,
}

impl AclTable {
    pub(super) fn new(keys: &Keys) -> Self {
        Self { lists: keys.map(), open: acl::open() }
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
                *entry.get_mut() += 1;
                Arc::clone(entry.key())
            }
            hashbrown::hash_map::Entry::Vacant(entry) => {
                let list = Arc::clone(entry.key());
                entry.insert(1);
                list
            }
        }
    }

    /// A znode has the list no more.
    pub(super) fn release(&mut self, list: &AclList) {
        if let Some(count) = self.lists.get_mut(list) {
            *count -= 1;
            if *count == 0 {
                self.lists.remove(list);
            }
        }
    }

    pub(super) fn check_invariants<'a>(&self, lists: impl Iterator<Item = &'a AclList>) {
        let mut total = 0;
        for list in lists {
            assert!(self.lists.contains_key(list));
            total += 1;
        }
        assert_eq!(self.lists.values().sum::<usize>(), total);
    }
}

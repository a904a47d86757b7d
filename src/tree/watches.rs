//! Watches: who wants to hear about which path.
//!
//! [`Watches`] knows no znodes, sessions or permissions, so it is of use to any server or cache
//! that tells others about changes. It holds (path, watcher, mode); a change of a path is a
//! trigger, and a trigger gives the watchers that must be told.
//!
//! Two tables, as in ZooKeeper: the *data* table holds one-shot data and existence watches,
//! persistent and recursive ones; the *child* table holds one-shot child watches and persistent
//! ones. A recursive watch covers everything below its path, but no child lists.
//!
//! Paths are raw bytes, neither checked nor normalised. Watchers are reported in an order that
//! depends on history alone: those of the path itself in the order they came, then recursive ones,
//! the nearest ancestor's first.
//!
//! Behaviour: `org.apache.zookeeper.server.watch.WatchManager`, and what `DataTree` does with two
//! of them.
//!
//! ```
//! use zookeeper_core::{Rng, tree::{WatchMode, Watcher, Watches}};
//!
//! let mut watches = Watches::new(&mut Rng::new(1), usize::MAX);
//! let (once, always) = (Watcher(1), Watcher(2));
//! watches.add(b"/app/leader", once, WatchMode::Data)?;
//! watches.add(b"/app", always, WatchMode::PersistentRecursive)?;
//!
//! let mut told = Vec::new();
//! watches.trigger_data(b"/app/leader", &mut told);
//! assert_eq!(told, [once, always]);
//!
//! told.clear();
//! watches.trigger_data(b"/app/leader", &mut told);
//! assert_eq!(told, [always]);
//! # Ok::<(), zookeeper_core::tree::WatchRefused>(())
//! ```

mod index;
mod lists;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use slab::Slab;
use thiserror::Error;

use self::lists::{Kind, Lists, Owner, PERSISTENT, STANDARD};
use crate::{
    hash::{Keys, Map},
    rng::Rng,
    wire::{AddWatchMode, WatcherType},
};

/// Who is told: a number the caller chose. It must not be used again for somebody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Watcher(pub u64);

/// What a watch waits for, and how often.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WatchMode {
    /// The next change of existence or data.
    Data,
    /// The next change of the child list, or the znode's end.
    Child,
    /// Every change of existence, data and child list. Takes a place in both tables.
    Persistent,
    /// Every change of existence and data of the path and of all below it.
    PersistentRecursive,
}

/// Why a watch was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum WatchRefused {
    /// The watcher has as many as it may have.
    #[error("the watcher has {0} watches, and may not have more")]
    Limit(usize),
    /// The watcher was retired.
    #[error("the watcher is gone")]
    Retired,
}

/// Sizes of the data table, as the command `wchs` prints them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WatchSummary {
    /// Watchers with at least one watch.
    pub watchers: usize,
    /// Paths with at least one watch.
    pub paths: usize,
    /// Pairs of a path and a watcher.
    pub watches: usize,
}

/// The table of watches.
///
/// Adding, removing and firing cost the same however many watches there are: nothing is searched.
/// Until a retired watcher is cleaned away, its watches still count in the sizes.
#[derive(Debug)]
pub struct Watches {
    lists: Lists,
    owners: Slab<Owner>,
    slots: Map<Watcher, u32>,
    retired: VecDeque<u32>,
    /// The number of the trigger under way: a watcher that carries it was told already.
    trigger: u64,
    watches_per_watcher_max: usize,
}

impl Watches {
    /// An empty table, in which a watcher may have at most `watches_per_watcher_max` watches. A
    /// persistent one counts twice, for its places in both tables.
    #[must_use]
    pub fn new(rng: &mut Rng, watches_per_watcher_max: usize) -> Self {
        let keys = Keys::new(rng);
        Self {
            slots: keys.map(),
            lists: Lists::new(keys),
            owners: Slab::new(),
            retired: VecDeque::new(),
            trigger: 0,
            watches_per_watcher_max,
        }
    }

    /// Adds a watch. One that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// The watcher is at its limit or was retired; nothing has changed then.
    pub fn add(
        &mut self,
        path: &[u8],
        watcher: Watcher,
        mode: WatchMode,
    ) -> Result<(), WatchRefused> {
        let places: &[(Kind, u8)] = match mode {
            WatchMode::Data => &[(Kind::Data, STANDARD)],
            WatchMode::Child => &[(Kind::Child, STANDARD)],
            WatchMode::Persistent => &[(Kind::Data, PERSISTENT), (Kind::Child, PERSISTENT)],
            WatchMode::PersistentRecursive => &[(Kind::Recursive, PERSISTENT)],
        };
        let known = self.slots.get(&watcher).copied();
        let count = match known.map(|slot| &self.owners[slot as usize]) {
            Some(owner) if owner.retired => return Err(WatchRefused::Retired),
            Some(owner) => owner.count as usize,
            None => 0,
        };
        let new = match known {
            Some(slot) => self.lists.missing(path, slot, places),
            None => places.len(),
        };
        if new > self.watches_per_watcher_max.saturating_sub(count) || !self.lists.has_room() {
            return Err(WatchRefused::Limit(count));
        }
        let slot = known.unwrap_or_else(|| self.admit(watcher));
        for &(kind, mode) in places {
            self.lists.add(path, slot, kind, mode, &mut self.owners);
        }
        Ok(())
    }

    /// A znode came, or its data changed: appends to `out` everybody who must be told, each once,
    /// and forgets the one-shot data watches among them.
    pub fn trigger_data(&mut self, path: &[u8], out: &mut Vec<Watcher>) {
        self.trigger += 1;
        self.fire_data(path, out);
        self.forget_idle();
    }

    /// A child list changed: appends to `out` everybody who must be told, each once, and forgets
    /// the one-shot child watches among them.
    pub fn trigger_child(&mut self, path: &[u8], out: &mut Vec<Watcher>) {
        self.trigger += 1;
        self.lists.fire(path, Kind::Child, self.trigger, &mut self.owners, out);
        self.forget_idle();
    }

    /// A znode went: its data and its child watches are told of it together, and whoever has both
    /// is told once. The parent's child list is a trigger of its own.
    pub fn trigger_deleted(&mut self, path: &[u8], out: &mut Vec<Watcher>) {
        self.trigger += 1;
        self.fire_data(path, out);
        self.lists.fire(path, Kind::Child, self.trigger, &mut self.owners, out);
        self.forget_idle();
    }

    /// Whether the watcher has a watch of this type on the path.
    #[must_use]
    pub fn contains(&self, path: &[u8], watcher: Watcher, kind: WatcherType) -> bool {
        let Some(&slot) = self.slots.get(&watcher) else { return false };
        !self.owners[slot as usize].retired
            && places(kind).iter().any(|&(kind, mode)| {
                self.lists.find(path, slot, kind).is_some_and(|found| found & mode != 0)
            })
    }

    /// Takes away the watches of this type that the watcher has on the path; whether there were
    /// any.
    pub fn remove(&mut self, path: &[u8], watcher: Watcher, kind: WatcherType) -> bool {
        let Some(&slot) = self.slots.get(&watcher) else { return false };
        if self.owners[slot as usize].retired {
            return false;
        }
        let mut removed = false;
        for &(kind, mode) in places(kind) {
            removed |= self.lists.remove(path, slot, kind, mode, &mut self.owners);
        }
        self.forget_idle();
        removed
    }

    /// The watcher is gone: from now on none of its watches fires and it gets no new ones. The
    /// memory comes back through [`Watches::clean`].
    pub fn retire(&mut self, watcher: Watcher) {
        let Some(&slot) = self.slots.get(&watcher) else { return };
        let owner = &mut self.owners[slot as usize];
        if !owner.retired {
            owner.retired = true;
            self.retired.push_back(slot);
        }
    }

    /// Removes at most `budget` watches of retired watchers; whether there are more.
    pub fn clean(&mut self, budget: usize) -> bool {
        let mut left = budget;
        while let Some(&slot) = self.retired.front() {
            while self.owners[slot as usize].count > 0 {
                if left == 0 {
                    return true;
                }
                left -= 1;
                self.lists.remove_first_of(slot, &mut self.owners);
            }
            self.retired.pop_front();
            let owner = self.owners.remove(slot as usize);
            self.slots.remove(&owner.watcher);
        }
        false
    }

    /// Pairs of a path and a watcher, the data table's and the child table's together.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.lists.data_pairs() + self.lists.child_pairs()
    }

    /// How many watches the watcher has: what counts for the limit.
    #[must_use]
    pub fn count_of(&self, watcher: Watcher) -> usize {
        self.slots.get(&watcher).map_or(0, |&slot| self.owners[slot as usize].count as usize)
    }

    /// The sizes of the data table alone: ZooKeeper's commands do not show child watches.
    #[must_use]
    pub const fn data_summary(&self) -> WatchSummary {
        WatchSummary {
            watchers: self.lists.data_watchers,
            paths: self.lists.data_paths,
            watches: self.lists.data_pairs(),
        }
    }

    /// The data table by path, paths and watchers in ascending order.
    #[must_use]
    pub fn data_by_path(&self) -> Vec<(&[u8], Vec<Watcher>)> {
        let mut dump = self.lists.data_by_path(&self.owners);
        dump.sort_unstable_by_key(|&(path, _)| path);
        dump
    }

    /// The data table by watcher, watchers and paths in ascending order.
    #[must_use]
    pub fn data_by_watcher(&self) -> Vec<(Watcher, Vec<&[u8]>)> {
        let mut dump: Vec<(Watcher, Vec<&[u8]>)> = Vec::new();
        let owners = self.owners.iter().filter(|(_, owner)| owner.data_count > 0);
        for (_, owner) in owners {
            let mut paths = self.lists.data_paths_of(owner);
            paths.sort_unstable();
            paths.dedup();
            dump.push((owner.watcher, paths));
        }
        dump.sort_unstable_by_key(|&(watcher, _)| watcher);
        dump
    }

    /// Checks every link and every sum.
    ///
    /// # Panics
    ///
    /// When something does not hold: a bug of this table.
    pub fn check_invariants(&self) {
        assert_eq!(self.slots.len(), self.owners.len(), "each watcher has one slot");
        for (slot, owner) in &self.owners {
            assert_eq!(self.slots.get(&owner.watcher).map(|&slot| slot as usize), Some(slot));
            assert!(owner.count > 0 || owner.retired, "an idle watcher is forgotten");
        }
        let retired = self.owners.iter().filter(|(_, owner)| owner.retired).count();
        assert_eq!(retired, self.retired.len(), "every retired watcher waits to be cleaned");
        self.lists.check_invariants(&self.owners);
    }

    /// Everybody with a data watch on the path, then recursive watchers from the path upwards.
    fn fire_data(&mut self, path: &[u8], out: &mut Vec<Watcher>) {
        self.lists.fire(path, Kind::Data, self.trigger, &mut self.owners, out);
        if self.lists.recursive_pairs() == 0 {
            return;
        }
        let mut covering = Some(path);
        while let Some(path) = covering {
            self.lists.fire(path, Kind::Recursive, self.trigger, &mut self.owners, out);
            covering = parent(path);
        }
    }

    fn admit(&mut self, watcher: Watcher) -> u32 {
        let slot = lists::slot(self.owners.insert(Owner::new(watcher)));
        self.slots.insert(watcher, slot);
        slot
    }

    /// Frees the slots of watchers that have just lost their last watch.
    fn forget_idle(&mut self) {
        while let Some(slot) = self.lists.idle.pop() {
            let owner = self.owners.remove(slot as usize);
            self.slots.remove(&owner.watcher);
        }
    }
}

impl From<AddWatchMode> for WatchMode {
    fn from(mode: AddWatchMode) -> Self {
        match mode {
            AddWatchMode::Persistent => Self::Persistent,
            AddWatchMode::PersistentRecursive => Self::PersistentRecursive,
        }
    }
}

/// Where watches of a type stand.
const fn places(kind: WatcherType) -> &'static [(Kind, u8)] {
    const ANY: u8 = STANDARD | PERSISTENT;
    match kind {
        WatcherType::Children => &[(Kind::Child, STANDARD)],
        WatcherType::Data => &[(Kind::Data, STANDARD)],
        WatcherType::Any => &[(Kind::Data, ANY), (Kind::Child, ANY), (Kind::Recursive, ANY)],
        WatcherType::Persistent => &[(Kind::Data, PERSISTENT), (Kind::Child, PERSISTENT)],
        WatcherType::PersistentRecursive => &[(Kind::Recursive, PERSISTENT)],
    }
}

/// The next path upwards; `/` is the last. Text without a slash has none.
fn parent(path: &[u8]) -> Option<&[u8]> {
    match path.iter().rposition(|&byte| byte == b'/')? {
        0 if path.len() == 1 => None,
        0 => Some(&path[..1]),
        slash => Some(&path[..slash]),
    }
}

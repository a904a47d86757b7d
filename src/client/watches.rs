//! Who is to be told of which path, and what has to be set again after a reconnect.
//!
//! Five kinds of watches, as upstream's five tables, but one look-up: a path's entry lists its
//! watchers, each with the kinds it holds. Paths are the server's.
//!
//! Behaviour: `org.apache.zookeeper.ZKWatchManager`.

mod batch;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashTable;
use slab::Slab;

pub(super) use self::batch::Batch;
use super::{WatchEventKind, WatcherId};
use crate::{
    hash::Keys,
    wire::{EventKind, WatcherType},
};

/// What a watch waits for, and how often.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum WatchKind {
    /// The next change of a znode that was there.
    Data,
    /// The coming of a znode that was not.
    Exist,
    /// The next change of a child list, or the znode's end.
    Child,
    /// Every change of one znode and its child list.
    Persistent,
    /// Every change of a znode and of all below it, but of no child list.
    Recursive,
}

impl WatchKind {
    /// In the order in which they are set again.
    const ALL: [Self; 5] =
        [Self::Data, Self::Exist, Self::Child, Self::Persistent, Self::Recursive];

    const fn bit(self) -> Kinds {
        match self {
            Self::Data => DATA,
            Self::Exist => EXIST,
            Self::Child => CHILD,
            Self::Persistent => PERSISTENT,
            Self::Recursive => RECURSIVE,
        }
    }
}

/// A set of [`WatchKind`]s.
type Kinds = u8;

const DATA: Kinds = 1;
const EXIST: Kinds = 1 << 1;
const CHILD: Kinds = 1 << 2;
const PERSISTENT: Kinds = 1 << 3;
const RECURSIVE: Kinds = 1 << 4;
const ONE_SHOT: Kinds = DATA | EXIST | CHILD;
const ALL: Kinds = ONE_SHOT | PERSISTENT | RECURSIVE;

/// The watches of a session: triples of path, watcher and kind.
///
/// Firing costs one look-up of the path, and one for each of its ancestors that is as long as some
/// recursive watch's path. Nothing that can be seen depends on the hash: paths come in the order of
/// their slots, which only history decides, and watchers in rising order, each once.
#[derive(Debug)]
pub(super) struct WatchTables {
    keys: Keys,
    /// Slots of `entries`, by the hash of their path.
    index: HashTable<u32>,
    entries: Slab<Entry>,
    /// How many watches each watcher holds; those with none are not here.
    held: BTreeMap<WatcherId, usize>,
    /// How many recursive watches have a path of this length: ancestors of other lengths need no
    /// look-up, so a long path from a bad server costs nothing.
    recursive_lengths: BTreeMap<usize, usize>,
    watches: usize,
    bytes: usize,
}

/// What is watched at one path; never empty.
#[derive(Debug)]
struct Entry {
    path: Arc<str>,
    /// In rising order, each once.
    holders: Vec<Holder>,
}

/// One watcher of one path, with at least one kind.
#[derive(Debug)]
struct Holder {
    watcher: WatcherId,
    kinds: Kinds,
}

impl WatchTables {
    /// No watches.
    #[must_use]
    pub(super) fn new(keys: &Keys) -> Self {
        Self {
            keys: keys.clone(),
            index: HashTable::new(),
            entries: Slab::new(),
            held: BTreeMap::new(),
            recursive_lengths: BTreeMap::new(),
            watches: 0,
            bytes: 0,
        }
    }

    /// Sets a watch; false if it was there already, or if there are 2^32 paths.
    pub(super) fn register(&mut self, kind: WatchKind, path: &str, watcher: WatcherId) -> bool {
        let Some(slot) = self.find(path).or_else(|| self.admit(path)) else { return false };
        let holders = &mut self.entries[slot].holders;
        match holders.binary_search_by_key(&watcher, |holder| holder.watcher) {
            Ok(at) if holders[at].kinds & kind.bit() != 0 => return false,
            Ok(at) => holders[at].kinds |= kind.bit(),
            Err(at) => {
                if holders.is_empty() {
                    // Most paths have one watcher.
                    holders.reserve_exact(1);
                }
                holders.insert(at, Holder { watcher, kinds: kind.bit() });
            }
        }
        if kind == WatchKind::Recursive {
            *self.recursive_lengths.entry(path.len()).or_default() += 1;
        }
        *self.held.entry(watcher).or_default() += 1;
        self.watches += 1;
        true
    }

    /// Something happened at `path`: who must be told. Their one-shot watches that waited for it
    /// are gone.
    pub(super) fn fire(&mut self, event: EventKind, path: &str) -> Vec<WatcherId> {
        let once = match event {
            EventKind::NodeCreated | EventKind::NodeDataChanged => DATA | EXIST,
            EventKind::NodeDeleted => DATA | EXIST | CHILD,
            EventKind::NodeChildrenChanged => CHILD,
        };
        // A server that knows several modes of one path may send child lists to recursive watches.
        let below = event != EventKind::NodeChildrenChanged;
        let always = if below { PERSISTENT | RECURSIVE } else { PERSISTENT };
        let mut told = Vec::new();
        if let Some(slot) = self.find(path) {
            told = self.holding(slot, once | always).collect();
            self.strip(slot, None, once, |_, _| {});
        }
        if below && !self.recursive_lengths.is_empty() {
            self.tell_ancestors(path, &mut told);
        }
        told
    }

    /// Whether `watcher`, or anybody, holds a watch of this type.
    #[must_use]
    pub(super) fn contains(
        &self,
        path: &str,
        watcher: Option<WatcherId>,
        kind: WatcherType,
    ) -> bool {
        self.find(path).is_some_and(|slot| {
            self.holding(slot, kinds(kind)).any(|held| watcher.is_none_or(|asked| asked == held))
        })
    }

    /// Removes the watches of this type that `watcher` holds, or everybody does, and says which
    /// events tell whom. Empty if there were none.
    pub(super) fn remove(
        &mut self,
        path: &str,
        watcher: Option<WatcherId>,
        kind: WatcherType,
    ) -> Vec<(WatchEventKind, Vec<WatcherId>)> {
        const EVENTS: [(WatchEventKind, Kinds); 3] = [
            (WatchEventKind::ChildWatchRemoved, CHILD),
            (WatchEventKind::DataWatchRemoved, DATA | EXIST),
            (WatchEventKind::PersistentWatchRemoved, PERSISTENT | RECURSIVE),
        ];
        let Some(slot) = self.find(path) else { return Vec::new() };
        let mut removed = EVENTS.map(|(event, _)| (event, Vec::new()));
        self.strip(slot, watcher, kinds(kind), |watcher, lost| {
            for ((_, told), (_, kinds)) in removed.iter_mut().zip(EVENTS) {
                if lost & kinds != 0 {
                    told.push(watcher);
                }
            }
        });
        removed.into_iter().filter(|(_, told)| !told.is_empty()).collect()
    }

    /// Everybody who holds a watch.
    #[must_use]
    pub(super) fn watchers(&self) -> Vec<WatcherId> {
        self.held.keys().copied().collect()
    }

    /// Forgets the one-shot watches; returns all who held one.
    pub(super) fn clear_one_shot(&mut self) -> Vec<WatcherId> {
        let mut losers = Vec::new();
        for slot in self.slots() {
            self.strip(slot, None, ONE_SHOT, |watcher, _| losers.push(watcher));
        }
        rising(losers)
    }

    /// Forgets every watch; returns all who held one.
    pub(super) fn clear(&mut self) -> Vec<WatcherId> {
        let before = self.watchers();
        *self = Self::new(&self.keys);
        before
    }

    /// Forgets the watches of a batch that a server refused; returns all who held one.
    pub(super) fn forget(&mut self, batch: &Batch) -> Vec<WatcherId> {
        let mut losers = Vec::new();
        for kind in WatchKind::ALL {
            for path in batch.paths(kind) {
                if let Some(slot) = self.find(path) {
                    self.strip(slot, None, kind.bit(), |watcher, _| losers.push(watcher));
                }
            }
        }
        rising(losers)
    }

    /// Everything that has to be set again, in pieces of at most `bytes_max` bytes of paths; a
    /// path that is longer has a piece for itself.
    #[must_use]
    pub(super) fn batches(&self, bytes_max: usize) -> Vec<Batch> {
        let mut kinds: Vec<_> = Vec::with_capacity(self.entries.len());
        for (_, entry) in &self.entries {
            let all = entry.holders.iter().fold(0, |all, holder| all | holder.kinds);
            kinds.push((&entry.path, all));
        }
        let mut batches = batch::Batches::new(bytes_max);
        for kind in WatchKind::ALL {
            for &(path, _) in kinds.iter().filter(|&&(_, kinds)| kinds & kind.bit() != 0) {
                batches.push(kind, path);
            }
        }
        batches.finish()
    }

    /// Whether this watcher holds a watch.
    #[must_use]
    pub(super) fn is_holding(&self, watcher: WatcherId) -> bool {
        self.held.contains_key(&watcher)
    }

    /// How many watches there are.
    #[must_use]
    pub(super) const fn len(&self) -> usize {
        self.watches
    }

    /// Bytes of paths held, each path once.
    #[must_use]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Checks every link and every sum.
    ///
    /// # Panics
    ///
    /// When something does not hold: a bug of this table.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.index.len(), self.entries.len(), "each path has one slot");
        let (mut held, mut lengths) = (BTreeMap::new(), BTreeMap::new());
        let (mut watches, mut bytes) = (0, 0);
        for (slot, entry) in &self.entries {
            assert_eq!(self.find(&entry.path), Some(slot), "the index finds each path");
            assert!(!entry.holders.is_empty(), "an idle path is forgotten");
            assert!(entry.holders.is_sorted_by(|one, next| one.watcher < next.watcher));
            bytes += entry.path.len();
            for holder in &entry.holders {
                assert!(holder.kinds != 0 && holder.kinds & !ALL == 0, "a holder holds");
                let count = count(holder.kinds);
                *held.entry(holder.watcher).or_insert(0) += count;
                watches += count;
                if holder.kinds & RECURSIVE != 0 {
                    *lengths.entry(entry.path.len()).or_insert(0) += 1;
                }
            }
        }
        assert_eq!((&held, &lengths), (&self.held, &self.recursive_lengths));
        assert_eq!((watches, bytes), (self.watches, self.bytes));
    }

    /// Adds those who watch everything below some ancestor of `path`.
    fn tell_ancestors(&self, path: &str, told: &mut Vec<WatcherId>) {
        let own = told.len();
        for &length in self.recursive_lengths.keys().take_while(|&&length| length < path.len()) {
            // Only the root's path ends in a slash.
            let is_ancestor = path.as_bytes()[length] == b'/' || length == 1;
            let Some(ancestor) = path.get(..length).filter(|_| is_ancestor) else { continue };
            if let Some(slot) = self.find(ancestor) {
                told.extend(self.holding(slot, RECURSIVE));
            }
        }
        if told.len() > own {
            *told = rising(std::mem::take(told));
        }
    }

    /// The watchers at `slot` that hold one of these kinds.
    fn holding(&self, slot: usize, kinds: Kinds) -> impl Iterator<Item = WatcherId> {
        let holders = self.entries[slot].holders.iter();
        holders.filter(move |holder| holder.kinds & kinds != 0).map(|holder| holder.watcher)
    }

    /// Takes away these kinds of watches of `watcher`, or everybody's, and tells `each` who lost
    /// which. The slot is free afterwards if nothing is left.
    fn strip(
        &mut self,
        slot: usize,
        watcher: Option<WatcherId>,
        kinds: Kinds,
        mut each: impl FnMut(WatcherId, Kinds),
    ) {
        let Self { entries, held, recursive_lengths, watches, .. } = self;
        let entry = &mut entries[slot];
        let length = entry.path.len();
        let mut take = |holder: &mut Holder| {
            let lost = holder.kinds & kinds;
            if lost == 0 {
                return;
            }
            holder.kinds &= !lost;
            *watches -= count(lost);
            decrease(held, holder.watcher, count(lost));
            if lost & RECURSIVE != 0 {
                decrease(recursive_lengths, length, 1);
            }
            each(holder.watcher, lost);
        };
        if let Some(watcher) = watcher {
            let found = entry.holders.binary_search_by_key(&watcher, |holder| holder.watcher);
            let Ok(at) = found else { return };
            take(&mut entry.holders[at]);
            if entry.holders[at].kinds == 0 {
                entry.holders.remove(at);
            }
        } else {
            entry.holders.retain_mut(|holder| {
                take(holder);
                holder.kinds != 0
            });
        }
        if entry.holders.is_empty() {
            self.dismiss(slot);
        }
    }

    fn find(&self, path: &str) -> Option<usize> {
        let found = self
            .index
            .find(self.keys.hash(path), |&slot| &*self.entries[slot as usize].path == path);
        found.map(|&slot| slot as usize)
    }

    /// A slot for a path that has none. Its entry is empty: the caller fills it.
    fn admit(&mut self, path: &str) -> Option<usize> {
        let slot = u32::try_from(self.entries.vacant_key()).ok()?;
        self.entries.insert(Entry { path: path.into(), holders: Vec::new() });
        let (keys, entries) = (&self.keys, &self.entries);
        let rehash = |&slot: &u32| keys.hash(&*entries[slot as usize].path);
        self.index.insert_unique(keys.hash(path), slot, rehash);
        self.bytes += path.len();
        Some(slot as usize)
    }

    /// Frees a slot.
    fn dismiss(&mut self, slot: usize) {
        let entry = self.entries.remove(slot);
        self.bytes -= entry.path.len();
        let hash = self.keys.hash(&*entry.path);
        if let Ok(found) = self.index.find_entry(hash, |&other| other as usize == slot) {
            found.remove();
        } else {
            debug_assert!(false, "each path is in the index");
        }
    }

    fn slots(&self) -> Vec<usize> {
        self.entries.iter().map(|(slot, _)| slot).collect()
    }
}

/// In rising order, each once.
fn rising(mut watchers: Vec<WatcherId>) -> Vec<WatcherId> {
    watchers.sort_unstable();
    watchers.dedup();
    watchers
}

/// The kinds that a type of the removal requests covers.
const fn kinds(kind: WatcherType) -> Kinds {
    match kind {
        WatcherType::Children => CHILD,
        WatcherType::Data => DATA | EXIST,
        WatcherType::Any => ALL,
        WatcherType::Persistent => PERSISTENT,
        WatcherType::PersistentRecursive => RECURSIVE,
    }
}

const fn count(kinds: Kinds) -> usize {
    kinds.count_ones() as usize
}

/// Takes `by` from a count, which goes when it is zero.
fn decrease<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K, by: usize) {
    let Some(count) = counts.get_mut(&key) else {
        debug_assert!(false, "what is taken away was counted");
        return;
    };
    *count = count.saturating_sub(by);
    if *count == 0 {
        counts.remove(&key);
    }
}

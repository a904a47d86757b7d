//! The entries of the watch table, linked by path and by watcher.
//!
//! ```text
//!   index: path ────────► Path /a ──► lists[Data] ──► entry ⇄ entry ⇄ entry
//!                                     lists[Child] ─► ..        │
//!                                     lists[Recursive]          │ (path, watcher, kind, modes)
//!   slots: watcher ─────► Owner ────► every entry of it ⇄ .. ⇄ ─┘
//!   index: (path, watcher, kind) ─► entry
//! ```
//!
//! Every entry is in exactly one list of its path and in its owner's list, with at least one mode.
//! A path without entries is not kept.

use slab::Slab;

use super::{Watcher, index::Index};
use crate::hash::Keys;

/// The mode of a watch that goes when it fires.
pub(super) const STANDARD: u8 = 1;
/// The mode of a watch that stays.
pub(super) const PERSISTENT: u8 = 2;

const NONE: u32 = u32::MAX;

/// The lists of a path. Recursive watches belong to ZooKeeper's data table, but have a list of
/// their own: an ancestor's one-shot watches cost nothing when something changes below it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Data,
    Child,
    Recursive,
}

/// One watcher.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) watcher: Watcher,
    first: u32,
    pub(super) count: u32,
    /// Entries in the data table.
    pub(super) data_count: u32,
    pub(super) retired: bool,
    /// The last trigger it was told of.
    told: u64,
}

#[derive(Debug)]
struct Path {
    path: Box<[u8]>,
    lists: [Ends; 3],
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    path: u32,
    owner: u32,
    path_previous: u32,
    path_next: u32,
    owner_previous: u32,
    owner_next: u32,
    kind: Kind,
    modes: u8,
}

/// Paths and entries. The owners' slab is the caller's, who also decides when an owner goes.
#[derive(Debug)]
pub(super) struct Lists {
    keys: Keys,
    paths: Slab<Path>,
    entries: Slab<Entry>,
    by_path: Index,
    by_place: Index,
    /// Entries per kind.
    counts: [usize; 3],
    /// Pairs of path and watcher that are in both lists of the data table.
    doubles: usize,
    pub(super) data_paths: usize,
    pub(super) data_watchers: usize,
    /// Owners that have just lost their last entry and were not retired.
    pub(super) idle: Vec<u32>,
}

impl Lists {
    pub(super) const fn new(keys: Keys) -> Self {
        Self {
            keys,
            paths: Slab::new(),
            entries: Slab::new(),
            by_path: Index::new(),
            by_place: Index::new(),
            counts: [0; 3],
            doubles: 0,
            data_paths: 0,
            data_watchers: 0,
            idle: Vec::new(),
        }
    }

    pub(super) const fn data_pairs(&self) -> usize {
        self.counts[Kind::Data as usize] + self.counts[Kind::Recursive as usize] - self.doubles
    }

    pub(super) const fn child_pairs(&self) -> usize {
        self.counts[Kind::Child as usize]
    }

    pub(super) const fn recursive_pairs(&self) -> usize {
        self.counts[Kind::Recursive as usize]
    }

    /// Whether slot numbers suffice for two more entries.
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < NONE as usize - 2
    }

    /// How many of these places hold no entry of the owner yet.
    pub(super) fn missing(&self, path: &[u8], owner: u32, places: &[(Kind, u8)]) -> usize {
        places.iter().filter(|&&(kind, _)| self.find(path, owner, kind).is_none()).count()
    }

    /// The modes of the owner's entry.
    pub(super) fn find(&self, path: &[u8], owner: u32, kind: Kind) -> Option<u8> {
        let entry = self.find_entry(self.find_path(path)?, owner, kind)?;
        Some(self.entries[entry as usize].modes)
    }

    pub(super) fn add(
        &mut self,
        path: &[u8],
        owner: u32,
        kind: Kind,
        modes: u8,
        owners: &mut Slab<Owner>,
    ) {
        let path = self.find_path(path).unwrap_or_else(|| self.insert_path(path));
        match self.find_entry(path, owner, kind) {
            Some(entry) => self.entries[entry as usize].modes |= modes,
            None => self.link(path, owner, kind, modes, owners),
        }
    }

    /// Takes modes from the owner's entry; whether it had any of them.
    pub(super) fn remove(
        &mut self,
        path: &[u8],
        owner: u32,
        kind: Kind,
        modes: u8,
        owners: &mut Slab<Owner>,
    ) -> bool {
        let Some(path) = self.find_path(path) else { return false };
        let Some(entry) = self.find_entry(path, owner, kind) else { return false };
        let had = self.entries[entry as usize].modes & modes != 0;
        self.take_modes(entry, modes, owners);
        had
    }

    /// Removes some entry of the owner, who has one.
    pub(super) fn remove_first_of(&mut self, owner: u32, owners: &mut Slab<Owner>) {
        let entry = owners[owner as usize].first;
        self.unlink(entry, owners);
    }

    /// Tells everybody in one list who was not told of this trigger yet.
    pub(super) fn fire(
        &mut self,
        path: &[u8],
        kind: Kind,
        trigger: u64,
        owners: &mut Slab<Owner>,
        out: &mut Vec<Watcher>,
    ) {
        if self.counts[kind as usize] == 0 {
            return;
        }
        let Some(path) = self.find_path(path) else { return };
        let mut next = self.paths[path as usize].lists[kind as usize].first;
        while next != NONE {
            let (entry, slot) = (self.entries[next as usize], next);
            next = entry.path_next;
            let owner = &mut owners[entry.owner as usize];
            if owner.retired {
                self.unlink(slot, owners);
                continue;
            }
            if owner.told != trigger {
                owner.told = trigger;
                out.push(owner.watcher);
            }
            self.take_modes(slot, STANDARD, owners);
        }
    }

    pub(super) fn data_by_path<'a>(
        &'a self,
        owners: &Slab<Owner>,
    ) -> Vec<(&'a [u8], Vec<Watcher>)> {
        let mut dump = Vec::with_capacity(self.data_paths);
        for (_, path) in self.paths.iter().filter(|(_, path)| path.is_in_data_table()) {
            let mut watchers = Vec::new();
            for kind in [Kind::Data, Kind::Recursive] {
                let mut next = path.lists[kind as usize].first;
                while next != NONE {
                    let entry = &self.entries[next as usize];
                    watchers.push(owners[entry.owner as usize].watcher);
                    next = entry.path_next;
                }
            }
            watchers.sort_unstable();
            watchers.dedup();
            dump.push((&*path.path, watchers));
        }
        dump
    }

    /// The paths on which the owner has entries in the data table; one may come twice.
    pub(super) fn data_paths_of(&self, owner: &Owner) -> Vec<&[u8]> {
        let mut paths = Vec::with_capacity(owner.data_count as usize);
        let mut next = owner.first;
        while next != NONE {
            let entry = &self.entries[next as usize];
            if entry.kind != Kind::Child {
                paths.push(&*self.paths[entry.path as usize].path);
            }
            next = entry.owner_next;
        }
        paths
    }

    fn find_path(&self, path: &[u8]) -> Option<u32> {
        self.by_path.find(self.keys.hash(path), |slot| *self.paths[slot as usize].path == *path)
    }

    fn insert_path(&mut self, path: &[u8]) -> u32 {
        let ends = Ends { first: NONE, last: NONE };
        let slot = slot(self.paths.insert(Path { path: path.into(), lists: [ends; 3] }));
        let (keys, paths) = (&self.keys, &self.paths);
        self.by_path.insert(keys.hash(path), slot, |slot| keys.hash(&*paths[slot as usize].path));
        slot
    }

    fn find_entry(&self, path: u32, owner: u32, kind: Kind) -> Option<u32> {
        self.by_place.find(self.keys.hash(&(path, owner, kind)), |slot| {
            let entry = &self.entries[slot as usize];
            (entry.path, entry.owner, entry.kind) == (path, owner, kind)
        })
    }

    fn take_modes(&mut self, slot: u32, modes: u8, owners: &mut Slab<Owner>) {
        let entry = &mut self.entries[slot as usize];
        entry.modes &= !modes;
        if entry.modes == 0 {
            self.unlink(slot, owners);
        }
    }

    fn link(&mut self, path: u32, owner: u32, kind: Kind, modes: u8, owners: &mut Slab<Owner>) {
        if self.has_double(path, owner, kind) {
            self.doubles += 1;
        }
        let (at, of) = (&mut self.paths[path as usize], &mut owners[owner as usize]);
        if kind != Kind::Child {
            self.data_paths += usize::from(!at.is_in_data_table());
            self.data_watchers += usize::from(of.data_count == 0);
            of.data_count += 1;
        }
        let ends = &mut at.lists[kind as usize];
        let slot = slot(self.entries.insert(Entry {
            path,
            owner,
            path_previous: ends.last,
            path_next: NONE,
            owner_previous: NONE,
            owner_next: of.first,
            kind,
            modes,
        }));
        match ends.last {
            NONE => ends.first = slot,
            last => self.entries[last as usize].path_next = slot,
        }
        ends.last = slot;
        if of.first != NONE {
            self.entries[of.first as usize].owner_previous = slot;
        }
        of.first = slot;
        of.count += 1;
        self.counts[kind as usize] += 1;
        let (keys, entries) = (&self.keys, &self.entries);
        self.by_place.insert(keys.hash(&(path, owner, kind)), slot, |slot| {
            entries[slot as usize].hash(keys)
        });
    }

    fn unlink(&mut self, slot: u32, owners: &mut Slab<Owner>) {
        self.by_place.remove(self.entries[slot as usize].hash(&self.keys), slot);
        let entry = self.entries.remove(slot as usize);
        self.counts[entry.kind as usize] -= 1;
        if self.has_double(entry.path, entry.owner, entry.kind) {
            self.doubles -= 1;
        }
        let (at, of) = (&mut self.paths[entry.path as usize], &mut owners[entry.owner as usize]);
        let ends = &mut at.lists[entry.kind as usize];
        match entry.path_previous {
            NONE => ends.first = entry.path_next,
            previous => self.entries[previous as usize].path_next = entry.path_next,
        }
        match entry.path_next {
            NONE => ends.last = entry.path_previous,
            next => self.entries[next as usize].path_previous = entry.path_previous,
        }
        match entry.owner_previous {
            NONE => of.first = entry.owner_next,
            previous => self.entries[previous as usize].owner_next = entry.owner_next,
        }
        if entry.owner_next != NONE {
            self.entries[entry.owner_next as usize].owner_previous = entry.owner_previous;
        }
        of.count -= 1;
        if entry.kind != Kind::Child {
            of.data_count -= 1;
            self.data_watchers -= usize::from(of.data_count == 0);
            self.data_paths -= usize::from(!at.is_in_data_table());
        }
        if of.count == 0 && !of.retired {
            self.idle.push(entry.owner);
        }
        if at.lists.iter().all(|ends| ends.first == NONE) {
            let hash = self.keys.hash(&*at.path);
            self.by_path.remove(hash, entry.path);
            self.paths.remove(entry.path as usize);
        }
    }

    /// Whether the pair stands in the data table a second time, next to `kind`.
    fn has_double(&self, path: u32, owner: u32, kind: Kind) -> bool {
        let other = match kind {
            Kind::Data => Kind::Recursive,
            Kind::Recursive => Kind::Data,
            Kind::Child => return false,
        };
        self.counts[other as usize] > 0 && self.find_entry(path, owner, other).is_some()
    }

    pub(super) fn check_invariants(&self, owners: &Slab<Owner>) {
        assert_eq!(self.by_path.len(), self.paths.len(), "every path is indexed once");
        assert_eq!(self.by_place.len(), self.entries.len(), "every entry is indexed once");
        assert!(self.idle.is_empty(), "idle watchers are forgotten at once");
        let (mut seen, mut data_paths, mut doubles) = (0, 0, 0);
        for (slot, path) in &self.paths {
            assert_eq!(self.find_path(&path.path).map(|slot| slot as usize), Some(slot));
            let before = seen;
            for kind in [Kind::Data, Kind::Child, Kind::Recursive] {
                let ends = path.lists[kind as usize];
                let (mut previous, mut next) = (NONE, ends.first);
                while next != NONE {
                    let entry = &self.entries[next as usize];
                    assert_eq!((entry.path as usize, entry.kind), (slot, kind));
                    assert_eq!(entry.path_previous, previous);
                    assert_eq!(self.find_entry(entry.path, entry.owner, kind), Some(next));
                    assert!(matches!(entry.modes, 1..=3), "an entry has a mode");
                    let double = self.has_double(entry.path, entry.owner, kind);
                    doubles += usize::from(kind == Kind::Data && double);
                    seen += 1;
                    (previous, next) = (next, entry.path_next);
                }
                assert_eq!(ends.last, previous);
            }
            assert!(seen > before, "a path without entries is not kept");
            data_paths += usize::from(path.is_in_data_table());
        }
        assert_eq!(seen, self.entries.len());
        assert_eq!(seen, self.counts.iter().sum::<usize>());
        assert_eq!((data_paths, doubles), (self.data_paths, self.doubles));
        let (mut owned, mut data_watchers) = (0, 0);
        for (slot, owner) in owners {
            let (mut previous, mut next, mut count, mut data_count) = (NONE, owner.first, 0, 0);
            while next != NONE {
                let entry = &self.entries[next as usize];
                assert_eq!((entry.owner as usize, entry.owner_previous), (slot, previous));
                count += 1;
                data_count += u32::from(entry.kind != Kind::Child);
                (previous, next) = (next, entry.owner_next);
            }
            assert_eq!((count, data_count), (owner.count, owner.data_count));
            owned += count as usize;
            data_watchers += usize::from(data_count > 0);
        }
        assert_eq!((owned, data_watchers), (self.entries.len(), self.data_watchers));
    }
}

impl Owner {
    pub(super) const fn new(watcher: Watcher) -> Self {
        Self { watcher, first: NONE, count: 0, data_count: 0, retired: false, told: 0 }
    }
}

impl Path {
    const fn is_in_data_table(&self) -> bool {
        self.lists[Kind::Data as usize].first != NONE
            || self.lists[Kind::Recursive as usize].first != NONE
    }
}

impl Entry {
    fn hash(&self, keys: &Keys) -> u64 {
        keys.hash(&(self.path, self.owner, self.kind))
    }
}

/// A slab's key as a slot; [`Lists::has_room`] keeps it in range.
pub(super) fn slot(key: usize) -> u32 {
    debug_assert!(key < NONE as usize, "slots are counted before they are used");
    u32::try_from(key).unwrap_or(NONE)
}

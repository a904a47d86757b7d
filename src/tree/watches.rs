//! Watches: who wants to hear of which path.
//!
//! Two tables, as upstream has them. The *data* table hears of creation, deletion and new data; the
//! *child* table of deletion and of the child list.
//!
//! | mode | data table | child table | after an event |
//! |---|---|---|---|
//! | data | the path | – | gone |
//! | child | – | the path | gone |
//! | persistent | the path | the path | stays |
//! | persistent recursive | the path and all below | – | stays |
//!
//! Behaviour: `org.apache.zookeeper.server.watch.WatchManager`.

use std::collections::VecDeque;

use crate::{
    hash::{Keys, Map},
    rng::Rng,
    wire::WatcherType,
};

/// Somebody who watches: a connection, by a number its owner chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Watcher(pub u64);

/// How a watch works.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WatchMode {
    /// One event of creation, deletion or data.
    Data,
    /// One event of deletion or of the child list.
    Child,
    /// Every event of the znode, until removed.
    Persistent,
    /// Every event of the znode and all below but those of child lists, until removed.
    PersistentRecursive,
}

impl WatchMode {
    const fn bit(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Child => 2,
            Self::Persistent => 4,
            Self::PersistentRecursive => 8,
        }
    }
}

const DATA: u8 = WatchMode::Data.bit();
const CHILD: u8 = WatchMode::Child.bit();
const PERSISTENT: u8 = WatchMode::Persistent.bit();
const RECURSIVE: u8 = WatchMode::PersistentRecursive.bit();

/// What stands in the data table, and what in the child table.
const IN_DATA: u8 = DATA | PERSISTENT | RECURSIVE;
const IN_CHILD: u8 = CHILD | PERSISTENT;

/// One watcher on one path, with all its modes. Linked into the path's list and the watcher's.
#[derive(Clone, Copy, Debug)]
struct Entry {
    watcher: Watcher,
    modes: u8,
    /// Its place in its watcher's list.
    place: u32,
}

/// A path that somebody watches.
#[derive(Debug)]
struct Watched {
    path: Box<[u8]>,
    /// In the order of registration, but for swaps on removal.
    entries: Vec<Entry>,
    /// Where each watcher stands, once there are many.
    places: Option<Map<Watcher, u32>>,
}

/// The number of a watched path.
type PathId = u32;

/// A table of watches, usable without a tree.
///
/// ```
/// use zookeeper_core::{Rng, tree::{WatchMode, Watcher, Watches}};
///
/// let mut watches = Watches::new(&mut Rng::new(7), usize::MAX);
/// watches.add(b"/app", Watcher(1), WatchMode::PersistentRecursive).unwrap();
/// let mut told = Vec::new();
/// watches.trigger_data(b"/app/config", &mut told);
/// assert_eq!(told, [Watcher(1)]);
/// ```
#[derive(Debug)]
pub struct Watches {
    keys: Keys,
    by_path: Map<Box<[u8]>, PathId>,
    paths: slab::Slab<Watched>,
    by_watcher: Map<Watcher, Vec<PathId>>,
    /// Watchers that are gone, whose watches are not all forgotten yet.
    retired: VecDeque<Vec<(PathId, Watcher)>>,
    /// Watches in each table, and recursive ones.
    data_count: usize,
    child_count: usize,
    recursive_count: usize,
    per_watcher_max: usize,
}

/// A watcher has as many watches as it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many watches")]
pub struct TooManyWatches;

/// Counts of the data table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WatchSummary {
    /// Watchers that have a watch.
    pub watchers: usize,
    /// Paths that are watched.
    pub paths: usize,
    /// Watches.
    pub watches: usize,
}

/// From this many watchers on, a path's watchers are found by hash.
const SCANNED_MAX: usize = 16;

impl Watches {
    /// An empty table; a watcher may watch `per_watcher_max` paths.
    #[must_use]
    pub fn new(rng: &mut Rng, per_watcher_max: usize) -> Self {
        let keys = Keys::new(rng);
        Self {
            by_path: keys.map(),
            paths: slab::Slab::new(),
            by_watcher: keys.map(),
            retired: VecDeque::new(),
            data_count: 0,
            child_count: 0,
            recursive_count: 0,
            per_watcher_max,
            keys,
        }
    }

    /// Adds a watch. Adding the same one again changes nothing. Paths are not looked at.
    ///
    /// # Errors
    ///
    /// [`TooManyWatches`] when the watcher has as many paths as it may.
    pub fn add(
        &mut self,
        path: &[u8],
        watcher: Watcher,
        mode: WatchMode,
    ) -> Result<(), TooManyWatches> {
        if let Some(&id) = self.by_path.get(path)
            && let Some(place) = self.paths[id as usize].find(watcher)
        {
            let entry = &mut self.paths[id as usize].entries[place];
            let before = entry.modes;
            entry.modes |= mode.bit();
            let after = entry.modes;
            self.recount(before, after);
            return Ok(());
        }
        let watched = self.by_watcher.get(&watcher).map_or(0, Vec::len);
        if watched >= self.per_watcher_max {
            return Err(TooManyWatches);
        }
        let id = match self.by_path.get(path) {
            Some(&id) => id,
            None => {
                let watched = Watched { path: path.into(), entries: Vec::new(), places: None };
                let id = u32::try_from(self.paths.insert(watched)).unwrap_or(u32::MAX);
                self.by_path.insert(path.into(), id);
                id
            }
        };
        let list = self.by_watcher.entry(watcher).or_default();
        let place = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.push(id);
        let entry = Entry { watcher, modes: mode.bit(), place };
        self.paths[id as usize].push(entry, &self.keys);
        self.recount(0, mode.bit());
        Ok(())
    }

    /// A znode was created, removed or got new data: adds everyone to tell to `out`, each once.
    /// One-shot watches are used up.
    pub fn trigger_data(&mut self, path: &[u8], out: &mut Vec<Watcher>) {
        if self.data_count == 0 {
            return;
        }
        if self.recursive_count > 0 {
            self.trigger_ancestors(path, out);
        }
        if let Some(&id) = self.by_path.get(path) {
            self.trigger(id, IN_DATA, DATA, &[], out);
        }
    }

    /// A znode was removed, or its child list changed: adds everyone to tell to `out`, but nobody
    /// in `told`. One-shot watches are used up.
    pub fn trigger_child(&mut self, path: &[u8], told: &[Watcher], out: &mut Vec<Watcher>) {
        if self.child_count == 0 {
            return;
        }
        if let Some(&id) = self.by_path.get(path) {
            let mut told = told.to_vec();
            told.sort_unstable();
            self.trigger(id, IN_CHILD, CHILD, &told, out);
        }
    }

    /// Whether the watcher has such a watch.
    #[must_use]
    pub fn contains(&self, path: &[u8], watcher: Watcher, kind: WatcherType) -> bool {
        self.modes(path, watcher) & modes_of(kind) != 0
    }

    /// Takes such watches away. Returns whether there were any.
    pub fn remove(&mut self, path: &[u8], watcher: Watcher, kind: WatcherType) -> bool {
        let Some(&id) = self.by_path.get(path) else { return false };
        let Some(place) = self.paths[id as usize].find(watcher) else { return false };
        let before = self.paths[id as usize].entries[place].modes;
        let after = before & !modes_of(kind);
        self.set_modes(id, place, after);
        before != after
    }

    /// Forgets a watcher: nothing is told to it any more. The memory is freed by
    /// [`Watches::clean`].
    pub fn retire(&mut self, watcher: Watcher) {
        if let Some(list) = self.by_watcher.remove(&watcher) {
            self.retired.push_back(list.into_iter().map(|id| (id, watcher)).collect());
        }
    }

    /// Frees up to `budget` watches of retired watchers. Returns whether more are left.
    pub fn clean(&mut self, budget: usize) -> bool {
        for _ in 0..budget {
            let Some(list) = self.retired.front_mut() else { return false };
            let Some((id, watcher)) = list.pop() else {
                self.retired.pop_front();
                continue;
            };
            if let Some(place) = self.paths[id as usize].find(watcher) {
                self.drop_entry(id, place);
            }
        }
        !self.retired.is_empty()
    }

    /// Watches in both tables.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.data_count + self.child_count
    }

    /// Counts of the data table.
    #[must_use]
    pub fn data_summary(&self) -> WatchSummary {
        let by_path = self.data_by_path();
        let mut watchers: Vec<_> = by_path.iter().flat_map(|(_, watchers)| watchers).collect();
        let watches = watchers.len();
        watchers.sort_unstable();
        watchers.dedup();
        WatchSummary { watchers: watchers.len(), paths: by_path.len(), watches }
    }

    /// The data table by path, sorted.
    #[must_use]
    pub fn data_by_path(&self) -> Vec<(&[u8], Vec<Watcher>)> {
        let mut all: Vec<_> = self
            .paths
            .iter()
            .filter_map(|(_, watched)| {
                let entries = watched.entries.iter().filter(|entry| entry.modes & IN_DATA != 0);
                let mut watchers: Vec<_> = entries.map(|entry| entry.watcher).collect();
                watchers.sort_unstable();
                (!watchers.is_empty()).then_some((&*watched.path, watchers))
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// The data table by watcher, sorted.
    #[must_use]
    pub fn data_by_watcher(&self) -> Vec<(Watcher, Vec<&[u8]>)> {
        let mut pairs: Vec<(Watcher, &[u8])> = Vec::new();
        for (path, watchers) in self.data_by_path() {
            pairs.extend(watchers.into_iter().map(|watcher| (watcher, path)));
        }
        pairs.sort_unstable();
        pairs
            .chunk_by(|one, other| one.0 == other.0)
            .map(|chunk| (chunk[0].0, chunk.iter().map(|&(_, path)| path).collect()))
            .collect()
    }

    /// Checks everything that must always hold.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        let (mut data, mut child, mut recursive) = (0, 0, 0);
        for (id, watched) in &self.paths {
            assert_eq!(self.by_path.get(&watched.path).map(|&id| id as usize), Some(id));
            assert!(!watched.entries.is_empty(), "a path without watches is forgotten");
            for (place, entry) in watched.entries.iter().enumerate() {
                assert_ne!(entry.modes, 0);
                assert_eq!(watched.find(entry.watcher), Some(place));
                data += usize::from(entry.modes & IN_DATA != 0);
                child += usize::from(entry.modes & IN_CHILD != 0);
                recursive += usize::from(entry.modes & RECURSIVE != 0);
                if let Some(list) = self.by_watcher.get(&entry.watcher) {
                    assert_eq!(list[entry.place as usize] as usize, id);
                }
            }
        }
        assert_eq!((data, child), (self.data_count, self.child_count));
        assert_eq!(recursive, self.recursive_count);
        assert_eq!(self.by_path.len(), self.paths.len());
        assert!(self.by_watcher.values().all(|list| !list.is_empty()));
    }

    fn modes(&self, path: &[u8], watcher: Watcher) -> u8 {
        self.by_path.get(path).map_or(0, |&id| self.paths[id as usize].modes(watcher))
    }

    /// Collects those that watch an ancestor recursively and do not watch the path itself.
    fn trigger_ancestors(&self, path: &[u8], out: &mut Vec<Watcher>) {
        let own = self.by_path.get(path).map(|&id| &self.paths[id as usize]);
        let mut nearer: Vec<&Watched> = Vec::new();
        for end in (0..path.len().min(path.len().saturating_sub(1))).rev() {
            if path[end] != b'/' {
                continue;
            }
            let ancestor = if end == 0 { b"/" } else { &path[..end] };
            let Some(&id) = self.by_path.get(ancestor) else { continue };
            let watched = &self.paths[id as usize];
            for &entry in &watched.entries {
                let is_told = own.is_some_and(|own| own.modes(entry.watcher) & IN_DATA != 0)
                    || nearer.iter().any(|near| near.modes(entry.watcher) & RECURSIVE != 0);
                if entry.modes & RECURSIVE != 0 && !is_told && !self.is_retired(entry) {
                    out.push(entry.watcher);
                }
            }
            nearer.push(watched);
        }
    }

    /// Collects the watchers of a path in one table but for those in `told`, which is sorted, and
    /// uses up its one-shot watches.
    fn trigger(
        &mut self,
        id: PathId,
        table: u8,
        one_shot: u8,
        told: &[Watcher],
        out: &mut Vec<Watcher>,
    ) {
        let mut place = 0;
        // An entry that is dropped is replaced by the last one, so the place is looked at again.
        while let Some(watched) = self.paths.get(id as usize)
            && let Some(&entry) = watched.entries.get(place)
        {
            if entry.modes & table == 0 {
                place += 1;
                continue;
            }
            if !self.is_retired(entry) && told.binary_search(&entry.watcher).is_err() {
                out.push(entry.watcher);
            }
            let after = entry.modes & !one_shot;
            if after == 0 {
                self.drop_entry(id, place);
            } else {
                self.recount(entry.modes, after);
                self.paths[id as usize].entries[place].modes = after;
                place += 1;
            }
        }
    }

    fn is_retired(&self, entry: Entry) -> bool {
        !self.retired.is_empty() && !self.by_watcher.contains_key(&entry.watcher)
    }

    fn set_modes(&mut self, id: PathId, place: usize, after: u8) {
        if after == 0 {
            self.drop_entry(id, place);
            return;
        }
        let entry = &mut self.paths[id as usize].entries[place];
        let before = entry.modes;
        entry.modes = after;
        self.recount(before, after);
    }

    /// Takes an entry out of its path's list and its watcher's.
    fn drop_entry(&mut self, id: PathId, place: usize) {
        let watched = &mut self.paths[id as usize];
        let entry = watched.swap_remove(place);
        if watched.entries.is_empty() {
            let watched = self.paths.remove(id as usize);
            self.by_path.remove(&watched.path);
        }
        self.recount(entry.modes, 0);
        let Some(list) = self.by_watcher.get_mut(&entry.watcher) else { return };
        let place = entry.place as usize;
        // A list of a watcher that came again under the same number does not hold old entries.
        if list.get(place) != Some(&id) {
            return;
        }
        list.swap_remove(place);
        let moved = list.get(place).copied();
        if list.is_empty() {
            self.by_watcher.remove(&entry.watcher);
        }
        if let Some(moved) = moved {
            let watched = &mut self.paths[moved as usize];
            if let Some(other) = watched.find(entry.watcher) {
                watched.entries[other].place = entry.place;
            }
        }
    }

    const fn recount(&mut self, before: u8, after: u8) {
        self.data_count += (after & IN_DATA != 0) as usize;
        self.data_count -= (before & IN_DATA != 0) as usize;
        self.child_count += (after & IN_CHILD != 0) as usize;
        self.child_count -= (before & IN_CHILD != 0) as usize;
        self.recursive_count += (after & RECURSIVE != 0) as usize;
        self.recursive_count -= (before & RECURSIVE != 0) as usize;
    }
}

impl Watched {
    fn modes(&self, watcher: Watcher) -> u8 {
        self.find(watcher).map_or(0, |place| self.entries[place].modes)
    }

    fn find(&self, watcher: Watcher) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&watcher).map(|&place| place as usize),
            None => self.entries.iter().position(|entry| entry.watcher == watcher),
        }
    }

    fn push(&mut self, entry: Entry, keys: &Keys) {
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(entry);
        if let Some(places) = &mut self.places {
            places.insert(entry.watcher, place);
        } else if self.entries.len() > SCANNED_MAX {
            let mut places = keys.map();
            for (place, entry) in (0..).zip(&self.entries) {
                places.insert(entry.watcher, place);
            }
            self.places = Some(places);
        }
    }

    fn swap_remove(&mut self, place: usize) -> Entry {
        let entry = self.entries.swap_remove(place);
        if let Some(places) = &mut self.places {
            places.remove(&entry.watcher);
            if let Some(moved) = self.entries.get(place) {
                places.insert(moved.watcher, u32::try_from(place).unwrap_or(u32::MAX));
            }
        }
        entry
    }
}

const fn modes_of(kind: WatcherType) -> u8 {
    match kind {
        WatcherType::Children => CHILD,
        WatcherType::Data => DATA,
        WatcherType::Any => DATA | CHILD | PERSISTENT | RECURSIVE,
        WatcherType::Persistent => PERSISTENT,
        WatcherType::PersistentRecursive => RECURSIVE,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quickcheck::quickcheck;

    use super::*;

    const ONE: Watcher = Watcher(1);
    const TWO: Watcher = Watcher(2);

    fn watches() -> Watches {
        Watches::new(&mut Rng::new(1), usize::MAX)
    }

    fn data(watches: &mut Watches, path: &str) -> Vec<Watcher> {
        let mut out = Vec::new();
        watches.trigger_data(path.as_bytes(), &mut out);
        watches.check_invariants();
        out
    }

    fn child(watches: &mut Watches, path: &str, told: &[Watcher]) -> Vec<Watcher> {
        let mut out = Vec::new();
        watches.trigger_child(path.as_bytes(), told, &mut out);
        watches.check_invariants();
        out
    }

    #[test]
    fn one_shot_watches_fire_once() {
        let mut watches = watches();
        watches.add(b"/a", ONE, WatchMode::Data).unwrap();
        watches.add(b"/a", ONE, WatchMode::Data).unwrap();
        watches.add(b"/a", ONE, WatchMode::Child).unwrap();
        assert_eq!(watches.count(), 2);
        assert_eq!(data(&mut watches, "/a"), [ONE]);
        assert_eq!(data(&mut watches, "/a"), []);
        assert_eq!(child(&mut watches, "/a", &[]), [ONE]);
        assert_eq!(watches.count(), 0);
    }

    #[test]
    fn persistent_watches_stay_and_are_in_both_tables() {
        let mut watches = watches();
        watches.add(b"/a", ONE, WatchMode::Persistent).unwrap();
        for _ in 0..2 {
            assert_eq!(data(&mut watches, "/a"), [ONE]);
            assert_eq!(child(&mut watches, "/a", &[]), [ONE]);
            assert_eq!(child(&mut watches, "/a", &[ONE]), [], "told already");
            assert_eq!(data(&mut watches, "/a/b"), []);
        }
    }

    #[test]
    fn recursive_watches_hear_of_all_below_but_no_child_lists() {
        let mut watches = watches();
        watches.add(b"/", ONE, WatchMode::PersistentRecursive).unwrap();
        watches.add(b"/a", ONE, WatchMode::PersistentRecursive).unwrap();
        watches.add(b"/a/b", ONE, WatchMode::Data).unwrap();
        watches.add(b"/a", TWO, WatchMode::PersistentRecursive).unwrap();
        assert_eq!(data(&mut watches, "/a/b"), [TWO, ONE]);
        assert_eq!(data(&mut watches, "/a/b/c"), [ONE, TWO]);
        assert_eq!(data(&mut watches, "/ab"), [ONE]);
        assert_eq!(data(&mut watches, "/"), [ONE]);
        assert_eq!(child(&mut watches, "/a", &[]), []);
    }

    #[test]
    fn removal_looks_at_the_mode() {
        let mut watches = watches();
        watches.add(b"/a", ONE, WatchMode::Persistent).unwrap();
        watches.add(b"/a", ONE, WatchMode::Child).unwrap();
        assert!(!watches.contains(b"/a", ONE, WatcherType::Data));
        assert!(!watches.remove(b"/a", ONE, WatcherType::Data));
        assert!(watches.remove(b"/a", ONE, WatcherType::Children));
        assert!(!watches.remove(b"/a", ONE, WatcherType::Children));
        assert!(!watches.remove(b"/a", TWO, WatcherType::Any));
        assert!(watches.remove(b"/a", ONE, WatcherType::Any));
        assert_eq!(watches.count(), 0);
        watches.check_invariants();
    }

    #[test]
    fn a_retired_watcher_hears_nothing_and_is_forgotten_in_steps() {
        let mut watches = watches();
        for number in 0..10_u8 {
            watches.add(&[b'/', number], ONE, WatchMode::Persistent).unwrap();
        }
        watches.add(&[b'/', 3], TWO, WatchMode::Data).unwrap();
        watches.retire(ONE);
        assert_eq!(data(&mut watches, "/\u{3}"), [TWO]);
        assert_eq!(data(&mut watches, "/\u{4}"), []);
        assert!(watches.clean(5));
        watches.check_invariants();
        while watches.clean(1) {}
        assert_eq!(watches.count(), 0);
        assert_eq!(watches.data_summary(), WatchSummary::default());
    }

    #[test]
    fn a_watcher_has_a_limit() {
        let mut watches = Watches::new(&mut Rng::new(1), 1);
        watches.add(b"/a", ONE, WatchMode::Data).unwrap();
        watches.add(b"/a", ONE, WatchMode::Child).unwrap();
        assert_eq!(watches.add(b"/b", ONE, WatchMode::Data), Err(TooManyWatches));
        watches.add(b"/b", TWO, WatchMode::Data).unwrap();
        watches.check_invariants();
    }

    #[test]
    fn many_watchers_on_one_path_are_found_and_dropped() {
        let mut watches = watches();
        for number in 0..100 {
            watches.add(b"/a", Watcher(number), WatchMode::Data).unwrap();
        }
        for number in (0..100).step_by(3) {
            assert!(watches.remove(b"/a", Watcher(number), WatcherType::Data));
            watches.check_invariants();
        }
        assert_eq!(data(&mut watches, "/a").len(), 66);
        assert_eq!(watches.count(), 0);
    }

    quickcheck! {
        fn behaves_as_a_list_of_triples(operations: Vec<(u8, u8, u8)>) -> bool {
            let mut watches = watches();
            let mut model: BTreeMap<(Vec<u8>, u64), u8> = BTreeMap::new();
            let paths = ["/", "/a", "/a/b", "/a/b/c", "/d"];
            for (operation, path, watcher) in operations {
                let path = paths[usize::from(path) % paths.len()].as_bytes();
                let watcher = u64::from(watcher % 20);
                let key = (path.to_vec(), watcher);
                match operation % 8 {
                    0..4 => {
                        let mode = [
                            WatchMode::Data,
                            WatchMode::Child,
                            WatchMode::Persistent,
                            WatchMode::PersistentRecursive,
                        ][usize::from(operation % 8)];
                        watches.add(path, Watcher(watcher), mode).unwrap();
                        *model.entry(key).or_default() |= mode.bit();
                    }
                    4 => {
                        let mut told = Vec::new();
                        watches.trigger_data(path, &mut told);
                        let mut expected: Vec<_> = model
                            .iter()
                            .filter(|((at, _), modes)| {
                                (at == path && **modes & IN_DATA != 0)
                                    || (**modes & RECURSIVE != 0 && is_above(at, path))
                            })
                            .map(|((_, watcher), _)| Watcher(*watcher))
                            .collect();
                        expected.sort_unstable();
                        expected.dedup();
                        told.sort_unstable();
                        assert_eq!(told, expected);
                        drop_mode(&mut model, path, DATA);
                    }
                    5 => {
                        let mut told = Vec::new();
                        watches.trigger_child(path, &[Watcher(3)], &mut told);
                        let mut expected: Vec<_> = model
                            .iter()
                            .filter(|((at, who), modes)| {
                                at == path && **modes & IN_CHILD != 0 && *who != 3
                            })
                            .map(|((_, watcher), _)| Watcher(*watcher))
                            .collect();
                        expected.sort_unstable();
                        told.sort_unstable();
                        assert_eq!(told, expected);
                        drop_mode(&mut model, path, CHILD);
                    }
                    6 => {
                        watches.remove(path, Watcher(watcher), WatcherType::Any);
                        model.remove(&key);
                    }
                    _ => {
                        watches.retire(Watcher(watcher));
                        while watches.clean(2) {}
                        model.retain(|(_, who), _| *who != watcher);
                    }
                }
                watches.check_invariants();
            }
            true
        }
    }

    fn is_above(ancestor: &[u8], path: &[u8]) -> bool {
        ancestor != path
            && path.starts_with(ancestor)
            && (ancestor == b"/" || path[ancestor.len()] == b'/')
    }

    fn drop_mode(model: &mut BTreeMap<(Vec<u8>, u64), u8>, path: &[u8], mode: u8) {
        for (_, modes) in model.iter_mut().filter(|((at, _), _)| at == path) {
            *modes &= !mode;
        }
        model.retain(|_, modes| *modes != 0);
    }
}

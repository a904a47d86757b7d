//! The table against a naive model, and the rules example by example.

use std::collections::{BTreeMap, BTreeSet};

use quickcheck::{Arbitrary, Gen, quickcheck};

use super::{WatchMode::*, *};

const PATHS: [&str; 7] = ["/", "/a", "/a/b", "/a/b/c", "/ab", "", "no slash"];
const MODES: [WatchMode; 4] = [Data, Child, Persistent, PersistentRecursive];
const TYPES: [WatcherType; 5] = [
    WatcherType::Children,
    WatcherType::Data,
    WatcherType::Any,
    WatcherType::Persistent,
    WatcherType::PersistentRecursive,
];

/// The two tables of upstream: a set of modes for each path and watcher, with the order of arrival.
#[derive(Default)]
struct Model {
    data: BTreeMap<(usize, Watcher), BTreeSet<u8>>,
    child: BTreeMap<(usize, Watcher), BTreeSet<u8>>,
    retired: BTreeSet<Watcher>,
}

const ONCE: u8 = 0;
const ALWAYS: u8 = 1;
const BELOW: u8 = 2;

impl Model {
    fn add(&mut self, path: usize, watcher: Watcher, mode: WatchMode) -> bool {
        if self.retired.contains(&watcher) {
            return false;
        }
        let key = (path, watcher);
        match mode {
            Data => self.data.entry(key).or_default().insert(ONCE),
            Child => self.child.entry(key).or_default().insert(ONCE),
            Persistent => {
                self.child.entry(key).or_default().insert(ALWAYS);
                self.data.entry(key).or_default().insert(ALWAYS)
            }
            PersistentRecursive => self.data.entry(key).or_default().insert(BELOW),
        };
        true
    }

    fn trigger(&mut self, path: usize, data: bool, child: bool) -> BTreeSet<Watcher> {
        let mut told = BTreeSet::new();
        let covers = |above: &str| {
            let at = PATHS[path];
            above == at || above == "/" && at.starts_with('/') || {
                !above.is_empty() && at.starts_with(&format!("{above}/"))
            }
        };
        if data {
            for (&(at, watcher), modes) in &mut self.data {
                if at == path || modes.contains(&BELOW) && covers(PATHS[at]) {
                    told.insert(watcher);
                }
                if at == path {
                    modes.remove(&ONCE);
                }
            }
        }
        if child {
            for (&(at, watcher), modes) in &mut self.child {
                if at == path {
                    told.insert(watcher);
                    modes.remove(&ONCE);
                }
            }
        }
        self.sweep();
        told
    }

    fn matching(&mut self, path: usize, watcher: Watcher, kind: WatcherType, take: bool) -> bool {
        let (data, child): (&[u8], &[u8]) = match kind {
            WatcherType::Children => (&[], &[ONCE]),
            WatcherType::Data => (&[ONCE], &[]),
            WatcherType::Any => (&[ONCE, ALWAYS, BELOW], &[ONCE, ALWAYS, BELOW]),
            WatcherType::Persistent => (&[ALWAYS], &[ALWAYS]),
            WatcherType::PersistentRecursive => (&[BELOW], &[]),
        };
        let mut found = false;
        for (table, wanted) in [(&mut self.data, data), (&mut self.child, child)] {
            let Some(modes) = table.get_mut(&(path, watcher)) else { continue };
            for mode in wanted {
                found |= if take { modes.remove(mode) } else { modes.contains(mode) };
            }
        }
        self.sweep();
        found
    }

    fn retire(&mut self, watcher: Watcher) {
        let (data, child) = (self.data.len(), self.child.len());
        self.data.retain(|&(_, other), _| other != watcher);
        self.child.retain(|&(_, other), _| other != watcher);
        if (data, child) != (self.data.len(), self.child.len()) {
            self.retired.insert(watcher);
        }
    }

    fn sweep(&mut self) {
        self.data.retain(|_, modes| !modes.is_empty());
        self.child.retain(|_, modes| !modes.is_empty());
    }

    fn summary(&self) -> WatchSummary {
        WatchSummary {
            watchers: self.data.keys().map(|key| key.1).collect::<BTreeSet<_>>().len(),
            paths: self.data.keys().map(|key| key.0).collect::<BTreeSet<_>>().len(),
            watches: self.data.len(),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(usize, u64, usize),
    Trigger(usize, u8),
    Remove(usize, u64, usize),
    Retire(u64),
    Clean(usize),
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut below = |bound: u64| u64::arbitrary(g) % bound;
        let path = usize::try_from(below(PATHS.len() as u64)).unwrap();
        let small = usize::try_from(below(5)).unwrap();
        match below(20) {
            0..10 => Self::Add(path, below(5), small % 4),
            10..15 => Self::Trigger(path, u8::try_from(below(3)).unwrap()),
            15..18 => Self::Remove(path, below(5), small),
            18 => Self::Retire(below(5)),
            _ => Self::Clean(small),
        }
    }
}

fn run(seed: u64, steps: &[Step]) -> Vec<Vec<Watcher>> {
    let (mut watches, mut model) =
        (Watches::new(&mut Rng::new(seed), usize::MAX), Model::default());
    let mut history = Vec::new();
    for step in steps {
        match *step {
            Step::Add(path, watcher, mode) => {
                let added = watches.add(PATHS[path].as_bytes(), Watcher(watcher), MODES[mode]);
                let expected = model.add(path, Watcher(watcher), MODES[mode]);
                assert_eq!(added, if expected { Ok(()) } else { Err(WatchRefused::Retired) });
            }
            Step::Trigger(path, kind) => {
                let (at, mut told) = (PATHS[path].as_bytes(), Vec::new());
                match kind {
                    0 => watches.trigger_data(at, &mut told),
                    1 => watches.trigger_child(at, &mut told),
                    _ => watches.trigger_deleted(at, &mut told),
                }
                let expected = model.trigger(path, kind != 1, kind != 0);
                assert_eq!(told.len(), expected.len(), "each is told once");
                assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), expected);
                history.push(told);
            }
            Step::Remove(path, watcher, kind) => {
                let (at, watcher) = (PATHS[path].as_bytes(), Watcher(watcher));
                for kind in TYPES {
                    let expected = model.matching(path, watcher, kind, false);
                    assert_eq!(watches.contains(at, watcher, kind), expected);
                }
                let expected = model.matching(path, watcher, TYPES[kind], true);
                assert_eq!(watches.remove(at, watcher, TYPES[kind]), expected);
            }
            Step::Retire(watcher) => {
                watches.retire(Watcher(watcher));
                model.retire(Watcher(watcher));
            }
            Step::Clean(budget) => {
                let before = watches.count();
                if !watches.clean(budget) {
                    model.retired.clear();
                }
                assert!(before - watches.count() <= budget);
                model.retired.retain(|&watcher| watches.slots.contains_key(&watcher));
            }
        }
        watches.check_invariants();
    }
    assert!(!watches.clean(usize::MAX));
    watches.check_invariants();
    check_sizes(&watches, &model);
    history
}

fn check_sizes(watches: &Watches, model: &Model) {
    assert_eq!(watches.count(), model.data.len() + model.child.len());
    assert_eq!(watches.data_summary(), model.summary());
    let mut pairs: Vec<_> =
        model.data.keys().map(|&(path, watcher)| (PATHS[path].as_bytes(), watcher)).collect();
    pairs.sort_unstable();
    let by_path = watches.data_by_path();
    let flat = by_path.iter().flat_map(|(path, all)| all.iter().map(move |&one| (*path, one)));
    assert_eq!(flat.collect::<Vec<_>>(), pairs);
    pairs.sort_unstable_by_key(|&(path, watcher)| (watcher, path));
    let by_watcher = watches.data_by_watcher();
    let flat = by_watcher.iter().flat_map(|(one, all)| all.iter().map(move |&path| (path, *one)));
    assert_eq!(flat.collect::<Vec<_>>(), pairs);
}

quickcheck! {
    /// Also: the order in which watchers are told does not depend on the keys of the hashes.
    fn the_table_agrees_with_the_model(steps: Vec<Step>) -> bool {
        run(1, &steps) == run(2, &steps)
    }
}

fn table(watches: &[(&str, u64, WatchMode)]) -> Watches {
    let mut table = Watches::new(&mut Rng::new(7), usize::MAX);
    for &(path, watcher, mode) in watches {
        table.add(path.as_bytes(), Watcher(watcher), mode).unwrap();
    }
    table
}

fn told(fire: impl FnOnce(&mut Vec<Watcher>)) -> Vec<u64> {
    let mut out = Vec::new();
    fire(&mut out);
    out.iter().map(|watcher| watcher.0).collect()
}

#[test]
fn one_shot_watches_fire_once_and_coincide() {
    let mut table = table(&[("/a", 1, Data), ("/a", 1, Data), ("/a", 1, Child)]);
    assert_eq!(table.count(), 2);
    assert_eq!(told(|out| table.trigger_data(b"/a", out)), [1]);
    assert_eq!(told(|out| table.trigger_data(b"/a", out)), [0; 0]);
    assert_eq!(told(|out| table.trigger_child(b"/a", out)), [1]);
    assert_eq!(table.count(), 0);
    table.check_invariants();
}

#[test]
fn a_deletion_is_told_once_and_takes_both_watches() {
    let mut table = table(&[("/a", 1, Data), ("/a", 1, Child), ("/a", 2, Child), ("/", 2, Child)]);
    assert_eq!(told(|out| table.trigger_deleted(b"/a", out)), [1, 2]);
    assert_eq!(told(|out| table.trigger_child(b"/", out)), [2]);
    assert_eq!(table.count(), 0);
}

#[test]
fn a_persistent_watch_sees_one_deletion() {
    let mut table = table(&[("/a", 1, Persistent)]);
    assert_eq!(told(|out| table.trigger_deleted(b"/a", out)), [1]);
    assert_eq!(told(|out| table.trigger_data(b"/a", out)), [1]);
    assert_eq!(told(|out| table.trigger_child(b"/a", out)), [1]);
    assert_eq!(told(|out| table.trigger_data(b"/a/b", out)), [0; 0]);
}

#[test]
fn a_recursive_watch_sees_everything_below_but_child_lists() {
    let mut table = table(&[("/", 1, PersistentRecursive), ("/a", 2, PersistentRecursive)]);
    assert_eq!(told(|out| table.trigger_data(b"/a/b/c", out)), [2, 1]);
    assert_eq!(told(|out| table.trigger_deleted(b"/a", out)), [2, 1]);
    assert_eq!(told(|out| table.trigger_data(b"/ab", out)), [1]);
    assert_eq!(told(|out| table.trigger_data(b"/", out)), [1]);
    assert_eq!(told(|out| table.trigger_child(b"/a", out)), [0; 0]);
}

#[test]
fn several_modes_of_one_watcher_are_told_once() {
    let modes = [Data, Persistent, PersistentRecursive].map(|mode| ("/a", 1, mode));
    let mut table = table(&modes);
    table.add(b"/", Watcher(1), PersistentRecursive).unwrap();
    assert_eq!(table.data_summary(), WatchSummary { watchers: 1, paths: 2, watches: 2 });
    assert_eq!(told(|out| table.trigger_data(b"/a", out)), [1]);
    assert!(!table.contains(b"/a", Watcher(1), WatcherType::Data));
}

#[test]
fn a_persistent_watch_does_not_satisfy_the_one_shot_types() {
    let mut table = table(&[("/a", 1, Persistent)]);
    assert!(!table.remove(b"/a", Watcher(1), WatcherType::Data));
    assert!(!table.remove(b"/a", Watcher(1), WatcherType::Children));
    assert!(!table.remove(b"/a", Watcher(1), WatcherType::PersistentRecursive));
    assert!(!table.remove(b"/b", Watcher(1), WatcherType::Persistent));
    assert!(!table.remove(b"/a", Watcher(2), WatcherType::Any));
    assert!(table.contains(b"/a", Watcher(1), WatcherType::Any));
    assert!(table.remove(b"/a", Watcher(1), WatcherType::Persistent));
    assert_eq!(table.count(), 0);
}

#[test]
fn pure_child_watches_do_not_show_in_the_summaries() {
    let table = table(&[("/a", 1, Child), ("/b", 2, Persistent)]);
    assert_eq!(table.data_summary(), WatchSummary { watchers: 1, paths: 1, watches: 1 });
    assert_eq!(table.data_by_path(), [(&b"/b"[..], vec![Watcher(2)])]);
    assert_eq!(table.data_by_watcher(), [(Watcher(2), vec![&b"/b"[..]])]);
    assert_eq!(table.count(), 3);
}

#[test]
fn watchers_are_told_in_the_order_they_came() {
    let mut table = Watches::new(&mut Rng::new(3), usize::MAX);
    let order = [5, 3, 9, 1, 7];
    for watcher in order {
        table.add(b"/a", Watcher(watcher), Persistent).unwrap();
    }
    table.add(b"/a", Watcher(5), Data).unwrap();
    assert_eq!(told(|out| table.trigger_data(b"/a", out)), order);
    assert_eq!(told(|out| table.trigger_child(b"/a", out)), order);
}

#[test]
fn the_limit_counts_what_is_held_and_refuses_whole_watches() {
    let mut table = Watches::new(&mut Rng::new(3), 3);
    let (one, two) = (Watcher(1), Watcher(2));
    table.add(b"/a", one, Data).unwrap();
    table.add(b"/b", one, Data).unwrap();
    assert_eq!(table.add(b"/c", one, Persistent), Err(WatchRefused::Limit(2)));
    assert!(!table.contains(b"/c", one, WatcherType::Any));
    table.add(b"/a", one, Persistent).unwrap();
    assert_eq!(table.count_of(one), 3);
    assert_eq!(table.add(b"/d", one, Child), Err(WatchRefused::Limit(3)));
    table.add(b"/a", one, Child).unwrap();
    table.add(b"/d", two, Child).unwrap();
    table.trigger_data(b"/b", &mut Vec::new());
    table.add(b"/d", one, Child).unwrap();
    table.check_invariants();

    let mut none = Watches::new(&mut Rng::new(3), 0);
    assert_eq!(none.add(b"/a", one, Data), Err(WatchRefused::Limit(0)));
    none.check_invariants();
}

#[test]
fn retired_watchers_are_silent_at_once_and_go_in_steps() {
    let mut table = Watches::new(&mut Rng::new(3), usize::MAX);
    for number in 0..100 {
        table.add(format!("/{number}").as_bytes(), Watcher(1), Data).unwrap();
        table.add(format!("/{number}").as_bytes(), Watcher(2), Child).unwrap();
    }
    table.retire(Watcher(1));
    table.retire(Watcher(1));
    table.retire(Watcher(3));
    assert_eq!(told(|out| table.trigger_deleted(b"/7", out)), [2]);
    assert!(!table.contains(b"/8", Watcher(1), WatcherType::Any));
    assert!(!table.remove(b"/8", Watcher(1), WatcherType::Any));
    assert_eq!(table.add(b"/8", Watcher(1), Data), Err(WatchRefused::Retired));
    let mut steps = 1;
    while table.clean(10) {
        table.check_invariants();
        steps += 1;
    }
    assert_eq!(steps, 10);
    assert_eq!(table.count(), 99);
    assert_eq!(table.data_summary(), WatchSummary::default());
}

#[test]
fn what_a_trigger_used_up_is_not_looked_for_when_its_watcher_is_cleaned_away() {
    let mut table = table(&[("/a", 1, Data), ("/a", 1, Child), ("/b", 1, Child)]);
    table.retire(Watcher(1));
    assert_eq!(told(|out| table.trigger_deleted(b"/a", out)), [0; 0]);
    table.check_invariants();
    assert!(!table.clean(100));
    table.check_invariants();
    assert_eq!(table.count(), 0);
}

#[test]
fn many_watchers_of_one_path_and_many_paths_of_one_watcher() {
    let mut table = Watches::new(&mut Rng::new(3), usize::MAX);
    for number in 0..10_000 {
        table.add(b"/hot", Watcher(number), Child).unwrap();
        table.add(format!("/{number}").as_bytes(), Watcher(0), Data).unwrap();
    }
    assert_eq!(table.count(), 20_000);
    for number in 0..5_000 {
        assert!(table.remove(b"/hot", Watcher(number), WatcherType::Children));
    }
    assert_eq!(told(|out| table.trigger_child(b"/hot", out)).len(), 5_000);
    table.check_invariants();
    table.retire(Watcher(0));
    assert!(!table.clean(10_000));
    assert_eq!(table.count(), 0);
    table.check_invariants();
}

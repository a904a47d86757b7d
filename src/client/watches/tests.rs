//! The tables against a naive model, and the rules example by example.

use std::collections::BTreeSet;

use quickcheck::{Arbitrary, Gen, quickcheck};

use super::{
    WatchKind::{Child, Data, Exist, Persistent, Recursive},
    *,
};
use crate::{
    rng::Rng,
    wire::EventKind::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted},
};

const PATHS: [&str; 8] = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/a/bc", "/é", "/é/x"];
/// What only a broken server sends.
const STRANGE: [&str; 6] = ["", "a", "é", "//", "/a/", "/a//b"];
const EVENTS: [EventKind; 4] = [NodeCreated, NodeDeleted, NodeDataChanged, NodeChildrenChanged];
const TYPES: [WatcherType; 5] = [
    WatcherType::Children,
    WatcherType::Data,
    WatcherType::Any,
    WatcherType::Persistent,
    WatcherType::PersistentRecursive,
];

/// Triples in a set, and the rules as the reference table has them.
#[derive(Default)]
struct Model(BTreeSet<(String, u64, usize)>);

/// Places in [`WatchKind::ALL`].
fn number(kind: WatchKind) -> usize {
    WatchKind::ALL.iter().position(|&other| other == kind).unwrap()
}

fn covers(above: &str, path: &str) -> bool {
    above == path || above == "/" && path.starts_with('/') || path.starts_with(&format!("{above}/"))
}

fn one_shots(event: EventKind) -> &'static [WatchKind] {
    match event {
        NodeCreated | NodeDataChanged => &[Data, Exist],
        NodeDeleted => &[Data, Exist, Child],
        NodeChildrenChanged => &[Child],
    }
}

fn of_type(kind: WatcherType) -> &'static [WatchKind] {
    match kind {
        WatcherType::Children => &[Child],
        WatcherType::Data => &[Data, Exist],
        WatcherType::Any => &WatchKind::ALL,
        WatcherType::Persistent => &[Persistent],
        WatcherType::PersistentRecursive => &[Recursive],
    }
}

impl Model {
    /// Those that match, each watcher once; they stay.
    fn select(&self, matches: impl Fn(&str, u64, WatchKind) -> bool) -> Vec<WatcherId> {
        let found =
            self.0.iter().filter(|(at, who, kind)| matches(at, *who, WatchKind::ALL[*kind]));
        let distinct: BTreeSet<_> = found.map(|&(_, who, _)| WatcherId(who)).collect();
        distinct.into_iter().collect()
    }

    /// Takes those that match; returns who held one.
    fn take(&mut self, matches: impl Fn(&str, u64, WatchKind) -> bool) -> Vec<WatcherId> {
        let losers = self.select(&matches);
        self.0.retain(|(at, who, kind)| !matches(at, *who, WatchKind::ALL[*kind]));
        losers
    }

    fn watchers(&self) -> Vec<WatcherId> {
        self.select(|_, _, _| true)
    }

    fn fire(&mut self, event: EventKind, path: &str) -> Vec<WatcherId> {
        let told = self.select(|at, _, kind| match kind {
            Persistent => at == path,
            Recursive => event != NodeChildrenChanged && covers(at, path),
            _ => at == path && one_shots(event).contains(&kind),
        });
        self.take(|at, _, kind| at == path && one_shots(event).contains(&kind));
        told
    }

    fn remove(
        &mut self,
        path: &str,
        asked: Option<u64>,
        kind: WatcherType,
    ) -> Vec<(WatchEventKind, Vec<WatcherId>)> {
        let kinds = of_type(kind);
        let is_meant = |at: &str, who: u64, kind: WatchKind| {
            at == path && asked.is_none_or(|asked| asked == who) && kinds.contains(&kind)
        };
        let mut events = Vec::new();
        for (event, covered) in [
            (WatchEventKind::ChildWatchRemoved, &[Child][..]),
            (WatchEventKind::DataWatchRemoved, &[Data, Exist]),
            (WatchEventKind::PersistentWatchRemoved, &[Persistent, Recursive]),
        ] {
            let told =
                self.select(|at, who, kind| is_meant(at, who, kind) && covered.contains(&kind));
            if !told.is_empty() {
                events.push((event, told));
            }
        }
        self.take(is_meant);
        events
    }
}

#[derive(Clone, Debug)]
enum Step {
    Register(usize, usize, u64),
    Fire(usize, usize),
    FireStrange(usize, usize),
    Remove(usize, Option<u64>, usize),
    ForgetBatch(usize, usize),
    ClearOneShot,
    Clear,
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut below = |bound: usize| usize::arbitrary(g) % bound;
        let (path, small, who) = (below(PATHS.len()), below(6), below(5) as u64);
        match below(40) {
            0..20 => Self::Register(small % 5, path, who),
            20..28 => Self::Fire(small % 4, path),
            28..30 => Self::FireStrange(path % 4, small),
            30..36 => Self::Remove(path, (small != 5).then_some(who), small % 5),
            36..38 => Self::ForgetBatch(small, path * 8),
            38 => Self::ClearOneShot,
            _ if small == 0 => Self::Clear,
            _ => Self::Fire(small % 4, path),
        }
    }
}

fn tables() -> WatchTables {
    WatchTables::new(&Keys::new(&mut Rng::new(7)))
}

/// Everything the tables said, which must not depend on the seed of their hash.
fn run(seed: u64, steps: &[Step]) -> (Vec<Vec<WatcherId>>, Vec<Vec<Batch>>) {
    let mut tables = WatchTables::new(&Keys::new(&mut Rng::new(seed)));
    let mut model = Model::default();
    let (mut told, mut batches) = (Vec::new(), Vec::new());
    for step in steps {
        match *step {
            Step::Register(kind, path, who) => {
                let is_new = model.0.insert((PATHS[path].into(), who, kind));
                let kind = WatchKind::ALL[kind];
                assert_eq!(tables.register(kind, PATHS[path], WatcherId(who)), is_new);
            }
            Step::Fire(event, path) => {
                told.push(tables.fire(EVENTS[event], PATHS[path]));
                assert_eq!(told.last(), Some(&model.fire(EVENTS[event], PATHS[path])));
            }
            Step::FireStrange(event, path) => {
                told.push(tables.fire(EVENTS[event], STRANGE[path]));
                assert_eq!(told.last(), Some(&model.fire(EVENTS[event], STRANGE[path])));
            }
            Step::Remove(path, who, kind) => {
                check_contains(&tables, &model, PATHS[path], who);
                let removed = tables.remove(PATHS[path], who.map(WatcherId), TYPES[kind]);
                assert_eq!(removed, model.remove(PATHS[path], who, TYPES[kind]));
            }
            Step::ForgetBatch(which, bytes_max) => {
                batches.push(check_batches(&tables, &model, bytes_max));
                let Some(batch) = batches.last().and_then(|all| all.get(which)) else { continue };
                let is_meant = |at: &str, _, kind| batch.paths(kind).iter().any(|it| &**it == at);
                assert_eq!(tables.forget(batch), model.take(is_meant));
            }
            Step::ClearOneShot => {
                let losers = model.take(|_, _, kind| matches!(kind, Data | Exist | Child));
                assert_eq!(tables.clear_one_shot(), losers);
            }
            Step::Clear => assert_eq!(tables.clear(), model.take(|_, _, _| true)),
        }
        tables.check_invariants();
        assert_eq!(tables.len(), model.0.len());
        let paths: BTreeSet<_> = model.0.iter().map(|(path, _, _)| path).collect();
        assert_eq!(tables.bytes(), paths.iter().map(|path| path.len()).sum::<usize>());
        assert_eq!(tables.watchers(), model.watchers());
    }
    (told, batches)
}

fn check_contains(tables: &WatchTables, model: &Model, path: &str, who: Option<u64>) {
    for asked in TYPES {
        let expected = model.0.iter().any(|(at, other, kind)| {
            at == path
                && who.is_none_or(|who| who == *other)
                && of_type(asked).contains(&WatchKind::ALL[*kind])
        });
        assert_eq!(tables.contains(path, who.map(WatcherId), asked), expected);
    }
}

/// Whether the batches hold each path of each kind once, in order, and no more than they may.
fn check_batches(tables: &WatchTables, model: &Model, bytes_max: usize) -> Vec<Batch> {
    let batches = tables.batches(bytes_max);
    let mut sent = Vec::new();
    for batch in &batches {
        let before = sent.len();
        for (number, &kind) in WatchKind::ALL.iter().enumerate() {
            sent.extend(batch.paths(kind).iter().map(|path| (number, path.to_string())));
        }
        let added = &sent[before..];
        assert!(!added.is_empty(), "no batch is empty");
        let bytes: usize = added.iter().map(|(_, path)| path.len() + 4).sum();
        assert!(bytes <= bytes_max || added.len() == 1, "{bytes} bytes where {bytes_max} may be");
        assert_eq!(batch.needs_set_watches2(), added.iter().any(|&(number, _)| number >= 3));
    }
    assert!(sent.is_sorted_by_key(|&(number, _)| number), "kinds in their order");
    let distinct: BTreeSet<_> = sent.iter().cloned().collect();
    assert_eq!(distinct.len(), sent.len(), "each path once");
    let expected = model.0.iter().map(|(path, _, number)| (*number, path.clone()));
    assert_eq!(distinct, expected.collect());
    batches
}

quickcheck! {
    fn the_tables_agree_with_the_model(steps: Vec<Step>) -> bool {
        run(1, &steps) == run(2, &steps)
    }
}

fn ids(numbers: &[u64]) -> Vec<WatcherId> {
    numbers.iter().copied().map(WatcherId).collect()
}

fn tables_of(watches: &[(WatchKind, &str, u64)]) -> WatchTables {
    let mut tables = tables();
    for &(kind, path, who) in watches {
        assert!(tables.register(kind, path, WatcherId(who)), "{kind:?} {path} {who}");
    }
    tables
}

/// Which of one watcher of each kind at `/a`, numbered as in [`WatchKind::ALL`], are told, and
/// which are left then.
fn fire_each(event: EventKind) -> (Vec<WatcherId>, Vec<WatcherId>) {
    let watches = WatchKind::ALL.map(|kind| (kind, "/a", number(kind) as u64));
    let mut tables = tables_of(&watches);
    (tables.fire(event, "/a"), tables.watchers())
}

#[test]
fn which_tables_fire() {
    assert_eq!(fire_each(NodeCreated), (ids(&[0, 1, 3, 4]), ids(&[2, 3, 4])));
    assert_eq!(fire_each(NodeDataChanged), (ids(&[0, 1, 3, 4]), ids(&[2, 3, 4])));
    assert_eq!(fire_each(NodeDeleted), (ids(&[0, 1, 2, 3, 4]), ids(&[3, 4])));
    assert_eq!(fire_each(NodeChildrenChanged), (ids(&[2, 3]), ids(&[0, 1, 3, 4])));
}

#[test]
fn one_shot_watches_fire_once() {
    let mut tables = tables_of(&[(Data, "/a", 1), (Data, "/b", 1), (Child, "/a", 2)]);
    assert_eq!(tables.fire(NodeDataChanged, "/a"), ids(&[1]));
    assert_eq!(tables.fire(NodeDataChanged, "/a"), []);
    assert_eq!(tables.watchers(), ids(&[1, 2]));
    assert_eq!(tables.fire(NodeDeleted, "/b"), ids(&[1]));
    assert_eq!((tables.watchers(), tables.len(), tables.bytes()), (ids(&[2]), 1, 2));
    assert_eq!(tables.fire(NodeChildrenChanged, "/a"), ids(&[2]));
    assert_eq!((tables.watchers(), tables.len(), tables.bytes()), (ids(&[]), 0, 0));
    tables.check_invariants();
}

#[test]
fn a_watcher_is_told_once_by_all_its_watches() {
    let watches = WatchKind::ALL.map(|kind| (kind, "/a", 9));
    let mut tables = tables_of(&watches);
    assert!(tables.register(Recursive, "/", WatcherId(9)));
    assert!(!tables.register(Recursive, "/", WatcherId(9)));
    assert!(tables.register(Recursive, "/", WatcherId(3)));
    assert_eq!(tables.len(), 7);
    assert_eq!(tables.fire(NodeDeleted, "/a"), ids(&[3, 9]));
    assert_eq!(tables.len(), 4);
}

#[test]
fn watchers_come_in_rising_order_whatever_order_they_came_in() {
    let mut tables = tables();
    for who in [5, 1, 9, 3, 7] {
        assert!(tables.register(Data, "/a", WatcherId(who)));
    }
    for who in [4, 2] {
        assert!(tables.register(Recursive, "/", WatcherId(who)));
    }
    assert_eq!(tables.fire(NodeDataChanged, "/a"), ids(&[1, 2, 3, 4, 5, 7, 9]));
}

#[test]
fn recursive_watches_see_all_below_but_no_child_lists() {
    let mut tables =
        tables_of(&[(Recursive, "/", 1), (Recursive, "/a", 2), (Recursive, "/a/b", 3)]);
    for event in [NodeCreated, NodeDataChanged, NodeDeleted] {
        assert_eq!(tables.fire(event, "/a/b/c/d"), ids(&[1, 2, 3]));
        assert_eq!(tables.fire(event, "/a/b"), ids(&[1, 2, 3]));
        assert_eq!(tables.fire(event, "/a/bc"), ids(&[1, 2]));
        assert_eq!(tables.fire(event, "/ab"), ids(&[1]));
        assert_eq!(tables.fire(event, "/"), ids(&[1]));
    }
    assert_eq!(tables.fire(NodeChildrenChanged, "/a/b"), []);
    assert_eq!(tables.fire(NodeChildrenChanged, "/"), []);
}

#[test]
fn paths_that_no_server_should_send_are_harmless() {
    let mut tables = tables_of(&[(Recursive, "/", 1), (Recursive, "/é", 2), (Recursive, "/ab", 3)]);
    for path in STRANGE.iter().chain(&["éé", "aé", "/aé", "\u{10ffff}"]) {
        let expected = if path.starts_with('/') { ids(&[1]) } else { ids(&[]) };
        assert_eq!(tables.fire(NodeDataChanged, path), expected, "{path:?}");
    }
    assert_eq!(tables.fire(NodeCreated, &"/".repeat(1 << 20)), ids(&[1]));
}

/// Events, and who is told of each.
type Told<'a> = &'a [(WatchEventKind, &'a [u64])];

#[test]
fn removal_tells_by_kind_who_lost_what() {
    use WatchEventKind::{ChildWatchRemoved, DataWatchRemoved, PersistentWatchRemoved};
    let fill = || {
        let one = WatchKind::ALL.map(|kind| (kind, "/a", 1));
        let mut tables = tables_of(&one);
        for (kind, who) in [(Data, 2), (Persistent, 2), (Child, 3)] {
            assert!(tables.register(kind, "/a", WatcherId(who)));
        }
        assert!(tables.register(Data, "/b", WatcherId(1)));
        tables
    };
    let rows: [(Option<u64>, WatcherType, Told<'_>, usize); 9] = [
        (Some(1), WatcherType::Children, &[(ChildWatchRemoved, &[1])], 8),
        (Some(1), WatcherType::Data, &[(DataWatchRemoved, &[1])], 7),
        (Some(1), WatcherType::Persistent, &[(PersistentWatchRemoved, &[1])], 8),
        (Some(1), WatcherType::PersistentRecursive, &[(PersistentWatchRemoved, &[1])], 8),
        (
            Some(1),
            WatcherType::Any,
            &[(ChildWatchRemoved, &[1]), (DataWatchRemoved, &[1]), (PersistentWatchRemoved, &[1])],
            4,
        ),
        (None, WatcherType::Children, &[(ChildWatchRemoved, &[1, 3])], 7),
        (
            None,
            WatcherType::Any,
            &[
                (ChildWatchRemoved, &[1, 3]),
                (DataWatchRemoved, &[1, 2]),
                (PersistentWatchRemoved, &[1, 2]),
            ],
            1,
        ),
        (Some(3), WatcherType::Data, &[], 9),
        (Some(4), WatcherType::Any, &[], 9),
    ];
    for (who, kind, expected, left) in rows {
        let mut tables = fill();
        let who = who.map(WatcherId);
        assert_eq!(tables.contains("/a", who, kind), !expected.is_empty());
        let expected: Vec<_> = expected.iter().map(|&(kind, told)| (kind, ids(told))).collect();
        assert_eq!(tables.remove("/a", who, kind), expected);
        assert_eq!((tables.contains("/a", who, kind), tables.len()), (false, left));
        assert_eq!(tables.remove("/a", who, kind), []);
        assert_eq!(tables.remove("/c", who, kind), []);
        tables.check_invariants();
    }
}

#[test]
fn a_removed_recursive_watch_no_longer_covers() {
    let mut tables = tables_of(&[(Recursive, "/a", 1), (Recursive, "/b", 2)]);
    assert_eq!(tables.remove("/a", None, WatcherType::PersistentRecursive).len(), 1);
    assert_eq!(tables.fire(NodeCreated, "/a/x"), []);
    assert_eq!(tables.fire(NodeCreated, "/b/x"), ids(&[2]));
}

#[test]
fn clearing_tells_who_lost_something() {
    let all = [(Data, "/a", 1), (Child, "/b", 1), (Exist, "/c", 2), (Persistent, "/c", 2)];
    let mut tables = tables_of(&all);
    assert_eq!(tables.clear_one_shot(), ids(&[1, 2]));
    assert_eq!((tables.watchers(), tables.len(), tables.bytes()), (ids(&[2]), 1, 2));
    assert_eq!(tables.clear_one_shot(), []);
    assert!(tables.register(Data, "/a", WatcherId(1)));
    assert_eq!(tables.clear(), ids(&[1, 2]));
    assert_eq!((tables.watchers(), tables.len(), tables.bytes()), (ids(&[]), 0, 0));
    assert!(tables.batches(100).is_empty());
    tables.check_invariants();
}

fn texts(paths: &[Arc<str>]) -> Vec<&str> {
    paths.iter().map(|path| &**path).collect()
}

#[test]
fn batches_fill_up_kind_by_kind() {
    let tables = tables_of(&[
        (Recursive, "/r", 1),
        (Persistent, "/p", 1),
        (Child, "/a", 1),
        (Data, "/b", 1),
        (Data, "/b", 2),
        (Data, "/a", 2),
        (Exist, "/e", 1),
    ]);
    let whole = tables.batches(128 * 1024);
    assert_eq!(whole.len(), 1);
    assert_eq!(texts(&whole[0].data), ["/a", "/b"], "paths in the order they came");
    assert_eq!((texts(&whole[0].exist), texts(&whole[0].child)), (vec!["/e"], vec!["/a"]));
    assert_eq!((texts(&whole[0].persistent), texts(&whole[0].recursive)), (vec!["/p"], vec!["/r"]));
    assert!(whole[0].needs_set_watches2());
    // Each path takes six bytes, and a batch may be exactly full.
    let split = tables.batches(24);
    assert_eq!(split.len(), 2);
    assert_eq!(texts(&split[0].child), ["/a"]);
    assert!(!split[0].needs_set_watches2());
    assert_eq!((texts(&split[1].persistent), texts(&split[1].recursive)), (vec!["/p"], vec!["/r"]));
    assert_eq!(tables.batches(23).len(), 2);
    assert_eq!(tables.batches(17).len(), 3);
    assert_eq!(tables.batches(0).len(), 6, "a path too long goes alone");
}

#[test]
fn a_long_path_does_not_lengthen_a_batch() {
    let long = format!("/{}", "x".repeat(1_000));
    let tables = tables_of(&[(Data, "/a", 1), (Data, &long, 1), (Data, "/b", 1)]);
    let batches = tables.batches(100);
    let sizes: Vec<_> = batches.iter().map(|batch| batch.data.len()).collect();
    assert_eq!(sizes, [1, 1, 1]);
}

#[test]
fn a_refused_batch_is_forgotten() {
    let mut tables = tables_of(&[
        (Data, "/a", 1),
        (Child, "/a", 1),
        (Persistent, "/a", 2),
        (Persistent, "/b", 3),
        (Data, "/b", 3),
    ]);
    let batches = tables.batches(18);
    assert_eq!(batches.len(), 2);
    assert_eq!(
        tables.fire(NodeDataChanged, "/b"),
        ids(&[3]),
        "a batch under way may name what is gone"
    );
    assert_eq!(tables.forget(&batches[1]), ids(&[2, 3]));
    assert_eq!(tables.forget(&batches[1]), []);
    assert_eq!(tables.watchers(), ids(&[1]));
    assert_eq!(tables.forget(&batches[0]), ids(&[1]));
    assert_eq!(tables.len(), 0);
    tables.check_invariants();
}

//! Snapshots while the tree goes on changing: what comes out is the tree as it was at the start.

use std::collections::BTreeMap;

use quickcheck::{Gen, QuickCheck};
use zookeeper_core::{
    SessionId,
    storage::SnapshotEncoder,
    tree::{SnapshotMark, Tree},
    wire::Txn,
};
use zookeeper_sim::{
    replay,
    snapshot::{self, Snapshot, SnapshotNode},
};

use crate::{random::Run, world::*};

/// The tree as a snapshot of it must read.
fn expected(tree: &Tree) -> Snapshot {
    let sessions = tree.sessions().iter().map(|(id, view)| (id, view.timeout_ms)).collect();
    let nodes: BTreeMap<_, _> = tree
        .stored_nodes()
        .map(|node| {
            let data = node.data.map(|data| data.to_vec());
            (node.path.to_owned(), SnapshotNode { data, acl: node.acl, stat: node.stat })
        })
        .collect();
    let digest = tree.digest().map_or_else(Default::default, |digest| (tree.last_zxid(), digest));
    let last_zxid = Some(tree.last_zxid());
    Snapshot { sessions, acls: BTreeMap::new(), nodes, digest, last_zxid }
}

/// A snapshot being taken, and what must come out.
struct Taking {
    mark: SnapshotMark,
    encoder: SnapshotEncoder,
    bytes: Vec<u8>,
    expected: Snapshot,
}

impl Taking {
    fn begin(tree: &mut Tree) -> Self {
        let expected = expected(tree);
        let mark = tree.begin_snapshot();
        tree.check_invariants();
        Self { mark, encoder: SnapshotEncoder::new(), bytes: Vec::new(), expected }
    }

    /// Returns whether there is more.
    fn step(&mut self, tree: &mut Tree, length: usize) -> bool {
        let before = self.encoder.waiting();
        let more = tree.snapshot_chunk(length, self.encoder.records());
        let added = self.encoder.waiting() - before;
        assert!(added < length + (64 << 10), "{added} bytes instead of {length}");
        tree.check_invariants();
        self.bytes.extend(self.encoder.take());
        more
    }

    /// The rest at once, and a look at it all.
    fn finish(mut self, tree: &mut Tree) -> Snapshot {
        while self.step(tree, 1 << 20) {}
        assert_eq!(tree.snapshot_waiting(), 0);
        self.encoder.end_nodes();
        self.encoder.digest(self.mark.zxid, self.mark.digest);
        self.encoder.last_zxid(self.mark.zxid);
        self.bytes.extend(self.encoder.take());
        let read = snapshot::read(&self.bytes);
        let acls = read.acls.clone();
        assert_eq!(Snapshot { acls: BTreeMap::new(), ..read.clone() }, self.expected);
        assert!(acls.values().all(|list| read.nodes.values().any(|node| node.acl == *list)));
        read
    }
}

#[test]
fn any_changes_between_any_chunks_leave_the_snapshot_as_the_tree_was() {
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(100, replay::seed()))
        .tests(60)
        .quickcheck(interleave as fn(u64) -> ());
}

fn interleave(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..run.rng.below(300) {
        run.step();
    }
    // Several, one after the other: the next finds the marks of the one before.
    for _ in 0..4 {
        let mut taking = Taking::begin(&mut run.tree);
        let pace = 1 + run.rng.below(8);
        let is_given_up = run.rng.one_in(4);
        let mut more = true;
        for _ in 0..60 {
            run.step();
            run.tree.check_invariants();
            if more && run.rng.one_in(pace) {
                let length = usize::try_from(run.rng.below(400)).unwrap();
                more = taking.step(&mut run.tree, length);
            }
        }
        if is_given_up {
            run.tree.end_snapshot();
            assert_eq!(run.tree.snapshot_waiting(), 0);
        } else {
            taking.finish(&mut run.tree);
        }
    }
}

#[test]
fn a_snapshot_at_rest_is_the_tree() {
    let mut world = World::new();
    world.make("/a");
    world.ok(&create_with("/a/b", READ_ONLY));
    world.ok(&create("/a/c", b"data", 1));
    let read = Taking::begin(&mut world.tree).finish(&mut world.tree);
    assert_eq!(read.sessions, BTreeMap::from([(ME, 4_000), (OTHER, 5_000)]));
    assert_eq!(read.nodes["/a/c"].stat.owner, ME.0);
    // What is read-only, `/zookeeper/config` too; nobody lists what is open.
    assert_eq!(read.acls.len(), 1);
    assert_eq!(Taking::begin(&mut world.tree).finish(&mut world.tree), read, "nothing has changed");
}

#[test]
fn what_goes_before_it_is_written_is_in_the_snapshot_and_what_comes_is_not() {
    let mut world = World::new();
    world.make("/parent");
    world.ok(&create_with("/parent/goes", MINE));
    world.send(&other(), &create("/parent/mine", b"", 1));
    let taking = Taking::begin(&mut world.tree);
    assert_eq!(world.tree.snapshot_waiting(), 8, "the numbers of sessions and of ACLs");
    world.send(&me_with_id(), &delete("/parent/goes", -1));
    let close = Txn::CloseSession { paths: Some(vec!["/parent/mine".into()]) };
    world.apply(OTHER, &close);
    world.apply(SessionId(0x77), &Txn::CreateSession { timeout_ms: 1 });
    world.make("/parent/comes");
    world.ok(&set_data("/parent", b"later", -1));
    world.ok(&set_acl("/parent", READ_ONLY, -1));
    assert!(world.tree.snapshot_waiting() > 8);
    let read = taking.finish(&mut world.tree);
    assert!(read.nodes.contains_key("/parent/goes") && read.nodes.contains_key("/parent/mine"));
    assert!(!read.nodes.contains_key("/parent/comes"));
    assert_eq!(read.nodes["/parent"].data.as_deref(), Some(&b""[..]));
    assert_eq!(read.sessions.keys().collect::<Vec<_>>(), [&ME, &OTHER]);
    assert_eq!(read.acls.len(), 2, "with the one that no znode has any more");
}

#[test]
fn quota_statistics_are_those_of_the_start() {
    let mut world = World::new();
    for path in ["/app", "/zookeeper/quota/app"] {
        world.make(path);
    }
    let (limits, stats) =
        ("/zookeeper/quota/app/zookeeper_limits", "/zookeeper/quota/app/zookeeper_stats");
    world.ok(&create(limits, b"count=10,bytes=100", 0));
    world.ok(&create(stats, b"", 0));
    let taking = Taking::begin(&mut world.tree);
    world.ok(&create("/app/child", b"12345", 0));
    let read = taking.finish(&mut world.tree);
    assert_eq!(read.nodes[stats].data.as_deref(), Some(&b"count=1,bytes=0"[..]));
    let now = Taking::begin(&mut world.tree).finish(&mut world.tree);
    assert_eq!(now.nodes[stats].data.as_deref(), Some(&b"count=2,bytes=5"[..]));
}

#[test]
fn a_list_that_comes_again_is_another_one() {
    let mut world = World::new();
    world.ok(&create_with("/a", MINE));
    let taking = Taking::begin(&mut world.tree);
    world.send(&me_with_id(), &set_acl("/a", OPEN, -1));
    world.ok(&create_with("/b", MINE));
    let first = taking.finish(&mut world.tree);
    let second = Taking::begin(&mut world.tree).finish(&mut world.tree);
    let index = |snapshot: &Snapshot| {
        let mine = snapshot.acls.iter().find(|(_, list)| list[0].id.scheme == "digest".into());
        *mine.expect("it is listed").0
    };
    assert!(index(&second) > index(&first));
}

#[test]
fn a_chunk_is_no_longer_than_asked_for_and_one_record_more() {
    let mut world = World::new();
    let data = vec![b'x'; 1_000];
    let paths: Vec<String> = (0..500).map(|number| format!("/n{number}")).collect();
    for path in &paths {
        world.ok(&create(path, &data, 0));
    }
    let mut taking = Taking::begin(&mut world.tree);
    // Half of them wait, since they change; the other half is found.
    for path in paths.iter().step_by(2) {
        world.ok(&set_data(path, b"", -1));
    }
    let (mut chunks, mut longest) = (0, 0);
    loop {
        let before = taking.bytes.len();
        let more = taking.step(&mut world.tree, 32 << 10);
        chunks += 1;
        longest = longest.max(taking.bytes.len() - before);
        if !more {
            break;
        }
    }
    assert!(longest <= (32 << 10) + (16 << 10) + 2_000, "{longest} bytes in a chunk");
    assert!((10..25).contains(&chunks), "{chunks} chunks");
    assert_eq!(taking.finish(&mut world.tree).nodes.len(), 504);
}

#[test]
fn a_slot_used_again_is_not_written_twice() {
    let mut world = World::new();
    world.make("/old");
    let taking = Taking::begin(&mut world.tree);
    world.ok(&delete("/old", -1));
    world.make("/new");
    let read = taking.finish(&mut world.tree);
    assert!(read.nodes.contains_key("/old") && !read.nodes.contains_key("/new"));
}

#[test]
fn a_deep_change_brings_its_ancestors_first() {
    let mut world = World::new();
    let path: String = (0..50).map(|_| "/x").collect();
    for depth in 1..=50 {
        world.make(&path[..depth * 2]);
    }
    let mut taking = Taking::begin(&mut world.tree);
    world.ok(&set_data(&path, b"later", -1));
    taking.step(&mut world.tree, 0);
    // The reader refuses a znode before its parent.
    assert_eq!(taking.finish(&mut world.tree).nodes.len(), 54);
}

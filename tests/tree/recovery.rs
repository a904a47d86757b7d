//! Logs applied again, over snapshots of the same age and of a later one.

use std::sync::Arc;

use zookeeper_core::{
    Rng, SessionId, Zxid,
    tree::{Config, RestoreError, StoredNode, StoredStat, Tree},
    wire::{Acl, AclList, CreateKind, ErrorCode, Txn, TxnHeader, perms},
};

use crate::world::*;

fn acl(perms: i32) -> AclList {
    Arc::from([Acl::new(perms, "world", "anyone")])
}

fn header(session: SessionId, zxid: i64) -> TxnHeader {
    TxnHeader { session, cxid: 0, zxid: Zxid(zxid), time_ms: 50 + zxid }
}

fn create_txn(path: &'static str, create2: bool, kind: CreateKind, cversion: i32) -> Txn<'static> {
    let acl = acl(perms::READ);
    Txn::Create { create2, path: path.into(), data: None, acl, kind, parent_cversion: cversion }
}

fn plain(path: &'static str, cversion: i32) -> Txn<'static> {
    create_txn(path, false, CreateKind::Persistent, cversion)
}

fn delete_txn(path: &'static str) -> Txn<'static> {
    Txn::Delete { container: false, path: path.into() }
}

fn tree() -> Tree {
    Tree::new(Config::default(), &mut Rng::new(3))
}

fn stored<'t>(tree: &'t Tree, path: &str) -> Option<StoredNode<'t>> {
    tree.stored_nodes().find(|node| node.path == path)
}

fn restore(tree: &mut Tree, path: &str, stat: StoredStat) {
    tree.restore_node(StoredNode { path, data: None, acl: acl(31), stat }).unwrap();
}

/// The tree as a snapshot would give it back.
pub(crate) fn restored(from: &Tree) -> Tree {
    let mut tree = tree();
    for (session, view) in from.sessions().iter() {
        tree.restore_session(session, view.timeout_ms);
    }
    for node in from.stored_nodes() {
        tree.restore_node(node).unwrap();
    }
    tree.restore_zxid(from.last_zxid());
    tree
}

#[test]
fn a_tree_survives_its_snapshot() {
    let mut world = World::new();
    for path in ["/a", "/a/b", "/c"] {
        world.make(path);
    }
    world.ok(&create("/eph", b"data", 1));
    world.ok(&create_with("/secret", MINE));
    world.ok(&zookeeper_core::wire::Request::CreateContainer(create_record("/box", b"", 4)));
    world.ok(&set_data("/", b"root", -1));
    world.ok(&delete("/c", -1));
    let mut again = restored(&world.tree);
    assert_eq!(again.finish_recovery(), 0);
    again.check_invariants();
    assert_eq!(nodes_of(&again), world.nodes());
    assert_eq!(again.digest(), world.tree.digest());
    assert_eq!(again.last_zxid(), world.tree.last_zxid());
    assert_eq!(again.approximate_data_size(), world.tree.approximate_data_size());
    assert_eq!(again.ephemerals(ME).collect::<Vec<_>>(), ["/eph"]);
}

#[test]
fn snapshots_are_looked_at() {
    let mut tree = tree();
    let owner = ME.0;
    restore(&mut tree, "/eph", StoredStat { owner, ..StoredStat::default() });
    let node = |path| StoredNode { path, data: None, acl: acl(31), stat: StoredStat::default() };
    for (path, error) in [
        ("/nope/x", RestoreError::NoParent),
        ("/eph/x", RestoreError::ParentIsEphemeral),
        ("nope", RestoreError::IllegalPath),
        ("/a/", RestoreError::IllegalPath),
        ("/a//b", RestoreError::IllegalPath),
    ] {
        assert_eq!(tree.restore_node(node(path)), Err(error));
    }
    let stat = StoredStat { owner, ..StoredStat::default() };
    let parent = StoredNode { stat, ..node("/zookeeper") };
    assert_eq!(tree.restore_node(parent), Err(RestoreError::ParentIsEphemeral));
    tree.check_invariants();
    // Nobody knows the session.
    assert_eq!(tree.ephemeral_count(), 1);
    assert_eq!(tree.sessions().len(), 0);
    assert_eq!(tree.finish_recovery(), 1);
    assert_eq!((tree.ephemeral_count(), stored(&tree, "/eph")), (0, None));
    tree.check_invariants();
}

#[test]
fn what_does_not_fit_is_left_out() {
    let mut tree = tree();
    for (zxid, txn, fits) in [
        (1, plain("/a", 1), true),
        (2, plain("/nope/x", 1), false),
        (3, delete_txn("/nope"), false),
        (4, Txn::SetData { path: "/nope".into(), data: None, version: 1 }, false),
        (5, Txn::SetAcl { path: "/nope".into(), acl: acl(31), version: 1 }, false),
        (6, Txn::Error(ErrorCode::NO_NODE), true),
        (7, Txn::Multi(vec![plain("/b", 2), Txn::Error(ErrorCode::NO_NODE)]), true),
        (8, Txn::Multi(vec![delete_txn("/nope"), plain("/c", 2)]), false),
        (9, create_txn("/a/e", true, CreateKind::Ephemeral, 1), true),
        (10, plain("/a/e/x", 1), false),
        (11, delete_txn("/"), false),
    ] {
        assert_eq!(tree.replay(&header(ME, zxid), &txn), fits, "{txn:?}");
        assert_eq!(tree.last_zxid(), Zxid(zxid));
        tree.check_invariants();
    }
    assert!(stored(&tree, "/b").is_none() && stored(&tree, "/c").is_some());
}

#[test]
fn a_parent_never_counts_backwards() {
    let mut tree = tree();
    restore(&mut tree, "/p", StoredStat { cversion: 7, pzxid: Zxid(90), ..StoredStat::default() });
    let count = |tree: &Tree| {
        let stat = stored(tree, "/p").unwrap().stat;
        (stat.cversion, stat.pzxid.0)
    };
    assert!(tree.replay(&header(ME, 50), &plain("/p/a", 3)));
    assert_eq!(count(&tree), (7, 90));
    assert!(tree.replay(&header(ME, 51), &delete_txn("/p/a")));
    assert_eq!(count(&tree), (7, 90));
    assert!(tree.replay(&header(ME, 91), &plain("/p/b", 8)));
    assert_eq!(count(&tree), (8, 91));
    // The oldest logs do not say how far.
    assert!(tree.replay(&header(ME, 92), &plain("/p/c", -1)));
    assert_eq!(count(&tree), (9, 92));
    assert!(tree.replay(&header(ME, 93), &delete_txn("/p/c")));
    assert_eq!(count(&tree), (9, 93));
    // A count that wraps goes on.
    let stat = StoredStat { cversion: i32::MAX, ..StoredStat::default() };
    restore(&mut tree, "/p", stat);
    assert!(tree.replay(&header(ME, 94), &plain("/p/d", i32::MIN)));
    assert_eq!(count(&tree), (i32::MIN, 94));
    tree.check_invariants();
}

#[test]
fn a_create_of_a_znode_that_is_there_leaves_traces() {
    for (create2, kind, traces) in [
        (false, CreateKind::Persistent, true),
        (true, CreateKind::Persistent, false),
        (false, CreateKind::Container, false),
        (false, CreateKind::Ttl(5), false),
    ] {
        let mut tree = tree();
        restore(&mut tree, "/p", StoredStat::default());
        restore(&mut tree, "/p/x", StoredStat { version: 4, ..StoredStat::default() });
        assert!(!tree.replay(&header(ME, 9), &create_txn("/p/x", create2, kind, 2)));
        let (parent, node) = (stored(&tree, "/p").unwrap(), stored(&tree, "/p/x").unwrap());
        let expected = if traces { (2, 9, perms::READ) } else { (0, 0, perms::ALL) };
        assert_eq!((parent.stat.cversion, parent.stat.pzxid.0, node.acl[0].perms), expected);
        assert_eq!(node.stat.version, 4);
        tree.check_invariants();
    }
}

#[test]
fn a_delete_takes_later_children_along() {
    let mut tree = tree();
    for path in ["/p", "/p/a", "/p/a/b", "/p/c"] {
        restore(&mut tree, path, StoredStat::default());
    }
    assert!(tree.replay(&header(ME, 9), &delete_txn("/p")));
    assert_eq!(tree.node_count(), 5);
    tree.check_invariants();
}

#[test]
fn the_end_of_a_session_takes_what_is_listed_and_what_is_not() {
    for paths in [None, Some(vec!["/listed".into(), "/nope".into()])] {
        let mut tree = tree();
        for txn in [
            Txn::CreateSession { timeout_ms: 1 },
            create_txn("/listed", false, CreateKind::Ephemeral, 1),
            create_txn("/unlisted", false, CreateKind::Ephemeral, 2),
            Txn::CloseSession { paths },
        ] {
            let zxid = tree.last_zxid().0 + 1;
            assert!(tree.replay(&header(ME, zxid), &txn));
        }
        assert_eq!((tree.node_count(), tree.sessions().len()), (5, 0));
        tree.check_invariants();
    }
}

#[test]
fn quotas_are_counted_anew() {
    let mut world = World::new();
    for path in ["/q", "/q/a", "/zookeeper/quota/q"] {
        world.make(path);
    }
    world.make("/zookeeper/quota/q/zookeeper_limits");
    let stats = "/zookeeper/quota/q/zookeeper_stats";
    world.make(stats);
    world.ok(&set_data(stats, b"count=99,bytes=99", -1));
    let mut again = restored(&world.tree);
    again.finish_recovery();
    again.check_invariants();
    let node = stored(&again, stats).unwrap();
    assert_eq!(node.data.as_deref(), Some(&b"count=2,bytes=0"[..]));
    assert_eq!(node.stat.version, 1);
}

//! Sessions and their ephemerals, containers, and znodes with a time to live.

use zookeeper_core::{
    tree::RemovalCursor,
    wire::{EventKind, Request, Txn},
};

use crate::world::*;

fn ephemerals(world: &mut World, who: &Who, prefix: &str) -> Vec<String> {
    let reply = world.send(who, &Request::GetEphemerals(path_request(prefix)));
    assert!(reply.error.is_ok());
    reply.names()
}

#[test]
fn sessions_come_and_go() {
    let mut world = World::new();
    let sessions = world.tree.sessions();
    let all: Vec<_> = sessions.iter().map(|(id, view)| (id, view.timeout_ms)).collect();
    assert_eq!(all, [(ME, 4_000), (OTHER, 5_000)]);
    assert_eq!((sessions.len(), sessions.get(STRANGER)), (2, None));
    for path in ["/a", "/b"] {
        world.ok(&create(path, b"", 1));
    }
    world.send(&other(), &create("/c", b"", 1));
    assert_eq!(world.tree.sessions().get(ME).unwrap().ephemerals, 2);
    assert_eq!(world.tree.ephemerals(ME).collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(world.tree.ephemeral_count(), 3);
    let txn = world.tree.prepare_close(ME);
    assert_eq!(txn, Txn::CloseSession { paths: Some(vec!["/a".into(), "/b".into()]) });
    world.apply(ME, &txn);
    assert_eq!((world.tree.ephemeral_count(), world.tree.sessions().get(ME)), (1, None));
    assert_eq!(world.send(&me(), &create("/d", b"", 0)).error.0, -12);
    assert_eq!(world.send(&me(), &create("/d", b"", 1)).error.0, -112);
    world.tree.check_invariants();
}

#[test]
fn the_end_of_a_session_is_like_deletes() {
    use EventKind::{NodeChildrenChanged, NodeDeleted};
    for close_session_paths in [true, false] {
        let mut world = World::with(|config| config.close_session_paths = close_session_paths);
        world.make("/p");
        world.ok(&create("/p/x", b"", 1));
        world.ok(&create("/p/y", b"", 1));
        world.send(&other(), &add_watch("/p", 0));
        world.send(&other(), &exists_watch("/p/y"));
        let txn = world.tree.prepare_close(ME);
        let events = world.apply(ME, &txn);
        let changed = (NodeChildrenChanged, "/p".to_owned(), vec![2]);
        assert_eq!(events, [changed.clone(), (NodeDeleted, "/p/y".to_owned(), vec![2]), changed]);
        let stat = world.send(&other(), &exists("/p")).stat();
        assert_eq!((stat.pzxid.0, stat.cversion, stat.num_children), (world.zxid, 4, 0));
        world.tree.check_invariants();
    }
}

#[test]
fn ephemerals_are_listed_by_session_and_prefix() {
    let mut world = World::new();
    for path in ["/s", "/sx", "/t"] {
        world.ok(&create(path, b"", 1));
    }
    world.send(&other(), &create("/u", b"", 1));
    for all in ["", "/", "  ", " / ", "\0/"] {
        assert_eq!(ephemerals(&mut world, &me(), all), ["/s", "/sx", "/t"]);
    }
    assert_eq!(ephemerals(&mut world, &me(), "/s"), ["/s", "/sx"]);
    assert_eq!(ephemerals(&mut world, &me(), "/nope"), [""; 0]);
    assert_eq!(ephemerals(&mut world, &other(), "/"), ["/u"]);
    let null = Request::GetEphemerals(zookeeper_core::wire::PathRequest { path: None });
    assert_eq!(world.ok(&null).names().len(), 3);
    world.ok(&delete("/s", -1));
    world.ok(&set_data("/sx", b"", -1));
    assert_eq!(ephemerals(&mut world, &me(), "/"), ["/sx", "/t"]);
    world.tree.check_invariants();
}

/// Which znodes would be removed `after_ms` from now.
fn candidates(world: &World, after_ms: i64, never_used_ms: i64) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = RemovalCursor::default();
    let now_ms = world.now_ms + after_ms;
    while world.tree.removal_candidates(&mut cursor, 1, now_ms, never_used_ms, &mut found) {}
    for path in &found {
        assert!(world.tree.is_removal_candidate(path, now_ms, never_used_ms));
    }
    found.sort_unstable();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn containers_go_after_their_last_child() {
    let mut world = World::new();
    for path in ["/never", "/used", "/inuse"] {
        world.ok(&Request::CreateContainer(create_record(path, b"", 4)));
    }
    for parent in ["/used", "/inuse"] {
        world.make(&format!("{parent}/child"));
    }
    world.ok(&delete("/used/child", -1));
    assert_eq!(candidates(&world, 0, 0), ["/used"]);
    assert_eq!(candidates(&world, 1_000_000, 0), ["/used"], "zero is for ever");
    assert_eq!(candidates(&world, 1_000, 5_000), ["/used"]);
    assert_eq!(candidates(&world, 6_000, 5_000), ["/never", "/used"]);
    assert!(!world.tree.is_removal_candidate("/nope", 0, 0));
    world.ok(&exists_watch("/used"));
    let txn = world.tree.prepare_removal("/used").unwrap();
    assert_eq!(txn, Txn::Delete { container: true, path: "/used".into() });
    let events = world.apply(zookeeper_core::SessionId::NONE, &txn);
    assert_eq!(events, [(EventKind::NodeDeleted, "/used".to_owned(), vec![1])]);
    assert_eq!(candidates(&world, 0, 0), [""; 0]);
    world.tree.check_invariants();
}

#[test]
fn ttl_znodes_go_when_left_alone() {
    let mut world = World::with(|config| config.extended_types = true);
    world.ok(&create_ttl("/t", 5, 500));
    world.ok(&create_ttl("/parent", 5, 500));
    world.make("/parent/child");
    assert_eq!(candidates(&world, 400, 0), [""; 0]);
    assert_eq!(candidates(&world, 600, 0), ["/t"]);
    world.now_ms += 600;
    world.ok(&set_data("/t", b"", -1));
    assert_eq!(candidates(&world, 400, 0), [""; 0], "new data renews");
    world.ok(&delete("/parent/child", -1));
    assert_eq!(candidates(&world, 0, 0), ["/parent"], "children do not");
    world.tree.check_invariants();
}

#[test]
fn many_candidates_are_found_in_steps() {
    let mut world = World::with(|config| config.extended_types = true);
    for number in 0..100 {
        world.ok(&create_ttl(&format!("/t{number}"), 5, 1));
    }
    let mut cursor = RemovalCursor::default();
    let mut found = Vec::new();
    let now_ms = world.now_ms + 10;
    assert!(world.tree.removal_candidates(&mut cursor, 30, now_ms, 0, &mut found));
    assert_eq!(found.len(), 30);
    // Some go between two steps; the others are still found, each once.
    for path in &found {
        let txn = world.tree.prepare_removal(path).unwrap();
        let txn = match txn {
            Txn::Delete { container, path } => {
                Txn::Delete { container, path: path.into_owned().into() }
            }
            other => panic!("{other:?}"),
        };
        world.apply(zookeeper_core::SessionId::NONE, &txn);
    }
    while world.tree.removal_candidates(&mut cursor, 30, now_ms, 0, &mut found) {}
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 100);
    world.tree.check_invariants();
}

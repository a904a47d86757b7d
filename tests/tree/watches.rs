//! Which changes tell whom what, and what `setWatches` catches up on.

use zookeeper_core::{
    Zxid,
    tree::Watcher,
    wire::{
        ErrorCode,
        EventKind::{self, NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted},
        List, Paths, Request, Response, SetWatches, SetWatches2, Text, WatchRequest,
    },
};

use crate::world::*;

fn event(kind: EventKind, path: &str) -> Event {
    (kind, path.to_owned(), vec![1])
}

#[test]
fn one_shot_watches() {
    let mut world = World::new();
    world.make("/p");
    assert_eq!(world.send(&me(), &exists_watch("/p/x")).error, ErrorCode::NO_NODE);
    world.ok(&get_children_watch("/p"));
    let created = [event(NodeCreated, "/p/x"), event(NodeChildrenChanged, "/p")];
    assert_eq!(world.make("/p/x").events, created);
    assert_eq!(world.make("/p/y").events, [], "both are used up");
    world.ok(&get_data_watch("/p/x"));
    world.ok(&exists_watch("/p/x"));
    let changed = world.ok(&set_data("/p/x", b"", -1));
    assert_eq!(changed.events, [event(NodeDataChanged, "/p/x")], "two reads, one watch");
    world.ok(&get_data_watch("/p/x"));
    assert_eq!(world.ok(&set_acl("/p/x", OPEN, -1)).events, []);
    assert_eq!(world.send(&me(), &set_data("/p/x", b"", 99)).events, []);
    world.ok(&get_children_watch("/p/x"));
    world.ok(&get_children_watch("/p"));
    let deleted = [event(NodeDeleted, "/p/x"), event(NodeChildrenChanged, "/p")];
    assert_eq!(world.ok(&delete("/p/x", -1)).events, deleted, "two watches, one event");
    assert_eq!(world.tree.watches().count(), 0);
    world.tree.check_invariants();
}

#[test]
fn failed_reads_leave_no_watch() {
    let mut world = World::new();
    world.ok(&create_with("/secret", MINE));
    for request in [get_data_watch("/nope"), get_children_watch("/nope"), exists_watch("/secret")] {
        assert!(!world.send(&me(), &request).error.is_ok());
    }
    assert_eq!(world.tree.watches().count(), 0);
}

#[test]
fn persistent_watches() {
    let mut world = World::new();
    world.ok(&add_watch("/p", 0));
    world.ok(&add_watch("/p", 0));
    assert_eq!(world.make("/p").events, [event(NodeCreated, "/p")]);
    for _ in 0..2 {
        let changed = world.ok(&set_data("/p", b"", -1));
        assert_eq!(changed.events, [event(NodeDataChanged, "/p")]);
    }
    assert_eq!(world.make("/p/x").events, [event(NodeChildrenChanged, "/p")]);
    assert_eq!(world.ok(&set_data("/p/x", b"", -1)).events, []);
    assert_eq!(world.ok(&delete("/p/x", -1)).events, [event(NodeChildrenChanged, "/p")]);
    assert_eq!(world.ok(&delete("/p", -1)).events, [event(NodeDeleted, "/p")]);
    assert_eq!(world.make("/p").events, [event(NodeCreated, "/p")]);
}

#[test]
fn recursive_watches() {
    let mut world = World::new();
    world.ok(&add_watch("/p", 1));
    world.ok(&add_watch("/", 1));
    assert_eq!(world.make("/p").events, [event(NodeCreated, "/p")]);
    assert_eq!(world.make("/p/x").events, [event(NodeCreated, "/p/x")]);
    assert_eq!(world.make("/px").events, [event(NodeCreated, "/px")]);
    let reply = world.ok(&set_data("/p/x", b"", -1));
    assert_eq!(reply.events, [event(NodeDataChanged, "/p/x")]);
    assert_eq!(world.ok(&delete("/p/x", -1)).events, [event(NodeDeleted, "/p/x")]);
    assert_eq!(world.ok(&add_watch("/p", 1)).response(), Response::Error(ErrorCode::OK));
}

#[test]
fn watches_of_two_connections_are_told_together() {
    let mut world = World::new();
    world.make("/p");
    world.send(&other(), &get_data_watch("/p"));
    world.ok(&get_data_watch("/p"));
    let reply = world.ok(&set_data("/p", b"", -1));
    assert_eq!(reply.events, [(NodeDataChanged, "/p".to_owned(), vec![1, 2])]);
    world.send(&other(), &get_data_watch("/p"));
    world.tree.retire_watcher(Watcher(2));
    assert_eq!(world.ok(&set_data("/p", b"", -1)).events, []);
    while world.tree.clean(1) {}
    assert_eq!(world.tree.watches().count(), 0);
}

#[test]
fn removal_and_checks_look_at_the_type() {
    const MISSING: i32 = -121;
    let mut world = World::new();
    world.make("/p");
    let request = |mode| WatchRequest { path: text("/p"), mode };
    let mut ask = |world: &mut World, mode, remove: bool| {
        let request = request(mode);
        let request =
            if remove { Request::RemoveWatches(request) } else { Request::CheckWatches(request) };
        world.send(&me(), &request).error.0
    };
    for mode in [0, 6, -1] {
        assert_eq!(ask(&mut world, mode, false), -5);
        assert_eq!(ask(&mut world, mode, true), -5);
    }
    for mode in 1..=5 {
        assert_eq!(ask(&mut world, mode, true), MISSING);
    }
    world.ok(&get_data_watch("/p"));
    let found = |world: &mut World, ask: &mut dyn FnMut(&mut World, i32, bool) -> i32| {
        (1..=5).filter(|&mode| ask(world, mode, false) == 0).collect::<Vec<_>>()
    };
    assert_eq!(found(&mut world, &mut ask), [2, 3]);
    assert_eq!(ask(&mut world, 1, true), MISSING, "another type is there");
    world.ok(&get_children_watch("/p"));
    assert_eq!(found(&mut world, &mut ask), [1, 2, 3]);
    world.ok(&add_watch("/p", 0));
    assert_eq!(found(&mut world, &mut ask), [1, 2, 3, 4]);
    assert_eq!(ask(&mut world, 2, true), 0);
    assert_eq!(found(&mut world, &mut ask), [1, 3, 4], "a persistent one is no data watch");
    world.ok(&add_watch("/p", 1));
    assert_eq!(ask(&mut world, 4, true), 0);
    assert_eq!(found(&mut world, &mut ask), [1, 3, 5]);
    assert_eq!(ask(&mut world, 3, true), 0);
    assert_eq!(found(&mut world, &mut ask), []);
    assert_eq!(world.tree.watches().count(), 0);
}

#[test]
fn the_acl_to_filter_by_is_that_of_the_znode_or_its_parent() {
    use zookeeper_core::tree::{Caller, Fired};
    use zookeeper_core::wire::{CreateRequest, TxnHeader};
    let mut world = World::new();
    world.make("/p");
    world.ok(&add_watch("/p", 0));
    world.ok(&add_watch("/p", 1));
    let request = CreateRequest { acl: Some(List::new(MINE)), ..create_record("/p/x", b"", 0) };
    let who = me();
    let caller = Caller { session: ME, watcher: Watcher(1), identities: &who.identities };
    let txn = world.tree.prepare(&caller, &Request::Create(request)).unwrap();
    let mut fired = Fired::default();
    let zxid = world.tree.last_zxid().next();
    let header = TxnHeader { session: ME, cxid: 0, zxid, time_ms: 0 };
    let outcome = world.tree.apply(&header, &txn, &mut fired);
    assert!(world.tree.answer(&outcome).error().is_ok());
    let schemes: Vec<_> = fired
        .iter()
        .map(|change| (change.kind, change.acl.unwrap()[0].id.scheme.clone()))
        .collect();
    assert_eq!(schemes, [(NodeCreated, "digest".into()), (NodeChildrenChanged, "world".into())]);
}

fn paths<'a>(list: &'a [Option<Text<'a>>]) -> Option<Paths<'a>> {
    Some(List::new(list))
}

#[test]
fn set_watches_tells_what_was_missed() {
    let mut world = World::new();
    for path in ["/same", "/changed", "/parent", "/quiet", "/gone"] {
        world.make(path);
    }
    let seen = world.tree.last_zxid().0;
    world.ok(&set_data("/changed", b"", -1));
    world.make("/parent/child");
    world.ok(&delete("/gone", -1));
    world.make("/came");
    let all = ["/same", "/changed", "/gone", "/parent", "/quiet", "/came", "/never"].map(text);
    let exist = ["/came", "/never"].map(text);
    let child = ["/parent", "/quiet", "/gone"].map(text);
    let persistent = ["/changed", "/never"].map(text);
    let reply = world.ok(&Request::SetWatches2(SetWatches2 {
        relative_zxid: seen,
        data: paths(&all),
        exist: paths(&exist),
        child: paths(&child),
        persistent: paths(&persistent),
        recursive: paths(&persistent),
    }));
    assert_eq!(
        reply.events,
        [
            event(NodeDataChanged, "/changed"),
            event(NodeDeleted, "/gone"),
            event(NodeDataChanged, "/came"),
            event(NodeDeleted, "/never"),
            event(NodeCreated, "/came"),
            event(NodeChildrenChanged, "/parent"),
            event(NodeDeleted, "/gone"),
        ]
    );
    assert_eq!((reply.response(), reply.hold), (Response::Empty, Zxid(world.zxid)));
    // What was not told is watched.
    for (request, expected) in [
        (set_data("/same", b"", -1), vec![event(NodeDataChanged, "/same")]),
        (set_data("/parent", b"", -1), vec![event(NodeDataChanged, "/parent")]),
        (create("/quiet/x", b"", 0), vec![event(NodeChildrenChanged, "/quiet")]),
        (create("/parent/y", b"", 0), vec![]),
        (set_data("/changed", b"", -1), vec![event(NodeDataChanged, "/changed")]),
        (create("/never", b"", 0), vec![event(NodeCreated, "/never")]),
        (set_data("/changed", b"", -1), vec![event(NodeDataChanged, "/changed")]),
        (
            create("/never/x", b"", 0),
            vec![event(NodeCreated, "/never/x"), event(NodeChildrenChanged, "/never")],
        ),
    ] {
        assert_eq!(world.ok(&request).events, expected, "{request:?}");
    }
}

#[test]
fn a_path_made_anew_has_changed() {
    let mut world = World::new();
    world.make("/p");
    let seen = world.tree.last_zxid().0;
    world.ok(&delete("/p", -1));
    world.make("/p");
    let list = ["/p"].map(text);
    let none = List::new(&[]);
    let mut request = SetWatches {
        relative_zxid: seen,
        data: paths(&list),
        exist: Some(none),
        child: Some(none),
    };
    let reply = world.ok(&Request::SetWatches(request));
    assert_eq!(reply.events, [event(NodeDataChanged, "/p")]);
    // "Newer" is strict.
    request.relative_zxid = world.tree.last_zxid().0;
    assert_eq!(world.ok(&Request::SetWatches(request)).events, []);
    request.exist = None;
    let reply = world.send(&me(), &Request::SetWatches(request));
    assert_eq!(reply.error, ErrorCode::MARSHALLING_ERROR);
    let null = [None];
    request.exist = Some(List::new(&null));
    let reply = world.send(&me(), &Request::SetWatches(request));
    assert_eq!((reply.error, reply.events.len()), (ErrorCode::MARSHALLING_ERROR, 0));
}

#[test]
fn a_watcher_has_a_limit() {
    let mut world = World::with(|config| config.watches_per_connection_max = 2);
    for path in ["/a", "/b", "/c"] {
        world.make(path);
    }
    world.ok(&get_data_watch("/a"));
    world.ok(&get_data_watch("/b"));
    world.ok(&get_data_watch("/b"));
    let reply = world.send(&me(), &get_data_watch("/c"));
    assert_eq!((reply.error, reply.body.len()), (ErrorCode::QUOTA_EXCEEDED, 0));
    assert_eq!(world.send(&me(), &add_watch("/c", 0)).error, ErrorCode::QUOTA_EXCEEDED);
    assert!(world.send(&other(), &get_data_watch("/c")).error.is_ok());
}

//! Multi and multiRead.

use zookeeper_core::{
    tree::{Caller, Watcher},
    wire::{
        CreateRequest, CreateTtlRequest, ErrorCode, List, MultiOp, ReadRequest, Reader, Response,
        SetDataRequest, Txn, VersionRequest,
    },
};

use crate::world::*;

fn create_op<'a>(path: &'a str, flags: i32) -> MultiOp<'a> {
    MultiOp::Create(create_record(path, b"", flags))
}

fn delete_op(path: &str) -> MultiOp<'_> {
    MultiOp::Delete(VersionRequest { path: text(path), version: -1 })
}

fn set_op<'a>(path: &'a str, data: &'a [u8], version: i32) -> MultiOp<'a> {
    MultiOp::SetData(SetDataRequest { path: text(path), data: blob(data), version })
}

#[test]
fn each_operation_sees_those_before_it() {
    let mut world = World::new();
    let reply = world.ok(&multi([
        create_op("/p", 0),
        create_op("/p/s-", 2),
        create_op("/p/s-", 2),
        MultiOp::Create2(create_record("/p/two", b"", 0)),
        set_op("/p", b"x", 0),
        check("/p", 1),
        set_op("/p", b"y", 1),
        create_op("/again", 0),
        set_op("/again", b"x", 0),
        delete_op("/again"),
        create_op("/again", 0),
        set_op("/again", b"z", 0),
        delete_op("/p/s-0000000000"),
        create_op("/p/s-", 2),
    ]));
    assert_eq!(
        reply.results(),
        [
            "create /p",
            "create /p/s-0000000000",
            "create /p/s-0000000001",
            "create /p/two",
            "set v1",
            "check",
            "set v2",
            "create /again",
            "set v1",
            "delete",
            "create /again",
            "set v1",
            "delete",
            "create /p/s-0000000003",
        ]
    );
    let stat = world.stat("/p");
    assert_eq!((stat.czxid, stat.mzxid, stat.pzxid), (reply.hold, reply.hold, reply.hold));
    assert_eq!((stat.num_children, stat.cversion), (3, 5));
    world.tree.check_invariants();
}

#[test]
fn stats_are_those_of_the_moment() {
    let mut world = World::new();
    let operations = [
        MultiOp::CreateContainer(create_record("/a", b"", 4)),
        create_op("/a/b", 0),
        set_op("/a", b"abc", -1),
        delete_op("/a/b"),
    ];
    let reply = world.ok(&multi(&operations[..]));
    let Response::Multi(results) = reply.response() else { unreachable!() };
    let stats: Vec<_> = results
        .iter()
        .filter_map(|result| match result {
            zookeeper_core::wire::MultiResult::Create2 { stat, .. }
            | zookeeper_core::wire::MultiResult::SetData { stat } => Some(stat),
            _ => None,
        })
        .map(|stat| (stat.num_children, stat.cversion, stat.data_length))
        .collect();
    assert_eq!(stats, [(0, 0, 0), (1, 1, 3)]);
}

#[test]
fn a_failure_fails_all_and_changes_nothing() {
    let mut world = World::new();
    world.make("/p");
    world.ok(&get_children_watch("/p"));
    let before = world.nodes();
    let operations = [
        create_op("/p/s-", 2),
        check("/p", 0),
        delete_op("/nope"),
        create_op("/p/x", 0),
        check("/p", 9),
    ];
    let reply = world.ok(&multi(&operations[..]));
    assert_eq!(reply.results(), ["0", "0", "-101", "-2", "-2"]);
    assert_eq!((reply.events.len(), reply.hold.0), (0, world.zxid));
    assert_eq!(world.nodes(), before);
    assert_eq!(world.ok(&create("/p/s-", b"", 2)).path(), "/p/s-0000000000");
    // What is logged: the real transactions before the failure, errors from there on.
    let who = me();
    let caller = Caller { session: ME, watcher: Watcher(1), identities: &who.identities };
    let Ok(Txn::Multi(txns)) = world.tree.prepare(&caller, &multi(&operations[..])) else {
        panic!("a failed multi is a transaction")
    };
    assert!(matches!(txns[0], Txn::Create { .. }) && matches!(txns[1], Txn::Check { .. }));
    assert_eq!(txns[2], Txn::Error(ErrorCode::NO_NODE));
    assert_eq!(txns[3..], [const { Txn::Error(ErrorCode::RUNTIME_INCONSISTENCY) }; 2]);
    world.tree.check_invariants();
}

#[test]
fn the_overlay_knows_everything_a_check_needs() {
    let mut world = World::new();
    world.make("/old");
    world.make("/old/child");
    let mine = CreateRequest { acl: Some(List::new(MINE)), ..create_record("/m", b"", 0) };
    for (operations, expected) in [
        (vec![create_op("/a", 0), create_op("/a", 0)], vec!["0", "-110"]),
        (vec![create_op("/a", 1), create_op("/a/b", 0)], vec!["0", "-108"]),
        (vec![create_op("/a", 0), create_op("/a/b", 0), delete_op("/a")], vec!["0", "0", "-111"]),
        (vec![delete_op("/old/child"), create_op("/old/child/x", 0)], vec!["0", "-101"]),
        (vec![delete_op("/old/child"), delete_op("/old/child")], vec!["0", "-101"]),
        (vec![set_op("/old", b"", 0), check("/old", 0)], vec!["0", "-103"]),
        (vec![MultiOp::Create(mine), create_op("/m/x", 0)], vec!["0", "-102"]),
        (vec![MultiOp::Create(mine), set_op("/m", b"", -1)], vec!["0", "-102"]),
        (vec![create_op("/", 2), create_op("/0000000001", 0)], vec!["0", "-110"]),
    ] {
        let reply = world.ok(&multi(&operations[..]));
        assert_eq!(reply.results(), expected, "{operations:?}");
    }
    assert_eq!(
        world.ok(&multi([delete_op("/old/child"), delete_op("/old")])).results(),
        ["delete", "delete"]
    );
    world.tree.check_invariants();
}

#[test]
fn an_empty_multi_takes_a_zxid() {
    let mut world = World::new();
    let reply = world.ok(&multi([]));
    assert!(reply.results().is_empty());
    assert_eq!((reply.hold.0, world.tree.last_zxid().0), (world.zxid, world.zxid));
}

#[test]
fn flags_decide_what_a_create_is() {
    let mut world = World::with(|config| config.extended_types = true);
    let ttl = |path, flags, ttl_ms| {
        let acl = Some(List::new(OPEN));
        MultiOp::CreateTtl(CreateTtlRequest { path: text(path), data: None, acl, flags, ttl_ms })
    };
    let reply = world.ok(&multi([
        create_op("/c", 4),
        MultiOp::Create2(create_record("/c2", b"", 4)),
        MultiOp::CreateContainer(create_record("/c3", b"", 4)),
        ttl("/t", 5, 7),
        ttl("/plain", 0, 7),
        ttl("/c4", 4, 7),
    ]));
    let names = ["create2 /c", "create2 /c2", "create2 /c3", "create2 /t", "create /plain"];
    assert_eq!(reply.results()[..5], names);
    let owners: Vec<_> = ["/c", "/c2", "/c3", "/c4", "/plain"]
        .map(|path| world.tree.stored_nodes().find(|node| node.path == path).unwrap().stat.owner)
        .into();
    assert_eq!(owners, [i64::MIN, i64::MIN, i64::MIN, i64::MIN, 0]);
    assert_eq!(world.ok(&multi([ttl("/x", 5, 0)])).results(), ["-8"]);
}

#[test]
fn what_upstream_cannot_read_fails_as_a_whole() {
    let mut world = World::with(|config| config.extended_types = true);
    let no_acl = CreateRequest { acl: None, ..create_record("/b", b"", 0) };
    let no_path = CreateRequest { path: None, ..create_record("", b"", 0) };
    let read = ReadRequest { path: text("/"), watch: false };
    let null = VersionRequest { path: None, version: -1 };
    for operation in [
        create_op("/b", 7),
        create_op("/b", 5),
        MultiOp::CreateContainer(create_record("/b", b"", 6)),
        MultiOp::Create(no_acl),
        MultiOp::Create(no_path),
        MultiOp::Delete(null),
        MultiOp::Check(null),
        MultiOp::GetData(read),
        MultiOp::GetChildren(read),
    ] {
        let reply = world.send(&me(), &multi([create_op("/a", 0), operation]));
        assert_eq!((reply.error.0, reply.body.len()), (-5, 0), "{operation:?}");
    }
    // Even where nobody would come to it.
    let reply = world.send(&me(), &multi([delete_op("/nope"), MultiOp::Create(no_path)]));
    assert_eq!((reply.error.0, reply.body.len()), (-5, 0));
}

#[test]
fn events_of_a_multi_come_one_by_one() {
    use zookeeper_core::wire::EventKind::{NodeChildrenChanged, NodeCreated, NodeDeleted};
    let mut world = World::new();
    world.make("/p");
    world.ok(&add_watch("/p", 0));
    world.ok(&add_watch("/p", 1));
    let reply = world.ok(&multi([create_op("/p/a", 0), delete_op("/p/a")]));
    let event = |kind, path: &str| (kind, path.to_owned(), vec![1]);
    assert_eq!(
        reply.events,
        [
            event(NodeCreated, "/p/a"),
            event(NodeChildrenChanged, "/p"),
            event(NodeDeleted, "/p/a"),
            event(NodeChildrenChanged, "/p"),
        ]
    );
}

#[test]
fn each_read_of_a_multi_read_is_for_itself() {
    let mut world = World::new();
    world.ok(&create("/a", b"data", 0));
    world.make("/a/b");
    world.ok(&create_with("/secret", MINE));
    let data = |path| MultiOp::GetData(ReadRequest { path: text(path), watch: true });
    let children = |path| MultiOp::GetChildren(ReadRequest { path: text(path), watch: true });
    let operations =
        [data("/a"), children("/secret"), data("/nope"), children("/a"), data("/secret")];
    let reply = world.ok(&multi_read(&operations[..]));
    assert_eq!(reply.results(), ["data data", "-102", "-101", "1 children", "-102"]);
    assert_eq!(world.tree.watches().count(), 0, "the flag is ignored");
    let last = world.tree.last_zxid();
    assert_eq!(reply.hold, last, "no zxid is taken");
}

#[test]
fn a_write_in_a_multi_read_ends_it_with_what_was_read() {
    let mut world = World::new();
    world.ok(&create("/a", b"data", 0));
    let data = |path| MultiOp::GetData(ReadRequest { path, watch: false });
    for bad in [delete_op("/a"), data(None)] {
        let operations = [data(text("/a")), bad, data(text("/a"))];
        let reply = world.send(&me(), &multi_read(&operations[..]));
        assert_eq!(reply.error, ErrorCode::MARSHALLING_ERROR);
        let mut reader = Reader::new(&reply.body);
        let results: zookeeper_core::wire::MultiResults<'_> = reader.read().unwrap();
        assert_eq!(results.iter().count(), 1);
    }
}

#[test]
fn a_multi_read_that_comes_to_too_much_fails_as_a_whole() {
    let mut world = World::with(|config| config.multi_read_length_max = 10_000);
    world.ok(&create("/a", &[7; 1_000], 0));
    for child in 0..50 {
        world.make(&format!("/a/{child}"));
    }
    let data = MultiOp::GetData(ReadRequest { path: text("/a"), watch: false });
    let children = MultiOp::GetChildren(ReadRequest { path: text("/a"), watch: false });
    for (operation, fits) in [(data, 10), (children, 12)] {
        let operations = vec![operation; fits + 1];
        assert_eq!(world.ok(&multi_read(&operations[..fits])).results().len(), fits);
        let reply = world.send(&me(), &multi_read(&operations[..]));
        assert_eq!((reply.error, reply.body.len()), (ErrorCode::MARSHALLING_ERROR, 0));
    }
}

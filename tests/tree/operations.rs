//! What single operations do: stats, names, data, and the holds of replies.

use zookeeper_core::{
    Zxid,
    tree::{StoredNode, StoredStat},
    wire::{AclEntry, CreateRequest, List, ReadRequest, Request, Response, SetDataRequest, Stat},
};

use crate::world::*;

#[test]
fn a_fresh_tree() {
    let mut world = World::new();
    let root = world.stat("/");
    assert_eq!(root, Stat { cversion: -1, num_children: 1, ..Stat::default() });
    assert_eq!(world.stat(""), root, "the empty path is an alias");
    let system = world.stat("/zookeeper");
    assert_eq!(system, Stat { cversion: -2, num_children: 2, ..Stat::default() });
    assert_eq!(world.stat("/zookeeper/quota"), Stat::default());
    assert_eq!(world.stat("/zookeeper/config"), Stat { aversion: -1, ..Stat::default() });
    assert_eq!(world.ok(&get_data("/")).data().unwrap(), b"");
    assert_eq!(world.tree.node_count(), 5);
    assert_eq!(world.tree.approximate_data_size(), 44);
    assert_eq!(world.tree.digest(), Some(1_371_985_504));
    let denied = world.send(&me(), &set_data("/zookeeper/config", b"x", -1));
    assert_eq!(denied.error.0, -102);
}

#[test]
fn children_show_in_their_parents_stat() {
    let mut world = World::new();
    let made = world.make("/p");
    let before = world.stat("/p");
    assert_eq!((before.czxid, before.mzxid, before.pzxid), (made.hold, made.hold, made.hold));
    assert_eq!((before.ctime_ms, before.mtime_ms), (world.now_ms, world.now_ms));
    for number in 0..5 {
        let zxid = world.make(&format!("/p/{number}")).hold;
        let stat = world.stat("/p");
        assert_eq!((stat.cversion, stat.num_children), (number + 1, number + 1));
        assert_eq!((stat.pzxid, stat.mzxid, stat.version), (zxid, before.mzxid, 0));
        assert_eq!(stat.mtime_ms, before.mtime_ms);
    }
    let zxid = world.ok(&delete("/p/3", 0)).hold;
    let stat = world.stat("/p");
    assert_eq!((stat.cversion, stat.num_children, stat.pzxid), (6, 4, zxid));
    assert_eq!(world.ok(&get_children("/p")).names(), ["0", "1", "2", "4"]);
    assert_eq!(world.ok(&get_children("")).names(), ["p", "zookeeper"]);
    assert_eq!(world.ok(&get_children2("/p")).stat(), stat);
    let count = world.ok(&Request::GetAllChildrenNumber(path_request("/p")));
    assert_eq!(count.response(), Response::Count(4));
    let all = world.ok(&Request::GetAllChildrenNumber(path_request("/")));
    assert_eq!(all.response(), Response::Count(8), "the reserved ones count, the root does not");
    let none = world.ok(&Request::GetAllChildrenNumber(path_request("/p/1")));
    assert_eq!(none.response(), Response::Count(0));
}

#[test]
fn all_reads_agree_on_the_stat() {
    let mut world = World::new();
    let made = world.ok(&Request::Create2(create_record("/a", b"abc", 0)));
    let stat = made.stat();
    assert_eq!((made.path().as_str(), stat.data_length, stat.version), ("/a", 3, 0));
    for request in [exists("/a"), get_data("/a"), get_children2("/a")] {
        assert_eq!(world.ok(&request).stat(), stat);
    }
    assert_eq!(world.ok(&Request::GetAcl(path_request("/a"))).stat(), stat);
    let changed = world.ok(&set_data("/a", b"abc", 0));
    assert_eq!((changed.stat().version, changed.stat().mzxid), (1, changed.hold));
    assert_eq!(changed.stat(), world.stat("/a"));
    let stat = world.ok(&set_acl("/a", READ_ONLY, 0)).stat();
    assert_eq!(stat, Stat { aversion: 1, ..changed.stat() }, "nothing but the ACL's version moves");
    assert_eq!(stat, world.stat("/a"));
}

#[test]
fn null_and_empty_data_stay_what_they_are() {
    let mut world = World::new();
    let create = |path| CreateRequest { data: None, ..create_record(path, b"", 0) };
    world.ok(&Request::Create(create("/null")));
    world.make("/empty");
    assert_eq!(world.ok(&get_data("/null")).data(), None);
    assert_eq!(world.ok(&get_data("/empty")).data(), Some(vec![]));
    let to_null = SetDataRequest { path: text("/empty"), data: None, version: -1 };
    world.ok(&Request::SetData(to_null));
    world.ok(&set_data("/null", b"", -1));
    assert_eq!(world.ok(&get_data("/null")).data(), Some(vec![]));
    let reply = world.ok(&get_data("/empty"));
    assert_eq!((reply.data(), reply.stat().data_length, reply.stat().version), (None, 0, 1));
}

/// A znode at the edge of its counters.
fn restore(world: &mut World, path: &str, stat: StoredStat) {
    let acl = std::sync::Arc::from([]);
    world.tree.restore_node(StoredNode { path, data: None, acl, stat }).unwrap();
}

#[test]
fn versions_wrap_and_are_never_minus_one() {
    let mut world = World::new();
    for (version, next) in [(i32::MAX, i32::MIN), (-2, 0), (-3, -2)] {
        let stat = StoredStat { version, aversion: version, ..StoredStat::default() };
        restore(&mut world, "/v", stat);
        assert_eq!(world.ok(&set_data("/v", b"", version)).stat().version, next);
        assert_eq!(world.ok(&set_acl("/v", OPEN, version)).stat().aversion, next);
    }
    world.tree.check_invariants();
}

#[test]
fn sequential_names_count_every_child_ever_made() {
    let mut world = World::new();
    world.make("/p");
    assert_eq!(world.ok(&create("/p/n-", b"", 2)).path(), "/p/n-0000000000");
    world.make("/p/plain");
    assert_eq!(world.ok(&create("/p/n-", b"", 3)).path(), "/p/n-0000000002");
    world.ok(&delete("/p/plain", -1));
    world.ok(&delete("/p/n-0000000002", -1));
    assert_ne!(world.send(&me(), &create("/p/n-0000000000", b"", 0)).error.0, 0);
    assert_eq!(world.ok(&create("/p/m-", b"", 2)).path(), "/p/m-0000000003");
    let container = Request::CreateContainer(create_record("/p/c-", b"", 2));
    assert_eq!(world.ok(&container).path(), "/p/c-0000000004");
    assert_eq!(world.ok(&create("/", b"", 2)).path(), "/0000000001", "the root counts /p only");
    // A prefix may be what no name may be.
    for (prefix, name) in
        [("/p/", "/p/0000000005"), ("/p/.", "/p/.0000000006"), ("/p/..", "/p/..0000000007")]
    {
        assert_eq!(world.send(&me(), &create(prefix, b"", 0)).error.0, -8);
        assert_eq!(world.ok(&create(prefix, b"", 2)).path(), name);
    }
    for (prefix, error) in [("/p//", -101), ("/p/./", -101)] {
        assert_eq!(world.send(&me(), &create(prefix, b"", 2)).error.0, error);
    }
}

#[test]
fn sequential_names_wrap() {
    let mut world = World::new();
    restore(&mut world, "/p", StoredStat { cversion: i32::MAX, ..StoredStat::default() });
    for name in ["/p/2147483647", "/p/-2147483648", "/p/-2147483647"] {
        assert_eq!(world.ok(&create("/p/", b"", 2)).path(), name);
    }
    restore(&mut world, "/q", StoredStat { cversion: -5, ..StoredStat::default() });
    assert_eq!(world.ok(&create("/q/", b"", 2)).path(), "/q/-000000005");
    world.tree.check_invariants();
}

#[test]
fn what_a_create_makes_depends_on_the_operation() {
    let mut world = World::with(|config| config.extended_types = true);
    // Flags of a container make a plain znode, unless the operation is that of containers.
    world.ok(&create("/plain", b"", 4));
    world.ok(&Request::CreateContainer(create_record("/container", b"", 0)));
    world.ok(&Request::CreateContainer(create_record("/container2", b"", 1)));
    world.ok(&Request::Create2(create_record("/eph", b"", 1)));
    let ttl = world.ok(&create_ttl("/ttl", 5, 1000));
    assert_eq!(ttl.stat().ephemeral_owner.0, 0);
    let owner = |path: &str| {
        let stored = world.tree.stored_nodes().find(|node| node.path == path);
        stored.unwrap().stat.owner
    };
    assert_eq!(owner("/plain"), 0);
    assert_eq!(owner("/container"), i64::MIN);
    assert_eq!(owner("/container2"), i64::MIN);
    assert_eq!(owner("/eph"), ME.0);
    assert_eq!(owner("/ttl").to_be_bytes(), [0xff, 0, 0, 0, 0, 0, 3, 0xe8]);
    assert_eq!(world.stat("/eph").ephemeral_owner, ME);
    assert_eq!(world.stat("/container").ephemeral_owner.0, 0);
    for parent in ["/container", "/ttl"] {
        world.make(&format!("{parent}/child"));
    }
}

#[test]
fn paths_that_are_not_utf_8_name_nothing() {
    let mut world = World::new();
    world.make("/a");
    let bad: &[u8] = b"/a/\xff\xfe";
    let path = Some(bad.into());
    let below: &[u8] = b"/\xff/x";
    let missing = CreateRequest { path: Some(below.into()), ..create_record("", b"", 0) };
    assert_eq!(world.send(&me(), &Request::Create(missing)).error.0, -101);
    let illegal = CreateRequest { path, ..create_record("", b"", 0) };
    assert_eq!(world.send(&me(), &Request::Create(illegal)).error.0, -8);
    let read = Request::GetData(ReadRequest { path, watch: false });
    assert_eq!(world.send(&me(), &read).error.0, -101);
}

#[test]
fn sync_echoes_whatever_it_is_given() {
    let mut world = World::new();
    for path in ["/nope", "", "zz"] {
        assert_eq!(world.ok(&Request::Sync(path_request(path))).path(), path);
    }
    let null = Request::Sync(zookeeper_core::wire::PathRequest { path: None });
    assert_eq!(world.ok(&null).response(), Response::Path(None));
}

#[test]
fn replies_are_held_for_what_they_show() {
    let mut world = World::new();
    let a = world.make("/a").hold;
    let b = world.make("/b").hold;
    assert_eq!(world.ok(&get_data("/a")).hold, a);
    assert_eq!(world.ok(&exists("/b")).hold, b);
    assert_eq!(world.ok(&get_children("/")).hold, b);
    let missing = |world: &mut World| world.send(&me(), &exists("/nope")).hold;
    assert_eq!(missing(&mut world), Zxid::ZERO, "nothing was ever removed");
    let child = world.make("/a/x").hold;
    assert_eq!(world.ok(&get_data("/a")).hold, child, "the stat shows the child");
    let acl = world.ok(&set_acl("/a", OPEN, -1)).hold;
    assert_eq!(world.ok(&Request::GetAcl(path_request("/a"))).hold, acl);
    let gone = world.ok(&delete("/b", -1)).hold;
    let newest = world.ok(&set_data("/a", b"1", -1)).hold;
    assert_eq!(missing(&mut world), gone);
    assert_eq!(world.ok(&get_data("/a")).hold, newest);
    world.make("/last");
    let applied = world.tree.last_zxid();
    assert_eq!(world.ok(&get_data("/a")).hold, newest);
    for request in [
        Request::Sync(path_request("/a")),
        Request::GetEphemerals(path_request("/")),
        Request::GetAllChildrenNumber(path_request("/a")),
        Request::MultiRead(zookeeper_core::wire::MultiOps::new(&[])),
    ] {
        assert_eq!(world.ok(&request).hold, applied, "{request:?}");
    }
    for request in [add_watch("/a", 0), Request::WhoAmI] {
        assert_eq!(world.ok(&request).hold, Zxid::ZERO, "{request:?}");
    }
    world.ok(&set_acl("/a", MINE, -1));
    let denied = world.send(&me(), &get_data("/a"));
    assert_eq!((denied.error.0, denied.hold), (-102, world.tree.last_zxid()));
}

#[test]
fn the_digest_is_apaches() {
    let mut world = World::new();
    // A record that an Apache server has logged: its digest is that of the tree behind it.
    (world.zxid, world.now_ms) = (23, 0x1a2_02d7_40e0 - 10);
    world.make("/a");
    assert_eq!(world.tree.digest(), Some(0xe7a8_5606));
    world.ok(&delete("/a", -1));
    assert_ne!(world.tree.digest(), Some(1_371_985_504), "the root remembers");
    let before = world.tree.digest();
    world.make("/zookeeper/quota/x");
    assert_eq!(world.tree.digest(), before, "what is reserved does not count");
    world.ok(&set_acl("/", OPEN, -1));
    assert_ne!(world.tree.digest(), before, "the version of the ACL counts");
    world.tree.check_invariants();
    let off = World::with(|config| config.digest = false);
    assert_eq!(off.tree.digest(), None);
    off.tree.check_invariants();
}

#[test]
fn one_list_may_hold_many_schemes() {
    let mut world = World::new();
    let acl: [AclEntry<'_>; 3] =
        [entry(1, "world", "anyone"), entry(31, "ip", "10.0.0.0/8"), entry(31, "digest", "a:b")];
    let request = CreateRequest { acl: Some(List::new(&acl)), ..create_record("/m", b"", 0) };
    world.ok(&Request::Create(request));
    world.tree.check_invariants();
}

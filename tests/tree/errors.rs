//! Each write's errors, in upstream's order: every request here has two things wrong with it, or
//! more, and the answer names the first.

use zookeeper_core::{
    SessionId, Zxid,
    storage::encode_record,
    tree::{Caller, Tree, Watcher},
    wire::{
        AclEntry, CreateKind, CreateRequest, ErrorCode, List, MultiOp, PathRequest, ReadRequest,
        ReconfigRequest, Request, SetAclRequest, SetDataRequest, Txn, TxnHeader, VersionRequest,
        perms,
    },
};

use crate::world::*;

const TTL_MAX_MS: i64 = 0xff_ffff_ffff;
/// The caller of these tests has proved nothing.
const NOBODY: &[AclEntry<'static>] = &[entry(31, "auth", "")];
const NO_DELETE: &[AclEntry<'static>] =
    &[entry(perms::ALL & !perms::DELETE & !perms::CREATE, "world", "anyone")];

/// `/locked` may only be read, `/kept` keeps its children, `/eph` is ephemeral and full, and so is
/// `/full`.
fn world(extended_types: bool) -> World {
    let mut world = World::with(|config| {
        config.enforce_quota = true;
        config.extended_types = extended_types;
    });
    for path in ["/a", "/a/b", "/full", "/full/one"] {
        world.make(path);
    }
    world.make("/kept");
    world.make("/kept/child");
    world.make("/kept/child/below");
    world.ok(&set_acl("/kept", NO_DELETE, -1));
    world.make("/locked");
    world.ok(&set_acl("/locked", READ_ONLY, -1));
    world.ok(&create_with("/secret", MINE));
    world.ok(&create("/eph", b"", 1));
    for path in ["/full", "/eph"] {
        world.make(&format!("/zookeeper/quota{path}"));
        let limits = format!("/zookeeper/quota{path}/zookeeper_limits");
        world.ok(&create(&limits, b"countHardLimit=2;byteHardLimit=5", 0));
        world.make(&format!("/zookeeper/quota{path}/zookeeper_stats"));
    }
    let stats = "/zookeeper/quota/eph/zookeeper_stats";
    world.ok(&set_data(stats, b"count=2,bytes=5", -1));
    world
}

fn error(world: &mut World, who: &Who, request: &Request<'_>) -> i32 {
    let before = world.nodes();
    let reply = world.send(who, request);
    assert!(reply.body.is_empty() && reply.events.is_empty());
    assert_eq!(reply.hold.0, world.zxid, "a failed write takes a zxid");
    assert_eq!(world.nodes(), before, "{request:?} has changed something");
    world.tree.check_invariants();
    reply.error.0
}

fn null_acl<'a>(path: &'a str, flags: i32) -> Request<'a> {
    Request::Create(CreateRequest { acl: None, ..create_record(path, b"", flags) })
}

#[test]
fn errors_of_create() {
    let mut world = world(false);
    let cases = [
        // The flags come before everything, then TTL being switched off, then its value.
        (stranger(), null_acl("b", 7), -8),
        (stranger(), null_acl("b", -1), -8),
        (stranger(), create_ttl("b", 5, 0), -6),
        (stranger(), create_ttl("b", 6, -1), -6),
        (stranger(), null_acl("b", 5), -6),
        (stranger(), create_ttl("b", 0, 5), -8),
        (stranger(), create_ttl("b", 0, -5), -8),
        // The session, which is called expired where the znode would be its own.
        (stranger(), null_acl("b", 0), -12),
        (stranger(), null_acl("b", 2), -12),
        (stranger(), null_acl("b", 1), -112),
        (stranger(), null_acl("b", 3), -112),
        // The path's slash and NUL, then the ACL.
        (me(), Request::Create(CreateRequest { path: None, ..create_record("", b"", 0) }), -5),
        (me(), null_acl("b", 0), -8),
        (me(), null_acl("", 0), -8),
        (me(), null_acl("/nope/\0", 0), -8),
        (me(), null_acl("/nope/x", 0), -114),
        (me(), create_with("/nope/x", &[]), -114),
        (me(), create_with("/nope/x", NOBODY), -114),
        // The parent, its permission, the rest of the path, the znode, the parent's kind.
        (me(), create("/nope/.", b"", 0), -101),
        (me(), create("/a//b", b"", 0), -101),
        (me(), create("/a/../b", b"", 0), -101),
        (me(), create("/locked/.", b"", 0), -102),
        (me(), create("/locked/x", b"", 0), -102),
        (me(), create("/eph/.", b"", 0), -8),
        (me(), create("/a/", b"", 0), -8),
        (me(), create("/a/\u{e000}", b"", 0), -8),
        (me(), create("/", b"", 0), -110),
        (me(), create("/full/one", b"", 0), -110),
        (me(), create("/eph/x", b"", 0), -108),
        (me(), create("/full/x", b"", 0), -125),
        (me(), create("/full/x", b"", 1), -125),
    ];
    for (who, request, expected) in cases {
        assert_eq!(error(&mut world, &who, &request), expected, "{request:?}");
    }
}

#[test]
fn create_with_ttl() {
    let mut world = world(true);
    for (who, request, expected) in [
        (stranger(), create_ttl("b", 5, 0), -8),
        (stranger(), create_ttl("b", 5, -1), -8),
        (stranger(), create_ttl("b", 6, TTL_MAX_MS + 1), -8),
        (stranger(), create_ttl("b", 1, -1), -8),
        (stranger(), null_acl("b", 5), -8),
        (stranger(), Request::CreateContainer(create_record("b", b"", 6)), -8),
        (stranger(), create_ttl("b", 5, TTL_MAX_MS), -12),
        (me(), create_ttl("b", 5, TTL_MAX_MS), -8),
    ] {
        assert_eq!(error(&mut world, &who, &request), expected, "{request:?}");
    }
    assert_eq!(world.ok(&create_ttl("/t", 5, 1)).path(), "/t");
    assert_eq!(world.ok(&create_ttl("/t-", 6, TTL_MAX_MS)).path(), "/t-0000000007");
}

#[test]
fn errors_of_delete() {
    let mut world = world(false);
    let null = Request::Delete(VersionRequest { path: None, version: 0 });
    for (who, request, expected) in [
        (stranger(), delete("a", 9), -12),
        (me(), null, -5),
        (me(), delete("a", 9), -8),
        (me(), delete("", 9), -8),
        (me(), delete("/nope/\0", 9), -8),
        (me(), delete("/", 9), -8),
        (me(), delete("/zookeeper", 9), -8),
        (me(), delete("/zookeeper/quota", 9), -8),
        (me(), delete("/zookeeper/config", 9), -8),
        (me(), delete("/nope/x", 9), -101),
        (me(), delete("/kept/nope", 9), -102),
        (me(), delete("/kept/child", 9), -102),
        (me(), delete("/a/nope", 9), -101),
        (me(), delete("/a/", 9), -101),
        (me(), delete("/a", 9), -103),
        (me(), delete("/a", 0), -111),
    ] {
        assert_eq!(error(&mut world, &who, &request), expected, "{request:?}");
    }
}

#[test]
fn errors_of_set_data() {
    let mut world = world(false);
    let null = Request::SetData(SetDataRequest { path: None, data: None, version: 9 });
    for (who, request, expected) in [
        (stranger(), set_data("a", b"", 9), -12),
        (me(), null, -8),
        (me(), set_data("nope", b"", 9), -8),
        (me(), set_data("", b"", 9), -8),
        (me(), set_data("/a/", b"", 9), -8),
        (me(), set_data("/nope", b"", 9), -101),
        (me(), set_data("/locked", b"", 9), -102),
        (me(), set_data("/full/one", b"123456", 9), -125),
        (me(), set_data("/full/one", b"12345", 9), -103),
    ] {
        assert_eq!(error(&mut world, &who, &request), expected, "{request:?}");
    }
    world.ok(&set_data("/", b"x", 0));
}

#[test]
fn errors_of_set_acl() {
    let mut world = world(false);
    let null = Request::SetAcl(SetAclRequest { path: None, acl: None, version: 9 });
    let bad = [entry(31, "world", "somebody")];
    for (who, request, expected) in [
        (stranger(), set_acl("a", &[], 9), -12),
        (me(), null, -8),
        (me(), set_acl("a", &[], 9), -8),
        (me(), set_acl("/nope", &[], 9), -114),
        (me(), set_acl("/nope", &bad, 9), -114),
        (me(), set_acl("/nope", OPEN, 9), -101),
        (me(), set_acl("/locked", OPEN, 9), -102),
        (me(), set_acl("/a", OPEN, 9), -103),
        (me(), set_acl("/kept", OPEN, 0), -103),
    ] {
        assert_eq!(error(&mut world, &who, &request), expected, "{request:?}");
    }
}

#[test]
fn errors_of_check() {
    let mut world = world(false);
    for (who, operation, expected) in [
        (stranger(), check("a", 9), "-12"),
        (me(), check("nope", 9), "-8"),
        (me(), check("/nope", 9), "-101"),
        (me(), check("/secret", 9), "-102"),
        (me(), check("/a", 9), "-103"),
        (me_with_id(), check("/secret", 0), "check"),
        (me(), check("/a", -1), "check"),
    ] {
        let reply = world.send(&who, &multi([operation]));
        assert_eq!(reply.results(), [expected], "{operation:?}");
    }
}

#[test]
fn removal_of_containers_and_ttl_znodes() {
    let mut world = world(true);
    world.ok(&Request::CreateContainer(create_record("/c", b"", 4)));
    world.make("/c/child");
    world.ok(&create_ttl("/t", 5, 1));
    let refused = |tree: &Tree, path| tree.prepare_removal(path).err().map_or(0, |error| error.0);
    for (path, expected) in [
        ("/zookeeper", -8),
        ("/nope", -101),
        ("/a", -111),
        ("/c", -111),
        ("/eph", -103),
        // Upstream would remove it; it can only come to this when the path was made anew.
        ("/a/b", -103),
        ("/t", 0),
        ("/c/child", -103),
    ] {
        assert_eq!(refused(&world.tree, path), expected, "{path}");
    }
}

#[test]
fn reconfig_is_not_for_one_server_alone() {
    let record = ReconfigRequest { joining: None, leaving: None, new_members: None, config_id: 0 };
    for (enabled, who, expected) in
        [(false, stranger(), -123), (true, stranger(), -12), (true, me(), -6)]
    {
        let mut world = World::with(|config| config.reconfig_enabled = enabled);
        assert_eq!(error(&mut world, &who, &Request::Reconfig(record)), expected);
    }
}

#[test]
fn close_never_fails() {
    let mut world = world(false);
    let txn = world.tree.prepare_close(SessionId(99));
    assert_eq!(txn, Txn::CloseSession { paths: Some(vec![]) });
    world.apply(SessionId(99), &txn);
    world.tree.check_invariants();
}

#[test]
fn reads() {
    let mut world = world(false);
    let read = |path| ReadRequest { path, watch: true };
    let one = |path| PathRequest { path };
    for (request, expected) in [
        (Request::Exists(read(None)), -5),
        (Request::Exists(read(text("/nope\0"))), -8),
        (Request::Exists(read(text("/secret"))), -102),
        (Request::Exists(read(text("zz"))), -101),
        (Request::Exists(read(text("/a/"))), -101),
        (Request::GetData(read(None)), -5),
        (Request::GetData(read(text("/nope"))), -101),
        (Request::GetData(read(text("/secret"))), -102),
        (Request::GetChildren(read(None)), -5),
        (Request::GetChildren(read(text("/nope"))), -101),
        (Request::GetChildren(read(text("/secret"))), -102),
        (Request::GetChildren2(read(text("/secret"))), -102),
        (Request::GetAcl(one(None)), -5),
        (Request::GetAcl(one(text("/nope"))), -101),
        (Request::GetAcl(one(text("/secret"))), -102),
        (Request::GetAllChildrenNumber(one(None)), -5),
        (Request::GetAllChildrenNumber(one(text("/nope"))), -101),
        (Request::GetAllChildrenNumber(one(text("/secret"))), -102),
        (add_watch("/a", 2), -5),
        (add_watch("/a", -1), -5),
    ] {
        let reply = world.send(&me(), &request);
        assert_eq!((reply.error.0, reply.body.len()), (expected, 0), "{request:?}");
    }
    // Of all these only the look for `zz` and `/a/`, which were not there, have left watches.
    assert_eq!(world.tree.watches().count(), 2);
}

#[test]
fn too_long_transactions_are_refused() {
    let mut world = World::with(|config| config.transaction_length_max = 400);
    const LONG: &[u8] = &[b'x'; 400];
    let operations = [MultiOp::Create(create_record("/a", &LONG[..100], 2)); 4];
    for request in [create("/a", LONG, 0), set_data("/", LONG, -1), multi(&operations[..])] {
        assert_eq!(world.send(&me(), &request).error, ErrorCode::MARSHALLING_ERROR);
    }
    // `auth` grows with the identities of the caller.
    let mut who = me();
    who.identities =
        (0..20).map(|n| zookeeper_core::wire::Id::new("digest", &format!("{n:09}:x"))).collect();
    let auth = [entry(31, "auth", "")];
    let request = Request::Create(CreateRequest {
        acl: Some(List::new(&auth)),
        ..create_record("/a", b"", 0)
    });
    assert_eq!(world.send(&who, &request).error, ErrorCode::MARSHALLING_ERROR);
    who.identities.truncate(2);
    assert_eq!(world.send(&who, &request).error, ErrorCode::OK);
    // A session with too many ephemerals ends without their list.
    for number in 0..80 {
        world.ok(&create(&format!("/e{number}"), b"", 1));
    }
    let txn = world.tree.prepare_close(ME);
    assert_eq!(txn, Txn::CloseSession { paths: None });
    world.apply(ME, &txn);
    assert_eq!(world.tree.ephemeral_count(), 0);
    world.tree.check_invariants();
}

/// The payload of a transaction's record in the log, in bytes.
fn logged_length(tree: &Tree, txn: &Txn<'_>) -> usize {
    let header = TxnHeader { session: ME, cxid: 1, zxid: Zxid(1), time_ms: 1 };
    let digest = if txn.takes_digest() { tree.digest() } else { None };
    let mut record = Vec::new();
    encode_record(&mut record, &header, txn, digest);
    let length: [u8; 4] = record[8..12].try_into().unwrap();
    usize::try_from(i32::from_be_bytes(length)).unwrap()
}

#[test]
fn the_limit_of_a_transaction_is_that_of_its_record_with_the_digest() {
    let parts = [MultiOp::Create(create_record("/m", b"data", 2)), check("/", -1)];
    let caller = Caller { session: ME, watcher: Watcher(1), identities: &[] };
    for digest in [true, false] {
        for request in [
            create("/a", b"data", 0),
            Request::Create2(create_record("/a", b"data", 1)),
            Request::CreateContainer(create_record("/c", b"data", 4)),
            set_data("/", b"data", -1),
            set_acl("/", OPEN, -1),
            multi(&parts[..]),
        ] {
            let free = World::with(|config| config.digest = digest);
            let txn = free.tree.prepare(&caller, &request).unwrap();
            let length = logged_length(&free.tree, &txn);
            for (limit, error) in
                [(length, ErrorCode::OK), (length - 1, ErrorCode::MARSHALLING_ERROR)]
            {
                let mut world = World::with(|config| {
                    (config.digest, config.transaction_length_max) = (digest, limit);
                });
                assert_eq!(world.send(&me(), &request).error, error, "{limit}: {request:?}");
            }
        }
        // The end of a session leaves its list out.
        let ends_with_list = |limit| {
            let mut world = World::with(|config| {
                (config.digest, config.transaction_length_max) = (digest, limit);
            });
            for path in ["/e1", "/e2", "/e3", "/e4", "/e5", "/e6", "/e7", "/e8"] {
                world.ok(&create(path, b"", 1));
            }
            let txn = world.tree.prepare_close(ME);
            (txn != Txn::CloseSession { paths: None }, logged_length(&world.tree, &txn))
        };
        let (_, length) = ends_with_list(usize::MAX);
        assert!(ends_with_list(length).0 && !ends_with_list(length - 1).0, "{length} bytes");
    }
}

#[test]
fn what_does_not_fit_is_told_apart() {
    let acl = std::sync::Arc::from([]);
    let create_txn = |path: &'static str, parent_cversion| Txn::Create {
        create2: false,
        path: path.into(),
        data: None,
        acl: std::sync::Arc::clone(&acl),
        kind: CreateKind::Persistent,
        parent_cversion,
    };
    let delete_txn = |path: &'static str| Txn::Delete { container: false, path: path.into() };
    for txn in [
        create_txn("/a", 99),
        create_txn("/nope/x", 1),
        create_txn("/eph/x", 1),
        create_txn("/zookeeper", 1),
        create_txn("/", 1),
        delete_txn("/nope"),
        delete_txn("/a"),
        delete_txn("/"),
        Txn::SetData { path: "/nope".into(), data: None, version: 1 },
        Txn::Check { path: "/a".into(), version: 1 },
        Txn::CreateSession { timeout_ms: 1 },
        Txn::CloseSession { paths: Some(vec![]) },
        Txn::CloseSession { paths: Some(vec!["/a".into()]) },
        Txn::Multi(vec![delete_txn("/nope")]),
    ] {
        let mut world = world(false);
        let (outcome, events) = world.commit(ME, &txn);
        assert_eq!(outcome, zookeeper_core::tree::Outcome::Inconsistent, "{txn:?}");
        assert!(events.is_empty());
    }
}

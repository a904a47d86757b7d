//! Znodes: made, read, changed, removed.

use std::time::Duration;

use zookeeper_core::SessionId;
use zookeeper_core::client::operation::{CreateOptions, Reconfig};
use zookeeper_core::client::{ArgumentError, Error, WatchEventKind};
use zookeeper_core::wire::{CreateMode, ErrorCode};

use super::{Scenario, Stage, code, sorted};
use crate::client::{Feed as _, TestClient};

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![
        ("data", data),
        ("children", children),
        ("create-modes", create_modes),
        ("ephemerals", ephemerals),
        ("containers", containers),
        ("ttl", ttl),
        ("arguments", arguments),
        ("about-the-session", about_the_session),
    ]
}

fn data<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/data");
    assert_eq!(client.exists(&path), Ok(None));
    assert_eq!(code(client.get_data(&path)), ErrorCode::NO_NODE);
    assert_eq!(code(client.set_data(&path, b"", None)), ErrorCode::NO_NODE);
    assert_eq!(code(client.delete(&path, None)), ErrorCode::NO_NODE);

    let created = client.create(&path, b"one", CreateMode::Persistent).expect("made");
    assert_eq!((created.path.as_str(), created.stat), (path.as_str(), None));
    let again = client.create(&path, b"two", CreateMode::Persistent);
    assert_eq!(code(again), ErrorCode::NODE_EXISTS);
    let read = client.get_data(&path).expect("read");
    assert_eq!((&read.data[..], read.is_null), (&b"one"[..], false));
    assert_eq!((read.stat.version, read.stat.data_length), (0, 3));
    assert_eq!(read.stat.czxid, read.stat.mzxid);
    assert_eq!(client.exists(&path).expect("asked"), Some(read.stat));

    assert_eq!(client.set_data(&path, b"second", Some(0)).expect("set").version, 1);
    assert_eq!(code(client.set_data(&path, b"third", Some(0))), ErrorCode::BAD_VERSION);
    let stat = client.set_data(&path, b"", None).expect("set");
    assert_eq!((stat.version, stat.data_length), (2, 0));
    let read = client.get_data(&path).expect("read");
    assert_eq!((&read.data[..], read.is_null, read.stat), (&b""[..], false, stat));

    let null = stage.path("/null");
    client.create_null(&null).expect("made");
    let read = client.get_data(&null).expect("read");
    assert_eq!((&read.data[..], read.is_null), (&b""[..], true));

    let large: Vec<u8> = (0..900_000_u32).map(|index| index.to_be_bytes()[3]).collect();
    client.set_data(&path, &large, None).expect("set");
    assert!(client.get_data(&path).expect("read").data == large);

    assert_eq!(code(client.delete(&path, Some(7))), ErrorCode::BAD_VERSION);
    client.delete(&path, Some(3)).expect("removed");
    client.delete(&null, None).expect("removed");
    assert_eq!(client.exists(&path), Ok(None));
}

fn children<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    assert_eq!(client.get_children(&stage.root), Ok(Vec::new()));
    assert_eq!(code(client.get_children(&stage.path("/none"))), ErrorCode::NO_NODE);
    let orphan = client.create(&stage.path("/none/child"), b"", CreateMode::Persistent);
    assert_eq!(code(orphan), ErrorCode::NO_NODE);
    for below in ["/b", "/a", "/a/deep", "/c-ä"] {
        stage.node(below);
    }
    let names = ["a", "b", "c-ä"];
    assert_eq!(sorted(client.get_children(&stage.root).expect("listed")), names);
    let listed = client.get_children_and_stat(&stage.root).expect("listed");
    assert_eq!(sorted(listed.names), names);
    assert_eq!((listed.stat.num_children, listed.stat.cversion), (3, 3));
    assert_eq!(client.get_all_children_number(&stage.root), Ok(4));
    assert_eq!(code(client.delete(&stage.path("/a"), None)), ErrorCode::NOT_EMPTY);
    client.delete(&stage.path("/a/deep"), None).expect("removed");
    client.delete(&stage.path("/a"), None).expect("removed");
    assert_eq!(client.get_all_children_number(&stage.root), Ok(2));
    assert_eq!(client.sync(&stage.root), Ok(()));
}

fn create_modes<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let name = |below: &str| stage.path(below);
    let create =
        |below: &str, mode: CreateMode| client.create(&name(below), b"", mode).expect("made").path;
    assert_eq!(create("/s-", CreateMode::PersistentSequential), name("/s-0000000000"));
    assert_eq!(create("/s-", CreateMode::EphemeralSequential), name("/s-0000000001"));
    assert_eq!(create("/", CreateMode::PersistentSequential), name("/0000000002"));
    assert_eq!(create("/e", CreateMode::Ephemeral), name("/e"));

    let options = CreateOptions::new(CreateMode::Ephemeral).with_stat();
    let created = client.create(&name("/e2"), b"four", options).expect("made");
    let stat = created.stat.expect("it was asked for");
    assert_eq!((stat.ephemeral_owner, stat.data_length), (client.session_id(), 4));
    assert_eq!(client.exists(&name("/e2")), Ok(Some(stat)));
    let child = client.create(&name("/e/child"), b"", CreateMode::Persistent);
    assert_eq!(code(child), ErrorCode::NO_CHILDREN_FOR_EPHEMERALS);
    let plain = client.exists(&name("/s-0000000000")).expect("asked").expect("there");
    assert_eq!(plain.ephemeral_owner, SessionId::NONE);
}

fn ephemerals<C: TestClient>(stage: &Stage<C>) {
    let owner = stage.other();
    for below in ["/one", "/two"] {
        owner.create(&stage.path(below), b"", CreateMode::Ephemeral).expect("made");
    }
    let both = [stage.path("/one"), stage.path("/two")];
    assert_eq!(sorted(owner.get_ephemerals(&stage.root).expect("listed")), both);
    assert_eq!(owner.get_ephemerals(&stage.path("/t")).expect("listed"), both[1..]);
    assert_eq!(stage.client.get_ephemerals(&stage.root), Ok(Vec::new()));
    let (_, mut watch) = stage.client.exists_and_watch(&both[0]).expect("asked");
    owner.close();
    assert_eq!(watch.next().change(), Some((WatchEventKind::NodeDeleted, both[0].as_str())));
    assert_eq!(stage.client.get_children(&stage.root), Ok(Vec::new()));
}

/// A container goes when its last child has gone.
fn containers<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/container");
    let created = client.create(&path, b"", CreateMode::Container).expect("made");
    assert_eq!(created.path, path);
    stage.node("/container/child");
    let (found, mut watch) = client.exists_and_watch(&path).expect("asked");
    assert!(found.is_some());
    client.delete(&stage.path("/container/child"), None).expect("removed");
    assert_eq!(watch.next().change(), Some((WatchEventKind::NodeDeleted, path.as_str())));
}

/// A znode with a time to live goes when it is over.
fn ttl<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/ttl");
    let lasting = |mode, ttl_ms| CreateOptions::new(mode).ttl(Duration::from_millis(ttl_ms));
    let long = lasting(CreateMode::PersistentSequentialWithTtl, 3_600_000);
    let created = client.create(&stage.path("/long-"), b"", long).expect("made");
    assert_eq!(created.path, stage.path("/long-0000000000"));
    client.create(&path, b"", lasting(CreateMode::PersistentWithTtl, 1_500)).expect("made");
    let (found, mut watch) = client.exists_and_watch(&path).expect("asked");
    assert_eq!(found.expect("there").num_children, 0);
    assert_eq!(watch.next().change(), Some((WatchEventKind::NodeDeleted, path.as_str())));
    assert!(client.exists(&created.path).expect("asked").is_some());
}

/// What no server would accept is refused here, and costs no request.
fn arguments<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let is_argument = |error: &Error| matches!(error, Error::Argument(_));
    for path in ["", "a", "/a/", "//", "/a//b", "/.", "/a/../b", "/a\0", "/\u{1}", "/\u{e000}"] {
        let error = client.exists(path).expect_err(path);
        assert!(is_argument(&error) && !error.maybe_executed(), "{path:?}: {error}");
        assert!(is_argument(&client.create(path, b"", CreateMode::Persistent).expect_err(path)));
    }
    let path = stage.path("/x");
    let ttl = Duration::from_secs(1);
    let error = |options: CreateOptions| match client.create(&path, b"", options) {
        Err(Error::Argument(error)) => error,
        other => panic!("{other:?}"),
    };
    let missing = CreateOptions::new(CreateMode::PersistentWithTtl);
    assert_eq!(error(missing), ArgumentError::TtlMissing);
    let unexpected = CreateOptions::new(CreateMode::Persistent).ttl(ttl);
    assert_eq!(error(unexpected), ArgumentError::TtlUnexpected);
    assert_eq!(error(CreateOptions::default().acl([])), ArgumentError::EmptyAcl);
    assert_eq!(client.delete("/", None), Err(ArgumentError::DeleteRoot.into()));
    assert_eq!(client.exists(&path), Ok(None));
}

fn about_the_session<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    assert_ne!(client.session_id(), SessionId::NONE);
    assert_eq!(client.session_timeout(), Some(stage.settings().session_timeout));
    assert_eq!(client.peer(), Some(stage.server));
    let ids = client.who_am_i().expect("asked");
    assert!(ids.iter().any(|id| (&*id.scheme, &*id.id) == ("ip", "127.0.0.1")), "{ids:?}");
    // A standalone server has the znode, without a member in it.
    let config = client.get_config().expect("read");
    assert_eq!(config.stat.version, 0);
    let (again, mut watch) = client.get_config_and_watch().expect("read");
    assert_eq!((again, watch.poll()), (config, None));
    let change = Reconfig::new().leave("3");
    assert_eq!(code(client.reconfig(change)), ErrorCode::RECONFIG_DISABLED);
}

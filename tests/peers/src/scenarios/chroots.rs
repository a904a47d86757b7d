//! Clients that see a part of the tree as if it were all of it.

use zookeeper_core::client::WatchEventKind::{
    DataWatchRemoved, NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted,
};
use zookeeper_core::client::operation::{MultiRead, ReadResult, Transaction, TransactionResult};
use zookeeper_core::wire::{AddWatchMode, CreateMode, ErrorCode, WatcherType};

use super::{Scenario, Stage, code, sorted};
use crate::client::{Feed as _, Link, Settings, TestClient, TestWatch as _};
use crate::proxy::Proxy;

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![
        ("chroot", results),
        ("chroot-that-is-not-there", absent),
        ("chroot-views", views),
        ("chroot-watches", watches),
        ("chroot-watches-after-reconnect", reconnect),
    ]
}

/// A client whose root is a znode of the scenario's.
fn rooted<C: TestClient>(stage: &Stage<C>) -> C {
    let root = stage.node("/root");
    C::connect(&Settings::new(format!("{}{root}", stage.server))).expect("a session")
}

fn results<C: TestClient>(stage: &Stage<C>) {
    let client = rooted(stage);
    let server_path = |path: &str| stage.path(&format!("/root{path}"));
    assert_eq!(client.create("/a", b"1", CreateMode::Persistent).expect("made").path, "/a");
    let created = client.create("/", b"", CreateMode::PersistentSequential).expect("made");
    assert_eq!(created.path, "/0000000001");
    let created = client.create("/e-", b"", CreateMode::EphemeralSequential).expect("made");
    assert_eq!(created.path, "/e-0000000002");
    let created = client.create_with_parents("/p/q", b"", CreateMode::Container).expect("made");
    assert_eq!(created.path, "/p/q");
    assert!(stage.client.exists(&server_path("/p/q")).expect("asked").is_some());
    let names = ["0000000001", "a", "e-0000000002", "p"];
    assert_eq!(sorted(client.get_children("/").expect("listed")), names);
    assert_eq!(client.get_all_children_number("/"), Ok(5));
    let listed = client.list_subtree("/p").expect("listed");
    assert_eq!(listed, ["/p", "/p/q"]);
    // Upstream has no chroot for these.
    let ephemerals = client.get_ephemerals(&stage.root).expect("listed");
    assert_eq!(ephemerals, [server_path("/e-0000000002")]);
    client.get_config().expect("read");

    let transaction = Transaction::new()
        .create("/b", b"", CreateMode::PersistentSequential)
        .set_data("/a", b"2", None)
        .check("/", None)
        .delete("/0000000001", None);
    let results = client.multi(transaction).expect("done");
    match &results[0] {
        TransactionResult::Created(created) => assert_eq!(created.path, "/b0000000004"),
        other => panic!("{other:?}"),
    }
    let reads = MultiRead::new().get_data("/a").get_children("/p");
    let results = client.multi_read(reads).expect("read");
    match &results[0] {
        Ok(ReadResult::Data(data)) => assert_eq!(&data.data[..], b"2"),
        other => panic!("{other:?}"),
    }
    assert_eq!(results[1], Ok(ReadResult::Children(vec!["q".to_owned()])));
    assert_eq!(client.get_data("/a").expect("read").stat.version, 1);
    client.sync("/").expect("done");
    client.get_acl("/a").expect("read");
    client.delete_recursive("/p").expect("removed");
    assert!(client.delete("/", None).is_err(), "the root stays");
    assert_eq!(stage.client.exists(&server_path("/p")), Ok(None));
    client.close();
}

/// A root that does not exist is made by creating `/`.
fn absent<C: TestClient>(stage: &Stage<C>) {
    let root = stage.path("/absent");
    let client = C::connect(&Settings::new(format!("{}{root}", stage.server))).expect("a session");
    assert_eq!(client.exists("/"), Ok(None));
    assert_eq!(code(client.create("/a", b"", CreateMode::Persistent)), ErrorCode::NO_NODE);
    assert_eq!(client.create("/", b"", CreateMode::Persistent).expect("made").path, "/");
    client.create("/a", b"", CreateMode::Persistent).expect("made");
    assert_eq!(stage.client.get_children(&root).expect("listed"), ["a"]);
    client.close();
}

/// Views share one session and see different parts.
fn views<C: TestClient>(stage: &Stage<C>) {
    stage.node("/a");
    stage.node("/ab");
    let below = stage.client.chroot(&stage.root);
    let (a, b) = (below.chroot("/a"), below.chroot("/ab"));
    assert_eq!(a.session_id(), stage.client.session_id());
    a.create("/x", b"", CreateMode::Ephemeral).expect("made");
    assert_eq!(b.exists("/x"), Ok(None));
    assert_eq!(below.exists("/a/x"), a.exists("/x"));
    let (_, mut of_a) = a.get_children_and_watch("/").expect("listed");
    let (_, mut of_below) = below.get_children_and_watch("/a").expect("listed");
    a.delete("/x", None).expect("removed");
    assert_eq!(of_a.next().change(), Some((NodeChildrenChanged, "/")));
    assert_eq!(of_below.next().change(), Some((NodeChildrenChanged, "/a")));
}

fn watches<C: TestClient>(stage: &Stage<C>) {
    let client = rooted(stage);
    let (_, mut root) = client.get_children_and_watch("/").expect("listed");
    let (_, mut exist) = client.exists_and_watch("/a").expect("asked");
    stage.node("/root/a");
    assert_eq!(exist.next().change(), Some((NodeCreated, "/a")));
    assert_eq!(root.next().change(), Some((NodeChildrenChanged, "/")));

    // By a session of its own: before 3.9, several kinds of watches of one session on one path get
    // into each other's way (ZOOKEEPER-4466).
    let watcher = C::connect(&Settings::new(format!("{}{}/root", stage.server, stage.root)));
    let watcher = watcher.expect("a session");
    let mut recursive = watcher.add_watch("/", AddWatchMode::PersistentRecursive).expect("set");
    // Not below the root, although its path begins with the root's.
    stage.node("/root2");

    let (_, mut data) = client.get_data_and_watch("/a").expect("read");
    client.set_data("/a", b"x", None).expect("set");
    assert_eq!(data.next().change(), Some((NodeDataChanged, "/a")));
    assert_eq!(recursive.next().change(), Some((NodeDataChanged, "/a")));

    let (_, mut one) = client.get_data_and_watch("/a").expect("read");
    one.remove().expect("removed");
    if C::Watch::TELLS_ITS_REMOVAL {
        assert_eq!(one.next().change(), Some((DataWatchRemoved, "/a")));
    }
    let (_, mut one) = client.get_data_and_watch("/a").expect("read");
    client.remove_all_watches("/a", WatcherType::Data, false).expect("removed");
    assert_eq!(one.next().change(), Some((DataWatchRemoved, "/a")));
    client.delete("/a", None).expect("removed");
    assert_eq!(recursive.next().change(), Some((NodeDeleted, "/a")));
    watcher.close();
    client.close();
}

fn reconnect<C: TestClient>(stage: &Stage<C>) {
    let root = stage.node("/root");
    stage.node("/root/a");
    let proxy = Proxy::start(stage.server).expect("a proxy");
    let servers = format!("{}{root}", proxy.address());
    let client = C::connect(&Settings::new(servers)).expect("a session");
    let (_, mut missed) = client.get_data_and_watch("/a").expect("read");
    let (_, mut kept) = client.get_children_and_watch("/").expect("listed");
    proxy.close_gate();
    client.wait_for(Link::Suspended);
    stage.client.set_data(&stage.path("/root/a"), b"x", None).expect("set");
    proxy.open_gate();
    client.wait_for(Link::Connected);
    let change = |feed: &mut C::Watch| loop {
        let update = feed.next();
        if let Some((kind, path)) = update.change() {
            break (kind, path.to_owned());
        }
    };
    assert_eq!(change(&mut missed), (NodeDataChanged, "/a".to_owned()));
    stage.node("/root/b");
    assert_eq!(change(&mut kept), (NodeChildrenChanged, "/".to_owned()));
    client.close();
}

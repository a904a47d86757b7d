//! Connections that are lost, and what becomes of requests and watches.

use std::time::Duration;

use zookeeper_core::client::WatchEventKind::{
    self, DataWatchRemoved, NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted,
};
use zookeeper_core::wire::{AddWatchMode, CreateMode, ErrorCode, WatcherType};

use super::{Scenario, Stage, code};
use crate::client::{Feed as _, Link, Settings, TestClient, Update};
use crate::proxy::Proxy;

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![
        ("reconnect", reconnect),
        ("requests-while-away", requests_while_away),
        ("watches-that-missed-something", missed),
        ("persistent-watches-that-missed-something", missed_by_persistent),
        ("watches-that-missed-nothing", kept),
        ("watches-removed-while-away", removed_while_away),
        ("many-watches", many_watches),
        ("other-servers", other_servers),
    ]
}

/// Loses the connection, does something meanwhile, and waits until it is there again.
fn away<C: TestClient>(client: &C, proxy: &Proxy, meanwhile: impl FnOnce()) {
    proxy.close_gate();
    client.wait_for(Link::Suspended);
    meanwhile();
    let mut states = client.states();
    proxy.open_gate();
    while states.next() != Link::Connected {}
}

fn reconnect<C: TestClient>(stage: &Stage<C>) {
    let (client, proxy) = stage.fragile();
    let session = client.session_id();
    let path = stage.path("/e");
    client.create(&path, b"", CreateMode::Ephemeral).expect("made");
    let mut states = client.states();
    assert_eq!(states.next(), Link::Connected);
    for round in 0..5 {
        if round % 2 == 0 {
            away(&client, &proxy, || ());
        } else {
            proxy.cut();
        }
        assert_eq!(states.next(), Link::Suspended);
        assert_eq!(states.next(), Link::Connected);
        assert_eq!(client.session_id(), session);
        assert!(client.exists(&path).expect("asked").is_some());
    }
    assert_eq!(states.poll(), None);
    client.close();
}

/// What is asked for while no server is reached waits for one, until an attempt fails.
fn requests_while_away<C: TestClient>(stage: &Stage<C>) {
    let (client, proxy) = stage.fragile();
    proxy.close_gate();
    client.wait_for(Link::Suspended);
    let error = client.exists(&stage.root).expect_err("no server");
    assert_eq!(error.code(), ErrorCode::CONNECTION_LOSS);
    assert!(!error.maybe_executed(), "it was never sent");
    proxy.open_gate();
    client.wait_for(Link::Connected);
    client.exists(&stage.root).expect("asked");
    client.close();
}

/// What happened while the client was away, it is told when it is back; persistent watches, which
/// nobody tells, are said to be set again.
fn missed<C: TestClient>(stage: &Stage<C>) {
    let (client, proxy) = stage.fragile();
    let (changed, gone, parent) = (stage.node("/changed"), stage.node("/gone"), stage.node("/p"));
    let new = stage.path("/new");
    let (_, data) = client.get_data_and_watch(&changed).expect("read");
    let (_, deletion) = client.exists_and_watch(&gone).expect("asked");
    let (_, creation) = client.exists_and_watch(&new).expect("asked");
    let (_, children) = client.get_children_and_watch(&parent).expect("listed");
    let mode = AddWatchMode::PersistentRecursive;
    let mut persistent = client.add_watch(&stage.root, mode).expect("set");
    away(&client, &proxy, || {
        stage.client.set_data(&changed, b"x", None).expect("set");
        stage.client.delete(&gone, None).expect("removed");
        stage.node("/new");
        stage.node("/p/child");
    });
    let told: [(C::Watch, WatchEventKind, &str); 4] = [
        (data, NodeDataChanged, &changed),
        (deletion, NodeDeleted, &gone),
        (creation, NodeCreated, &new),
        (children, NodeChildrenChanged, &parent),
    ];
    for (mut watch, kind, path) in told {
        assert_eq!(watch.next(), Update::Suspended);
        assert_eq!(watch.next().change(), Some((kind, path)));
    }
    // It hears what the session hears.
    assert_eq!(persistent.next(), Update::Suspended);
    let mut heard: Vec<_> = [(); 3].map(|()| persistent.next()).into();
    heard.sort_unstable_by_key(|update| update.change().map(|(_, path)| path.to_owned()));
    let heard: Vec<_> = heard.iter().map(Update::change).collect();
    let expected = [(NodeDataChanged, &changed), (NodeDeleted, &gone), (NodeCreated, &new)];
    assert_eq!(heard, expected.map(|(kind, path)| Some((kind, path.as_str()))));
    assert_eq!(persistent.next(), Update::Restored);
    client.set_data(&changed, b"y", None).expect("set");
    assert_eq!(persistent.next().change(), Some((NodeDataChanged, changed.as_str())));
    client.close();
}

/// Nobody tells a persistent watch what it missed: it is said to be set again.
fn missed_by_persistent<C: TestClient>(stage: &Stage<C>) {
    let (client, proxy) = stage.fragile();
    let path = stage.node("/node");
    let mut watches = [AddWatchMode::Persistent, AddWatchMode::PersistentRecursive]
        .map(|mode| client.add_watch(&stage.node(&format!("/{mode:?}")), mode).expect("set"));
    away(&client, &proxy, || {
        for mode in ["Persistent", "PersistentRecursive"] {
            stage.client.set_data(&stage.path(&format!("/{mode}")), b"x", None).expect("set");
        }
    });
    client.get_data_in_order(&path).expect("read");
    for watch in &mut watches {
        assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Restored));
        assert_eq!(watch.poll(), None);
    }
    client.close();
}

/// Watches of what did not change meanwhile are set again, time after time, and fire. Each is on a
/// znode of its own (ZOOKEEPER-4466).
fn kept<C: TestClient>(stage: &Stage<C>) {
    let (client, proxy) = stage.fragile();
    let [data, parent, single, tree] =
        ["/data", "/parent", "/single", "/tree"].map(|below| stage.node(below));
    let new = stage.path("/new");
    let mut watches = [
        client.get_data_and_watch(&data).expect("read").1,
        client.exists_and_watch(&new).expect("asked").1,
        client.get_children_and_watch(&parent).expect("listed").1,
        client.add_watch(&single, AddWatchMode::Persistent).expect("set"),
        client.add_watch(&tree, AddWatchMode::PersistentRecursive).expect("set"),
    ];
    for _ in 0..3 {
        away(&client, &proxy, || ());
        for watch in &mut watches {
            assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Restored));
        }
    }
    for path in [&data, &single, &tree] {
        stage.client.set_data(path, b"x", None).expect("set");
    }
    stage.node("/new");
    let [_, below_single, below_tree] =
        ["/parent/x", "/single/x", "/tree/x"].map(|below| stage.node(below));
    stage.client.set_data(&below_single, b"x", None).expect("set");
    let expected: [&[(WatchEventKind, &str)]; 5] = [
        &[(NodeDataChanged, &data)],
        &[(NodeCreated, &new)],
        &[(NodeChildrenChanged, &parent)],
        &[(NodeDataChanged, &single), (NodeChildrenChanged, &single)],
        &[(NodeDataChanged, &tree), (NodeCreated, &below_tree)],
    ];
    for (watch, expected) in watches.iter_mut().zip(expected) {
        for change in expected {
            assert_eq!(watch.next().change(), Some(*change));
        }
        assert_eq!(watch.poll(), None);
    }
    client.close();
}

/// A watch that is removed without a server is not set again.
fn removed_while_away<C: TestClient>(stage: &Stage<C>) {
    let (client, proxy) = stage.fragile();
    let [one, other] = ["/one", "/other"].map(|below| stage.node(below));
    let (_, mut removed) = client.get_data_and_watch(&one).expect("read");
    let (_, mut stays) = client.get_data_and_watch(&other).expect("read");
    away(&client, &proxy, || {
        let outcome = client.remove_all_watches(&one, WatcherType::Data, true);
        assert_eq!(outcome, Ok(()), "removed here, although no server was asked");
        let asked = client.remove_all_watches(&other, WatcherType::Data, false);
        assert_eq!(code(asked), ErrorCode::CONNECTION_LOSS);
    });
    // A change before the watch is set again would be told before that.
    assert_eq!((stays.next(), stays.next()), (Update::Suspended, Update::Restored));
    for path in [&one, &other] {
        stage.client.set_data(path, b"x", None).expect("set");
    }
    assert_eq!(stays.next().change(), Some((NodeDataChanged, other.as_str())));
    assert_eq!(removed.next(), Update::Suspended);
    assert_eq!(removed.next().change(), Some((DataWatchRemoved, one.as_str())));
    assert_eq!(removed.poll(), None);
    client.close();
}

/// More watches than one request may set again.
fn many_watches<C: TestClient>(stage: &Stage<C>) {
    let (client, proxy) = stage.fragile();
    let long = "x".repeat(1_000);
    let mut watches = Vec::new();
    for index in 0..300 {
        let path = stage.path(&format!("/{long}-{index}"));
        let (_, watch) = client.exists_and_watch(&path).expect("asked");
        watches.push((path, watch));
    }
    away(&client, &proxy, || ());
    for (path, watch) in &mut watches {
        assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Restored));
        stage.client.create(path, b"", CreateMode::Persistent).expect("made");
        assert_eq!(watch.next().change(), Some((NodeCreated, path.as_str())));
    }
    client.close();
}

/// A list of servers of which some do not answer, and a new list while the session lasts.
fn other_servers<C: TestClient>(stage: &Stage<C>) {
    let [one, two, dead] = std::array::from_fn(|_| Proxy::start(stage.server).expect("a proxy"));
    dead.close_gate();
    let servers = format!("{},{}", dead.address(), one.address());
    let settings = Settings::new(servers).session_timeout(Duration::from_secs(30));
    let client = C::connect(&settings).expect("a session");
    let session = client.session_id();
    assert_eq!(client.peer(), Some(one.address()));
    let mut states = client.states();
    assert_eq!(states.next(), Link::Connected);
    // Its server is not in the list any more.
    client.update_hosts(&two.address().to_string());
    assert_eq!((states.next(), states.next()), (Link::Suspended, Link::Connected));
    assert_eq!((client.peer(), client.session_id()), (Some(two.address()), session));
    assert_eq!(code(client.get_data(&stage.path("/none"))), ErrorCode::NO_NODE);
    client.close();
}

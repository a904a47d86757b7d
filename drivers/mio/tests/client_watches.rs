//! Watchers: one-shot, persistent and recursive ones, who is told what, and how they end.

mod common;

use std::sync::mpsc::Sender;

use common::{
    builder, connect,
    proxy::{Proxy, Way},
    start,
    wait::{listen, say, until},
};
use zookeeper_mio::{
    Client,
    client::{
        AddWatchMode, CreateMode, ErrorCode, KeeperState, WatchEventKind, WatchUpdate, Watcher,
        WatcherHandle, WatcherType,
    },
};

/// What is said of one update: the kind and the path of an event, or the update's name.
fn told(said: &Sender<String>) -> impl FnMut(WatchUpdate) + Send + 'static {
    let said = said.clone();
    move |update| {
        let text = match update {
            WatchUpdate::Event(event) => format!("{:?} {}", event.kind, event.path),
            other => format!("{other:?}"),
        };
        say(&said, text);
    }
}

fn make(client: &Client, path: &str) {
    client.create(path, "", CreateMode::Persistent).expect("made");
}

#[test]
fn one_shot_watches_fire_once() {
    let server = start();
    let (client, other) = (connect(server.address()), connect(server.address()));
    let (said, heard) = listen();
    let (stat, _) = client.exists_and_watch("/a", told(&said)).expect("asked");
    assert_eq!(stat, None);
    make(&other, "/a");
    assert_eq!(heard.next(), "NodeCreated /a");

    let (data, _) = client.get_data_and_watch("/a", told(&said)).expect("read");
    let (names, _) = client.get_children_and_watch("/a", told(&said)).expect("listed");
    assert_eq!((data.stat.version, names.len()), (0, 0));
    other.set_data("/a", "x", None).expect("set");
    assert_eq!(heard.next(), "NodeDataChanged /a");
    other.set_data("/a", "y", None).expect("set");
    make(&other, "/a/b");
    assert_eq!(heard.next(), "NodeChildrenChanged /a");
    let (children, _) =
        client.get_children_and_stat_and_watch("/a/b", told(&said)).expect("listed");
    assert_eq!(children.names.len(), 0);
    other.delete_recursive("/a").expect("removed");
    assert_eq!(heard.next(), "NodeDeleted /a/b");

    // Whoever watches nothing any more is let go.
    drop(said);
    heard.end();
    let error = client.get_data_and_watch("/a", |_: WatchUpdate| ()).expect_err("gone");
    assert_eq!(error.code(), ErrorCode::NO_NODE);
}

#[test]
fn persistent_watches_stay() {
    let server = start();
    let (client, other) = (connect(server.address()), connect(server.address()));
    let (said, heard) = listen();
    let persistent = AddWatchMode::Persistent;
    let watch = client.add_watch("/a", persistent, told(&said)).expect("set");
    make(&other, "/a");
    make(&other, "/a/b");
    other.set_data("/a", "x", None).expect("set");
    other.delete_recursive("/a").expect("removed");
    for expected in [
        "NodeCreated /a",
        "NodeChildrenChanged /a",
        "NodeDataChanged /a",
        "NodeChildrenChanged /a",
        "NodeDeleted /a",
    ] {
        assert_eq!(heard.next(), expected);
    }
    watch.remove().expect("it was there");
    assert_eq!(heard.next(), "PersistentWatchRemoved /a");
    assert_eq!(watch.remove().expect_err("it is gone").code(), ErrorCode::NO_WATCHER);
    make(&other, "/a");
    client.sync("/a").expect("in step");
    drop((said, watch));
    heard.end();
}

#[test]
fn recursive_watches_see_everything_below() {
    let server = start();
    let root = connect(server.address());
    make(&root, "/app");
    let app = root.chroot("/app").expect("a path");
    let (said, heard) = listen();
    let recursive = AddWatchMode::PersistentRecursive;
    app.add_watch("/", recursive, told(&said)).expect("set");
    root.create_with_parents("/app/a/b", "", CreateMode::Persistent).expect("made");
    make(&root, "/other");
    root.set_data("/app/a/b", "x", None).expect("set");
    root.set_data("/app", "x", None).expect("set");
    let expected = ["NodeCreated /a", "NodeCreated /a/b", "NodeDataChanged /a/b"];
    for expected in expected.into_iter().chain(["NodeDataChanged /"]) {
        assert_eq!(heard.next(), expected);
    }
    app.remove_all_watches("/", WatcherType::Any, false).expect("removed");
    assert_eq!(heard.next(), "PersistentWatchRemoved /");
    root.set_data("/app", "y", None).expect("set");
    drop(said);
    heard.end();
}

#[test]
fn a_watcher_is_told_of_a_change_once() {
    let server = start();
    let client = connect(server.address());
    make(&client, "/a");
    let (said, heard) = listen();
    let watcher = WatcherHandle::new(told(&said));
    client.exists_and_watch("/a", watcher.clone()).expect("asked");
    client.get_data_and_watch("/a", watcher.clone()).expect("read");
    let persistent = AddWatchMode::Persistent;
    client.add_watch("/a", persistent, watcher.clone()).expect("set");
    client.set_data("/a", "x", None).expect("set");
    assert_eq!(heard.next(), "NodeDataChanged /a");
    client.set_data("/a", "y", None).expect("set");
    assert_eq!(heard.next(), "NodeDataChanged /a");
    // Below another root it is another watcher.
    let below = client.chroot("/a").expect("a path");
    below.get_data_and_watch("/", watcher.clone()).expect("read");
    client.set_data("/a", "z", None).expect("set");
    let mut both = [heard.next(), heard.next()];
    both.sort();
    assert_eq!(both, ["NodeDataChanged /", "NodeDataChanged /a"]);

    let missing = client.remove_watches("/a", &watcher, WatcherType::Data, false);
    assert_eq!(missing.expect_err("fired").code(), ErrorCode::NO_WATCHER);
    client.remove_watches("/a", &watcher, WatcherType::Any, false).expect("removed");
    assert_eq!(heard.next(), "PersistentWatchRemoved /a");
    client.set_data("/a", "", None).expect("set");
    drop((said, watcher));
    heard.end();
}

#[test]
fn the_default_watcher_hears_states_and_its_own_watches() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let (said, heard) = listen();
    let client = builder(proxy.address()).default_watcher(told(&said)).connect().expect("up");
    assert_eq!(heard.next(), "State(SyncConnected)");
    make(&client, "/a");
    client.get_data_and_watch("/a", client.default_watcher()).expect("read");
    client.set_data("/a", "x", None).expect("set");
    assert_eq!(heard.next(), "NodeDataChanged /a");

    client.get_data_and_watch("/a", client.default_watcher()).expect("read");
    proxy.cut();
    assert_eq!(heard.next(), "State(Disconnected)");
    assert_eq!(heard.next(), "State(SyncConnected)");
    assert_eq!(heard.next(), "Restored");
    let (others, other_heard) = listen();
    client.register(told(&others));
    client.set_data("/a", "y", None).expect("set");
    assert_eq!(other_heard.next(), "NodeDataChanged /a");
    client.close();
    assert_eq!(other_heard.next(), "State(Closed)");
    drop((said, others, client));
    heard.end();
    other_heard.end();
}

/// A watcher of a type of its own, which replaces itself.
struct Successor(Client, Sender<KeeperState>);

impl Watcher for Successor {
    fn update(&mut self, update: WatchUpdate) {
        if let WatchUpdate::State(state) = update {
            let said = self.1.clone();
            let later = self.1.clone();
            self.0.register(move |update: WatchUpdate| {
                if let WatchUpdate::State(state) = update {
                    say(&later, state);
                }
            });
            say(&said, state);
        }
    }
}

#[test]
fn a_watcher_may_replace_itself() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let (up, is_up) = listen();
    let client = builder(proxy.address()).default_watcher(told(&up)).connect().expect("up");
    assert_eq!(is_up.next(), "State(SyncConnected)");
    let (said, heard) = listen();
    client.register(Successor(client.clone(), said));
    proxy.cut();
    assert_eq!(heard.next(), KeeperState::Disconnected);
    assert_eq!(heard.next(), KeeperState::SyncConnected);
    client.close();
    assert_eq!(heard.next(), KeeperState::Closed);
}

#[test]
fn watches_survive_the_loss_of_a_connection() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let client = builder(proxy.address()).connect().expect("up");
    let other = connect(server.address());
    for path in ["/kept", "/set", "/gone", "/parent"] {
        make(&client, path);
    }
    let (said, heard) = listen();
    let (one, only_one) = listen();
    client.get_data_and_watch("/kept", told(&one)).expect("read");
    for path in ["/set", "/gone"] {
        client.get_data_and_watch(path, told(&said)).expect("read");
    }
    client.exists_and_watch("/made", told(&said)).expect("asked");
    client.get_children_and_watch("/parent", told(&said)).expect("listed");
    client.add_watch("/set", AddWatchMode::Persistent, told(&said)).expect("set");

    proxy.set(Way::Closed);
    proxy.cut();
    assert_eq!(only_one.next(), "Suspended");
    other.set_data("/set", "x", None).expect("set");
    other.delete("/gone", None).expect("removed");
    make(&other, "/made");
    make(&other, "/parent/child");
    proxy.set(Way::Open);
    assert_eq!(only_one.next(), "Restored");
    // Only the persistent watch is still there to be told so, after everything that was missed.
    let mut missed: Vec<_> =
        std::iter::from_fn(|| Some(heard.next()).filter(|told| told != "Restored"))
            .filter(|told| told != "Suspended")
            .collect();
    missed.sort();
    let expected = [
        "NodeChildrenChanged /parent",
        "NodeCreated /made",
        // Of both watches: the event that one of them has missed matches the other, too.
        "NodeDataChanged /set",
        "NodeDataChanged /set",
        "NodeDeleted /gone",
    ];
    assert_eq!(missed, expected);
    other.set_data("/kept", "x", None).expect("set");
    assert_eq!(only_one.next(), "NodeDataChanged /kept");
    drop(one);
    only_one.end();
}

#[test]
fn the_end_of_the_session_is_the_end_of_watches() {
    let server = start();
    let client = connect(server.address());
    let (said, heard) = listen();
    client.exists_and_watch("/a", told(&said)).expect("asked");
    client.add_watch("/a", AddWatchMode::PersistentRecursive, told(&said)).expect("set");
    client.close();
    assert_eq!((heard.next(), heard.next()), ("Lost".to_owned(), "Lost".to_owned()));
    drop(said);
    heard.end();

    let client = connect(server.address());
    let (said, heard) = listen();
    client.exists_and_watch("/a", told(&said)).expect("asked");
    client.detach();
    assert_eq!(heard.next(), "Lost");
}

#[test]
fn events_come_before_what_they_lead_to() {
    let server = start();
    let (client, other) = (connect(server.address()), connect(server.address()));
    make(&client, "/a");
    let (said, heard) = listen();
    for round in 1..=100 {
        client.get_data_and_watch("/a", told(&said)).expect("read");
        other.set_data("/a", "x", None).expect("set");
        client.sync("/a").expect("in step");
        let said = said.clone();
        client.submit(&zookeeper_mio::client::operation::GetData::new("/a"), move |result| {
            say(&said, format!("version {}", result.expect("read").stat.version));
        });
        assert_eq!(heard.next(), "NodeDataChanged /a");
        assert_eq!(heard.next(), format!("version {round}"));
    }
    let kinds = [WatchEventKind::DataWatchRemoved, WatchEventKind::ChildWatchRemoved];
    assert!(kinds.iter().all(|kind| kind.is_removal()));
    until("the watches are used up", || client.state().is_connected());
}

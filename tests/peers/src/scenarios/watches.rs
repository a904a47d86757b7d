//! Watches on a connection that stays.

use zookeeper_core::client::WatchEventKind::{
    self, ChildWatchRemoved, DataWatchRemoved, NodeChildrenChanged, NodeCreated, NodeDataChanged,
    NodeDeleted, PersistentWatchRemoved,
};
use zookeeper_core::wire::{AddWatchMode, CreateMode, ErrorCode, WatcherType};

use super::{Scenario, Stage, code};
use crate::client::{Feed as _, TestClient, TestWatch, Update};
use crate::ports::four_letter_word;

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![
        ("data-watch", data_watch),
        ("exist-watch", exist_watch),
        ("child-watch", child_watch),
        ("watches-of-others", watches_of_others),
        ("persistent-watch", persistent_watch),
        ("recursive-watch", recursive_watch),
        ("watch-removal", removal),
        ("removal-of-all-watches", removal_of_all),
        ("last-watch-of-a-path-removed", last_of_path),
        ("events-before-replies", events_before_replies),
    ]
}

/// The next update is this change.
fn expect(watch: &mut impl TestWatch, kind: WatchEventKind, path: &str) {
    let update = watch.next();
    assert_eq!(update.change(), Some((kind, path)), "{update:?}");
}

/// Removes a watch, which may tell so.
fn remove<W: TestWatch>(watch: &mut W, kind: WatchEventKind, path: &str) {
    watch.remove().expect("removed");
    if W::TELLS_ITS_REMOVAL {
        expect(watch, kind, path);
    }
}

/// Nothing was told that has not been looked at. The reply to a request proves that whatever
/// happened before it would have been told.
fn expect_nothing<C: TestClient>(stage: &Stage<C>, watch: &mut C::Watch) {
    stage.client.get_data_in_order("/").expect("read");
    assert_eq!(watch.poll(), None);
}

fn data_watch<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.node("/node");
    assert_eq!(
        client.get_data_and_watch(&stage.path("/no")).err().map(|e| e.code()),
        Some(ErrorCode::NO_NODE)
    );
    let (read, mut watch) = client.get_data_and_watch(&path).expect("read");
    assert_eq!(read.stat.version, 0);
    stage.node("/node/child");
    expect_nothing(stage, &mut watch);
    let stat = client.set_data(&path, b"1", None).expect("set");
    match watch.next() {
        Update::Event { kind: NodeDataChanged, path: told, zxid } => {
            assert_eq!(told, path);
            // Servers before 3.9 do not say which transaction it was.
            assert!(zxid == stat.mzxid.0 || zxid == -1, "{zxid:#x} is not {}", stat.mzxid);
        }
        other => panic!("{other:?}"),
    }
    // One shot.
    client.set_data(&path, b"2", None).expect("set");
    expect_nothing(stage, &mut watch);

    client.delete(&stage.path("/node/child"), None).expect("removed");
    let (_, mut watch) = client.get_data_and_watch(&path).expect("read");
    client.delete(&path, None).expect("removed");
    expect(&mut watch, NodeDeleted, &path);
}

fn exist_watch<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/node");
    let steps: [(&dyn Fn(), WatchEventKind); 3] = [
        (&|| drop(client.create(&path, b"", CreateMode::Persistent).expect("made")), NodeCreated),
        (&|| assert!(client.set_data(&path, b"x", None).is_ok()), NodeDataChanged),
        (&|| client.delete(&path, None).expect("removed"), NodeDeleted),
    ];
    for (index, (step, kind)) in steps.into_iter().enumerate() {
        let (found, mut watch) = client.exists_and_watch(&path).expect("asked");
        assert_eq!(found.is_some(), index > 0);
        step();
        expect(&mut watch, kind, &path);
        expect_nothing(stage, &mut watch);
    }
}

fn child_watch<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.node("/node");
    let (children, mut watch) = client.get_children_and_watch(&path).expect("listed");
    assert_eq!(children, [""; 0]);
    client.set_data(&path, b"x", None).expect("set");
    expect_nothing(stage, &mut watch);
    let child = stage.node("/node/child");
    expect(&mut watch, NodeChildrenChanged, &path);
    let (children, mut watch) = client.get_children_and_watch(&path).expect("listed");
    assert_eq!(children, ["child"]);
    stage.node("/node/child/deep");
    client.delete(&stage.path("/node/child/deep"), None).expect("removed");
    expect_nothing(stage, &mut watch);
    client.delete(&child, None).expect("removed");
    expect(&mut watch, NodeChildrenChanged, &path);
    let (_, mut watch) = client.get_children_and_watch(&path).expect("listed");
    client.delete(&path, None).expect("removed");
    expect(&mut watch, NodeDeleted, &path);
}

/// Several watches of one znode, one change by somebody else: each is told once.
fn watches_of_others<C: TestClient>(stage: &Stage<C>) {
    let path = stage.node("/node");
    let client = &stage.client;
    let other = stage.other();
    let (_, mut data) = client.get_data_and_watch(&path).expect("read");
    let (_, mut exist) = client.exists_and_watch(&path).expect("asked");
    let (_, mut child) = client.get_children_and_watch(&path).expect("listed");
    let (_, mut of_other) = other.get_data_and_watch(&path).expect("read");
    other.delete(&path, None).expect("removed");
    for watch in [&mut data, &mut exist, &mut child, &mut of_other] {
        expect(watch, NodeDeleted, &path);
    }
    for watch in [&mut data, &mut exist, &mut child] {
        expect_nothing(stage, watch);
    }
    other.close();
}

fn persistent_watch<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let (path, child) = (stage.path("/node"), stage.path("/node/child"));
    let mut watch = client.add_watch(&path, AddWatchMode::Persistent).expect("set");
    for _ in 0..2 {
        stage.node("/node");
        expect(&mut watch, NodeCreated, &path);
        stage.node("/node/child");
        expect(&mut watch, NodeChildrenChanged, &path);
        client.set_data(&child, b"x", None).expect("set");
        stage.node("/node/child/deep");
        client.delete(&stage.path("/node/child/deep"), None).expect("removed");
        for data in [b"1", b"2", b"3"] {
            client.set_data(&path, data, None).expect("set");
            expect(&mut watch, NodeDataChanged, &path);
        }
        client.delete(&child, None).expect("removed");
        expect(&mut watch, NodeChildrenChanged, &path);
        client.delete(&path, None).expect("removed");
        expect(&mut watch, NodeDeleted, &path);
        expect_nothing(stage, &mut watch);
    }
}

fn recursive_watch<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/node");
    let mode = AddWatchMode::PersistentRecursive;
    let mut watch = client.add_watch(&path, mode).expect("set");
    let mut below = Vec::new();
    for name in ["", "/a", "/a/b", "/c"] {
        below.push(stage.node(&format!("/node{name}")));
        expect(&mut watch, NodeCreated, &below[below.len() - 1]);
    }
    stage.node("/nodes");
    client.set_data(&below[2], b"x", None).expect("set");
    expect(&mut watch, NodeDataChanged, &below[2]);
    for path in below.iter().rev() {
        client.delete(path, None).expect("removed");
        expect(&mut watch, NodeDeleted, path);
    }
    expect_nothing(stage, &mut watch);
}

/// Removing one watch ends that one alone.
fn removal<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.node("/node");
    let (_, mut data) = client.get_data_and_watch(&path).expect("read");
    let (_, mut kept) = client.get_data_and_watch(&path).expect("read");
    let (_, mut child) = client.get_children_and_watch(&path).expect("listed");
    let mut persistent = client.add_watch(&path, AddWatchMode::Persistent).expect("set");
    let recursive = AddWatchMode::PersistentRecursive;
    let mut recursive = client.add_watch(&path, recursive).expect("set");
    remove(&mut data, DataWatchRemoved, &path);
    remove(&mut child, ChildWatchRemoved, &path);
    remove(&mut recursive, PersistentWatchRemoved, &path);

    client.set_data(&path, b"x", None).expect("set");
    expect(&mut kept, NodeDataChanged, &path);
    expect(&mut persistent, NodeDataChanged, &path);
    for watch in [&mut data, &mut child, &mut recursive] {
        expect_nothing(stage, watch);
    }
    remove(&mut persistent, PersistentWatchRemoved, &path);
    client.set_data(&path, b"y", None).expect("set");
    expect_nothing(stage, &mut persistent);
}

/// The server forgets a persistent watch when nobody here holds one at its path any more.
fn last_of_path<C: TestClient>(stage: &Stage<C>) {
    let path = stage.node("/node");
    let is_watched = || {
        // What the session sends of itself is ahead of this.
        stage.client.get_data_in_order("/").expect("read");
        let text = four_letter_word(stage.server, "wchp").expect("an answer");
        assert!(!text.contains("not in the whitelist"), "{text}");
        text.lines().any(|line| line == path)
    };
    assert!(!is_watched());
    for mode in [AddWatchMode::Persistent, AddWatchMode::PersistentRecursive] {
        let mut one = stage.client.add_watch(&path, mode).expect("set");
        let mut two = stage.client.add_watch(&path, mode).expect("set");
        one.remove().expect("removed");
        assert!(is_watched());
        two.remove().expect("removed");
        assert!(!is_watched());
    }
}

fn removal_of_all<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.node("/node");
    let (_, mut data) = client.get_data_and_watch(&path).expect("read");
    let (_, mut exist) = client.exists_and_watch(&path).expect("asked");
    let (_, mut child) = client.get_children_and_watch(&path).expect("listed");
    let mut persistent = client.add_watch(&path, AddWatchMode::Persistent).expect("set");
    client.remove_all_watches(&path, WatcherType::Data, false).expect("removed");
    expect(&mut data, DataWatchRemoved, &path);
    expect(&mut exist, DataWatchRemoved, &path);
    let again = client.remove_all_watches(&path, WatcherType::Data, false);
    assert_eq!(code(again), ErrorCode::NO_WATCHER);
    expect_nothing(stage, &mut child);
    client.remove_all_watches(&path, WatcherType::Any, false).expect("removed");
    expect(&mut child, ChildWatchRemoved, &path);
    expect(&mut persistent, PersistentWatchRemoved, &path);
    client.set_data(&path, b"x", None).expect("set");
    for watch in [&mut data, &mut exist, &mut child, &mut persistent] {
        expect_nothing(stage, watch);
    }
}

/// Whoever reads a new state was told of the change before, and changes are told in the order in
/// which they were made.
fn events_before_replies<C: TestClient>(stage: &Stage<C>) {
    let path = stage.node("/node");
    let client = &stage.client;
    let recursive = AddWatchMode::PersistentRecursive;
    let mut all = client.add_watch(&stage.root, recursive).expect("set");
    let writer = stage.other();
    let mut version = 0;
    for round in 0..50 {
        let (read, mut watch) = client.get_data_and_watch(&path).expect("read");
        assert_eq!(read.stat.version, version);
        version = writer.set_data(&path, b"x", None).expect("set").version;
        let child = stage.path(&format!("/node/{round}"));
        writer.create(&child, b"", CreateMode::Persistent).expect("made");
        while client.get_data_in_order(&path).expect("read").stat.version < version {
            assert_eq!(watch.poll(), None);
        }
        let told = watch.poll().expect("the change was told before the reply that shows it");
        assert_eq!(told.change(), Some((NodeDataChanged, path.as_str())));
        let told = all.poll().expect("this one too");
        assert_eq!(told.change(), Some((NodeDataChanged, path.as_str())));
        expect(&mut all, NodeCreated, &child);
    }
    writer.close();
}

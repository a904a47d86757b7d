//! Watches of every kind, against a real server.

mod client_support;

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
};

use client_support::{Proxy, builder, connect, event, run, start, start_with, wait_until};
use zookeeper_core::{
    endpoint::CommandWhitelist,
    wire::{AddWatchMode, Command, CreateMode, ErrorCode, WatcherType},
};
use zookeeper_smol::client::{Watch, WatchEventKind, WatchUpdate};

const PERSISTENT: CreateMode = CreateMode::Persistent;

/// What the server says of its watches.
fn watches(server: SocketAddr) -> String {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.write_all(b"wchs").expect("a connection");
    io::read_to_string(stream).expect("an answer")
}

async fn ends(mut watch: Watch) {
    assert_eq!(watch.next().await, None);
    assert!(!watch.is_active());
}

#[test]
fn a_watch_tells_one_change_and_ends() {
    let server = start();
    run(async {
        let (client, other) = (connect(server.address()).await, connect(server.address()).await);
        let (none, mut creation) = client.exists_and_watch("/a").await.expect("asked");
        assert_eq!(none, None);
        let (_, mut children) = client.get_children_and_watch("/").await.expect("listed");
        other.create("/a", "one", PERSISTENT).await.expect("made");
        let created = event(&mut creation).await;
        assert_eq!((created.kind, &*created.path), (WatchEventKind::NodeCreated, "/a"));
        assert_eq!(event(&mut children).await.kind, WatchEventKind::NodeChildrenChanged);

        let (data, mut change) = client.get_data_and_watch("/a").await.expect("read");
        assert_eq!(&data.data[..], b"one");
        let (_, mut deletion) = client.exists_and_watch("/a").await.expect("asked");
        other.set_data("/a", "two", None).await.expect("changed");
        for watch in [&mut change, &mut deletion] {
            assert_eq!(event(watch).await.kind, WatchEventKind::NodeDataChanged);
        }
        for watch in [creation, children, change, deletion] {
            ends(watch).await;
        }
        let (_, mut deletion) = client.get_data_and_watch("/a").await.expect("read");
        other.delete("/a", None).await.expect("removed");
        assert_eq!(event(&mut deletion).await.kind, WatchEventKind::NodeDeleted);
        let error = client.get_data_and_watch("/a").await.expect_err("it is gone");
        assert_eq!(error.code(), ErrorCode::NO_NODE);
    });
}

#[test]
fn persistent_watches_tell_every_change() {
    let server = start();
    run(async {
        let (client, other) = (connect(server.address()).await, connect(server.address()).await);
        let view = client.chroot("/app").expect("a path");
        let ((), mut one) = view.add_watch("/", AddWatchMode::Persistent).await.expect("set");
        let mode = AddWatchMode::PersistentRecursive;
        let ((), mut all) = view.add_watch("/", mode).await.expect("set");
        other.create("/app", "", PERSISTENT).await.expect("made");
        other.create("/app/a", "", PERSISTENT).await.expect("made");
        other.set_data("/app/a", "x", None).await.expect("changed");
        other.delete("/app/a", None).await.expect("removed");
        let mut told = Vec::new();
        for _ in 0..4 {
            let event = event(&mut all).await;
            told.push((event.kind, event.path));
        }
        let expected = [
            (WatchEventKind::NodeCreated, "/"),
            (WatchEventKind::NodeCreated, "/a"),
            (WatchEventKind::NodeDataChanged, "/a"),
            (WatchEventKind::NodeDeleted, "/a"),
        ];
        assert_eq!(told, expected.map(|(kind, path)| (kind, path.to_owned())));
        let kinds = [event(&mut one).await.kind, event(&mut one).await.kind];
        assert_eq!(kinds, [WatchEventKind::NodeCreated, WatchEventKind::NodeChildrenChanged]);
    });
}

#[test]
fn a_change_is_told_before_a_reply_that_shows_it() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.create("/a", "", PERSISTENT).await.expect("made");
        for _ in 0..50 {
            let (_, mut watch) = client.get_data_and_watch("/a").await.expect("read");
            client.set_data("/a", "x", None).await.expect("changed");
            // It is there already: no more is awaited than what is ready.
            let update = futures_lite::future::poll_once(watch.next()).await.expect("told");
            assert!(matches!(update, Some(WatchUpdate::Event(_))), "{update:?}");
        }
    });
}

#[test]
fn watches_are_removed() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let mode = AddWatchMode::Persistent;
        let ((), removed) = client.add_watch("/a", mode).await.expect("set");
        let ((), mut kept) = client.add_watch("/a", mode).await.expect("set");
        let (_, mut exists) = client.exists_and_watch("/a").await.expect("asked");
        removed.remove().await.expect("it was there");
        client.create("/a", "", PERSISTENT).await.expect("made");
        assert_eq!(event(&mut kept).await.kind, WatchEventKind::NodeCreated);
        assert_eq!(event(&mut exists).await.kind, WatchEventKind::NodeCreated);
        assert_eq!(exists.remove().await.expect_err("it has fired").code(), ErrorCode::NO_WATCHER);

        let (_, mut data) = client.get_data_and_watch("/a").await.expect("read");
        client.remove_all_watches("/a", WatcherType::Any, false).await.expect("they were there");
        assert_eq!(event(&mut data).await.kind, WatchEventKind::DataWatchRemoved);
        assert_eq!(event(&mut kept).await.kind, WatchEventKind::PersistentWatchRemoved);
        ends(data).await;
        ends(kept).await;
        let error = client.remove_all_watches("/a", WatcherType::Any, false).await;
        assert_eq!(error.expect_err("none is left").code(), ErrorCode::NO_WATCHER);
    });
}

#[test]
fn a_dropped_watch_is_forgotten() {
    let server = start();
    run(async {
        let client = builder(server.address()).configure(|config| config.watches_max = 2);
        let client = client.connect().await.expect("the server listens");
        // As many as are allowed, again and again: each drop makes room for another.
        for _ in 0..100 {
            drop(client.add_watch("/a", AddWatchMode::Persistent).await.expect("set"));
            let call = client.exists_and_watch("/a");
            drop(call);
            client.sync("/").await.expect("in step");
        }
        let error = client.get_data_and_watch("/none").await.expect_err("there is none");
        assert_eq!(error.code(), ErrorCode::NO_NODE);
        let one = client.add_watch("/a", AddWatchMode::Persistent).await.expect("room");
        let other = client.exists_and_watch("/a").await.expect("room");
        let error = client.exists_and_watch("/a").await.expect_err("no room");
        assert_eq!(error.code(), ErrorCode::OPERATION_TIMEOUT);
        drop((one, other));
    });
}

#[test]
fn the_server_drops_a_persistent_watch_that_nobody_holds() {
    let server = start_with(|config| {
        config.server.endpoint.commands = CommandWhitelist::new(&[Command::Wchs]);
    });
    run(async {
        let client = connect(server.address()).await;
        let mode = AddWatchMode::PersistentRecursive;
        let ((), one) = client.add_watch("/a", mode).await.expect("set");
        let ((), two) = client.add_watch("/a", mode).await.expect("set");
        let ((), three) = client.add_watch("/b", mode).await.expect("set");
        drop(one);
        three.remove().await.expect("removed");
        // What the session sends of itself is ahead of this.
        client.exists("/").await.expect("asked");
        assert!(watches(server.address()).ends_with(":1\n"));
        drop(two);
        // Nobody else wakes the driver.
        wait_until("no watch", async || watches(server.address()).ends_with(":0\n")).await;
    });
}

#[test]
fn a_watch_that_nobody_reads_is_bounded() {
    let server = start();
    run(async {
        let client = builder(server.address()).watch_updates_max(3);
        let client = client.connect().await.expect("the server listens");
        client.create("/a", "", PERSISTENT).await.expect("made");
        let ((), mut watch) = client.add_watch("/a", AddWatchMode::Persistent).await.expect("set");
        for _ in 0..10 {
            client.set_data("/a", "x", None).await.expect("changed");
        }
        for _ in 0..3 {
            assert_eq!(event(&mut watch).await.kind, WatchEventKind::NodeDataChanged);
        }
        assert_eq!(watch.next().await, Some(WatchUpdate::Missed(7)));
        client.delete("/a", None).await.expect("removed");
        assert_eq!(event(&mut watch).await.kind, WatchEventKind::NodeDeleted);
    });
}

#[test]
fn watches_survive_the_loss_of_a_connection() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let (client, other) = (connect(proxy.address()).await, connect(server.address()).await);
        for path in ["/a", "/b"] {
            other.create(path, "", PERSISTENT).await.expect("made");
        }
        let (_, mut missed) = client.get_data_and_watch("/a").await.expect("read");
        let (_, mut later) = client.get_data_and_watch("/b").await.expect("read");
        let (_, mut creation) = client.exists_and_watch("/c").await.expect("asked");
        let (_, mut children) = client.get_children_and_watch("/b").await.expect("listed");
        let ((), mut persistent) =
            client.add_watch("/b", AddWatchMode::Persistent).await.expect("set");
        let mode = AddWatchMode::PersistentRecursive;
        let ((), mut recursive) = client.add_watch("/b", mode).await.expect("set");

        proxy.refuse();
        for watch in
            [&mut missed, &mut later, &mut creation, &mut children, &mut persistent, &mut recursive]
        {
            assert_eq!(watch.next().await, Some(WatchUpdate::Suspended));
        }
        other.set_data("/a", "while away", None).await.expect("changed");
        proxy.set_mode(client_support::Mode::Forward);

        assert_eq!(event(&mut missed).await.kind, WatchEventKind::NodeDataChanged);
        for watch in [&mut later, &mut creation, &mut children, &mut persistent, &mut recursive] {
            assert_eq!(watch.next().await, Some(WatchUpdate::Restored));
        }
        other.set_data("/b", "x", None).await.expect("changed");
        other.create("/c", "", PERSISTENT).await.expect("made");
        other.create("/b/n", "", PERSISTENT).await.expect("made");
        assert_eq!(event(&mut later).await.kind, WatchEventKind::NodeDataChanged);
        assert_eq!(event(&mut creation).await.kind, WatchEventKind::NodeCreated);
        assert_eq!(event(&mut children).await.kind, WatchEventKind::NodeChildrenChanged);
        assert_eq!(event(&mut persistent).await.kind, WatchEventKind::NodeDataChanged);
        assert_eq!(event(&mut persistent).await.kind, WatchEventKind::NodeChildrenChanged);
        assert_eq!(event(&mut recursive).await.path, "/b");
        assert_eq!(event(&mut recursive).await.path, "/b/n");
    });
}

#[test]
fn without_restoration_watches_are_lost_and_say_so() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = builder(proxy.address()).configure(|config| config.auto_watch_reset = false);
        let client = client.connect().await.expect("the server listens");
        let (_, mut watch) = client.get_data_and_watch("/").await.expect("read");
        proxy.cut();
        let mut updates = Vec::new();
        while let Some(update) = watch.next().await {
            updates.push(update);
        }
        assert_eq!(updates, [WatchUpdate::Suspended, WatchUpdate::Lost]);
        client.connected().await.expect("the server listens");
    });
}

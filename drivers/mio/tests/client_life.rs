//! The beginning and the end of clients: threads, descriptors, and who keeps what open.
//!
//! Alone in their process are only those tests that count; they take turns.
#![cfg(target_os = "linux")]

mod common;

use std::{
    fs,
    net::TcpListener,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use common::{
    DEADLINE, builder, connect,
    proxy::{Proxy, Way},
    start,
    wait::{Gate, listen, say, until},
    wait_for_connections,
};
use zookeeper_mio::client::{
    CloseReason, ConnectionState, CreateMode, WatchUpdate, operation::Exists,
};

/// Held by each test: threads and descriptors are the whole process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("a process has some").count()
}

/// Threads whose names begin with this. The system cuts names off.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("a process has some");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|comm| comm.starts_with(name)).count()
}

fn client_threads() -> usize {
    threads("zookeeper-")
}

/// A thread takes its name, and leaves the list, a little later than it begins and ends.
fn wait_for_threads(count: usize) {
    until("so many threads run", || client_threads() == count);
}

#[test]
fn nothing_is_left_of_a_dropped_client() {
    let _alone = alone();
    let server = start();
    // Everything that is made once is made now.
    drop(connect(server.address()));
    wait_for_connections(server.address(), 0);
    let before = (descriptors(), client_threads());
    for _ in 0..20 {
        let client = connect(server.address());
        client.create("/e", "", CreateMode::Ephemeral).expect("the last one is gone");
        wait_for_threads(before.1 + 2);
        let clone = client.clone();
        drop(client);
        clone.exists("/e").expect("asked");
        drop(clone);
        wait_for_threads(before.1);
    }
    wait_for_connections(server.address(), 0);
    until("all descriptors are given back", || descriptors() <= before.0);
}

#[test]
fn a_hundred_reconnects_leave_nothing_behind() {
    let _alone = alone();
    let server = start();
    let proxy = Proxy::new(server.address());
    let (said, heard) = listen();
    let _client =
        builder(proxy.address()).on_state(move |state| say(&said, state)).connect().expect("up");
    let up = ConnectionState::Connected { read_only: false };
    heard.skip_to(&up);
    wait_for_connections(server.address(), 1);
    let before = (descriptors(), client_threads());
    for _ in 0..100 {
        proxy.cut();
        heard.skip_to(&up);
    }
    assert_eq!(proxy.accepted(), 101);
    wait_for_threads(before.1);
    wait_for_connections(server.address(), 1);
    until("all descriptors are given back", || descriptors() <= before.0);
    // And where every attempt fails.
    proxy.set(Way::Closed);
    proxy.cut();
    until("attempts fail", || proxy.accepted() > 200);
    proxy.set(Way::Open);
    heard.skip_to(&up);
    wait_for_connections(server.address(), 1);
    until("all descriptors are given back", || descriptors() <= before.0);
}

#[test]
fn attempts_that_are_refused_leave_nothing_behind() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let client = builder(address).build().expect("threads");
    client.exists("/").expect_err("nobody listens");
    let before = descriptors();
    for _ in 0..100 {
        client.exists("/").expect_err("nobody listens");
    }
    // One attempt may be under way.
    assert!(descriptors() <= before + 1);
    assert_eq!(client.close(), CloseReason::Closed { confirmed: false });
}

#[test]
fn dropping_a_client_ends_its_session() {
    let _alone = alone();
    let server = start();
    let other = connect(server.address());
    let client = connect(server.address());
    client.create("/e", "", CreateMode::Ephemeral).expect("made");
    drop(client);
    assert_eq!(other.exists("/e").expect("asked"), None);
}

#[test]
fn the_last_clone_may_be_dropped_by_a_callback() {
    let _alone = alone();
    let server = start();
    let before = client_threads();
    for _ in 0..20 {
        let client = connect(server.address());
        let gate = Gate::default();
        let (said, heard) = listen();
        let (last, waiting) = (client.clone(), gate.clone());
        client.submit(&Exists::new("/"), move |_| {
            waiting.pass();
            drop(last);
            say(&said, ());
        });
        drop(client);
        gate.open();
        heard.next();
        heard.end();
        wait_for_threads(before);
    }
    wait_for_connections(server.address(), 0);
}

/// A function that owns its client keeps it, until the session is over.
#[test]
fn a_listener_that_owns_its_client_is_let_go_at_the_end() {
    let _alone = alone();
    let server = start();
    let before = client_threads();
    for is_default in [false, true] {
        let client = connect(server.address());
        let (said, heard) = listen();
        let own = client.clone();
        if is_default {
            client.register(move |_: WatchUpdate| say(&said, own.state()));
        } else {
            client.on_state(move |_| say(&said, own.state()));
        }
        client.close();
        drop(client);
        heard.rest();
        wait_for_threads(before);
    }
}

/// A watcher that owns its client keeps it; one that owns a weak handle does not.
#[test]
fn a_weak_client_keeps_nothing_open() {
    let _alone = alone();
    let server = start();
    let before = client_threads();
    let client = connect(server.address());
    let weak = client.downgrade();
    let (said, heard) = listen();
    client
        .exists_and_watch("/a", move |update| {
            let is_open = weak.upgrade().is_some();
            say(&said, (update, is_open));
        })
        .expect("asked");
    let watch = client
        .add_watch("/b", zookeeper_mio::client::AddWatchMode::Persistent, |_: WatchUpdate| ())
        .expect("set");
    drop(client);
    assert_eq!(heard.next(), (WatchUpdate::Lost, false));
    heard.end();
    watch.remove().expect_err("the session is over");
    wait_for_threads(before);
}

/// A server that does not answer holds nobody up for longer than agreed.
#[test]
fn an_end_that_nobody_confirms_is_bounded() {
    let _alone = alone();
    let server = start();
    let proxy = Proxy::new(server.address());
    let before = client_threads();
    let limit = Duration::from_millis(100);
    let client = builder(proxy.address()).close_timeout(limit).connect().expect("up");
    proxy.set(Way::Stalled);
    let start = Instant::now();
    assert_eq!(client.close(), CloseReason::Closed { confirmed: false });
    assert!(start.elapsed() >= limit);
    drop(client);
    wait_for_threads(before);

    // Neither does one that was never reached.
    let client = builder(proxy.address()).close_timeout(limit).build().expect("threads");
    until("it tries", || proxy.accepted() > 1);
    drop(client);
    wait_for_threads(before);
    assert!(start.elapsed() < DEADLINE);
}

/// A callback that does not return holds nobody up either, and runs to its end.
#[test]
fn a_callback_that_does_not_return_is_left_alone() {
    let _alone = alone();
    let server = start();
    let before = client_threads();
    let client =
        builder(server.address()).close_timeout(Duration::from_millis(100)).connect().expect("up");
    let gate = Gate::default();
    let (said, heard) = listen();
    let (slow, later) = (gate.clone(), said.clone());
    client.submit(&Exists::new("/"), move |_| slow.pass());
    client.submit(&Exists::new("/"), move |_| say(&later, ()));
    gate.wait_for(1);
    drop(client);
    wait_for_connections(server.address(), 0);
    wait_for_threads(before + 1);
    gate.open();
    heard.next();
    drop(said);
    heard.end();
    wait_for_threads(before);
}

#[test]
fn many_threads_may_close() {
    let _alone = alone();
    let server = start();
    let client = connect(server.address());
    thread::scope(|scope| {
        let closing: Vec<_> = (0..8).map(|_| scope.spawn(|| client.close())).collect();
        for thread in closing {
            let reason = thread.join().expect("no panic");
            assert_eq!(reason, CloseReason::Closed { confirmed: true });
        }
    });
    assert_eq!(client.detach(), None);
    assert_eq!(client.peer(), None);
}

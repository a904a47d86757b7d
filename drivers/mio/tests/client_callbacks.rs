//! The callback thread: one order, whatever callbacks do.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use common::{
    builder, connect,
    proxy::{Proxy, Way},
    start,
    wait::{Gate, listen, say, until},
};
use zookeeper_mio::client::{
    ConnectionState, CreateMode, Error, RequestError, SubmitError, WatchUpdate,
    operation::{Create, Exists, GetData, SetData},
};

/// What is asked for where the session's end must be near.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Waits for longer than a session lives of which nothing is heard: what is sent meanwhile, about
/// once in a third of its time-out, are pings.
fn wait_for_pings(proxy: &Proxy) {
    let before = proxy.sent();
    until("pings go out", || proxy.sent() > before + 3);
}

#[test]
fn callbacks_run_in_the_order_of_their_requests() {
    let server = start();
    let client = connect(server.address());
    let (said, heard) = listen();
    for index in 0..1_000 {
        let said = said.clone();
        let create = Create::new(format!("/{index}"), "", CreateMode::Persistent);
        client.submit(&create, move |result| {
            say(&said, (index, thread::current().id(), result.expect("made").path));
        });
    }
    let (_, thread, _) = heard.next();
    assert_ne!(thread, thread::current().id());
    for index in 1..1_000 {
        assert_eq!(heard.next(), (index, thread, format!("/{index}")));
    }
    // Arguments are looked at first, but told of in order all the same.
    let again = said.clone();
    client.submit(&Exists::new("/0"), move |_| say(&again, (1, thread, String::new())));
    let create = Create::new("no path", "", CreateMode::Persistent);
    client.submit(&create, move |result| {
        assert!(matches!(result, Err(Error::Argument(_))), "{result:?}");
        say(&said, (2, thread, String::new()));
    });
    let mut last = [heard.next().0, heard.next().0];
    last.sort_unstable();
    assert_eq!(last, [1, 2]);
    heard.end();
}

#[test]
fn a_callback_may_block_on_the_client() {
    let server = start();
    let client = connect(server.address());
    let (said, heard) = listen();
    let inner = client.clone();
    client.create("/a", "", CreateMode::Persistent).expect("made");
    client.submit(&SetData::new("/a", "x", None), move |result| {
        let version = result.expect("set").version;
        let stat = inner.set_data("/a", "y", Some(version)).expect("set");
        inner.wait_connected(common::DEADLINE).expect("it is");
        let paths = inner.list_subtree("/a").expect("listed");
        say(&said, (stat.version, paths.len()));
    });
    assert_eq!(heard.next(), (2, 1));
    heard.end();
}

#[test]
fn a_slow_callback_holds_up_callbacks_alone() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let client = builder(proxy.address()).session_timeout(TIMEOUT).connect().expect("up");
    let gate = Gate::default();
    let (said, heard) = listen();
    let (slow, first) = (gate.clone(), said.clone());
    client.submit(&Exists::new("/"), move |_| {
        slow.pass();
        say(&first, 1);
    });
    client.submit(&Exists::new("/"), move |_| said.send(2).expect("the test listens"));
    gate.wait_for(1);
    for _ in 0..100 {
        client.exists("/").expect("asked");
    }
    wait_for_pings(&proxy);
    assert_eq!(client.state(), ConnectionState::Connected { read_only: false });
    assert_eq!(proxy.accepted(), 1);
    assert_eq!(heard.so_far(), []);
    gate.open();
    assert_eq!((heard.next(), heard.next()), (1, 2));
    heard.end();
}

#[test]
fn callbacks_of_refused_requests_stay_behind_those_before_them() {
    let server = start();
    let client = connect(server.address());
    let gate = Gate::default();
    let (said, heard) = listen();
    let (slow, first) = (gate.clone(), said.clone());
    client.submit(&Exists::new("/"), move |_| {
        slow.pass();
        say(&first, (1, thread::current().id()));
    });
    gate.wait_for(1);
    client.close();
    // The session is over, but its callbacks are not.
    client.submit(&Exists::new("/"), move |result| {
        assert_eq!(result, Err(SubmitError::Closed.into()));
        say(&said, (2, thread::current().id()));
    });
    assert_eq!(heard.so_far(), []);
    gate.open();
    let (one, two) = (heard.next(), heard.next());
    assert_eq!((one.0, two), (1, (2, one.1)));
    heard.end();
}

#[test]
fn a_panic_ends_nothing() {
    let server = start();
    let client = connect(server.address());
    client.create("/a", "", CreateMode::Persistent).expect("made");
    let (said, heard) = listen();
    let mut count = 0;
    let watcher = move |_: WatchUpdate| {
        count += 1;
        say(&said, count);
        assert!(count > 1, "the first time it fails");
    };
    client.add_watch("/a", zookeeper_mio::client::AddWatchMode::Persistent, watcher).expect("set");
    client.submit(&Exists::new("/a"), |_| panic!("no reason"));
    client.on_state(|_| panic!("a listener"));
    client.set_data("/a", "x", None).expect("set");
    assert_eq!(heard.next(), 1);
    client.set_data("/a", "y", None).expect("set");
    assert_eq!(heard.next(), 2);
    client.close();
    assert_eq!(heard.next(), 3);
    heard.end();
}

/// Far more callbacks than may wait, behind one that waits.
#[test]
fn a_full_queue_holds_up_who_fills_it() {
    const CALLBACKS: usize = 20_000;
    let server = start();
    let proxy = Proxy::new(server.address());
    let mut builder = builder(proxy.address()).callbacks_max(4).session_timeout(TIMEOUT);
    builder.config_mut().requests_max = 1_000;
    let client = builder.connect().expect("up");
    let gate = Gate::default();
    let slow = gate.clone();
    client.submit(&Exists::new("/"), move |_| slow.pass());
    gate.wait_for(1);
    let submitted = Arc::new(AtomicUsize::new(0));
    let (said, heard) = listen();
    let filler = thread::spawn({
        let (client, submitted) = (client.clone(), Arc::clone(&submitted));
        move || {
            for index in 0..CALLBACKS {
                let said = said.clone();
                client.submit(&Exists::new("/"), move |result| {
                    let is_full = Error::Refused(SubmitError::QueueFull(1_000));
                    assert!(result.is_ok() || result == Err(is_full));
                    say(&said, index);
                });
                submitted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    wait_for_pings(&proxy);
    assert!(client.state().is_connected());
    assert_eq!(proxy.accepted(), 1);
    let before = submitted.load(Ordering::SeqCst);
    assert!(before < CALLBACKS, "{before} requests were taken");
    gate.open();
    // Refusals overtake what was accepted before.
    let mut called: Vec<usize> = (0..CALLBACKS).map(|_| heard.next()).collect();
    called.sort_unstable();
    assert!(called.into_iter().eq(0..CALLBACKS));
    filler.join().expect("no panic");
    heard.end();
}

/// The answer to a blocking call stands behind more than the queue holds.
#[test]
fn a_callback_may_block_though_the_queue_is_full() {
    const CALLBACKS: usize = 5_000;
    let server = start();
    let client = builder(server.address()).callbacks_max(1).connect().expect("up");
    let gate = Gate::default();
    let (said, heard) = listen();
    let (inner, slow, first) = (client.clone(), gate.clone(), said.clone());
    client.submit(&Exists::new("/"), move |_| {
        slow.pass();
        let children = inner.get_children("/").expect("listed");
        let made = inner.create("/made", "", CreateMode::Persistent).expect("made");
        say(&first, children.len() + made.path.len());
    });
    gate.wait_for(1);
    let filler = thread::spawn({
        move || {
            for _ in 0..CALLBACKS {
                let said = said.clone();
                client.submit(&Exists::new("/"), move |_| said.send(0).expect("the test listens"));
            }
        }
    });
    gate.open();
    assert_eq!(heard.next(), 6);
    for _ in 0..CALLBACKS {
        assert_eq!(heard.next(), 0);
    }
    filler.join().expect("no panic");
    heard.end();
}

#[test]
fn every_callback_is_called_once_however_the_client_ends() {
    const CALLBACKS: usize = 300;
    let server = start();
    let proxy = Proxy::new(server.address());
    for round in 0..3 {
        let client = builder(proxy.address())
            .close_timeout(Duration::from_millis(200))
            .connect()
            .expect("up");
        let (said, heard) = listen();
        proxy.set(Way::Stalled);
        for index in 0..CALLBACKS {
            let said = said.clone();
            client.submit(&GetData::new("/"), move |result| {
                say(&said, (index, result.map(drop)));
            });
        }
        drop(said);
        match round {
            0 => drop(client.close()),
            1 => drop(client.detach()),
            _ => drop(client),
        }
        for expected in 0..CALLBACKS {
            let (index, result) = heard.next();
            assert_eq!(index, expected);
            let error = result.expect_err("no answer came");
            assert!(
                matches!(
                    error,
                    Error::Request(RequestError::Closed { .. })
                        | Error::Refused(SubmitError::Closed)
                ),
                "{error:?}"
            );
        }
        heard.end();
        proxy.set(Way::Open);
    }
}

#[test]
fn requests_after_the_end_are_answered_here_and_now() {
    let server = start();
    let client = connect(server.address());
    client.close();
    let (said, heard) = listen();
    client.submit(&Exists::new("/"), move |result| say(&said, result.map(drop)));
    assert_eq!(heard.next(), Err(Error::Refused(SubmitError::Closed)));
    heard.end();
    assert_eq!(client.exists("/"), Err(Error::Refused(SubmitError::Closed)));
    assert_eq!(client.state(), ConnectionState::Lost);
}

/// Many threads that block share the connection.
#[test]
fn many_threads_may_call() {
    let server = start();
    let client = connect(server.address());
    thread::scope(|scope| {
        for thread in 0..16 {
            let client = &client;
            scope.spawn(move || {
                let path = format!("/{thread}");
                client.create(&path, "", CreateMode::Persistent).expect("made");
                for round in 0..100 {
                    let stat = client.set_data(&path, "x", Some(round)).expect("set");
                    assert_eq!(client.get_data(&path).expect("read").stat, stat);
                }
            });
        }
    });
}

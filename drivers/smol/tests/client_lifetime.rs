//! How clients end, and what may be dropped when.

mod client_support;

use std::{thread, time::Duration};

use client_support::{Mode, Proxy, builder, connect, event, run, start, wait_until};
use futures_lite::future;
use zookeeper_core::wire::{AddWatchMode, CreateMode};
use zookeeper_smol::client::{
    CloseReason, ConnectionState, Error, RequestError, SubmitError, WatchEventKind, WatchUpdate,
};

const CLOSED: CloseReason = CloseReason::Closed { confirmed: true };
const GIVEN_UP: CloseReason = CloseReason::Closed { confirmed: false };

#[test]
fn the_last_client_closes_the_session() {
    let server = start();
    run(async {
        let (client, other) = (connect(server.address()).await, connect(server.address()).await);
        client.create("/mine", "", CreateMode::Ephemeral).await.expect("made");
        let (_, mut gone) = other.exists_and_watch("/mine").await.expect("asked");
        let ((), mut watch) =
            client.add_watch("/none", AddWatchMode::Persistent).await.expect("set");
        let mut states = client.state_watcher();
        let view = client.chroot("/mine").expect("a path");
        drop(client);
        view.exists("/").await.expect("the view keeps the session");
        // What was asked for is done first, although nobody waits for it.
        let call = view.set_data("/", "last", None);
        drop(view);
        assert_eq!(event(&mut gone).await.kind, WatchEventKind::NodeDataChanged);
        assert_eq!(call.await.expect("changed").version, 1);
        let is_gone = async || other.exists("/mine").await == Ok(None);
        wait_until("the end of the session", is_gone).await;
        assert_eq!(watch.next().await, Some(WatchUpdate::Lost));
        assert_eq!(watch.next().await, None);
        assert_eq!(states.next().await, Some(ConnectionState::Connected { read_only: false }));
        assert_eq!(states.next().await, Some(ConnectionState::Lost));
        assert_eq!(states.next().await, None);
    });
}

#[test]
fn closing_is_confirmed_and_refuses_what_comes_later() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let call = client.create("/a", "", CreateMode::Persistent);
        let (one, other) = (client.close(), client.clone().close());
        let refused = Err(Error::Refused(SubmitError::Closing));
        assert_eq!(client.exists("/").await, refused);
        assert_eq!((one.await, other.await), (CLOSED, CLOSED));
        call.await.expect("it was submitted before");
        assert_eq!(client.state(), ConnectionState::Lost);
        assert_eq!(client.exists("/").await, Err(Error::Refused(SubmitError::Closed)));
        assert_eq!(client.close().await, CLOSED);
        assert_eq!(client.connected().await, Err(CLOSED));
    });
}

#[test]
fn closing_without_a_server_is_quick() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = connect(proxy.address()).await;
        let mut states = client.state_watcher();
        proxy.refuse();
        while states.next().await != Some(ConnectionState::Suspended) {}
        assert_eq!(client.close().await, GIVEN_UP);
        // One that was never connected.
        let client = builder(proxy.address()).build();
        assert_eq!(client.state(), ConnectionState::Suspended);
        assert_eq!((client.credentials(), client.session_id().0), (None, 0));
        assert_eq!(client.close().await, GIVEN_UP);
    });
}

#[test]
fn closing_takes_a_bounded_time() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = builder(proxy.address()).close_timeout(Duration::from_millis(50));
        let client = client.connect().await.expect("the server listens");
        proxy.set_mode(Mode::Hold);
        let call = client.sync("/");
        assert_eq!(client.close().await, GIVEN_UP);
        let closed = RequestError::Closed { maybe_executed: true };
        assert_eq!(call.await, Err(closed.into()));
    });
}

#[test]
fn a_session_is_left_and_resumed() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.create("/mine", "", CreateMode::Ephemeral).await.expect("made");
        let session = client.session_id();
        let credentials = client.detach().await.expect("a session");
        assert_eq!(client.close_reason(), Some(CloseReason::Detached));
        assert_eq!(client.exists("/").await, Err(Error::Refused(SubmitError::Closed)));

        let client = builder(server.address()).resume(credentials).connect().await.expect("alive");
        assert_eq!(client.session_id(), session);
        let stat = client.exists("/mine").await.expect("asked").expect("it is still there");
        assert_eq!(stat.ephemeral_owner, session);
    });
}

#[test]
fn futures_may_be_dropped_at_any_time() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.create("/n", "", CreateMode::Persistent).await.expect("made");
        for round in 0..300 {
            let call = client.set_data("/n", "x", None);
            let watch = client.get_data_and_watch("/n");
            let subtree = client.list_subtree("/");
            match round % 3 {
                // Never polled.
                0 => drop((call, watch, subtree)),
                // Polled once, and not ready.
                1 => {
                    future::poll_once(async { drop((call.await, watch.await)) }).await;
                    future::poll_once(subtree).await;
                }
                // Ready, and never looked at.
                _ => {
                    client.sync("/").await.expect("in step");
                    drop((call, watch, subtree));
                }
            }
        }
        assert_eq!(client.exists("/n").await.expect("asked").expect("it is there").version, 300);
    });
}

#[test]
fn the_driver_runs_wherever_it_is_polled() {
    let server = start();
    run(async {
        let (client, driver) = builder(server.address()).build_with_driver();
        let using = async {
            client.connected().await.expect("the server listens");
            let created = client.create("/a", "", CreateMode::Persistent).await.expect("made");
            drop(client);
            created.path
        };
        let (reason, path) = future::zip(driver, using).await;
        assert_eq!((reason, path.as_str()), (CLOSED, "/a"));
    });
}

#[test]
fn a_dropped_driver_fails_everything_and_hangs_nothing() {
    let server = start();
    run(async {
        let (client, driver) = builder(server.address()).build_with_driver();
        let mut states = client.state_watcher();
        let waiting = client.exists("/");
        let using = async {
            client.connected().await.expect("the server listens");
            client.get_data_and_watch("/").await.expect("read").1
        };
        let running = async {
            driver.await;
            panic!("nobody has closed the session");
        };
        let mut watch = future::or(using, running).await;
        waiting.await.expect("the driver ran long enough");
        assert_eq!(watch.next().await, Some(WatchUpdate::Lost));
        while states.next().await.is_some() {}
        assert_eq!(client.close_reason(), Some(CloseReason::Detached));
        assert_eq!(client.exists("/").await, Err(Error::Refused(SubmitError::Closed)));
        assert_eq!(client.close().await, CloseReason::Detached);

        // Before it was polled at all.
        let (client, driver) = builder(server.address()).build_with_driver();
        let call = client.exists("/");
        drop(driver);
        let closed = RequestError::Closed { maybe_executed: false };
        assert_eq!(call.await, Err(closed.into()));
    });
}

#[test]
fn many_threads_share_a_session() {
    let server = start();
    let client = run(connect(server.address()));
    run(client.create("/n", "", CreateMode::Persistent)).expect("made");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || {
                run(async {
                    for _ in 0..20 {
                        let calls: Vec<_> =
                            (0..25).map(|_| client.set_data("/n", "x", None)).collect();
                        for call in calls {
                            call.await.expect("changed");
                        }
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it did not panic");
    }
    let stat = run(client.exists("/n")).expect("asked").expect("it is there");
    assert_eq!(stat.version, 4 * 20 * 25);
}

//! What happens when servers and connections come and go.

mod client_support;

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use client_support::{
    Mode, Proxy, builder, connect, run, start, start_impatient, start_with, wait_until,
};
use zookeeper_core::wire::{CreateMode, ErrorCode, Id};
use zookeeper_smol::Running;
use zookeeper_smol::client::{
    CloseReason, ConnectError, ConnectionState, Error, Repetition, RequestError, RetryPolicy,
    SubmitError, WatchUpdate, operation::GetData,
};

const CONNECTED: ConnectionState = ConnectionState::Connected { read_only: false };
const SUSPENDED: ConnectionState = ConnectionState::Suspended;
const LOST: ConnectionState = ConnectionState::Lost;

/// The shortest session time-out of an impatient server.
const SHORT: Duration = Duration::from_millis(400);

/// An address that nobody listens on.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").to_string()
}

/// A server at this address that knows nothing of the one before it.
async fn start_anew(address: SocketAddr) -> Running {
    let server = start_with(|config| config.listen = vec![address]);
    // It turns away whoever has seen more transactions than there were.
    let client = connect(address).await;
    for number in 0..8 {
        let path = format!("/new{number}");
        client.create(&path, "", CreateMode::Persistent).await.expect("made");
    }
    server
}

#[test]
fn the_session_survives_its_connections() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = connect(proxy.address()).await;
        let session = client.session_id();
        client.create("/mine", "", CreateMode::Ephemeral).await.expect("made");
        for _ in 0..5 {
            let mut states = client.state_watcher();
            assert_eq!(states.next().await, Some(CONNECTED));
            proxy.cut();
            assert_eq!(states.next().await, Some(SUSPENDED));
            assert_eq!(states.next().await, Some(CONNECTED));
            assert_eq!(client.session_id(), session);
            let stat = client.exists("/mine").await.expect("asked").expect("it is there");
            assert_eq!(stat.ephemeral_owner, session);
        }
    });
}

#[test]
fn requests_under_way_fail_and_say_what_may_have_happened() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = connect(proxy.address()).await;
        let mut states = client.state_watcher();
        assert_eq!(states.next().await, Some(CONNECTED));
        proxy.set_mode(Mode::Hold);
        let call = client.create("/a", "", CreateMode::Persistent);
        wait_until("the request", async || proxy.held() > 0).await;
        proxy.refuse();
        let error = call.await.expect_err("the connection was lost");
        assert_eq!(error, RequestError::ConnectionLoss { maybe_executed: true }.into());
        assert_eq!(states.next().await, Some(SUSPENDED));
        // While there is no server, requests wait, and fail with the next attempt.
        let error = client.exists("/a").await.expect_err("no server");
        assert_eq!(error, RequestError::ConnectionLoss { maybe_executed: false }.into());
        proxy.set_mode(Mode::Forward);
        assert_eq!(states.next().await, Some(CONNECTED));
        client.sync("/").await.expect("in step");
    });
}

#[test]
fn servers_that_are_not_there_are_passed_over() {
    let server = start();
    run(async {
        for seed in 0..8 {
            let servers = format!(
                "{},no-such-host.invalid:1,localhost:{}",
                nobody(),
                server.address().port()
            );
            let client = builder(servers).seed(seed).connect().await.expect("one is there");
            client.sync("/").await.expect("in step");
        }
    });
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (server, silent) = (start(), start());
    let proxy = Proxy::start(silent.address());
    proxy.set_mode(Mode::Hold);
    run(async {
        for seed in 0..4 {
            let servers = format!("{},{}", proxy.address(), server.address());
            let client = builder(servers).seed(seed).session_timeout(2 * SHORT);
            let client = client.connect().await.expect("one answers");
            assert_eq!(client.peer(), Some(server.address()));
        }
    });
    assert!(proxy.accepted() > 0, "no seed has tried it first");
}

#[test]
fn a_session_that_the_server_forgot_is_lost_for_good() {
    let server = start();
    let address = server.address();
    run(async {
        let client = connect(address).await;
        let (_, mut watch) = client.get_data_and_watch("/").await.expect("read");
        let mut states = client.state_watcher();
        server.stop().expect("it ran");
        let _server = start_anew(address).await;
        for state in [CONNECTED, SUSPENDED, LOST] {
            assert_eq!(states.next().await, Some(state));
        }
        assert_eq!(states.next().await, None);
        assert_eq!(watch.next().await, Some(WatchUpdate::Suspended));
        assert_eq!(watch.next().await, Some(WatchUpdate::Lost));
        assert_eq!(watch.next().await, None);
        assert_eq!(client.close_reason(), Some(CloseReason::Expired));
        assert_eq!(client.exists("/").await, Err(Error::Refused(SubmitError::Expired)));
    });
}

#[test]
fn a_new_session_follows_where_that_is_wanted() {
    let server = start();
    let address = server.address();
    run(async {
        // The server that it begins with is not in the list that it has later.
        let proxy = Proxy::start(address);
        let client = builder(proxy.address()).on_expiry_renew(true);
        let client = client.connect().await.expect("a server");
        assert_eq!(client.update_hosts(&address.to_string()), Ok(true));
        client.connected().await.expect("a server");
        drop(proxy);
        client.add_auth("digest", b"ann:secret").await.expect("accepted");
        let old = client.session_id();
        client.create("/mine", "", CreateMode::Ephemeral).await.expect("made");
        let (_, mut watch) = client.get_data_and_watch("/").await.expect("read");
        let mut states = client.state_watcher();
        server.stop().expect("it ran");
        let _server = start_anew(address).await;
        for state in [CONNECTED, SUSPENDED, LOST, CONNECTED] {
            assert_eq!(states.next().await, Some(state));
        }
        assert_eq!(watch.next().await, Some(WatchUpdate::Suspended));
        assert_eq!(watch.next().await, Some(WatchUpdate::Lost));
        assert_ne!(client.session_id(), old);
        assert_eq!(client.close_reason(), None);
        assert_eq!(client.exists("/mine").await, Ok(None));
        let identities = client.who_am_i().await.expect("listed");
        assert!(identities.contains(&Id::new("digest", "ann")), "{identities:?}");
        let (_, new) = client.get_data_and_watch("/").await.expect("read");
        // The old watch has the number of a new one perhaps, but is not it.
        drop(watch);
        assert!(new.is_active());
        client.create("/mine", "", CreateMode::Ephemeral).await.expect("made");
        drop(new);
        let reason = client.close().await;
        assert_eq!(reason, CloseReason::Closed { confirmed: true });
    });
}

#[test]
fn a_session_expires_on_the_server_while_nothing_passes() {
    let server = start_impatient();
    let proxy = Proxy::start(server.address());
    run(async {
        let other = connect(server.address()).await;
        let client = builder(proxy.address()).session_timeout(SHORT);
        let client = client.connect().await.expect("a server");
        assert_eq!(client.negotiated_timeout(), Some(SHORT));
        client.create("/mine", "", CreateMode::Ephemeral).await.expect("made");
        let (_, mut gone) = other.exists_and_watch("/mine").await.expect("asked");
        proxy.refuse();
        client_support::event(&mut gone).await;
        // Either side may be the first to know.
        let mut states = client.state_watcher();
        proxy.set_mode(Mode::Forward);
        while states.next().await.is_some() {}
        let reason = client.close_reason().expect("it is over");
        assert!(matches!(reason, CloseReason::Expired | CloseReason::SelfExpired), "{reason}");
    });
}

#[test]
fn a_session_expires_by_itself_when_no_server_is_reached() {
    let server = start_impatient();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = builder(proxy.address()).session_timeout(SHORT);
        let client = client.connect().await.expect("a server");
        let mut states = client.state_watcher();
        proxy.refuse();
        for state in [CONNECTED, SUSPENDED, LOST] {
            assert_eq!(states.next().await, Some(state));
        }
        assert_eq!(client.close_reason(), Some(CloseReason::SelfExpired));
    });
}

#[test]
fn to_look_for_a_first_server_ends_in_time() {
    run(async {
        let client = builder(nobody()).new_session_timeout(SHORT);
        let error = client.connect().await.expect_err("there is none");
        assert_eq!(error, ConnectError::NoSession(CloseReason::SelfExpired));
    });
}

#[test]
fn a_session_that_is_over_is_not_resumed() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let credentials = client.credentials().expect("a session");
        client.close().await;
        let again = builder(server.address()).resume(credentials).connect().await;
        let error = again.expect_err("it was closed");
        assert_eq!(error, ConnectError::NoSession(CloseReason::Expired));
    });
}

#[test]
fn an_overdue_request_costs_the_connection_and_not_the_session() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = connect(proxy.address()).await;
        let mut states = client.state_watcher();
        proxy.set_mode(Mode::Hold);
        let hasty = client.with_timeout(Duration::from_millis(50));
        let (patient, overdue) = (client.sync("/"), hasty.get_data("/"));
        let error = overdue.await.expect_err("nothing passes");
        assert_eq!(error, RequestError::TimedOut { maybe_executed: true }.into());
        let error = patient.await.expect_err("the connection is given up");
        assert_eq!(error.code(), ErrorCode::CONNECTION_LOSS);
        proxy.set_mode(Mode::Forward);
        for state in [CONNECTED, SUSPENDED, CONNECTED] {
            assert_eq!(states.next().await, Some(state));
        }
        hasty.with_timeout(client_support::DEADLINE).get_data("/").await.expect("read");
    });
}

#[test]
fn a_retried_operation_outlives_an_outage() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let client = connect(proxy.address()).await;
        let mut policy = RetryPolicy::default();
        policy.tries_max = u32::MAX;
        policy.delay_min = Duration::from_millis(1);
        policy.delay_max = Duration::from_millis(10);
        proxy.refuse();
        let mut tries = 0;
        let outage = client.retry(policy, Repetition::Harmless, || {
            tries += 1;
            if tries == 5 {
                proxy.set_mode(Mode::Forward);
            }
            client.get_data("/")
        });
        outage.await.expect("the server is back");
        assert!(tries >= 5, "{tries}");
        proxy.cut();
        client.call_retrying(policy, GetData::new("/")).await.expect("read");
    });
}

#[test]
fn a_protected_znode_is_found_when_the_reply_is_lost() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        let (client, other) = (connect(proxy.address()).await, connect(server.address()).await);
        proxy.set_mode(Mode::Swallow);
        let creating = client.create_protected(
            "/lock-",
            "x",
            CreateMode::EphemeralSequential,
            RetryPolicy::default(),
        );
        let is_made = async || {
            let names = other.get_children("/").await.expect("listed");
            names.iter().any(|name| name.starts_with("_c_"))
        };
        wait_until("the znode", is_made).await;
        proxy.set_mode(Mode::Forward);
        proxy.cut();
        let created = creating.await.expect("found");
        assert!(created.path.ends_with("-lock-0000000000"), "{}", created.path);
        let names = other.get_children("/").await.expect("listed");
        assert_eq!(names.iter().filter(|name| name.starts_with("_c_")).count(), 1);

        // Lost before the server had it: made again, once.
        proxy.set_mode(Mode::Hold);
        let held = proxy.held();
        let creating = client.create_protected(
            "/lock-",
            "x",
            CreateMode::EphemeralSequential,
            RetryPolicy::default(),
        );
        wait_until("the request", async || proxy.held() > held).await;
        proxy.cut();
        proxy.set_mode(Mode::Forward);
        let created = creating.await.expect("made");
        assert!(other.exists(&created.path).await.expect("asked").is_some());
    });
}

#[test]
fn a_new_list_of_servers_moves_the_session() {
    let server = start();
    let (old, new) = (Proxy::start(server.address()), Proxy::start(server.address()));
    run(async {
        let client = connect(old.address()).await;
        let session = client.session_id();
        let mut states = client.state_watcher();
        assert_eq!(client.update_hosts(&new.address().to_string()), Ok(true));
        for state in [CONNECTED, SUSPENDED, CONNECTED] {
            assert_eq!(states.next().await, Some(state));
        }
        assert_eq!((client.peer(), client.session_id()), (Some(new.address()), session));
        assert_eq!(client.update_hosts(&new.address().to_string()), Ok(false));
        assert!(client.update_hosts("").is_err());
    });
}

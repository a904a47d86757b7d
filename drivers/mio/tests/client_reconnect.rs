//! What a client makes of lost connections, silent servers and sessions that are over.

mod common;

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use common::{
    DEADLINE, builder, config, connect,
    proxy::{Proxy, Way},
    start,
    wait::{listen, say, until},
};
use zookeeper_mio::{
    Client, Running, Server,
    client::{
        CloseReason, ConnectError, ConnectionState, CreateMode, Error, ErrorCode, KeeperState,
        RequestError, RetryPolicy, SubmitError, WatchUpdate,
        operation::{Create, Exists, GetData},
    },
};

const UP: ConnectionState = ConnectionState::Connected { read_only: false };

/// A server whose sessions may be short.
fn start_impatient() -> Running {
    let mut config = config();
    config.server.endpoint.tick = Duration::from_millis(100);
    config.server.endpoint.session_timeout_min = Some(Duration::from_millis(300));
    Server::spawn(config).expect("a free port")
}

/// A server that no client of another one can be ahead of: who is, is turned away without a word.
fn start_ahead() -> Running {
    let server = start();
    let client = connect(server.address());
    for _ in 0..20 {
        client.set_data("/", "x", None).expect("set");
    }
    server
}

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

#[test]
fn a_session_outlives_its_connections() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let (said, heard) = listen();
    let client =
        builder(proxy.address()).on_state(move |state| say(&said, state)).connect().expect("up");
    let session = client.session_id();
    assert_eq!(heard.next(), UP);
    client.create("/e", "", CreateMode::Ephemeral).expect("made");
    for _ in 0..10 {
        proxy.cut();
        assert_eq!((heard.next(), heard.next()), (ConnectionState::Suspended, UP));
        assert_eq!(client.session_id(), session);
    }
    let owner = client.exists("/e").expect("asked").map(|stat| stat.ephemeral_owner);
    assert_eq!(owner, Some(session));
    assert_eq!(client.close(), CloseReason::Closed { confirmed: true });
    assert_eq!(heard.next(), ConnectionState::Lost);
}

#[test]
fn what_is_under_way_fails_before_the_state_changes() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let (said, heard) = listen();
    let states = said.clone();
    let client = builder(proxy.address())
        .on_state(move |state| say(&states, format!("{state:?}")))
        .connect()
        .expect("up");
    assert_eq!(heard.next(), format!("{UP:?}"));
    proxy.set(Way::Stalled);
    client.submit(&Create::new("/a", "", CreateMode::Persistent), move |result| {
        let error = result.expect_err("no answer came");
        assert_eq!(error, RequestError::ConnectionLoss { maybe_executed: true }.into());
        say(&said, "failed".to_owned());
    });
    until("the request is on its way", || proxy.held() > 0);
    proxy.cut();
    assert_eq!((heard.next(), heard.next()), ("failed".into(), "Suspended".into()));
    proxy.set(Way::Open);
    heard.skip_to(&format!("{UP:?}"));
    // It may have got through, or not: that is what the error says.
    client.exists("/a").expect("asked");
}

#[test]
fn blocking_calls_fail_or_wait_and_may_be_tried_again() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let client = connect(proxy.address());
    proxy.set(Way::Closed);
    proxy.cut();
    let error = loop {
        // One that waits for a connection fails with the attempt.
        if let Err(error) = client.exists("/") {
            break error;
        }
    };
    assert_eq!(error.code(), ErrorCode::CONNECTION_LOSS);
    let mut policy = RetryPolicy::default();
    policy.tries_max = u32::MAX;
    policy.delay_min = Duration::from_millis(1);
    policy.delay_max = Duration::from_millis(1);
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| client.call_retrying(policy, &Exists::new("/")));
        let before = proxy.accepted();
        until("attempts fail", || proxy.accepted() > before + 3);
        proxy.set(Way::Open);
        assert!(patient.join().expect("no panic").expect("in the end").is_some());
    });
}

/// Nothing comes any more, though the connection is there.
#[test]
fn a_silent_server_is_left() {
    let server = start();
    let (silent, other) = (Proxy::new(server.address()), Proxy::new(server.address()));
    let client =
        builder(silent.address()).session_timeout(Duration::from_secs(4)).connect().expect("up");
    let session = client.session_id();
    let servers = format!("{},{}", silent.address(), other.address());
    client.update_hosts(servers.parse().expect("two servers")).expect("alive");
    until("it is connected", || client.state() == UP);
    let (left, kept) =
        if client.peer() == Some(silent.address()) { (&silent, &other) } else { (&other, &silent) };
    let before = kept.accepted();
    left.set(Way::Stalled);
    until("the other server is asked", || kept.accepted() > before);
    client.wait_connected(DEADLINE).expect("up");
    assert_eq!((client.session_id(), client.peer()), (session, Some(kept.address())));
}

#[test]
fn a_request_may_have_a_time_limit() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let client = connect(proxy.address());
    let hurried = client.with_timeout(Duration::from_millis(50));
    proxy.set(Way::Stalled);
    let error = hurried.exists("/").expect_err("nobody answers");
    assert_eq!(error, RequestError::TimedOut { maybe_executed: true }.into());
    proxy.set(Way::Open);
    assert!(client.call_retrying(RetryPolicy::default(), &Exists::new("/")).is_ok());
}

#[test]
fn a_session_that_the_server_forgot_is_over() {
    let (server, other) = (start(), start_ahead());
    let proxy = Proxy::new(server.address());
    let (said, heard) = listen();
    let client = builder(proxy.address())
        .default_watcher(move |update: WatchUpdate| say(&said, update))
        .connect()
        .expect("up");
    assert_eq!(heard.next(), WatchUpdate::State(KeeperState::SyncConnected));
    let (watch, watched) = listen();
    client.exists_and_watch("/a", move |update: WatchUpdate| say(&watch, update)).expect("asked");
    // This one has never heard of the session.
    proxy.lead_to(other.address());
    proxy.cut();
    assert_eq!(heard.next(), WatchUpdate::State(KeeperState::Disconnected));
    assert_eq!(heard.next(), WatchUpdate::State(KeeperState::Expired));
    assert_eq!((watched.next(), watched.next()), (WatchUpdate::Suspended, WatchUpdate::Lost));
    watched.end();
    until("the client is over", || client.exists("/") == Err(SubmitError::Expired.into()));
    assert_eq!(client.state(), ConnectionState::Lost);
    assert_eq!(client.close(), CloseReason::Expired);
    let error = client.wait_connected(DEADLINE).expect_err("over");
    assert!(matches!(error, ConnectError::Closed(CloseReason::Expired)), "{error:?}");
}

#[test]
fn a_session_ends_by_itself_when_no_server_is_reached() {
    let server = start_impatient();
    let proxy = Proxy::new(server.address());
    let client =
        builder(proxy.address()).session_timeout(Duration::from_millis(300)).connect().expect("up");
    proxy.set(Way::Closed);
    proxy.cut();
    until("the session is over", || client.exists("/") == Err(SubmitError::Expired.into()));
    assert_eq!(client.close(), CloseReason::SelfExpired);
}

#[test]
fn a_new_session_may_follow() {
    let (server, other) = (start(), start_ahead());
    let proxy = Proxy::new(server.address());
    let (said, heard) = listen();
    let client = builder(proxy.address())
        .on_expiry_renew(true)
        .on_state(move |state| say(&said, state))
        .connect()
        .expect("up");
    client.add_auth("digest", "alice:secret").expect("anybody may");
    let first = client.session_id();
    client.create("/e", "", CreateMode::Ephemeral).expect("made");
    let (watch, watched) = listen();
    client.exists_and_watch("/a", move |update: WatchUpdate| say(&watch, update)).expect("asked");
    proxy.lead_to(other.address());
    proxy.cut();
    for state in [UP, ConnectionState::Suspended, ConnectionState::Lost, UP] {
        assert_eq!(heard.next(), state);
    }
    assert_eq!((watched.next(), watched.next()), (WatchUpdate::Suspended, WatchUpdate::Lost));
    watched.end();
    assert_ne!(client.session_id(), first);
    assert_eq!(client.exists("/e").expect("asked"), None);
    let names = client.who_am_i().expect("told");
    assert!(names.iter().any(|id| &*id.id == "alice"), "{names:?}");
    assert_eq!(client.close(), CloseReason::Closed { confirmed: true });
}

#[test]
fn a_session_may_go_on_elsewhere() {
    let server = start();
    let client = connect(server.address());
    client.create("/e", "", CreateMode::Ephemeral).expect("made");
    let credentials = client.detach().expect("a session");
    assert_eq!(client.exists("/e"), Err(SubmitError::Closed.into()));
    let heir = builder(server.address()).resume(credentials.clone()).connect().expect("up");
    assert_eq!(heir.session_id(), credentials.session);
    assert!(heir.exists("/e").expect("asked").is_some());
    heir.close();
    let late = builder(server.address()).resume(credentials).connect().expect_err("over");
    assert!(matches!(late, ConnectError::Closed(CloseReason::Expired)), "{late:?}");
}

#[test]
fn a_refused_identity_ends_the_session() {
    let server = start();
    let client = connect(server.address());
    let error = client.add_auth("no-such-scheme", "x").expect_err("nobody knows it");
    assert_eq!(error.code(), ErrorCode::AUTH_FAILED);
    assert_eq!(client.close(), CloseReason::AuthFailed);
    assert_eq!(client.exists("/"), Err(Error::Refused(SubmitError::AuthFailed)));
}

#[test]
fn addresses_are_tried_one_after_the_other() {
    let server = start();
    let (address, dead) = (server.address(), nowhere());
    let client = Client::builder("somewhere:2181")
        .expect("a name")
        .resolver(move |host| {
            assert_eq!(host.to_string(), "somewhere:2181");
            Ok(vec![dead, address])
        })
        .connect_timeout(DEADLINE)
        .connect()
        .expect("the second address");
    assert_eq!(client.peer(), Some(address));
    assert!(client.exists("/").expect("asked").is_some());
}

#[test]
fn names_that_cannot_be_looked_up_are_asked_for_again() {
    let server = start();
    let address = server.address();
    let (said, heard) = listen();
    let mut tries = 0..;
    let tries = std::sync::Mutex::new(move || tries.next().unwrap_or(0));
    let mut builder = builder(address).resolver(move |_| {
        let count = (tries.lock().expect("no panic"))();
        say(&said, count);
        match count {
            0 => Err(std::io::ErrorKind::NotFound.into()),
            1 => Ok(Vec::new()),
            2 => panic!("a resolver of somebody else's"),
            _ => Ok(vec![address]),
        }
    });
    builder.config_mut().session_timeout = DEADLINE;
    let client = builder.connect().expect("in the end");
    for expected in 0..4 {
        assert_eq!(heard.next(), expected);
    }
    drop(client);
    heard.end();
}

/// A lookup that takes longer than its attempt holds nothing up, and is nobody's answer.
#[test]
fn late_addresses_are_dropped() {
    let server = start();
    let address = server.address();
    let gate = common::wait::Gate::default();
    let slow = gate.clone();
    let mut builder =
        builder(address).session_timeout(Duration::from_millis(200)).resolver(move |_| {
            slow.pass();
            Ok(vec![address])
        });
    builder.config_mut().new_session_timeout = None;
    let client = builder.build().expect("threads");
    gate.wait_for(1);
    let before = Instant::now();
    let error = client.exists("/").expect_err("the attempt ends without an address");
    assert_eq!(error, RequestError::ConnectionLoss { maybe_executed: false }.into());
    assert!(before.elapsed() < DEADLINE);
    // The client ends although its resolver does not.
    let reason = client.close();
    assert_eq!(reason, CloseReason::Closed { confirmed: false });
    drop(client);
    gate.open();
}

#[test]
fn who_finds_no_server_says_so() {
    let error = builder(nowhere())
        .connect_timeout(Duration::from_millis(50))
        .connect()
        .expect_err("nobody listens");
    assert!(matches!(error, ConnectError::TimedOut(_)), "{error:?}");
    let mut builder = builder(nowhere()).session_timeout(Duration::from_millis(300));
    builder.config_mut().new_session_timeout = Some(Duration::from_millis(50));
    let error = builder.connect().expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Closed(CloseReason::SelfExpired)), "{error:?}");
    assert!(matches!(Client::connect("a/b/"), Err(ConnectError::ConnectString(_))));
}

/// A reply that is too long fails its request alone.
#[test]
fn a_long_reply_costs_no_connection() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let writer = connect(server.address());
    writer.create("/long", vec![7; 100_000], CreateMode::Persistent).expect("made");
    let mut builder = builder(proxy.address());
    builder.config_mut().frame_length_max = 50_000;
    let client = builder.connect().expect("up");
    let error = client.call(&GetData::new("/long")).expect_err("too long");
    assert!(
        matches!(error, Error::Request(RequestError::ReplyTooLarge { max: 50_000, .. })),
        "{error:?}"
    );
    assert!(client.exists("/long").expect("asked").is_some());
    assert_eq!(proxy.accepted(), 1);
}

//! Sessions: how they begin, move, come back, and end.

use std::time::Duration;

use zookeeper_core::{
    SessionId, Zxid,
    endpoint::{CloseReason, ConnectionThrottle},
    server::Event,
    wire::{
        AuthRequest, Blob, ConnectRequest, Encode, ErrorCode, EventKind, List, Op, Request,
        SetWatches, Text, Xid,
    },
};
use zookeeper_sim::pair::{Acknowledge, ClientId, Options, World, request};

/// The session's time-out of ordinary clients here.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The default tick.
const TICK: Duration = Duration::from_secs(3);

fn hello(world: &mut World, request: &ConnectRequest<'_>) -> ClientId {
    let client = world.open();
    world.shake_hands(client, request);
    client
}

fn has_session(world: &World, session: SessionId) -> bool {
    world.server().tree().sessions().get(session).is_some()
}

#[test]
fn time_outs_are_negotiated() {
    let mut world = World::new(Options::default());
    let cases = [
        (i32::MIN, 6_000),
        (-5, 6_000),
        (0, 6_000),
        (1, 6_000),
        (6_001, 6_001),
        (20_000, 20_000),
        (60_000, 60_000),
        (100_000_000, 60_000),
        (i32::MAX, 60_000),
    ];
    for (timeout_ms, granted) in cases {
        let client = hello(&mut world, &ConnectRequest { timeout_ms, ..World::hello() });
        let handshake = world.client(client).handshake().expect("an answer");
        assert_eq!(handshake.timeout_ms, granted, "asked for {timeout_ms}");
    }
    world.finish();

    // The maximum wins over a larger minimum, as upstream has it.
    let mut options = Options::default();
    options.config.endpoint.session_timeout_min = Some(Duration::from_secs(9));
    options.config.endpoint.session_timeout_max = Some(Duration::from_secs(7));
    let mut world = World::new(options);
    let client = world.start();
    assert_eq!(world.client(client).handshake().map(|answer| answer.timeout_ms), Some(7_000));
    world.finish();
}

#[test]
fn a_legacy_client_is_answered_without_the_flag() {
    let mut world = World::new(Options::default());
    for (read_only, length) in [(None, 36), (Some(false), 37), (Some(true), 37)] {
        let client = hello(&mut world, &ConnectRequest { read_only, ..World::hello() });
        let handshake = world.client(client).handshake().expect("an answer");
        assert_eq!(handshake.read_only, read_only.map(|_| false));
        assert_eq!(world.client(client).transcript().len(), 4 + length);
        // A refusal has the same shape.
        let session = SessionId(5);
        let refused = hello(&mut world, &ConnectRequest { read_only, session, ..World::hello() });
        assert_eq!(world.client(refused).transcript().len(), 4 + length);
        world.ping(client);
    }
    world.finish();
}

#[test]
fn ids_are_unique_and_each_takes_a_zxid() {
    let mut world = World::new(Options::default());
    let clients: Vec<_> = (0..20).map(|_| world.start()).collect();
    let mut ids: Vec<_> = clients.iter().map(|&client| world.client(client).session()).collect();
    assert!(ids.iter().all(|id| id.0 >> 56 == 1), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    assert_eq!(world.server().applied(), Zxid(20));
    world.finish();
}

#[test]
fn requests_behind_the_handshake_wait_for_it() {
    let mut world = World::new(Options::default());
    let client = world.open();
    world.send_frame(client, &World::hello().to_vec());
    world.send(client, &request::create("/early", b""));
    world.send_as(client, Xid::PING, Op::Ping, &[]);
    world.settle();
    let answers = world.client_mut(client).take_answers();
    assert_eq!(answers.len(), 2);
    assert!(answers[0].error.is_ok());
    world.finish();
}

#[test]
fn a_session_outlives_its_connection_and_is_resumed() {
    let mut world = World::new(Options::default());
    let [first, other] = [world.start(), world.start()];
    let session = world.client(first).session();
    world.call(first, &request::create_as("/e", request::EPHEMERAL)).ok();
    world.call(first, &request::exists("/seen", true));
    world.reset(first);
    world.settle();
    world.advance_pinging(Duration::from_secs(5), &[other]);
    assert!(has_session(&world, session));

    let applied = world.server().applied();
    let second = world.resume(first);
    let handshake = world.client(second).handshake().expect("an answer").clone();
    assert_eq!((handshake.session, handshake.timeout_ms), (session, 10_000));
    assert_eq!(handshake.password, world.client(first).password());
    assert_eq!(world.server().applied(), applied, "no transaction");
    assert_eq!(world.server().stats().connection_revalidate_count, 1);
    assert!(world.call(other, &request::exists("/e", false)).error.is_ok());
    let resumed = |event: &&Event| matches!(event, Event::SessionResumed { .. });
    assert_eq!(world.events().iter().filter(resumed).count(), 1);

    // Watches of the old connection are gone.
    world.call(other, &request::create("/seen", b"")).ok();
    assert_eq!(world.client_mut(second).take_events(), []);
    world.finish();
}

#[test]
fn watches_set_anew_tell_what_was_missed() {
    let mut world = World::new(Options::default());
    let [first, other] = [world.start(), world.start()];
    for path in ["/changed", "/gone", "/same", "/parent"] {
        world.call(other, &request::create(path, b"")).ok();
    }
    world.call(first, &request::get_data("/changed", true)).ok();
    let relative_zxid = world.client(first).last_zxid().0;
    world.reset(first);
    world.settle();
    world.call(other, &request::set_data("/changed", b"2")).ok();
    world.call(other, &request::delete("/gone")).ok();
    world.call(other, &request::create("/new", b"")).ok();
    world.call(other, &request::create("/parent/child", b"")).ok();

    let second = world.resume(first);
    let text = |path: &'static str| Some(Text::from_static(path));
    let (data, exist, child) =
        ([text("/changed"), text("/gone"), text("/same")], [text("/new")], [text("/parent")]);
    let set = SetWatches {
        relative_zxid,
        data: Some(List::new(&data)),
        exist: Some(List::new(&exist)),
        child: Some(List::new(&child)),
    };
    world.send_as(second, Xid::SET_WATCHES, Op::SetWatches, &set.to_vec());
    world.settle();
    let events = world.client_mut(second).take_events();
    let heard: Vec<_> = events.iter().map(|event| (event.kind, &*event.path, event.zxid)).collect();
    assert_eq!(
        heard,
        [
            (EventKind::NodeDataChanged, "/changed", Zxid(-1)),
            (EventKind::NodeDeleted, "/gone", Zxid(-1)),
            (EventKind::NodeCreated, "/new", Zxid(-1)),
            (EventKind::NodeChildrenChanged, "/parent", Zxid(-1)),
        ]
    );
    // What had not changed is watched.
    world.call(other, &request::set_data("/same", b"2")).ok();
    assert_eq!(world.client_mut(second).take_events().len(), 1);
    world.finish();
}

#[test]
fn a_session_that_moves_takes_nothing_more_from_its_old_connection() {
    let mut world = World::new(Options::default());
    let first = world.start();
    world.call(first, &request::create("/a", b"1")).ok();
    // In the old socket, not read yet, when the new connection takes over.
    let second = world.open();
    let (session, password) = (world.client(first).session(), world.client(first).password());
    let password = Some(Blob::Slice(&password));
    world.send_frame(second, &ConnectRequest { session, password, ..World::hello() }.to_vec());
    world.send(first, &request::set_data("/a", b"late"));
    world.settle();
    assert_eq!(*world.close_reason(first), CloseReason::SessionMoved);
    assert_eq!(world.server().stats().sessions_moved, 1);
    let data = world.call(second, &request::get_data("/a", false));
    assert_eq!(data.body.data(), Some(&b"1"[..]), "the late write is not applied");
    // The old connection's end does not end the session.
    world.reset(first);
    world.advance_pinging(TIMEOUT * 2, &[second]);
    assert!(has_session(&world, session));
    // And back again, many times.
    let mut last = second;
    for _ in 0..10 {
        let next = world.resume(last);
        assert!(!world.is_open(last) && world.is_open(next));
        last = next;
    }
    world.ping(last);
    world.finish();
}

#[test]
fn a_wrong_password_ends_the_connection_of_the_session_and_not_the_session() {
    let mut world = World::new(Options::default());
    let victim = world.start();
    let session = world.client(victim).session();
    world.call(victim, &request::create_as("/e", request::EPHEMERAL)).ok();
    for password in [None, Some(&[][..]), Some(&[0; 16][..]), Some(&[7; 99][..])] {
        let password = password.map(Blob::Slice);
        let thief = hello(&mut world, &ConnectRequest { session, password, ..World::hello() });
        assert!(world.client(thief).handshake().is_some_and(|answer| !answer.is_granted()));
        assert_eq!(*world.close_reason(thief), CloseReason::SessionRefused);
    }
    assert_eq!(*world.close_reason(victim), CloseReason::SessionMoved);
    assert!(has_session(&world, session));
    let back = world.resume(victim);
    assert!(world.call(back, &request::exists("/e", false)).error.is_ok());
    world.finish();
}

#[test]
fn an_expired_session_takes_its_ephemerals_along() {
    let mut world = World::new(Options::default());
    let [silent, watcher] = [world.start(), world.start()];
    let session = world.client(silent).session();
    for path in ["/one", "/two"] {
        world.call(silent, &request::create_as(path, request::EPHEMERAL)).ok();
        world.call(watcher, &request::exists(path, true)).ok();
    }
    world.call(watcher, &request::get_children("/", true)).ok();
    let heard = world.client(silent).transcript().len();
    let begin = world.now();
    while has_session(&world, session) {
        world.advance_pinging(Duration::from_millis(250), &[watcher]);
    }
    let lived = world.now().saturating_duration_since(begin);
    assert!(lived >= TIMEOUT && lived <= TIMEOUT + TICK + Duration::from_secs(1), "{lived:?}");
    assert_eq!(*world.close_reason(silent), CloseReason::SessionExpired);
    assert_eq!(world.client(silent).transcript().len(), heard, "without a frame");
    assert_eq!(world.server().stats().stale_sessions_expired, 1);
    assert_eq!(world.server().tree().ephemeral_count(), 0);

    let events = world.client_mut(watcher).take_events();
    let mut heard: Vec<_> = events.iter().map(|event| (&*event.path, event.kind)).collect();
    heard.sort();
    let deleted = EventKind::NodeDeleted;
    let expected = [("/", EventKind::NodeChildrenChanged), ("/one", deleted), ("/two", deleted)];
    assert_eq!(heard, expected);
    let zxid = events[0].zxid;
    assert!(events.iter().all(|event| event.zxid == zxid), "one transaction");

    let late = world.resume(silent);
    assert!(world.client(late).handshake().is_some_and(|answer| !answer.is_granted()));
    world.finish();
}

#[test]
fn any_request_keeps_a_session_alive_and_auth_does_not() {
    let keeps = |talk: fn(&mut World, ClientId)| {
        let mut world = World::new(Options::default());
        let client = world.start();
        let session = world.client(client).session();
        for _ in 0..30 {
            talk(&mut world, client);
            world.advance(Duration::from_secs(1));
        }
        let is_alive = has_session(&world, session);
        world.finish();
        is_alive
    };
    assert!(keeps(|world, client| world.ping(client)));
    assert!(keeps(|world, client| {
        world.send(client, &request::exists("/", false));
    }));
    assert!(keeps(|world, client| {
        world.send(client, &request::create("/a", b""));
    }));
    assert!(keeps(|world, client| world.send_as(client, Xid(1), Op::GetData, &[])));
    assert!(!keeps(|_, _| ()));
    assert!(!keeps(|world, client| {
        let credentials = Some(Blob::Slice(b"user:password"));
        let request = AuthRequest { kind: 0, scheme: Some("digest".into()), credentials };
        world.send_as(client, Xid::AUTH, Op::Auth, &request.to_vec());
    }));
}

#[test]
fn a_resumed_session_lives_by_its_new_time_out() {
    let mut world = World::new(Options::default());
    let first = world.start();
    let (session, password) = (world.client(first).session(), world.client(first).password());
    let password = Some(Blob::Slice(&password));
    let asked = |timeout_ms| ConnectRequest { timeout_ms, session, password, ..World::hello() };
    hello(&mut world, &asked(60_000));
    world.advance(Duration::from_secs(40));
    assert!(has_session(&world, session));
    let third = hello(&mut world, &asked(6_000));
    assert_eq!(world.client(third).handshake().map(|answer| answer.timeout_ms), Some(6_000));
    world.advance(Duration::from_secs(6) + TICK);
    assert!(!has_session(&world, session));
    world.finish();
}

#[test]
fn time_in_which_nobody_listened_does_not_count() {
    let mut world = World::new(Options::default());
    let [one, two] = [world.start(), world.start()];
    let stranger = world.open();
    world.advance_pinging(Duration::from_secs(3), &[one, two]);
    world.suspend(Duration::from_secs(3_600));
    assert!(world.is_open(one) && world.is_open(two), "the host slept, not the clients");
    assert!(world.is_open(stranger), "nor did it take too long to say hello");
    world.ping(one);
    // From now on the deadlines run as before.
    world.advance_pinging(TIMEOUT + TICK, &[one]);
    assert!(world.is_open(one));
    assert_eq!(*world.close_reason(two), CloseReason::SessionExpired);
    assert_eq!(*world.close_reason(stranger), CloseReason::HandshakeTimeout);
    // Many gaps do not keep a silent session for ever.
    let [three, four] = [world.start(), world.start()];
    for _ in 0..20 {
        world.suspend(Duration::from_secs(100));
        world.advance_pinging(Duration::from_secs(1), &[four]);
    }
    assert!(!world.is_open(three) && world.is_open(four));
    world.finish();
}

#[test]
fn our_own_limits_do_not_cost_a_session() {
    // The store is slow and the client may have one request under way: its pings are not read.
    let mut options = Options::logged(Acknowledge::AtOnce);
    options.config.endpoint.requests_per_connection_max = 1;
    let mut world = World::new(options);
    let client = world.start();
    let session = world.client(client).session();
    world.set_acknowledge(Acknowledge::Late(Duration::from_secs(100)));
    let create = world.send(client, &request::create("/a", b""));
    world.settle();
    for _ in 0..90 {
        world.send_as(client, Xid::PING, Op::Ping, &[]);
        world.advance(Duration::from_secs(1));
    }
    assert!(has_session(&world, session), "we did not listen");
    world.advance(Duration::from_secs(20));
    assert!(world.answer(client, create).is_some_and(|answer| answer.error.is_ok()));
    assert!(world.is_open(client));
    // A full time-out begins when we listen again.
    world.advance(TIMEOUT + TICK);
    assert!(!has_session(&world, session));
    world.finish();
}

#[test]
fn a_session_that_is_closed_is_gone_at_once() {
    let mut world = World::new(Options::default());
    let [client, watcher] = [world.start(), world.start()];
    let session = world.client(client).session();
    world.call(client, &request::create_as("/e", request::EPHEMERAL)).ok();
    world.call(watcher, &request::exists("/e", true)).ok();
    world.call(client, &request::exists("/e", true)).ok();
    let answer = world.call(client, &Request::CloseSession);
    assert_eq!((answer.error, answer.zxid), (ErrorCode::OK, world.server().applied()));
    assert_eq!(*world.close_reason(client), CloseReason::SessionClosed);
    // It hears of its own ephemeral, before the answer.
    for client in [client, watcher] {
        let events = world.client_mut(client).take_events();
        assert_eq!((events.len(), events[0].kind), (1, EventKind::NodeDeleted));
        assert_eq!(events[0].zxid, answer.zxid);
    }
    assert!(!has_session(&world, session));
    let late = world.resume(client);
    assert_eq!(*world.close_reason(late), CloseReason::SessionRefused);
    world.finish();
}

#[test]
fn a_close_that_races_an_expiry_ends_the_session_once() {
    // The request lies in the socket when the deadline passes, a little before or after.
    for offset_ms in (0..8_000).step_by(250) {
        let mut world = World::new(Options::default());
        let [client, watcher] = [world.start(), world.start()];
        let session = world.client(client).session();
        world.call(client, &request::create_as("/e", request::EPHEMERAL)).ok();
        world.call(watcher, &request::exists("/e", true)).ok();
        world.advance_pinging(Duration::from_millis(8_000), &[watcher]);
        world.advance(Duration::from_millis(offset_ms));
        world.send(client, &Request::CloseSession);
        world.advance_pinging(Duration::from_secs(10), &[watcher]);
        assert!(!has_session(&world, session));
        assert_eq!(world.client_mut(watcher).take_events().len(), 1);
        let ends = |event: &&Event| match event {
            Event::SessionClosed { session: ended } | Event::SessionExpired { session: ended } => {
                *ended == session
            }
            _ => false,
        };
        assert_eq!(world.events().iter().filter(ends).count(), 1, "offset {offset_ms} ms");
        world.finish();
    }
}

#[test]
fn a_client_that_has_seen_the_future_is_turned_away() {
    let mut world = World::new(Options::default());
    let client = world.start();
    let applied = world.server().applied();
    let at = |last_zxid_seen| ConnectRequest { last_zxid_seen, ..World::hello() };
    let welcome = hello(&mut world, &at(applied));
    assert!(world.client(welcome).handshake().is_some());
    for ahead in [world.server().applied().next(), Zxid(i64::MAX)] {
        let stranger = hello(&mut world, &at(ahead));
        assert_eq!(world.client(stranger).transcript(), b"");
        assert_eq!(*world.close_reason(stranger), CloseReason::ClientAhead);
    }
    let past = hello(&mut world, &at(Zxid(-1)));
    assert!(world.client(past).handshake().is_some());
    assert_eq!(world.server().stats().clients_ahead, 2);
    world.ping(client);
    world.finish();
}

#[test]
fn everybody_comes_back_at_once() {
    let mut options = Options::default();
    options.config.endpoint.connections_per_address_max = 0;
    let mut world = World::new(options);
    let clients: Vec<_> = (0..400).map(|_| world.start()).collect();
    for (number, &client) in clients.iter().enumerate() {
        world.send(client, &request::create_as(&format!("/{number}"), request::EPHEMERAL));
    }
    world.settle();
    for &client in &clients {
        world.reset(client);
    }
    world.settle();
    assert_eq!(world.server().connection_count(), 0);
    let credentials: Vec<_> = clients
        .iter()
        .map(|&client| (world.client(client).session(), world.client(client).password()))
        .collect();
    let back: Vec<_> = credentials
        .iter()
        .map(|(session, password)| {
            let client = world.open();
            let password = Some(Blob::Slice(password));
            let request = ConnectRequest { session: *session, password, ..World::hello() };
            world.send_frame(client, &request.to_vec());
            client
        })
        .collect();
    world.settle();
    for (&client, (session, _)) in back.iter().zip(&credentials) {
        assert_eq!(world.client(client).session(), *session);
    }
    assert_eq!(world.server().tree().ephemeral_count(), 400);
    world.advance(TIMEOUT + TICK);
    assert_eq!(world.server().tree().ephemeral_count(), 0);
    assert_eq!(world.server().tree().sessions().len(), 0);
    world.finish();
}

#[test]
fn the_handshakes_throttle_turns_away_who_comes_too_fast() {
    let mut options = Options::default();
    let mut throttle = ConnectionThrottle::new(3);
    throttle.fill_time = Duration::from_secs(1);
    options.config.endpoint.connection_throttle = Some(throttle);
    let mut world = World::new(options);
    let clients: Vec<_> = (0..5).map(|_| hello(&mut world, &World::hello())).collect();
    let granted = clients.iter().filter(|&&client| world.client(client).handshake().is_some());
    assert_eq!(granted.count(), 3);
    assert_eq!(*world.close_reason(clients[4]), CloseReason::Busy);
    assert_eq!(world.server().stats().connection_drop_count, 2);
    world.advance(Duration::from_secs(2));
    world.start();
    world.finish();
}

/// A client that takes a large reply slowly is alive; one that takes nothing is not.
#[test]
fn a_slow_reader_keeps_its_session_as_long_as_it_reads() {
    use std::sync::Arc;

    use bytes::Buf;
    use zookeeper_core::{
        Instant,
        server::{Config, Recovered, Server},
        wire::RequestHeader,
    };

    let drain = |server: &mut Server| {
        while server.poll_event().is_some() || server.poll_action().is_some() {}
        server.check_invariants();
    };
    let mut now = Instant::ZERO;
    let mut server = Server::new(Arc::new(Config::default()), now, 1, Recovered::empty());
    let conn = server.handle_accept(now, "127.0.0.1:4000".parse().unwrap()).unwrap();
    let hello = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 6_000,
        session: SessionId::NONE,
        password: None,
        read_only: None,
    };
    let mut frames = vec![hello.to_vec()];
    let data = vec![7; 1_000_000];
    let read = request::get_data("/a", false);
    for request in [request::create("/a", &data), read, read] {
        let header = RequestHeader { xid: Xid(1), op: request.op().code() };
        frames.push([header.to_vec(), request.to_vec()].concat());
    }
    for frame in frames {
        server.handle_input(now, conn, &u32::try_from(frame.len()).unwrap().to_be_bytes());
        server.handle_input(now, conn, &frame);
        drain(&mut server);
    }
    assert!(!server.wants_read(conn), "it is not read from, so it cannot be heard");
    let pass = |server: &mut Server, now: &mut Instant, bytes: usize| {
        for _ in 0..4 {
            *now = *now + Duration::from_millis(500);
            server.handle_timeout(*now);
            drain(server);
        }
        if let Some(mut transmit) = server.poll_transmit(conn) {
            let bytes = bytes.min(transmit.remaining());
            transmit.advance(bytes);
        }
        drain(server);
    };
    for _ in 0..15 {
        pass(&mut server, &mut now, 50_000);
        assert_eq!(server.tree().sessions().len(), 1);
    }
    for _ in 0..6 {
        pass(&mut server, &mut now, 0);
    }
    assert_eq!(server.tree().sessions().len(), 0, "it has stopped to read");
}

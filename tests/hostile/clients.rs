//! Clients that behave badly: slow, many, greedy, gone.

use std::{net::SocketAddr, time::Duration};

use zookeeper_core::{
    Disconnect, FRAME_LENGTH_MAX,
    endpoint::{AcceptError, CloseReason},
    wire::{Encode, ErrorCode, Op, Request, RequestHeader, Xid},
};
use zookeeper_sim::pair::{Acknowledge, Body, ClientId, Options, World, request};

use crate::table::{Expect, Row, check, create_record, drip};

#[test]
fn one_byte_per_second() {
    check(&[Row {
        name: "of a handshake",
        act: |world| {
            let client = world.open();
            let body = [&[0, 0, 0, 45][..], &World::hello().to_vec()].concat();
            drip(world, client, &body[..9])
        },
        expect: Expect::Close(|reason| *reason == CloseReason::HandshakeTimeout),
        counter: |stats| stats.sessionless_connections_expired,
    }]);
    // In a session: bytes of a frame that is not whole do not keep it alive.
    let mut world = World::new(Options::default());
    let [client, witness] = [world.start(), world.start()];
    let record = create_record(b"/slow", 0);
    let header = RequestHeader { xid: Xid(1), op: Op::Create.code() }.to_vec();
    let body = [header, record].concat();
    let length = u32::try_from(body.len()).expect("a small frame");
    let bytes = [&length.to_be_bytes()[..], &body].concat();
    for byte in &bytes {
        world.send_bytes(client, &[*byte]);
        world.advance_pinging(Duration::from_secs(1), &[witness]);
    }
    assert_eq!(*world.close_reason(client), CloseReason::SessionExpired);
    assert_eq!(world.server().stats().stale_sessions_expired, 1);
    assert!(world.is_open(witness));
    world.finish();
}

#[test]
fn a_client_that_never_reads() {
    // Its own answers: its requests wait, it is not read any more, and others do not notice.
    let mut options = Options::default();
    options.socket_buffer = 4 << 10;
    options.config.endpoint.output_soft_max = 4 << 10;
    let mut world = World::new(options);
    let [greedy, witness] = [world.start(), world.start()];
    world.call(witness, &request::create("/big", &[7; 1_000])).ok();
    world.stop_reading(greedy);
    for _ in 0..3_000 {
        world.send(greedy, &request::get_data("/big", false));
    }
    world.settle();
    let served = world.server().stats().requests(Op::GetData);
    assert!(served <= 9, "{served} answers of 1 kB for a limit of 4 kB");
    assert!(!world.server().wants_read(world.conn(greedy)));
    assert!(world.unread_input(greedy) > 0, "the rest stays in its socket");
    world.ping(witness);

    // It comes back in time and gets everything.
    world.advance_pinging(Duration::from_secs(3), &[witness]);
    world.resume_reading(greedy);
    world.settle();
    let answers = world.client_mut(greedy).take_answers();
    assert_eq!(answers.len(), 3_000);
    assert!(answers.iter().all(|answer| answer.body.data().is_some_and(|d| d.len() == 1_000)));

    // It does not come back: its own fault, its session ends.
    world.stop_reading(greedy);
    for _ in 0..50 {
        world.send(greedy, &request::get_data("/big", false));
    }
    world.advance_pinging(Duration::from_secs(30), &[witness]);
    assert_eq!(world.server().stats().stale_sessions_expired, 1);
    let reason = world.close_reason(greedy);
    assert!(matches!(reason, CloseReason::SessionExpired | CloseReason::LingerTimeout), "{reason}");
    world.ping(witness);
    world.finish();
}

#[test]
fn a_watcher_that_never_reads() {
    // Events are not asked for, so no request can wait: at the hard limit it is closed.
    let mut options = Options::default();
    options.socket_buffer = 1 << 10;
    options.config.endpoint.output_soft_max = 2 << 10;
    options.config.endpoint.output_hard_max = 8 << 10;
    let mut world = World::new(options);
    let [watcher, writer] = [world.start(), world.start()];
    world.call(watcher, &request::add_watch("/", 1)).ok();
    world.stop_reading(watcher);
    let mut changes = 0;
    while world.is_open(watcher) {
        world.call(writer, &request::set_data("/", b"")).ok();
        changes += 1;
        assert!(changes < 1_000, "the limit is reached");
    }
    assert_eq!(*world.close_reason(watcher), CloseReason::OutputOverflow);
    assert_eq!(world.server().stats().output_overflows, 1);
    world.ping(writer);
    world.finish();

    // Many that stay below it, and together reach the total: the worst one goes.
    let mut options = Options::default();
    options.socket_buffer = 1 << 10;
    options.config.endpoint.output_total_max = 20 << 10;
    let mut world = World::new(options);
    let writer = world.start();
    let watchers: Vec<_> = (0..5).map(|_| world.start()).collect();
    for &watcher in &watchers {
        world.call(watcher, &request::add_watch("/", 1)).ok();
        world.stop_reading(watcher);
    }
    while world.server().stats().output_overflows == 0 {
        world.call(writer, &request::set_data("/", b"")).ok();
    }
    let closed = watchers.iter().filter(|&&watcher| !world.is_open(watcher)).count();
    assert_eq!(closed, 1);
    world.ping(writer);
    world.finish();
}

#[test]
fn a_thousand_connections_from_one_address() {
    let mut world = World::new(Options::default());
    let from = |address: u8, port: u16| SocketAddr::from(([10, 0, 0, address], port));
    let witness = world.open_from(from(2, 1)).expect("a first one");
    world.shake_hands(witness, &World::hello());
    let outcomes: Vec<_> = (0..1_000).map(|port| world.open_from(from(1, port))).collect();
    world.settle();
    let accepted: Vec<_> = outcomes.iter().flatten().copied().collect();
    assert_eq!(accepted.len(), 60);
    let refused = |outcome: &&Result<ClientId, AcceptError>| {
        **outcome == Err(AcceptError::TooManyFromAddress)
    };
    assert_eq!(outcomes.iter().filter(refused).count(), 940);
    assert_eq!(world.server().stats().connection_rejected, 940);
    assert_eq!(world.server().connection_count(), 61);
    world.ping(witness);
    // One goes, one may come.
    world.reset(accepted[0]);
    world.settle();
    assert!(world.open_from(from(1, 5_000)).is_ok());
    assert!(world.open_from(from(1, 5_001)).is_err());
    // Whoever never says anything goes by itself.
    world.advance_pinging(Duration::from_secs(10), &[witness]);
    assert_eq!(world.server().connection_count(), 1);
    world.finish();

    let mut options = Options::default();
    options.config.endpoint.connections_per_address_max = 0;
    options.config.endpoint.connections_max = 10;
    let mut world = World::new(options);
    let outcomes: Vec<_> = (0..12).map(|port| world.open_from(from(1, port))).collect();
    assert_eq!(outcomes[10..], [Err(AcceptError::TooMany); 2]);
    assert_eq!(world.server().stats().connection_rejected, 2);
    world.finish();
}

#[test]
fn a_reset_in_the_middle_of_everything() {
    let whole = {
        let hello = World::hello().to_vec();
        let header = RequestHeader { xid: Xid(1), op: Op::Create.code() }.to_vec();
        let create = [header, create_record(b"/a", 0)].concat();
        let frame = |body: &[u8]| {
            let length = u32::try_from(body.len()).expect("a small frame");
            [&length.to_be_bytes()[..], body].concat()
        };
        [frame(&hello), frame(&create)].concat()
    };
    for length in 0..=whole.len() {
        for settles in [false, true] {
            let mut world = World::new(Options::default());
            let witness = world.start();
            let client = world.open();
            world.send_bytes(client, &whole[..length]);
            if settles {
                world.settle();
            }
            world.reset(client);
            world.settle();
            assert_eq!(*world.close_reason(client), CloseReason::Peer(Disconnect::Reset));
            let stats = world.server().stats();
            let has_session = settles && length >= 49;
            assert_eq!(stats.unsuccessful_handshake, u64::from(!has_session), "after {length}");
            let sessions = world.server().tree().sessions().len();
            assert_eq!(sessions, 1 + usize::from(has_session), "a session outlives its connection");
            world.ping(witness);
            world.finish();
        }
    }

    // While it has unread answers, and while it waits for the store.
    let mut options = Options::logged(Acknowledge::AtOnce);
    options.socket_buffer = 100;
    let mut world = World::new(options);
    let [client, witness] = [world.start(), world.start()];
    world.set_acknowledge(Acknowledge::ByHand);
    world.stop_reading(client);
    for _ in 0..20 {
        world.send(client, &request::exists("/zookeeper", false));
    }
    world.send(client, &request::create("/a", b""));
    world.settle();
    world.reset(client);
    world.settle();
    assert!(!world.is_open(client));
    world.set_acknowledge(Acknowledge::AtOnce);
    world.ping(witness);
    world.finish();
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answers() {
    let mut world = World::new(Options::default());
    let [client, witness] = [world.start(), world.start()];
    for number in 0..20 {
        world.send(client, &request::create(&format!("/{number}"), b""));
    }
    world.send(client, &Request::CloseSession);
    world.send(client, &request::create("/late", b""));
    world.half_close(client);
    world.settle();
    let answers = world.client_mut(client).take_answers();
    assert_eq!(answers.len(), 21, "nothing behind the end of the session");
    assert_eq!(*world.close_reason(client), CloseReason::SessionClosed);
    let names = world.call(witness, &request::get_children("/", false)).body;
    assert_eq!(names.names().len(), 21);
    world.finish();
}

#[test]
fn a_frame_of_exactly_the_limit_is_served() {
    for (extra, is_served) in [(0, true), (1, false)] {
        let mut world = World::new(Options::default());
        let [client, witness] = [world.start(), world.start()];
        let overhead = RequestHeader::LENGTH + create_record(b"/a", 0).len();
        let data = vec![1; FRAME_LENGTH_MAX - overhead + extra];
        let xid = world.send(client, &request::create("/a", &data));
        world.settle();
        let answer = world.answer(client, xid).map(|answer| answer.error);
        assert_eq!(answer, is_served.then_some(ErrorCode::OK));
        assert_eq!(world.is_open(client), is_served);
        assert_eq!(world.server().stats().bad_frames, u64::from(!is_served));
        world.ping(witness);
        world.finish();
    }
}

#[test]
fn large_requests_have_a_budget() {
    let mut options = Options::default();
    options.config.endpoint.large_request_length = Some(1_000);
    options.config.endpoint.large_requests_total_max = 5_000;
    let mut world = World::new(options);
    let [client, greedy] = [world.start(), world.start()];
    assert!(world.call(client, &request::create("/a", &[1; 4_000])).error.is_ok());
    world.send(greedy, &request::create("/b", &[1; 6_000]));
    world.settle();
    assert_eq!(*world.close_reason(greedy), CloseReason::LargeRequests);
    assert_eq!(world.server().stats().large_requests_rejected, 1);
    assert_eq!(world.call(client, &request::exists("/b", false)).body, Body::Empty);
    world.finish();
}

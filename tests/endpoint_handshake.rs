//! The first frame and its answers, row by row of the protocol's table.

mod endpoint_support;

use std::time::Duration;

use endpoint_support::{
    PASSWORD, World, config, connect_frame, connect_request, frame, frames, get_data, ping,
};
use zookeeper_core::{
    Disconnect, SessionId, Zxid,
    endpoint::{AcceptError, CloseReason, ConnectionThrottle, Grant},
    wire::{Blob, ConnectResponse, Encode, FrameError, Reader},
};

/// The body of a positive answer.
fn granted(session: SessionId, timeout_ms: i32, has_read_only: bool) -> Vec<u8> {
    let mut body = [&[0; 4][..], &timeout_ms.to_be_bytes()].concat();
    body.extend_from_slice(&session.0.to_be_bytes());
    body.extend_from_slice(&[0, 0, 0, 16]);
    body.extend_from_slice(&PASSWORD);
    body.extend(has_read_only.then_some(0));
    body
}

#[test]
fn a_new_session_is_answered_with_its_id_and_password() {
    let mut world = World::new(config());
    let conn = world.accept();
    world.input(conn, &connect_frame(SessionId::NONE, 10_000));
    let output = world.take_output(conn);
    assert_eq!(frames(&output), [granted(SessionId(0x101), 10_000, true)]);
    assert_eq!(frames(&output)[0].len(), 37);
    assert_eq!(world.endpoint.connection(SessionId(0x101)), Some(conn));
}

#[test]
fn the_read_only_flag_comes_back_only_to_those_that_sent_it() {
    let mut world = World::new(config());
    let conn = world.accept();
    let mut legacy = connect_request(SessionId::NONE, 10_000);
    legacy.read_only = None;
    let legacy = legacy.to_vec();
    assert_eq!(legacy.len(), 44);
    world.input(conn, &frame(&legacy));
    assert_eq!(frames(&world.take_output(conn)), [granted(SessionId(0x101), 10_000, false)]);

    let conn = world.accept();
    let mut refused = connect_request(SessionId(5), 10_000);
    refused.read_only = None;
    world.input(conn, &frame(&refused.to_vec()));
    assert_eq!(frames(&world.take_output(conn))[0].len(), 36);
}

#[test]
fn the_time_out_is_raised_first_and_lowered_then() {
    for (asked, granted) in
        [(1, 4_000), (-5, 4_000), (7_777, 7_777), (100_000_000, 40_000), (i32::MIN, 4_000)]
    {
        let mut world = World::new(config());
        let conn = world.accept();
        world.input(conn, &connect_frame(SessionId::NONE, asked));
        let output = world.take_output(conn);
        let response: ConnectResponse<'_> = Reader::new(frames(&output)[0]).read().unwrap();
        assert_eq!(response.timeout_ms, granted, "asked for {asked}");
    }
}

#[test]
fn any_password_will_do_for_a_new_session() {
    for password in [None, Some(Blob::Slice(b"")), Some(Blob::Slice(&[1; 300]))] {
        let mut world = World::new(config());
        let conn = world.accept();
        let mut connect = connect_request(SessionId::NONE, 5_000);
        connect.password = password;
        world.input(conn, &frame(&connect.to_vec()));
        assert_eq!(frames(&world.take_output(conn)).len(), 1);
    }
}

#[test]
fn a_session_is_resumed_and_its_old_connection_closed() {
    let mut world = World::new(config());
    let (old, session) = world.connect();
    let new = world.accept();
    world.input(new, &connect_frame(session, 9_000));
    assert_eq!(frames(&world.take_output(new)), [granted(session, 9_000, true)]);
    assert_eq!(world.reason(old), Some(&CloseReason::SessionMoved));
    assert!(world.is_open(new) && !world.is_open(old));
    assert_eq!(world.endpoint.connection(session), Some(new));
    assert_eq!(world.closed[0].1, Some(session));
    // The old connection's id means nothing any more.
    world.input(old, &get_data(1));
    assert_eq!(world.served, []);
}

#[test]
fn a_wrong_password_is_refused_with_zeros_and_still_closes_the_old_connection() {
    let mut world = World::new(config());
    let (old, session) = world.connect();
    let new = world.accept();
    let mut connect = connect_request(session, 9_000);
    connect.password = Some(Blob::Slice(b"wrong"));
    world.input(new, &frame(&connect.to_vec()));
    let refused = [&[0; 16][..], &[0, 0, 0, 16], &[0; 17]].concat();
    assert_eq!(frames(&world.take_output(new)), [refused]);
    assert_eq!(world.reason(new), Some(&CloseReason::SessionRefused));
    assert_eq!(world.reason(old), Some(&CloseReason::SessionMoved));
    // The session survives.
    let again = world.accept();
    world.input(again, &connect_frame(session, 9_000));
    assert_eq!(world.endpoint.connection(session), Some(again));
}

#[test]
fn two_connections_ask_for_one_session_at_once_and_the_later_answer_wins() {
    let mut world = World::new(config());
    let (old, session) = world.connect();
    world.accepts = false;
    let (first, second) = (world.accept(), world.accept());
    for conn in [first, second] {
        world.input(conn, &connect_frame(session, 5_000));
    }
    assert_eq!(world.reason(old), Some(&CloseReason::SessionMoved));
    let connects = world.connects.clone();
    for (conn, request) in &connects[1..] {
        world.decide(*conn, request);
    }
    world.drain();
    assert_eq!(world.reason(first), Some(&CloseReason::SessionMoved));
    assert_eq!(world.endpoint.connection(session), Some(second));
}

#[test]
fn a_client_that_has_seen_more_is_closed_without_a_word() {
    let mut world = World::new(config());
    let conn = world.accept();
    let mut connect = connect_request(SessionId::NONE, 5_000);
    connect.last_zxid_seen = Zxid(1);
    world.input(conn, &frame(&connect.to_vec()));
    assert_eq!(world.take_output(conn), []);
    assert_eq!(world.reason(conn), Some(&CloseReason::ClientAhead));
    assert_eq!(world.endpoint.stats().clients_ahead, 1);
}

#[test]
fn what_a_client_has_seen_does_not_fall_while_a_server_starts() {
    let mut world = World::new(config());
    let (old, session) = world.connect();
    world.eof(old, Disconnect::Reset);
    // It has recovered more than it has made sure of.
    world.is_durable_at_once = false;
    world.applied = 12;
    for (seen, shown) in [(9, 9), (12, 12), (-1, 1)] {
        let conn = world.accept();
        let mut connect = connect_request(session, 5_000);
        connect.last_zxid_seen = Zxid(seen);
        world.input(conn, &[frame(&connect.to_vec()), get_data(1), ping()].concat());
        let output = world.take_output(conn);
        let zxids: Vec<_> = frames(&output)[1..]
            .iter()
            .map(|frame| i64::from_be_bytes(frame[4..12].try_into().unwrap()))
            .collect();
        assert_eq!(zxids, [shown; 2], "{seen} was seen");
    }
}

#[test]
fn requests_behind_the_handshake_wait_for_its_answer() {
    let mut world = World::new(config());
    world.accepts = false;
    let conn = world.accept();
    world.input(conn, &[connect_frame(SessionId::NONE, 5_000), get_data(1), ping()].concat());
    assert!(!world.endpoint.wants_read(conn), "not read until it is answered");
    // Bytes that come all the same are kept.
    world.input(conn, &get_data(2));
    assert_eq!(world.served, []);
    let (conn, request) = world.connects[0].clone();
    world.decide(conn, &request);
    world.drain();
    assert!(world.endpoint.wants_read(conn));
    assert_eq!(world.reads, [conn]);
    let output = world.take_output(conn);
    let bodies = frames(&output);
    assert_eq!(bodies.len(), 4, "the answer, two replies and the pong");
    assert_eq!(bodies[1][..4], 1_i32.to_be_bytes());
    assert_eq!(bodies[2][..4], (-2_i32).to_be_bytes());
    assert_eq!(bodies[3][..4], 2_i32.to_be_bytes());
}

#[test]
fn a_session_granted_to_a_connection_that_is_gone_still_expires() {
    let mut world = World::new(config());
    world.accepts = false;
    let conn = world.accept();
    world.input(conn, &connect_frame(SessionId::NONE, 5_000));
    world.eof(conn, Disconnect::Reset);
    assert_eq!(world.reason(conn), Some(&CloseReason::Peer(Disconnect::Reset)));
    let (conn, request) = world.connects[0].clone();
    world.decide(conn, &request);
    world.drain();
    world.pass(Duration::from_secs(20));
    assert_eq!(world.expired, [SessionId(0x101)]);
    assert_eq!(world.endpoint.session_count(), 0);
}

#[test]
fn first_frames_that_are_no_handshake_close_without_a_word() {
    let too_long = |length| CloseReason::Frame(FrameError::TooLong { length, max: 1_024 });
    let negative = CloseReason::Frame(FrameError::Negative(-1));
    for (bytes, reason) in [
        (vec![0xff; 4], Some(negative)),
        (vec![0, 0, 4, 1], Some(too_long(1_025))),
        (b"RUOK".to_vec(), Some(too_long(0x5255_4f4b))),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Some(too_long(0x4745_5420))),
        (frame(&[]), None),
        (frame(&[0; 27]), None),
        (get_data(1), None),
    ] {
        let mut world = World::new(config());
        let conn = world.accept();
        world.input(conn, &bytes);
        assert_eq!(world.take_output(conn), [], "{bytes:?}");
        match (world.reason(conn), reason) {
            (Some(found), Some(reason)) => assert_eq!(*found, reason),
            (Some(CloseReason::BadHandshake(_)), None) => {}
            other => panic!("{bytes:?}: {other:?}"),
        }
        let stats = world.endpoint.stats();
        assert_eq!(stats.bad_frames + stats.bad_handshakes, 1);
        assert_eq!(stats.unsuccessful_handshake, 1);
    }
}

#[test]
fn a_first_frame_as_long_as_allowed_is_taken() {
    let mut world = World::new(config());
    let conn = world.accept();
    let mut body = connect_request(SessionId::NONE, 5_000).to_vec();
    body.resize(1_024, 9);
    world.input(conn, &frame(&body));
    assert_eq!(frames(&world.take_output(conn)).len(), 1, "what is behind the record is ignored");
}

#[test]
fn a_second_handshake_is_a_request_nobody_knows() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    // Read as a header: xid 0, operation 0.
    world.input(conn, &connect_frame(SessionId::NONE, 5_000));
    assert_eq!(world.take_replies(conn), [(0, -1, -6)]);
    assert_eq!(world.reason(conn), Some(&CloseReason::UnknownOperation(0)));
}

#[test]
fn a_silent_connection_is_closed_after_the_handshake_time() {
    let mut world = World::new(config());
    let (silent, slow) = (world.accept(), world.accept());
    let start = connect_frame(SessionId::NONE, 5_000);
    for byte in &start[..3] {
        world.input(slow, &[*byte]);
        world.pass(Duration::from_millis(1_000));
    }
    assert!(world.is_open(silent) && world.is_open(slow));
    assert_eq!(world.endpoint.timeout_reason(), Some("handshake"));
    world.pass(Duration::from_millis(1_000));
    for conn in [silent, slow] {
        assert_eq!(world.reason(conn), Some(&CloseReason::HandshakeTimeout));
    }
    assert_eq!(world.endpoint.poll_timeout(), None, "an empty endpoint waits for nothing");
}

#[test]
fn connections_over_the_limits_are_refused_and_counted() {
    let mut limited = config();
    limited.connections_per_address_max = 2;
    limited.connections_max = 3;
    let mut world = World::new(limited);
    let (first, _second) = (world.accept(), world.accept());
    let accept = |world: &mut World, peer: &str| {
        world.endpoint.handle_accept(world.now, peer.parse().unwrap())
    };
    assert_eq!(accept(&mut world, "10.0.0.1:9"), Err(AcceptError::TooManyFromAddress));
    assert_eq!(accept(&mut world, "[::ffff:10.0.0.1]:9"), Err(AcceptError::TooManyFromAddress));
    assert!(accept(&mut world, "10.0.0.2:9").is_ok());
    assert_eq!(accept(&mut world, "10.0.0.3:9"), Err(AcceptError::TooMany));
    assert_eq!(world.endpoint.stats().connection_rejected, 3);
    assert_eq!(world.closed, [], "a refused connection has no events");
    world.eof(first, Disconnect::End);
    assert!(accept(&mut world, "10.0.0.1:9").is_ok());
}

#[test]
fn the_connection_throttle_refuses_handshakes_without_tokens() {
    let mut throttled = config();
    let mut throttle = ConnectionThrottle::new(1);
    throttle.fill_time = Duration::from_millis(100);
    throttled.connection_throttle = Some(throttle);
    let mut world = World::new(throttled);
    world.connect();
    let refused = world.accept();
    world.input(refused, &connect_frame(SessionId::NONE, 5_000));
    assert_eq!(world.take_output(refused), []);
    assert_eq!(world.reason(refused), Some(&CloseReason::Busy));
    assert_eq!(world.endpoint.stats().connection_drop_count, 1);
    world.pass(Duration::from_millis(200));
    world.connect();
}

#[test]
fn a_grant_for_a_stale_connection_or_twice_changes_nothing() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    let timeout = Duration::from_secs(5);
    let grant = Grant { session, password: PASSWORD, timeout, read_only: false, hold: Zxid::ZERO };
    world.endpoint.accept_session(world.now, conn, grant);
    world.drain();
    assert_eq!(world.take_output(conn), []);
    assert!(world.is_open(conn));
}

#[test]
fn the_answer_of_the_handshake_waits_for_its_transaction() {
    let mut world = World::new(config());
    world.is_durable_at_once = false;
    let conn = world.accept();
    world.input(conn, &connect_frame(SessionId::NONE, 5_000));
    assert_eq!(world.take_output(conn), []);
    world.release(1);
    assert_eq!(frames(&world.take_output(conn)).len(), 1);
}

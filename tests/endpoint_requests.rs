//! Frames, their order, and what the endpoint answers itself.

mod endpoint_support;

use std::time::Duration;

use bytes::Buf;
use endpoint_support::{
    World, auth, close_session, config, connect_frame, frame, frames, get_data, ping, raw_request,
    set_data,
};
use quickcheck::{QuickCheck, TestResult};
use zookeeper_core::{
    ConnId, Disconnect, Instant, RequestId, SessionId, Zxid,
    endpoint::{CloseReason, Config, Notification, Reply},
    wire::{ErrorCode, EventKind, FrameError, Op, Response},
};

#[test]
fn any_chunking_of_a_stream_gives_the_same_output() {
    // A stream with an end for every seed: some end the session, some are bad.
    fn stream(seed: &[u8]) -> Vec<u8> {
        let mut bytes = connect_frame(SessionId::NONE, 5_000);
        for (index, choice) in seed.iter().enumerate() {
            let xid = i32::try_from(index + 1).unwrap();
            bytes.extend(match choice % 16 {
                0..=4 => get_data(xid),
                5..=7 => set_data(xid),
                8 | 9 => ping(),
                10 => auth("digest", b"bob:pw"),
                11 => raw_request(xid, 1, &[0xff; 3]),
                12 => raw_request(xid, 102, &[0, 0, 0, 1, 9]),
                13 if choice / 16 == 0 => close_session(xid),
                14 if choice / 16 == 0 => raw_request(xid, 99, &[]),
                15 if choice / 16 == 0 => vec![0xff; 4],
                15 if choice / 16 == 1 => auth("nobody", b""),
                _ => raw_request(xid, 9, &[0, 0, 0, 1, b'/']),
            });
        }
        bytes
    }

    fn run(bytes: &[u8], chunks: &[u8]) -> (Vec<u8>, Vec<(ConnId, i32)>, String) {
        let mut world = World::new(config());
        let conn = world.accept();
        let mut rest = bytes;
        let mut lengths = chunks.iter().cycle();
        while !rest.is_empty() {
            let length = lengths.next().map_or(rest.len(), |&length| usize::from(length) + 1);
            let (chunk, after) = rest.split_at(length.min(rest.len()));
            world.input(conn, chunk);
            rest = after;
        }
        (world.take_output(conn), world.served.clone(), format!("{:?}", world.closed))
    }

    fn check(seed: Vec<u8>, chunks: Vec<u8>) -> TestResult {
        let bytes = stream(&seed);
        TestResult::from_bool(run(&bytes, &chunks) == run(&bytes, &[]))
    }
    QuickCheck::new().tests(300).quickcheck(check as fn(Vec<u8>, Vec<u8>) -> TestResult);
}

#[test]
fn a_reply_is_encoded_as_the_protocol_has_it() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.input(conn, &set_data(7));
    // Length 16, xid 7, zxid 2 (the first made the session), no error, no record.
    let expected = [&[0, 0, 0, 16, 0, 0, 0, 7][..], &[0, 0, 0, 0, 0, 0, 0, 2], &[0; 4]].concat();
    assert_eq!(world.take_output(conn), expected);
}

#[test]
fn an_error_reply_has_no_record_unless_one_is_given() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.answers = false;
    world.input(conn, &[get_data(1), get_data(2)].concat());
    let now = world.now;
    for body in [Response::Empty, Response::Count(3)] {
        let id = world.asked.pop_front().unwrap().id;
        let reply = Reply { zxid: None, error: ErrorCode::NO_NODE, body, hold: Zxid::ZERO };
        world.endpoint.reply(now, id, reply);
    }
    world.drain();
    let output = world.take_output(conn);
    let lengths: Vec<_> = frames(&output).iter().map(|body| body.len()).collect();
    assert_eq!(lengths, [16, 20]);
}

#[test]
fn connections_take_turns_of_64_frames() {
    let mut world = World::new(config());
    let (first, _) = world.connect();
    let (second, _) = world.connect();
    for conn in [first, second] {
        let bytes: Vec<u8> = (1..=100).flat_map(get_data).collect();
        world.input_undrained(conn, &bytes);
    }
    world.drain();
    let turns: Vec<(ConnId, usize)> = world
        .served
        .chunk_by(|one, other| one.0 == other.0)
        .map(|turn| (turn[0].0, turn.len()))
        .collect();
    assert_eq!(turns, [(first, 64), (second, 64), (first, 36), (second, 36)]);
    for conn in [first, second] {
        assert_eq!(world.take_xids(conn), Vec::from_iter(1..=100));
    }
}

#[test]
fn a_ping_is_answered_in_its_turn() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.answers = false;
    world.input(conn, &[get_data(1), ping(), get_data(2)].concat());
    assert_eq!(world.take_xids(conn), [], "the first is not answered");
    assert_eq!(world.asked.len(), 1, "order: what is behind the ping waits too");
    assert!(!world.endpoint.wants_read(conn), "and is not piled up");
    world.answer();
    assert_eq!(world.take_xids(conn), [1, -2]);
    assert!(world.endpoint.wants_read(conn));
    world.answer();
    assert_eq!(world.take_xids(conn), [2]);
}

#[test]
fn a_ping_may_carry_any_xid_and_is_answered_with_its_own() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.input(conn, &raw_request(12, 11, &[]));
    assert_eq!(world.take_xids(conn), [-2]);
    assert_eq!(world.endpoint.stats().requests(Op::Ping), 1);
}

#[test]
fn what_cannot_be_decoded_is_answered_and_nothing_else_happens() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    // Records too short, null where a value must be, and counts beyond the frame.
    let vector = [&[0, 0, 0, 2, b'/', b'a'][..], &[0xff; 4], &[0x7f, 0xff, 0xff, 0xff]].concat();
    world.input(conn, &raw_request(1, 5, &[]));
    world.input(conn, &raw_request(2, 4, &[0x7f, 0xff, 0xff, 0xff]));
    world.input(conn, &raw_request(3, 1, &vector));
    world.input(conn, &raw_request(4, 14, &[0; 5]));
    world.input(conn, &get_data(5));
    let replies = world.take_replies(conn);
    assert_eq!(replies[..4], [(1, 1, -5), (2, 1, -5), (3, 1, -5), (4, 1, -5)]);
    assert_eq!(replies[4], (5, 1, 0), "the connection lives on");
    assert_eq!(world.endpoint.stats().bad_requests, 4);
    assert_eq!(world.served.len(), 1);
}

#[test]
fn bytes_behind_a_record_are_ignored() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.input(conn, &raw_request(1, 4, &[0, 0, 0, 2, b'/', b'a', 0, 9, 9, 9, 9]));
    assert_eq!(world.take_replies(conn), [(1, 1, 0)]);
}

#[test]
fn operations_nobody_knows_are_answered_after_what_came_before_and_then_closed() {
    // Those that only a log or another server may contain are unknown too.
    for op in [0, 10, 13, 20, 23, 99, 108, -1, -10, -12, i32::MAX, i32::MIN] {
        let mut world = World::new(config());
        let (conn, _) = world.connect();
        world.answers = false;
        world.input(conn, &[get_data(1), raw_request(2, op, &[0; 8]), get_data(3)].concat());
        assert!(world.is_open(conn));
        world.answer();
        assert_eq!(world.take_replies(conn), [(1, 1, 0), (2, -1, -6)], "operation {op}");
        assert_eq!(world.reason(conn), Some(&CloseReason::UnknownOperation(op)));
        assert_eq!(world.endpoint.stats().unknown_operations, 1);
    }
}

#[test]
fn bad_frames_close_after_what_came_before_was_answered() {
    let too_long = FrameError::TooLong { length: 0x10_0000, max: 0xf_ffff };
    for (bytes, expected) in [
        (vec![0xff; 4], Some(CloseReason::Frame(FrameError::Negative(-1)))),
        (vec![0, 0x10, 0, 0], Some(CloseReason::Frame(too_long))),
        (b"ruok".to_vec(), None),
        (frame(&[]), None),
        (frame(&[1; 7]), None),
    ] {
        let mut world = World::new(config());
        let (conn, _) = world.connect();
        world.answers = false;
        world.input(conn, &[get_data(1), bytes.clone()].concat());
        assert!(world.is_open(conn), "the first request is not answered yet");
        world.answer();
        assert_eq!(world.take_xids(conn), [1], "{bytes:?}");
        let reason = world.reason(conn).unwrap();
        assert!(expected.as_ref().is_none_or(|expected| reason == expected));
        assert!(matches!(reason, CloseReason::Frame(_) | CloseReason::BadHeader(_)));
        let stats = world.endpoint.stats();
        assert_eq!(stats.bad_frames + stats.bad_headers, 1);
    }
}

#[test]
fn a_frame_as_long_as_allowed_is_taken_in_any_pieces() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    let mut record = vec![0, 0, 0, 2, b'/', b'a', 0];
    record.resize(0xf_ffff - 8, 0);
    let bytes = raw_request(1, 4, &record);
    for chunk in bytes.chunks(65_536) {
        assert!(world.endpoint.wants_read(conn));
        world.input(conn, chunk);
    }
    assert_eq!(world.take_xids(conn), [1]);
}

#[test]
fn whole_requests_are_served_although_the_peer_has_gone() {
    for cause in [Disconnect::End, Disconnect::Reset] {
        let mut world = World::new(config());
        let (conn, session) = world.connect();
        let input = [set_data(1), set_data(2), close_session(3), get_data(4)[..9].to_vec()];
        world.input_undrained(conn, &input.concat());
        world.eof(conn, cause);
        assert_eq!(world.served, [(conn, 1), (conn, 2), (conn, 3)]);
        assert!(!world.sessions[&session]);
        assert_eq!(world.reason(conn), Some(&CloseReason::SessionClosed));
        assert_eq!(world.take_output(conn).is_empty(), cause == Disconnect::Reset);
    }
}

#[test]
fn the_end_of_the_peer_waits_for_answers_under_way() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    world.answers = false;
    world.input_undrained(conn, &[get_data(1), ping(), get_data(2)].concat());
    world.eof(conn, Disconnect::Reset);
    assert!(world.is_open(conn));
    world.answer();
    world.answer();
    assert_eq!(world.take_output(conn), [], "nobody is there to read it");
    assert_eq!(world.closed, [(conn, Some(session), CloseReason::Peer(Disconnect::Reset))]);
    // The session lives on without a connection.
    assert_eq!(world.endpoint.connection(session), None);
    world.pass(Duration::from_secs(8));
    assert_eq!(world.expired, [session]);
}

#[test]
fn requests_behind_the_end_of_the_session_are_dropped() {
    for answers in [true, false] {
        let mut world = World::new(config());
        let (conn, session) = world.connect();
        world.answers = answers;
        world.input(conn, &[get_data(1), close_session(2), get_data(3), ping()].concat());
        assert_eq!(world.served, [(conn, 1), (conn, 2)]);
        while !world.asked.is_empty() {
            world.answer();
        }
        assert_eq!(world.take_replies(conn), [(1, 1, 0), (2, 2, 0)]);
        assert_eq!(world.closed, [(conn, Some(session), CloseReason::SessionClosed)]);
        assert_eq!(world.endpoint.session_count(), 0);
    }
}

#[test]
fn identities_are_those_at_the_request_and_auth_is_answered_in_order() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.answers = false;
    let input = [
        get_data(1),
        auth("digest", b"bob:pw"),
        auth("ip", b""),
        auth("digest", b"bob:pw"),
        get_data(2),
    ];
    world.input(conn, &input.concat());
    world.answer();
    assert_eq!(world.take_replies(conn), [(1, 1, 0), (-4, 0, 0), (-4, 0, 0), (-4, 0, 0)]);
    let ids = &world.asked[0].identities;
    assert_eq!(*ids, ["ip:10.0.0.1", "digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM="]);
    assert_eq!(world.endpoint.identities(conn).unwrap().len(), 2);
}

#[test]
fn refused_credentials_are_answered_and_close() {
    for (bytes, replies) in [
        (auth("nobody", b"x"), vec![(-4, 0, -115)]),
        (auth("sasl", b"x"), vec![(-4, 0, -115)]),
        // Null credentials.
        (raw_request(-4, 100, &[&[0; 7][..], &[6], b"digest", &[0xff; 4]].concat()), {
            vec![(-4, 0, -115)]
        }),
        // A record that ends too early closes unanswered; so does SASL without a token.
        (raw_request(-4, 100, &[0; 3]), vec![]),
        (raw_request(5, 102, &[0xff; 4]), vec![]),
    ] {
        let mut world = World::new(config());
        let (conn, _) = world.connect();
        world.input(conn, &[get_data(1), bytes, get_data(2)].concat());
        assert_eq!(world.take_replies(conn)[1..], replies);
        let reason = world.reason(conn).unwrap();
        let is_answered = matches!(reason, CloseReason::AuthenticationFailed);
        assert_eq!(is_answered, !replies.is_empty(), "{reason}");
    }
}

#[test]
fn sasl_is_not_configured() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.input(conn, &raw_request(9, 102, &[0, 0, 0, 0]));
    let output = world.take_output(conn);
    // Header and a null token.
    assert_eq!(frames(&output)[0], [&[0, 0, 0, 9][..], &[0; 12], &[0xff; 4]].concat());
}

#[test]
fn demanded_authentication_comes_before_everything_else() {
    let mut strict: Config = config();
    strict.enforced_schemes = vec!["digest".into()];
    for request in [get_data(7), raw_request(7, 11, &[]), close_session(7), raw_request(7, 99, &[])]
    {
        let mut world = World::new(strict.clone());
        let (conn, _) = world.connect();
        world.input(conn, &[request, get_data(8)].concat());
        assert_eq!(world.take_replies(conn), [(7, 0, -124)]);
        assert_eq!(world.reason(conn), Some(&CloseReason::AuthenticationRequired));
    }
    let mut world = World::new(strict);
    let (conn, _) = world.connect();
    world.input(conn, &[auth("digest", b"bob:pw"), get_data(8)].concat());
    assert_eq!(world.take_xids(conn), [-4, 8]);
}

#[test]
fn stale_ids_are_ignored() {
    let mut world = World::new(config());
    let (old, _) = world.connect();
    world.answers = false;
    world.input(old, &get_data(1));
    let id = world.asked[0].id;
    world.eof(old, Disconnect::Reset);
    world.pass(Duration::from_secs(6));
    assert_eq!(world.reason(old), Some(&CloseReason::LingerTimeout));
    // Its slot has a new user.
    let (new, _) = world.connect();
    assert_eq!((new.slot(), new.generation()), (old.slot(), old.generation() + 1));
    let event = Notification::new(Zxid(1), EventKind::NodeCreated, "/a", Zxid::ZERO);
    let now = world.now;
    for conn in [old, ConnId::new(77, 0)] {
        let error =
            Reply { zxid: None, error: ErrorCode::OK, body: Response::Empty, hold: Zxid::ZERO };
        world.endpoint.handle_input(now, conn, &get_data(9));
        world.endpoint.handle_eof(now, conn, Disconnect::End);
        world.endpoint.reply(now, RequestId { conn, ..id }, error);
        world.endpoint.notify(now, conn, &event);
        world.endpoint.answer_command(now, conn, "text".into());
        world.endpoint.disconnect(now, conn);
        assert!(world.endpoint.poll_transmit(conn).is_none());
        assert!(!world.endpoint.wants_read(conn));
        assert!(world.endpoint.identities(conn).is_none());
    }
    world.drain();
    assert!(world.is_open(new));
    assert_eq!(world.take_output(new), []);
}

#[test]
#[should_panic(expected = "replies go in request order")]
fn a_reply_out_of_order_is_a_bug_of_the_backend() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.answers = false;
    world.input(conn, &[get_data(1), get_data(2)].concat());
    let (id, now) = (world.asked[1].id, world.now);
    let reply = Reply { zxid: None, error: ErrorCode::OK, body: Response::Empty, hold: Zxid::ZERO };
    world.endpoint.reply(now, id, reply);
}

#[test]
fn an_older_now_counts_as_the_newest() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    world.pass(Duration::from_secs(3));
    world.endpoint.handle_input(Instant::ZERO, conn, &ping());
    world.drain();
    // Touched at 4 s: the bucket of 4 + 4 ends at 10 s.
    world.pass(Duration::from_millis(5_999));
    assert_eq!(world.expired, []);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.expired, [session]);
}

#[test]
fn many_frames_that_need_no_backend_are_answered_in_steps() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    let pings = ping().repeat(1_000);
    world.input_undrained(conn, &pings);
    assert!(world.endpoint.poll_request().is_none());
    let answered = world.endpoint.poll_transmit(conn).unwrap().remaining() / 20;
    assert!((1..=256).contains(&answered), "{answered} in one call");
    assert_eq!(world.endpoint.poll_timeout(), Some(world.now), "the rest is announced");
    world.pass(Duration::ZERO);
    assert_eq!(world.take_xids(conn), [-2; 1_000]);
}

#[test]
fn identities_of_a_connection_have_a_limit() {
    let mut config = config();
    config.identities_length_max = 1_000;
    let mut world = World::new(config);
    let (conn, _) = world.connect();
    let credentials = |user: char| [user.to_string().repeat(600), ":pw".to_owned()].concat();
    world.input(conn, &auth("digest", credentials('a').as_bytes()));
    world.input(conn, &auth("digest", credentials('a').as_bytes()));
    assert_eq!(world.take_replies(conn), [(-4, 0, 0), (-4, 0, 0)], "the same one costs nothing");
    world.input(conn, &auth("digest", credentials('b').as_bytes()));
    assert_eq!(world.take_replies(conn), [(-4, 0, ErrorCode::AUTH_FAILED.0)]);
    assert_eq!(world.reason(conn), Some(&CloseReason::AuthenticationFailed));
}

#[test]
fn a_reply_over_the_hard_limit_is_not_made() {
    let mut config = config();
    config.output_hard_max = 10_000;
    let mut world = World::new(config);
    let (conn, _) = world.connect();
    world.data_length = 9_000;
    world.input(conn, &get_data(1));
    assert_eq!(world.take_xids(conn), [1]);
    world.data_length = 10_000;
    world.input(conn, &[get_data(2), get_data(3)].concat());
    assert_eq!(world.reason(conn), Some(&CloseReason::OutputOverflow));
    assert_eq!(world.take_output(conn), []);
    assert_eq!(world.endpoint.outstanding(), 0);
}

//! Holds, back-pressure, and limits of output.

mod endpoint_support;

use std::time::Duration;

use endpoint_support::{
    World, close_session, config, connect_frame, frame, frames, get_data, ping, raw_request,
    set_data,
};
use quickcheck::{QuickCheck, TestResult};
use zookeeper_core::{
    Disconnect, SessionId, Zxid,
    endpoint::{Action, CloseReason, Notification},
    wire::EventKind,
};

/// A world whose backend has made everything up to here durable and nothing from now on.
fn held_world() -> World {
    let mut world = World::new(config());
    world.is_durable_at_once = false;
    world
}

#[test]
fn a_write_leaves_when_it_is_durable_and_reads_wait_behind_it() {
    let mut world = World::new(config());
    let (writer, _) = world.connect();
    let (reader, _) = world.connect();
    world.is_durable_at_once = false;
    world.input(writer, &[get_data(1), set_data(2), get_data(3), ping()].concat());
    world.input(reader, &get_data(1));
    assert_eq!(world.take_replies(writer), [(1, 2, 0)], "what came before leaves at once");
    assert_eq!(world.take_replies(reader), [(1, 2, 0)], "what a crash could take is not shown");
    world.release(2);
    assert_eq!(world.take_output(writer), []);
    world.release(3);
    assert_eq!(world.take_replies(writer), [(2, 3, 0), (3, 3, 0), (-2, 3, 0)]);
    world.input(reader, &get_data(2));
    assert_eq!(world.take_replies(reader), [(2, 3, 0)]);
}

#[test]
fn the_zxid_of_headers_never_falls_on_one_connection() {
    let mut world = held_world();
    let conn = world.accept();
    world.input(conn, &connect_frame(SessionId::NONE, 5_000));
    world.input(conn, &[set_data(1), ping(), set_data(2), get_data(3)].concat());
    let event = Notification::new(Zxid(9), EventKind::NodeCreated, "/a", Zxid(9));
    world.endpoint.notify(world.now, conn, &event);
    world.input(conn, &get_data(4));
    world.release(9);
    let output = world.take_output(conn);
    let bodies = &frames(&output)[1..];
    let zxids: Vec<i64> =
        bodies.iter().map(|body| i64::from_be_bytes(body[4..12].try_into().unwrap())).collect();
    assert_eq!(zxids, [2, 2, 3, 3, 9, 9]);
}

#[test]
fn connections_are_released_in_the_order_of_their_zxids() {
    let mut world = World::new(config());
    let conns: Vec<_> = (0..3).map(|_| world.connect().0).collect();
    world.is_durable_at_once = false;
    for (index, conn) in conns.iter().enumerate().rev() {
        world.input(*conn, &set_data(i32::try_from(index).unwrap()));
    }
    let now = world.now;
    world.endpoint.release(now, Zxid(100));
    let order: Vec<_> = std::iter::from_fn(|| world.endpoint.poll_action()).collect();
    let expected: Vec<_> = conns.iter().rev().map(|&conn| Action::Transmit(conn)).collect();
    assert_eq!(order, expected);
}

#[test]
fn a_release_of_many_connections_goes_in_steps_and_forgets_none() {
    let mut unlimited = config();
    unlimited.connections_per_address_max = 0;
    unlimited.requests_max = 10_000;
    let mut world = World::new(unlimited);
    let conns: Vec<_> = (0..500).map(|_| world.connect().0).collect();
    world.is_durable_at_once = false;
    for &conn in &conns {
        world.input(conn, &set_data(1));
    }
    // Every second one goes: what it waited for is left behind.
    for &conn in conns.iter().step_by(2) {
        world.eof(conn, Disconnect::Reset);
    }
    world.release(10_000);
    for &conn in conns.iter().skip(1).step_by(2) {
        assert_eq!(world.take_xids(conn), [1]);
    }
    assert_eq!(world.endpoint.outstanding(), 0);
}

#[test]
fn a_connection_with_too_many_unanswered_is_not_read_and_its_session_does_not_expire() {
    let mut limited = config();
    limited.requests_per_connection_max = 4;
    let mut world = World::new(limited);
    let (conn, session) = world.connect();
    world.is_durable_at_once = false;
    let bytes: Vec<u8> = (1..=10).flat_map(set_data).collect();
    world.input(conn, &bytes);
    assert_eq!(world.served.len(), 4);
    assert!(!world.endpoint.wants_read(conn));
    world.pass(Duration::from_secs(60));
    assert_eq!(world.expired, [], "we do not listen, so it cannot be heard");
    world.reads.clear();
    world.release(3);
    assert_eq!(world.take_xids(conn), [1, 2]);
    assert_eq!(world.served.len(), 6, "two left, two came");
    assert_eq!(world.endpoint.outstanding(), 4);
    for durable in 4..=20 {
        world.release(durable);
    }
    assert_eq!(world.take_xids(conn), Vec::from_iter(3..=10));
    assert!(world.endpoint.wants_read(conn));
    assert_eq!(world.reads.last(), Some(&conn));
    // From here it has a full time-out.
    world.pass(Duration::from_millis(3_999));
    assert_eq!(world.expired, []);
    world.pass(Duration::from_millis(2_001));
    assert_eq!(world.expired, [session]);
}

#[test]
fn over_the_total_a_connection_with_none_unanswered_is_still_served() {
    let mut limited = config();
    limited.requests_max = 3;
    let mut world = World::new(limited);
    let conns: Vec<_> = (0..5).map(|_| world.connect().0).collect();
    world.is_durable_at_once = false;
    let bytes: Vec<u8> = (1..=4).flat_map(set_data).collect();
    for &conn in &conns {
        world.input(conn, &bytes);
    }
    let served = |world: &World, conn| world.served.iter().filter(|(id, _)| *id == conn).count();
    assert_eq!(served(&world, conns[0]), 3);
    for &conn in &conns[1..] {
        assert_eq!(served(&world, conn), 1, "one each, whatever the total says");
        assert!(!world.endpoint.wants_read(conn));
    }
    // New connections and handshakes are admitted all the same.
    let (other, _) = {
        world.is_durable_at_once = true;
        let pair = world.connect();
        world.is_durable_at_once = false;
        pair
    };
    assert!(world.is_open(other));
    for durable in 0..50 {
        world.release(durable);
    }
    for &conn in &conns {
        assert_eq!(world.take_xids(conn), [1, 2, 3, 4]);
        assert!(world.endpoint.wants_read(conn));
    }
    assert_eq!(world.endpoint.outstanding(), 0);
}

#[test]
fn the_end_of_a_connection_lets_those_go_on_that_waited_for_the_total() {
    let mut limited = config();
    limited.requests_max = 3;
    let mut world = World::new(limited);
    let (greedy, _) = world.connect();
    let (other, _) = world.connect();
    world.answers = false;
    let bytes: Vec<u8> = (1..=3).flat_map(get_data).collect();
    world.input(greedy, &bytes);
    world.input(other, &[get_data(1), get_data(2)].concat());
    assert_eq!(world.served.len(), 4);
    assert!(!world.endpoint.wants_read(other));
    world.endpoint.disconnect(world.now, greedy);
    world.drain();
    assert_eq!(world.reason(greedy), Some(&CloseReason::Disconnected));
    assert_eq!(world.served.len(), 5);
    assert!(world.endpoint.wants_read(other));
}

#[test]
fn a_client_that_never_reads_costs_the_soft_limit_and_one_reply() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    world.data_length = 300_000;
    world.set_room(conn, Some(0));
    for xid in 1..=250 {
        world.input(conn, &get_data(xid));
    }
    assert_eq!(world.served.len(), 4, "more than the soft limit is not produced");
    assert!(!world.endpoint.wants_read(conn));
    // Its session's time runs: it is the peer that does not read.
    world.pass(Duration::from_millis(6_000));
    assert_eq!(world.expired, [session]);
}

#[test]
fn reading_goes_on_when_the_output_was_taken() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.data_length = 300_000;
    world.set_room(conn, Some(0));
    world.reads.clear();
    let bytes: Vec<u8> = (1..=10).flat_map(get_data).collect();
    world.input(conn, &bytes);
    assert_eq!(world.served.len(), 4);
    world.set_room(conn, Some(200_000));
    assert_eq!(world.served.len(), 5, "below the limit again: one more");
    assert_eq!(world.reads, []);
    world.set_room(conn, None);
    assert_eq!(world.take_xids(conn), Vec::from_iter(1..=10));
    assert!(world.endpoint.wants_read(conn));
    assert_eq!(world.reads, [conn]);
}

#[test]
fn output_over_the_hard_limit_closes() {
    let mut limited = config();
    limited.output_hard_max = 1_000;
    let mut world = World::new(limited);
    let (conn, session) = world.connect();
    world.set_room(conn, Some(0));
    let event = Notification::new(Zxid(1), EventKind::NodeCreated, "/a", Zxid::ZERO);
    for _ in 0..100 {
        world.endpoint.notify(world.now, conn, &event);
    }
    world.drain();
    assert_eq!(world.closed, [(conn, Some(session), CloseReason::OutputOverflow)]);
    assert_eq!(world.endpoint.stats().output_overflows, 1);
}

#[test]
fn held_output_does_not_count_for_the_hard_limit() {
    let mut limited = config();
    limited.output_hard_max = 1_000;
    let mut world = World::new(limited);
    let (conn, _) = world.connect();
    world.is_durable_at_once = false;
    let event = Notification::new(Zxid(50), EventKind::NodeCreated, "/a", Zxid(50));
    for _ in 0..100 {
        world.endpoint.notify(world.now, conn, &event);
    }
    world.drain();
    assert!(world.is_open(conn));
}

#[test]
fn over_the_total_of_output_the_largest_goes() {
    let mut limited = config();
    limited.output_total_max = 100_000;
    let mut world = World::new(limited);
    let (small, _) = world.connect();
    let (large, _) = world.connect();
    for conn in [small, large] {
        world.set_room(conn, Some(0));
    }
    world.data_length = 10_000;
    world.input(small, &get_data(1));
    for xid in 1..=9 {
        world.input(large, &get_data(xid));
    }
    assert_eq!(world.reason(large), Some(&CloseReason::OutputOverflow));
    assert!(world.is_open(small));
}

#[test]
fn large_requests_have_a_budget() {
    let mut limited = config();
    limited.large_request_length = Some(100);
    limited.large_requests_total_max = 250;
    let mut world = World::new(limited);
    let (first, _) = world.connect();
    let (second, _) = world.connect();
    world.answers = false;
    let large = |xid| {
        let mut record = vec![0, 0, 0, 2, b'/', b'a', 0];
        record.resize(112, 0);
        raw_request(xid, 4, &record)
    };
    world.input(first, &[large(1), large(2), get_data(3)].concat());
    assert_eq!(world.served.len(), 3, "small ones do not count");
    world.answer();
    world.input(first, &large(4));
    // The length alone is enough.
    world.input(second, &large(1)[..8]);
    assert_eq!(world.reason(second), Some(&CloseReason::LargeRequests));
    assert_eq!(world.endpoint.stats().large_requests_rejected, 1);
    world.answer();
    world.answer();
    world.answer();
    assert_eq!(world.take_xids(first), [1, 2, 3, 4]);
}

#[test]
fn actions_are_not_repeated_for_bytes_that_are_known() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    let now = world.now;
    let event = Notification::new(Zxid(1), EventKind::NodeCreated, "/a", Zxid::ZERO);
    for _ in 0..3 {
        world.endpoint.notify(now, conn, &event);
    }
    assert_eq!(world.endpoint.poll_action(), Some(Action::Transmit(conn)));
    assert_eq!(world.endpoint.poll_action(), None);
    // Some of it is taken; then the socket blocks, and the driver waits for it.
    let mut transmit = world.endpoint.poll_transmit(conn).unwrap();
    bytes::Buf::advance(&mut transmit, 10);
    drop(transmit);
    world.endpoint.notify(now, conn, &event);
    assert_eq!(world.endpoint.poll_action(), None);
    let mut transmit = world.endpoint.poll_transmit(conn).unwrap();
    let left = bytes::Buf::remaining(&transmit);
    assert_eq!(left, 4 * (4 + 16 + 14) - 10);
    bytes::Buf::advance(&mut transmit, left);
    drop(transmit);
    assert!(world.endpoint.poll_transmit(conn).is_none());
    world.endpoint.notify(now, conn, &event);
    assert_eq!(world.endpoint.poll_action(), Some(Action::Transmit(conn)));
}

#[test]
fn a_closing_connection_waits_for_its_output_and_its_hold() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    world.is_durable_at_once = false;
    world.set_room(conn, Some(5));
    world.input(conn, &close_session(1));
    assert!(world.is_open(conn), "held");
    assert!(!world.endpoint.wants_read(conn));
    world.release(2);
    assert!(world.is_open(conn), "not written yet");
    world.input(conn, &get_data(2));
    world.eof(conn, Disconnect::End);
    assert!(world.is_open(conn), "it may still read");
    world.set_room(conn, None);
    assert_eq!(world.take_replies(conn), [(1, 2, 0)]);
    assert_eq!(world.closed, [(conn, Some(session), CloseReason::SessionClosed)]);
}

#[test]
fn a_closing_connection_that_is_not_read_ends_after_the_linger_time() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.set_room(conn, Some(0));
    world.input(conn, &[get_data(1), close_session(2)].concat());
    assert_eq!(world.endpoint.timeout_reason(), Some("linger"));
    world.pass(Duration::from_millis(4_999));
    assert!(world.is_open(conn));
    world.pass(Duration::from_millis(1));
    assert_eq!(world.reason(conn), Some(&CloseReason::LingerTimeout));
    assert_eq!(world.endpoint.stats().linger_timeouts, 1);
}

#[test]
fn a_closing_connection_ends_at_once_when_it_is_reset() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.set_room(conn, Some(0));
    world.input(conn, &close_session(2));
    world.eof(conn, Disconnect::Reset);
    assert_eq!(world.reason(conn), Some(&CloseReason::SessionClosed));
}

#[test]
fn shutdown_closes_everything_and_takes_nothing_new() {
    let mut world = World::new(config());
    let (plain, _) = world.connect();
    let (slow, _) = world.connect();
    let fresh = world.accept();
    world.set_room(slow, Some(0));
    world.input(slow, &get_data(1));
    world.endpoint.shutdown(world.now);
    world.drain();
    assert!(!world.endpoint.is_drained());
    assert!(!world.is_open(plain) && !world.is_open(fresh) && world.is_open(slow));
    assert!(world.endpoint.handle_accept(world.now, World::peer()).is_err());
    world.set_room(slow, None);
    assert_eq!(world.take_xids(slow), [1]);
    assert!(world.endpoint.is_drained());
    assert_eq!(world.endpoint.session_count(), 2, "sessions live on, on disk");
    for conn in [plain, slow, fresh] {
        assert_eq!(world.reason(conn), Some(&CloseReason::Shutdown));
    }
}

#[test]
fn after_a_failure_nothing_held_ever_leaves() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    world.is_durable_at_once = false;
    world.input(conn, &set_data(1));
    world.endpoint.abort(world.now);
    world.drain();
    world.release(100);
    assert_eq!(world.take_output(conn), []);
    assert_eq!(world.reason(conn), Some(&CloseReason::Failed));
    assert!(world.endpoint.is_drained());
}

#[test]
fn incomplete_frames_of_many_connections_cost_little() {
    let mut unlimited = config();
    unlimited.connections_per_address_max = 0;
    let mut world = World::new(unlimited);
    // What they cost is in the inbox's own tests; here they only must not get in each other's way.
    let conns: Vec<_> = (0..300).map(|_| world.connect().0).collect();
    let bytes = get_data(1);
    for &conn in &conns {
        world.input(conn, &bytes[..5]);
    }
    for &conn in &conns {
        world.input(conn, &bytes[5..]);
        assert_eq!(world.take_xids(conn), [1]);
    }
}

/// One thing that may happen, chosen by two bytes.
fn happen(world: &mut World, conns: &mut Vec<zookeeper_core::ConnId>, what: u8, which: u8) {
    let conn = conns[usize::from(which) % conns.len()];
    match what % 16 {
        0 => conns.push(world.accept()),
        1 => {
            let conn = world.accept();
            world.input(conn, &connect_frame(SessionId::NONE, 5_000));
            conns.push(conn);
        }
        2 => {
            let session = SessionId(0x101 + i64::from(which % 8));
            world.input(conn, &connect_frame(session, 5_000));
        }
        3 => world.input(conn, &[set_data(1), set_data(2), get_data(3)].concat()),
        4 => world.input(conn, &(1..20).flat_map(get_data).collect::<Vec<_>>()),
        5 => world.input(conn, &[ping(), get_data(1)[..9].to_vec()].concat()),
        6 => world.input(conn, &[close_session(9), get_data(1)].concat()),
        7 => world.input(conn, &frame(&[which; 3])),
        8 if world.is_open(conn) => world.eof(conn, Disconnect::End),
        9 if world.is_open(conn) => world.eof(conn, Disconnect::Reset),
        10 => world.release(i64::from(which)),
        11 if !world.asked.is_empty() => world.answer(),
        12 => world.answers = which.is_multiple_of(2),
        13 => world.set_room(conn, [None, Some(0), Some(50)][usize::from(which % 3)]),
        14 => world.pass(Duration::from_millis(u64::from(which) * 40)),
        15 => {
            let event = Notification::new(Zxid(1), EventKind::NodeCreated, "/a", Zxid::ZERO);
            world.endpoint.notify(world.now, conn, &event);
            world.drain();
        }
        _ => {}
    }
}

#[test]
fn any_order_of_events_keeps_the_invariants_and_ends_clean() {
    fn check(choices: Vec<(u8, u8)>) -> TestResult {
        let mut limited = config();
        limited.requests_per_connection_max = 5;
        limited.requests_max = 8;
        limited.output_soft_max = 200;
        limited.output_hard_max = 2_000;
        let mut world = World::new(limited);
        world.is_durable_at_once = false;
        let mut conns = vec![world.accept()];
        for (what, which) in choices {
            happen(&mut world, &mut conns, what, which);
        }
        // Everything is answered, durable and read: nothing may be left but what waits for input.
        world.answers = true;
        for _ in 0..5 {
            while !world.asked.is_empty() {
                world.answer();
            }
            world.release(10_000);
            for &conn in &conns {
                world.set_room(conn, None);
            }
        }
        assert_eq!(world.endpoint.outstanding(), 0);
        world.pass(Duration::from_secs(60));
        assert_eq!(world.endpoint.connection_count(), 0, "{:?}", world.endpoint);
        assert_eq!(world.endpoint.session_count(), 0);
        assert!(world.endpoint.is_drained());
        assert_eq!(world.endpoint.poll_timeout(), None);
        assert!(conns.iter().all(|&conn| world.reason(conn).is_some()));
        TestResult::passed()
    }
    QuickCheck::new().tests(400).quickcheck(check as fn(Vec<(u8, u8)>) -> TestResult);
}

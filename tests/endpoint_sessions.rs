//! Deadlines of sessions.

mod endpoint_support;

use std::time::Duration;

use endpoint_support::{World, auth, config, connect_frame, get_data, ping};
use zookeeper_core::{Disconnect, SessionId, endpoint::CloseReason};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_silent_session_ends_at_the_tick_after_its_time_out_without_a_frame() {
    let mut world = World::new(config());
    // Made at 1 s, for 4 s: the tick after 5 s is 6 s.
    let (conn, session) = world.connect();
    world.pass(millis(4_999));
    assert!(world.is_open(conn));
    world.pass(millis(1));
    assert_eq!(world.expired, [session]);
    assert_eq!(world.closed, [(conn, Some(session), CloseReason::SessionExpired)]);
    assert_eq!(world.take_output(conn), []);
    assert_eq!(world.endpoint.stats().stale_sessions_expired, 1);
    assert_eq!(world.endpoint.poll_timeout(), None);
}

#[test]
fn requests_keep_a_session_alive_and_authentication_does_not() {
    let mut world = World::new(config());
    let (pinging, _) = world.connect();
    let (reading, _) = world.connect();
    let (_authenticating, third) = world.connect();
    let (_trickling, fourth) = world.connect();
    for _ in 0..10 {
        world.pass(millis(2_000));
        world.input(pinging, &ping());
        world.input(reading, &get_data(1));
        world.input(_authenticating, &auth("ip", b""));
        world.input(_trickling, &[0]);
    }
    assert_eq!(world.expired, [third, fourth]);
    assert!(world.is_open(pinging) && world.is_open(reading));
}

#[test]
fn a_session_outlives_its_connection_and_expires_without_it() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    world.eof(conn, Disconnect::Reset);
    assert_eq!(world.endpoint.session_count(), 1);
    world.pass(millis(4_000));
    // Resumed in time, for longer.
    let conn = world.accept();
    world.input(conn, &connect_frame(session, 20_000));
    world.pass(millis(20_000));
    assert_eq!(world.expired, []);
    world.pass(millis(2_000));
    assert_eq!(world.expired, [session]);
    let conn = world.accept();
    world.input(conn, &connect_frame(session, 20_000));
    assert_eq!(world.reason(conn), Some(&CloseReason::SessionRefused));
}

#[test]
fn requests_of_an_expired_session_are_dropped() {
    let mut world = World::new(config());
    let (conn, _) = world.connect();
    // The backend takes its time to end the session.
    while world.endpoint.poll_event().is_none() {
        world.now = world.endpoint.poll_timeout().unwrap();
        world.endpoint.handle_timeout(world.now);
    }
    world.input(conn, &[get_data(1), ping()].concat());
    assert_eq!(world.served, []);
    assert_eq!(world.take_output(conn), []);
    assert_eq!(world.endpoint.stats().stale_requests_dropped, 2);
}

#[test]
fn recovered_sessions_get_a_full_time_out() {
    let mut world = World::new(config());
    world.pass(millis(3_000));
    world.endpoint.track_session(world.now, SessionId(7), millis(10_000));
    assert_eq!(world.endpoint.session_deadlines().count(), 1);
    world.pass(millis(10_000));
    assert_eq!(world.expired, []);
    world.pass(millis(2_000));
    assert_eq!(world.expired, [SessionId(7)]);
}

#[test]
fn a_gap_moves_every_deadline() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    let fresh = world.accept();
    world.now = world.now + Duration::from_secs(3_600);
    world.endpoint.handle_timeout(world.now);
    world.drain();
    assert_eq!(world.expired, [], "suspended: nobody listened");
    assert!(world.is_open(fresh) && world.is_open(conn));
    world.pass(millis(6_000));
    assert_eq!(world.expired, [session]);
    assert_eq!(world.reason(fresh), Some(&CloseReason::HandshakeTimeout));
}

#[test]
fn a_long_rest_without_anybody_is_no_gap() {
    let mut world = World::new(config());
    assert_eq!(world.endpoint.poll_timeout(), None);
    world.now = world.now + Duration::from_secs(3_600);
    let (_, session) = world.connect();
    world.pass(millis(6_000));
    assert_eq!(world.expired, [session]);
}

#[test]
fn early_late_and_repeated_wake_ups_are_harmless() {
    let mut world = World::new(config());
    let (conn, session) = world.connect();
    for _ in 0..100 {
        world.pass(millis(50));
        world.endpoint.handle_timeout(world.now);
        world.endpoint.handle_timeout(world.now);
        world.drain();
    }
    assert_eq!(world.expired, [session]);
    assert!(!world.is_open(conn));
}

#[test]
fn many_sessions_expire_in_steps_and_each_once() {
    let mut world = World::new(config());
    for id in 1..=5_000 {
        world.endpoint.track_session(world.now, SessionId(id), millis(4_000));
    }
    world.pass(millis(6_000));
    world.expired.sort();
    world.expired.dedup();
    assert_eq!(world.expired.len(), 5_000);
    assert_eq!(world.endpoint.session_count(), 0);
}

#[test]
fn a_wake_up_is_due_at_least_every_half_tick_while_somebody_waits() {
    let mut world = World::new(config());
    world.connect();
    let wake = world.endpoint.poll_timeout().unwrap();
    assert!(wake <= world.now + endpoint_support::TICK / 2);
    assert_eq!(world.endpoint.timeout_reason(), Some("session"));
}

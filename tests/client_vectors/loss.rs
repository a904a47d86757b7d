//! Rows 3, 5, 11 and 12: connections are lost.

use std::time::Duration;

use zookeeper_core::{
    Disconnect,
    client::{State, SubmitError, SubmitOptions},
    wire::{ErrorCode, Response, Stat},
};
use zookeeper_sim::{
    client::{Grant, Options, Reception, World},
    pair::request::{add_watch, exists, get_children, get_data},
};

use super::only;

/// The server closes with a request in flight.
#[test]
fn v03_failures_come_before_disconnected() {
    let mut world = World::new(Options::new(1));
    let watchers = [(); 3].map(|()| world.watcher());
    world.submit_watching(&get_data("/a", true), watchers[0]);
    world.submit_watching(&get_children("/a", true), watchers[1]);
    world.submit_watching(&add_watch("/a", 0), watchers[2]);
    world.answer_all();
    world.submit(&exists("/b", false));
    world.settle();
    assert_eq!(world.take().last().unwrap(), "0 #1 > 4 exists /b");
    world.advance_ms(50);
    world.lose(Disconnect::End);
    assert_eq!(
        world.take(),
        [
            "50 #1 ended: closed by the peer",
            "50 reply 3 failed: connection lost, the request may have been executed",
            "50 state Disconnected to w0 w1 w2",
        ]
    );
    assert_eq!(world.session().state(), State::Connecting);
    world.advance_ms(1_100);
    let lines = world.take();
    let states = only(&lines, |line| line.contains("state"));
    assert_eq!(states, ["1150 state SyncConnected to w0 w1 w2"]);
    world.finish();
}

/// A server that reads no more takes a request and a half.
#[test]
fn v03_what_was_not_sent_was_not_executed() {
    let mut options = Options::new(1);
    options.cutting.socket_buffer = 30;
    let mut world = World::new(options);
    world.settle();
    let _ = world.take();
    world.script.is_reading = false;
    for _ in 0..3 {
        world.submit(&get_data("/a", false));
    }
    world.settle();
    world.lose(Disconnect::Reset);
    assert_eq!(
        world.take(),
        [
            "0 #1 > 1 get_data /a",
            "0 #1 ended: reset by the peer",
            "0 reply 0 failed: connection lost, the request may have been executed",
            "0 reply 1 failed: connection lost, the request may have been executed",
            "0 reply 2 failed: connection lost, the request was not sent",
            "0 state Disconnected",
        ]
    );
    // Numbers that nobody has seen are given again.
    world.script.is_reading = true;
    world.advance_ms(1_100);
    world.submit(&get_data("/b", false));
    assert_eq!(world.take().last().map(String::as_str), Some("1100 #2 > 3 get_data /b"));
    world.finish();
}

/// All servers refuse; somebody submits all the time.
#[test]
fn v05_each_failed_attempt_fails_what_waits_and_then_the_session_expires() {
    let mut options = Options::new(1);
    options.config.session_timeout = Duration::from_secs(3);
    let mut world = World::new(options);
    let watcher = world.watcher();
    world.submit_watching(&get_data("/a", true), watcher);
    world.answer_ok();
    world.settle();
    world.script.reception = Reception::Fail(Disconnect::Refused);
    world.lose(Disconnect::Reset);
    world.settle();
    for _ in 0..8 {
        world.submit(&exists("/b", false));
        world.advance_ms(500);
    }
    let lost = |id| format!("reply {id} failed: connection lost, the request was not sent");
    let expired = |id| format!("reply {id} failed: session expired, the request was not sent");
    assert_eq!(
        world.take()[5..],
        [
            "0 #1 ended: reset by the peer".into(),
            "0 state Disconnected to w0".into(),
            "1100 #2 connect a:2181".into(),
            "1100 #2 ended: connection refused".into(),
            format!("1100 {}", lost(1)),
            format!("1100 {}", lost(2)),
            format!("1100 {}", lost(3)),
            "2200 #3 connect a:2181".into(),
            "2200 #3 ended: connection refused".into(),
            format!("2200 {}", lost(4)),
            format!("2200 {}", lost(5)),
            "3300 #4 connect a:2181".into(),
            "3300 #4 ended: connection refused".into(),
            format!("3300 {}", lost(6)),
            format!("3300 {}", lost(7)),
            format!("4000 {}", expired(8)),
            "4000 state Expired to w0".into(),
            "4000 closed: expired: no server was reached in time".into(),
        ]
    );
    let refused = world.try_submit(&exists("/b", false), SubmitOptions::default());
    assert_eq!(refused, Err(SubmitError::Expired));
    assert_eq!(SubmitError::Expired.code(), ErrorCode::SESSION_EXPIRED);
    world.finish();
}

/// A reply is shorter than its record, another request is in flight.
#[test]
fn v11_a_short_reply_fails_its_request_and_the_connection() {
    let mut world = World::new(Options::new(1));
    world.submit(&get_data("/a", false));
    world.submit(&get_data("/b", false));
    let record = Response::Stat(Stat::default());
    let zxid = world.script.zxid;
    let _ = world.take();
    world.reply(1, zxid, ErrorCode::OK, &zookeeper_core::wire::Encode::to_vec(&record)[..20]);
    let lines = world.take();
    assert_eq!(
        lines,
        [
            "0 reply 0 failed: malformed reply: record ends 52 bytes too early",
            "0 #1 ended: malformed reply: record ends 52 bytes too early",
            "0 reply 1 failed: connection lost, the request may have been executed",
            "0 state Disconnected",
        ]
    );
    world.finish();
}

/// A request may take 800 ms, and the server says nothing.
#[test]
fn v12_a_request_timeout_fails_the_connection() {
    let mut world = World::new(Options::new(1));
    world.submit_within(&get_data("/a", false), Duration::from_millis(800));
    world.submit(&get_data("/b", false));
    world.advance_ms(1_900);
    assert_eq!(
        world.take()[2..],
        [
            "0 state SyncConnected",
            "0 #1 > 1 get_data /a",
            "0 #1 > 2 get_data /b",
            "800 #1 ended: a request timed out",
            "800 reply 0 failed: request timed out, the request may have been executed",
            "800 reply 1 failed: connection lost, the request may have been executed",
            "800 state Disconnected",
            "1900 #2 connect a:2181",
            "1900 #2 > connect session 0x1001 zxid 0x0 timeout 10000 read-only no",
            "1900 state SyncConnected",
        ]
    );
    assert_eq!(
        zookeeper_core::client::RequestError::TimedOut { maybe_executed: true }.code(),
        ErrorCode::REQUEST_TIMEOUT
    );
    // One that was never sent harms nobody.
    world.script.habits.handshake = None;
    world.lose(Disconnect::End);
    world.settle();
    world.submit_within(&get_data("/c", false), Duration::from_millis(300));
    world.submit(&get_data("/d", false));
    world.advance_ms(1_200);
    world.grant(Grant::ALL);
    assert_eq!(
        world.take(),
        [
            "1900 #2 ended: closed by the peer",
            "1900 state Disconnected",
            "2200 reply 2 failed: request timed out, the request was not sent",
            "3000 #3 connect a:2181",
            "3000 #3 > connect session 0x1001 zxid 0x0 timeout 10000 read-only no",
            "3100 state SyncConnected",
            "3100 #3 > 3 get_data /d",
        ]
    );
    world.finish();
}

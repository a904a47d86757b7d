//! Limits that are reached, and settings that are no limits.

use std::time::Duration;

use zookeeper_core::{
    Disconnect,
    client::{SubmitError, SubmitOptions},
    wire::{ErrorCode, Op},
};
use zookeeper_sim::{
    client::{Options, Sent, What, World},
    pair::request::{add_watch, exists, get_data},
};

fn sent(world: &mut World) -> Vec<Sent> {
    let entries = world.take_entries().into_iter();
    let sent = entries.filter_map(|entry| match entry.what {
        What::Sent { sent, .. } => Some(sent),
        _ => None,
    });
    sent.collect()
}

/// A limit of frames that is none.
#[test]
fn frames_without_a_limit_are_taken() {
    let mut options = Options::new(1);
    options.config.frame_length_max = usize::MAX;
    let mut world = World::new(options);
    world.submit(&get_data("/a", false));
    world.answer_ok();
    let lines = world.take_untimed();
    assert_eq!(lines.last().map(String::as_str), Some("reply 0 ok 0x100 'data'"));
    world.finish();
}

/// A request that sets watches again obeys the limit of requests, whatever the other limit says.
#[test]
fn watches_are_set_again_by_requests_within_the_limit_of_frames() {
    let mut options = Options::new(1);
    options.config.frame_length_max = 400;
    let mut world = World::new(options);
    let watcher = world.watcher();
    let paths: Vec<_> = (0..20).map(|number| format!("/{number:0>90}")).collect();
    for path in &paths {
        world.submit_watching(&exists(path, true), watcher);
        world.answer_ok();
    }
    world.settle();
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    let sent = sent(&mut world);
    let lengths = sent.iter().filter_map(|sent| match sent {
        Sent::Request { record, .. } if sent.op() == Some(Op::SetWatches) => Some(8 + record.len()),
        _ => None,
    });
    let lengths: Vec<_> = lengths.collect();
    assert!(lengths.len() > 5 && lengths.iter().all(|&length| length <= 400), "{lengths:?}");
    world.answer_all();
    assert_eq!(world.session().watches(), paths.len());
    world.finish();
}

/// A server that wants SASL says so to the first request, whatever that is.
#[test]
fn authentication_that_is_required_ends_a_session_that_restores_its_watches() {
    let mut world = World::new(Options::new(1));
    let watcher = world.watcher();
    world.submit_watching(&get_data("/a", true), watcher);
    world.answer_ok();
    world.settle();
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    let _ = world.take();
    world.answer_error(ErrorCode::SESSION_CLOSED_REQUIRE_AUTH);
    assert_eq!(
        world.take_untimed(),
        [
            "#2 ended: the session ended",
            "state AuthFailed to w0",
            "closed: the server requires authentication",
        ]
    );
    world.finish();
}

/// Whoever loses one of several watches is told so.
#[test]
fn a_watch_that_is_lost_is_told_of_although_others_are_left() {
    let mut options = Options::new(1);
    options.config.set_watches_bytes_max = 1;
    let mut world = World::new(options);
    let watcher = world.watcher();
    world.submit_watching(&get_data("/a", true), watcher);
    world.submit_watching(&add_watch("/b", 0), watcher);
    world.answer_all();
    world.settle();
    // A batch for each.
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    let _ = world.take();
    world.answer_error(ErrorCode::UNIMPLEMENTED);
    let lines = world.take_untimed();
    assert_eq!(lines, ["warning: watches not restored: unimplemented (-6)", "lost to w0"]);
    assert!(world.session().is_watching(watcher));
    world.answer_all();
    assert_eq!(world.take_untimed(), ["restored to w0"]);
    world.finish();
}

/// A server that talks and does not listen costs no memory: one ping waits, not more.
#[test]
fn pings_do_not_pile_up() {
    let mut options = Options::new(1);
    options.config.session_timeout = Duration::from_secs(3);
    let mut world = World::new(options);
    world.settle();
    let attempt = world.attempt();
    world.set_socket_buffer(attempt, 0);
    for _ in 0..100 {
        world.advance_ms(1_000);
        world.reply(-2, zookeeper_core::Zxid::ZERO, ErrorCode::OK, &[]);
    }
    world.settle();
    let _ = world.take();
    world.set_socket_buffer(attempt, usize::MAX);
    world.settle();
    let pings = sent(&mut world);
    assert_eq!(pings.len(), 1, "{pings:?}");
    world.finish();
}

/// Watches on their way count for the limit of bytes.
#[test]
fn paths_of_watches_are_limited_before_they_are_set() {
    let mut options = Options::new(1);
    options.config.watch_bytes_max = 100;
    let mut world = World::new(options);
    let watcher = world.watcher();
    let watched = SubmitOptions { watcher: Some(watcher), timeout: None };
    let path = format!("/{:0>39}", 0);
    for _ in 0..2 {
        world.submit_watching(&get_data(&path, true), watcher);
    }
    let third = world.try_submit(&get_data(&path, true), watched);
    assert_eq!(third, Err(SubmitError::TooManyWatches(2)));
    world.answer_all();
    world.settle();
    // Both were the same.
    world.submit_watching(&get_data("/b", true), watcher);
    world.answer_all();
    world.settle();
    assert_eq!(world.session().watches(), 2);
    world.finish();
}

/// An authentication that is never answered costs the connection, as any request does.
#[test]
fn an_authentication_has_a_time_limit() {
    let mut options = Options::new(1);
    options.config.request_timeout = Some(Duration::from_secs(2));
    options.habits.auth = None;
    let mut world = World::new(options);
    world.settle();
    world.add_auth("digest", "bob:pw");
    world.advance_ms(2_000);
    let lines = world.take();
    assert_eq!(
        lines[lines.len() - 3..],
        [
            "2000 #1 ended: a request timed out",
            "2000 reply 0 failed: request timed out, the request may have been executed",
            "2000 state Disconnected",
        ]
    );
    world.finish();
}

/// What is printed of a session holds no password, although one waits to be sent.
#[test]
fn no_password_is_printed() {
    let mut world = World::new(Options::new(1));
    world.settle();
    let attempt = world.attempt();
    world.set_socket_buffer(attempt, 0);
    world.add_auth("digest", "bob:pw");
    let bytes: Vec<_> = b"bob:pw".iter().map(u8::to_string).collect();
    let text = format!("{:?}", world.session());
    assert!(text.contains("Connected") && text.contains("in_flight: 1"), "{text}");
    assert!(!text.contains("bob:pw") && !text.contains(&bytes.join(", ")), "{text}");
    world.set_socket_buffer(attempt, usize::MAX);
    world.finish();
}

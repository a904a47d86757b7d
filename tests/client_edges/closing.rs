//! A session is closed, and nobody helps: no confirmation, a refusal, another server that beckons.

use std::time::Duration;

use zookeeper_core::{
    client::{CloseReason, Purpose},
    wire::ErrorCode,
};
use zookeeper_sim::{
    client::{Entry, Grant, Habits, Options, Seen, What, World},
    pair::request::get_data,
};

fn read_only() -> Options {
    let mut options = Options::new(2);
    options.config.can_be_read_only = true;
    options.habits = Habits { handshake: Some(Grant::READ_ONLY), probes: None, ..Habits::SCRIPTED };
    options
}

fn last(world: &mut World) -> What {
    world.take_entries().pop().expect("something happened").what
}

/// The server refuses to close the session, as a read-only one does with a session of others.
#[test]
fn a_refused_close_is_not_confirmed() {
    let mut world = World::new(read_only());
    world.settle();
    world.close();
    let _ = world.take();
    world.answer_error(ErrorCode::NOT_READ_ONLY);
    assert_eq!(
        last(&mut world),
        What::Seen(Seen::Closed(CloseReason::Closed { confirmed: false }))
    );
    world.finish();
}

/// A server that can be written does not keep a session from closing in order.
#[test]
fn a_session_that_closes_does_not_leave_for_a_writable_server() {
    let mut world = World::new(read_only());
    world.advance_ms(100);
    let probe = world.newest(Purpose::Probe);
    assert!(world.is_open(probe));
    world.submit(&get_data("/a", false));
    world.close();
    world.settle();
    let _ = world.take();
    // The probe has asked before.
    world.answer_next();
    assert_eq!(world.take_untimed(), ["#2 ended: probed: writable"]);
    world.advance_ms(3_000);
    let connects = |entry: &Entry| matches!(entry.what, What::Connect { .. });
    assert!(!world.take_entries().iter().any(connects), "nobody is asked any more");
    world.answer_all();
    assert_eq!(last(&mut world), What::Seen(Seen::Closed(CloseReason::Closed { confirmed: true })));
    world.finish();
}

/// The server answers pings, and nothing else.
#[test]
fn a_close_that_is_never_answered_ends_in_time() {
    let mut options = Options::new(1);
    options.config.session_timeout = Duration::from_secs(3);
    let mut world = World::new(options);
    world.submit(&get_data("/a", false));
    world.submit(&get_data("/b", false));
    world.advance_ms(1_000);
    world.close();
    // Whatever is answered is a step ahead.
    world.advance_ms(2_000);
    world.answer_next();
    world.advance_ms(2_900);
    assert!(!world.driver().is_over());
    world.advance_ms(200);
    let lines = world.take_untimed();
    assert_eq!(
        lines[lines.len() - 5..],
        [
            "#1 ended: a request timed out",
            "reply 1 failed: connection lost, the request may have been executed",
            "state Disconnected",
            "state Closed",
            "closed: closed",
        ]
    );
    world.finish();
}

//! Rows 14 and 15: a session is closed.

use std::time::Duration;

use zookeeper_core::{
    client::{State, SubmitError, SubmitOptions},
    wire::ErrorCode,
};
use zookeeper_sim::{
    client::{Habits, Options, World},
    pair::request::{exists, get_data},
};

/// A session is closed while its server does not answer the handshake.
#[test]
fn v14_closing_during_a_handshake_ends_with_it() {
    let mut options = Options::new(1);
    options.config.session_timeout = Duration::from_secs(3);
    options.habits = Habits::SILENT;
    let mut world = World::new(options);
    world.submit(&get_data("/a", false));
    world.advance_ms(500);
    world.close();
    let refused = world.try_submit(&get_data("/b", false), SubmitOptions::default());
    assert_eq!(refused, Err(SubmitError::Closing));
    assert_eq!(SubmitError::Closing.code(), ErrorCode::CONNECTION_LOSS);
    world.advance_ms(60_000);
    assert_eq!(
        world.take(),
        [
            "0 #1 connect a:2181",
            "0 #1 > connect session 0x0 zxid 0x0 timeout 3000 read-only no",
            "3000 #1 ended: no session within the connect time-out",
            "3000 reply 0 failed: connection lost, the request was not sent",
            "3000 state Closed",
            "3000 closed: closed",
        ]
    );
    assert_eq!(world.session().state(), State::Closed);
    world.finish();
}

/// A session is closed while it is connected, with a request in flight.
#[test]
fn v15_close_is_the_last_request() {
    let mut world = World::new(Options::new(1));
    let (one, two) = (world.watcher(), world.watcher());
    world.submit_watching(&get_data("/a", true), one);
    world.submit_watching(&exists("/b", true), two);
    world.answer_all();
    world.submit(&get_data("/c", false));
    world.close();
    world.advance_ms(10);
    assert_eq!(world.take()[7..], ["0 #1 > 3 get_data /c", "0 #1 > 4 close_session"]);
    world.answer_all();
    assert_eq!(
        world.take(),
        [
            "10 reply 2 ok 0x100 'data'",
            "10 #1 ended: the session ended",
            "10 state Closed to w0 w1",
            "10 closed: closed",
        ]
    );
    let refused = world.try_submit(&get_data("/d", false), SubmitOptions::default());
    assert_eq!(refused, Err(SubmitError::Closed));
    assert_eq!(SubmitError::Closed.code(), ErrorCode::SESSION_EXPIRED);
    world.finish();
}

//! Rows 1, 4, 7 and 13: from the first frame to a session, or to its end.

use zookeeper_core::{
    SessionId,
    client::{SubmitError, SubmitOptions},
    wire::ErrorCode,
};
use zookeeper_sim::{
    client::{Grant, Habits, Options, Sent, What, World},
    pair::request::get_data,
};

use super::only;

/// Two credentials, then a request; the server answers the handshake after 400 ms.
#[test]
fn v01_only_a_connect_request_before_its_answer() {
    let mut options = Options::new(1);
    options.habits = Habits { handshake: None, ..Habits::HELPFUL };
    let mut world = World::new(options);
    world.add_auth("digest", "a1");
    world.add_auth("digest", "a2");
    world.submit(&get_data("/a", false));
    world.advance_ms(400);
    let entries = world.take_entries();
    let lines: Vec<_> = entries.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["0 #1 connect a:2181", "0 #1 > connect session 0x0 zxid 0x0 timeout 10000 read-only no",]
    );
    let What::Sent { sent: Sent::Connect { password, .. }, .. } = &entries[1].what else {
        panic!("{}", lines[1]);
    };
    assert_eq!(password.as_deref(), Some(&[0; 16][..]));

    world.grant(Grant::ALL);
    // What is known goes out newest first; then what waited, and these are what completes.
    assert_eq!(
        world.take(),
        [
            "400 state SyncConnected",
            "400 #1 > -4 auth digest 'a2'",
            "400 #1 > -4 auth digest 'a1'",
            "400 #1 > -4 auth digest 'a1'",
            "400 #1 > -4 auth digest 'a2'",
            "400 #1 > 1 get_data /a",
            "400 reply 0 ok 0x0",
            "400 reply 1 ok 0x0",
            "400 reply 2 ok 0x100 'data'",
        ]
    );
    assert_eq!(world.session().session_id(), SessionId(0x1001));
    world.finish();
}

/// Four requests wait while the server answers the reconnect with a refusal.
#[test]
fn v04_expired_by_the_server_is_told_before_the_failures() {
    let mut world = World::new(Options::new(1));
    world.settle();
    world.lose(zookeeper_core::Disconnect::End);
    world.script.habits.handshake = None;
    assert_eq!(
        world.take(),
        [
            "0 #1 connect a:2181",
            "0 #1 > connect session 0x0 zxid 0x0 timeout 10000 read-only no",
            "0 state SyncConnected",
            "0 #1 ended: closed by the peer",
            "0 state Disconnected",
        ]
    );
    for _ in 0..4 {
        world.submit(&get_data("/a", false));
    }
    world.advance_ms(1_100);
    world.grant(Grant::EXPIRED);
    assert_eq!(
        world.take(),
        [
            "1100 #2 connect a:2181",
            "1100 #2 > connect session 0x1001 zxid 0x0 timeout 10000 read-only no",
            "1100 #2 ended: the session ended",
            "1100 state Expired",
            "1100 reply 0 failed: session expired, the request was not sent",
            "1100 reply 1 failed: session expired, the request was not sent",
            "1100 reply 2 failed: session expired, the request was not sent",
            "1100 reply 3 failed: session expired, the request was not sent",
            "1100 closed: expired by the server",
        ]
    );
    world.finish();
}

/// An authentication is refused with three requests in flight.
#[test]
fn v07_refused_credentials_end_the_session() {
    let mut options = Options::new(1);
    options.habits = Habits { auth: None, ..Habits::SCRIPTED };
    let mut world = World::new(options);
    let watcher = world.watcher();
    world.submit_watching(&get_data("/w", true), watcher);
    world.answer_ok();
    world.add_auth("digest", "bob:wrong");
    for path in ["/a", "/b", "/c"] {
        world.submit(&get_data(path, false));
    }
    assert_eq!(
        world.take()[2..],
        [
            "0 state SyncConnected",
            "0 #1 > 1 get_data /w watch",
            "0 reply 0 ok 0x100 'data'",
            "0 #1 > -4 auth digest 'bob:wrong'",
            "0 #1 > 2 get_data /a",
            "0 #1 > 3 get_data /b",
            "0 #1 > 4 get_data /c",
        ]
    );
    world.answer_error(ErrorCode::AUTH_FAILED);
    assert_eq!(
        world.take(),
        [
            "0 #1 ended: the session ended",
            "0 state AuthFailed to w0",
            "0 reply 1 failed: authentication failed (-115)",
            "0 reply 2 failed: authentication failed, the request may have been executed",
            "0 reply 3 failed: authentication failed, the request may have been executed",
            "0 reply 4 failed: authentication failed, the request may have been executed",
            "0 closed: authentication failed",
        ]
    );
    let refused = world.try_submit(&get_data("/a", false), SubmitOptions::default());
    assert_eq!(refused, Err(SubmitError::AuthFailed));
    assert_eq!(SubmitError::AuthFailed.code(), ErrorCode::AUTH_FAILED);
    world.close();
    assert_eq!(world.take(), [""; 0], "nothing more comes of it");
    world.finish();
}

/// Servers accept and say nothing.
#[test]
fn v13_a_silent_server_is_left_and_a_new_session_does_not_expire() {
    let mut options = Options::new(2);
    options.config.session_timeout = std::time::Duration::from_secs(3);
    options.habits = Habits::SILENT;
    let mut world = World::new(options);
    world.advance_ms(60_000);
    let lines = world.take();
    let first = lines[0].ends_with("a:2181");
    let (one, two) = if first { ("a:2181", "b:2181") } else { ("b:2181", "a:2181") };
    let hello = "> connect session 0x0 zxid 0x0 timeout 3000 read-only no";
    // Each try takes the time-out divided by the number of servers; a round ends with a pause.
    assert_eq!(
        lines[..12],
        [
            format!("0 #1 connect {one}"),
            format!("0 #1 {hello}"),
            "1500 #1 ended: no session within the connect time-out".into(),
            format!("1600 #2 connect {two}"),
            format!("1600 #2 {hello}"),
            "3100 #2 ended: no session within the connect time-out".into(),
            format!("4200 #3 connect {one}"),
            format!("4200 #3 {hello}"),
            "5700 #3 ended: no session within the connect time-out".into(),
            format!("5800 #4 connect {two}"),
            format!("5800 #4 {hello}"),
            "7300 #4 ended: no session within the connect time-out".into(),
        ]
    );
    assert_eq!(only(&lines, |line| line.contains("state")), [""; 0]);
    assert!(world.session().state().is_alive());
    world.finish();
}

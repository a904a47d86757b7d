//! Servers that say nothing, or too little.

use zookeeper_core::{
    Disconnect,
    client::{KeeperState, LostReason, RequestError},
    wire::{ErrorCode, EventKind},
};
use zookeeper_sim::{
    client::{Habits, Options, Reception, Seen, What, World},
    pair::{
        Chunking,
        request::{add_watch, get_data},
    },
};

use super::table::{LOST, News};

/// A session of 6 s with one request in flight.
fn world() -> (World, zookeeper_core::client::RequestId) {
    let mut options = Options::new(1);
    options.config.session_timeout = std::time::Duration::from_secs(6);
    let mut world = World::new(options);
    let request = world.submit(&get_data("/a", false));
    let _ = world.take();
    world.script.habits = Habits { handshake: Habits::HELPFUL.handshake, ..Habits::SILENT };
    (world, request)
}

#[test]
fn a_server_that_says_nothing_is_left_after_the_read_timeout() {
    let (mut world, request) = world();
    world.advance_ms(3_999);
    assert_eq!(News::of(&mut world).reasons, []);
    world.advance_ms(1);
    let news = News::of(&mut world);
    assert_eq!(news.outcomes, [(request, LOST)]);
    assert_eq!(news.reasons, [LostReason::ReadTimeout]);
    assert_eq!(news.states, [KeeperState::Disconnected]);
    world.finish();
}

#[test]
fn half_a_frame_is_no_sign_of_life() {
    let (mut world, request) = world();
    world.say(&[0, 0, 1, 0]);
    for _ in 0..8 {
        world.say(&[0]);
        world.advance_ms(500);
    }
    let news = News::of(&mut world);
    assert_eq!(news.outcomes, [(request, LOST)]);
    assert_eq!(news.reasons, [LostReason::ReadTimeout]);
    world.finish();
}

#[test]
fn a_whole_frame_is_a_sign_of_life() {
    let (mut world, _) = world();
    for _ in 0..20 {
        world.advance_ms(3_900);
        world.reply(-2, zookeeper_core::Zxid::ZERO, ErrorCode::OK, &[]);
        world.settle();
    }
    assert_eq!(News::of(&mut world).reasons, []);
    world.finish();
}

#[test]
fn a_frame_that_is_too_large_is_a_sign_of_life() {
    for chunking in [Chunking::Whole, Chunking::Random(99)] {
        let mut options = Options::new(1);
        options.config.session_timeout = std::time::Duration::from_secs(6);
        options.config.frame_length_max = 1_000;
        options.cutting.input = chunking;
        let mut world = World::new(options);
        let request = world.submit(&get_data("/a", false));
        let _ = world.take();
        world.script.habits.pings = false;
        world.advance_ms(3_900);
        let zxid = world.script.zxid;
        world.reply(1, zxid, ErrorCode::OK, &[0; 1_000]);
        let news = News::of(&mut world);
        let error = RequestError::ReplyTooLarge { length: 1_016, max: 1_000 };
        assert_eq!(news.outcomes, [(request, Err(error))]);
        world.advance_ms(3_999);
        assert_eq!(News::of(&mut world).reasons, []);
        world.advance_ms(1);
        assert_eq!(News::of(&mut world).reasons, [LostReason::ReadTimeout]);
        world.finish();
    }
}

/// Servers that accept and say nothing do not keep a session alive.
#[test]
fn silent_servers_do_not_postpone_the_end_of_a_session() {
    let (mut world, _) = world();
    world.script.habits = Habits::SILENT;
    world.advance_ms(60_000);
    let entries = world.take_entries();
    let end = entries.iter().find(|entry| matches!(entry.what, What::Seen(Seen::Closed(_))));
    // Four thirds of the time-out after the last frame.
    assert_eq!(end.expect("an end").at.as_millis(), 8_000);
    world.finish();
}

/// As it was for a session that never was.
#[test]
fn a_session_that_never_was_is_given_up_when_that_is_asked_for() {
    let mut options = Options::new(1);
    options.habits = Habits::SILENT;
    options.config.session_timeout = std::time::Duration::from_secs(6);
    options.config.new_session_timeout = Some(std::time::Duration::ZERO);
    let mut world = World::new(options);
    world.submit(&get_data("/a", false));
    world.advance_ms(60_000);
    let lines = world.take();
    assert_eq!(
        lines[2..],
        [
            "6000 #1 ended: no session within the connect time-out",
            "6000 reply 0 failed: connection lost, the request was not sent",
            "7100 #2 connect a:2181",
            "7100 #2 > connect session 0x0 zxid 0x0 timeout 6000 read-only no",
            "8000 #2 ended: the session ended",
            "8000 state Expired",
            "8000 closed: expired: no server was reached in time",
        ]
    );
    world.finish();
}

/// A process that slept longer than a session lives asks nobody.
#[test]
fn a_suspended_process_expires_by_itself() {
    let (mut world, _) = world();
    world.suspend(std::time::Duration::from_secs(20));
    let news = News::of(&mut world);
    assert_eq!(news.states.last(), Some(&KeeperState::Expired), "{news:?}");
    assert!(world.driver().is_over());
    world.finish();
}

/// Watches that a server refuses to set again are told of.
#[test]
fn refused_watches_are_told_of() {
    let mut world = World::new(Options::new(1));
    let (one, two) = (world.watcher(), world.watcher());
    world.submit_watching(&get_data("/a", true), one);
    world.answer_ok();
    world.submit_watching(&add_watch("/b", 0), two);
    world.answer_ok();
    world.settle();
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    let _ = world.take();
    world.answer_error(ErrorCode::UNIMPLEMENTED);
    let lines = world.take_untimed();
    assert_eq!(lines, ["warning: watches not restored: unimplemented (-6)", "lost to w0 w1"]);
    world.notify(EventKind::NodeDataChanged, "/a", 0x200);
    assert_eq!(world.take(), [""; 0]);
    world.finish();
}

/// Attempts that fail in every way the system knows.
#[test]
fn attempts_fail_for_every_reason() {
    for cause in [
        Disconnect::Refused,
        Disconnect::Unresolved,
        Disconnect::TimedOut,
        Disconnect::Reset,
        Disconnect::End,
        Disconnect::Other(std::io::ErrorKind::HostUnreachable),
    ] {
        let mut options = Options::new(2);
        options.reception = Reception::Fail(cause);
        let mut world = World::new(options);
        world.advance_ms(1_000);
        let news = News::of(&mut world);
        assert_eq!(news.reasons, vec![LostReason::Network(cause); 2], "the second after 100 ms");
        assert_eq!(news.states, [], "there never was a session");
        world.script.reception = Reception::Stall;
        world.advance_ms(6_200);
        let news = News::of(&mut world);
        assert_eq!(news.reasons, [LostReason::ConnectTimeout]);
        world.finish();
    }
}

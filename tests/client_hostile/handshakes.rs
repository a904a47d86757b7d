//! Bad answers to a ConnectRequest.

use std::time::Duration;

use bytes::Bytes;
use zookeeper_core::{
    Disconnect, Secret, SessionId,
    client::{CloseReason, Credentials, KeeperState, LostReason, RequestError, State},
    wire::{Blob, ConnectResponse, DecodeError, Encode, ErrorCode, FrameError, ReplyHeader, Xid},
};
use zookeeper_sim::{
    client::{Grant, Habits, Options, Sent, What, World},
    pair::request::get_data,
};

use super::table::News;

const RESPONSE: ConnectResponse<'static> = ConnectResponse {
    protocol_version: 0,
    timeout_ms: 10_000,
    session: SessionId(0x77),
    password: Some(Blob::Slice(b"0123456789abcdef")),
    read_only: Some(false),
};

/// What a server says to a ConnectRequest, and why that costs it the connection.
struct Row {
    name: &'static str,
    act: fn(&mut World),
    reason: fn(&LostReason) -> bool,
}

fn silent(options: Options) -> World {
    World::new(Options {
        habits: Habits { handshake: None, probes: None, ..Habits::SCRIPTED },
        ..options
    })
}

fn answer(world: &mut World, response: &ConnectResponse<'_>) {
    world.frame(&response.to_vec());
}

#[test]
fn answers_that_are_none_cost_the_attempt() {
    let rows = [
        Row {
            name: "garbage",
            act: |world| world.say(&[0xaa; 100]),
            reason: |reason| matches!(reason, LostReason::Frame(FrameError::Negative(_))),
        },
        Row {
            name: "text",
            act: |world| world.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            reason: |reason| matches!(reason, LostReason::Frame(FrameError::TooLong { .. })),
        },
        Row {
            name: "a frame longer than any answer",
            act: |world| world.say(&[[0, 1, 0, 0], [0; 4]].concat()),
            reason: |reason| {
                let max = zookeeper_core::FIRST_FRAME_LENGTH_MAX;
                *reason == LostReason::Frame(FrameError::TooLong { length: 0x1_0000, max })
            },
        },
        Row {
            name: "an empty frame",
            act: |world| world.frame(&[]),
            reason: |reason| matches!(reason, LostReason::Malformed { .. }),
        },
        Row {
            name: "a byte too few in the password",
            act: |world| {
                let response = ConnectResponse { read_only: None, ..RESPONSE }.to_vec();
                world.frame(&response[..response.len() - 1]);
            },
            reason: |reason| {
                matches!(reason, LostReason::Malformed { error: DecodeError::Truncated(1), .. })
            },
        },
        Row {
            name: "no session",
            act: |world| answer(world, &ConnectResponse { session: SessionId::NONE, ..RESPONSE }),
            reason: |reason| *reason == LostReason::NoSession,
        },
        Row {
            name: "data before the answer: a notification",
            act: |world| world.notify(zookeeper_core::wire::EventKind::NodeDeleted, "/a", 0x100),
            reason: |reason| matches!(reason, LostReason::Malformed { .. }),
        },
        Row {
            name: "data before the answer: a reply",
            act: |world| world.reply(1, zookeeper_core::Zxid(7 << 32), ErrorCode::OK, &[0; 80]),
            reason: |reason| matches!(reason, LostReason::Malformed { .. }),
        },
        Row {
            name: "data before the answer: a ping's reply",
            act: |world| world.reply(-2, zookeeper_core::Zxid(0), ErrorCode::OK, &[]),
            reason: |reason| matches!(reason, LostReason::Malformed { .. }),
        },
        Row {
            name: "half an answer, then a reset",
            act: |world| {
                let response = RESPONSE.to_vec();
                world.say(&[&[0, 0, 0, 37], &response[..20]].concat());
                world.settle();
                world.lose(Disconnect::Reset);
            },
            reason: |reason| *reason == LostReason::Network(Disconnect::Reset),
        },
        Row {
            name: "the end",
            act: |world| world.lose(Disconnect::End),
            reason: |reason| *reason == LostReason::Network(Disconnect::End),
        },
        Row {
            name: "nothing at all",
            act: |world| world.advance_ms(10_000),
            reason: |reason| *reason == LostReason::ConnectTimeout,
        },
    ];
    for row in rows {
        println!("{}", row.name);
        let mut world = silent(Options::new(1));
        let request = world.submit(&get_data("/a", false));
        let _ = world.take();
        (row.act)(&mut world);
        let news = News::of(&mut world);
        let lost = Err(RequestError::ConnectionLoss { maybe_executed: false });
        assert_eq!(news.outcomes, [(request, lost)], "{}", row.name);
        let [reason] = &news.reasons[..] else { panic!("{}: {news:?}", row.name) };
        assert!((row.reason)(reason), "{}: {reason:?}", row.name);
        assert_eq!(news.states, [], "{}: there was no session yet", row.name);
        assert_eq!(world.session().session_id(), SessionId::NONE, "{}", row.name);
        // The next attempt is an honest one.
        world.script.habits = Habits::HELPFUL;
        world.submit(&get_data("/b", false));
        world.advance_ms(1_100);
        let news = News::of(&mut world);
        assert_eq!(news.states, [KeeperState::SyncConnected], "{}", row.name);
        assert!(news.outcomes[0].1.is_ok(), "{}: {news:?}", row.name);
        world.finish();
    }
}

/// A session that another process began.
fn credentials() -> Option<Credentials> {
    let password = Secret(Bytes::from_static(b"a password of 24 bytes.."));
    Some(Credentials { session: SessionId(0xabc), password })
}

fn first_frame(world: &mut World) -> Sent {
    let entries = world.take_entries();
    let frame = entries.into_iter().rev().find_map(|entry| match entry.what {
        What::Sent { sent, .. } => Some(sent),
        _ => None,
    });
    frame.expect("a ConnectRequest")
}

#[test]
fn a_foreign_session_is_an_expiry_said_once() {
    let mut world = silent(Options { credentials: credentials(), ..Options::new(1) });
    let request = world.submit(&get_data("/a", false));
    let Sent::Connect { session, password, .. } = first_frame(&mut world) else { panic!() };
    assert_eq!(session, SessionId(0xabc));
    assert_eq!(password.as_deref(), Some(&b"a password of 24 bytes.."[..]));
    answer(&mut world, &RESPONSE);
    let lines = world.take_untimed();
    assert_eq!(
        lines,
        [
            "#1 ended: the session ended",
            "state Expired",
            "reply 0 failed: session expired, the request was not sent",
            "closed: expired: the server answered with session 0x77",
        ]
    );
    assert_eq!(request.0, 0);
    assert_eq!(world.session().state(), State::Expired);
    assert_ne!(world.session().session_id(), SessionId(0x77), "it is not taken over");
    world.finish();
}

#[test]
fn a_refusal_ends_the_session_whatever_else_it_says() {
    for timeout_ms in [0, -1, i32::MIN] {
        for session in [0, 0xabc, 0x77] {
            let mut world = silent(Options { credentials: credentials(), ..Options::new(1) });
            let response = ConnectResponse { timeout_ms, session: SessionId(session), ..RESPONSE };
            answer(&mut world, &response);
            let lines = world.take_untimed();
            let expected =
                ["#1 ended: the session ended", "state Expired", "closed: expired by the server"];
            assert_eq!(lines[2..], expected, "{timeout_ms} {session:x}");
            world.finish();
        }
    }
}

#[test]
fn odd_answers_are_taken_for_what_they_say() {
    let long = [7; 300];
    for (name, response) in [
        ("no flag", ConnectResponse { read_only: None, ..RESPONSE }),
        ("no password", ConnectResponse { password: None, ..RESPONSE }),
        ("an empty password", ConnectResponse { password: Some(Blob::Slice(&[])), ..RESPONSE }),
        ("a long password", ConnectResponse { password: Some(Blob::Slice(&long)), ..RESPONSE }),
        ("the shortest time-out", ConnectResponse { timeout_ms: 1, ..RESPONSE }),
        ("the longest time-out", ConnectResponse { timeout_ms: i32::MAX, ..RESPONSE }),
        ("a negative session", ConnectResponse { session: SessionId(-5), ..RESPONSE }),
    ] {
        let mut world = silent(Options::new(1));
        world.settle();
        // Bytes behind the flag mean nothing.
        let surplus = if response.read_only.is_some() { 20 } else { 0 };
        world.frame(&[response.to_vec(), vec![9; surplus]].concat());
        let news = News::of(&mut world);
        assert_eq!(news.states, [KeeperState::SyncConnected], "{name}");
        assert_eq!(world.session().session_id(), response.session, "{name}");
        let timeout = u64::try_from(response.timeout_ms).map(Duration::from_millis).ok();
        assert_eq!(world.session().negotiated_timeout(), timeout, "{name}");
        if response.timeout_ms == 1 {
            // Only pings keep this alive.
            world.advance_ms(5);
            assert_eq!(News::of(&mut world).states, [], "{name}");
            world.script.habits.pings = false;
            world.advance_ms(5);
            let news = News::of(&mut world);
            assert_eq!(news.states, [KeeperState::Disconnected, KeeperState::Expired], "{name}");
            world.finish();
            continue;
        }
        // It is resumed with the password as it was given.
        world.lose(Disconnect::End);
        world.advance_ms(1_100);
        let Sent::Connect { session, password, timeout_ms, .. } = first_frame(&mut world) else {
            panic!("{name}");
        };
        assert_eq!((session, timeout_ms), (response.session, 10_000), "{name}");
        let expected = response.password.map(|password| password[..].to_vec()).unwrap_or_default();
        assert_eq!(password.unwrap_or_default(), expected, "{name}");
        world.finish();
    }
}

#[test]
fn the_flag_is_read_in_each_answer_by_itself() {
    let mut options = Options::new(1);
    options.config.can_be_read_only = true;
    let mut world = silent(options);
    world.settle();
    answer(&mut world, &ConnectResponse { read_only: None, ..RESPONSE });
    world.settle();
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    answer(&mut world, &ConnectResponse { read_only: Some(true), ..RESPONSE });
    let news = News::of(&mut world);
    let expected =
        [KeeperState::SyncConnected, KeeperState::Disconnected, KeeperState::ConnectedReadOnly];
    assert_eq!(news.states, expected);
    world.finish();
}

#[test]
fn what_stands_behind_the_answer_is_heard() {
    let mut world = silent(Options::new(1));
    world.settle();
    let header = ReplyHeader { xid: Xid(-2), zxid: zookeeper_core::Zxid(5), error: ErrorCode::OK };
    let mut bytes = Vec::new();
    for body in [RESPONSE.to_vec(), header.to_vec(), vec![0; 3]] {
        bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
    }
    world.say(&bytes);
    let news = News::of(&mut world);
    assert_eq!(news.states, [KeeperState::SyncConnected, KeeperState::Disconnected]);
    assert!(matches!(news.reasons[..], [LostReason::Malformed { .. }]), "{news:?}");
    world.finish();
}

#[test]
fn everybody_expires_once_whoever_says_it() {
    let mut world = silent(Options { credentials: credentials(), ..Options::new(1) });
    world.grant(Grant::EXPIRED);
    // And again, and more, on a connection that nobody listens to any more.
    world.say(&[0xff; 30]);
    let news = News::of(&mut world);
    assert_eq!(news.states, [KeeperState::Expired]);
    let closed = zookeeper_sim::client::Seen::Closed(CloseReason::Expired);
    assert_eq!(news.others, [closed]);
    world.finish();
}

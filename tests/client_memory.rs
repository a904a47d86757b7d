//! What a session may cost: servers cannot make it grow, nor does it by itself.

use std::sync::Arc;

use bytes::Buf;
use peak_alloc::PeakAlloc;
use zookeeper_core::{
    ConnId, Disconnect, Instant, SessionId, Zxid,
    client::{Action, Config, HostPort, RequestError, Session, SubmitError, SubmitOptions},
    wire::{Blob, ConnectResponse, Encode, ErrorCode, ReplyHeader, Xid},
};
use zookeeper_sim::{
    client::{Grant, Habits, Options, Seen, What, World},
    pair::request::{add_watch, exists, get_data, set_data},
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// One test, because they share the allocator's numbers.
#[test]
fn nobody_can_make_a_session_grow() {
    replies_over_the_limit_are_not_kept();
    announced_lengths_reserve_nothing();
    reconnects_leave_nothing();
    limits_hold();
}

/// The growth of the peak while something happens, in bytes.
fn growth(act: impl FnOnce()) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    act();
    ALLOCATOR.peak_usage() - before
}

fn beginning(length: u32, xid: i32) -> Vec<u8> {
    let header = ReplyHeader { xid: Xid(xid), zxid: Zxid::ZERO, error: ErrorCode::OK };
    [&length.to_be_bytes()[..], &header.to_vec()].concat()
}

fn replies_over_the_limit_are_not_kept() {
    const TOTAL: u32 = 64 << 20;
    let mut world = World::new(Options::new(1));
    world.submit(&get_data("/a", false));
    world.settle();
    let chunk = vec![0x55; 64 << 10];
    let growth = growth(|| {
        world.say(&beginning(TOTAL + 16, 1));
        for _ in 0..TOTAL >> 16 {
            world.say(&chunk);
            world.settle();
        }
    });
    assert!(growth < 1 << 20, "{growth} bytes");
    let entries = world.take_entries();
    let Some(What::Seen(Seen::Reply(_, Err(error)))) = entries.last().map(|entry| &entry.what)
    else {
        panic!("{entries:?}");
    };
    assert!(matches!(error, RequestError::ReplyTooLarge { .. }), "{error}");
    world.submit(&get_data("/a", false));
    let _ = world.forget();
    world.answer_ok();
    assert_eq!(world.take().last().map(String::as_str), Some("0 reply 1 ok 0x100 'data'"));
    world.finish();
}

fn announced_lengths_reserve_nothing() {
    let mut worlds: Vec<_> = (0..20)
        .map(|_| {
            let mut world = World::new(Options::new(1));
            world.submit(&get_data("/a", false));
            world.settle();
            world
        })
        .collect();
    let growth = growth(|| {
        for world in &mut worlds {
            world.say(&beginning(0xf_ffff, 1));
            world.settle();
        }
    });
    assert!(growth < 20 * (32 << 10), "{growth} bytes");
    worlds.into_iter().for_each(World::finish);
}

/// Driven by hand: a driver's own memory would be counted too.
fn reconnects_leave_nothing() {
    let config = Config::new(vec![HostPort { host: "a".into(), port: 2181 }]);
    let mut now = Instant::from_millis(1_000);
    let mut session = Session::new(Arc::new(config), now, 1);
    let watcher = session.new_watcher();
    let mut held = Vec::new();
    for round in 0..3_000 {
        let conn = loop {
            match drain(&mut session) {
                Some(conn) => break conn,
                None => {
                    now = session.poll_timeout().expect("the next attempt").max(now);
                    session.handle_timeout(now);
                }
            }
        };
        session.handle_connected(now, conn, ([127, 0, 0, 1], 2181).into());
        send(&mut session, conn);
        session.handle_input(now, conn, &hello());
        drain(&mut session);
        if round == 0 {
            let options = SubmitOptions { watcher: Some(watcher), timeout: None };
            session.submit(now, &add_watch("/w", 1), options).expect("one more is welcome");
            session.add_auth(now, "digest", b"bob:pw").expect("one more is welcome");
            session.handle_input(now, conn, &watched());
            drain(&mut session);
            assert_eq!(session.watches(), 1);
        }
        for _ in 0..3 {
            let request = set_data("/a", &[7; 5_000]);
            session.submit(now, &request, SubmitOptions::default()).expect("one more is welcome");
        }
        send(&mut session, conn);
        // Half a reply, and the end.
        session.handle_input(now, conn, &beginning(900, 1));
        session.handle_eof(now, conn, Disconnect::Reset);
        drain(&mut session);
        if round % 1_000 == 999 {
            session.check_invariants();
            held.push(ALLOCATOR.current_usage());
        }
    }
    assert_eq!(session.watches(), 1);
    let growth = held[2].saturating_sub(held[0]);
    assert!(growth < 1 << 10, "{held:?} bytes");
}

/// Takes everything that a session has to say; the connection that it wants.
fn drain(session: &mut Session) -> Option<ConnId> {
    let mut wanted = None;
    loop {
        let has_event = session.poll_event().is_some();
        let action = session.poll_action();
        if let Some(Action::Connect { conn, .. }) = action {
            wanted = Some(conn);
        }
        if !has_event && action.is_none() {
            return wanted;
        }
    }
}

fn send(session: &mut Session, conn: ConnId) {
    drain(session);
    while let Some(mut transmit) = session.poll_transmit(conn) {
        let count = transmit.remaining();
        transmit.advance(count);
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a small frame");
    [&length.to_be_bytes(), body].concat()
}

fn hello() -> Vec<u8> {
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 10_000,
        session: SessionId(7),
        password: Some(Blob::Slice(&[1; 16])),
        read_only: Some(false),
    };
    frame(&response.to_vec())
}

/// The answer to an `addWatch`, the first request.
fn watched() -> Vec<u8> {
    let header = ReplyHeader { xid: Xid(1), zxid: Zxid(1), error: ErrorCode::OK };
    frame(&[header.to_vec(), ErrorCode::OK.to_vec()].concat())
}

fn limits_hold() {
    let mut options = Options::new(1);
    options.config.requests_max = 10;
    options.config.request_bytes_max = 1_000;
    options.config.watches_max = 3;
    options.config.frame_length_max = 2_000;
    options.habits = Habits { handshake: None, ..Habits::SCRIPTED };
    let mut world = World::new(options);
    let plain = SubmitOptions::default();
    // Bytes that wait.
    world.submit(&set_data("/a", &[0; 900]));
    let refused = world.try_submit(&set_data("/a", &[0; 900]), plain);
    assert!(matches!(refused, Err(SubmitError::BytesFull(_))), "{refused:?}");
    // Requests, waiting and in flight together.
    for _ in 0..9 {
        world.submit(&exists("/", false));
    }
    assert_eq!(world.try_submit(&exists("/", false), plain), Err(SubmitError::QueueFull(10)));
    world.grant(Grant::ALL);
    world.settle();
    assert_eq!(world.session().in_flight(), 10);
    assert_eq!(world.try_submit(&exists("/", false), plain), Err(SubmitError::QueueFull(10)));
    world.answer_all();
    world.settle();
    // Requests that no server with the same limit takes.
    let refused = world.try_submit(&set_data("/a", &[0; 2_000]), plain);
    assert!(matches!(refused, Err(SubmitError::TooLong { max: 2_000, .. })), "{refused:?}");
    // Watches, set and on their way together.
    let watcher = world.watcher();
    for path in ["/a", "/b", "/c"] {
        world.submit_watching(&get_data(path, true), watcher);
    }
    let watched = SubmitOptions { watcher: Some(watcher), timeout: None };
    let refused = world.try_submit(&get_data("/d", true), watched);
    assert_eq!(refused, Err(SubmitError::TooManyWatches(3)));
    world.answer_all();
    world.settle();
    let refused = world.try_submit(&get_data("/d", true), watched);
    assert_eq!(refused, Err(SubmitError::TooManyWatches(3)));
    world.submit(&get_data("/d", false));
    world.finish();
}

//! The contract of the crate documentation, for a client's session: one test named after each line.

use std::{sync::Arc, time::Duration};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Disconnect, Instant, Rng,
    client::{Action, Config, Event, HostPort, RequestId, Session, SubmitOptions},
    wire::{
        Blob, ConnectResponse, Encode, ErrorCode, EventKind, ReplyHeader, Response, Stat,
        WatcherEvent, Xid,
    },
};
use zookeeper_core::{SessionId, Zxid};
use zookeeper_sim::{
    client::{Cutting, Habits, Options, What, World},
    pair::{
        Chunking,
        request::{add_watch, exists, get_data, set_data},
    },
};

const START: Instant = Instant::from_millis(5_000);

/// A session without a world around it, for what no good driver does.
struct Bare {
    session: Session,
    now: Instant,
}

impl Bare {
    fn new() -> Self {
        let mut config = Config::new(vec![HostPort { host: "a".into(), port: 2181 }]);
        config.backoff.jitter = Duration::ZERO;
        Self { session: Session::new(Arc::new(config), START, 7), now: START }
    }

    /// The next attempt to connect.
    fn attempt(&mut self) -> ConnId {
        let (_, actions) = self.drain();
        let attempt = actions.iter().find_map(|action| match action {
            Action::Connect { conn, .. } => Some(*conn),
            _ => None,
        });
        attempt.expect("an attempt")
    }

    fn connect(&mut self, conn: ConnId) {
        self.session.handle_connected(self.now, conn, ([127, 0, 0, 1], 2181).into());
    }

    /// A session that is connected.
    fn start(&mut self) -> ConnId {
        let conn = self.attempt();
        self.connect(conn);
        assert_eq!(self.drain().1, [Action::Transmit(conn)]);
        assert_eq!(self.read(conn).len(), 49);
        self.input(conn, &hello());
        let (events, _) = self.drain();
        assert_eq!(events, ["state SyncConnected"]);
        conn
    }

    fn input(&mut self, conn: ConnId, bytes: &[u8]) {
        self.session.handle_input(self.now, conn, bytes);
    }

    fn submit(&mut self) -> RequestId {
        let request = get_data("/a", false);
        let id = self.session.submit(self.now, &request, SubmitOptions::default());
        id.expect("one more is welcome")
    }

    fn drain(&mut self) -> (Vec<String>, Vec<Action>) {
        let (mut events, mut actions) = (Vec::new(), Vec::new());
        loop {
            let before = events.len() + actions.len();
            while let Some(event) = self.session.poll_event() {
                events.push(brief(&event));
            }
            actions.extend(std::iter::from_fn(|| self.session.poll_action()));
            if events.len() + actions.len() == before {
                return (events, actions);
            }
        }
    }

    /// Takes everything that may be written.
    fn read(&mut self, conn: ConnId) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(mut transmit) = self.session.poll_transmit(conn) {
            let chunk = transmit.chunk().to_vec();
            transmit.advance(chunk.len());
            bytes.extend(chunk);
        }
        bytes
    }
}

fn brief(event: &Event<'_>) -> String {
    match event {
        Event::Reply { id, result: Ok(_) } => format!("{} ok", id.0),
        Event::Reply { id, result: Err(error) } => format!("{} {}", id.0, error.code().0),
        Event::Watch { event, .. } => format!("watch {}", event.path),
        Event::StateChanged { state, .. } => format!("state {state:?}"),
        Event::ConnectionClosed { conn, .. } => format!("ended {conn}"),
        Event::Closed(_) => "closed".into(),
        event => format!("{event:?}"),
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

fn reply(xid: i32) -> Vec<u8> {
    let header = ReplyHeader { xid: Xid(xid), zxid: Zxid(9), error: ErrorCode::OK };
    let record = Response::Data { data: None, stat: Stat::default() };
    frame(&[header.to_vec(), record.to_vec()].concat())
}

fn notification() -> Vec<u8> {
    let header = ReplyHeader { xid: Xid(-1), zxid: Zxid(9), error: ErrorCode::OK };
    let event = WatcherEvent {
        kind: EventKind::NodeDeleted.code(),
        state: WatcherEvent::SYNC_CONNECTED,
        path: Some("/w".into()),
    };
    frame(&[header.to_vec(), event.to_vec()].concat())
}

/// Some of everything; what the session told, and what it sent.
fn story(cutting: Cutting, seed: u64) -> (Vec<String>, Vec<String>) {
    let mut options = Options::new(3);
    options.config.session_timeout = Duration::from_secs(6);
    options.config.backoff.jitter = Duration::from_millis(1_000);
    options.cutting = cutting;
    options.seed = seed;
    options.habits = Habits::HELPFUL;
    let mut world = World::new(options);
    let (one, two) = (world.watcher(), world.watcher());
    for round in 0..3 {
        world.submit_watching(&get_data("/a", true), one);
        world.submit_watching(&add_watch("/", 1), two);
        world.submit(&set_data("/a", &[round; 3_000]));
        world.add_auth("digest", "bob:pw");
        world.advance_ms(2_500);
        world.notify(EventKind::NodeDataChanged, "/a", 0x200);
        world.submit_watching(&exists("/a", true), one);
        world.settle();
        world.lose(Disconnect::Reset);
        world.submit(&exists("/b", false));
        world.advance_ms(4_000);
    }
    let entries = world.take_entries();
    world.finish();
    let is_seen = |what: &What| matches!(what, What::Seen(_));
    let (seen, sent): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_seen(&entry.what));
    let lines = |entries: Vec<&zookeeper_sim::client::Entry>| {
        entries.into_iter().map(ToString::to_string).collect()
    };
    (lines(seen), lines(sent))
}

/// Line 1.
#[test]
fn drain_until_all_return_none_then_read_poll_timeout() {
    // Several inputs before one drain, or a drain after each: the same.
    let whole = story(Cutting { reads_per_turn: 1_000, ..Cutting::default() }, 3);
    assert_eq!(whole, story(Cutting { reads_per_turn: 1, ..Cutting::default() }, 3));

    // An input, a command, and an advance: each may leave something to drain.
    let mut bare = Bare::new();
    let conn = bare.start();
    let one = bare.submit();
    let two = bare.submit();
    assert_eq!(bare.drain(), (vec![], vec![Action::Transmit(conn)]));
    assert!(!bare.read(conn).is_empty());
    assert_eq!(bare.drain(), (vec![], vec![]));
    bare.input(conn, &reply(1));
    bare.input(conn, &reply(2));
    bare.session.close(bare.now);
    let (events, actions) = bare.drain();
    assert_eq!(events, [format!("{} ok", one.0), format!("{} ok", two.0)]);
    assert_eq!(actions, [Action::Transmit(conn)]);
    assert_eq!(bare.drain(), (vec![], vec![]), "in the same pass there is nothing");
    assert!(bare.session.poll_timeout().is_some_and(|at| at > bare.now));
}

/// Line 2.
#[test]
fn now_never_goes_backwards() {
    let run = |past: Duration| {
        let mut bare = Bare::new();
        let mut conn = bare.start();
        let mut heard = Vec::new();
        for xid in 1..20 {
            bare.now = bare.now + Duration::from_millis(900);
            bare.session.handle_timeout(bare.now);
            heard.push(bare.drain().0);
            let older = bare.now - past;
            let request = get_data("/a", false);
            bare.session.submit(older, &request, SubmitOptions::default()).unwrap();
            bare.drain();
            bare.session.handle_input(older, conn, &reply(xid));
            heard.push(bare.drain().0);
            bare.session.handle_timeout(older);
            heard.push(vec![format!("{:?} {:?}", bare.session.poll_timeout(), bare.read(conn))]);
            if xid % 7 == 0 {
                bare.session.handle_eof(older, conn, Disconnect::End);
                bare.drain();
                bare.now = bare.now + Duration::from_millis(2_000);
                bare.session.handle_timeout(bare.now);
                conn = bare.attempt();
                bare.session.handle_connected(older, conn, ([127, 0, 0, 1], 1).into());
                bare.session.handle_input(older, conn, &hello());
                heard.push(bare.drain().0);
            }
        }
        bare.session.check_invariants();
        heard
    };
    assert_eq!(run(Duration::ZERO), run(Duration::from_secs(3_600)));
}

/// Line 3.
#[test]
fn poll_timeout_does_not_report_queued_actions_or_events() {
    let mut bare = Bare::new();
    assert!(bare.session.poll_timeout().is_some_and(|at| at > bare.now), "an action waits");
    let conn = bare.start();
    bare.submit();
    assert!(bare.session.poll_timeout().is_some_and(|at| at > bare.now), "an action waits");
    bare.drain();
    bare.read(conn);
    bare.input(conn, &reply(1));
    assert!(bare.session.poll_timeout().is_some_and(|at| at > bare.now), "an event waits");
    assert_eq!(bare.drain().0, ["0 ok"]);
    bare.session.handle_eof(bare.now, conn, Disconnect::Reset);
    let (events, actions) = bare.drain();
    assert_eq!((events.len(), actions), (2, vec![Action::Close(conn)]));
}

/// Line 4.
#[test]
fn transmit_is_not_repeated_for_bytes_already_known_about() {
    let mut bare = Bare::new();
    let conn = bare.start();
    bare.submit();
    assert_eq!(bare.drain().1, [Action::Transmit(conn)]);
    // The socket would block: more is submitted, and the driver knows already.
    for _ in 0..9 {
        bare.submit();
        assert_eq!(bare.drain().1, []);
    }
    // Half of it is taken, then the socket would block again.
    let mut transmit = bare.session.poll_transmit(conn).expect("bytes");
    let half = transmit.remaining() / 2;
    transmit.advance(half);
    bare.submit();
    assert_eq!(bare.drain().1, []);
    let rest = bare.read(conn);
    assert_eq!(half + rest.len(), 11 * (4 + 8 + 4 + 2 + 1), "every request once");
    assert_eq!(bare.drain().1, []);
    // Drained: the next bytes are news.
    bare.submit();
    assert_eq!(bare.drain().1, [Action::Transmit(conn)]);

    // A driver that relies on nothing else, and small socket buffers.
    for socket_buffer in [1, 7, 64] {
        let cutting = Cutting { socket_buffer, ..Cutting::default() };
        assert_eq!(story(cutting, 4), story(Cutting::default(), 4));
    }
}

/// Line 5.
#[test]
fn after_close_no_call_has_any_effect_and_every_connection_ends_once() {
    let mut bare = Bare::new();
    let conn = bare.start();
    let request = bare.submit();
    bare.drain();
    bare.session.handle_eof(bare.now, conn, Disconnect::Reset);
    let (mut events, actions) = bare.drain();
    events.sort();
    let expected =
        [format!("{} -4", request.0), format!("ended {conn}"), "state Disconnected".into()];
    assert_eq!(events, expected);
    assert_eq!(actions, [Action::Close(conn)]);
    let at = bare.session.poll_timeout();
    let stale = |bare: &mut Bare, id: ConnId| {
        bare.connect(id);
        bare.input(id, &hello());
        bare.session.handle_eof(bare.now, id, Disconnect::End);
        assert!(!bare.session.wants_read(id));
        assert!(bare.session.poll_transmit(id).is_none());
        assert_eq!(bare.drain(), (vec![], vec![]));
    };
    stale(&mut bare, conn);
    assert_eq!(bare.session.poll_timeout(), at);

    // The next attempt has another name; the old one does not reach it.
    bare.now = at.expect("a pause");
    bare.session.handle_timeout(bare.now);
    let next = bare.attempt();
    assert_ne!(next, conn);
    stale(&mut bare, conn);
    bare.connect(next);
    bare.connect(next);
    assert_eq!(bare.drain().1, [Action::Transmit(next)], "connected once");
    assert_eq!(bare.read(next).len(), 49);
    bare.input(conn, &hello());
    assert_eq!(bare.drain(), (vec![], vec![]));
    bare.input(next, &hello());
    assert_eq!(bare.drain().0, ["state SyncConnected"]);
    // What comes behind an end is not heard.
    bare.session.handle_eof(bare.now, next, Disconnect::End);
    bare.input(next, &notification());
    let (events, _) = bare.drain();
    assert_eq!(events.len(), 2, "{events:?}");

    // However they end: worlds check that each ends once.
    for act in [
        |world: &mut World| world.lose(Disconnect::End),
        |world: &mut World| world.say(&[0xff; 9]),
        |world: &mut World| world.advance_ms(60_000),
        |world: &mut World| world.close(),
        |world: &mut World| world.detach(),
        |world: &mut World| _ = world.update_hosts(&["x", "y"]),
    ] {
        let mut world = World::new(Options::new(2));
        world.settle();
        world.script.habits.pings = false;
        act(&mut world);
        world.settle();
        world.finish();
    }
}

/// Line 6.
#[test]
fn unknown_ids_are_ignored_and_no_peer_can_cause_a_panic() {
    let mut bare = Bare::new();
    let conn = bare.start();
    let before = (bare.session.poll_timeout(), bare.session.state());
    for stranger in [ConnId::new(7, 7), ConnId::new(u32::MAX, u32::MAX), ConnId::new(0, 99)] {
        bare.connect(stranger);
        bare.input(stranger, &hello());
        bare.session.handle_eof(bare.now, stranger, Disconnect::TimedOut);
        assert!(bare.session.poll_transmit(stranger).is_none());
        assert!(!bare.session.wants_read(stranger));
    }
    assert_eq!(bare.drain(), (vec![], vec![]));
    assert_eq!((bare.session.poll_timeout(), bare.session.state()), before);
    bare.submit();
    assert_eq!(bare.drain().1, [Action::Transmit(conn)], "it still serves");

    // Garbage of all kinds, before and after the handshake.
    let seed = zookeeper_sim::replay::seed();
    let mut rng = Rng::new(seed);
    let mut options = Options::new(2);
    options.cutting.input = Chunking::Random(9);
    options.seed = seed;
    let mut world = World::new(options);
    for round in 0..300 {
        world.script.habits.handshake =
            (round % 2 == 0).then_some(zookeeper_sim::client::Grant::ALL);
        world.advance_ms(1_200);
        let _ = world.try_submit(&get_data("/a", false), SubmitOptions::default());
        world.settle();
        let count = rng.below(60);
        let mut bytes: Vec<u8> = (0..count).map(|_| garbage(&mut rng)).collect();
        if rng.one_in(2) {
            bytes = frame(&bytes);
        }
        world.say(&bytes);
        world.settle();
        if world.driver().is_over() {
            // An answer that says so by chance.
            break;
        }
        world.lose(Disconnect::Reset);
    }
    world.finish();
}

/// A byte; small numbers and all ones are frequent, as in lengths and codes.
fn garbage(rng: &mut Rng) -> u8 {
    let byte = u8::try_from(rng.below(256)).unwrap_or(0);
    match rng.below(4) {
        0 => 0,
        1 => byte % 16,
        2 => 0xff,
        _ => byte,
    }
}

/// Line 7.
#[test]
fn one_calls_work_is_bounded_and_the_rest_is_announced() {
    // A frame is handled when its event is asked for, not when it comes: one call, one reply.
    let mut bare = Bare::new();
    let conn = bare.start();
    for _ in 0..2_000 {
        bare.submit();
    }
    bare.drain();
    bare.read(conn);
    let many: Vec<u8> = (1..=2_000).flat_map(reply).collect();
    bare.input(conn, &many);
    for left in (0..2_000).rev() {
        let event = bare.session.poll_event();
        assert!(matches!(event, Some(Event::Reply { result: Ok(_), .. })), "{event:?}");
        assert!(bare.session.in_flight() >= left);
    }
    assert_eq!(bare.drain(), (vec![], vec![]));

    // Bytes given although `wants_read` is false are kept.
    for _ in 0..3 {
        bare.submit();
    }
    bare.drain();
    bare.read(conn);
    for byte in (2_001..=2_003).flat_map(reply) {
        bare.input(conn, &[byte]);
    }
    assert_eq!(bare.drain().0, ["2000 ok", "2001 ok", "2002 ok"]);
    assert!(bare.session.wants_read(conn));
}

/// Line 8.
#[test]
fn a_turn_is_reads_a_drain_a_due_timeout_and_a_drain() {
    let seed = zookeeper_sim::replay::seed();
    let expected = story(Cutting::default(), seed);
    for reads_per_turn in [1, 2, 7] {
        for input in [Chunking::Bytes, Chunking::Random(30)] {
            let cutting = Cutting { reads_per_turn, input, ..Cutting::default() };
            assert_eq!(story(cutting, seed), expected);
        }
    }
    // What came decides before what is due: a reply in the buffer is not too late.
    let mut bare = Bare::new();
    let conn = bare.start();
    bare.submit();
    bare.drain();
    bare.read(conn);
    bare.now = bare.now + Duration::from_millis(6_666);
    bare.input(conn, &reply(1));
    bare.session.handle_timeout(bare.now);
    assert_eq!(bare.drain().0, ["0 ok"]);

    // A timeout that is early, late or repeated does no harm.
    for _ in 0..10 {
        bare.session.handle_timeout(bare.now);
        bare.session.handle_timeout(Instant::ZERO);
    }
    let (events, actions) = bare.drain();
    assert_eq!(events, [""; 0]);
    assert!(actions.len() <= 1, "{actions:?}");
    bare.session.check_invariants();
    // And a session that is over waits for nothing, and says nothing.
    bare.session.detach(bare.now);
    let (events, _) = bare.drain();
    assert_eq!(events.last().map(String::as_str), Some("closed"));
    bare.session.handle_timeout(bare.now + Duration::from_secs(100));
    assert_eq!((bare.drain(), bare.session.poll_timeout()), ((vec![], vec![]), None));
}

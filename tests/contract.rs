//! The contract of the crate documentation: one test named after each line.

use std::{sync::Arc, time::Duration};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Disconnect, Instant, Rng, Ticket,
    server::{Action, Config, Event, Recovered, Server},
    storage::{Lane, StorageError},
    wire::{Encode, Op, RequestHeader, Xid},
};
use zookeeper_sim::pair::{Acknowledge, Chunking, Options, World, request};

const START: Instant = Instant::from_millis(5_000);

/// A server without a world around it, for what no good driver does.
struct Bare {
    server: Server,
    now: Instant,
}

impl Bare {
    fn new(config: Config) -> Self {
        let mut server = Server::new(Arc::new(config), START, 7, Recovered::empty());
        server.handle_wall_clock(START, 1_767_225_600_000);
        let mut bare = Self { server, now: START };
        bare.drain();
        bare
    }

    fn open(&mut self, port: u16) -> ConnId {
        let peer = ([127, 0, 0, 1], port).into();
        self.server.handle_accept(self.now, peer).expect("one more is welcome")
    }

    /// A connection with a session.
    fn start(&mut self, port: u16) -> ConnId {
        let conn = self.open(port);
        self.server.handle_input(self.now, conn, &frame(&World::hello().to_vec()));
        self.drain();
        assert_eq!(self.read(conn).len(), 4 + 37);
        self.drain();
        conn
    }

    fn input(&mut self, conn: ConnId, bytes: &[u8]) {
        self.server.handle_input(self.now, conn, bytes);
    }

    fn drain(&mut self) -> (Vec<Event>, Vec<Action>) {
        let (mut events, mut actions) = (Vec::new(), Vec::new());
        loop {
            let before = events.len() + actions.len();
            events.extend(std::iter::from_fn(|| self.server.poll_event()));
            actions.extend(std::iter::from_fn(|| self.server.poll_action()));
            if events.len() + actions.len() == before {
                return (events, actions);
            }
        }
    }

    /// Takes everything that may be written.
    fn read(&mut self, conn: ConnId) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(mut transmit) = self.server.poll_transmit(conn) {
            let chunk = transmit.chunk().to_vec();
            transmit.advance(chunk.len());
            bytes.extend(chunk);
        }
        bytes
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a small frame");
    [&length.to_be_bytes(), body].concat()
}

fn ask(xid: i32, op: Op, record: &impl Encode) -> Vec<u8> {
    let header = RequestHeader { xid: Xid(xid), op: op.code() };
    frame(&[header.to_vec(), record.to_vec()].concat())
}

fn ping() -> Vec<u8> {
    frame(&RequestHeader { xid: Xid::PING, op: Op::Ping.code() }.to_vec())
}

fn exists(xid: i32) -> Vec<u8> {
    ask(xid, Op::Exists, &request::exists("/", false))
}

/// Some of everything, of two clients; what each heard.
fn story(options: Options) -> [Vec<u8>; 2] {
    let mut world = World::new(options);
    let [one, two] = [world.start(), world.start()];
    world.call(two, &request::exists("/a", true));
    world.settle();
    world.send(one, &request::create("/a", b"1"));
    world.send(one, &request::get_data("/a", true));
    world.send(one, &request::set_data("/a", b"2"));
    world.send(one, &request::get_children("/", true));
    world.send(one, &request::delete("/a"));
    world.settle();
    world.send_as(two, Xid::PING, Op::Ping, &[]);
    world.send(two, &request::sync("/"));
    world.settle();
    world.send(one, &zookeeper_core::wire::Request::CloseSession);
    world.settle();
    let heard = [one, two].map(|client| world.client(client).transcript().to_vec());
    world.finish();
    heard
}

/// Line 1.
#[test]
fn drain_until_all_return_none_then_read_poll_timeout() {
    // Several inputs before one drain, or a drain after each: the same.
    let whole = story(Options { reads_per_turn: 1_000, ..Options::default() });
    assert_eq!(whole, story(Options { reads_per_turn: 1, ..Options::default() }));

    // An input, a command, and an advance: each may leave something to drain.
    let mut bare = Bare::new(Config::default());
    let conn = bare.start(1);
    bare.input(conn, &ping());
    assert_eq!(bare.drain().1, [Action::Transmit(conn)]);
    assert_eq!(bare.read(conn).len(), 20);
    assert_eq!(bare.drain(), (vec![], vec![]));

    bare.input(conn, &ping());
    bare.server.disconnect(bare.now, conn);
    let (events, actions) = bare.drain();
    assert_eq!(bare.drain(), (vec![], vec![]), "in the same pass there is nothing");
    if events.is_empty() {
        assert_eq!(actions, [Action::Transmit(conn)]);
        assert_eq!(bare.read(conn).len(), 20);
        let (events, actions) = bare.drain();
        assert!(matches!(events[..], [Event::ConnectionClosed { .. }]), "{events:?}");
        assert_eq!(actions, [Action::Close(conn)], "what was written let it close");
    }
    assert!(bare.server.poll_timeout().is_some_and(|at| at > bare.now));
}

/// Line 2.
#[test]
fn now_never_goes_backwards() {
    let run = |past: Duration| {
        let mut bare = Bare::new(Config::default());
        let conn = bare.start(1);
        let mut heard = Vec::new();
        for _ in 0..20 {
            bare.now = bare.now + Duration::from_millis(700);
            bare.server.handle_timeout(bare.now);
            bare.drain();
            let older = bare.now - past;
            bare.server.handle_input(older, conn, &exists(1));
            bare.drain();
            bare.server.handle_timeout(older);
            bare.drain();
            bare.server.handle_wall_clock(older, 1_767_225_700_000);
            heard.push((bare.read(conn), bare.server.poll_timeout()));
        }
        bare.server.check_invariants();
        heard
    };
    assert_eq!(run(Duration::ZERO), run(Duration::from_secs(3_600)));
}

/// Line 3.
#[test]
fn poll_timeout_does_not_report_queued_actions_or_events() {
    let mut bare = Bare::new(Config::default());
    let conn = bare.start(1);
    let before = bare.server.poll_timeout();
    assert!(before.is_some_and(|at| at > bare.now));
    bare.input(conn, &exists(1));
    assert_eq!(bare.server.poll_timeout(), before, "a request waits, an action will come of it");
    assert_eq!(bare.drain().1, [Action::Transmit(conn)]);
    bare.server.handle_eof(bare.now, conn, Disconnect::Reset);
    assert!(bare.server.poll_timeout().is_some_and(|at| at > bare.now), "an event waits");
    let (events, actions) = bare.drain();
    assert_eq!((events.len(), actions), (1, vec![Action::Close(conn)]));
}

/// Line 4.
#[test]
fn transmit_is_not_repeated_for_bytes_already_known_about() {
    let mut bare = Bare::new(Config::default());
    let conn = bare.start(1);
    bare.input(conn, &ping());
    assert_eq!(bare.drain().1, [Action::Transmit(conn)]);
    // The socket would block: more bytes come, and the driver knows already.
    for xid in 1..10 {
        bare.input(conn, &exists(xid));
        assert_eq!(bare.drain().1, []);
    }
    // Half of it is taken, then the socket would block again.
    let mut transmit = bare.server.poll_transmit(conn).expect("bytes");
    let half = transmit.remaining() / 2;
    transmit.advance(half);
    bare.input(conn, &ping());
    assert_eq!(bare.drain().1, []);
    let rest = bare.read(conn);
    assert_eq!(half + rest.len(), 2 * 20 + 9 * 88, "every reply once");
    assert_eq!(bare.drain().1, []);
    // Drained: the next bytes are news.
    bare.input(conn, &ping());
    assert_eq!(bare.drain().1, [Action::Transmit(conn)]);
    assert_eq!(bare.read(conn).len(), 20);

    // A driver that relies on nothing else, a small socket buffer, a client that reads in between.
    for socket_buffer in [1, 7, 64] {
        let options = Options { socket_buffer, ..Options::default() };
        assert_eq!(story(options), story(Options::default()));
    }
}

/// Line 5.
#[test]
fn after_close_no_call_has_any_effect_and_every_connection_ends_once() {
    let mut bare = Bare::new(Config::default());
    let conn = bare.start(1);
    let other = bare.start(2);
    bare.server.handle_eof(bare.now, conn, Disconnect::Reset);
    let (events, actions) = bare.drain();
    assert!(matches!(&events[..], [Event::ConnectionClosed { conn: c, .. }] if *c == conn));
    assert_eq!(actions, [Action::Close(conn)]);

    let before = bare.server.stats().clone();
    for id in [conn, ConnId::new(conn.slot(), conn.generation().wrapping_add(9))] {
        bare.input(id, &ping());
        bare.server.handle_eof(bare.now, id, Disconnect::End);
        bare.server.disconnect(bare.now, id);
        assert!(!bare.server.wants_read(id));
        assert!(bare.server.poll_transmit(id).is_none());
    }
    assert_eq!(bare.drain(), (vec![], vec![]));
    assert_eq!(*bare.server.stats(), before);

    // The slot is used again; the old id does not reach it.
    let next = bare.open(3);
    assert_ne!(next, conn);
    bare.input(conn, &frame(&World::hello().to_vec()));
    assert_eq!(bare.drain(), (vec![], vec![]));
    bare.server.check_invariants();

    // However they end: worlds check that each ends once.
    let mut world = World::new(Options::default());
    let clients: Vec<_> = (0..6).map(|_| world.start()).collect();
    world.reset(clients[0]);
    world.half_close(clients[1]);
    world.send(clients[2], &zookeeper_core::wire::Request::CloseSession);
    let conn = world.conn(clients[3]);
    let now = world.now();
    world.server_mut().disconnect(now, conn);
    world.send_bytes(clients[4], &[0xff; 4]);
    world.reset(clients[4]);
    world.settle();
    assert!(clients[..5].iter().all(|&client| !world.is_open(client)));
    world.ping(clients[5]);
    world.finish();
    assert!(bare.server.wants_read(other));
}

/// Line 6.
#[test]
fn unknown_ids_are_ignored_and_no_peer_can_cause_a_panic() {
    let mut bare = Bare::new(Config::default());
    let conn = bare.start(1);
    let before = bare.server.stats().clone();
    for stranger in [ConnId::new(7, 7), ConnId::new(u32::MAX, u32::MAX), ConnId::new(0, 99)] {
        bare.input(stranger, b"ruok");
        bare.server.handle_eof(bare.now, stranger, Disconnect::TimedOut);
        bare.server.disconnect(bare.now, stranger);
        assert!(bare.server.poll_transmit(stranger).is_none());
        assert!(!bare.server.wants_read(stranger));
    }
    // A ticket nobody gave, in lanes without work.
    for lane in [Lane::Log, Lane::Snapshot] {
        bare.server.handle_stored(bare.now, lane, Ticket(99));
    }
    let error = StorageError {
        file: "snapshot.0".into(),
        operation: "append",
        kind: std::io::ErrorKind::StorageFull,
        message: "no space left".into(),
    };
    bare.server.handle_storage_error(bare.now, Lane::Snapshot, Ticket(1), error);
    assert_eq!(bare.drain(), (vec![], vec![]));
    assert_eq!(*bare.server.stats(), before);
    bare.input(conn, &ping());
    bare.drain();
    assert_eq!(bare.read(conn).len(), 20, "it still serves");

    // Garbage of all kinds, before and after the handshake.
    let seed = zookeeper_sim::replay::seed();
    let mut rng = Rng::new(seed);
    let mut world = World::new(Options { seed, input: Chunking::Random(9), ..Options::default() });
    let witness = world.start();
    for round in 0..300 {
        let client = if round % 2 == 0 { world.open() } else { world.start() };
        let count = rng.below(60);
        let mut bytes: Vec<u8> = (0..count).map(|_| garbage(&mut rng)).collect();
        if rng.one_in(2) {
            bytes = frame(&bytes);
        }
        world.send_bytes(client, &bytes);
        world.settle();
        world.reset(client);
        world.settle();
    }
    world.ping(witness);
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
    requests_go_in_steps();
    expiry_goes_in_steps();
    release_reaches_everybody();
    input_is_kept();
}

fn requests_go_in_steps() {
    // A call serves some; if it has nothing to tell and leaves some, that is due at once.
    let mut bare = Bare::new(Config::default());
    let conn = bare.start(1);
    let many: Vec<u8> = (1..=5_000).flat_map(exists).collect();
    bare.input(conn, &many);
    let mut served = 0;
    while served < 5_000 {
        let action = bare.server.poll_action();
        let now_served = bare.server.stats().requests(Op::Exists);
        let max = if action.is_some() { 64 } else { 1_024 };
        assert!(now_served - served <= max, "{} at a time", now_served - served);
        served = now_served;
        if action.is_none() && served < 5_000 {
            assert_eq!(bare.server.poll_timeout(), Some(bare.now), "the rest is due");
            bare.server.handle_timeout(bare.now);
        }
    }
    assert_eq!(bare.read(conn).len(), 5_000 * 88);
}

fn expiry_goes_in_steps() {
    // A call ends some, and is due again at once.
    let mut config = Config::default();
    config.endpoint.connections_per_address_max = 0;
    let mut bare = Bare::new(config);
    let conns: Vec<_> = (1..=500).map(|port| bare.start(port)).collect();
    for conn in conns {
        bare.server.handle_eof(bare.now, conn, Disconnect::Reset);
    }
    bare.drain();
    let mut expired = 0;
    while expired < 500 {
        bare.now = bare.server.poll_timeout().expect("sessions are left").max(bare.now);
        bare.server.handle_timeout(bare.now);
        let (events, _) = bare.drain();
        let ends = events.iter().filter(|e| matches!(e, Event::SessionExpired { .. })).count();
        assert!(ends <= 64, "{ends} at a time");
        expired += ends;
        let due = bare.server.poll_timeout().is_some_and(|at| at <= bare.now);
        assert!(due || ends == 0 || expired == 500, "the rest is due");
    }
}

fn release_reaches_everybody() {
    // Everybody waits for one transaction; all go on after one acknowledgement.
    let mut options = Options::logged(Acknowledge::AtOnce);
    options.config.endpoint.connections_per_address_max = 0;
    let mut world = World::new(options);
    let clients: Vec<_> = (0..300).map(|_| world.start()).collect();
    world.set_acknowledge(Acknowledge::ByHand);
    world.send(clients[0], &request::create("/a", b""));
    world.settle();
    for &client in &clients {
        world.send(client, &request::get_data("/a", false));
    }
    world.settle();
    assert!(clients.iter().all(|&client| world.client(client).unanswered() > 0));
    world.acknowledge(usize::MAX);
    assert!(clients.iter().all(|&client| world.client(client).unanswered() == 0));
    world.finish();
}

fn input_is_kept() {
    // Bytes given while `wants_read` is false are kept.
    let mut config = Config::default();
    config.endpoint.output_soft_max = 100;
    let mut bare = Bare::new(config);
    let conn = bare.start(1);
    bare.input(conn, &[exists(1), exists(2)].concat());
    bare.drain();
    assert!(!bare.server.wants_read(conn));
    for xid in 3..=50 {
        let request = exists(xid);
        let (one, two) = request.split_at(usize::try_from(xid).unwrap_or(0) % request.len());
        bare.input(conn, one);
        bare.input(conn, two);
        bare.drain();
    }
    let mut heard = 0;
    while bare.server.poll_transmit(conn).is_some() {
        heard += bare.read(conn).len();
        bare.drain();
    }
    assert_eq!(heard, 50 * 88);
    assert!(bare.server.wants_read(conn));
}

/// Line 8.
#[test]
fn a_turn_is_reads_a_drain_a_due_timeout_and_a_drain() {
    let seed = zookeeper_sim::replay::seed();
    let expected = story(Options::default());
    for reads_per_turn in [1, 2, 7] {
        for input in [Chunking::Bytes, Chunking::Random(30)] {
            let options = Options { seed, reads_per_turn, input, ..Options::default() };
            let session_independent = |heard: [Vec<u8>; 2]| heard.map(|bytes| bytes.len());
            assert_eq!(session_independent(story(options)), session_independent(expected.clone()));
        }
    }

    // Nobody starves: whoever asks much waits for those who ask little.
    let mut bare = Bare::new(Config::default());
    let (greedy, modest) = (bare.start(1), bare.start(2));
    let many: Vec<u8> = (1..=900).flat_map(exists).collect();
    bare.input(greedy, &many);
    bare.input(modest, &exists(1));
    let mut actions = Vec::new();
    while !actions.contains(&Action::Transmit(modest)) {
        actions.push(bare.server.poll_action().expect("the modest one is served"));
    }
    let served = bare.server.stats().requests(Op::Exists);
    assert!(served <= 200, "{served} before the modest one");
    bare.drain();
    assert_eq!(bare.read(modest).len(), 88);

    // A timeout that is early, late or repeated does no harm.
    for _ in 0..10 {
        bare.server.handle_timeout(bare.now);
        bare.server.handle_timeout(Instant::ZERO);
    }
    assert_eq!(bare.read(greedy).len(), 900 * 88);
    assert_eq!(bare.drain(), (vec![], vec![]));
    bare.server.check_invariants();
}

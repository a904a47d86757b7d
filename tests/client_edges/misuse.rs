//! Calls in any order, such as no good driver makes them: nothing panics, every accepted request
//! completes once, every connection ends once, and time goes on.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Disconnect, Instant, Rng, Secret, SessionId, Zxid,
    client::{
        Action, Config, Credentials, Event, HostPort, RequestId, SaslLogin, Session, State,
        SubmitOptions,
    },
    wire::{
        AddWatchMode, Blob, ConnectResponse, Encode, ErrorCode, EventKind, ReplyHeader, Response,
        SaslToken, Stat, WatcherEvent, WatcherType, Xid,
    },
};
use zookeeper_sim::{
    pair::request::{add_watch, exists, get_data},
    replay,
};

const START: Instant = Instant::from_millis(5_000);

/// More than any session takes to end that nobody helps.
const STEPS_MAX: usize = 10_000;

fn host(name: &str) -> HostPort {
    HostPort::new(name, 2181)
}

/// A session, and what is known of it.
struct Abused {
    session: Session,
    now: Instant,
    rng: Rng,
    conns: Vec<ConnId>,
    /// How often each accepted request completed.
    completed: BTreeMap<RequestId, usize>,
    /// How often each connection ended.
    ended: BTreeMap<ConnId, usize>,
    is_over: bool,
}

impl Abused {
    fn new(config: Config, credentials: Option<Credentials>, seed: u64) -> Self {
        let config = Arc::new(config);
        let session = match credentials {
            Some(credentials) => Session::resume(config, START, seed, credentials),
            None => Session::new(config, START, seed),
        };
        Self {
            session,
            now: START,
            rng: Rng::new(seed),
            conns: vec![ConnId::new(0, 77), ConnId::new(1, 77), ConnId::new(9, 0)],
            completed: BTreeMap::new(),
            ended: BTreeMap::new(),
            is_over: false,
        }
    }

    fn poll_event(&mut self) -> bool {
        let Some(event) = self.session.poll_event() else { return false };
        assert!(!self.is_over, "{event:?} behind the last event");
        match event {
            Event::Reply { id, .. } => *self.completed.get_mut(&id).expect("accepted") += 1,
            Event::ConnectionClosed { conn, .. } => {
                // It may end before its beginning was asked for.
                *self.ended.entry(conn).or_default() += 1;
            }
            Event::Closed(_) => self.is_over = true,
            _ => {}
        }
        true
    }

    fn poll_action(&mut self) -> bool {
        let Some(action) = self.session.poll_action() else { return false };
        if let Action::Connect { conn, .. } = action {
            self.conns.push(conn);
            self.ended.entry(conn).or_default();
        }
        true
    }

    fn drain(&mut self) {
        while self.poll_event() | self.poll_action() {}
    }

    /// Mostly the newest.
    fn conn(&mut self) -> ConnId {
        let count = self.conns.len();
        let index = if self.rng.one_in(4) { below(&mut self.rng, count) } else { count - 1 };
        self.conns[index]
    }

    fn time(&mut self) -> Instant {
        match self.rng.below(20) {
            0 => self.now = self.now + Duration::from_secs(3),
            1 => self.now = self.session.poll_timeout().unwrap_or(self.now).max(self.now),
            2..6 => self.now = self.now + Duration::from_millis(50),
            6 => return Instant::ZERO,
            _ => {}
        }
        self.now
    }

    fn bytes(&mut self) -> Vec<u8> {
        let xid = i32::try_from(self.rng.below(12)).expect("a small number");
        let mut bytes = match self.rng.below(13) {
            12 => token(),
            0..4 => hello(self.rng.below(8)),
            4..6 => reply(xid, ErrorCode::OK),
            6 => reply(xid, ErrorCode::NO_NODE),
            7 => reply(-2, ErrorCode::OK),
            8 => reply(-4, ErrorCode::OK),
            9 => notification(),
            10 => b"rw".to_vec(),
            _ => (0..self.rng.below(40)).map(|_| self.rng.next_u64().to_be_bytes()[7]).collect(),
        };
        if self.rng.one_in(4) {
            let count = bytes.len();
            bytes.truncate(below(&mut self.rng, count + 1));
        }
        bytes
    }

    fn submit(&mut self, now: Instant) {
        let watcher = self.session.new_watcher();
        let timeouts =
            [None, Some(Duration::ZERO), Some(Duration::MAX), Some(Duration::from_secs(1))];
        let timeout = pick(&mut self.rng, &timeouts);
        let options = SubmitOptions { watcher: Some(watcher), timeout };
        let session = &mut self.session;
        let id = match self.rng.below(6) {
            0 => session.submit(now, &exists("/a", true), options),
            1 => session.submit(now, &get_data("/b", true), options),
            2 => session.submit(now, &add_watch("/", AddWatchMode::Persistent.code()), options),
            3 => session.add_auth(now, "digest", b"bob:pw"),
            4 => session.remove_watches(now, "/a", None, WatcherType::Any, true),
            _ => session.submit(now, &get_data("/a", false), SubmitOptions::default()),
        };
        if let Ok(id) = id {
            assert_eq!(self.completed.insert(id, 0), None, "a name is used once");
        }
    }

    fn act(&mut self) {
        let now = self.time();
        let conn = self.conn();
        match self.rng.below(32) {
            0..5 => self.session.handle_connected(now, conn, ([127, 0, 0, 1], 1).into()),
            5..13 => {
                let bytes = self.bytes();
                self.session.handle_input(now, conn, &bytes);
            }
            13 => self.session.handle_eof(now, conn, Disconnect::Reset),
            14..17 => self.session.handle_timeout(now),
            17..21 => self.submit(now),
            21..24 => _ = self.poll_event(),
            24..27 => _ = self.poll_action(),
            27 => self.drain(),
            28..30 => {
                if let Some(mut transmit) = self.session.poll_transmit(conn) {
                    transmit.advance(transmit.chunk().len().min(19));
                }
            }
            30 if self.rng.one_in(2) => {
                let lists = [vec![], vec![host("b")], vec![host("a"), host("c"), host("d")]];
                let list = pick(&mut self.rng, &lists);
                self.session.update_hosts(now, list);
            }
            31 if self.rng.one_in(8) => self.session.close(now),
            31 if self.rng.one_in(16) => self.session.detach(now),
            _ => _ = self.session.wants_read(conn),
        }
        self.session.check_invariants();
    }

    /// From here on by the contract: time goes on, and there is an end.
    fn finish(mut self) {
        self.drain();
        self.session.close(self.now);
        for _ in 0..STEPS_MAX {
            self.drain();
            self.session.check_invariants();
            let Some(at) = self.session.poll_timeout() else { break };
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.drain();
            let next = self.session.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "{:?}", self.session.timeout_reason());
        }
        assert!(self.is_over, "it waits for {:?}", self.session.timeout_reason());
        assert_eq!((self.session.in_flight(), self.session.queued()), (0, 0));
        assert!(self.completed.values().all(|&times| times == 1), "{:?}", self.completed);
        assert!(self.ended.values().all(|&times| times == 1), "{:?}", self.ended);
    }
}

fn below(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(count as u64)).expect("below a number of this type")
}

fn pick<T: Clone>(rng: &mut Rng, list: &[T]) -> T {
    list[below(rng, list.len())].clone()
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a small frame");
    [&length.to_be_bytes(), body].concat()
}

/// An answer to a handshake; mostly a good one.
fn hello(kind: u64) -> Vec<u8> {
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: if kind == 0 { 1 } else { 4_000 },
        session: SessionId(7),
        password: Some(Blob::Slice(&[1; 16])),
        read_only: Some(kind < 3),
    };
    frame(&response.to_vec())
}

fn reply(xid: i32, error: ErrorCode) -> Vec<u8> {
    let header = ReplyHeader { xid: Xid(xid), zxid: Zxid(9), error };
    let record = Response::Data { data: None, stat: Stat::default() };
    frame(&[header.to_vec(), record.to_vec()].concat())
}

/// A challenge of SASL.
fn token() -> Vec<u8> {
    let header = ReplyHeader { xid: Xid(1), zxid: Zxid::ZERO, error: ErrorCode::OK };
    let token = SaslToken { token: Some(Blob::Slice(b"nonce=x")) };
    frame(&[header.to_vec(), token.to_vec()].concat())
}

fn notification() -> Vec<u8> {
    let header = ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(9), error: ErrorCode::OK };
    let event = WatcherEvent {
        kind: EventKind::NodeDeleted.code(),
        state: WatcherEvent::SYNC_CONNECTED,
        path: Some("/a".into()),
    };
    frame(&[header.to_vec(), event.to_vec()].concat())
}

/// Settings of which some make no sense.
fn config(rng: &mut Rng) -> Config {
    let mut config = Config::new(["a", "b", "c"].map(host)[..=below(rng, 3)].to_vec());
    let durations = [Duration::ZERO, Duration::MAX, Duration::from_secs(4), Duration::from_secs(9)];
    let mut duration = || pick(rng, &durations);
    config.session_timeout = duration();
    config.request_timeout = Some(duration());
    config.new_session_timeout = Some(duration()).filter(|duration| !duration.is_zero());
    config.backoff.jitter = duration().min(Duration::from_secs(9));
    config.can_be_read_only = rng.one_in(2);
    config.auto_watch_reset = rng.one_in(2);
    config.sasl = rng.one_in(4).then(|| SaslLogin {
        user: "bob".into(),
        password: Secret("pw".into()),
        client_nonce: None,
    });
    let limits = [0, 1, 40, 1_000, usize::MAX];
    let mut limit = || pick(rng, &limits);
    config.frame_length_max = limit().max(40);
    config.requests_max = limit();
    config.request_bytes_max = limit();
    config.watches_max = limit();
    config.watch_bytes_max = limit();
    config.set_watches_bytes_max = limit();
    config.first_xid = Xid(pick(rng, &[1, 0, -5, i32::MAX, i32::MAX - 2]));
    config
}

#[test]
fn calls_in_any_order_do_no_harm() {
    let first = replay::seed();
    for seed in (0..replay::operations(1_000)).map(|round| first.wrapping_add(round)) {
        let mut rng = Rng::new(seed);
        let config = config(&mut rng);
        let credentials = rng.one_in(3).then(|| Credentials {
            session: SessionId(7),
            password: Secret(bytes::Bytes::from_static(b"password")),
        });
        let mut abused = Abused::new(config, credentials, seed);
        for _ in 0..200 {
            abused.act();
        }
        abused.finish();
    }
}

/// Bytes of a socket that is not said to be connected yet hold up no time limit.
#[test]
fn bytes_before_the_connection_do_not_stop_time() {
    let mut abused = Abused::new(Config::new(vec![host("a")]), None, 1);
    abused.drain();
    let conn = abused.conns[abused.conns.len() - 1];
    abused.session.handle_input(abused.now, conn, &hello(7));
    abused.drain();
    assert_eq!(abused.session.state(), State::Connecting);
    let at = abused.session.poll_timeout().expect("a time limit");
    abused.session.handle_timeout(at);
    abused.drain();
    assert_eq!(abused.ended[&conn], 1);
    assert!(abused.session.poll_timeout().is_some_and(|next| next > at));
    abused.finish();
}

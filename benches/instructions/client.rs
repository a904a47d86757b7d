//! What is counted of a client's session: what a request costs from its submission until its reply
//! is read, and what comes unasked.

use std::{hint::black_box, mem, net::SocketAddr, sync::Arc};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Instant, SessionId, Zxid,
    client::{Action, Config, Event, HostPort, Session, SubmitOptions, WatcherId},
    wire::{
        AddWatchMode, Blob, ConnectResponse, Encode, ErrorCode, EventKind, PASSWORD_LENGTH,
        ReplyHeader, Request, Response, Stat, Text, WatchRequest, WatcherEvent, Xid,
    },
};

use crate::{
    Line,
    machine::with_length,
    scenarios::{DATA, PATH, PIPELINED, read, set_request},
};

/// Virtual time between two turns of the driver.
const TURN_US: u64 = 10;

/// A session that sends nothing by itself while it is counted.
const TIMEOUT_MS: i32 = i32::MAX;

/// Of the handshake's and all later replies.
const ZXID: Zxid = Zxid(7);

/// One line of the table.
struct Scenario {
    name: &'static str,
    budget: Option<u64>,
    /// How many replies or events come at a time.
    in_flight: usize,
    load: Load,
}

/// What is repeated.
enum Load {
    /// This request, and its reply.
    Request { request: Request<'static>, response: Response<'static> },
    /// This request with a watch, its reply, and the watch's event.
    Watched { request: Request<'static>, response: Response<'static> },
    /// The event of a persistent watch.
    Event,
    /// A ping and its reply.
    Ping,
}

/// Every line of the table, in its order.
pub(crate) fn all() -> Vec<Box<dyn Line>> {
    let stat = Stat::default();
    let data = Response::Data { data: Some(Blob::from(&DATA[..])), stat };
    let get = || Request::GetData(read(PATH));
    let set = || Request::SetData(set_request());
    let line = |name, budget, in_flight, load| -> Box<dyn Line> {
        Box::new(Scenario { name, budget, in_flight, load })
    };
    let request = |request, response| Load::Request { request, response };
    let (goal, many) = (Some(1_500), PIPELINED);
    vec![
        line("client: getData of 100 bytes", goal, many, request(get(), data)),
        line("client: getData, one in flight", None, 1, request(get(), data)),
        line("client: setData of 100 bytes", goal, many, request(set(), Response::Stat(stat))),
        line("client: setData, one in flight", None, 1, request(set(), Response::Stat(stat))),
        line(
            "client: getData with a watch, and its event",
            None,
            many,
            Load::Watched { request: get(), response: data },
        ),
        line("client: event of a persistent watch", None, many, Load::Event),
        line("client: ping, one in flight", None, 1, Load::Ping),
    ]
}

impl Line for Scenario {
    fn name(&self) -> &'static str {
        self.name
    }

    fn budget(&self) -> Option<u64> {
        self.budget
    }

    fn check(&self, repetitions: usize) {
        let mut scene = self.scene(repetitions);
        scene.run(repetitions);
        let events = match self.load {
            Load::Watched { .. } => 2 * repetitions,
            Load::Request { .. } | Load::Event => repetitions,
            Load::Ping => 0,
        };
        let requests = if matches!(self.load, Load::Event) { 0 } else { repetitions };
        let (client, name) = (&scene.client, self.name);
        assert_eq!(client.events, events, "{name}");
        assert_eq!(client.frames, requests, "{name}");
        assert_eq!(client.session.in_flight(), 0, "{name}");
        client.session.check_invariants();
    }

    fn count(&self, most: usize, repetitions: usize) {
        let mut scene = self.scene(most);
        scene.run(repetitions);
        mem::forget(scene);
    }
}

impl Scenario {
    /// Sets the scene for up to `most` repetitions: all that the server says is ready.
    fn scene(&self, most: usize) -> Scene<'_> {
        let mut client = Client::connect();
        if matches!(self.load, Load::Event) {
            client.add_watch();
        }
        let first = if matches!(self.load, Load::Event) { 2 } else { 1 };
        let numbers: Vec<usize> = (first..first + most).collect();
        let says = |number: &usize| self.says(i32::try_from(*number).expect("few"));
        let turns = numbers.chunks(self.in_flight);
        let turns = turns.map(|turn| turn.iter().flat_map(says).collect()).collect();
        (client.events, client.frames) = (0, 0);
        Scene { scenario: self, client, turns }
    }

    /// What the server says in one repetition, to the request of this number.
    fn says(&self, xid: i32) -> Vec<u8> {
        match &self.load {
            Load::Request { response, .. } => reply(Xid(xid), response),
            Load::Watched { response, .. } => [reply(Xid(xid), response), event()].concat(),
            Load::Event => event(),
            Load::Ping => reply(Xid::PING, &Response::Empty),
        }
    }
}

/// A scenario whose scene is set.
struct Scene<'a> {
    scenario: &'a Scenario,
    client: Client,
    /// What the server says, turn by turn.
    turns: Vec<Vec<u8>>,
}

impl Scene<'_> {
    /// The part that counts.
    fn run(&mut self, repetitions: usize) {
        let in_flight = self.scenario.in_flight;
        let watcher = self.client.session.new_watcher();
        for says in &self.turns[..repetitions / in_flight] {
            match &self.scenario.load {
                Load::Request { request, .. } => self.client.submit(in_flight, request, None),
                Load::Watched { request, .. } => {
                    self.client.submit(in_flight, request, Some(watcher));
                }
                Load::Event => {}
                Load::Ping => self.client.wait(),
            }
            self.client.hear(says);
        }
    }
}

/// A session and the least a driver does.
struct Client {
    session: Session,
    now: Instant,
    conn: ConnId,
    /// Replies and watch events seen.
    events: usize,
    /// Frames sent, as far as whole ones are written at a time.
    frames: usize,
}

impl Client {
    /// A session with a server.
    fn connect() -> Self {
        let mut config = Config::new(vec![HostPort::new("server", 2181)]);
        config.session_timeout = std::time::Duration::from_secs(1 << 20);
        let mut session = Session::new(Arc::new(config), Instant::ZERO, 1);
        let Some(Action::Connect { conn, .. }) = session.poll_action() else {
            panic!("a session connects at once");
        };
        let mut client = Self { session, now: Instant::ZERO, conn, events: 0, frames: 0 };
        client.session.handle_connected(client.now, conn, SocketAddr::from(([10, 0, 0, 1], 2181)));
        client.drain();
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms: TIMEOUT_MS,
            session: SessionId(1),
            password: Some(Blob::from(&[1; PASSWORD_LENGTH][..])),
            read_only: Some(false),
        };
        client.hear(&with_length(response.to_vec()));
        assert_eq!(client.session.session_id(), SessionId(1));
        client
    }

    /// Sets a persistent watch while the scene is set.
    fn add_watch(&mut self) {
        let watcher = self.session.new_watcher();
        let mode = AddWatchMode::Persistent.code();
        let request = Request::AddWatch(WatchRequest { path: Some(Text::from(PATH)), mode });
        self.submit(1, &request, Some(watcher));
        self.hear(&reply(Xid(1), &Response::Error(ErrorCode::OK)));
        assert_eq!(self.session.watches(), 1);
    }

    /// The application asks.
    fn submit(&mut self, count: usize, request: &Request<'_>, watcher: Option<WatcherId>) {
        self.tick();
        for _ in 0..count {
            let options = SubmitOptions { watcher, timeout: None };
            black_box(self.session.submit(self.now, request, options)).expect("there is room");
        }
        self.drain();
    }

    /// Nothing happens until something is due.
    fn wait(&mut self) {
        self.now = self.session.poll_timeout().expect("a ping is due");
        self.session.handle_timeout(self.now);
        self.drain();
    }

    /// The server says something.
    fn hear(&mut self, bytes: &[u8]) {
        self.tick();
        self.session.handle_input(self.now, self.conn, bytes);
        self.drain();
    }

    fn tick(&mut self) {
        self.now = Instant::from_micros(self.now.as_micros() + TURN_US);
    }

    fn drain(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                match black_box(&event) {
                    Event::Reply { result: Ok(_), .. } | Event::Watch { .. } => self.events += 1,
                    Event::StateChanged { .. } => {}
                    other => panic!("unexpected {other:?}"),
                }
            }
            match self.session.poll_action() {
                Some(Action::Transmit(conn)) => self.transmit(conn),
                Some(other) => panic!("unexpected {other:?}"),
                None => break,
            }
        }
        assert!(self.session.poll_timeout().is_some_and(|at| at > self.now), "work was left");
    }

    fn transmit(&mut self, conn: ConnId) {
        while let Some(mut transmit) = self.session.poll_transmit(conn) {
            let mut chunk = black_box(transmit.chunk());
            let count = chunk.len();
            while let Some((length, rest)) = chunk.split_first_chunk() {
                chunk = &rest[u32::from_be_bytes(*length) as usize..];
                self.frames += 1;
            }
            transmit.advance(count);
        }
    }
}

/// A successful reply.
fn reply(xid: Xid, response: &Response<'_>) -> Vec<u8> {
    let header = ReplyHeader { xid, zxid: ZXID, error: ErrorCode::OK };
    with_length([header.to_vec(), response.to_vec()].concat())
}

/// The notification of a change of the path.
fn event() -> Vec<u8> {
    let header = ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(-1), error: ErrorCode::OK };
    let event = WatcherEvent {
        kind: EventKind::NodeDataChanged.code(),
        state: WatcherEvent::SYNC_CONNECTED,
        path: Some(Text::from(PATH)),
    };
    with_length([header.to_vec(), event.to_vec()].concat())
}

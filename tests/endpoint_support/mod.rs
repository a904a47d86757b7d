//! An endpoint with virtual time, virtual sockets and a small backend of its own.
#![allow(dead_code, reason = "every test file uses its part")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Disconnect, Instant, RequestId, SessionId, Zxid,
    endpoint::{Action, CloseReason, Config, Connect, Endpoint, Event, Grant, Refusal, Reply},
    wire::{
        Blob, ConnectRequest, Encode, ErrorCode, Op, Reader, ReplyHeader, Request, RequestHeader,
        Response, Stat, Xid,
    },
};

/// A request that the backend has not answered yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) id: RequestId,
    pub(crate) xid: i32,
    pub(crate) op: Op,
    pub(crate) session: SessionId,
    pub(crate) identities: Vec<String>,
}

/// What the socket and the wire of one connection look like from outside.
#[derive(Debug, Default)]
struct Socket {
    /// Everything written.
    written: Vec<u8>,
    /// How many bytes it takes before it blocks; `None` is any number.
    room: Option<usize>,
    /// Whether the driver waits for it to take more.
    is_armed: bool,
}

/// The endpoint, its driver and its backend.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: Instant,
    pub(crate) applied: i64,
    /// Whether the backend makes everything durable at once.
    pub(crate) is_durable_at_once: bool,
    /// Whether the backend answers at once.
    pub(crate) answers: bool,
    /// Data in the backend's replies to getData, in bytes.
    pub(crate) data_length: usize,
    /// Requests the backend was lent and has not answered, oldest first.
    pub(crate) asked: VecDeque<Asked>,
    /// Requests in the order in which they were lent.
    pub(crate) served: Vec<(ConnId, i32)>,
    pub(crate) connects: Vec<(ConnId, Connect)>,
    /// Whether the backend answers connects at once.
    pub(crate) accepts: bool,
    pub(crate) commands: Vec<(ConnId, String)>,
    pub(crate) expired: Vec<SessionId>,
    pub(crate) closed: Vec<(ConnId, Option<SessionId>, CloseReason)>,
    /// Actions to read again, in order.
    pub(crate) reads: Vec<ConnId>,
    /// Sessions, and whether they live.
    pub(crate) sessions: BTreeMap<SessionId, bool>,
    open: BTreeSet<ConnId>,
    sockets: BTreeMap<ConnId, Socket>,
}

pub(crate) const PASSWORD: [u8; 16] = *b"0123456789abcdef";
pub(crate) const TICK: Duration = Duration::from_millis(2_000);

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.tick = TICK;
    config
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let now = Instant::from_millis(1_000);
        Self {
            endpoint: Endpoint::new(Arc::new(config), now, 1),
            now,
            applied: 0,
            is_durable_at_once: true,
            answers: true,
            data_length: 8,
            asked: VecDeque::new(),
            served: Vec::new(),
            connects: Vec::new(),
            accepts: true,
            commands: Vec::new(),
            expired: Vec::new(),
            closed: Vec::new(),
            reads: Vec::new(),
            sessions: BTreeMap::new(),
            open: BTreeSet::new(),
            sockets: BTreeMap::new(),
        }
    }

    pub(crate) fn peer() -> SocketAddr {
        "10.0.0.1:4711".parse().unwrap()
    }

    pub(crate) fn accept(&mut self) -> ConnId {
        let conn = self.endpoint.handle_accept(self.now, Self::peer()).unwrap();
        self.open.insert(conn);
        self.sockets.insert(conn, Socket::default());
        self.drain();
        conn
    }

    /// Accepts a connection and gives it a new session.
    pub(crate) fn connect(&mut self) -> (ConnId, SessionId) {
        let conn = self.accept();
        self.input(conn, &connect_frame(SessionId::NONE, 4_000));
        let session = self.endpoint.session(conn).expect("the backend accepts");
        self.take_output(conn);
        (conn, session)
    }

    pub(crate) fn input(&mut self, conn: ConnId, bytes: &[u8]) {
        self.endpoint.handle_input(self.now, conn, bytes);
        self.drain();
    }

    /// Gives input without looking at what becomes of it.
    pub(crate) fn input_undrained(&mut self, conn: ConnId, bytes: &[u8]) {
        self.endpoint.handle_input(self.now, conn, bytes);
    }

    pub(crate) fn eof(&mut self, conn: ConnId, cause: Disconnect) {
        self.endpoint.handle_eof(self.now, conn, cause);
        self.drain();
    }

    /// Lets time pass, waking up when the endpoint asks for it.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..1_000_000 {
            let wake = self.endpoint.poll_timeout().unwrap_or(until).max(self.now).min(until);
            self.now = wake;
            self.endpoint.handle_timeout(wake);
            self.drain();
            let next = self.endpoint.poll_timeout();
            if wake == until && next.is_none_or(|next| next > until) {
                return;
            }
        }
        panic!("poll_timeout stays due: {:?}", self.endpoint.timeout_reason());
    }

    pub(crate) fn release(&mut self, durable: i64) {
        self.endpoint.release(self.now, Zxid(durable));
        self.drain();
        self.pass(Duration::ZERO);
    }

    /// Sets how many bytes the socket takes from now on; `None` is any number.
    pub(crate) fn set_room(&mut self, conn: ConnId, room: Option<usize>) {
        let socket = self.sockets.get_mut(&conn).unwrap();
        socket.room = room;
        if room != Some(0) && std::mem::take(&mut socket.is_armed) {
            self.transmit(conn);
            self.drain();
        }
    }

    /// What was written since the last call.
    pub(crate) fn take_output(&mut self, conn: ConnId) -> Vec<u8> {
        std::mem::take(&mut self.sockets.get_mut(&conn).unwrap().written)
    }

    /// The replies written since the last call: xid, zxid and error of each.
    pub(crate) fn take_replies(&mut self, conn: ConnId) -> Vec<(i32, i64, i32)> {
        let output = self.take_output(conn);
        frames(&output)
            .into_iter()
            .map(|body| {
                let header: ReplyHeader = Reader::new(body).read().unwrap();
                (header.xid.0, header.zxid.0, header.error.0)
            })
            .collect()
    }

    pub(crate) fn take_xids(&mut self, conn: ConnId) -> Vec<i32> {
        self.take_replies(conn).into_iter().map(|(xid, _, _)| xid).collect()
    }

    pub(crate) fn is_open(&self, conn: ConnId) -> bool {
        self.open.contains(&conn)
    }

    /// The reason of the one end of `conn`.
    pub(crate) fn reason(&self, conn: ConnId) -> Option<&CloseReason> {
        let mut ends = self.closed.iter().filter(|(id, _, _)| *id == conn);
        let end = ends.next();
        assert!(ends.next().is_none(), "every connection ends once");
        end.map(|(_, _, reason)| reason)
    }

    /// Answers the oldest request.
    pub(crate) fn answer(&mut self) {
        let asked = self.asked.pop_front().unwrap();
        self.reply(&asked);
        self.drain();
    }

    /// The driver's and the backend's part, until nothing is left to do.
    pub(crate) fn drain(&mut self) {
        loop {
            let mut is_idle = true;
            while let Some(event) = self.endpoint.poll_event() {
                is_idle = false;
                self.event(event);
            }
            while let Some(incoming) = self.endpoint.poll_request() {
                is_idle = false;
                let asked = Asked {
                    id: incoming.id,
                    xid: incoming.xid.0,
                    op: incoming.request.op(),
                    session: incoming.caller.session,
                    identities: incoming
                        .caller
                        .identities
                        .iter()
                        .map(|id| format!("{}:{}", id.scheme, id.id))
                        .collect(),
                };
                self.served.push((asked.id.conn, asked.xid));
                self.asked.push_back(asked);
                while self.answers
                    && let Some(asked) = self.asked.pop_front()
                {
                    self.reply(&asked);
                }
            }
            while let Some(action) = self.endpoint.poll_action() {
                is_idle = false;
                match action {
                    Action::Transmit(conn) => {
                        assert!(self.open.contains(&conn), "{conn} is closed");
                        assert!(!self.sockets[&conn].is_armed, "announced what is known");
                        self.transmit(conn);
                    }
                    Action::Read(conn) => {
                        assert!(self.open.contains(&conn));
                        self.reads.push(conn);
                    }
                    Action::Close(conn) => assert!(self.open.remove(&conn), "closed twice"),
                    other => panic!("unknown action {other:?}"),
                }
            }
            if is_idle {
                break;
            }
        }
        self.endpoint.check_invariants();
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connect { conn, request } => {
                self.connects.push((conn, request.clone()));
                if self.accepts {
                    self.decide(conn, &request);
                }
            }
            Event::Expired { session } => {
                self.expired.push(session);
                self.end(session);
            }
            Event::Command { conn, command } => self.commands.push((conn, command.to_string())),
            Event::ConnectionClosed { conn, session, reason } => {
                self.closed.push((conn, session, reason));
            }
            other => panic!("unknown event {other:?}"),
        }
    }

    /// Answers a connect as a server does.
    pub(crate) fn decide(&mut self, conn: ConnId, request: &Connect) {
        let (now, timeout) = (self.now, request.timeout);
        if request.last_zxid_seen.0 > self.applied {
            return self.endpoint.refuse_session(now, conn, Refusal::ClientAhead);
        }
        let (session, hold) = if request.session == SessionId::NONE {
            let zxid = self.next_zxid();
            let session = SessionId(0x100 + zxid.0);
            self.sessions.insert(session, true);
            (session, zxid)
        } else if self.sessions.get(&request.session) == Some(&true)
            && *request.password == PASSWORD
        {
            (request.session, Zxid::ZERO)
        } else {
            let refusal = Refusal::Expired { hold: Zxid::ZERO };
            return self.endpoint.refuse_session(now, conn, refusal);
        };
        let grant = Grant { session, password: PASSWORD, timeout, read_only: false, hold };
        self.endpoint.accept_session(now, conn, grant);
    }

    fn next_zxid(&mut self) -> Zxid {
        self.applied += 1;
        if self.is_durable_at_once {
            self.endpoint.release(self.now, Zxid(self.applied));
        }
        Zxid(self.applied)
    }

    fn end(&mut self, session: SessionId) {
        let zxid = self.next_zxid();
        self.sessions.insert(session, false);
        self.endpoint.end_session(self.now, session, zxid);
    }

    fn reply(&mut self, asked: &Asked) {
        let data = vec![7; self.data_length];
        let (mut zxid, mut body, mut hold) = (None, Response::Empty, Zxid::ZERO);
        if asked.op.is_write() {
            hold = self.next_zxid();
            zxid = Some(hold);
        } else if asked.op == Op::GetData {
            body = Response::Data { data: Some(Blob::Slice(&data)), stat: Stat::default() };
        } else if asked.op == Op::Sync {
            hold = Zxid(self.applied);
        }
        let reply = Reply { zxid, error: ErrorCode::OK, body, hold };
        self.endpoint.reply(self.now, asked.id, reply);
        if asked.op == Op::CloseSession {
            self.sessions.insert(asked.session, false);
            self.endpoint.end_session(self.now, asked.session, hold);
        }
    }

    fn transmit(&mut self, conn: ConnId) {
        let socket = self.sockets.get_mut(&conn).unwrap();
        while let Some(mut transmit) = self.endpoint.poll_transmit(conn) {
            if socket.room == Some(0) {
                socket.is_armed = true;
                return;
            }
            let mut slices = [std::io::IoSlice::new(&[]); 4];
            let count = transmit.chunks_vectored(&mut slices);
            let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
            assert!(!all.is_empty(), "lent nothing");
            let taken = all.len().min(socket.room.unwrap_or(usize::MAX));
            socket.written.extend_from_slice(&all[..taken]);
            socket.room = socket.room.map(|room| room - taken);
            transmit.advance(taken);
        }
    }
}

/// Length and body.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = i32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// The bodies of whole frames.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while !bytes.is_empty() {
        let length = usize::try_from(bytes.get_i32()).unwrap();
        let (body, rest) = bytes.split_at(length);
        bodies.push(body);
        bytes = rest;
    }
    bodies
}

pub(crate) fn connect_request(session: SessionId, timeout_ms: i32) -> ConnectRequest<'static> {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms,
        session,
        password: Some(Blob::Slice(&PASSWORD)),
        read_only: Some(false),
    }
}

pub(crate) fn connect_frame(session: SessionId, timeout_ms: i32) -> Vec<u8> {
    frame(&connect_request(session, timeout_ms).to_vec())
}

/// A frame with `record` behind the header of an operation by number.
pub(crate) fn raw_request(xid: i32, op: i32, record: &[u8]) -> Vec<u8> {
    let mut body = RequestHeader { xid: Xid(xid), op }.to_vec();
    body.extend_from_slice(record);
    frame(&body)
}

pub(crate) fn request(xid: i32, request: &Request<'_>) -> Vec<u8> {
    raw_request(xid, request.op().code(), &request.to_vec())
}

/// `getData("/a", false)`, by hand.
pub(crate) fn get_data(xid: i32) -> Vec<u8> {
    raw_request(xid, 4, &[0, 0, 0, 2, b'/', b'a', 0])
}

/// `setData("/a", "x", -1)`, by hand.
pub(crate) fn set_data(xid: i32) -> Vec<u8> {
    let record = [&[0, 0, 0, 2, b'/', b'a', 0, 0, 0, 1, b'x'][..], &[0xff; 4]].concat();
    raw_request(xid, 5, &record)
}

pub(crate) fn ping() -> Vec<u8> {
    raw_request(-2, 11, &[])
}

pub(crate) fn close_session(xid: i32) -> Vec<u8> {
    raw_request(xid, -11, &[])
}

pub(crate) fn auth(scheme: &str, credentials: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 4];
    scheme.encode(&mut record);
    Blob::Slice(credentials).encode(&mut record);
    raw_request(-4, 100, &record)
}

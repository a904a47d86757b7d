//! A server with clients and a store around it, and the checks of what the server promised them.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Disconnect, Instant, SessionId, Ticket, Zxid,
    server::{Action, Config, Event, Recovered, Server},
    storage::{Dir, FileOp, Lane, StorageError},
    wire::{Command, ConnectResponse, LENGTH_BYTES, PASSWORD_LENGTH, Reader, ReplyHeader, Xid},
};

use crate::snapshot;

/// More steps than anything takes that comes to an end.
const STEPS_MAX: usize = 100_000;

/// 2026-01-01, in milliseconds of Unix time.
const WALL_CLOCK_MS: i64 = 1_767_225_600_000;

/// A session as its client knows it.
pub(super) type Credentials = (SessionId, [u8; PASSWORD_LENGTH]);

/// A server, its clients, its store.
#[derive(Debug)]
pub(super) struct World {
    server: Server,
    config: Arc<Config>,
    now: Instant,
    clients: Vec<Client>,
    sessions: Vec<Credentials>,
    lanes: [Queue; 2],
    /// What was written to the directory of snapshots, by name.
    files: BTreeMap<Box<str>, Vec<u8>>,
    /// Whether a snapshot is there for good, as the server says.
    has_snapshot: bool,
    /// Whether the store has failed where the server cannot go on.
    is_failing: bool,
}

/// One lane of the store: what it was asked to do and has not done.
#[derive(Debug, Default)]
struct Queue {
    queue: VecDeque<(Ticket, FileOp)>,
    newest: Option<Ticket>,
}

/// One connection as its client and its driver see it.
#[derive(Debug)]
struct Client {
    conn: ConnId,
    /// Sent, and not read by the driver yet.
    input: VecDeque<u8>,
    /// The first bytes the server was given.
    first: Vec<u8>,
    /// Whether the driver was told to read.
    is_read: bool,
    end: Option<Disconnect>,
    /// Whether the driver saw the end.
    is_gone: bool,
    /// How many bytes its socket takes; `None` is any number.
    window: Option<usize>,
    /// Received, and not a whole frame yet.
    output: Vec<u8>,
    has_answer: bool,
    last_zxid: Zxid,
    /// Whether its terminal event came.
    has_ended: bool,
    is_closed: bool,
}

impl World {
    /// A fresh server; `is_late` leaves the snapshot to later that its log waits for.
    pub(super) fn new(config: Arc<Config>, is_late: bool) -> Self {
        let now = Instant::from_millis(1_000);
        let mut server = Server::new(config.clone(), now, 1, Recovered::empty());
        server.handle_wall_clock(now, WALL_CLOCK_MS);
        let (clients, sessions) = (vec![], vec![]);
        let (lanes, files) = Default::default();
        let mut world = Self {
            server,
            config,
            now,
            clients,
            sessions,
            lanes,
            files,
            has_snapshot: false,
            is_failing: false,
        };
        world.settle();
        while !is_late && !world.lanes[slot(Lane::Snapshot)].queue.is_empty() {
            world.store(Lane::Snapshot, usize::MAX);
            world.settle();
        }
        world
    }

    /// The sessions clients were granted, in order.
    pub(super) fn sessions(&self) -> &[Credentials] {
        &self.sessions
    }

    pub(super) fn accept(&mut self, address: u8) {
        let peer = ([127, 0, 0, address], 4_000).into();
        // A refusal is an answer too.
        let Ok(conn) = self.server.handle_accept(self.now, peer) else { return };
        assert!(self.clients.iter().all(|client| client.conn != conn), "{conn} is used again");
        self.clients.push(Client::new(conn));
    }

    /// What a client sends lies in its socket until the driver may read.
    pub(super) fn send(&mut self, client: u8, bytes: &[u8]) {
        let index = usize::from(client);
        let Some(client) = self.clients.get_mut(index) else { return };
        if client.is_closed {
            // Whatever a driver still says about it: nothing happens.
            self.server.handle_input(self.now, client.conn, bytes);
            assert!(!self.server.wants_read(client.conn));
            assert!(self.server.poll_transmit(client.conn).is_none());
        } else if client.end.is_none() {
            client.input.extend(bytes);
            self.read(index);
        }
    }

    pub(super) fn set_window(&mut self, client: u8, window: Option<usize>) {
        let index = usize::from(client);
        let Some(client) = self.clients.get_mut(index) else { return };
        client.window = window;
        self.write(index);
    }

    pub(super) fn end(&mut self, client: u8, cause: Disconnect) {
        let index = usize::from(client);
        let Some(client) = self.clients.get_mut(index) else { return };
        client.end.get_or_insert(cause);
        self.read(index);
    }

    pub(super) fn disconnect(&mut self, client: u8) {
        let Some(client) = self.clients.get(usize::from(client)) else { return };
        self.server.disconnect(self.now, client.conn);
    }

    pub(super) fn shutdown(&mut self) {
        self.server.shutdown(self.now);
    }

    pub(super) fn sleep(&mut self, time: Duration) {
        self.now = self.now + time;
        // Sooner, later or never due: harmless.
        self.server.handle_timeout(self.now);
    }

    /// A clock that goes back is taken for one that stands still.
    pub(super) fn look_back(&mut self, time: Duration) {
        self.server.handle_timeout(self.now - time);
    }

    pub(super) fn set_wall_clock(&mut self, offset_ms: i64) {
        self.server.handle_wall_clock(self.now, WALL_CLOCK_MS + offset_ms);
    }

    /// The store has done the next `count` operations of a lane.
    pub(super) fn store(&mut self, lane: Lane, count: usize) {
        let queue = &mut self.lanes[slot(lane)].queue;
        let done: Vec<_> = queue.drain(..count.min(queue.len())).collect();
        let newest = done.last().map(|&(ticket, _)| ticket);
        done.into_iter().for_each(|(_, op)| self.execute(op));
        if let Some(newest) = newest {
            self.server.handle_stored(self.now, lane, newest);
        }
    }

    /// The store has failed at the next operation of a lane.
    pub(super) fn fail_store(&mut self, lane: Lane) {
        let Some((ticket, op)) = self.lanes[slot(lane)].queue.pop_front() else { return };
        // Without the snapshot that the log waits for it cannot go on either.
        self.is_failing |= lane == Lane::Log || !self.has_snapshot;
        let error = StorageError {
            file: "file".into(),
            operation: op.name(),
            kind: io::ErrorKind::StorageFull,
            message: "no space".into(),
        };
        self.server.handle_storage_error(self.now, lane, ticket, error);
    }

    /// What becomes of snapshots.
    fn execute(&mut self, op: FileOp) {
        match op {
            FileOp::Create { file, .. } if file.dir == Dir::Snapshot => {
                self.files.insert(file.name, Vec::new());
                let temporaries = self.files.keys().filter(|name| name.starts_with("tmp."));
                assert_eq!(temporaries.count(), 1, "one at a time");
            }
            FileOp::Append { file, bytes } if file.dir == Dir::Snapshot => {
                // What follows a failure in its lane fails, too.
                if let Some(contents) = self.files.get_mut(&file.name) {
                    contents.extend_from_slice(&bytes);
                }
            }
            FileOp::Rename { from, to } => {
                let contents = self.files.remove(&from.name).expect("it was written");
                let zxid = snapshot::read(&contents).last_zxid.expect("its transaction");
                assert_eq!(*to, *format!("snapshot.{:x}", zxid.0));
                assert!(zxid <= self.server.durable(), "the log has all of it");
                self.files.insert(to, contents);
            }
            FileOp::Remove { file } if file.dir == Dir::Snapshot => {
                self.files.remove(&file.name);
            }
            _ => {}
        }
    }

    /// Does what the server asks for until it asks for nothing, and checks it then.
    pub(super) fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.drain() {
                continue;
            }
            if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
                self.server.handle_timeout(self.now);
                continue;
            }
            self.look_around();
            if !self.drain() {
                return self.check();
            }
        }
        panic!("the server does not come to rest: {:?}", self.server.timeout_reason());
    }

    /// Everybody reads, the store works, the server shuts down: nothing is left.
    pub(super) fn finish(mut self) {
        for index in 0..self.clients.len() {
            self.clients[index].window = None;
            self.write(index);
        }
        self.settle();
        self.shutdown();
        self.settle();
        for _ in 0..STEPS_MAX {
            if self.server.is_drained() {
                break;
            }
            let is_idle = self.lanes.iter().all(|lane| lane.queue.is_empty());
            self.store(Lane::Log, usize::MAX);
            self.store(Lane::Snapshot, usize::MAX);
            self.settle();
            if is_idle && !self.server.is_drained() {
                let at = self.server.poll_timeout().expect("something is still to come");
                self.now = self.now.max(at);
                self.server.handle_timeout(self.now);
                self.settle();
            }
        }
        assert!(self.server.is_drained(), "the server shuts down");
        assert_eq!(self.server.connection_count(), 0);
        for client in &self.clients {
            assert!(client.is_closed && client.has_ended, "{} has ended", client.conn);
        }
    }

    /// One pass over everything that is polled. False when there was nothing.
    fn drain(&mut self) -> bool {
        let mut is_busy = false;
        while let Some(event) = self.server.poll_event() {
            is_busy = true;
            self.event(&event);
        }
        while let Some(action) = self.server.poll_action() {
            is_busy = true;
            self.act(action);
        }
        is_busy
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::ConnectionClosed { conn, .. } => {
                let index = self.index(*conn);
                assert!(!self.clients[index].has_ended, "{conn} ends once");
                self.clients[index].has_ended = true;
            }
            Event::SnapshotStored { .. } => self.has_snapshot = true,
            Event::Failed { .. } => assert!(self.is_failing, "{event:?}"),
            _ => {}
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Transmit(conn) => {
                let index = self.live(conn);
                self.write(index);
            }
            Action::Read(conn) => {
                let index = self.live(conn);
                self.clients[index].is_read = true;
                self.read(index);
            }
            Action::Close(conn) => {
                let index = self.live(conn);
                self.clients[index].is_closed = true;
            }
            Action::Store { lane, ticket, op } => {
                let lane = &mut self.lanes[slot(lane)];
                assert!(lane.newest < Some(ticket), "tickets count up");
                lane.newest = Some(ticket);
                lane.queue.push_back((ticket, op));
            }
            _ => panic!("an action without a driver: {action:?}"),
        }
    }

    /// Nobody was forgotten, and nothing unsent is larger than it may be. Asking for what is unsent
    /// also tells the server what was taken.
    fn look_around(&mut self) {
        let mut unsent = 0;
        for client in self.clients.iter_mut().filter(|client| !client.is_closed) {
            let wants_read = self.server.wants_read(client.conn);
            assert!(client.is_read || !wants_read, "nobody said to read {}", client.conn);
            client.is_read &= wants_read;
            let Some(transmit) = self.server.poll_transmit(client.conn) else { continue };
            assert!(client.window == Some(0), "nobody said to write to {}", client.conn);
            assert!(transmit.remaining() <= self.config.endpoint.output_hard_max);
            unsent += transmit.remaining();
        }
        assert!(unsent <= self.config.endpoint.output_total_max);
    }

    /// The server is at rest.
    fn check(&self) {
        let live = self.clients.iter().filter(|client| !client.is_closed).count();
        assert_eq!(self.server.connection_count(), live);
        self.server.check_invariants();
    }

    /// What a driver does with a socket that has something to read.
    fn read(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.is_closed || client.is_gone {
            return;
        }
        if self.server.wants_read(client.conn) && !client.input.is_empty() {
            let bytes: Vec<u8> = client.input.drain(..).collect();
            let missing = LENGTH_BYTES - client.first.len();
            client.first.extend(bytes.iter().take(missing));
            self.server.handle_input(self.now, client.conn, &bytes);
        }
        if client.input.is_empty()
            && let Some(cause) = client.end
        {
            client.is_gone = true;
            self.server.handle_eof(self.now, client.conn, cause);
        }
    }

    /// What a driver does with a socket that takes bytes.
    fn write(&mut self, index: usize) {
        let client = &mut self.clients[index];
        while !client.is_closed && client.window != Some(0) {
            let Some(mut transmit) = self.server.poll_transmit(client.conn) else { return };
            let chunk = transmit.chunk();
            assert!(!chunk.is_empty(), "what is lent is not empty");
            let count = chunk.len().min(client.window.unwrap_or(usize::MAX));
            client.output.extend(&chunk[..count]);
            transmit.advance(count);
            if let Some(window) = &mut client.window {
                *window -= count;
            }
            self.sessions.extend(client.receive());
        }
    }

    fn index(&self, conn: ConnId) -> usize {
        let index = self.clients.iter().position(|client| client.conn == conn);
        index.unwrap_or_else(|| panic!("nobody knows {conn}"))
    }

    fn live(&self, conn: ConnId) -> usize {
        let index = self.index(conn);
        assert!(!self.clients[index].is_closed, "{conn} is closed");
        index
    }
}

impl Client {
    const fn new(conn: ConnId) -> Self {
        Self {
            conn,
            input: VecDeque::new(),
            first: vec![],
            is_read: true,
            end: None,
            is_gone: false,
            window: None,
            output: vec![],
            has_answer: false,
            last_zxid: Zxid::ZERO,
            has_ended: false,
            is_closed: false,
        }
    }

    /// Reads the server's answers: whole frames, or the text that answers a command.
    fn receive(&mut self) -> Option<Credentials> {
        let first = self.first.first_chunk().copied();
        if first.and_then(Command::from_bytes).is_some() {
            self.output.clear();
            return None;
        }
        let mut granted = None;
        while let Some((field, rest)) = self.output.split_first_chunk::<LENGTH_BYTES>() {
            let length = usize::try_from(i32::from_be_bytes(*field)).expect("a frame has a length");
            let Some(body) = rest.get(..length) else { break };
            let mut reader = Reader::new(body);
            if self.has_answer {
                let header: ReplyHeader = reader.read().expect("a reply has a header");
                if header.xid != Xid::NOTIFICATION && header.zxid > Zxid::ZERO {
                    assert!(header.zxid >= self.last_zxid, "{header:?} after {:?}", self.last_zxid);
                    self.last_zxid = header.zxid;
                }
            } else {
                self.has_answer = true;
                let response: ConnectResponse<'_> = reader.read().expect("a handshake's answer");
                assert!(reader.rest().is_empty());
                let password = response.password.expect("a password, or zeros");
                let password = password.as_array().copied().expect("a password of its length");
                granted = (response.timeout_ms > 0).then_some((response.session, password));
            }
            self.output.drain(..LENGTH_BYTES + length);
        }
        granted
    }
}

const fn slot(lane: Lane) -> usize {
    match lane {
        Lane::Log => 0,
        Lane::Snapshot => 1,
    }
}

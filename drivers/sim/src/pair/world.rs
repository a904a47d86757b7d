//! The world of one server: its clients, their connections, its store, its clock.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, thread, time::Duration};

use zookeeper_core::{
    ConnId, Disconnect, Instant, Rng, SessionId,
    endpoint::{AcceptError, CloseReason},
    server::{Config, Durability, Event, Recovered, Server},
    storage,
};

use super::{
    client::Client,
    journal::Journal,
    pipe::{Chunking, Pipe},
    store::{Acknowledge, Store, TestStore},
    tap::Tap,
};

/// When every world begins.
const START: Instant = Instant::from_millis(1_000_000);

/// 2026-01-01, in milliseconds of Unix time.
const WALL_CLOCK_MS: i64 = 1_767_225_600_000;

/// How often a driver tells what time it is.
const WALL_CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Longer than anything takes that ends by itself.
const END_MAX: Duration = Duration::from_secs(600);

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server's settings.
    pub config: Config,
    /// Equal seeds and scripts give equal worlds.
    pub seed: u64,
    /// How the server's input is cut up.
    pub input: Chunking,
    /// How the clients' input is cut up.
    pub output: Chunking,
    /// Bytes a socket buffer holds, in each direction.
    pub socket_buffer: usize,
    /// When the store has done what it was told.
    pub acknowledge: Acknowledge,
    /// When the world begins.
    pub start: Instant,
    /// How many reads are given to the server before it is asked what to do.
    pub reads_per_turn: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: Config::default(),
            seed: 1,
            input: Chunking::Whole,
            output: Chunking::Whole,
            socket_buffer: 64 << 10,
            acknowledge: Acknowledge::AtOnce,
            start: START,
            reads_per_turn: 4,
        }
    }
}

impl Options {
    /// With a log, whose store acknowledges like this; two commit groups may be on their way.
    #[must_use]
    pub fn logged(acknowledge: Acknowledge) -> Self {
        let mut options = Self { acknowledge, ..Self::default() };
        options.config.durability = Durability::Logged(storage::Config::default());
        options
    }
}

/// Names one client of a world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub(super) usize);

impl ClientId {
    /// The client that connected as number `index`, from 0.
    #[must_use]
    pub const fn nth(index: usize) -> Self {
        Self(index)
    }
}

/// How a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// The session it spoke for.
    pub session: Option<SessionId>,
    /// Why it ended.
    pub reason: CloseReason,
}

/// One connection: what the system knows of it, and what the driver remembers.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) to_server: Pipe,
    pub(super) to_client: Pipe,
    /// What its client sent that the socket has no room for.
    pub(super) unsent: VecDeque<u8>,
    /// Whether its client says nothing behind that.
    pub(super) is_half_closed: bool,
    pub(super) tap: Tap,
    /// Whether the driver waits for the socket to take bytes again.
    pub(super) is_write_armed: bool,
    /// Whether the driver told the server that the client's side has ended.
    pub(super) is_end_told: bool,
    /// Whether the driver was told to close.
    pub(super) is_closed: bool,
    pub(super) end: Option<End>,
}

impl Link {
    /// Puts what the client sent into the socket, as far as there is room.
    pub(super) fn fill(&mut self) {
        let sent = self.to_server.write(self.unsent.make_contiguous());
        self.unsent.drain(..sent);
        if self.is_half_closed && self.unsent.is_empty() {
            self.to_server.end(Disconnect::End);
        }
    }
}

/// One server, its clients, its store and its clock. A test ends with [`World::finish`].
#[derive(Debug)]
pub struct World<S = TestStore> {
    pub(super) options: Options,
    pub(super) server: Server,
    pub(super) now: Instant,
    pub(super) next_wall_clock: Instant,
    pub(super) rng: Rng,
    pub(super) clients: Vec<Client>,
    /// By client.
    pub(super) links: Vec<Link>,
    /// Clients whose connection may have something to read.
    pub(super) readable: VecDeque<usize>,
    pub(super) store: S,
    pub(super) events: Vec<Event>,
    pub(super) has_failed: bool,
    /// Whether an operation on a snapshot has failed, which the server may not survive.
    pub(super) may_fail: bool,
    is_finished: bool,
}

impl World {
    /// A world with a fresh server and nobody else.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let store = TestStore::new(options.acknowledge);
        Self::with_store(options, Recovered::empty(), store)
    }

    /// What is stable.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        self.store.journal()
    }

    /// The store has done the next `count` operations.
    pub fn acknowledge(&mut self, count: usize) {
        for done in self.store.execute(count) {
            self.stored(done);
        }
        self.settle();
    }

    /// From now on the store acknowledges like this.
    pub fn set_acknowledge(&mut self, acknowledge: Acknowledge) {
        self.store.set_acknowledge(acknowledge);
        self.settle();
    }

    /// The store fails at its next operation. The server is expected to give up.
    ///
    /// # Panics
    ///
    /// When the store has nothing to do.
    pub fn fail_store(&mut self) {
        let failed = self.store.fail().expect("the store has something to do");
        self.stored(failed);
        self.settle();
    }
}

impl<S: Store> World<S> {
    /// A world with a server over what was recovered from a store, and nobody else.
    #[must_use]
    pub fn with_store(options: Options, recovered: Recovered, store: S) -> Self {
        let config = Arc::new(options.config.clone());
        let server = Server::new(config, options.start, options.seed, recovered);
        let mut world = Self {
            server,
            now: options.start,
            next_wall_clock: options.start,
            rng: Rng::new(options.seed),
            clients: Vec::new(),
            links: Vec::new(),
            readable: VecDeque::new(),
            store,
            events: Vec::new(),
            has_failed: false,
            may_fail: false,
            is_finished: false,
            options,
        };
        world.settle();
        world
    }

    /// A client connects from an address.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub fn open_from(&mut self, peer: SocketAddr) -> Result<ClientId, AcceptError> {
        let conn = self.server.handle_accept(self.now, peer)?;
        assert!(self.links.iter().all(|link| link.conn != conn), "{conn} is used again");
        let buffer = self.options.socket_buffer;
        self.links.push(Link {
            conn,
            to_server: Pipe::new(buffer),
            to_client: Pipe::new(buffer),
            unsent: VecDeque::new(),
            is_half_closed: false,
            tap: Tap::default(),
            is_write_armed: false,
            is_end_told: false,
            is_closed: false,
            end: None,
        });
        self.clients.push(Client::new());
        Ok(ClientId(self.clients.len() - 1))
    }

    /// Time passes: everything happens in its time.
    pub fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        self.settle();
        while self.now < until {
            let next = [self.server.poll_timeout(), self.store.due(), Some(self.next_wall_clock)];
            let next = next.into_iter().flatten().fold(until, Instant::min);
            self.now = self.now.max(next);
            self.settle();
        }
    }

    /// Time passes while the whole process stands still.
    pub fn suspend(&mut self, time: Duration) {
        self.now = self.now + time;
        self.settle();
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The server, to look at.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The server, to do what drivers do not; [`World::settle`] afterwards.
    pub const fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The store, to look at.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store, to change what it does next.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Everything the server told its driver so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// A client, to look at.
    #[must_use]
    pub fn client(&self, client: ClientId) -> &Client {
        &self.clients[client.0]
    }

    /// A client, to take what it heard.
    pub fn client_mut(&mut self, client: ClientId) -> &mut Client {
        &mut self.clients[client.0]
    }

    /// How many clients have connected.
    #[must_use]
    pub const fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// The server's name for a client's connection.
    #[must_use]
    pub fn conn(&self, client: ClientId) -> ConnId {
        self.links[client.0].conn
    }

    /// How a client's connection ended; `None` while it is open.
    #[must_use]
    pub fn end(&self, client: ClientId) -> Option<&End> {
        self.links[client.0].end.as_ref()
    }

    /// Why a client's connection ended.
    ///
    /// # Panics
    ///
    /// When it has not.
    #[must_use]
    #[track_caller]
    pub fn close_reason(&self, client: ClientId) -> &CloseReason {
        &self.end(client).expect("the connection has ended").reason
    }

    /// Whether a client's connection is open.
    #[must_use]
    pub fn is_open(&self, client: ClientId) -> bool {
        !self.links[client.0].is_closed
    }

    /// Bytes a client has sent that the server has not read.
    #[must_use]
    pub fn unread_input(&self, client: ClientId) -> usize {
        self.links[client.0].to_server.len() + self.links[client.0].unsent.len()
    }

    /// Milliseconds of Unix time.
    pub(super) fn unix_ms(&self) -> i64 {
        let passed = self.now.saturating_duration_since(START).as_millis();
        WALL_CLOCK_MS.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    /// Whether it is time to tell the server what time it is.
    pub(super) fn keep_time(&mut self) {
        if self.next_wall_clock <= self.now {
            self.next_wall_clock = self.now + WALL_CLOCK_INTERVAL;
            let unix_ms = self.unix_ms();
            self.server.handle_wall_clock(self.now, unix_ms);
        }
    }

    /// The power goes: of the server and its clients nothing is left.
    pub fn cut_power(&mut self) -> &mut S {
        self.is_finished = true;
        &mut self.store
    }

    /// Everybody reads and leaves, the store works, the server shuts down: both sides hold nothing.
    ///
    /// # Panics
    ///
    /// When somebody still holds something, or a connection did not end exactly once.
    pub fn finish(mut self) {
        self.is_finished = true;
        self.store.hurry();
        self.settle();
        for index in 0..self.clients.len() {
            self.resume_reading(ClientId(index));
        }
        self.settle();
        for index in 0..self.clients.len() {
            self.half_close(ClientId(index));
        }
        self.settle();
        let end = self.now + END_MAX;
        while self.server.connection_count() > 0 && self.now < end {
            self.advance(Duration::from_secs(1));
        }
        assert_eq!(self.server.connection_count(), 0, "{:?}", self.server.timeout_reason());
        self.server.shutdown(self.now);
        self.settle();
        assert!(self.server.is_drained(), "the server has shut down");
        assert_eq!(self.server.tree().watches().count(), 0, "nobody is left to watch");
        assert_eq!(self.store.waiting(), 0, "the store has done everything");
        for (client, link) in self.clients.iter().zip(&self.links) {
            let end = link.end.as_ref().expect("every connection has ended");
            assert!(link.is_closed && link.to_client.is_empty());
            assert!(
                is_cut(&end.reason) || !client.has_partial_frame(),
                "{} ended inside a frame: {}",
                link.conn,
                end.reason
            );
        }
    }
}

impl<S> Drop for World<S> {
    fn drop(&mut self) {
        assert!(self.is_finished || thread::panicking(), "a test ends with `finish`");
    }
}

/// Whether a connection may end inside a frame.
const fn is_cut(reason: &CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::OutputOverflow
            | CloseReason::LingerTimeout
            | CloseReason::SessionMoved
            | CloseReason::Failed
            | CloseReason::Peer(_)
    )
}

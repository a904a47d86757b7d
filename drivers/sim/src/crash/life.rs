//! One life of a server: from a start to a power cut, under load.

use std::{net::SocketAddr, time::Duration};

use zookeeper_core::{
    Instant, Rng, SessionId,
    server::{self, Durability, Event, Failure, Recovered},
    storage::{self, Retention},
    wire::{Blob, ConnectRequest, Op},
};

use crate::{
    disk::{DiskStore, Reserve},
    model::Operation,
    pair::{ClientId, Handshake, Options, Store, World},
};

/// Longer than any answer takes.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// A step of time while nothing is known to come.
const STEP: Duration = Duration::from_millis(10);

/// The time-out of ordinary sessions and of those that are left alone.
const TIMEOUTS_MS: [i32; 2] = [20_000, 2_000];

/// Sessions that clients come back to in the next life.
const CREDENTIALS_MAX: usize = 4;

/// A session as its client knows it.
pub type Credentials = (SessionId, [u8; 16]);

/// How a server lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's settings.
    pub server: server::Config,
    /// What its disk shows of reserved bytes.
    pub reserve: Reserve,
}

impl Settings {
    /// Within a few dozen transactions everything happens that otherwise takes millions.
    #[must_use]
    pub fn hasty() -> Self {
        Self::with(12, 1 << 10)
    }

    /// A snapshot after this many transactions, and the next log after this many bytes.
    fn with(snapshot_transactions: u64, log_length: u64) -> Self {
        let mut storage = storage::Config::default();
        storage.snapshot_transactions = snapshot_transactions;
        storage.snapshot_bytes = None;
        storage.log_length_max = Some(log_length);
        storage.reserve = 4 << 10;
        storage.retention = Some(Retention { snapshots: 3, interval: Duration::ZERO });
        let mut server = server::Config::default();
        server.durability = Durability::Logged(storage);
        server.tree.extended_types = true;
        server.tree.enforce_quota = true;
        server.endpoint.tick = Duration::from_secs(1);
        server.containers.check_interval = Duration::from_secs(1);
        Self { server, reserve: Reserve::Hidden }
    }
}

impl Default for Settings {
    /// Within a few hundred transactions everything happens that otherwise takes millions.
    fn default() -> Self {
        Self::with(40, 4 << 10)
    }
}

/// One life of a server, and the clients it has.
#[derive(Debug)]
pub struct Life {
    pub(super) world: World<DiskStore>,
    pub(super) rng: Rng,
    /// Those that stay.
    pub(super) clients: Vec<ClientId>,
    /// Requests sent.
    pub(super) requests: usize,
}

impl Life {
    /// A server begins to live, over what was recovered from this store.
    #[must_use]
    pub fn begin(
        settings: &Settings,
        seed: u64,
        start: Instant,
        recovered: Recovered,
        store: DiskStore,
    ) -> Self {
        let mut options = Options::default();
        options.config = settings.server.clone();
        (options.seed, options.start) = (seed, start);
        let world = World::with_store(options, recovered, store);
        Self { world, rng: Rng::new(seed), clients: Vec::new(), requests: 0 }
    }

    /// The world, to look at.
    #[must_use]
    pub const fn world(&self) -> &World<DiskStore> {
        &self.world
    }

    /// Why the server stopped, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.world.events().iter().find_map(|event| match event {
            Event::Failed(failure) => Some(failure),
            _ => None,
        })
    }

    /// How many requests were sent, those for sessions included.
    #[must_use]
    pub const fn requests(&self) -> usize {
        self.requests
    }

    /// The power goes. What is left is the store.
    pub fn cut_power(&mut self) -> &mut DiskStore {
        self.world.cut_power()
    }

    /// A client comes and gets a session, or comes back to one; `None` if it may not.
    pub fn connect(&mut self, resumed: Option<Credentials>, is_short: bool) -> Option<ClientId> {
        if self.failure().is_some() {
            return None;
        }
        let port = u16::try_from(1_024 + self.requests % 60_000).unwrap_or(1_024);
        let client = self.world.open_from(SocketAddr::from(([127, 0, 0, 1], port))).ok()?;
        self.requests += 1;
        let (session, password) = resumed.unwrap_or((SessionId::NONE, [0; 16]));
        let password = Some(Blob::Slice(&password));
        let timeout_ms = TIMEOUTS_MS[usize::from(is_short)];
        let hello = World::hello();
        let request = ConnectRequest { session, password, timeout_ms, ..hello };
        self.world.shake_hands(client, &request);
        self.wait(|world| world.client(client).handshake().is_some() || !world.is_open(client));
        let granted = self.world.client(client).handshake();
        granted.is_some_and(Handshake::is_granted).then_some(client)
    }

    /// The sessions that its clients were granted last.
    #[must_use]
    pub fn credentials(&self) -> Vec<Credentials> {
        let clients = (0..self.world.client_count()).rev().map(ClientId::nth);
        let granted = clients.filter_map(|client| {
            let client = self.world.client(client);
            let is_granted = client.handshake().is_some_and(Handshake::is_granted);
            is_granted.then(|| (client.session(), client.password()))
        });
        granted.take(CREDENTIALS_MAX).collect()
    }

    /// A client asks for something, and does not wait.
    pub fn ask(&mut self, client: ClientId, operation: &Operation) {
        self.requests += 1;
        self.world.send_record(client, operation.op(), &operation.to_bytes());
    }

    /// The client that came as this one, if there is one.
    #[must_use]
    pub fn client(&self, index: usize) -> Option<ClientId> {
        (index < self.world.client_count()).then(|| ClientId::nth(index))
    }

    /// A client ends its session.
    pub fn close_session(&mut self, client: ClientId) {
        self.requests += 1;
        self.world.send_record(client, Op::CloseSession, &[]);
        self.rest();
    }

    /// A client is not heard of again.
    pub fn lose(&mut self, client: ClientId) {
        self.world.reset(client);
    }

    /// Time passes.
    pub fn sleep(&mut self, time: Duration) {
        self.world.advance(time);
    }

    /// The store, to change what it does next.
    pub const fn store_mut(&mut self) -> &mut DiskStore {
        self.world.store_mut()
    }

    /// Waits until everybody has an answer.
    pub fn rest(&mut self) {
        self.wait(|world| {
            (0..)
                .map(ClientId::nth)
                .take(world.client_count())
                .all(|client| world.client(client).unanswered() == 0 || !world.is_open(client))
        });
    }

    /// Time passes from one thing the store does to the next.
    fn wait(&mut self, is_done: impl Fn(&World<DiskStore>) -> bool) {
        self.world.settle();
        let end = self.world.now() + ANSWER_MAX;
        while !is_done(&self.world) {
            assert!(self.world.now() < end, "everybody gets an answer");
            // What is due now was done; without anything to come the server's own time must help.
            let now = self.world.now();
            let due = self.world.store().due().filter(|due| *due > now);
            let time = due.map_or(STEP, |due| due.saturating_duration_since(now));
            self.world.advance(time);
        }
    }
}

//! A whole standalone ZooKeeper server in one machine: endpoint, tree and write-ahead gate.
//!
//! The way of a request: [`Server::handle_input`] gives bytes to the endpoint, which frames them.
//! [`Server::poll_action`] serves what waits, round robin over connections: `pipeline.rs` decides
//! with the tree and answers through the endpoint; `gate.rs` holds back what is not durable yet, and
//! `snapshots.rs` keeps the log short. Replies of one turn coalesce before the driver is told to
//! transmit.
//!
//! Behaviour: `org.apache.zookeeper.server.ZooKeeperServer`.

mod clock;
mod commands;
mod config;
mod containers;
mod event;
mod faults;
mod gate;
mod metrics;
mod pipeline;
mod sessions;
mod snapshots;

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

pub use crate::storage::Recovered;
pub use config::{About, Config, Containers, Durability, Environment};
pub use event::{Action, Event, Failure};
pub use snapshots::StorageStats;

use self::{
    clock::WallClock, containers::Cleaner, gate::Gate, sessions::SessionIds, snapshots::Snapshots,
};
use crate::{
    Disconnect, Transmit,
    endpoint::{self, AcceptError, Endpoint},
    ids::{ConnId, Ticket, Zxid},
    rng::Rng,
    storage::{Lane, StorageError},
    time::Instant,
    tree::{Fired, Tree},
};

/// Rounds of requests served in one call that has nothing to tell the driver.
const ROUNDS_PER_CALL: usize = 16;

/// A whole standalone ZooKeeper server.
///
/// It never blocks, never reads a clock and never fails because of what a peer sends. The contract
/// in the [crate documentation](crate) says how to drive it.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    /// The newest time seen.
    now: Instant,
    clock: WallClock,
    endpoint: Endpoint,
    tree: Tree,
    gate: Gate,
    /// `None` in memory.
    snapshots: Option<Box<Snapshots>>,
    session_ids: SessionIds,
    /// The newest applied end of a session: what an "expired" answer waits for.
    newest_close: Zxid,
    cleaner: Cleaner,
    /// The events of the change in hand; kept for its memory.
    fired: Fired,
    /// Whether watches of closed connections are still to be forgotten.
    forgetting: bool,
    /// Whether the last call that served requests left some for the next.
    has_more: bool,
    environment: Environment,
    started: Instant,
    events: VecDeque<Event>,
    /// Set once, and then for good.
    failure: Option<Failure>,
}

impl Server {
    /// A server over what was recovered. Equal seeds and inputs give equal outputs.
    ///
    /// Give it the wall clock and the environment before the first connection.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant, seed: u64, recovered: Recovered) -> Self {
        let mut rng = Rng::new(seed);
        let endpoint_config = Arc::new(config.endpoint.clone());
        let mut endpoint = Endpoint::new(endpoint_config, now, rng.next_u64());
        let Recovered { tree, newest_ms, mut files } = recovered;
        let tree = tree.unwrap_or_else(|| Tree::new(config.tree.clone(), &mut rng));
        for (session, view) in tree.sessions().iter() {
            let timeout_ms = u64::try_from(view.timeout_ms).unwrap_or(0);
            endpoint.track_session(now, session, Duration::from_millis(timeout_ms));
        }
        let applied = tree.last_zxid();
        let gate = Gate::new(&config.durability, applied, &mut files);
        let snapshots = match &config.durability {
            Durability::InMemory => None,
            Durability::Logged(storage) => {
                let rng = Rng::new(rng.next_u64());
                Some(Box::new(Snapshots::new(storage, now, rng, applied, &mut files)))
            }
        };
        endpoint.release(now, gate.durable());
        let mut server = Self {
            now,
            clock: WallClock::default(),
            endpoint,
            gate,
            snapshots,
            tree,
            session_ids: SessionIds::new(newest_ms),
            newest_close: applied,
            cleaner: Cleaner::new(now, &config.containers),
            fired: Fired::default(),
            forgetting: false,
            has_more: false,
            environment: Environment::default(),
            started: now,
            events: VecDeque::new(),
            failure: None,
            config,
        };
        if !files.is_reproducible {
            server.begin_base_snapshot();
        }
        server
    }

    /// A connection from `peer` was accepted.
    ///
    /// # Errors
    ///
    /// Why it must be dropped at once; nothing was allocated for it.
    pub fn handle_accept(&mut self, now: Instant, peer: SocketAddr) -> Result<ConnId, AcceptError> {
        self.advance(now);
        self.endpoint.handle_accept(self.now, peer)
    }

    /// Bytes came. They are kept even while [`Server::wants_read`] is false.
    pub fn handle_input(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.advance(now);
        self.endpoint.handle_input(self.now, conn, bytes);
    }

    /// No more bytes will come. Whole requests that came before are still served.
    pub fn handle_eof(&mut self, now: Instant, conn: ConnId, cause: Disconnect) {
        self.advance(now);
        self.endpoint.handle_eof(self.now, conn, cause);
    }

    /// Time has passed. Harmless when early, late or repeated.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.has_more = false;
        self.endpoint.handle_timeout(self.now);
        if self.failure.is_none() {
            self.handle_endpoint_events();
            self.clean_containers();
            if let Some(snapshots) = &mut self.snapshots {
                snapshots.handle_timeout(self.now);
            }
        }
    }

    /// The wall clock says `unix_ms`: at the start, once a second, and after a jump. Transactions
    /// and the time to live of znodes go by it, sessions never do.
    pub fn handle_wall_clock(&mut self, now: Instant, unix_ms: i64) {
        self.advance(now);
        self.clock.set(self.now, unix_ms);
        self.endpoint.handle_wall_clock(self.now, unix_ms);
    }

    /// What the host says about itself, for commands.
    pub fn handle_environment(&mut self, now: Instant, environment: Environment) {
        self.advance(now);
        self.environment = environment;
    }

    /// Every operation of `lane` up to `ticket` is done.
    pub fn handle_stored(&mut self, now: Instant, lane: Lane, ticket: Ticket) {
        self.advance(now);
        if self.failure.is_some() {
            return;
        }
        match lane {
            Lane::Log if self.gate.stored(ticket) => {
                self.endpoint.release(self.now, self.gate.durable());
            }
            Lane::Log => {}
            Lane::Snapshot => self.snapshots_stored(ticket),
        }
    }

    /// An operation failed. In the log lane that ends the server: [`Event::Failed`]. In the snapshot
    /// lane it ends a snapshot; what follows it in the lane may be executed or not.
    pub fn handle_storage_error(
        &mut self,
        now: Instant,
        lane: Lane,
        ticket: Ticket,
        error: StorageError,
    ) {
        self.advance(now);
        if self.failure.is_some() {
            return;
        }
        match lane {
            Lane::Log => self.fail(Failure::Storage(error)),
            Lane::Snapshot => self.snapshots_failed(ticket, error),
        }
    }

    /// Closes one connection once what was promised to it is written.
    pub fn disconnect(&mut self, now: Instant, conn: ConnId) {
        self.advance(now);
        self.endpoint.disconnect(self.now, conn);
    }

    /// Closes all connections once what was promised to them is written, and takes no new ones.
    /// Sessions live on. [`Server::is_drained`] says when it is done. A snapshot of which parts are
    /// missing still is given up.
    pub fn shutdown(&mut self, now: Instant) {
        self.advance(now);
        self.close_snapshots();
        self.endpoint.shutdown(self.now);
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.handle_endpoint_events();
        self.events.pop_front()
    }

    /// What to do next. Serves the requests that wait, a bounded number per call: when it returns
    /// `None` and leaves some, [`Server::poll_timeout`] is due.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.has_more = false;
        for _ in 0..ROUNDS_PER_CALL {
            let more = self.pump();
            if let Some(action) = self.endpoint.poll_action() {
                return Some(match action {
                    endpoint::Action::Transmit(conn) => Action::Transmit(conn),
                    endpoint::Action::Read(conn) => Action::Read(conn),
                    endpoint::Action::Close(conn) => Action::Close(conn),
                });
            }
            if self.snapshots.is_some()
                && let Some(action) = self.poll_store()
            {
                return Some(action);
            }
            // Requests that were served without a word to the driver: their replies are held back.
            if !more {
                self.has_more = self.snapshots.as_ref().is_some_and(|it| it.has_more());
                return None;
            }
        }
        self.has_more = true;
        None
    }

    /// The bytes that may be written to `conn` now.
    pub fn poll_transmit(&mut self, conn: ConnId) -> Option<Transmit<'_>> {
        self.endpoint.poll_transmit(conn)
    }

    /// When [`Server::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline().map(|(at, _)| at)
    }

    /// The name of the deadline that [`Server::poll_timeout`] reports.
    #[must_use]
    pub fn timeout_reason(&self) -> Option<&'static str> {
        self.deadline().map(|(_, reason)| reason)
    }

    /// Whether the driver should read from `conn`.
    #[must_use]
    pub fn wants_read(&self, conn: ConnId) -> bool {
        self.endpoint.wants_read(conn)
    }

    /// Connections that are open or closing.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.endpoint.connection_count()
    }

    /// Whether nothing is left to do after [`Server::shutdown`]: connections are closed, and what
    /// was applied is durable.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.endpoint.is_drained() && (self.failure.is_some() || self.gate.is_settled())
    }

    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> &endpoint::Stats {
        self.endpoint.stats()
    }

    /// The znodes and sessions, to look at.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The newest transaction in memory.
    #[must_use]
    pub const fn applied(&self) -> Zxid {
        self.gate.applied()
    }

    /// The newest transaction on stable storage; in memory, the newest one.
    #[must_use]
    pub const fn durable(&self) -> Zxid {
        self.gate.durable()
    }

    /// Checks everything that must always hold: for tests, fuzzing and simulation.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        self.endpoint.check_invariants();
        self.tree.check_invariants();
        self.gate.check_invariants();
        if self.failure.is_none() {
            assert_eq!(self.tree.last_zxid(), self.gate.applied());
            if let Some(snapshots) = &self.snapshots {
                snapshots.check_invariants();
                assert_eq!(snapshots.is_base(), self.gate.is_shut());
            }
        }
    }

    fn deadline(&self) -> Option<(Instant, &'static str)> {
        let endpoint = self.endpoint.deadline();
        if self.failure.is_some() {
            return endpoint;
        }
        if self.has_more {
            return Some((self.now, "requests left"));
        }
        let cleaner = (self.cleaner.timeout(), "containers");
        let own = match self.snapshots.as_ref().and_then(|snapshots| snapshots.timeout()) {
            Some(at) => cleaner.min((at, "old files")),
            None => cleaner,
        };
        Some(endpoint.map_or(own, |endpoint| endpoint.min(own)))
    }

    /// The next operation for a store. Apart from the way of all requests, which is short without.
    #[inline(never)]
    fn poll_store(&mut self) -> Option<Action> {
        if self.failure.is_some() {
            return None;
        }
        if let Some((ticket, op)) = self.gate.poll() {
            // A group may just have been sealed: a snapshot begins behind one, never inside.
            self.begin_due_snapshot();
            return Some(Action::Store { lane: Lane::Log, ticket, op });
        }
        let (ticket, op) = self.poll_snapshots()?;
        Some(Action::Store { lane: Lane::Snapshot, ticket, op })
    }

    /// Time never goes back.
    fn advance(&mut self, now: Instant) {
        // About the time up to now: whatever changes it comes afterwards.
        self.endpoint.set_stopped(self.gate.is_full());
        self.now = self.now.max(now);
    }
}

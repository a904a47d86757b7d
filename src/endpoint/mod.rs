//! Many client connections: framing, handshake, sessions' deadlines, identities, answers in order.
//!
//! An [`Endpoint`] knows no znodes. Whoever does, its backend, answers [`Event`]s and requests. A
//! request waits as bytes in its connection's inbox until [`Endpoint::poll_request`] decodes it in
//! place and lends it; the borrow ends before [`Endpoint::reply`] is called.
//!
//! | what | where |
//! |---|---|
//! | first frame, four-letter words | `handshake.rs`, `commands.rs` |
//! | requests: order, fairness, own answers | `requests.rs` |
//! | output: holds, release, limits, closing | `output.rs` |
//! | deadlines of sessions | `liveness.rs` |
//! | identities | `auth.rs` |
//! | what always holds | `invariants.rs` |
//!
//! A connection has a deadline of its own only before its handshake and while it closes. Between,
//! its session's deadline is enough: when the session expires, its connection is closed.
//!
//! Behaviour: `org.apache.zookeeper.server.NIOServerCnxn`, `NIOServerCnxnFactory` and the parts of
//! `ZooKeeperServer` that need no tree.

mod auth;
mod commands;
mod config;
mod connection;
mod error;
mod event;
mod handshake;
mod info;
mod invariants;
mod liveness;
mod output;
mod requests;
mod stats;
mod table;
mod throttle;

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

pub use auth::digest_id;
pub use config::{CommandWhitelist, Config, ConnectionThrottle, DigestAlgorithm};
pub use error::{AcceptError, CloseReason};
pub use event::{Action, Caller, Connect, Event, Grant, Incoming, Notification, Refusal, Reply};
pub use info::ConnectionInfo;
pub use stats::{Latency, ResponseLengths, Stats};

use self::{
    connection::{Connection, State},
    liveness::Liveness,
    table::Table,
    throttle::TokenBucket,
};
use crate::{
    conn::{Disconnect, Pool, Transmit},
    hash::{Keys, Map},
    ids::{ConnId, SessionId, Zxid},
    rng::Rng,
    time::Instant,
    wire::Id,
};

/// Deadlines handled, sessions looked at, connections released in one go.
const STEPS_PER_CALL: usize = 64;

/// Many client connections in front of one backend.
///
/// The contract in the [crate documentation](crate) says how to drive it.
#[derive(Debug)]
pub struct Endpoint {
    config: Arc<Config>,
    /// The newest time seen.
    now: Instant,
    /// Unix time in milliseconds, and when it was that; for `cons` alone.
    wall_clock: (Instant, i64),
    pool: Pool,
    table: Table,
    per_address: Map<IpAddr, usize>,
    liveness: Liveness,
    tokens: TokenBucket,
    /// Connections with requests, in the order they are served.
    ready: VecDeque<ConnId>,
    /// Frames served of the first of them in its turn.
    turn: usize,
    /// Connections that wait for the total of unanswered requests to fall.
    stalled: VecDeque<ConnId>,
    /// The frame that is lent: bytes to take off that connection's inbox before anything else.
    lent_frame: Option<(ConnId, usize)>,
    /// The connection whose output was lent last: some of it may be written.
    transmitting: Option<ConnId>,
    /// What connections with held bytes wait for next.
    held: BTreeSet<(Zxid, ConnId)>,
    durable: Zxid,
    /// Handshakes and closings that may not take for ever.
    deadlines: BTreeSet<(Instant, ConnId)>,
    /// Requests lent or held back, in total.
    outstanding: usize,
    /// Unsent bytes, in total.
    output_total: usize,
    /// Bytes of large requests that are lent.
    large_total: usize,
    trace_mask: i64,
    events: VecDeque<Event>,
    actions: VecDeque<Action>,
    stats: Stats,
    /// Whether the last drain ended with events or requests that it could not see.
    has_more: bool,
    is_shutting_down: bool,
    rng: Rng,
}

impl Endpoint {
    /// An endpoint without connections. Equal seeds and inputs give equal outputs.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let keys = Keys::new(&mut rng);
        Self {
            now,
            wall_clock: (now, 0),
            pool: Pool::default(),
            table: Table::default(),
            per_address: keys.map(),
            liveness: Liveness::new(config.tick, now, &keys),
            tokens: TokenBucket::new(config.connection_throttle, now),
            ready: VecDeque::new(),
            turn: 0,
            stalled: VecDeque::new(),
            lent_frame: None,
            transmitting: None,
            held: BTreeSet::new(),
            durable: Zxid::ZERO,
            deadlines: BTreeSet::new(),
            outstanding: 0,
            output_total: 0,
            large_total: 0,
            trace_mask: commands::TRACE_MASK,
            events: VecDeque::new(),
            actions: VecDeque::new(),
            stats: Stats::default(),
            has_more: false,
            is_shutting_down: false,
            rng,
            config,
        }
    }

    /// A connection from `peer` was accepted.
    ///
    /// # Errors
    ///
    /// Why it must be dropped at once; nothing was allocated for it.
    pub fn handle_accept(&mut self, now: Instant, peer: SocketAddr) -> Result<ConnId, AcceptError> {
        self.advance(now);
        // A listener for both families shows IPv4 peers as mapped addresses.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if let Err(error) = self.admit(peer.ip()) {
            self.stats.record_refusal(error);
            return Err(error);
        }
        *self.per_address.entry(peer.ip()).or_insert(0) += 1;
        let (now, identities) = (self.now, auth::initial(peer));
        let conn = self.table.insert(|id| Connection::new(id, peer, identities, now));
        let timeout = self.config.handshake_timeout.unwrap_or_else(|| self.config.timeout_min());
        self.set_deadline(conn, Some(timeout));
        Ok(conn)
    }

    /// Bytes came. They are kept even while [`Endpoint::wants_read`] is false.
    pub fn handle_input(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.advance(now);
        self.finish_lent();
        let Some(connection) = self.table.get_mut(conn) else { return };
        self.stats.bytes_received_count += bytes.len() as u64;
        match connection.state {
            // Nothing it says matters any more.
            State::Closing(_) | State::Command(_) => return,
            _ => connection.inbox.push(bytes, &mut self.pool),
        }
        connection.heard = self.now;
        match connection.state {
            State::Handshake => self.progress_handshake(conn),
            State::TraceMask => self.progress_trace_mask(conn),
            State::Active { .. } => {
                let announced = connection.inbox.announced(self.config.frame_length_max);
                self.mark_ready(conn);
                // No use in waiting for the rest of a frame that is too much.
                if announced.is_some_and(|length| self.exceeds_large_budget(length))
                    && self.table.get(conn).is_some_and(|connection| !connection.is_ready)
                {
                    self.close_soon(conn, CloseReason::LargeRequests, Zxid::ZERO);
                }
            }
            State::Connecting { .. } | State::Closing(_) | State::Command(_) => {}
        }
    }

    /// No more bytes will come. Whole requests that came before are still served; they may be the
    /// end of the session, or a write that is not to be lost.
    pub fn handle_eof(&mut self, now: Instant, conn: ConnId, cause: Disconnect) {
        self.advance(now);
        self.finish_lent();
        let Some(connection) = self.table.get_mut(conn) else { return };
        match &connection.state {
            // It may still read what it was promised.
            State::Command(_) | State::Closing(_) if cause == Disconnect::End => {}
            State::Closing(reason) => {
                let reason = reason.clone();
                self.close_now(conn, reason);
            }
            // What came behind the ConnectRequest may be the end of the session.
            State::Connecting { .. } if cause == Disconnect::End => {
                connection.ended = Some(cause);
                self.set_deadline(conn, Some(self.config.linger));
            }
            // Said before; what is gone does not come back.
            State::Active { .. } if connection.is_gone() => {}
            State::Active { .. } => {
                connection.ended = Some(cause);
                if connection.is_gone() {
                    connection.outbox.clear(&mut self.pool);
                    self.outstanding -= mem::take(&mut connection.held).len();
                }
                self.set_deadline(conn, Some(self.config.linger));
                self.after_output(conn);
                self.mark_ready(conn);
            }
            State::Handshake | State::TraceMask | State::Connecting { .. } | State::Command(_) => {
                self.close_now(conn, CloseReason::Peer(cause))
            }
        }
    }

    /// Time has passed. Harmless when early, late or repeated.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.has_more = false;
        self.release_some();
        for _ in 0..STEPS_PER_CALL {
            let Some(&(at, conn)) = self.deadlines.first() else { break };
            if at > self.liveness.listened() {
                break;
            }
            let reason = match self.table.get(conn).map(|connection| &connection.state) {
                Some(State::Handshake | State::TraceMask) => CloseReason::HandshakeTimeout,
                _ => CloseReason::LingerTimeout,
            };
            self.close_now(conn, reason);
        }
        for _ in 0..STEPS_PER_CALL {
            let Some(session) = self.liveness.expire(STEPS_PER_CALL) else { break };
            self.stats.stale_sessions_expired += 1;
            self.events.push_back(Event::Expired { session });
        }
    }

    /// The wall clock says `unix_ms`; only commands look at it.
    pub fn handle_wall_clock(&mut self, now: Instant, unix_ms: i64) {
        self.advance(now);
        self.wall_clock = (self.now, unix_ms);
    }

    /// Follows a session that has no connection yet, a recovered one: it gets a full time-out.
    pub fn track_session(&mut self, now: Instant, session: SessionId, timeout: Duration) {
        self.advance(now);
        self.liveness.track(session, timeout);
    }

    /// The session has ended: its transaction is applied. Its connection closes once what is queued
    /// is written, not before `hold` is durable.
    pub fn end_session(&mut self, now: Instant, session: SessionId, hold: Zxid) {
        self.advance(now);
        let Some((conn, expired)) = self.liveness.forget(session) else { return };
        let Some(conn) = conn else { return };
        let reason = if expired { CloseReason::SessionExpired } else { CloseReason::SessionClosed };
        self.close_soon(conn, reason, hold);
    }

    /// Everything up to `durable` is on stable storage: what waited for it may leave.
    pub fn release(&mut self, now: Instant, durable: Zxid) {
        self.advance(now);
        self.durable = self.durable.max(durable);
        self.release_some();
    }

    /// Closes a connection once what is queued for it is written.
    pub fn disconnect(&mut self, now: Instant, conn: ConnId) {
        self.advance(now);
        self.close_soon(conn, CloseReason::Disconnected, Zxid::ZERO);
    }

    /// Closes all connections once what is queued for them is written, and takes no new ones.
    pub fn shutdown(&mut self, now: Instant) {
        self.advance(now);
        self.is_shutting_down = true;
        for conn in self.connection_ids() {
            self.close_soon(conn, CloseReason::Shutdown, Zxid::ZERO);
        }
    }

    /// Closes all connections at once and takes no new ones. What is queued is never sent.
    pub fn abort(&mut self, now: Instant) {
        self.advance(now);
        self.is_shutting_down = true;
        for conn in self.connection_ids() {
            self.close_now(conn, CloseReason::Failed);
        }
    }

    /// Starts the server's counters anew.
    pub fn reset_stats(&mut self, now: Instant) {
        self.advance(now);
        self.stats = Stats::default();
    }

    /// What happened to connections and sessions, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.events.pop_front()? {
                // Its client came back before this could be told.
                Event::Expired { session } if !self.liveness.has_expired(session) => {}
                event => return Some(event),
            }
        }
    }

    /// What the driver has to do next.
    pub fn poll_action(&mut self) -> Option<Action> {
        let before = (self.events.len(), self.ready.len());
        // The driver may have written since.
        if let Some(conn) = self.transmitting.take() {
            self.after_output(conn);
        }
        if self.actions.is_empty() {
            self.release_some();
        }
        let action = self.actions.pop_front();
        // The driver may have seen the end of these already.
        self.has_more |= action.is_none() && before != (self.events.len(), self.ready.len());
        action
    }

    /// The bytes that may be written to `conn` now.
    pub fn poll_transmit(&mut self, conn: ConnId) -> Option<Transmit<'_>> {
        // The driver may have written since.
        if let Some(written) = self.transmitting.replace(conn) {
            self.after_output(written);
        }
        self.table.get_mut(conn)?.outbox.transmit(&mut self.pool)
    }

    /// When [`Endpoint::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline().map(|(at, _)| at)
    }

    /// The name of the deadline that [`Endpoint::poll_timeout`] reports.
    #[must_use]
    pub fn timeout_reason(&self) -> Option<&'static str> {
        self.deadline().map(|(_, reason)| reason)
    }

    /// Whether the driver should read from `conn`.
    #[must_use]
    pub fn wants_read(&self, conn: ConnId) -> bool {
        self.table.get(conn).is_some_and(|connection| connection.wants_read)
    }

    /// The identities of a connection.
    #[must_use]
    pub fn identities(&self, conn: ConnId) -> Option<&Arc<[Id]>> {
        self.table.get(conn).map(|connection| &connection.identities)
    }

    /// The session a connection speaks for.
    #[must_use]
    pub fn session(&self, conn: ConnId) -> Option<SessionId> {
        self.table.get(conn)?.session
    }

    /// The connection that speaks for a session.
    #[must_use]
    pub fn connection(&self, session: SessionId) -> Option<ConnId> {
        self.liveness.connection(session)
    }

    /// Connections that are open or closing.
    #[must_use]
    pub const fn connection_count(&self) -> usize {
        self.table.len()
    }

    /// Sessions that are followed.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.liveness.len()
    }

    /// Requests that wait for their answer to leave, in total.
    #[must_use]
    pub const fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Every session, and when it ends if nothing is heard of it.
    pub fn session_deadlines(&self) -> impl Iterator<Item = (Instant, SessionId)> {
        self.liveness.deadlines()
    }

    /// Every connection's figures, by slot.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionInfo<'_>> {
        self.table.iter().map(|connection| self.info(connection))
    }

    /// Whether nothing is left to do after [`Endpoint::shutdown`].
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.table.len() == 0 && self.events.is_empty() && self.actions.is_empty()
    }

    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The deadline that is next, and its name.
    pub(crate) fn deadline(&self) -> Option<(Instant, &'static str)> {
        if self.has_releasable() || self.has_more {
            return Some((self.now, "work left"));
        }
        let connection = self.deadlines.first().map(|&(at, conn)| {
            let state = self.table.get(conn).map(|connection| &connection.state);
            let is_new = matches!(state, Some(State::Handshake | State::TraceMask));
            let at = self.liveness.wake_up(self.liveness.instant(at));
            (at, if is_new { "handshake" } else { "linger" })
        });
        let session = self.liveness.timeout().map(|at| (at, "session"));
        [connection, session].into_iter().flatten().min()
    }

    fn admit(&self, address: IpAddr) -> Result<(), AcceptError> {
        let is_reached = |count: usize, max: usize| max > 0 && count >= max;
        if self.is_shutting_down {
            return Err(AcceptError::ShuttingDown);
        }
        if is_reached(self.table.len(), self.config.connections_max) {
            return Err(AcceptError::TooMany);
        }
        let from_address = self.per_address.get(&address).copied().unwrap_or(0);
        if is_reached(from_address, self.config.connections_per_address_max) {
            return Err(AcceptError::TooManyFromAddress);
        }
        Ok(())
    }

    /// Time never goes back.
    fn advance(&mut self, now: Instant) {
        if now > self.now {
            self.now = now;
            self.liveness.advance(now, !self.deadlines.is_empty());
        }
    }

    /// Gives a connection `timeout` from now, counted in the time in which we listen.
    fn set_deadline(&mut self, conn: ConnId, timeout: Option<Duration>) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        if let Some(old) = connection.deadline.take() {
            self.deadlines.remove(&(old, conn));
        }
        if let Some(timeout) = timeout {
            let at = self.liveness.listened() + timeout;
            connection.deadline = Some(at);
            self.deadlines.insert((at, conn));
        }
    }

    /// The only place that changes what the driver is told about reading.
    fn set_reading(&mut self, conn: ConnId, wants_read: bool) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        if connection.wants_read != wants_read {
            connection.wants_read = wants_read;
            if wants_read {
                self.actions.push_back(Action::Read(conn));
            }
        }
    }

    fn connection_ids(&self) -> Vec<ConnId> {
        self.table.iter().map(|connection| connection.id).collect()
    }
}

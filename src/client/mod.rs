//! A client session: one value that looks for a server, shakes hands, keeps itself alive, sends
//! requests in order, watches, and goes on elsewhere when its server is lost.
//!
//! [`Session`] is fed with bytes and the time, and tells what happened in one ordered queue of
//! [`Event`]s. It knows server paths only; a chroot is applied and stripped at the edge.
//!
//! # The contract
//!
//! The lines of the crate's contract hold here too. After any `handle_*`, command or
//! `Transmit::advance`: drain [`Session::poll_event`] and [`Session::poll_action`], then read
//! [`Session::poll_timeout`]. `examples/tokio.rs` is a whole driver in 150 lines.
//!
//! One call's work is bounded by the configuration, not by a constant, where all requests or all
//! watches are concerned at once: a lost connection completes every request
//! ([`Config::requests_max`]), and a new one sets every watch again ([`Config::watches_max`]).
//!
//! # Order
//!
//! - Requests are sent in the order of their submission, and complete in that order. Exceptions are
//!   those whose time is over before they were sent, and identities, which fail first.
//! - An event of a watch comes before every reply that shows the newer state; a watch is set
//!   before its reply is told.
//! - When a connection is lost, its requests fail before the state changes. When the server ends
//!   the session, the state changes first.
//!
//! Behaviour: `org.apache.zookeeper.ClientCnxn`; where that is known to be wrong, the better rule.

mod chroot;
mod config;
mod connect;
mod connect_string;
mod ending;
mod error;
mod event;
mod failure;
mod handshake;
mod hosts;
mod inflight;
mod keepalive;
mod link;
pub mod operation;
mod probe;
pub mod procedure;
pub mod protected;
mod queue;
mod replies;
mod retry;
mod sasl;
mod state;
mod submit;
mod timers;
mod view;
mod watches;

use std::{collections::VecDeque, fmt, net::SocketAddr, sync::Arc, time::Duration};

pub use chroot::Chroot;
pub use config::{Auth, Backoff, Config, Credentials, SaslLogin};
pub use connect_string::{ConnectString, ConnectStringError, HostPort};
pub use error::{ArgumentError, Error, MultiError};
pub use event::{
    Action, Event, KeeperState, Purpose, Reply, RequestId, State, WatchEvent, WatchEventKind,
    WatcherId,
};
pub use failure::{CloseReason, LostReason, RequestError, SubmitError, Warning};
use hosts::Hosts;
use inflight::Requests;
use keepalive::Times;
pub use operation::Operation;
use probe::Probe;
pub use procedure::Procedure;
pub use protected::ProtectionId;
use queue::Queue;
pub use retry::{Repetition, Retry, RetryPolicy};
use state::Phase;
pub use submit::SubmitOptions;
use timers::{Timer, Timers};
pub use view::{ConnectionState, WatchedEvent};
use watches::WatchTables;

use crate::{
    conn::{Disconnect, Pool, Transmit},
    hash::Keys,
    ids::{ConnId, SessionId, Zxid},
    rng::Rng,
    time::Instant,
    wire::WatcherType,
};

/// Bytes that are taken beyond the longest frame before no more are wanted.
const READ_AHEAD: usize = 64 * 1024;

/// A ZooKeeper session, as the client sees it.
pub struct Session {
    config: Arc<Config>,
    now: Instant,
    rng: Rng,
    pool: Pool,
    timers: Timers,
    times: Times,
    actions: VecDeque<Action>,
    events: Queue,
    /// Bytes of the first frame that the last event borrowed.
    lent: usize,
    /// Why the connection is to be given up once the last event is done with.
    broken: Option<LostReason>,
    phase: Phase,
    /// Connections tried so far.
    generation: u32,
    hosts: Hosts,
    /// The server to try next, found by a probe.
    preferred: Option<HostPort>,
    probe: Probe,
    requests: Requests,
    watches: WatchTables,
    /// Batches of watches whose restoration was not confirmed.
    restoring: usize,
    next_watcher: u64,
    auth: Vec<Auth>,
    credentials: Credentials,
    negotiated: Option<Duration>,
    last_zxid: Zxid,
    peer: Option<SocketAddr>,
    /// Whether the server is read-only.
    read_only: bool,
    /// Whether a server that all others know of gave the session.
    has_seen_writable: bool,
    /// Whether some server was reached.
    has_connected: bool,
    /// Whether some server gave or confirmed the session.
    has_had_session: bool,
    is_closing: bool,
    last_state: KeeperState,
}

impl Session {
    /// A session that looks for a server at once. Equal seeds and inputs give equal outputs.
    ///
    /// # Panics
    ///
    /// When the configuration names no server.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant, seed: u64) -> Self {
        Self::resume(config, now, seed, Credentials::NONE)
    }

    /// A session that exists on the server already. If it is over there, it ends with
    /// [`CloseReason::Expired`].
    ///
    /// # Panics
    ///
    /// When the configuration names no server.
    #[must_use]
    pub fn resume(config: Arc<Config>, now: Instant, seed: u64, credentials: Credentials) -> Self {
        let (mut session, first) = Self::idle(config, now, seed, credentials);
        session.begin(first);
        session
    }

    /// A new session in place of this one: with its settings, and the servers and identities that
    /// it was given since it began; without its ephemeral znodes and watches. Connections have other
    /// names than this one's, so that what comes late for those does not mistake its receiver.
    #[must_use]
    pub fn successor(&self, now: Instant, seed: u64) -> Self {
        let mut config = (*self.config).clone();
        config.hosts = self.hosts.list().to_vec();
        config.auth.clone_from(&self.auth);
        let (mut session, first) = Self::idle(Arc::new(config), now, seed, Credentials::NONE);
        session.generation = self.generation;
        session.probe.continue_names(&self.probe);
        session.begin(first);
        session
    }

    /// A session that does nothing yet, and the server to try first.
    fn idle(
        config: Arc<Config>,
        now: Instant,
        seed: u64,
        credentials: Credentials,
    ) -> (Self, HostPort) {
        assert!(!config.hosts.is_empty(), "a session needs a server to connect to");
        let mut rng = Rng::new(seed);
        let keys = Keys::new(&mut rng);
        let mut hosts = Hosts::new(config.hosts.clone(), &mut rng);
        let first = hosts.next(config.backoff.round, &mut rng).host;
        let session = Self {
            now,
            pool: Pool::default(),
            timers: Timers::default(),
            times: Times::new(config.session_timeout),
            actions: VecDeque::new(),
            events: Queue::default(),
            lent: 0,
            broken: None,
            phase: Phase::Waiting(first.clone()),
            generation: 0,
            hosts,
            preferred: None,
            probe: Probe::new(now),
            requests: Requests::new(config.first_xid),
            watches: WatchTables::new(&keys),
            restoring: 0,
            next_watcher: 0,
            auth: config.auth.clone(),
            has_seen_writable: credentials.session != SessionId::NONE,
            credentials,
            negotiated: None,
            last_zxid: Zxid::ZERO,
            peer: None,
            read_only: false,
            has_connected: false,
            has_had_session: false,
            is_closing: false,
            last_state: KeeperState::Disconnected,
            rng,
            config,
        };
        (session, first)
    }

    /// Bytes came.
    pub fn handle_input(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.advance(now);
        if self.handle_probe_input(conn, bytes) {
            return;
        }
        let Phase::Linked(link) = &mut self.phase else { return };
        if link.conn != conn || link.end.is_some() {
            return;
        }
        let (rest, is_skipped) = link.skip(bytes);
        link.inbox.push(rest, &mut self.pool);
        if is_skipped {
            self.heard();
        }
        self.update_wants_read();
    }

    /// No more bytes will come, or none ever did: the name has no address, nobody accepted. What
    /// came before is handled first.
    pub fn handle_eof(&mut self, now: Instant, conn: ConnId, cause: Disconnect) {
        self.advance(now);
        if self.handle_probe_end(conn, cause) {
            return;
        }
        if let Phase::Linked(link) = &mut self.phase
            && link.conn == conn
        {
            link.end.get_or_insert(cause);
        }
    }

    /// A name for somebody who wants to be told of changes.
    pub const fn new_watcher(&mut self) -> WatcherId {
        let watcher = WatcherId(self.next_watcher);
        self.next_watcher += 1;
        watcher
    }

    /// Forgets what one watcher watches at a path, at once and without telling it; what the server
    /// still says of it matches nobody. The server is told to stop if it would go on for ever and
    /// nobody else watches the path. A watch whose request is not complete is not there yet.
    pub fn forget_watch(
        &mut self,
        now: Instant,
        path: &str,
        watcher: WatcherId,
        kind: WatcherType,
    ) {
        self.advance(now);
        let removed = self.watches.remove(path, Some(watcher), kind);
        self.stop_watching(path, &removed);
    }

    /// Replaces the list of servers; whether the session leaves its server for another one. An
    /// empty list changes nothing.
    ///
    /// Behaviour: `StaticHostProvider.updateServerList`: as many clients move as balances the load.
    pub fn update_hosts(&mut self, now: Instant, hosts: Vec<HostPort>) -> bool {
        self.advance(now);
        if hosts.is_empty() || matches!(self.phase, Phase::Over(_)) {
            return false;
        }
        let current = match &self.phase {
            Phase::Linked(link) => Some((&link.host, link.peer)),
            Phase::Waiting(_) | Phase::Over(_) => None,
        };
        let moves = self.hosts.update(hosts, current, &mut self.rng);
        self.preferred = None;
        match &self.phase {
            Phase::Linked(_) if moves && !self.is_closing => self.lose(LostReason::Rebalanced),
            Phase::Linked(_) | Phase::Over(_) => return false,
            Phase::Waiting(_) => self.choose_again(),
        }
        moves
    }

    /// Ends the session on the server, behind everything submitted so far; nothing more is
    /// accepted. Ends in [`Event::Closed`], at the latest when the server answers nothing for
    /// [`Config::request_timeout`], or for the session time-out where there is none.
    pub fn close(&mut self, now: Instant) {
        self.advance(now);
        if self.is_closing {
            return;
        }
        match self.phase {
            Phase::Over(_) => return,
            Phase::Waiting(_) => self.end_unreached(),
            Phase::Linked(_) => self.submit_close(),
        }
        self.is_closing = true;
        self.set_close_timer();
    }

    /// Ends here, at once, without ending the session on the server: its ephemerals stay until it
    /// times out there, or somebody resumes it.
    pub fn detach(&mut self, now: Instant) {
        self.advance(now);
        if !matches!(self.phase, Phase::Over(_)) {
            self.end_detached();
        }
    }

    /// What the driver has to do next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Bytes to send on `conn`, if there are any.
    pub fn poll_transmit(&mut self, conn: ConnId) -> Option<Transmit<'_>> {
        if self.probe.is(conn) {
            return self.probe.transmit(&mut self.pool);
        }
        match &mut self.phase {
            Phase::Linked(link) if link.conn == conn => link.outbox.transmit(&mut self.pool),
            _ => None,
        }
    }

    /// When [`Session::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What [`Session::handle_timeout`] is due for.
    #[must_use]
    pub fn timeout_reason(&self) -> Option<&'static str> {
        self.timers.next_timer().map(Timer::name)
    }

    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> State {
        match &self.phase {
            Phase::Over(reason) => reason.state(),
            _ if self.is_connected() => State::Connected { read_only: self.read_only },
            _ => State::Connecting,
        }
    }

    /// What it takes to resume this session elsewhere; `None` before a server gave it one.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        (self.credentials.session != SessionId::NONE).then(|| self.credentials.clone())
    }

    /// The session's id; [`SessionId::NONE`] before there is one.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.credentials.session
    }

    /// The time-out that the server granted; `None` before it did.
    #[must_use]
    pub const fn negotiated_timeout(&self) -> Option<Duration> {
        self.negotiated
    }

    /// The server that the session is connected to, or was last.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether bytes of `conn` should be read now.
    #[must_use]
    pub fn wants_read(&self, conn: ConnId) -> bool {
        match &self.phase {
            Phase::Linked(link) if link.conn == conn => link.wants_read,
            _ => self.probe.is(conn),
        }
    }

    /// Requests sent and not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.requests.in_flight.len() + self.requests.auths.len()
    }

    /// Requests that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.requests.waiting.len()
    }

    /// Watches set.
    #[must_use]
    pub fn watches(&self) -> usize {
        self.watches.len()
    }

    /// Whether somebody watches something. It is ahead of events that are yet to be polled.
    #[must_use]
    pub fn is_watching(&self, watcher: WatcherId) -> bool {
        self.watches.is_holding(watcher)
    }

    /// The highest zxid seen in a reply.
    #[must_use]
    pub const fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Checks everything that must always hold: for tests, fuzzing and simulation.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        self.requests.check_invariants();
        self.watches.check_invariants();
        let has_link = matches!(self.phase, Phase::Linked(_));
        assert!(self.active_link().is_none() || self.requests.waiting.is_empty(), "sent at once");
        assert!(has_link || self.requests.in_flight.is_empty(), "in flight on a connection");
        assert!(!self.is_connected() || self.timers.get(Timer::Read).is_some(), "a read limit");
        match &self.phase {
            Phase::Linked(link) => {
                link.check_invariants();
                assert_eq!(self.is_connected(), self.timers.get(Timer::Connect).is_none());
                assert!(link.wants_read || link.inbox.len() > READ_AHEAD, "reading goes on");
            }
            Phase::Waiting(_) => assert!(self.timers.get(Timer::Attempt).is_some()),
            Phase::Over(_) => {
                assert_eq!(self.requests.len(), 0, "nothing is left");
                assert_eq!(self.timers.next(), None, "nothing is due");
            }
        }
        assert_eq!(self.requests.first_deadline(), self.timers.get(Timer::Request));
    }

    /// The first attempt.
    fn begin(&mut self, host: HostPort) {
        self.set_expiry();
        if self.credentials.session == SessionId::NONE
            && let Some(patience) = self.config.new_session_timeout
        {
            let patience = if patience.is_zero() { self.times.expiry } else { patience };
            self.timers.set(Timer::NewSession, self.now + patience);
        }
        self.connect(host);
    }

    /// The session time-out: what was asked for, later what was granted.
    const fn timeout(&self) -> Duration {
        self.times.session
    }

    /// Says whether more bytes are wanted; the one place that does.
    fn update_wants_read(&mut self) {
        let Phase::Linked(link) = &mut self.phase else { return };
        let wanted_max = self.config.frame_length_max.saturating_add(READ_AHEAD);
        let wants_read = link.inbox.len() <= wanted_max;
        if wants_read && !link.wants_read {
            self.actions.push_back(Action::Read(link.conn));
        }
        link.wants_read = wants_read;
    }
}

/// Where it stands. Its queues are left out: passwords are among the bytes to be sent.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.session_id())
            .field("state", &self.state())
            .field("peer", &self.peer)
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .field("watches", &self.watches())
            .field("last_zxid", &self.last_zxid)
            .finish_non_exhaustive()
    }
}

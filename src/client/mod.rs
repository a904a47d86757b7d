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
//! [`Session::poll_timeout`].
//!
//! # Order
//!
//! - Requests are sent in the order of their submission, and complete in that order, but for those
//!   whose time is over before they were sent.
//! - An event of a watch comes before every reply that shows the newer state; a watch is set
//!   before its reply is told.
//! - When a connection is lost, its requests fail before the state changes. When the server ends
//!   the session, the state changes first.
//!
//! Behaviour: `org.apache.zookeeper.ClientCnxn`; where that is known to be wrong, the better rule.

mod chroot;
mod config;
mod connect_string;
mod error;
mod event;
mod failure;
pub mod operation;
mod retry;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use chroot::Chroot;
pub use config::{Auth, Backoff, Config, Credentials, SaslLogin};
pub use connect_string::{ConnectString, ConnectStringError, HostPort};
pub use error::{ArgumentError, Error, MultiError};
pub use event::{
    Action, Event, KeeperState, Purpose, Reply, RequestId, State, WatchEvent, WatchEventKind,
    WatcherId,
};
pub use failure::{CloseReason, LostReason, RequestError, SubmitError, Warning};
pub use operation::Operation;
pub use retry::{Repetition, Retry, RetryPolicy};

use crate::{
    conn::{Disconnect, Transmit},
    ids::{ConnId, SessionId, Zxid},
    time::Instant,
    wire::{Request, WatcherType},
};

/// How a request is to be treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SubmitOptions {
    /// Who is to be told by the watch that the request sets; it decides the request's watch flag.
    pub watcher: Option<WatcherId>,
    /// How long the request may take; [`Config::request_timeout`] where it is `None`.
    pub timeout: Option<Duration>,
}

/// A ZooKeeper session, as the client sees it.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    now: Instant,
}

impl Session {
    /// A session that looks for a server at once. Equal seeds and inputs give equal outputs.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant, seed: u64) -> Self {
        Self::resume(config, now, seed, Credentials::NONE)
    }

    /// A session that exists on the server already. If it is over there, it ends with
    /// [`CloseReason::Expired`].
    #[must_use]
    pub fn resume(
        _config: Arc<Config>,
        _now: Instant,
        _seed: u64,
        _credentials: Credentials,
    ) -> Self {
        todo!()
    }

    /// The attempt `conn` succeeded: its socket is connected to `peer`.
    pub fn handle_connected(&mut self, _now: Instant, _conn: ConnId, _peer: SocketAddr) {
        todo!()
    }

    /// Bytes came.
    pub fn handle_input(&mut self, _now: Instant, _conn: ConnId, _bytes: &[u8]) {
        todo!()
    }

    /// No more bytes will come, or none ever: the name has no address, nobody accepted.
    pub fn handle_eof(&mut self, _now: Instant, _conn: ConnId, _cause: Disconnect) {
        todo!()
    }

    /// Time has passed. Harmless when nothing is due.
    pub fn handle_timeout(&mut self, _now: Instant) {
        todo!()
    }

    /// A name for somebody who wants to be told of changes.
    pub fn new_watcher(&mut self) -> WatcherId {
        todo!()
    }

    /// Takes a request with server paths. It is encoded at once, sent when the session can, and
    /// completes with one [`Event::Reply`].
    ///
    /// # Errors
    ///
    /// Why it is not accepted; nothing will be sent or told of it.
    pub fn submit(
        &mut self,
        _now: Instant,
        _request: &Request<'_>,
        _options: SubmitOptions,
    ) -> Result<RequestId, SubmitError> {
        todo!()
    }

    /// Asks the server to forget watches of one path, and forgets them here: those of `watcher`,
    /// or everybody's. The one's that go are told by [`Event::Watch`] with a removal. `local`
    /// forgets them here even if the server cannot be asked.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn remove_watches(
        &mut self,
        _now: Instant,
        _path: &str,
        _watcher: Option<WatcherId>,
        _kind: WatcherType,
        _local: bool,
    ) -> Result<RequestId, SubmitError> {
        todo!()
    }

    /// Takes on an identity, now and in every later handshake. A refusal ends the session.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn add_auth(
        &mut self,
        _now: Instant,
        _scheme: &str,
        _credentials: &[u8],
    ) -> Result<RequestId, SubmitError> {
        todo!()
    }

    /// Replaces the list of servers; whether the session moves to another one at once. An empty
    /// list changes nothing.
    pub fn update_hosts(&mut self, _now: Instant, _hosts: Vec<HostPort>) -> bool {
        todo!()
    }

    /// Ends the session on the server, behind everything submitted so far.
    pub fn close(&mut self, _now: Instant) {
        todo!()
    }

    /// Ends here, at once, without ending the session on the server: its ephemerals stay until it
    /// times out there, or somebody resumes it.
    pub fn detach(&mut self, _now: Instant) {
        todo!()
    }

    /// What happened next. Replies are decoded in place and lent.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        todo!()
    }

    /// What the driver has to do next.
    pub fn poll_action(&mut self) -> Option<Action> {
        todo!()
    }

    /// Bytes to send on `conn`, if there are any.
    pub fn poll_transmit(&mut self, _conn: ConnId) -> Option<Transmit<'_>> {
        todo!()
    }

    /// When [`Session::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }

    /// What [`Session::handle_timeout`] is due for.
    #[must_use]
    pub fn timeout_reason(&self) -> Option<&'static str> {
        todo!()
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> State {
        todo!()
    }

    /// What it takes to resume this session elsewhere; `None` before a server gave it one.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        todo!()
    }

    /// The session's id; [`SessionId::NONE`] before there is one.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        todo!()
    }

    /// The time-out that the server granted; `None` before it did.
    #[must_use]
    pub fn negotiated_timeout(&self) -> Option<Duration> {
        todo!()
    }

    /// The server that the session is connected to, or was last.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        todo!()
    }

    /// Whether bytes of `conn` should be read now.
    #[must_use]
    pub fn wants_read(&self, _conn: ConnId) -> bool {
        todo!()
    }

    /// Requests sent and not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        todo!()
    }

    /// Requests that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        todo!()
    }

    /// Watches set.
    #[must_use]
    pub fn watches(&self) -> usize {
        todo!()
    }

    /// The highest zxid seen in a reply.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        todo!()
    }

    /// Checks everything that must always hold: for tests, fuzzing and simulation.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        todo!()
    }
}

//! A session and its sockets inside somebody else's loop.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use mio::{Registry, Token, event};
use zookeeper_common::{Clock, Connection, Input, Output, Stream, Written};
use zookeeper_core::{
    ConnId, Disconnect, Instant,
    client::{
        Action, Config, Credentials, Event, HostPort, Purpose, RequestId, Session, SubmitError,
        SubmitOptions, WatcherId,
    },
    wire::{Request, WatcherType},
};

use super::socket::{Attempt, Progress, Stage};
use crate::poll::Edges;

/// Bytes read at a time.
const BUFFER_LENGTH: usize = 64 << 10;
/// Bytes written in a turn, not counting the last write.
const BYTES_WRITTEN_PER_TURN: usize = 1 << 20;

/// The names of a session's sockets in the loop's registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tokens {
    /// The session's own socket.
    pub session: Token,
    /// The one that looks for a writable server, while the session has a read-only one.
    pub probe: Token,
}

/// A server whose addresses the session wants to know.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Resolve {
    /// The attempt's name, for [`Steppable::handle_resolved`].
    pub conn: ConnId,
    /// The server.
    pub host: HostPort,
    /// How long the whole attempt may take, from now on.
    pub timeout: Duration,
}

/// A session with its sockets, for a loop that is somebody else's.
///
/// It has no thread, no timer and no resolver of its own. The sockets are registered with the
/// loop's [`Registry`], edge triggered, under the [`Tokens`] that the caller chose. A turn of the
/// loop is:
///
/// ```no_run
/// # use zookeeper_mio::client::{Steppable, Event};
/// # fn addresses(host: &str, port: u16) -> Vec<std::net::SocketAddr> { Vec::new() }
/// # fn turn(poll: &mut mio::Poll, events: &mut mio::Events, session: &mut Steppable)
/// # -> std::io::Result<()> {
/// poll.poll(events, session.timeout())?;
/// for event in &*events {
///     session.handle_event(event); // false: not one of the session's tokens
/// }
/// session.receive(poll.registry());
/// loop {
///     while let Some(event) = session.poll_event() {
///         // Replies, watch events, states: in one order.
///     }
///     session.send(poll.registry());
///     while let Some(wanted) = session.poll_resolve() {
///         // Now or in a later turn; an empty list says that there are none.
///         let found = addresses(&wanted.host.host, wanted.host.port);
///         session.handle_resolved(wanted.conn, found);
///     }
///     if !session.is_pending() {
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Nothing is lost by leaving the inner loop out: [`Steppable::timeout`] is zero while there is
/// more to do. Poll all events in each turn: deadlines, and pings among them, wait for what came
/// before them. Whoever cannot keep up stops [reading](Steppable::set_reading) instead.
///
/// Dropping it closes the sockets and nothing else: the session lives on at the server until it
/// times out there. See [`Steppable::close`].
#[derive(Debug)]
pub struct Steppable {
    session: Session,
    tokens: Tokens,
    clock: Clock,
    /// The clock's newest reading.
    now: Instant,
    turn: u64,
    /// At most one for each purpose.
    attempts: [Option<Attempt>; 2],
    unresolved: VecDeque<Resolve>,
    buffer: Box<[u8]>,
    /// Whether there may be events: something was done since there were none.
    is_pending: bool,
    is_reading: bool,
}

impl Steppable {
    /// A session that looks for a server at once. Everything random in it comes from `seed`.
    ///
    /// # Panics
    ///
    /// When the configuration names no server.
    #[must_use]
    pub fn new(config: Arc<Config>, tokens: Tokens, seed: u64) -> Self {
        let clock = Clock::start();
        let now = clock.now();
        Self::with_session(Session::new(config, now, seed), tokens, clock)
    }

    /// A session that exists on the server already.
    ///
    /// # Panics
    ///
    /// When the configuration names no server.
    #[must_use]
    pub fn resume(
        config: Arc<Config>,
        tokens: Tokens,
        seed: u64,
        credentials: Credentials,
    ) -> Self {
        let clock = Clock::start();
        let now = clock.now();
        Self::with_session(Session::resume(config, now, seed, credentials), tokens, clock)
    }

    fn with_session(session: Session, tokens: Tokens, clock: Clock) -> Self {
        Self {
            session,
            tokens,
            now: clock.now(),
            clock,
            turn: 0,
            attempts: [None, None],
            unresolved: VecDeque::new(),
            buffer: vec![0; BUFFER_LENGTH].into(),
            is_pending: true,
            is_reading: true,
        }
    }

    /// Takes down what the system says; whether it was about one of the session's sockets.
    pub fn handle_event(&mut self, event: &event::Event) -> bool {
        let purpose = if event.token() == self.tokens.session {
            Purpose::Session
        } else if event.token() == self.tokens.probe {
            Purpose::Probe
        } else {
            return false;
        };
        if let Some(attempt) = &mut self.attempts[index(purpose)] {
            attempt.notice(event);
        }
        true
    }

    /// The addresses of a server that [`Steppable::poll_resolve`] named; none if it has none. They
    /// are tried one after the other. Harmless if the attempt is over already.
    pub fn handle_resolved(&mut self, conn: ConnId, addresses: Vec<SocketAddr>) {
        if let Some(attempt) = find(&mut self.attempts, conn) {
            self.is_pending |= attempt.resolve(addresses);
        }
    }

    /// Reads, once for each socket at most, and goes on connecting. Poll events next.
    pub fn receive(&mut self, registry: &Registry) {
        self.now = self.clock.now();
        self.turn += 1;
        for purpose in [Purpose::Session, Purpose::Probe] {
            self.advance(purpose, registry);
            self.read(purpose, registry);
        }
    }

    /// Does what is due, and everything that the session wants: writes, opens and closes sockets.
    pub fn send(&mut self, registry: &Registry) {
        self.now = self.clock.now();
        for purpose in [Purpose::Session, Purpose::Probe] {
            self.advance(purpose, registry);
            self.go_on_writing(purpose, registry);
        }
        if self.session.poll_timeout().is_some_and(|at| at <= self.now) {
            self.session.handle_timeout(self.now);
            self.is_pending = true;
        }
        while let Some(action) = self.session.poll_action() {
            self.is_pending = true;
            match action {
                Action::Connect { conn, host, purpose, deadline } => {
                    self.connect(conn, host, purpose, deadline);
                }
                Action::Transmit(conn) => self.transmit(conn, registry),
                Action::Close(conn) => self.close_socket(conn),
                // A socket that is readable is read in the next turn.
                Action::Read(_) => {}
                _ => debug_assert!(false, "an action that this driver does not know"),
            }
        }
    }

    /// Whether [`Steppable::receive`] reads; at first it does. A server that is not read is not
    /// heard either: after two thirds of the session time-out its connection is given up. To read
    /// once whenever [`Session::poll_timeout`] is due keeps it.
    pub const fn set_reading(&mut self, is_reading: bool) {
        self.is_reading = is_reading;
    }

    /// A name for somebody who wants to be told of changes.
    pub fn new_watcher(&mut self) -> WatcherId {
        self.session.new_watcher()
    }

    /// As [`Session::submit`].
    ///
    /// # Errors
    ///
    /// Why the request is not accepted.
    pub fn submit(
        &mut self,
        request: &Request<'_>,
        options: SubmitOptions,
    ) -> Result<RequestId, SubmitError> {
        let now = self.begin_command();
        self.session.submit(now, request, options)
    }

    /// As [`Session::remove_watches`].
    ///
    /// # Errors
    ///
    /// Why the request is not accepted.
    pub fn remove_watches(
        &mut self,
        path: &str,
        watcher: Option<WatcherId>,
        kind: WatcherType,
        local: bool,
    ) -> Result<RequestId, SubmitError> {
        let now = self.begin_command();
        self.session.remove_watches(now, path, watcher, kind, local)
    }

    /// As [`Session::add_auth`].
    ///
    /// # Errors
    ///
    /// Why the request is not accepted.
    pub fn add_auth(&mut self, scheme: &str, credentials: &[u8]) -> Result<RequestId, SubmitError> {
        let now = self.begin_command();
        self.session.add_auth(now, scheme, credentials)
    }

    /// As [`Session::update_hosts`].
    pub fn update_hosts(&mut self, hosts: Vec<HostPort>) -> bool {
        let now = self.begin_command();
        self.session.update_hosts(now, hosts)
    }

    /// Begins a new session in place of one that is over: see [`Session::successor`].
    pub fn renew(&mut self, seed: u64) {
        let now = self.begin_command();
        self.session = self.session.successor(now, seed);
        self.attempts = [None, None];
        self.unresolved.clear();
    }

    /// Ends the session on the server, behind everything submitted so far. Go on until the last
    /// event.
    pub fn close(&mut self) {
        let now = self.begin_command();
        self.session.close(now);
    }

    /// Ends here without ending the session on the server.
    pub fn detach(&mut self) {
        let now = self.begin_command();
        self.session.detach(now);
    }

    /// What happened next, in one order for everything.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        let event = self.session.poll_event();
        self.is_pending = event.is_some();
        event
    }

    /// The next server whose addresses are wanted, by name: answer with
    /// [`Steppable::handle_resolved`], even if there are none.
    pub fn poll_resolve(&mut self) -> Option<Resolve> {
        self.unresolved.pop_front()
    }

    /// How long nothing will have to be done unless an event comes; `None` is for ever.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        if self.is_pending || !self.unresolved.is_empty() || self.has_ready() {
            return Some(Duration::ZERO);
        }
        let attempts = self.attempts.iter().flatten().filter_map(Attempt::timeout);
        let next = attempts.chain(self.session.poll_timeout()).min()?;
        Some(next.saturating_duration_since(self.clock.now()))
    }

    /// Whether events should be polled and [`Steppable::send`] called once more before the loop
    /// waits.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// Whether something is due by the session's clock.
    pub(super) fn is_due(&self) -> bool {
        let now = self.clock.now();
        self.session.poll_timeout().is_some_and(|at| at <= now)
    }

    /// The session, to look at.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Commands come at any time of a turn, and their deadlines begin now.
    fn begin_command(&mut self) -> Instant {
        self.is_pending = true;
        self.now = self.clock.now();
        self.now
    }

    /// Whether a socket can be read or written without waiting.
    fn has_ready(&self) -> bool {
        self.attempts.iter().flatten().any(|attempt| match &attempt.stage {
            Stage::Open(connection) => {
                let can_read = self.is_reading
                    && connection.is_readable
                    && !connection.has_ended
                    && (self.session.wants_read(attempt.conn) || is_lost(connection));
                can_read || connection.output == Output::Pending
            }
            _ => false,
        })
    }

    fn connect(&mut self, conn: ConnId, host: HostPort, purpose: Purpose, deadline: Instant) {
        let attempt = Attempt::new(conn, deadline);
        let old = self.attempts[index(purpose)].replace(attempt);
        debug_assert!(old.is_none(), "one connection for each purpose");
        let timeout = deadline.saturating_duration_since(self.now);
        self.unresolved.retain(|other| other.conn != conn);
        self.unresolved.push_back(Resolve { conn, host, timeout });
    }

    /// Goes on connecting.
    fn advance(&mut self, purpose: Purpose, registry: &Registry) {
        let token = match purpose {
            Purpose::Session => self.tokens.session,
            Purpose::Probe => self.tokens.probe,
        };
        let Some(attempt) = &mut self.attempts[index(purpose)] else { return };
        let conn = attempt.conn;
        match attempt.advance(self.now, token, registry) {
            Progress::None => return,
            Progress::Connected(peer) => self.session.handle_connected(self.now, conn, peer),
            Progress::Failed(cause) => self.session.handle_eof(self.now, conn, cause),
        }
        self.is_pending = true;
    }

    /// One read, if the session wants it.
    fn read(&mut self, purpose: Purpose, registry: &Registry) {
        let Some(Attempt { conn, stage: Stage::Open(connection), .. }) =
            &mut self.attempts[index(purpose)]
        else {
            return;
        };
        let conn = *conn;
        if !self.is_reading || !connection.is_readable || connection.has_ended {
            return;
        }
        let input = if self.session.wants_read(conn) {
            connection.read(&mut self.buffer, &mut Edges(registry))
        } else if is_lost(connection) {
            // What is still unread of it is lost; the session must not wait for it.
            Input::Ended(Disconnect::Reset)
        } else {
            return;
        };
        match input {
            Input::Bytes(0) => {}
            Input::Bytes(count) => {
                self.session.handle_input(self.now, conn, &self.buffer[..count]);
                self.is_pending = true;
            }
            Input::Blocked if connection.output != Output::Failed => {}
            Input::Blocked => self.end(conn, Disconnect::Reset),
            Input::Ended(cause) => self.end(conn, cause),
        }
    }

    fn end(&mut self, conn: ConnId, cause: Disconnect) {
        if let Some(Attempt { stage: Stage::Open(connection), .. }) = find(&mut self.attempts, conn)
        {
            connection.has_ended = true;
        }
        self.session.handle_eof(self.now, conn, cause);
        self.is_pending = true;
    }

    /// Writes what was left because the socket was full, or had had its share.
    fn go_on_writing(&mut self, purpose: Purpose, registry: &Registry) {
        if let Some(Attempt { conn, stage: Stage::Open(connection), .. }) =
            &mut self.attempts[index(purpose)]
            && connection.output == Output::Pending
        {
            connection.output = Output::Open;
            let conn = *conn;
            self.transmit(conn, registry);
        }
    }

    /// Writes what there is, within the turn's share.
    fn transmit(&mut self, conn: ConnId, registry: &Registry) {
        let Some(Attempt { stage: Stage::Open(connection), .. }) = find(&mut self.attempts, conn)
        else {
            return;
        };
        if connection.output != Output::Open {
            return;
        }
        loop {
            let Some(mut transmit) = self.session.poll_transmit(conn) else {
                connection.forget_room(&mut Edges(registry));
                return;
            };
            if connection.written_in(self.turn) >= BYTES_WRITTEN_PER_TURN {
                connection.output = Output::Pending;
                return;
            }
            match connection.write(&mut transmit) {
                Written::Some => {}
                Written::Blocked => {
                    return connection.expect_room(&mut Edges(registry));
                }
                Written::Failed => return connection.fail_output(),
            }
        }
    }

    /// Dropping the socket closes it.
    fn close_socket(&mut self, conn: ConnId) {
        for attempt in &mut self.attempts {
            attempt.take_if(|attempt| attempt.conn == conn);
        }
        self.unresolved.retain(|resolve| resolve.conn != conn);
    }
}

/// Whether nothing can be sent any more.
fn is_lost<S: Stream>(connection: &Connection<S>) -> bool {
    connection.is_broken || connection.output == Output::Failed
}

const fn index(purpose: Purpose) -> usize {
    match purpose {
        Purpose::Session => 0,
        Purpose::Probe => 1,
    }
}

fn find(attempts: &mut [Option<Attempt>; 2], conn: ConnId) -> Option<&mut Attempt> {
    attempts.iter_mut().flatten().find(|attempt| attempt.conn == conn)
}

//! The loop: wait, read, decide, write.
//!
//! A turn is: one look at the clock; a bounded number of accepts, reads and leftover writes, first
//! come, first served; everything the server wants done; what is due. Sockets are announced once,
//! so what was not finished in a turn is remembered in the queue of those with work, and a
//! connection that always has more goes behind all others each time.

mod accepting;

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant as SystemInstant},
};

use tracing::debug;
use zookeeper_core::{
    ConnId, Disconnect, Instant,
    server::{Action, Event, Failure, Server},
};

use crate::{
    Config,
    accept::Listener,
    clock::{self, Clock},
    closing::ClosingSockets,
    connection::{Connection, Input, Output, Written},
    environment::Host,
    error::{BindError, RunError},
    handle::Signal,
    listen::listen,
    log,
    poll::{Poll, Readiness, Source},
    store::Store,
};

/// Bytes read at a time.
const BUFFER_LENGTH: usize = 64 << 10;
/// Connections looked after in a turn.
const CONNECTIONS_PER_TURN: usize = 256;
/// Bytes read in a turn, not counting the last read.
const BYTES_READ_PER_TURN: usize = 256 << 10;
/// Bytes written in a turn to one connection, not counting the last write.
const BYTES_WRITTEN_PER_TURN: usize = 1 << 20;

/// How often the server hears what time it is.
const WALL_CLOCK_INTERVAL: Duration = Duration::from_secs(1);
/// How often it hears about its host.
const ENVIRONMENT_INTERVAL: Duration = Duration::from_secs(5);

/// A server with its sockets, and nobody who waits for them.
#[derive(Debug)]
pub struct EventLoop<P: Poll> {
    config: Config,
    server: Server,
    /// Where data are kept; none in memory.
    store: Option<Store>,
    poll: P,
    clock: Clock,
    /// The clock's only reading in this turn.
    now: Instant,
    turn: u64,
    addresses: Vec<SocketAddr>,
    listeners: Vec<Listener<P::Listener>>,
    /// Whether the system had room for the newest connection.
    has_room: bool,
    /// By the slot of their id.
    connections: Vec<Option<Connection<P::Stream>>>,
    /// Connections with work, oldest first; each at most once.
    ready: VecDeque<ConnId>,
    closing: ClosingSockets<P::Stream>,
    buffer: Box<[u8]>,
    host: Host,
    next_wall_clock: Instant,
    next_environment: Instant,
    is_stopping: bool,
    /// Why the server stopped by itself.
    failure: Option<Failure>,
}

/// Until when a driver has nothing to do if nothing is announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Pause {
    /// There is something to do.
    None,
    /// Until this time.
    Until(Instant),
    /// For ever: the server has stopped.
    Ever,
}

impl<P: Poll> EventLoop<P> {
    /// Recovers what is stored, and then listens on every address of `config`. The signal is for
    /// what is stored later.
    ///
    /// # Errors
    ///
    /// [`BindError`] when the data or an address are not to be had.
    pub fn bind(
        mut config: Config,
        mut poll: P,
        signal: Arc<dyn Signal>,
    ) -> Result<Self, BindError> {
        if config.listen.is_empty() {
            return Err(BindError::NoAddress);
        }
        let seed = config.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        let (store, recovered) = Store::open(&mut config, seed, signal)?;
        let mut listeners = Vec::with_capacity(config.listen.len());
        for (index, &address) in config.listen.iter().enumerate() {
            let listener = listen(address, config.backlog)
                .and_then(|socket| Listener::new(socket, index, &mut poll))
                .map_err(|source| BindError::Listen { address, source })?;
            listeners.push(listener);
        }
        let clock = Clock::start();
        let now = clock.now();
        let addresses: Vec<SocketAddr> = listeners.iter().map(Listener::address).collect();
        config.server.about.client_addresses.clone_from(&addresses);
        let server = Server::new(Arc::new(config.server.clone()), now, seed, recovered);
        Ok(Self {
            config,
            server,
            store,
            poll,
            clock,
            now,
            turn: 0,
            addresses,
            listeners,
            has_room: true,
            connections: Vec::new(),
            ready: VecDeque::new(),
            closing: ClosingSockets::new(),
            buffer: vec![0; BUFFER_LENGTH].into(),
            host: Host::new(),
            next_wall_clock: now,
            next_environment: now,
            is_stopping: false,
            failure: None,
        })
    }

    /// The clock, read once. Nothing is to be done with the loop between this and
    /// [`EventLoop::work`] but [`EventLoop::notice`] and [`EventLoop::stop`].
    pub fn begin_turn(&mut self) {
        self.now = self.clock.now();
        self.turn += 1;
    }

    /// Takes down what the system says.
    pub fn notice(&mut self, source: Source, readiness: Readiness) {
        match source {
            Source::Listener(index) => {
                if let Some(listener) = self.listeners.get_mut(index) {
                    listener.notice();
                }
            }
            Source::Connection(slot) => {
                if let Some(Some(connection)) = self.connections.get_mut(slot) {
                    connection.notice(readiness);
                    enqueue(&mut self.ready, connection);
                }
            }
            Source::Closing(key) => self.closing.notice(key, &mut self.poll, &mut self.buffer),
        }
    }

    /// Takes no new connections, writes what was promised, and closes what is open. Harmless when
    /// repeated.
    pub fn stop(&mut self) {
        if !self.is_stopping {
            debug!("stopping");
            self.is_stopping = true;
            self.listeners.clear();
            self.server.shutdown(self.now);
            if let Some(store) = &mut self.store {
                store.stop(self.now);
            }
        }
    }

    /// The turn itself: reads, decides and writes.
    pub fn work(&mut self) {
        if let Some(store) = &mut self.store {
            store.complete(self.now, &mut self.server);
        }
        self.accept();
        self.serve();
        self.drain();
        self.keep_time();
        if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
            self.server.handle_timeout(self.now);
        }
        self.drain();
    }

    /// Whether to wait, after a turn.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the server has stopped by itself.
    pub fn wait(&self) -> Result<Pause, RunError> {
        if self.is_stopping && self.server.is_drained() && self.closing.is_empty() {
            return match self.failure.clone() {
                Some(failure) => Err(RunError::Failed(failure)),
                None => Ok(Pause::Ever),
            };
        }
        let store_timeout = self.store_timeout();
        if store_timeout.is_some_and(|at| at <= self.now) {
            return Err(RunError::StoreHangs);
        }
        if !self.ready.is_empty() {
            return Ok(Pause::None);
        }
        let clocks = self.next_wall_clock.min(self.next_environment);
        let others = [self.server.poll_timeout(), self.closing.timeout(), store_timeout];
        let listeners = self.listeners.iter().map(Listener::timeout);
        let next = others.into_iter().chain(listeners).flatten().fold(clocks, Instant::min);
        Ok(if next <= self.now { Pause::None } else { Pause::Until(next) })
    }

    /// Until when a server that stops waits for what is not stored yet. Connections stay open for
    /// the answers that wait for it, so they say nothing about it. What failed is not waited for.
    fn store_timeout(&self) -> Option<Instant> {
        if !self.is_stopping || self.failure.is_some() {
            return None;
        }
        self.store.as_ref().and_then(|store| store.timeout(&self.server))
    }

    /// How long it was from the beginning of this turn to `at`.
    #[must_use]
    pub fn duration_until(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.now)
    }

    /// What the system calls this time.
    #[must_use]
    pub fn system_time(&self, at: Instant) -> SystemInstant {
        self.clock.system_time(at)
    }

    /// Every address it listens on, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What waits for its sockets.
    pub const fn poll_mut(&mut self) -> &mut P {
        &mut self.poll
    }

    /// Clocks, and sockets that closed for long enough.
    fn keep_time(&mut self) {
        if self.next_wall_clock <= self.now {
            self.next_wall_clock = self.now + WALL_CLOCK_INTERVAL;
            self.server.handle_wall_clock(self.now, clock::unix_ms());
        }
        if self.next_environment <= self.now {
            self.next_environment = self.now + ENVIRONMENT_INTERVAL;
            let mut environment = self.host.environment();
            if let Some(store) = &self.store {
                (environment.data_dir_bytes, environment.log_dir_bytes) = store.sizes();
            }
            self.server.handle_environment(self.now, environment);
        }
        self.closing.expire(self.now);
    }

    /// Looks after connections with work, oldest first.
    fn serve(&mut self) {
        let mut bytes = 0;
        for _ in 0..self.ready.len().min(CONNECTIONS_PER_TURN) {
            if bytes >= BYTES_READ_PER_TURN {
                return;
            }
            let Some(id) = self.ready.pop_front() else { return };
            let Some(connection) = find(&mut self.connections, id) else { continue };
            connection.is_queued = false;
            if connection.output == Output::Pending {
                connection.output = Output::Open;
                self.transmit(id);
            }
            bytes += self.read(id);
        }
    }

    /// One read, if the server wants it. Returns how many bytes came.
    fn read(&mut self, id: ConnId) -> usize {
        let Some(connection) = find(&mut self.connections, id) else { return 0 };
        let is_lost = connection.is_broken || connection.output == Output::Failed;
        if connection.has_ended {
            // The server may think that it still takes answers.
            if is_lost {
                self.end(id, Disconnect::Reset);
            }
            return 0;
        }
        if !connection.is_readable {
            return 0;
        }
        if !self.server.wants_read(id) {
            // What is still unread of a broken connection is lost; the server must not wait for it.
            if is_lost {
                self.end(id, Disconnect::Reset);
            }
            return 0;
        }
        match connection.read(&mut self.buffer, &mut self.poll) {
            Input::Bytes(count) => {
                if connection.is_readable {
                    enqueue(&mut self.ready, connection);
                }
                if count > 0 {
                    self.server.handle_input(self.now, id, &self.buffer[..count]);
                }
                count
            }
            Input::Blocked => {
                if connection.output == Output::Failed {
                    self.end(id, Disconnect::Reset);
                }
                0
            }
            // An end in good order is one that still takes answers.
            Input::Ended(_) if is_lost => {
                self.end(id, Disconnect::Reset);
                0
            }
            Input::Ended(cause) => {
                self.end(id, cause);
                0
            }
        }
    }

    fn end(&mut self, id: ConnId, cause: Disconnect) {
        if let Some(connection) = find(&mut self.connections, id) {
            connection.has_ended = true;
            self.server.handle_eof(self.now, id, cause);
        }
    }

    /// Writes what there is, within the turn's share.
    fn transmit(&mut self, id: ConnId) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        if connection.output != Output::Open {
            return;
        }
        let poll = &mut self.poll;
        loop {
            let Some(mut transmit) = self.server.poll_transmit(id) else {
                connection.forget_room(poll);
                break;
            };
            if connection.written_in(self.turn) >= BYTES_WRITTEN_PER_TURN {
                connection.output = Output::Pending;
                enqueue(&mut self.ready, connection);
                return;
            }
            match connection.write(&mut transmit) {
                Written::Some => {}
                Written::Blocked => {
                    connection.expect_room(poll);
                    break;
                }
                Written::Failed => {
                    connection.fail_output();
                    break;
                }
            }
        }
        // What came before its end is still to be read.
        if connection.output == Output::Failed {
            enqueue(&mut self.ready, connection);
        }
    }

    /// Does what the server wants until it wants nothing more.
    fn drain(&mut self) {
        loop {
            self.drain_events();
            let Some(action) = self.server.poll_action() else {
                // Actions make events too.
                if self.drain_events() { continue } else { break }
            };
            match action {
                Action::Transmit(id) => self.transmit(id),
                Action::Read(id) => {
                    if let Some(connection) = find(&mut self.connections, id)
                        && connection.is_readable
                    {
                        enqueue(&mut self.ready, connection);
                    }
                }
                Action::Close(id) => self.close(id),
                Action::Store { lane, ticket, op } => match &mut self.store {
                    Some(store) => store.add(lane, ticket, op),
                    None => debug_assert!(false, "a server in memory stores nothing"),
                },
                other => debug_assert!(false, "{other:?} is yet to be invented"),
            }
        }
        if let Some(store) = &mut self.store {
            store.submit();
        }
    }

    /// Logs what happened. Returns whether something did.
    fn drain_events(&mut self) -> bool {
        let mut had_any = false;
        while let Some(event) = self.server.poll_event() {
            had_any = true;
            let peer = match &event {
                Event::SessionCreated { conn, .. }
                | Event::SessionResumed { conn, .. }
                | Event::SessionRefused { conn, .. }
                | Event::ConnectionClosed { conn, .. } => {
                    find(&mut self.connections, *conn).map(|connection| connection.peer)
                }
                _ => None,
            };
            log::event(&event, peer);
            if let Event::Failed(failure) = event {
                self.failure = Some(failure);
                self.stop();
            }
        }
        had_any
    }

    fn close(&mut self, id: ConnId) {
        // Its last event names the peer, as long as the connection is here.
        self.drain_events();
        let Some(connection) = self
            .connections
            .get_mut(id.slot() as usize)
            .and_then(|slot| slot.take_if(|connection| connection.id == id))
        else {
            return;
        };
        for listener in &mut self.listeners {
            listener.resume();
        }
        // Whoever has ended its side waits for nothing.
        if !connection.has_ended && !connection.is_broken && connection.output != Output::Failed {
            let deadline = self.now + self.config.close_linger;
            let stream = connection.into_stream();
            self.closing.close(stream, deadline, &mut self.poll, &mut self.buffer);
        }
    }
}

fn find<S>(connections: &mut [Option<Connection<S>>], id: ConnId) -> Option<&mut Connection<S>> {
    let connection = connections.get_mut(id.slot() as usize)?.as_mut()?;
    (connection.id == id).then_some(connection)
}

fn enqueue<S>(ready: &mut VecDeque<ConnId>, connection: &mut Connection<S>) {
    if !connection.is_queued {
        connection.is_queued = true;
        ready.push_back(connection.id);
    }
}

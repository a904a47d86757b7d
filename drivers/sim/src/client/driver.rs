//! The driver of one session: it runs the contract's loop, and checks what the session does.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Disconnect, Instant, Rng,
    client::{
        Action, Config, Credentials, Event, KeeperState, LostReason, Purpose, RequestId, Session,
        SubmitError, SubmitOptions, WatcherId,
    },
    wire::{Request, WatcherType, Xid},
};

use super::{
    entry::{Entry, Seen, What},
    link::{Attempt, Link},
};
use crate::pair::{Chunking, Pipe};

/// How a driver's turn goes.
#[derive(Clone, Copy, Debug)]
pub struct Cutting {
    /// How the session's input is cut up.
    pub input: Chunking,
    /// How many reads are given to the session before it is asked what to do.
    pub reads_per_turn: usize,
    /// Bytes a client's socket holds unsent.
    pub socket_buffer: usize,
}

impl Default for Cutting {
    fn default() -> Self {
        Self { input: Chunking::Whole, reads_per_turn: 4, socket_buffer: 64 << 10 }
    }
}

/// A session, its connections, and everything it has said and done.
#[derive(Debug)]
pub struct Driver {
    pub(super) session: Session,
    pub(super) start: Instant,
    pub(super) cutting: Cutting,
    pub(super) rng: Rng,
    pub(super) links: Vec<Link>,
    /// Connections that ended before the driver was told to make them.
    pub(super) early: Vec<(ConnId, LostReason)>,
    /// Connections that may have something to read.
    pub(super) readable: VecDeque<usize>,
    pub(super) entries: Vec<Entry>,
    /// Accepted requests, and whether they are complete.
    pub(super) requests: BTreeMap<RequestId, bool>,
    pub(super) last_state: KeeperState,
    /// The newest ordinary number.
    pub(super) last_xid: Option<Xid>,
    pub(super) is_over: bool,
}

impl Driver {
    /// The driver of a session that begins now.
    #[must_use]
    pub fn new(
        config: Config,
        now: Instant,
        seed: u64,
        credentials: Option<Credentials>,
        cutting: Cutting,
    ) -> Self {
        let config = Arc::new(config);
        let session = match credentials {
            Some(credentials) => Session::resume(config, now, seed, credentials),
            None => Session::new(config, now, seed),
        };
        Self {
            session,
            start: now,
            cutting,
            rng: Rng::new(seed),
            links: Vec::new(),
            early: Vec::new(),
            readable: VecDeque::new(),
            entries: Vec::new(),
            requests: BTreeMap::new(),
            last_state: KeeperState::Disconnected,
            last_xid: None,
            is_over: false,
        }
    }

    /// The session, to look at.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The session, for what needs no bookkeeping.
    pub const fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether the session's last event came.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Accepted requests without an outcome.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.requests.values().filter(|is_done| !**is_done).count()
    }

    /// Everything that happened and was not taken.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes everything that happened.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Submits a request.
    ///
    /// # Errors
    ///
    /// The session's refusal.
    pub fn submit(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        options: SubmitOptions,
    ) -> Result<RequestId, SubmitError> {
        let id = self.session.submit(now, request, options);
        self.accepted(id)
    }

    /// Asks the session to forget watches.
    ///
    /// # Errors
    ///
    /// The session's refusal.
    pub fn remove_watches(
        &mut self,
        now: Instant,
        path: &str,
        watcher: Option<WatcherId>,
        kind: WatcherType,
        local: bool,
    ) -> Result<RequestId, SubmitError> {
        let id = self.session.remove_watches(now, path, watcher, kind, local);
        self.accepted(id)
    }

    /// Adds an identity.
    ///
    /// # Errors
    ///
    /// The session's refusal.
    pub fn add_auth(
        &mut self,
        now: Instant,
        scheme: &str,
        credentials: &[u8],
    ) -> Result<RequestId, SubmitError> {
        let id = self.session.add_auth(now, scheme, credentials);
        self.accepted(id)
    }

    /// Ends the session on the server.
    pub fn close(&mut self, now: Instant) {
        self.session.close(now);
    }

    /// Ends the session here.
    pub fn detach(&mut self, now: Instant) {
        self.session.detach(now);
    }

    /// A connection is there.
    pub(super) fn connected(&mut self, now: Instant, attempt: Attempt, peer: SocketAddr) {
        let link = &mut self.links[attempt.index()];
        if link.is_live() {
            link.is_connected = true;
            self.session.handle_connected(now, link.conn, peer);
        }
    }

    /// A connection ended, or never was.
    pub(super) fn ended(&mut self, now: Instant, attempt: Attempt, cause: Disconnect) {
        let link = &mut self.links[attempt.index()];
        if link.is_live() {
            link.is_end_told = true;
            self.session.handle_eof(now, link.conn, cause);
        }
    }

    /// Connections, in the order of their attempts.
    pub(super) fn links(&self) -> impl Iterator<Item = (Attempt, &Link)> {
        self.links.iter().enumerate().map(|(index, link)| (Attempt(index + 1), link))
    }

    pub(super) fn link(&self, attempt: Attempt) -> &Link {
        &self.links[attempt.index()]
    }

    /// What goes to the server on a connection.
    pub(super) fn toward_server(&mut self, attempt: Attempt) -> &mut Pipe {
        &mut self.links[attempt.index()].to_server
    }

    /// What comes from the server on a connection; wakes the driver's reading.
    pub(super) fn toward_client(&mut self, attempt: Attempt) -> &mut Pipe {
        self.readable.push_back(attempt.index());
        &mut self.links[attempt.index()].to_client
    }

    /// One turn: a bounded number of reads, drain, a due time-out, drain, writes. False when nothing
    /// happened.
    pub(super) fn turn(&mut self, now: Instant) -> bool {
        let mut is_busy = self.read_some(now);
        is_busy |= self.drain(now);
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
            self.drain(now);
            is_busy = true;
        }
        for index in 0..self.links.len() {
            let link = &self.links[index];
            if link.is_write_armed && link.to_server.room() > 0 {
                self.write(now, index);
                self.drain(now);
                is_busy = true;
            }
        }
        is_busy
    }

    fn read_some(&mut self, now: Instant) -> bool {
        for _ in 0..self.cutting.reads_per_turn {
            let Some(index) = self.readable.pop_front() else { return false };
            self.read(now, index);
        }
        !self.readable.is_empty()
    }

    fn read(&mut self, now: Instant, index: usize) {
        let link = &mut self.links[index];
        if !link.is_live() || !link.is_connected {
            return;
        }
        // The system tells of these whether somebody reads or not.
        let is_lost = |cause: &Disconnect| *cause != Disconnect::End;
        if let Some(cause) = link.to_client.ended().filter(is_lost) {
            link.is_end_told = true;
            return self.session.handle_eof(now, link.conn, cause);
        }
        if !self.session.wants_read(link.conn) {
            // `Action::Read` says when to go on.
            return;
        }
        let bytes = link.to_client.read(self.cutting.input.next(&mut self.rng));
        if !bytes.is_empty() {
            link.give(&bytes);
            self.session.handle_input(now, link.conn, &bytes);
        }
        if !link.to_client.is_empty() {
            self.readable.push_back(index);
        } else if let Some(cause) = link.to_client.ended() {
            if bytes.is_empty() {
                link.is_end_told = true;
                self.session.handle_eof(now, link.conn, cause);
            } else {
                self.readable.push_back(index);
            }
        }
    }

    /// Everything the session has to say, until it has nothing to say in one pass.
    pub(super) fn drain(&mut self, now: Instant) -> bool {
        let mut is_busy = false;
        loop {
            let mut is_quiet = true;
            while self.take_event(now) {
                is_quiet = false;
            }
            while let Some(action) = self.session.poll_action() {
                is_quiet = false;
                self.act(now, action);
            }
            if is_quiet {
                self.session.check_invariants();
                return is_busy;
            }
            is_busy = true;
        }
    }

    fn take_event(&mut self, now: Instant) -> bool {
        let Some(event) = self.session.poll_event() else { return false };
        let (links, early) = (&self.links, &self.early);
        let conn = match &event {
            Event::ConnectionClosed { conn, .. } => Some(*conn),
            _ => None,
        };
        let seen = Seen::new(event, || {
            let index = links.iter().rposition(|link| Some(link.conn) == conn);
            // An attempt that was given up at once: the driver hears of its end first.
            Attempt(index.unwrap_or_else(|| links.len() + early.len()) + 1)
        });
        if let Seen::Ended { attempt, reason } = &seen
            && let Some(conn) = conn
            && attempt.index() >= self.links.len()
        {
            self.early.push((conn, reason.clone()));
        }
        self.check_event(&seen);
        self.note(now, What::Seen(seen));
        true
    }

    fn act(&mut self, now: Instant, action: Action) {
        match action {
            Action::Connect { conn, host, purpose, deadline } => {
                self.connect(
                    now,
                    Link::new(conn, host, purpose, self.cutting.socket_buffer),
                    deadline,
                );
            }
            Action::Transmit(conn) => {
                let index = self.live(conn);
                self.write(now, index);
            }
            Action::Read(conn) => {
                let index = self.live(conn);
                self.readable.push_back(index);
            }
            Action::Close(conn) => {
                let index = self.live(conn);
                self.links[index].close();
            }
            _ => panic!("an action without a driver: {action:?}"),
        }
    }

    fn connect(&mut self, now: Instant, mut link: Link, deadline: Instant) {
        let is_early = self.early.iter().any(|(conn, _)| *conn == link.conn);
        assert!(!self.is_over || is_early, "an attempt although the session is over");
        let conn = link.conn;
        assert!(self.links.iter().all(|link| link.conn != conn), "{conn} is used again");
        let is_rival = |other: &Link| !other.is_closed && other.purpose == link.purpose;
        assert!(!self.links.iter().any(is_rival), "two attempts at the same time");
        assert!(deadline > now, "an attempt without time");
        let attempt = Attempt(self.links.len() + 1);
        if let Some(index) = self.early.iter().position(|(conn, _)| *conn == link.conn) {
            link.end = Some(self.early.remove(index).1);
        }
        let (host, purpose) = (link.host.to_string(), link.purpose);
        let deadline = deadline.saturating_duration_since(self.start);
        self.links.push(link);
        self.note(now, What::Connect { attempt, host, purpose, deadline });
    }

    /// Writes until there is nothing, or the socket would block.
    fn write(&mut self, now: Instant, index: usize) {
        self.links[index].is_write_armed = false;
        loop {
            let link = &mut self.links[index];
            let Some(mut transmit) = self.session.poll_transmit(link.conn) else { return };
            assert!(link.is_connected, "{} is not connected yet", link.conn);
            let chunk = transmit.chunk();
            assert!(!chunk.is_empty(), "what is lent is not empty");
            let count = link.to_server.write(chunk);
            if count == 0 && !link.to_server.is_ending() {
                link.is_write_armed = true;
                return;
            }
            // What is written to a broken connection is lost.
            let count = if count == 0 { chunk.len() } else { count };
            let sent = link.tap.push(&chunk[..count]);
            transmit.advance(count);
            assert!(
                link.purpose == Purpose::Probe
                    || !link.tap.is_past_first()
                    || link.has_first_frame(),
                "something is sent before the handshake's answer: {sent:?}"
            );
            for sent in sent {
                self.check_sent(index, &sent);
                self.note(now, What::Sent { attempt: Attempt(index + 1), sent });
            }
        }
    }

    /// A name for somebody who watches.
    pub fn new_watcher(&mut self) -> WatcherId {
        self.session.new_watcher()
    }

    /// Takes note of a request.
    fn accepted(&mut self, id: Result<RequestId, SubmitError>) -> Result<RequestId, SubmitError> {
        let id = id?;
        assert_eq!(self.requests.insert(id, false), None, "{id:?} is used again");
        Ok(id)
    }

    /// The time since the session's beginning.
    #[must_use]
    pub const fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    fn note(&mut self, now: Instant, what: What) {
        self.entries.push(Entry { at: self.since_start(now), what });
    }

    fn live(&self, conn: ConnId) -> usize {
        let index = self.links.iter().rposition(|link| link.conn == conn);
        let index = index.unwrap_or_else(|| panic!("nobody knows {conn}"));
        assert!(!self.links[index].is_closed, "{conn} is closed");
        index
    }
}

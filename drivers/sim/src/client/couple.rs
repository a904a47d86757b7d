//! Sessions and a real server in memory: both machines' drivers, a wire between them that can be cut
//! or go dark, one clock.
//!
//! ```text
//!   test ──▶ Session ◀─ Driver ─▶ wire ◀─ pair::World ─▶ Server
//! ```

use std::time::Duration;

use zookeeper_core::{
    Disconnect, Instant,
    client::{RequestId, SubmitError, SubmitOptions},
    wire::Request,
};

use super::{driver::Driver, entry::Entry, link::Attempt, world::Options};
use crate::pair::{self, ClientId};

/// How long bytes are under way at most.
const LATENCY: Duration = Duration::from_millis(100);

/// More passes than anything takes that comes to rest.
const PASSES_MAX: usize = 100_000;

/// Longer than anything takes that ends by itself.
const END_MAX: Duration = Duration::from_secs(600);

/// One connection between a session and the server.
#[derive(Debug)]
struct Line {
    /// The server's end; none where the attempt failed.
    server_end: Option<ClientId>,
    /// How many of the server's bytes have come to the client.
    heard: usize,
    /// Whether nothing comes through any more, and nobody is told.
    is_dark: bool,
    /// Whether the client knows how it ended.
    is_over: bool,
}

/// A session and its connections.
#[derive(Debug)]
struct Side {
    driver: Driver,
    /// By attempt.
    lines: Vec<Line>,
}

/// Sessions and their server. A test ends with [`Couple::finish`].
#[derive(Debug)]
pub struct Couple {
    server: pair::World,
    sides: Vec<Side>,
    /// Whether the server can be reached by new connections.
    pub is_reachable: bool,
}

impl Couple {
    /// A server that nobody knows yet.
    #[must_use]
    pub fn new(options: pair::Options) -> Self {
        Self { server: pair::World::new(options), sides: Vec::new(), is_reachable: true }
    }

    /// Somebody begins a session; says how he is called.
    pub fn begin(&mut self, options: Options) -> usize {
        let Options { config, seed, credentials, cutting, .. } = options;
        let driver = Driver::new(config, self.now(), seed, credentials, cutting);
        self.sides.push(Side { driver, lines: Vec::new() });
        self.sides.len() - 1
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.server.now()
    }

    /// The server's world.
    #[must_use]
    pub const fn server(&self) -> &pair::World {
        &self.server
    }

    /// The server's world, for clients of other kinds.
    pub const fn server_mut(&mut self) -> &mut pair::World {
        &mut self.server
    }

    /// Somebody's driver.
    #[must_use]
    pub fn driver(&self, who: usize) -> &Driver {
        &self.sides[who].driver
    }

    /// Somebody's driver.
    pub fn driver_mut(&mut self, who: usize) -> &mut Driver {
        &mut self.sides[who].driver
    }

    /// Somebody submits a request.
    ///
    /// # Errors
    ///
    /// The session's refusal.
    pub fn submit(
        &mut self,
        who: usize,
        request: &Request<'_>,
        options: SubmitOptions,
    ) -> Result<RequestId, SubmitError> {
        let now = self.now();
        self.sides[who].driver.submit(now, request, options)
    }

    /// Somebody ends his session.
    pub fn close(&mut self, who: usize) {
        let now = self.now();
        self.sides[who].driver.close(now);
    }

    /// Takes everything that happened to somebody.
    pub fn take_entries(&mut self, who: usize) -> Vec<Entry> {
        self.settle();
        self.sides[who].driver.take_entries()
    }

    /// Somebody's connection is cut: both ends are told, what is under way is lost.
    pub fn cut(&mut self, who: usize) {
        self.settle();
        let side = &mut self.sides[who];
        let Some(line) = side.lines.last_mut().filter(|line| !line.is_over) else { return };
        line.is_over = true;
        let attempt = Attempt(side.lines.len());
        side.driver.toward_client(attempt).end(Disconnect::Reset);
        if let Some(client) = side.lines.last().and_then(|line| line.server_end) {
            self.server.reset(client);
        }
    }

    /// Nothing comes through somebody's connection any more, and nobody is told.
    pub fn darken(&mut self, who: usize) {
        self.settle();
        if let Some(line) = self.sides[who].lines.last_mut() {
            line.is_dark = true;
        }
    }

    /// Everything happens that is due, until nothing does.
    ///
    /// # Panics
    ///
    /// When there is no end to it, or a machine breaks its contract.
    pub fn settle(&mut self) {
        for _ in 0..PASSES_MAX {
            let mut is_busy = false;
            for who in 0..self.sides.len() {
                is_busy |= self.sides[who].driver.turn(self.server.now());
                is_busy |= self.carry(who);
            }
            self.server.settle();
            for side in &mut self.sides {
                is_busy |= side.bring(&self.server);
            }
            if !is_busy {
                let now = self.now();
                self.sides.iter_mut().for_each(|side| side.driver.check_rest(now));
                return;
            }
        }
        panic!("sessions and server do not come to rest");
    }

    /// Time passes: everything happens in its time.
    pub fn advance(&mut self, time: Duration) {
        let until = self.now() + time;
        self.settle();
        while self.now() < until {
            let due = self.sides.iter().filter_map(|side| side.driver.session().poll_timeout());
            let next = due.fold(until.min(self.now() + LATENCY), Instant::min);
            self.server.advance(next.saturating_duration_since(self.now()));
            self.settle();
        }
    }

    /// Ends the test: the wire is whole, everybody closes, and nobody holds anything.
    ///
    /// # Panics
    ///
    /// When somebody still holds something.
    pub fn finish(mut self) {
        self.is_reachable = true;
        let end = self.now() + END_MAX;
        for who in 0..self.sides.len() {
            self.close(who);
        }
        self.settle();
        while self.sides.iter().any(|side| !side.driver.is_over()) && self.now() < end {
            self.advance(Duration::from_secs(1));
        }
        for side in &self.sides {
            let session = side.driver.session();
            assert!(side.driver.is_over(), "it waits for {:?}", session.timeout_reason());
            assert_eq!((session.in_flight(), session.queued(), session.watches()), (0, 0, 0));
        }
        self.server.finish();
    }

    /// What a client's system does: it connects, and carries bytes to the server.
    fn carry(&mut self, who: usize) -> bool {
        let now = self.now();
        let side = &mut self.sides[who];
        let mut is_busy = false;
        while side.lines.len() < side.driver.links().count() {
            is_busy = true;
            let attempt = Attempt(side.lines.len() + 1);
            let server_end = self.is_reachable.then(|| self.server.open());
            let is_over = server_end.is_none();
            side.lines.push(Line { server_end, heard: 0, is_dark: false, is_over });
            if is_over {
                side.driver.ended(now, attempt, Disconnect::Refused);
            } else {
                side.driver.connected(now, attempt, ([127, 0, 0, 1], 2181).into());
            }
        }
        for index in 0..side.lines.len() {
            let attempt = Attempt(index + 1);
            let bytes = side.driver.toward_server(attempt).read(usize::MAX);
            is_busy |= !bytes.is_empty();
            let line = &mut side.lines[index];
            let Some(client) = line.server_end.filter(|_| !line.is_dark) else { continue };
            if !bytes.is_empty() {
                self.server.send_bytes(client, &bytes);
            }
            if side.driver.link(attempt).is_closed && !line.is_over {
                line.is_over = true;
                is_busy = true;
                self.server.half_close(client);
            }
        }
        is_busy
    }
}

impl Side {
    /// Brings the server's bytes to the client.
    fn bring(&mut self, server: &pair::World) -> bool {
        let mut is_busy = false;
        for (index, line) in self.lines.iter_mut().enumerate() {
            let Some(client) = line.server_end.filter(|_| !line.is_dark) else { continue };
            let attempt = Attempt(index + 1);
            let bytes = &server.client(client).transcript()[line.heard..];
            if !bytes.is_empty() {
                is_busy = true;
                line.heard += bytes.len();
                self.driver.toward_client(attempt).write(bytes);
            }
            if !server.is_open(client) && !line.is_over {
                is_busy = true;
                line.is_over = true;
                self.driver.toward_client(attempt).end(Disconnect::End);
            }
        }
        is_busy
    }
}

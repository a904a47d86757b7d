//! The driver: reads at edges, drains, writes until the socket would block, wakes in time.

use bytes::Buf;
use zookeeper_core::{
    Disconnect,
    server::{Action, Durability, Event},
    storage::Lane,
};

use super::{
    store::{Done, Store},
    world::{ClientId, End, World},
};

/// More turns than anything takes that comes to rest.
const TURNS_MAX: usize = 1_000_000;

impl<S: Store> World<S> {
    /// Lets everything happen that can happen now.
    ///
    /// # Panics
    ///
    /// When it does not come to rest, or somebody was forgotten when it has.
    pub fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if !self.turn() {
                return self.check_rest();
            }
        }
        panic!("no rest, because of {:?}", self.server.timeout_reason());
    }

    /// One turn of the driver, and of everybody else. False when nothing happened.
    fn turn(&mut self) -> bool {
        self.keep_time();
        let mut is_busy = self.read_some();
        is_busy |= self.drain();
        if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
            self.server.handle_timeout(self.now);
            self.drain();
            is_busy = true;
        }
        let done = self.store.work(self.now);
        if !done.is_empty() {
            done.into_iter().for_each(|done| self.stored(done));
            self.drain();
            is_busy = true;
        }
        is_busy | self.run_clients()
    }

    /// The store has done something, or failed at it.
    pub(super) fn stored(&mut self, done: Done) {
        let Done { lane, ticket, result } = done;
        let Err(error) = result else {
            return self.server.handle_stored(self.now, lane, ticket);
        };
        if lane == Lane::Log {
            // What is behind it must not be done without it.
            self.has_failed = true;
            self.store.stop();
        } else {
            self.may_fail = true;
        }
        self.server.handle_storage_error(self.now, lane, ticket, error);
    }

    /// A bounded number of reads.
    fn read_some(&mut self) -> bool {
        for _ in 0..self.options.reads_per_turn {
            let Some(index) = self.readable.pop_front() else { return false };
            self.read(index);
        }
        !self.readable.is_empty()
    }

    fn read(&mut self, index: usize) {
        let link = &mut self.links[index];
        if link.is_closed || link.is_end_told {
            return;
        }
        // The system tells of these whether somebody reads or not.
        let is_lost = |cause: &Disconnect| *cause != Disconnect::End;
        if let Some(cause) = link.to_server.ended().filter(is_lost) {
            link.is_end_told = true;
            return self.server.handle_eof(self.now, link.conn, cause);
        }
        if !self.server.wants_read(link.conn) {
            // `Action::Read` says when to go on.
            return;
        }
        let bytes = link.to_server.read(self.options.input.next(&mut self.rng));
        if !bytes.is_empty() {
            self.server.handle_input(self.now, link.conn, &bytes);
        }
        link.fill();
        if !link.to_server.is_empty() {
            self.readable.push_back(index);
        } else if let Some(cause) = link.to_server.ended() {
            if bytes.is_empty() {
                link.is_end_told = true;
                self.server.handle_eof(self.now, link.conn, cause);
            } else {
                self.readable.push_back(index);
            }
        }
    }

    /// Everything the server has to say, until it has nothing to say in one pass.
    fn drain(&mut self) -> bool {
        let mut is_busy = false;
        loop {
            let mut is_quiet = true;
            while let Some(event) = self.server.poll_event() {
                is_quiet = false;
                self.note(event);
            }
            while let Some(action) = self.server.poll_action() {
                is_quiet = false;
                self.act(action);
            }
            if is_quiet {
                return is_busy;
            }
            is_busy = true;
        }
    }

    fn note(&mut self, event: Event) {
        match &event {
            Event::ConnectionClosed { conn, session, reason } => {
                let link = self.links.iter_mut().rev().find(|link| link.conn == *conn);
                let link = link.unwrap_or_else(|| panic!("nobody knows {conn}"));
                let end = End { session: *session, reason: reason.clone() };
                let before = link.end.replace(end);
                assert_eq!(before, None, "{conn} has ended before");
            }
            Event::Failed(failure) => {
                // It may be the snapshot that the log waits for.
                assert!(self.has_failed || self.may_fail, "{failure}");
                self.has_failed = true;
                self.store.stop();
            }
            _ => {}
        }
        self.events.push(event);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Transmit(conn) => {
                let index = self.live(conn);
                self.write(index);
            }
            Action::Read(conn) => {
                let index = self.live(conn);
                self.readable.push_back(index);
            }
            Action::Close(conn) => {
                let index = self.live(conn);
                let link = &mut self.links[index];
                link.is_closed = true;
                link.is_write_armed = false;
                link.to_client.end(Disconnect::End);
                // What nobody will read.
                link.to_server.end(Disconnect::Reset);
                link.unsent.clear();
            }
            Action::Store { lane, ticket, op } => {
                assert!(
                    matches!(self.options.config.durability, Durability::Logged { .. }),
                    "nothing is stored in memory"
                );
                self.store.submit(self.now, lane, ticket, op);
            }
            _ => panic!("an action without a driver: {action:?}"),
        }
    }

    /// Writes until there is nothing, or the socket would block.
    fn write(&mut self, index: usize) {
        let is_logged = matches!(self.options.config.durability, Durability::Logged { .. });
        let is_text = self.clients[index].is_command();
        let link = &mut self.links[index];
        link.is_write_armed = false;
        while let Some(mut transmit) = self.server.poll_transmit(link.conn) {
            let chunk = transmit.chunk();
            assert!(!chunk.is_empty(), "what is lent is not empty");
            let count = link.to_client.write(chunk);
            if count == 0 && !link.to_client.is_ending() {
                link.is_write_armed = true;
                return;
            }
            // What is written to a broken connection is lost.
            let count = if count == 0 { chunk.len() } else { count };
            if is_logged && !is_text {
                link.tap.push(&chunk[..count], &mut self.store);
            }
            transmit.advance(count);
        }
    }

    /// Clients take what their sockets hold.
    fn run_clients(&mut self) -> bool {
        let mut is_busy = false;
        for index in 0..self.links.len() {
            if self.clients[index].is_reading && !self.links[index].to_client.is_empty() {
                is_busy = true;
                let max = self.options.output.next(&mut self.rng);
                let bytes = self.links[index].to_client.read(max);
                self.clients[index].receive(&bytes);
            }
            let link = &self.links[index];
            if link.is_write_armed && link.to_client.room() > 0 {
                is_busy = true;
                self.write(index);
            }
        }
        is_busy
    }

    /// Nobody was forgotten, and the server is sound.
    fn check_rest(&mut self) {
        let mut open = 0;
        for (index, link) in self.links.iter().enumerate() {
            assert_eq!(link.is_closed, link.end.is_some(), "{}", link.conn);
            if link.is_closed {
                continue;
            }
            open += 1;
            let has_end = link.to_server.ended().is_some() && !link.is_end_told;
            let is_unread =
                (!link.to_server.is_empty() || has_end) && self.server.wants_read(link.conn);
            assert!(!is_unread, "nobody said to read {} on", link.conn);
            let is_unsent = self.server.poll_transmit(link.conn).is_some();
            assert!(!is_unsent || link.is_write_armed, "nobody said to write to {}", link.conn);
            assert!(
                self.clients[index].is_reading || !is_unsent || link.to_client.room() == 0,
                "{} has room",
                link.conn
            );
        }
        // Looking may have told the server something; it may have something to say then.
        assert!(!self.drain(), "looking at the server changes nothing");
        assert_eq!(self.server.connection_count(), open);
        self.server.check_invariants();
        if !self.has_failed && matches!(self.options.config.durability, Durability::Logged { .. }) {
            self.store.check_durable(self.server.durable());
        }
    }

    fn live(&self, conn: zookeeper_core::ConnId) -> usize {
        let index = self.links.iter().rposition(|link| link.conn == conn);
        let index = index.unwrap_or_else(|| panic!("nobody knows {conn}"));
        assert!(!self.links[index].is_closed, "{conn} is closed");
        index
    }

    /// Wakes the driver's reading of a client's connection: an edge.
    pub(super) fn edge(&mut self, client: ClientId) {
        self.readable.push_back(client.0);
    }
}

//! From one server to the next: attempts, pauses, and what a lost connection costs.
//!
//! Behaviour: `ClientCnxn.SendThread.run`, `startConnect` and `cleanup`.

use std::time::Duration;

use super::{
    Action, CloseReason, HostPort, KeeperState, LostReason, Purpose, Session, ending::Loss,
    link::Link, queue::Queued, state::Phase, timers::Timer,
};
use crate::ids::ConnId;

/// The slot of the session's own connections.
const SESSION_SLOT: u32 = 0;

impl Session {
    /// Begins an attempt at once.
    pub(super) fn connect(&mut self, host: HostPort) {
        let conn = ConnId::new(SESSION_SLOT, self.generation);
        self.generation = self.generation.wrapping_add(1);
        let deadline = self.now + self.connect_timeout();
        self.timers.set(Timer::Connect, deadline);
        let purpose = Purpose::Session;
        self.actions.push_back(Action::Connect { conn, host: host.clone(), purpose, deadline });
        self.phase = Phase::Linked(Link::new(conn, host));
    }

    /// The pause before the next attempt is over.
    pub(super) fn end_pause(&mut self) {
        if let Phase::Waiting(host) = &self.phase {
            self.connect(host.clone());
        }
    }

    /// The list of servers changed: what is tried next is one of the new ones.
    pub(super) fn choose_again(&mut self) {
        if matches!(self.phase, Phase::Waiting(_)) {
            let turn = self.hosts.next(Duration::ZERO, &mut self.rng);
            self.phase = Phase::Waiting(turn.host);
        }
    }

    /// How long an attempt may take, name, connection and handshake.
    pub(super) fn connect_timeout(&self) -> Duration {
        let hosts = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX).max(1);
        (self.timeout() / hosts).max(Duration::from_millis(1))
    }

    /// The connection is gone, or has to go: its requests fail, and another server is tried.
    ///
    /// The order is upstream's: failures, then the state.
    pub(super) fn lose(&mut self, reason: LostReason) {
        let sent = self.drop_link(reason);
        self.fail_all(Loss::Connection, sent);
        self.enter(KeeperState::Disconnected);
        if self.is_closing {
            self.enter(KeeperState::Closed);
            self.finish(CloseReason::Closed { confirmed: false });
            return;
        }
        let (host, spin) = match self.preferred.take() {
            Some(host) => (host, Duration::ZERO),
            None => {
                let turn = self.hosts.next(self.config.backoff.round, &mut self.rng);
                (turn.host, turn.wait)
            }
        };
        let jitter = if self.has_connected { self.jitter() } else { Duration::ZERO };
        self.timers.set(Timer::Attempt, self.now + self.config.backoff.failure + spin + jitter);
        self.phase = Phase::Waiting(host);
    }

    /// Forgets the connection, so that nothing it says is heard any more. Returns how many bytes
    /// were sent on it.
    pub(super) fn drop_link(&mut self, reason: LostReason) -> u64 {
        self.end_probe(LostReason::SessionEnded);
        for timer in [Timer::Connect, Timer::Read, Timer::Ping, Timer::Probe, Timer::Attempt] {
            self.timers.clear(timer);
        }
        self.restoring = 0;
        self.lent = 0;
        self.broken = None;
        let Phase::Linked(link) = &mut self.phase else { return 0 };
        let (conn, host, sent) = (link.conn, link.host.clone(), link.outbox.sent());
        link.clear(&mut self.pool);
        // From here on nothing can be written: what follows may want to.
        self.phase = Phase::Waiting(host.clone());
        self.requests.reuse_unsent(sent);
        self.actions.push_back(Action::Close(conn));
        self.events.push(Queued::Connection { conn, host, purpose: Purpose::Session, reason });
        sent
    }

    fn jitter(&mut self) -> Duration {
        let bound = u64::try_from(self.config.backoff.jitter.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.rng.below(bound))
    }
}

//! Time: what is due, when the server was heard, when it has to hear something.
//!
//! Behaviour: the timers of `ClientCnxn.SendThread.run`. Two differences: an established
//! connection alone does not postpone the end of the session, only a frame does; and pings have a
//! timer of their own, which upstream's cap of ten seconds is not.

use std::time::Duration;

use super::{
    LostReason, Session,
    inflight::Waiting,
    link::{Front, Link, Stage},
    state::Phase,
    timers::Timer,
};
use crate::time::Instant;

/// The longest silence towards a server.
const PING_PAUSE_MAX: Duration = Duration::from_secs(10);

/// What follows from a session time-out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The time-out: asked for, later granted.
    pub(super) session: Duration,
    /// Silence after which a connection is lost.
    read: Duration,
    /// Silence after which the session must be over.
    pub(super) expiry: Duration,
    /// Silence after which a ping is sent.
    ping: Duration,
}

impl Times {
    pub(super) fn new(session: Duration) -> Self {
        // The largest time-out on the wire is 24 days; nothing overflows.
        let session = session.min(Duration::from_millis(i32::MAX.unsigned_abs().into()));
        let read = session * 2 / 3;
        Self { session, read, expiry: session * 4 / 3, ping: (read / 2).min(PING_PAUSE_MAX) }
    }
}

impl Session {
    /// Time has passed. Harmless when nothing is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        if self.is_heard() {
            // What came decides first.
            return;
        }
        while let Some(timer) = self.timers.take_due(self.now) {
            match timer {
                Timer::Expiry | Timer::NewSession => self.expire_by_time(),
                Timer::Connect => self.lose(LostReason::ConnectTimeout),
                Timer::Read => self.lose(LostReason::ReadTimeout),
                Timer::Request => self.end_late_requests(),
                Timer::Close => self.lose(LostReason::RequestTimeout),
                Timer::Attempt => self.end_pause(),
                Timer::Ping => self.ping(),
                Timer::Probe => self.begin_probe(),
                Timer::ProbeEnd => self.end_probe(LostReason::ConnectTimeout),
            }
        }
    }

    /// The newest time seen. Whoever calls is done with the last event.
    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.finish_lent();
    }

    /// A whole frame was heard.
    pub(super) fn heard(&mut self) {
        self.timers.set(Timer::Read, self.now + self.times.read);
        self.set_expiry();
    }

    /// A frame from now, the session is over if nothing more is heard.
    pub(super) fn set_expiry(&mut self) {
        if self.credentials.session != crate::ids::SessionId::NONE {
            self.timers.set(Timer::Expiry, self.now + self.times.expiry);
        }
    }

    /// Something was sent.
    pub(super) fn sent_something(&mut self) {
        self.timers.set(Timer::Ping, self.now + self.times.ping);
    }

    /// The time limit of the request whose time is over first.
    pub(super) fn set_request_timer(&mut self) {
        match self.requests.first_deadline() {
            Some(at) => self.timers.set(Timer::Request, at),
            None => self.timers.clear(Timer::Request),
        }
    }

    /// How long the end of a session that closes may take: from the last answer.
    pub(super) fn set_close_timer(&mut self) {
        if self.is_closing && !matches!(self.phase, Phase::Over(_)) {
            let limit = self.config.request_timeout.unwrap_or(self.times.session);
            self.timers.set(Timer::Close, self.now + limit);
        }
    }

    /// Whether something that came waits to be handled. Before a connection nothing is.
    fn is_heard(&self) -> bool {
        match &self.phase {
            Phase::Linked(link) => {
                let is_connected = !matches!(link.stage, Stage::Connecting);
                let front = link.front(self.config.frame_length_max);
                link.end.is_some() || is_connected && !matches!(front, Front::Incomplete)
            }
            Phase::Waiting(_) | Phase::Over(_) => false,
        }
    }

    fn ping(&mut self) {
        let Phase::Linked(Link { stage: Stage::Active, outbox, .. }) = &self.phase else { return };
        // What waits to be sent is as good, and behind it pings would pile up.
        if outbox.len() == 0 {
            self.write_ping();
        }
        self.sent_something();
    }

    /// Requests whose time is over: those that wait fail alone, one in flight costs the connection,
    /// because later replies could not be told apart from its own.
    fn end_late_requests(&mut self) {
        while let Some(id) = self.requests.first_due(self.now) {
            let Some(Waiting { purpose, .. }) = self.requests.remove_waiting(id) else {
                self.lose(LostReason::RequestTimeout);
                return;
            };
            let error = super::RequestError::TimedOut { maybe_executed: false };
            self.fail(Some(id), purpose, error);
        }
        self.set_request_timer();
    }

    /// Whether the session has a server.
    pub(super) const fn is_connected(&self) -> bool {
        matches!(&self.phase, Phase::Linked(link)
            if matches!(link.stage, Stage::Active | Stage::Sasl(_)))
    }
}

//! Output: what is written when, what waits, when it is too much, and how a connection ends.
//!
//! Behaviour: `org.apache.zookeeper.server.NIOServerCnxn` (`sendBuffer`, `handleWrite`, `close`).

use std::collections::VecDeque;

use super::{
    Action, CloseReason, Endpoint, Event, Notification, STEPS_PER_CALL,
    connection::{Connection, State},
};
use crate::{
    conn::{Held, OutboxWriter},
    ids::{ConnId, Zxid},
    time::Instant,
    wire::Sink,
};

/// Stalled connections that go on when one reply has left: more than one, so that none waits for
/// ever.
const WOKEN_PER_CALL: usize = 4;

/// Places for held replies that a connection without any keeps for next time.
const PLACES_KEPT: usize = 16;

/// What a connection may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flow {
    /// Its requests are served.
    pub(super) serves: bool,
    /// It is read from.
    pub(super) reads: bool,
    /// The deadline of its session does not run: we keep it from being heard.
    pub(super) pauses: bool,
    /// It waits for the total of unanswered requests to fall.
    pub(super) stalls: bool,
}

impl Endpoint {
    /// Sends an event, behind everything given to the connection before. Only connections with a
    /// session take events.
    pub fn notify(&mut self, now: Instant, conn: ConnId, event: &Notification) {
        self.advance(now);
        let Some(connection) = self.table.get_mut(conn) else { return };
        if !matches!(connection.state, State::Active { .. }) || connection.is_gone() {
            return;
        }
        connection.figures.sent += 1;
        self.stats.packets_sent += 1;
        self.stats.response_bytes += event.frame.len() as u64;
        self.write(conn, event.hold, None, |out| out.put_shared(&event.frame));
        self.after_output(conn);
    }

    /// Queues bytes that may leave when `hold` is durable. `arrived` says when the request came
    /// whose reply they are.
    pub(super) fn write(
        &mut self,
        conn: ConnId,
        hold: Zxid,
        arrived: Option<Instant>,
        encode: impl FnOnce(&mut OutboxWriter<'_>),
    ) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        let was_sendable = connection.outbox.sendable() > 0;
        // What follows waits behind these bytes, so it may show their transaction.
        connection.last_zxid = connection.last_zxid.max(hold);
        encode(&mut connection.outbox.begin(&mut self.pool));
        match connection.outbox.hold(hold, self.durable, usize::from(arrived.is_some())) {
            Held::No => {
                if let Some(arrived) = arrived {
                    self.outstanding -= 1;
                    let latency_ms = millis(self.now, arrived);
                    connection.figures.record_latency(latency_ms);
                    self.stats.latency.record(latency_ms);
                }
            }
            Held::First => {
                connection.held.extend(arrived);
                self.held.insert((hold, conn));
            }
            Held::Behind => connection.held.extend(arrived),
        }
        if !was_sendable && connection.outbox.sendable() > 0 {
            self.actions.push_back(Action::Transmit(conn));
        }
    }

    /// Whether there are connections that wait for nothing any more.
    pub(super) fn has_releasable(&self) -> bool {
        self.held.first().is_some_and(|&(hold, _)| hold <= self.durable)
    }

    /// Lets go what waited for what is durable now, some connections at a time.
    pub(super) fn release_some(&mut self) {
        for _ in 0..STEPS_PER_CALL {
            if !self.has_releasable() {
                return;
            }
            let Some((_, conn)) = self.held.pop_first() else { return };
            let Some(connection) = self.table.get_mut(conn) else { continue };
            let was_sendable = connection.outbox.sendable() > 0;
            let released = connection.outbox.release(self.durable);
            self.outstanding -= released.replies;
            for arrived in connection.held.drain(..released.replies) {
                let latency_ms = millis(self.now, arrived);
                connection.figures.record_latency(latency_ms);
                self.stats.latency.record(latency_ms);
            }
            if connection.held.is_empty() && connection.held.capacity() > PLACES_KEPT {
                connection.held = VecDeque::new();
            }
            if let Some(next) = released.next {
                self.held.insert((next, conn));
            }
            if !was_sendable && connection.outbox.sendable() > 0 {
                self.actions.push_back(Action::Transmit(conn));
            }
            self.after_output(conn);
        }
    }

    /// Brings everything that depends on a connection's output up to date: totals, limits, reading,
    /// and its end.
    pub(super) fn after_output(&mut self, conn: ConnId) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        let length = connection.outbox.len();
        let before = std::mem::replace(&mut connection.counted_output, length);
        self.output_total = self.output_total + length - before;
        // Whoever takes what keeps it from being read is alive, however slow.
        if length < before
            && before >= self.config.output_soft_max
            && let State::Active { slot, .. } = connection.state
        {
            self.liveness.touch(slot);
        }
        if length == 0 {
            connection.outbox.settle();
        }
        match &connection.state {
            State::Closing(reason) => {
                if connection.outbox.is_drained() {
                    let reason = reason.clone();
                    self.close_now(conn, reason);
                    return;
                }
            }
            State::Active { .. } => {
                self.update_flow(conn);
                self.wake_stalled();
            }
            State::Handshake | State::Connecting { .. } | State::TraceMask | State::Command(_) => {}
        }
        let Some(connection) = self.table.get(conn) else { return };
        if connection.outbox.sendable() > self.config.output_hard_max {
            self.close_now(conn, CloseReason::OutputOverflow);
        } else if self.output_total > self.config.output_total_max {
            self.close_largest();
        }
    }

    /// What our limits and its own output let a connection do.
    pub(super) fn flow(&self, connection: &Connection) -> Flow {
        let unanswered = connection.unanswered();
        let stalls = self.outstanding >= self.config.requests_max && unanswered > 0;
        let ours = stalls
            || connection.is_waiting
            || unanswered >= self.config.requests_per_connection_max;
        // Whoever will not read any more cannot be waited for.
        let is_full =
            connection.outbox.len() >= self.config.output_soft_max && !connection.is_gone();
        let serves = !ours && !is_full && !connection.is_leaving;
        Flow {
            serves,
            reads: serves && connection.ended.is_none(),
            // Held bytes are our delay; those the peer does not take are its own.
            pauses: (ours || is_full) && connection.outbox.sendable() < self.config.output_soft_max,
            stalls,
        }
    }

    /// Whether the backend takes no requests from now on. Until it does again no deadline runs:
    /// whoever sends pings is not heard.
    pub(crate) const fn set_stopped(&mut self, is_stopped: bool) {
        self.liveness.set_stopped(is_stopped);
    }

    /// Decides whether a connection's requests are served and read, and whether its session's time
    /// runs.
    pub(super) fn update_flow(&mut self, conn: ConnId) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        let State::Active { slot, .. } = connection.state else { return };
        connection.is_waiting &= !connection.lent.is_empty();
        let Some(connection) = self.table.get(conn) else { return };
        let flow = self.flow(connection);
        // Once reading was stopped, what is there is served first.
        let reads = flow.reads && (connection.wants_read || !self.has_frame(connection));
        if flow.stalls && !connection.is_stalled {
            self.stalled.push_back(conn);
            if let Some(connection) = self.table.get_mut(conn) {
                connection.is_stalled = true;
            }
        }
        self.liveness.set_paused(slot, flow.pauses);
        self.set_reading(conn, reads);
        if flow.serves {
            self.mark_ready(conn);
        }
    }

    /// Lets a few of the connections go on that waited for the total of unanswered requests to fall.
    fn wake_stalled(&mut self) {
        for _ in 0..WOKEN_PER_CALL {
            if self.outstanding >= self.config.requests_max {
                return;
            }
            let Some(conn) = self.stalled.pop_front() else { return };
            if let Some(connection) = self.table.get_mut(conn) {
                connection.is_stalled = false;
                self.update_flow(conn);
            }
        }
    }

    /// Ends a connection once its output is written, and not before `hold` is durable. If nobody is
    /// there to read it, it ends now.
    pub(super) fn close_soon(&mut self, conn: ConnId, reason: CloseReason, hold: Zxid) {
        self.finish_lent();
        let Some(connection) = self.table.get_mut(conn) else { return };
        if matches!(connection.state, State::Closing(_)) {
            return;
        }
        if connection.is_gone() {
            return self.close_now(conn, reason);
        }
        if let State::Active { slot, .. } = connection.state {
            self.liveness.detach(slot, conn);
        }
        connection.state = State::Closing(reason);
        connection.inbox.clear(&mut self.pool);
        self.set_reading(conn, false);
        self.set_deadline(conn, Some(self.config.linger));
        self.write(conn, hold, None, |_| ());
        self.after_output(conn);
    }

    /// Ends a connection. What is queued is never sent.
    pub(super) fn close_now(&mut self, conn: ConnId, reason: CloseReason) {
        self.finish_lent();
        self.set_deadline(conn, None);
        let Some(mut connection) = self.table.remove(conn) else { return };
        if let State::Active { slot, .. } = connection.state {
            self.liveness.detach(slot, conn);
        }
        connection.inbox.clear(&mut self.pool);
        connection.outbox.clear(&mut self.pool);
        self.outstanding -= connection.unanswered();
        self.output_total -= connection.counted_output;
        self.large_total -= connection.lent.iter().map(|lent| lent.large).sum::<usize>();
        let address = connection.peer.ip();
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
        self.stats.record_close(&reason, connection.session.is_some());
        self.actions.push_back(Action::Close(conn));
        let session = connection.session;
        self.events.push_back(Event::ConnectionClosed { conn, session, reason });
        self.wake_stalled();
    }

    /// Makes room by closing the connection with the most unsent output.
    fn close_largest(&mut self) {
        let largest = self.table.iter().max_by_key(|connection| connection.counted_output);
        if let Some(conn) = largest.map(|connection| connection.id) {
            self.close_now(conn, CloseReason::OutputOverflow);
        }
    }
}

/// How long something took.
fn millis(now: Instant, since: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
}

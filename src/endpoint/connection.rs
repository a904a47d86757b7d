//! One client connection: its state, its streams, its figures.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use super::{error::CloseReason, liveness::SessionSlot, stats::Latency};
use crate::{
    conn::{Disconnect, Inbox, Outbox},
    ids::{ConnId, SessionId, Zxid},
    time::Instant,
    wire::{Command, Id, Op, Xid},
};

/// Where a connection is in its life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Waits for a ConnectRequest or a command.
    Handshake,
    /// The backend was asked for a session.
    Connecting {
        /// Whether the client sent, and so expects, the read-only flag.
        has_read_only: bool,
    },
    /// `stmk` waits for its argument.
    TraceMask,
    /// The backend was asked to answer a command.
    Command(Command),
    /// Speaks for a session.
    Active {
        /// The session.
        session: SessionId,
        /// Its place in the table of deadlines.
        slot: SessionSlot,
    },
    /// Takes no more input; ends when its output is written.
    Closing(CloseReason),
}

/// A request lent to the backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    pub(super) xid: Xid,
    pub(super) op: Op,
    pub(super) arrived: Instant,
    /// Bytes that count for the budget of large requests.
    pub(super) large: usize,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) peer: SocketAddr,
    pub(super) state: State,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) identities: Arc<[Id]>,
    /// The session it spoke for last, for its last event.
    pub(super) session: Option<SessionId>,
    /// What the driver was told; written by `Endpoint::set_reading` alone.
    pub(super) wants_read: bool,
    /// Whether it stands in the queue of those with requests.
    pub(super) is_ready: bool,
    /// Whether it waits for the total of unanswered requests to fall.
    pub(super) is_stalled: bool,
    /// Whether its first frame waits until what was asked before is answered.
    pub(super) is_waiting: bool,
    /// Whether it asked for the end of its session: nothing behind that is served.
    pub(super) is_leaving: bool,
    /// No more input will come.
    pub(super) ended: Option<Disconnect>,
    /// Requests lent and not answered, oldest first.
    pub(super) lent: VecDeque<Lent>,
    /// The sequence number of the oldest of them.
    pub(super) answered: u64,
    /// When the requests came that are answered, but whose replies are held back, oldest first.
    pub(super) held: VecDeque<Instant>,
    /// The newest zxid in a header queued here.
    pub(super) last_zxid: Zxid,
    /// The deadline of its handshake or of its closing.
    pub(super) deadline: Option<Instant>,
    /// When the newest input came.
    pub(super) heard: Instant,
    /// Bytes of output counted in the endpoint's total.
    pub(super) counted_output: usize,
    pub(super) figures: Figures,
}

/// What commands print about a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) established: Instant,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) last_operation: LastOperation,
    pub(super) last_cxid: Option<i32>,
    pub(super) last_zxid: Zxid,
    pub(super) last_response: Instant,
    pub(super) last_latency_ms: u64,
    pub(super) latency: Latency,
}

/// The newest operation answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LastOperation {
    /// There was none.
    None,
    /// The figures were reset.
    Reset,
    /// A session began or was resumed.
    Session,
    /// This one.
    Request(Op),
}

impl Connection {
    pub(super) fn new(id: ConnId, peer: SocketAddr, identities: Arc<[Id]>, now: Instant) -> Self {
        Self {
            id,
            peer,
            state: State::Handshake,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            identities,
            session: None,
            wants_read: true,
            is_ready: false,
            is_stalled: false,
            is_waiting: false,
            is_leaving: false,
            ended: None,
            lent: VecDeque::new(),
            answered: 0,
            held: VecDeque::new(),
            last_zxid: Zxid::ZERO,
            deadline: None,
            heard: now,
            counted_output: 0,
            figures: Figures::new(now),
        }
    }

    /// Requests lent or held back: what the client waits for.
    pub(super) fn unanswered(&self) -> usize {
        self.lent.len() + self.held.len()
    }

    /// Whether nobody is there to read what is written.
    pub(super) fn is_gone(&self) -> bool {
        self.ended.is_some_and(|cause| cause != Disconnect::End)
    }

    /// Whether nothing more is written to it.
    pub(super) fn is_mute(&self) -> bool {
        matches!(self.state, State::Closing(_)) || self.is_gone()
    }
}

impl Figures {
    const fn new(now: Instant) -> Self {
        Self {
            established: now,
            received: 0,
            sent: 0,
            last_operation: LastOperation::None,
            last_cxid: Some(0),
            last_zxid: Zxid::ZERO,
            last_response: Instant::ZERO,
            last_latency_ms: 0,
            latency: Latency { total_ms: 0, count: 0, min_ms: 0, max_ms: 0 },
        }
    }

    /// A reply may leave.
    pub(super) fn record_latency(&mut self, latency_ms: u64) {
        self.last_latency_ms = latency_ms;
        self.latency.record(latency_ms);
    }

    /// What `crst` does.
    pub(super) const fn reset(&mut self) {
        self.received = 0;
        self.sent = 0;
        self.last_operation = LastOperation::Reset;
        self.last_cxid = None;
        self.last_zxid = Zxid(-1);
        self.last_response = Instant::ZERO;
        self.last_latency_ms = 0;
        self.latency = Latency { total_ms: 0, count: 0, min_ms: 0, max_ms: 0 };
    }
}

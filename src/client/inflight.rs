//! Requests: those that wait, those in flight, their numbers and their times.
//!
//! ```text
//!   submit ──► waiting ──► in flight ──► completed
//!                │  FIFO      │  FIFO, by xid
//!                └── no connection: fail first to last, in flight before waiting
//! ```
//!
//! Behaviour: `ClientCnxn.outgoingQueue`, `pendingQueue` and `getXid`.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use super::{RequestId, WatcherId, watches::Batch};
use crate::{
    time::Instant,
    wire::{Op, WatcherType, Xid},
};

/// What is to happen when a request completes, beyond telling so.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Nothing.
    Plain,
    /// A watch is registered, if the operation succeeded.
    Watch(Box<Registration>),
    /// Watches are removed here too.
    Remove(Box<Removal>),
    /// Watches are restored. The session's own request.
    Restore(Box<Batch>),
    /// The server stops to tell of what nobody watches. The session's own request.
    StopWatching,
    /// The session ends. The session's own request.
    Close,
}

/// A watch to register.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) path: Box<str>,
    pub(super) watcher: WatcherId,
    /// `Some` for `addWatch`.
    pub(super) mode: Option<crate::wire::AddWatchMode>,
}

/// Watches to remove.
#[derive(Debug)]
pub(super) struct Removal {
    pub(super) path: Box<str>,
    pub(super) watcher: Option<WatcherId>,
    pub(super) kind: WatcherType,
    pub(super) local: bool,
}

/// A request that was not sent.
#[derive(Debug)]
pub(super) struct Waiting {
    /// `None` for the session's own.
    pub(super) id: Option<RequestId>,
    pub(super) op: Op,
    /// The encoded record, without header.
    pub(super) record: Bytes,
    pub(super) purpose: Purpose,
    pub(super) deadline: Option<Instant>,
}

/// A request whose reply is due.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) id: Option<RequestId>,
    pub(super) xid: Xid,
    pub(super) op: Op,
    pub(super) purpose: Purpose,
    pub(super) deadline: Option<Instant>,
    /// Where its frame starts in the connection's stream.
    pub(super) start: u64,
}

/// An authentication whose reply is due; these have no xid of their own.
#[derive(Debug)]
pub(super) struct AuthInFlight {
    /// `None` where the session repeats it by itself.
    pub(super) id: Option<RequestId>,
    pub(super) deadline: Option<Instant>,
    pub(super) start: u64,
}

/// All unfinished requests of a session.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) auths: VecDeque<AuthInFlight>,
    /// Bytes of the records that wait.
    waiting_bytes: usize,
    /// Watches on their way.
    registrations: usize,
    /// Bytes of their paths.
    registration_bytes: usize,
    deadlines: BTreeSet<(Instant, RequestId)>,
    next_id: u64,
    next_xid: Xid,
}

impl Requests {
    pub(super) fn new(first_xid: Xid) -> Self {
        Self {
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            auths: VecDeque::new(),
            waiting_bytes: 0,
            registrations: 0,
            registration_bytes: 0,
            deadlines: BTreeSet::new(),
            next_id: 0,
            next_xid: if first_xid.0 > 0 && first_xid.0 < i32::MAX { first_xid } else { Xid(1) },
        }
    }

    /// A name for the next request.
    pub(super) const fn next_id(&mut self) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        id
    }

    /// The next number: 1 and up, never `i32::MAX`, never reset.
    pub(super) const fn next_xid(&mut self) -> Xid {
        let xid = self.next_xid;
        self.next_xid = if xid.0 >= i32::MAX - 1 { Xid(1) } else { Xid(xid.0 + 1) };
        xid
    }

    /// Requests unfinished.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.in_flight.len() + self.auths.len()
    }

    pub(super) const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(super) const fn registrations(&self) -> usize {
        self.registrations
    }

    pub(super) const fn registration_bytes(&self) -> usize {
        self.registration_bytes
    }

    /// Whether a request is in flight that may set a watch at `path`.
    pub(super) fn registers(&self, path: &str) -> bool {
        self.registrations > 0
            && self.in_flight.iter().any(|request| match &request.purpose {
                Purpose::Watch(registration) => &*registration.path == path,
                _ => false,
            })
    }

    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// The request whose time is over first, if it is over at `now`.
    pub(super) fn first_due(&self, now: Instant) -> Option<RequestId> {
        self.deadlines.first().filter(|&&(at, _)| at <= now).map(|&(_, id)| id)
    }

    pub(super) fn push_waiting(&mut self, waiting: Waiting) {
        self.waiting_bytes += waiting.record.len();
        self.note(&waiting.purpose, waiting.id, waiting.deadline);
        self.waiting.push_back(waiting);
    }

    pub(super) fn pop_waiting(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.forget_waiting(&waiting);
        Some(waiting)
    }

    /// Takes a request out that still waits.
    pub(super) fn remove_waiting(&mut self, id: RequestId) -> Option<Waiting> {
        // The session's own `closeSession` is always the last.
        let key = |waiting: &Waiting| waiting.id.map_or(u64::MAX, |id| id.0);
        let index = self.waiting.binary_search_by_key(&id.0, key).ok()?;
        let waiting = self.waiting.remove(index)?;
        self.forget_waiting(&waiting);
        Some(waiting)
    }

    pub(super) fn push_in_flight(&mut self, request: InFlight) {
        self.note(&request.purpose, request.id, request.deadline);
        self.in_flight.push_back(request);
    }

    pub(super) fn pop_in_flight(&mut self) -> Option<InFlight> {
        let request = self.in_flight.pop_front()?;
        self.forget(&request.purpose, request.id, request.deadline);
        Some(request)
    }

    pub(super) fn push_auth(&mut self, auth: AuthInFlight) {
        self.note(&Purpose::Plain, auth.id, auth.deadline);
        self.auths.push_back(auth);
    }

    pub(super) fn pop_auth(&mut self) -> Option<AuthInFlight> {
        let auth = self.auths.pop_front()?;
        self.forget(&Purpose::Plain, auth.id, auth.deadline);
        Some(auth)
    }

    /// The numbers of requests of which no byte was sent are given again: they were never seen.
    pub(super) fn reuse_unsent(&mut self, sent: u64) {
        let first_unsent = self.in_flight.partition_point(|request| request.start < sent);
        if let Some(request) = self.in_flight.get(first_unsent) {
            self.next_xid = request.xid;
        }
    }

    fn forget_waiting(&mut self, waiting: &Waiting) {
        self.waiting_bytes -= waiting.record.len();
        self.forget(&waiting.purpose, waiting.id, waiting.deadline);
    }

    fn note(&mut self, purpose: &Purpose, id: Option<RequestId>, deadline: Option<Instant>) {
        if let Purpose::Watch(registration) = purpose {
            self.registrations += 1;
            self.registration_bytes += registration.path.len();
        }
        if let (Some(at), Some(id)) = (deadline, id) {
            self.deadlines.insert((at, id));
        }
    }

    fn forget(&mut self, purpose: &Purpose, id: Option<RequestId>, deadline: Option<Instant>) {
        if let Purpose::Watch(registration) = purpose {
            self.registrations -= 1;
            self.registration_bytes -= registration.path.len();
        }
        if let (Some(at), Some(id)) = (deadline, id) {
            self.deadlines.remove(&(at, id));
        }
    }

    pub(super) fn check_invariants(&self) {
        let bytes: usize = self.waiting.iter().map(|waiting| waiting.record.len()).sum();
        assert_eq!(bytes, self.waiting_bytes);
        let waiting = self.waiting.iter().map(|waiting| (&waiting.purpose, waiting.deadline));
        let in_flight = self.in_flight.iter().map(|request| (&request.purpose, request.deadline));
        let auths = self.auths.iter().map(|auth| (&Purpose::Plain, auth.deadline));
        let (mut watches, mut watch_bytes, mut deadlines) = (0, 0, 0);
        for (purpose, deadline) in waiting.chain(in_flight).chain(auths) {
            if let Purpose::Watch(registration) = purpose {
                watches += 1;
                watch_bytes += registration.path.len();
            }
            deadlines += usize::from(deadline.is_some());
        }
        assert_eq!((watches, watch_bytes), (self.registrations, self.registration_bytes));
        assert_eq!(deadlines, self.deadlines.len());
        assert!(self.in_flight.iter().is_sorted_by_key(|request| request.start), "sent in order");
        let ids = self.in_flight.iter().filter_map(|request| request.id);
        let ids = ids.chain(self.waiting.iter().filter_map(|waiting| waiting.id));
        assert!(ids.is_sorted(), "completed in order");
    }
}

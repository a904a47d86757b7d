//! Requests on their way to the server: checked, encoded, numbered.
//!
//! Behaviour: `ClientCnxn.queuePacket` and `ClientCnxnSocketNIO.findSendablePacket`.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Auth, RequestId, Session, SubmitError, WatchEventKind, WatcherId,
    inflight::{AuthInFlight, InFlight, Purpose, Registration, Removal, Waiting},
    link::{Link, Stage},
    state::Phase,
    timers,
};
use crate::{
    ids::ConnId,
    secret::Secret,
    time::Instant,
    wire::{
        AddWatchMode, AuthRequest, Blob, Encode, Measure, Op, ReadRequest, Request, RequestHeader,
        Sink, Text, WatchRequest, WatcherType, Xid,
    },
};

/// How a request is to be treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SubmitOptions {
    /// Who is to be told by the watch that the request sets; it decides the request's watch flag.
    pub watcher: Option<WatcherId>,
    /// How long the request may take; where it is `None`,
    /// [`Config::request_timeout`](super::Config::request_timeout).
    pub timeout: Option<Duration>,
}

/// What a `SetWatches2` holds beside one path: header, zxid, five counts and a length.
pub(super) const SET_WATCHES_OVERHEAD: usize = RequestHeader::LENGTH + 8 + 5 * 4 + 4;

/// A frame's body: a header and a record.
pub(super) struct Frame<'a, R: ?Sized> {
    pub(super) xid: Xid,
    pub(super) op: Op,
    pub(super) record: &'a R,
}

impl<R: Encode + ?Sized> Encode for Frame<'_, R> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        RequestHeader { xid: self.xid, op: self.op.code() }.encode(out);
        self.record.encode(out);
    }
}

/// A record that is encoded already.
pub(super) struct Encoded<'a>(pub(super) &'a Bytes);

impl Encode for Encoded<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        out.put_shared(self.0);
    }
}

impl Session {
    /// Takes a request with server paths. It is encoded at once, sent when the session can, and
    /// completes with one [`Event::Reply`](super::Event::Reply).
    ///
    /// # Errors
    ///
    /// Why it is not accepted; nothing will be sent or told of it.
    pub fn submit(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        options: SubmitOptions,
    ) -> Result<RequestId, SubmitError> {
        self.advance(now);
        self.check_open()?;
        let request = with_watch_flag(*request, options.watcher.is_some());
        let purpose = purpose(&request, options.watcher, self.config.frame_length_max)?;
        if let Purpose::Watch(registration) = &purpose {
            let watches = self.watches.len() + self.requests.registrations();
            let bytes = self.watches.bytes() + self.requests.registration_bytes();
            if watches >= self.config.watches_max
                || bytes + registration.path.len() > self.config.watch_bytes_max
            {
                return Err(SubmitError::TooManyWatches(watches));
            }
        }
        self.enqueue(request.op(), &request, purpose, options)
    }

    /// Asks the server to forget watches of one path, and forgets them here: those of `watcher`,
    /// or everybody's. They are told by [`Event::Watch`](super::Event::Watch) with a removal.
    /// `local` forgets them here even if the server cannot be asked or does not agree.
    ///
    /// Where one watcher is given the server keeps its watch as long as others may need it: events
    /// may come that match nobody. It is told to drop a persistent one when the path's last watcher
    /// here is gone.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn remove_watches(
        &mut self,
        now: Instant,
        path: &str,
        watcher: Option<WatcherId>,
        kind: WatcherType,
        local: bool,
    ) -> Result<RequestId, SubmitError> {
        self.advance(now);
        self.check_open()?;
        let record = WatchRequest { path: Some(path.into()), mode: kind.code() };
        let removal = Removal { path: path.into(), watcher, kind, local };
        let op = if watcher.is_some() { Op::CheckWatches } else { Op::RemoveWatches };
        let purpose = Purpose::Remove(Box::new(removal));
        self.enqueue(op, &record, purpose, SubmitOptions::default())
    }

    /// Has the server drop its persistent watch of a path that nobody watches any more. Without a
    /// connection there is nothing to drop: what is not watched is not set again.
    ///
    /// The request takes no watch away that comes later: none may be in flight before it, and what
    /// is submitted from now on is behind it. All types are named at once, because older servers
    /// know no others that cover persistent watches.
    pub(super) fn stop_watching(
        &mut self,
        path: &str,
        removed: &[(WatchEventKind, Vec<WatcherId>)],
    ) {
        let is_lasting = |(kind, _): &_| *kind == WatchEventKind::PersistentWatchRemoved;
        if !removed.iter().any(is_lasting)
            || self.active_link().is_none()
            || self.is_closing
            || self.watches.contains(path, None, WatcherType::Any)
            || self.requests.registers(path)
        {
            return;
        }
        let record = WatchRequest { path: Some(path.into()), mode: WatcherType::Any.code() };
        // What does not fit now is dropped with the connection.
        let Ok(length) = self.check_room(&record) else { return };
        let purpose = Purpose::StopWatching;
        self.write_request(None, Op::RemoveWatches, purpose, None, &record, length);
    }

    /// Takes on an identity, now and in every later handshake. It completes like a request; one
    /// that failed by the loss of a connection is kept nevertheless. A refusal ends the session.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn add_auth(
        &mut self,
        now: Instant,
        scheme: &str,
        credentials: &[u8],
    ) -> Result<RequestId, SubmitError> {
        self.advance(now);
        self.check_open()?;
        let auth = Auth {
            scheme: scheme.to_owned(),
            credentials: Secret(Bytes::copy_from_slice(credentials)),
        };
        let record = auth_request(&auth);
        let length = self.check_room(&record)?;
        let id = self.requests.next_id();
        let deadline = self.deadline(None);
        if self.active_link().is_some() {
            self.write_auth(Some(id), deadline, &record);
        } else {
            let (op, record, purpose) = (Op::Auth, collect(&record, length), Purpose::Plain);
            self.requests.push_waiting(Waiting { id: Some(id), op, record, purpose, deadline });
        }
        if deadline.is_some() {
            self.set_request_timer();
        }
        if !self.auth.contains(&auth) {
            self.auth.push(auth);
        }
        Ok(id)
    }

    /// Queues the session's last request.
    pub(super) fn submit_close(&mut self) {
        let (op, purpose) = (Op::CloseSession, Purpose::Close);
        if self.active_link().is_some() {
            self.write_request(None, op, purpose, None, &Request::CloseSession, 0);
        } else {
            let record = Bytes::new();
            self.requests.push_waiting(Waiting { id: None, op, record, purpose, deadline: None });
        }
    }

    /// Sends everything that waited for a session.
    pub(super) fn send_waiting(&mut self) {
        while let Some(waiting) = self.requests.pop_waiting() {
            let record = Encoded(&waiting.record);
            if waiting.op == Op::Auth {
                self.write_auth(waiting.id, waiting.deadline, &record);
            } else {
                let Waiting { id, op, purpose, deadline, .. } = waiting;
                let length = waiting.record.len();
                self.write_request(id, op, purpose, deadline, &record, length);
            }
        }
    }

    /// Sends a request now.
    pub(super) fn write_request(
        &mut self,
        id: Option<RequestId>,
        op: Op,
        purpose: Purpose,
        deadline: Option<Instant>,
        record: &impl Encode,
        record_length: usize,
    ) {
        let xid = self.requests.next_xid();
        let frame = Frame { xid, op, record };
        let length = RequestHeader::LENGTH + record_length;
        let Some(start) = self.write_measured(&frame, length) else { return };
        self.requests.push_in_flight(InFlight { id, xid, op, purpose, deadline, start });
        self.sent_something();
    }

    /// Sends an identity now.
    pub(super) fn write_auth(
        &mut self,
        id: Option<RequestId>,
        deadline: Option<Instant>,
        record: &(impl Encode + ?Sized),
    ) {
        let frame = Frame { xid: Xid::AUTH, op: Op::Auth, record };
        let Some(start) = self.write(&frame) else { return };
        self.requests.push_auth(AuthInFlight { id, deadline, start });
        self.sent_something();
    }

    /// Queues one frame on the session's connection. Returns where it starts.
    pub(super) fn write(&mut self, frame: &impl Encode) -> Option<u64> {
        self.write_measured(frame, Measure::of(frame))
    }

    /// Queues one frame of this length on the session's connection. Returns where it starts.
    fn write_measured(&mut self, frame: &impl Encode, length: usize) -> Option<u64> {
        let Phase::Linked(link) = &mut self.phase else {
            debug_assert!(false, "nothing is written without a connection");
            return None;
        };
        let (start, is_news) = link.write(&mut self.pool, frame, length);
        let conn = link.conn;
        if is_news {
            self.actions.push_back(super::Action::Transmit(conn));
        }
        Some(start)
    }

    /// The connection, if requests may be sent on it.
    pub(super) const fn active_link(&self) -> Option<ConnId> {
        match &self.phase {
            Phase::Linked(Link { conn, stage: Stage::Active, .. }) => Some(*conn),
            _ => None,
        }
    }

    fn enqueue(
        &mut self,
        op: Op,
        record: &impl Encode,
        purpose: Purpose,
        options: SubmitOptions,
    ) -> Result<RequestId, SubmitError> {
        let length = self.check_room(record)?;
        let id = self.requests.next_id();
        let deadline = self.deadline(options.timeout);
        if self.active_link().is_some() {
            self.write_request(Some(id), op, purpose, deadline, record, length);
        } else {
            let record = collect(record, length);
            self.requests.push_waiting(Waiting { id: Some(id), op, record, purpose, deadline });
        }
        if deadline.is_some() {
            self.set_request_timer();
        }
        Ok(id)
    }

    /// When the time of a request is over, which may bring its own limit.
    fn deadline(&self, timeout: Option<Duration>) -> Option<Instant> {
        let timeout = timeout.or(self.config.request_timeout)?;
        Some(self.now + timeout).filter(|&at| at != timers::NEVER)
    }

    /// Whether requests are accepted at all.
    fn check_open(&self) -> Result<(), SubmitError> {
        match &self.phase {
            Phase::Over(reason) => Err(reason.submit_error()),
            _ if self.is_closing => Err(SubmitError::Closing),
            _ => Ok(()),
        }
    }

    /// Whether there is room for a request with this record. Returns the record's length.
    fn check_room(&self, record: &impl Encode) -> Result<usize, SubmitError> {
        let count = self.requests.len();
        if count >= self.config.requests_max {
            return Err(SubmitError::QueueFull(count));
        }
        let length = RequestHeader::LENGTH + Measure::of(record);
        let max = self.config.frame_length_max;
        if length > max {
            return Err(SubmitError::TooLong { length, max });
        }
        let unsent = match &self.phase {
            Phase::Linked(link) => link.outbox.len() + self.requests.waiting_bytes(),
            _ => self.requests.waiting_bytes(),
        };
        if unsent + length > self.config.request_bytes_max {
            return Err(SubmitError::BytesFull(unsent));
        }
        Ok(length - RequestHeader::LENGTH)
    }
}

/// The request that takes on an identity.
pub(super) fn auth_request(auth: &Auth) -> AuthRequest<'_> {
    AuthRequest {
        kind: 0,
        scheme: Some(Text::from(auth.scheme.as_str())),
        credentials: Some(Blob::from(&auth.credentials.0[..])),
    }
}

/// The encoded record.
fn collect(record: &impl Encode, length: usize) -> Bytes {
    let mut out = Vec::with_capacity(length);
    record.encode(&mut out);
    Bytes::from(out)
}

/// The request with its watch flag as it should be.
const fn with_watch_flag(request: Request<'_>, watch: bool) -> Request<'_> {
    match request {
        Request::Exists(read) => Request::Exists(ReadRequest { watch, ..read }),
        Request::GetData(read) => Request::GetData(ReadRequest { watch, ..read }),
        Request::GetChildren(read) => Request::GetChildren(ReadRequest { watch, ..read }),
        Request::GetChildren2(read) => Request::GetChildren2(ReadRequest { watch, ..read }),
        other => other,
    }
}

/// What is to happen when the request completes; whether it may be submitted at all.
fn purpose(
    request: &Request<'_>,
    watcher: Option<WatcherId>,
    frame_length_max: usize,
) -> Result<Purpose, SubmitError> {
    let (path, mode) = match request {
        Request::Exists(read)
        | Request::GetData(read)
        | Request::GetChildren(read)
        | Request::GetChildren2(read) => (read.path, None),
        Request::AddWatch(record) => {
            if watcher.is_none() {
                return Err(SubmitError::WatcherNeeded);
            }
            let mode = AddWatchMode::from_code(record.mode).ok_or(SubmitError::InvalidWatch)?;
            (record.path, Some(mode))
        }
        Request::Ping
        | Request::CheckWatches(_)
        | Request::RemoveWatches(_)
        | Request::Auth(_)
        | Request::Sasl(_)
        | Request::SetWatches(_)
        | Request::SetWatches2(_)
        | Request::CloseSession => return Err(SubmitError::NotARequest(request.op())),
        _ if watcher.is_some() => return Err(SubmitError::NotWatchable(request.op())),
        _ => return Ok(Purpose::Plain),
    };
    let Some(watcher) = watcher else { return Ok(Purpose::Plain) };
    let path = path.and_then(|path| path.to_str().ok()).ok_or(SubmitError::InvalidWatch)?;
    // After a reconnect the path has to fit into a request of its own.
    if path.len() + SET_WATCHES_OVERHEAD > frame_length_max {
        return Err(SubmitError::InvalidWatch);
    }
    Ok(Purpose::Watch(Box::new(Registration { path: path.into(), watcher, mode })))
}

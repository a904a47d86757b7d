//! What servers send: replies matched to requests, notifications to watches.
//!
//! One frame is looked at per step, and stays in the connection's buffer while its event is lent.
//!
//! Behaviour: `ClientCnxn.SendThread.readResponse` and `ZooKeeper.WatchRegistration`.

use super::{
    CloseReason, Event, KeeperState, LostReason, Reply, RequestError, RequestId, Session, Warning,
    WatchEvent, WatcherId,
    inflight::{InFlight, Purpose, Registration},
    link::{Front, Stage},
    queue::Queued,
    state::Phase,
    watches::{Batch, WatchKind, WatchTables},
};
use crate::{
    ids::Zxid,
    wire::{
        AddWatchMode, Decode, DecodeError, ErrorCode, EventKind, FrameError, LENGTH_BYTES, Op,
        Reader, ReplyHeader, Response, WatcherEvent, Xid,
    },
};

/// What a step led to.
enum Step {
    /// Nothing came.
    Idle,
    /// Something was done; there may be an event in the queue, or another frame.
    Again,
    /// The first frame is a successful reply, to be lent.
    Reply { id: RequestId, op: Op, zxid: Zxid, registration: Option<Box<Registration>> },
    /// The first frame is a notification, to be lent.
    Notification { kind: EventKind, zxid: Zxid, watchers: Vec<WatcherId> },
}

/// The first frame, without what it borrows.
enum First {
    Nothing,
    ConnectResponse(Vec<u8>),
    Sasl(ReplyHeader, Vec<u8>),
    Message(ReplyHeader),
    TooLong(ReplyHeader, usize),
    Broken(LostReason),
}

impl Session {
    /// What happened next. Replies are decoded in place and lent.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        self.finish_lent();
        let step = loop {
            if !self.events.is_empty() {
                return self.events.pop();
            }
            match self.step() {
                Step::Idle => return None,
                Step::Again => {}
                lending => break lending,
            }
        };
        match step {
            Step::Idle | Step::Again => None,
            Step::Reply { id, op, zxid, registration } => {
                self.lend_reply(id, op, zxid, registration)
            }
            Step::Notification { kind, zxid, watchers } => {
                self.lend_notification(kind, zxid, watchers)
            }
        }
    }

    /// Takes off the frame that the last event borrowed.
    pub(super) fn finish_lent(&mut self) {
        let length = std::mem::take(&mut self.lent);
        if length > 0 {
            self.consume(length);
        }
        if let Some(reason) = self.broken.take() {
            self.lose(reason);
        }
    }

    /// Handles the first frame.
    fn step(&mut self) -> Step {
        match self.first() {
            First::Nothing => return self.handle_end(),
            First::Broken(reason) => self.lose(reason),
            First::ConnectResponse(body) => {
                self.consume(LENGTH_BYTES + body.len());
                self.handle_connect_response(&body);
            }
            First::Sasl(header, body) => {
                self.consume(LENGTH_BYTES + ReplyHeader::LENGTH + body.len());
                self.heard();
                self.handle_sasl(header, &body);
            }
            First::TooLong(header, length) => self.handle_too_long(header, length),
            First::Message(header) => {
                self.heard();
                return match header.xid {
                    Xid::NOTIFICATION => self.handle_notification(header),
                    Xid::PING => self.done(),
                    Xid::AUTH => self.handle_auth_reply(header.error),
                    _ => self.handle_reply(header),
                };
            }
        }
        Step::Again
    }

    fn first(&self) -> First {
        let Phase::Linked(link) = &self.phase else { return First::Nothing };
        let body = match (&link.stage, link.front(self.config.frame_length_max)) {
            (Stage::Connecting, _) | (_, Front::Incomplete) => return First::Nothing,
            (_, Front::Bad(error)) => return First::Broken(LostReason::Frame(error)),
            (Stage::Handshake, Front::Frame(body)) => return First::ConnectResponse(body.to_vec()),
            (Stage::Handshake, Front::TooLong { .. }) => return First::Nothing,
            (_, Front::TooLong { length, header }) => {
                return match ReplyHeader::decode(&mut Reader::new(&header)) {
                    Ok(header) => First::TooLong(header, length),
                    Err(error) => malformed("reply header", error),
                };
            }
            (_, Front::Frame(body)) => body,
        };
        let mut reader = Reader::new(body);
        match (&link.stage, ReplyHeader::decode(&mut reader)) {
            (_, Err(error)) => malformed("reply header", error),
            (Stage::Sasl(_), Ok(header))
                if !matches!(header.xid, Xid::NOTIFICATION | Xid::PING | Xid::AUTH) =>
            {
                First::Sasl(header, reader.rest().to_vec())
            }
            (_, Ok(header)) => First::Message(header),
        }
    }

    /// Nothing whole is left: if nothing more will come, the connection is lost.
    fn handle_end(&mut self) -> Step {
        let Phase::Linked(link) = &mut self.phase else { return Step::Idle };
        link.inbox.settle(&mut self.pool);
        let Some(cause) = link.end else { return Step::Idle };
        self.lose(LostReason::Network(cause));
        Step::Again
    }

    fn handle_reply(&mut self, header: ReplyHeader) -> Step {
        let Some(request) = self.take_in_flight(header.xid) else { return Step::Again };
        self.check_zxid(header.zxid);
        let InFlight { id, op, purpose, .. } = request;
        let error = header.error;
        match (purpose, id) {
            (Purpose::Close, _) => {
                self.consume_front();
                self.end_closed(error.is_ok());
                Step::Again
            }
            (_, id) if error == ErrorCode::SESSION_CLOSED_REQUIRE_AUTH => {
                self.consume_front();
                let culprit = id.map(|id| (id, RequestError::Server(error)));
                self.refuse(CloseReason::AuthRequired, culprit);
                Step::Again
            }
            (Purpose::Restore(batch), _) => {
                self.finish_restoring(&batch, error);
                self.done()
            }
            // Whether the server knew of the watch does not matter.
            (Purpose::StopWatching, _) => self.done(),
            (Purpose::Remove(removal), Some(id)) => {
                let result = if error.is_ok() { Ok(()) } else { Err(RequestError::Server(error)) };
                self.complete_removal(id, *removal, header.zxid, result);
                self.done()
            }
            (Purpose::Watch(registration), Some(id)) if error.is_ok() => {
                let registration = Some(registration);
                Step::Reply { id, op, zxid: header.zxid, registration }
            }
            (Purpose::Plain, Some(id)) if error.is_ok() => {
                Step::Reply { id, op, zxid: header.zxid, registration: None }
            }
            (purpose, Some(id)) => {
                if let Purpose::Watch(registration) = purpose {
                    register(&mut self.watches, &registration, op, error);
                }
                self.complete(id, Err(RequestError::Server(error)));
                self.done()
            }
            (_, None) => {
                debug_assert!(false, "only closeSession and SetWatches are the session's own");
                self.done()
            }
        }
    }

    /// The request that this reply belongs to. Without one the connection is lost.
    fn take_in_flight(&mut self, xid: Xid) -> Option<InFlight> {
        let Some(expected) = self.requests.in_flight.front().map(|request| request.xid) else {
            self.lose(LostReason::UnexpectedReply(xid));
            return None;
        };
        if expected != xid {
            self.lose(LostReason::XidMismatch { expected, received: xid });
            return None;
        }
        let request = self.requests.pop_in_flight()?;
        if request.deadline.is_some() {
            self.set_request_timer();
        }
        self.set_close_timer();
        Some(request)
    }

    /// A reply that is not kept fails its request alone.
    fn handle_too_long(&mut self, header: ReplyHeader, length: usize) {
        let max = self.config.frame_length_max;
        match header.xid {
            Xid::NOTIFICATION => {
                self.events.push(Queued::Warning(Warning::NotificationTooLarge(length)));
            }
            // Nothing that long is expected with these.
            Xid::PING | Xid::AUTH => return self.lose(too_long(length, max)),
            xid => {
                let Some(request) = self.take_in_flight(xid) else { return };
                self.check_zxid(header.zxid);
                if request.id.is_none() {
                    return self.lose(too_long(length, max));
                }
                let error = RequestError::ReplyTooLarge { length, max };
                self.fail(request.id, request.purpose, error);
            }
        }
        if let Phase::Linked(link) = &mut self.phase {
            link.skip_front(length, &mut self.pool);
            if link.skip == 0 {
                // Its end is here already.
                self.heard();
            }
            self.update_wants_read();
        }
    }

    fn handle_auth_reply(&mut self, error: ErrorCode) -> Step {
        let Some(auth) = self.requests.pop_auth() else {
            self.events.push(Queued::Warning(Warning::UnexpectedAuthReply));
            return self.done();
        };
        if auth.deadline.is_some() {
            self.set_request_timer();
        }
        if error == ErrorCode::AUTH_FAILED {
            self.consume_front();
            let culprit = auth.id.map(|id| (id, RequestError::Server(error)));
            self.refuse(CloseReason::AuthFailed, culprit);
            return Step::Again;
        }
        if let Some(id) = auth.id {
            let result =
                if error.is_ok() { Ok(Zxid::ZERO) } else { Err(RequestError::Server(error)) };
            self.complete(id, result);
        }
        self.done()
    }

    fn handle_notification(&mut self, header: ReplyHeader) -> Step {
        let Some(body) = front_body(&self.phase, self.config.frame_length_max) else {
            return Step::Again;
        };
        let warning = match notification(body) {
            Err(error) => Warning::MalformedNotification(error),
            Ok((kind, path)) => match EventKind::from_code(kind) {
                None => Warning::UnknownEventKind(kind),
                Some(kind) => {
                    let watchers = self.watches.fire(kind, path);
                    if watchers.is_empty() {
                        return self.done();
                    }
                    return Step::Notification { kind, zxid: header.zxid, watchers };
                }
            },
        };
        self.events.push(Queued::Warning(warning));
        self.done()
    }

    /// Lends the first frame as a reply.
    fn lend_reply(
        &mut self,
        id: RequestId,
        op: Op,
        zxid: Zxid,
        registration: Option<Box<Registration>>,
    ) -> Option<Event<'_>> {
        let body = front_body(&self.phase, self.config.frame_length_max)?;
        self.lent = LENGTH_BYTES + body.len();
        let result = match Response::decode(op, &mut Reader::new(&body[ReplyHeader::LENGTH..])) {
            Ok(response) => {
                if let Some(registration) = registration {
                    register(&mut self.watches, &registration, op, ErrorCode::OK);
                }
                Ok(Reply { zxid, response })
            }
            Err(error) => {
                self.broken = Some(LostReason::Malformed { what: "reply", error });
                Err(RequestError::MalformedReply(error))
            }
        };
        Some(Event::Reply { id, result })
    }

    /// Lends the path of the first frame, a notification.
    fn lend_notification(
        &mut self,
        kind: EventKind,
        zxid: Zxid,
        watchers: Vec<WatcherId>,
    ) -> Option<Event<'_>> {
        let body = front_body(&self.phase, self.config.frame_length_max)?;
        self.lent = LENGTH_BYTES + body.len();
        let (_, path) = notification(body).ok()?;
        let state = KeeperState::SyncConnected;
        let event = WatchEvent { kind: kind.into(), path, zxid, state };
        Some(Event::Watch { watchers, event })
    }

    fn finish_restoring(&mut self, batch: &Batch, error: ErrorCode) {
        if !error.is_ok() {
            self.events.push(Queued::Warning(Warning::WatchesRefused(error)));
            self.report_lost(|watches| watches.forget(batch));
        }
        self.restoring = self.restoring.saturating_sub(1);
        if self.restoring == 0 && self.watches.len() > 0 {
            self.events.push(Queued::Restored { watchers: self.watches.watchers() });
        }
    }

    fn check_zxid(&mut self, received: Zxid) {
        if received > Zxid::ZERO && received < self.last_zxid {
            let seen = self.last_zxid;
            self.events.push(Queued::Warning(Warning::ZxidBackwards { seen, received }));
        }
        self.see(received);
    }

    /// Takes the first frame off.
    fn done(&mut self) -> Step {
        self.consume_front();
        Step::Again
    }

    fn consume_front(&mut self) {
        if let Some(body) = front_body(&self.phase, self.config.frame_length_max) {
            self.consume(LENGTH_BYTES + body.len());
        }
    }

    fn consume(&mut self, length: usize) {
        if let Phase::Linked(link) = &mut self.phase {
            link.inbox.consume(length, &mut self.pool);
            self.update_wants_read();
        }
    }
}

/// The body of the first frame.
fn front_body(phase: &Phase, frame_length_max: usize) -> Option<&[u8]> {
    let Phase::Linked(link) = phase else { return None };
    match link.front(frame_length_max) {
        Front::Frame(body) => Some(body),
        Front::Incomplete | Front::TooLong { .. } | Front::Bad(_) => None,
    }
}

/// Kind and path of a notification.
fn notification(body: &[u8]) -> Result<(i32, &str), DecodeError> {
    let mut reader = Reader::new(&body[ReplyHeader::LENGTH..]);
    let event: WatcherEvent<'_> = reader.read()?;
    let path = event.path.ok_or(DecodeError::UnexpectedNull)?;
    Ok((event.kind, path.to_str()?))
}

/// Sets the watch that a reply stands for. Only `exists` sets one where there is no znode.
fn register(watches: &mut WatchTables, registration: &Registration, op: Op, error: ErrorCode) {
    let is_missing = error == ErrorCode::NO_NODE;
    let kind = match (registration.mode, op) {
        (Some(AddWatchMode::Persistent), _) if error.is_ok() || is_missing => WatchKind::Persistent,
        (Some(AddWatchMode::PersistentRecursive), _) if error.is_ok() || is_missing => {
            WatchKind::Recursive
        }
        (None, Op::Exists) if is_missing => WatchKind::Exist,
        (None, Op::Exists | Op::GetData) if error.is_ok() => WatchKind::Data,
        (None, Op::GetChildren | Op::GetChildren2) if error.is_ok() => WatchKind::Child,
        _ => return,
    };
    watches.register(kind, &registration.path, registration.watcher);
}

fn malformed(what: &'static str, error: DecodeError) -> First {
    First::Broken(LostReason::Malformed { what, error })
}

const fn too_long(length: usize, max: usize) -> LostReason {
    LostReason::Frame(FrameError::TooLong { length, max })
}

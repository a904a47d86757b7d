//! Requests: which connection's is next, which are answered here, and the answers of the backend.
//!
//! Behaviour: `org.apache.zookeeper.server.ZooKeeperServer.processPacket` and
//! `RequestThrottler`; the round robin takes the place of upstream's one queue.

use super::{
    CloseReason, Endpoint, auth,
    connection::{Connection, LastOperation, Lent, State},
    event::{Caller, Incoming, Reply},
};
use crate::{
    ids::{ConnId, RequestId, Zxid},
    time::Instant,
    wire::{
        DecodeError, Encode, ErrorCode, LENGTH_BYTES, Measure, Op, Reader, ReplyHeader, Request,
        RequestHeader, Response, Sink, Xid,
    },
};

/// Frames of one connection that are served before the next connection's.
const FRAMES_PER_TURN: usize = 64;

/// Frames answered or dropped here, and connections passed over, in search of the next request.
const STEPS_PER_POLL: usize = 256;

/// What became of the first frame of the first connection.
enum Step {
    /// It is a request for the backend.
    Lend { conn: ConnId, header: RequestHeader, op: Op },
    /// It was dealt with, or its connection has none.
    Again,
}

/// What the first frame of a connection is.
enum First {
    /// It is not whole yet.
    Incomplete,
    /// It ends the connection, unanswered.
    Bad(CloseReason),
    /// It is a request of a session that has ended: dropped.
    Late { length: usize },
    /// It is a request for the backend.
    Request { header: RequestHeader, op: Op },
    /// It is answered here.
    Own { length: usize, header: RequestHeader, request: OwnRequest },
}

/// A request that is answered here.
enum OwnRequest {
    Ping,
    /// `auth` or `sasl`.
    Authentication(Op),
    /// It comes before the authentication that is demanded.
    Unauthenticated,
    Unknown,
    /// Its record cannot be decoded.
    Malformed(Op),
}

/// An answer that this endpoint gives itself.
struct OwnReply<'a> {
    xid: Xid,
    /// As in [`Reply`].
    zxid: Option<Zxid>,
    error: ErrorCode,
    body: Response<'a>,
    op: Option<Op>,
}

impl Endpoint {
    /// The next request, decoded in place and lent. It has to be answered by
    /// [`Endpoint::reply`], in order per connection, now or later.
    ///
    /// When many frames in a row need no backend, it returns `None` before the end is reached;
    /// [`Endpoint::poll_timeout`] is due then.
    pub fn poll_request(&mut self) -> Option<Incoming<'_>> {
        let mut steps = 0..STEPS_PER_POLL;
        let (conn, header, op) = loop {
            self.finish_lent();
            let conn = *self.ready.front()?;
            if steps.next().is_none() {
                self.has_more = true;
                return None;
            }
            if let Step::Lend { conn, header, op } = self.step(conn) {
                break (conn, header, op);
            }
        };
        self.lend(conn, header, op)
    }

    /// Answers the oldest unanswered request of a connection. If the connection is gone, nothing
    /// happens.
    ///
    /// # Panics
    ///
    /// When `id` is not the connection's oldest unanswered request: replies go in request order.
    pub fn reply(&mut self, now: Instant, id: RequestId, reply: Reply<'_>) {
        self.advance(now);
        self.finish_lent();
        let Some(connection) = self.table.get_mut(id.conn) else {
            self.stats.stale_replies += 1;
            return;
        };
        assert_eq!(id.sequence, connection.answered, "replies go in request order");
        let Some(lent) = connection.lent.pop_front() else {
            panic!("{id:?} was not lent");
        };
        connection.answered += 1;
        // A session that was not ended goes on.
        connection.is_leaving &= lent.op != Op::CloseSession || reply.error.is_ok();
        self.large_total -= lent.large;
        self.write_reply(id.conn, lent, reply);
        self.after_output(id.conn);
    }

    /// Puts a connection into the queue of those with requests, if it has one and may.
    pub(super) fn mark_ready(&mut self, conn: ConnId) {
        let max = self.config.frame_length_max;
        let Some(connection) = self.table.get_mut(conn) else { return };
        if connection.is_ready || !matches!(connection.state, State::Active { .. }) {
            return;
        }
        let has_frame = !matches!(connection.inbox.frame(max), Ok(None));
        // One that ends has its end as its last frame, when all is answered.
        let has_end = connection.ended.is_some() && connection.lent.is_empty();
        if has_frame || has_end {
            connection.is_ready = true;
            self.ready.push_back(conn);
        } else {
            connection.inbox.settle(&mut self.pool);
        }
    }

    /// Whether there is something to take. A length that cannot start a frame counts: it is found
    /// out in its turn.
    pub(super) fn has_frame(&self, connection: &Connection) -> bool {
        !matches!(connection.inbox.frame(self.config.frame_length_max), Ok(None))
    }

    /// Takes `conn` out of the queue, in which it is the first.
    fn unready(&mut self, conn: ConnId) {
        debug_assert_eq!(self.ready.front(), Some(&conn));
        self.ready.pop_front();
        self.turn = 0;
        if let Some(connection) = self.table.get_mut(conn) {
            connection.is_ready = false;
        }
    }

    /// Takes the frame that was lent off its inbox: the borrow has ended.
    pub(super) fn finish_lent(&mut self) {
        if let Some((conn, length)) = self.lent_frame.take()
            && let Some(connection) = self.table.get_mut(conn)
        {
            connection.inbox.consume(length, &mut self.pool);
        }
    }

    /// Deals with the first frame of `conn`, which is the first in the queue.
    fn step(&mut self, conn: ConnId) -> Step {
        let Some(connection) = self.table.get(conn) else {
            self.unready(conn);
            return Step::Again;
        };
        if !self.flow(connection).serves {
            self.unready(conn);
            self.update_flow(conn);
            return Step::Again;
        }
        if self.turn >= FRAMES_PER_TURN {
            self.turn = 0;
            self.ready.rotate_left(1);
            return Step::Again;
        }
        let has_lent = !connection.lent.is_empty();
        match self.first(connection) {
            First::Request { header, op } => return Step::Lend { conn, header, op },
            First::Late { length } => {
                self.stats.stale_requests_dropped += 1;
                self.turn += 1;
                self.lent_frame = Some((conn, LENGTH_BYTES + length));
            }
            First::Incomplete => {
                self.unready(conn);
                self.update_flow(conn);
                if let Some(connection) = self.table.get_mut(conn)
                    && !connection.is_ready
                {
                    connection.inbox.settle(&mut self.pool);
                }
                self.finish_ended(conn);
            }
            // What was asked before is answered before.
            First::Bad(_) | First::Own { .. } if has_lent => {
                self.unready(conn);
                if let Some(connection) = self.table.get_mut(conn) {
                    connection.is_waiting = true;
                }
                self.update_flow(conn);
            }
            First::Bad(reason) => self.close_soon(conn, reason, Zxid::ZERO),
            First::Own { length, header, request } => {
                // Before the answer: one that closes the connection empties the inbox as well.
                self.lent_frame = Some((conn, LENGTH_BYTES + length));
                self.answer_here(conn, header, request);
            }
        }
        Step::Again
    }

    /// Tells what the first frame of a connection is.
    fn first(&self, connection: &Connection) -> First {
        let State::Active { slot, .. } = connection.state else { return First::Incomplete };
        let frame = match connection.inbox.frame(self.config.frame_length_max) {
            Ok(Some(frame)) => frame,
            Ok(None) => return First::Incomplete,
            Err(error) => return First::Bad(error.into()),
        };
        let length = frame.len();
        let mut reader = Reader::new(frame);
        let header: RequestHeader = match reader.read() {
            Ok(header) => header,
            Err(error) => return First::Bad(CloseReason::BadHeader(error)),
        };
        if self.exceeds_large_budget(length) {
            return First::Bad(CloseReason::LargeRequests);
        }
        if !self.liveness.is_live(slot) {
            return First::Late { length };
        }
        let own = |request| First::Own { length, header, request };
        let op = Op::from_code(header.op).filter(|op| op.is_request());
        if !matches!(op, Some(Op::Auth | Op::Sasl))
            && !auth::is_authenticated(&self.config, &connection.identities)
        {
            return own(OwnRequest::Unauthenticated);
        }
        match op {
            None => own(OwnRequest::Unknown),
            Some(Op::Ping) => own(OwnRequest::Ping),
            Some(op @ (Op::Auth | Op::Sasl)) => own(OwnRequest::Authentication(op)),
            Some(op) if Request::decode(op, &mut reader).is_ok() => First::Request { header, op },
            Some(op) => own(OwnRequest::Malformed(op)),
        }
    }

    /// Whether one more request of `length` bytes is more than large requests may be together.
    pub(super) fn exceeds_large_budget(&self, length: usize) -> bool {
        self.config.large_request_length.is_some_and(|limit| length > limit)
            && self.large_total.saturating_add(length) > self.config.large_requests_total_max
    }

    /// Answers what needs no backend.
    fn answer_here(&mut self, conn: ConnId, header: RequestHeader, request: OwnRequest) {
        let reply =
            |zxid, error, op| OwnReply { xid: header.xid, zxid, error, body: Response::Empty, op };
        match request {
            OwnRequest::Unauthenticated => {
                let error = ErrorCode::SESSION_CLOSED_REQUIRE_AUTH;
                self.write_own(conn, reply(Some(Zxid::ZERO), error, None));
                self.close_soon(conn, CloseReason::AuthenticationRequired, Zxid::ZERO);
            }
            OwnRequest::Unknown => {
                self.write_own(conn, reply(Some(Zxid(-1)), ErrorCode::UNIMPLEMENTED, None));
                let reason = CloseReason::UnknownOperation(header.op);
                self.close_soon(conn, reason, Zxid::ZERO);
            }
            OwnRequest::Ping => {
                self.touch(conn);
                self.write_own(conn, reply(None, ErrorCode::OK, Some(Op::Ping)));
            }
            OwnRequest::Authentication(op) => self.answer_authentication(conn, header, op),
            OwnRequest::Malformed(op) => {
                self.touch(conn);
                self.stats.bad_requests += 1;
                self.write_own(conn, reply(None, ErrorCode::MARSHALLING_ERROR, Some(op)));
            }
        }
    }

    /// Answers `auth` and `sasl`.
    fn answer_authentication(&mut self, conn: ConnId, header: RequestHeader, op: Op) {
        let max = self.config.frame_length_max;
        let Some(connection) = self.table.get_mut(conn) else { return };
        let Ok(Some(frame)) = connection.inbox.frame(max) else { return };
        let Some(body) = frame.get(RequestHeader::LENGTH..) else { return };
        let (mut error, mut record) = (ErrorCode::OK, Response::Empty);
        match Request::decode(op, &mut Reader::new(body)) {
            Ok(Request::Auth(request)) => {
                let ids = &connection.identities;
                match auth::authenticate(&self.config, connection.peer, ids, &request) {
                    Some(identities) => connection.identities = identities,
                    None => error = ErrorCode::AUTH_FAILED,
                }
            }
            // No mechanism is configured: any token is answered with none.
            Ok(Request::Sasl(request)) if request.token.is_some() => record = Response::Token(None),
            // These close unanswered, as upstream does: it reads them before everything else.
            Ok(_) => {
                let reason = CloseReason::BadAuthentication(DecodeError::UnexpectedNull);
                return self.close_soon(conn, reason, Zxid::ZERO);
            }
            Err(error) => {
                return self.close_soon(conn, CloseReason::BadAuthentication(error), Zxid::ZERO);
            }
        }
        let zxid = Some(Zxid::ZERO);
        self.write_own(conn, OwnReply { xid: header.xid, zxid, error, body: record, op: Some(op) });
        if !error.is_ok() {
            self.close_soon(conn, CloseReason::AuthenticationFailed, Zxid::ZERO);
        }
    }

    /// Decodes the request in place, and takes note that it is lent.
    fn lend(&mut self, conn: ConnId, header: RequestHeader, op: Op) -> Option<Incoming<'_>> {
        self.touch(conn);
        let connection = self.table.get_mut(conn)?;
        let State::Active { session, .. } = connection.state else { return None };
        let id = RequestId { conn, sequence: connection.answered + connection.lent.len() as u64 };
        let frame = connection.inbox.frame(self.config.frame_length_max).ok().flatten()?;
        let is_large = self.config.large_request_length.is_some_and(|limit| frame.len() > limit);
        let large = if is_large { frame.len() } else { 0 };
        let request =
            Request::decode(op, &mut Reader::new(&frame[RequestHeader::LENGTH..])).ok()?;
        let lent = Lent { xid: header.xid, op, arrived: connection.heard, large };
        connection.lent.push_back(lent);
        connection.is_leaving = op == Op::CloseSession;
        connection.figures.received += 1;
        self.turn += 1;
        self.large_total += large;
        self.outstanding += 1;
        self.stats.packets_received += 1;
        self.stats.record_request(op);
        self.lent_frame = Some((conn, LENGTH_BYTES + frame.len()));
        let caller = Caller { session, identities: &connection.identities };
        Some(Incoming { id, xid: header.xid, caller, request })
    }

    /// The session was heard of.
    fn touch(&mut self, conn: ConnId) {
        if let Some(connection) = self.table.get(conn)
            && let State::Active { slot, .. } = connection.state
        {
            self.liveness.touch(slot);
        }
    }

    fn write_own(&mut self, conn: ConnId, reply: OwnReply<'_>) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        let op = reply.op.unwrap_or(Op::Error);
        let lent = Lent { xid: reply.xid, op, arrived: connection.heard, large: 0 };
        connection.figures.received += 1;
        self.turn += 1;
        self.outstanding += 1;
        self.stats.packets_received += 1;
        self.stats.record_request(op);
        let OwnReply { zxid, error, body, .. } = reply;
        self.write_reply(conn, lent, Reply { zxid, error, body, hold: Zxid::ZERO });
        self.after_output(conn);
    }

    /// Encodes a reply and takes note of it in all figures.
    fn write_reply(&mut self, conn: ConnId, lent: Lent, reply: Reply<'_>) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        if connection.is_mute() {
            self.outstanding -= 1;
            return;
        }
        // A read shows the newest transaction it may depend on, never one that a crash could take
        // back, and never an older one than the connection has seen.
        let zxid =
            reply.zxid.unwrap_or_else(|| self.durable.max(reply.hold).max(connection.last_zxid));
        connection.last_zxid = connection.last_zxid.max(zxid);
        let mut measure = Measure(ReplyHeader::LENGTH);
        reply.body.encode(&mut measure);
        let length = measure.0;
        // What would have to be cut off is not made: a small multiRead may ask for any amount.
        if length > self.config.output_hard_max || i32::try_from(length).is_err() {
            self.outstanding -= 1;
            return self.close_now(conn, CloseReason::OutputOverflow);
        }
        let figures = &mut connection.figures;
        figures.sent += 1;
        figures.last_operation = LastOperation::Request(lent.op);
        if lent.xid.0 >= 0 {
            figures.last_cxid = Some(lent.xid.0);
        }
        figures.last_zxid = zxid;
        figures.last_response = self.now;
        self.stats.record_response(length);
        // A ping is answered as one, whatever number it came under.
        let xid = if lent.op == Op::Ping { Xid::PING } else { lent.xid };
        let header = ReplyHeader { xid, zxid, error: reply.error };
        self.write(conn, reply.hold, Some(lent.arrived), |out| {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            let mut start = [0; LENGTH_BYTES + ReplyHeader::LENGTH];
            start[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            start[LENGTH_BYTES..].copy_from_slice(&header.to_array());
            out.put(&start);
            reply.body.encode(out);
        });
    }

    /// Ends a connection whose peer has ended its side, when its last request is answered.
    fn finish_ended(&mut self, conn: ConnId) {
        let Some(connection) = self.table.get(conn) else { return };
        if let Some(cause) = connection.ended
            && connection.lent.is_empty()
        {
            self.close_soon(conn, CloseReason::Peer(cause), Zxid::ZERO);
        }
    }
}

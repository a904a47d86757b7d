//! The first frame of a connection, and its answer.
//!
//! Behaviour: `org.apache.zookeeper.server.ZooKeeperServer.processConnectRequest` and
//! `finishSessionInit`.

use super::{
    Endpoint,
    connection::{LastOperation, State},
    error::CloseReason,
    event::{Connect, Event, Grant, Refusal},
};
use crate::{
    ids::{ConnId, SessionId, Zxid},
    time::Instant,
    wire::{
        Blob, Command, ConnectRequest, ConnectResponse, Encode, LENGTH_BYTES, Measure,
        PASSWORD_LENGTH, Reader, Sink,
    },
};

impl Endpoint {
    /// Answers [`Event::Connect`]: the connection speaks for the session from now on.
    pub fn accept_session(&mut self, now: Instant, conn: ConnId, grant: Grant) {
        self.advance(now);
        // The session is there even if the client is gone already.
        let slot = self.liveness.track(grant.session, grant.timeout);
        let Some(has_read_only) = self.connecting(conn) else { return };
        if let Some(old) = self.liveness.attach(slot, conn)
            && old != conn
        {
            self.close_now(old, CloseReason::SessionMoved);
        }
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms: i32::try_from(grant.timeout.as_millis()).unwrap_or(i32::MAX),
            session: grant.session,
            password: Some(Blob::Slice(&grant.password)),
            read_only: has_read_only.then_some(grant.read_only),
        };
        if let Some(connection) = self.table.get_mut(conn) {
            connection.state = State::Active { session: grant.session, slot };
            connection.session = Some(grant.session);
            connection.figures.last_operation = LastOperation::Session;
        }
        self.write_handshake(conn, &response, grant.hold);
        self.after_output(conn);
    }

    /// Answers [`Event::Connect`]: no session. The connection closes.
    pub fn refuse_session(&mut self, now: Instant, conn: ConnId, refusal: Refusal) {
        self.advance(now);
        let Some(has_read_only) = self.connecting(conn) else { return };
        match refusal {
            Refusal::Expired { hold } => {
                let response = ConnectResponse {
                    protocol_version: 0,
                    timeout_ms: 0,
                    session: SessionId::NONE,
                    password: Some(Blob::Slice(&[0; PASSWORD_LENGTH])),
                    read_only: has_read_only.then_some(false),
                };
                self.write_handshake(conn, &response, hold);
                self.close_soon(conn, CloseReason::SessionRefused, hold);
            }
            Refusal::ClientAhead => self.close_now(conn, CloseReason::ClientAhead),
            Refusal::Busy => self.close_now(conn, CloseReason::Busy),
        }
    }

    /// Reads the first frame, once it is whole.
    pub(super) fn progress_handshake(&mut self, conn: ConnId) {
        let Some(connection) = self.table.get_mut(conn) else { return };
        let Some(first) = connection.inbox.first_four() else {
            return connection.inbox.settle(&mut self.pool);
        };
        if let Some(command) = Command::from_bytes(first) {
            connection.inbox.consume(LENGTH_BYTES, &mut self.pool);
            self.begin_command(conn, command);
            return;
        }
        let max = self.config.first_frame_length_max.min(self.config.frame_length_max);
        let frame = match connection.inbox.frame(max) {
            Ok(Some(frame)) => frame,
            Ok(None) => return connection.inbox.settle(&mut self.pool),
            Err(error) => return self.close_now(conn, error.into()),
        };
        let length = LENGTH_BYTES + frame.len();
        let request: ConnectRequest<'_> = match Reader::new(frame).read() {
            Ok(request) => request,
            Err(error) => return self.close_now(conn, CloseReason::BadHandshake(error)),
        };
        let connect = Connect {
            session: request.session,
            password: request.password.map_or_else(Box::default, |password| (*password).into()),
            last_zxid_seen: request.last_zxid_seen,
            timeout: self.config.negotiate(request.timeout_ms),
            read_only: request.read_only.unwrap_or(false),
        };
        let has_read_only = request.read_only.is_some();
        connection.inbox.consume(length, &mut self.pool);
        connection.state = State::Connecting { has_read_only };
        // A backend that knows it lets it in: what a client has seen was durable once, even if this
        // server has yet to make sure of it.
        connection.last_zxid = connect.last_zxid_seen;
        connection.figures.received += 1;
        self.stats.packets_received += 1;
        self.stats.connection_request_count += 1;
        self.set_deadline(conn, None);
        self.set_reading(conn, false);
        let is_new = connect.session == SessionId::NONE;
        if !self.tokens.take(self.now, is_new, &mut self.rng) {
            return self.close_now(conn, CloseReason::Busy);
        }
        if !is_new {
            self.stats.connection_revalidate_count += 1;
            // Before the password is looked at, as upstream does: the session itself lives on.
            if let Some(old) = self.liveness.connection(connect.session) {
                self.close_now(old, CloseReason::SessionMoved);
            }
        }
        self.events.push_back(Event::Connect { conn, request: connect });
    }

    /// Whether the connection waits for a session, and if so whether it knows the read-only flag.
    fn connecting(&self, conn: ConnId) -> Option<bool> {
        match self.table.get(conn)?.state {
            State::Connecting { has_read_only } => Some(has_read_only),
            _ => None,
        }
    }

    fn write_handshake(&mut self, conn: ConnId, response: &ConnectResponse<'_>, hold: Zxid) {
        let mut measure = Measure::default();
        response.encode(&mut measure);
        let length = u32::try_from(measure.0).unwrap_or(u32::MAX);
        self.write(conn, hold, None, |out| {
            out.put(&length.to_be_bytes());
            response.encode(out);
        });
        self.stats.packets_sent += 1;
        if let Some(connection) = self.table.get_mut(conn) {
            connection.figures.sent += 1;
        }
    }
}

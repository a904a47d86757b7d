//! From an open socket to a session in which requests flow.
//!
//! ```text
//!   connected ─► ConnectRequest ─► ConnectResponse ─► [SASL] ─► identities, watches, requests
//!                    └── nothing else may be sent until the response is there
//! ```
//!
//! Behaviour: `ClientCnxn.SendThread.primeConnection` and `ClientCnxnSocket.readConnectResult`.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use super::{
    CloseReason, Credentials, KeeperState, LostReason, Session,
    inflight::Purpose,
    keepalive::Times,
    link::{Link, Stage},
    sasl::{Exchange, Progress},
    state::Phase,
    submit::{Frame, SET_WATCHES_OVERHEAD, auth_request},
    timers::Timer,
};
use crate::{
    ids::{ConnId, SessionId, Zxid},
    secret::Secret,
    time::Instant,
    wire::{
        Blob, ConnectRequest, ConnectResponse, Decode, DecodeError, List, Measure, Op, Reader,
        ReplyHeader, Request, SaslToken, SetWatches, SetWatches2, Text, Xid,
    },
};

impl Session {
    /// The attempt `conn` succeeded: its socket is connected to `peer`.
    pub fn handle_connected(&mut self, now: Instant, conn: ConnId, peer: SocketAddr) {
        self.advance(now);
        if self.handle_probe_connected(conn) {
            return;
        }
        let credentials = self.credentials_to_send();
        let Phase::Linked(link @ Link { stage: Stage::Connecting, .. }) = &mut self.phase else {
            return;
        };
        if link.conn != conn || link.end.is_some() {
            return;
        }
        link.peer = Some(peer);
        link.stage = Stage::Handshake;
        self.peer = Some(peer);
        self.has_connected = true;
        self.timers.set(Timer::Connect, self.now + self.connect_timeout());
        let timeout_ms = self.config.session_timeout.as_millis();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
            session: credentials.session,
            password: Some(Blob::from(&credentials.password.0[..])),
            read_only: Some(self.config.can_be_read_only),
        };
        self.write(&request);
    }

    /// The answer to the ConnectRequest.
    pub(super) fn handle_connect_response(&mut self, body: &[u8]) {
        let response = match ConnectResponse::decode(&mut Reader::new(body)) {
            Ok(response) => response,
            Err(error) => {
                let what = "ConnectResponse";
                return self.lose(LostReason::Malformed { what, error });
            }
        };
        // Servers answer with zero. Anything else is a frame that does not belong here, whose other
        // fields could look like an expiry.
        if response.protocol_version != 0 {
            let (what, value) = ("protocol version", response.protocol_version);
            let error = DecodeError::UnknownValue { what, value };
            return self.lose(LostReason::Malformed { what: "ConnectResponse", error });
        }
        let read_only = response.read_only == Some(true);
        let asked = self.credentials_to_send().session;
        let Ok(timeout_ms @ 1..) = u64::try_from(response.timeout_ms) else {
            return self.expire(CloseReason::Expired);
        };
        if asked != SessionId::NONE && response.session != asked {
            return self.expire(CloseReason::ForeignSession(response.session));
        }
        if response.session == SessionId::NONE {
            return self.lose(LostReason::NoSession);
        }
        if read_only && !self.config.can_be_read_only {
            return self.lose(LostReason::ReadOnly);
        }
        let password = Bytes::copy_from_slice(response.password.as_deref().unwrap_or_default());
        self.credentials = Credentials { session: response.session, password: Secret(password) };
        self.negotiated = Some(Duration::from_millis(timeout_ms));
        self.times = Times::new(Duration::from_millis(timeout_ms));
        self.has_seen_writable |= !read_only;
        self.hosts.connected();
        self.timers.clear(Timer::Connect);
        self.timers.clear(Timer::NewSession);
        self.heard();
        self.set_active(read_only);
    }

    /// The session has a server.
    fn set_active(&mut self, read_only: bool) {
        self.read_only = read_only;
        let is_first = !self.has_had_session;
        self.has_had_session = true;
        self.enter(if read_only {
            KeeperState::ConnectedReadOnly
        } else {
            KeeperState::SyncConnected
        });
        if !self.config.auto_watch_reset && !is_first {
            // Told of the connection, they will hear nothing more: the server has forgotten them.
            self.report_lost(super::watches::WatchTables::clear);
        }
        if read_only {
            self.schedule_probe();
        }
        match self.config.sasl.clone() {
            Some(login) => {
                let exchange = Exchange::new(login, &mut self.rng);
                self.set_stage(Stage::Sasl(Box::new(exchange)));
                self.write_sasl(&[]);
            }
            None => self.prime(),
        }
    }

    /// Sends what the server has to know first: identities, watches; then what waits. The last
    /// identity and the last batch of watches go first, as upstream's do.
    fn prime(&mut self) {
        self.set_stage(Stage::Active);
        for auth in self.auth.clone().iter().rev() {
            self.write_auth(None, None, &auth_request(auth));
        }
        self.restore_watches();
        self.send_waiting();
        self.sent_something();
    }

    fn restore_watches(&mut self) {
        if !self.config.auto_watch_reset {
            return;
        }
        let room = self.config.frame_length_max.saturating_sub(SET_WATCHES_OVERHEAD);
        let batches = self.watches.batches(self.config.set_watches_bytes_max.min(room));
        self.restoring = batches.len();
        for batch in batches.into_iter().rev() {
            let lists =
                [&batch.data, &batch.exist, &batch.child, &batch.persistent, &batch.recursive];
            let lists = lists.map(|paths| {
                paths.iter().map(|path| Some(Text::from(&**path))).collect::<Vec<_>>()
            });
            let [data, exist, child, persistent, recursive] =
                lists.each_ref().map(|paths| Some(List::new(paths)));
            let relative_zxid = self.last_zxid.0;
            let request = if !batch.needs_set_watches2() {
                Request::SetWatches(SetWatches { relative_zxid, data, exist, child })
            } else {
                Request::SetWatches2(SetWatches2 {
                    relative_zxid,
                    data,
                    exist,
                    child,
                    persistent,
                    recursive,
                })
            };
            let op = request.op();
            let (purpose, length) =
                (Purpose::Restore(Box::new(batch.clone())), Measure::of(&request));
            self.write_request(None, op, purpose, None, &request, length);
        }
    }

    /// One step of the SASL exchange.
    pub(super) fn handle_sasl(&mut self, header: ReplyHeader, body: &[u8]) {
        if !header.error.is_ok() {
            return self.refuse(CloseReason::SaslFailed("refused by the server"), None);
        }
        let mut reader = Reader::new(body);
        let token = match reader.read::<SaslToken<'_>>() {
            Ok(SaslToken { token: Some(token) }) => token,
            Ok(SaslToken { token: None }) => {
                return self.refuse(CloseReason::SaslFailed("the server does not use SASL"), None);
            }
            Err(error) => {
                return self.lose(LostReason::Malformed { what: "SASL token", error });
            }
        };
        let Phase::Linked(Link { stage: Stage::Sasl(exchange), .. }) = &mut self.phase else {
            return;
        };
        match exchange.step(&token) {
            Progress::Answer(answer) => self.write_sasl(&answer),
            Progress::Done => {
                self.enter(KeeperState::SaslAuthenticated);
                self.prime();
            }
            Progress::Failed(why) => self.refuse(CloseReason::SaslFailed(why), None),
        }
    }

    fn write_sasl(&mut self, token: &[u8]) {
        let token = SaslToken { token: Some(Blob::from(token)) };
        let xid = self.requests.next_xid();
        self.write(&Frame { xid, op: Op::Sasl, record: &token });
    }

    pub(super) fn write_ping(&mut self) {
        self.write(&Frame { xid: Xid::PING, op: Op::Ping, record: &Request::Ping });
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Phase::Linked(link) = &mut self.phase {
            link.stage = stage;
        }
    }

    /// A session of a read-only server is none that another server knows.
    fn credentials_to_send(&self) -> Credentials {
        if self.has_seen_writable {
            return self.credentials.clone();
        }
        Credentials { session: SessionId::NONE, password: self.credentials.password.clone() }
    }

    /// Zxids only grow.
    pub(super) fn see(&mut self, zxid: Zxid) {
        self.last_zxid = self.last_zxid.max(zxid);
    }
}

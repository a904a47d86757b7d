//! One connection's byte stream through an endpoint: cut up in any way, it has the same outcome.

use std::sync::Arc;

use bytes::Buf;
use zookeeper_core::{
    ConnId, Disconnect, Instant, Rng, SessionId, Zxid,
    endpoint::{
        Action, CloseReason, CommandWhitelist, Config, Connect, Endpoint, Event, Grant, Incoming,
        Refusal, Reply,
    },
    wire::{ConnectRequest, Encode, ErrorCode, Op, Response},
};

use crate::generate::values::index;

/// More passes than any input of a fuzzer needs.
const PASSES_MAX: usize = 1_000_000;

/// A seed for the cuts, then a client's whole stream.
///
/// # Panics
///
/// When the endpoint breaks its contract.
pub fn handshake(data: &[u8]) {
    let Some((&seed, stream)) = data.split_first() else { return };
    compare(seed, stream);
}

/// A seed for the cuts, then what a client sends behind a good handshake.
///
/// # Panics
///
/// When the endpoint breaks its contract.
pub fn frames(data: &[u8]) {
    let Some((&seed, stream)) = data.split_first() else { return };
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 10_000,
        session: SessionId::NONE,
        password: None,
        read_only: Some(false),
    };
    let mut whole = frame(&request.to_vec());
    whole.extend(stream);
    compare(seed, &whole);
}

/// `body` behind its length.
pub(super) fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body].concat()
}

fn compare(seed: u8, stream: &[u8]) {
    let whole = Line::new().run([stream]);
    let bytes = Line::new().run(stream.chunks(1));
    assert_eq!(whole, bytes, "byte by byte");
    let mut rng = Rng::new(seed.into());
    let mut rest = stream;
    let parts = std::iter::from_fn(|| {
        let part;
        (part, rest) = rest.split_at_checked(1 + index(&mut rng, rest.len().min(64)))?;
        Some(part)
    });
    assert_eq!(whole, Line::new().run(parts), "in parts");
}

/// What one connection saw, and how it ended.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    sent: Vec<u8>,
    events: Vec<Event>,
    reason: CloseReason,
}

/// One connection of an endpoint whose backend gives canned answers.
#[derive(Debug)]
struct Line {
    endpoint: Endpoint,
    conn: ConnId,
    now: Instant,
    zxid: Zxid,
    sent: Vec<u8>,
    events: Vec<Event>,
    is_closed: bool,
}

impl Line {
    fn new() -> Self {
        let mut config = Config::default();
        config.commands = CommandWhitelist::all();
        config.frame_length_max = 1 << 14;
        config.super_digest =
            Some(zookeeper_core::Secret("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()));
        let now = Instant::from_millis(1);
        let mut endpoint = Endpoint::new(Arc::new(config), now, 1);
        let conn = endpoint
            .handle_accept(now, ([127, 0, 0, 1], 1).into())
            .expect("the first connection is within every limit");
        let (sent, events) = (vec![], vec![]);
        Self { endpoint, conn, now, zxid: Zxid::ZERO, sent, events, is_closed: false }
    }

    fn run<'a>(mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
        for part in parts {
            self.endpoint.handle_input(self.now, self.conn, part);
            self.drain();
        }
        self.endpoint.handle_eof(self.now, self.conn, Disconnect::End);
        self.drain();
        self.endpoint.shutdown(self.now);
        self.drain();
        while let Some(at) = self.endpoint.poll_timeout()
            && !self.is_closed
        {
            self.now = at.max(self.now);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        assert!(self.is_closed, "the connection ends");
        assert!(self.endpoint.is_drained());
        let closed = |event: &Event| matches!(event, Event::ConnectionClosed { .. });
        assert_eq!(self.events.iter().filter(|event| closed(event)).count(), 1);
        let Some(Event::ConnectionClosed { reason, .. }) =
            self.events.pop_if(|event| closed(event))
        else {
            panic!("something happened to a connection that had ended: {:?}", self.events);
        };
        Outcome { sent: self.sent, events: self.events, reason }
    }

    fn drain(&mut self) {
        for _ in 0..PASSES_MAX {
            if !self.drain_events() && !self.drain_requests() && !self.drain_actions() {
                self.endpoint.check_invariants();
                return;
            }
        }
        panic!("the endpoint does not come to rest");
    }

    fn drain_events(&mut self) -> bool {
        let Some(event) = self.endpoint.poll_event() else { return false };
        let now = self.now;
        match &event {
            Event::Connect { conn, request } => self.connect(*conn, request),
            Event::Expired { session } => self.endpoint.end_session(now, *session, Zxid::ZERO),
            Event::Command { conn, command } => {
                self.endpoint.answer_command(now, *conn, command.name().into());
            }
            _ => {}
        }
        self.events.push(event);
        true
    }

    /// New clients are welcome; of those that resume, it depends on what they claim.
    fn connect(&mut self, conn: ConnId, request: &Connect) {
        let refusal = match request.session.0 & 3 {
            _ if request.session == SessionId::NONE => None,
            0 => Some(Refusal::Expired { hold: Zxid::ZERO }),
            1 => Some(Refusal::ClientAhead),
            2 => Some(Refusal::Busy),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return self.endpoint.refuse_session(self.now, conn, refusal);
        }
        let grant = Grant {
            session: SessionId(request.session.0.max(1)),
            password: [7; 16],
            timeout: request.timeout,
            read_only: false,
            hold: Zxid::ZERO,
        };
        self.endpoint.accept_session(self.now, conn, grant);
    }

    fn drain_requests(&mut self) -> bool {
        let Some(Incoming { id, xid, caller, request }) = self.endpoint.poll_request() else {
            return false;
        };
        let (op, session) = (request.op(), caller.session);
        let error = if xid.0 % 3 == 0 { ErrorCode::NO_NODE } else { ErrorCode::OK };
        let zxid = op.is_write().then(|| {
            self.zxid = self.zxid.next();
            self.zxid
        });
        let body = if error.is_ok() { Response::Path(Some("/a".into())) } else { Response::Empty };
        let reply = Reply { zxid, error, body, hold: Zxid::ZERO };
        self.endpoint.reply(self.now, id, reply);
        if op == Op::CloseSession {
            self.endpoint.end_session(self.now, session, Zxid::ZERO);
        }
        true
    }

    fn drain_actions(&mut self) -> bool {
        let Some(action) = self.endpoint.poll_action() else { return false };
        match action {
            Action::Close(conn) => {
                assert!(conn == self.conn && !self.is_closed, "{conn} closes once");
                self.is_closed = true;
            }
            Action::Transmit(conn) => {
                assert!(!self.is_closed);
                while let Some(mut transmit) = self.endpoint.poll_transmit(conn) {
                    let chunk = transmit.chunk();
                    assert!(!chunk.is_empty());
                    self.sent.extend(chunk);
                    let length = chunk.len();
                    transmit.advance(length);
                }
            }
            _ => {}
        }
        true
    }
}

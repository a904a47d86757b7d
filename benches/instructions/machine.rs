//! A server in memory and the least a driver does: bytes in, actions done, bytes out.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Buf;
use zookeeper_core::{
    ConnId, Instant, SessionId, Zxid,
    server::{Action, Config, Recovered, Server},
    wire::{
        Blob, ConnectRequest, Encode, ErrorCode, PASSWORD_LENGTH, ReplyHeader, Request,
        RequestHeader, Xid,
    },
};

/// Virtual time between two turns of the driver.
const TURN_US: u64 = 10;

/// Connections come from as many addresses as there is room for in one.
const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A server and its driver.
pub(crate) struct Machine {
    server: Server,
    now: Instant,
    /// What went out to each connection, while anybody wants to know.
    pub(crate) kept: Option<Vec<(ConnId, Vec<u8>)>>,
}

impl Machine {
    pub(crate) fn new(mut config: Config) -> Self {
        config.endpoint.connections_per_address_max = 0;
        let now = Instant::ZERO;
        let mut server = Server::new(Arc::new(config), now, 1, Recovered::empty());
        server.handle_wall_clock(now, 1_800_000_000_000);
        Self { server, now, kept: None }
    }

    /// A connection that has sent nothing.
    pub(crate) fn accept(&mut self) -> ConnId {
        self.server
            .handle_accept(self.now, SocketAddr::from((CLIENTS, 40_000)))
            .expect("no limit is set")
    }

    /// A connection with a session.
    pub(crate) fn connect(&mut self) -> ConnId {
        let conn = self.accept();
        self.turn(conn, &connect_frame());
        conn
    }

    /// Sends one request while the scene is set; it must succeed.
    pub(crate) fn ask(&mut self, conn: ConnId, request: &Request<'_>) {
        let before = self.kept.replace(Vec::new());
        self.turn(conn, &frame(Xid(1), request));
        let replies = self.replies(conn);
        assert_eq!(replies, [ErrorCode::OK], "{request:?}");
        self.kept = before;
    }

    /// One turn of a driver for which one socket was readable.
    pub(crate) fn turn(&mut self, conn: ConnId, bytes: &[u8]) {
        self.now = Instant::from_micros(self.now.as_micros() + TURN_US);
        self.server.handle_input(self.now, conn, bytes);
        loop {
            while let Some(event) = self.server.poll_event() {
                drop(event);
            }
            match self.server.poll_action() {
                Some(Action::Transmit(conn)) => self.transmit(conn),
                Some(Action::Store { lane, ticket, op }) => {
                    drop(op);
                    self.server.handle_stored(self.now, lane, ticket);
                }
                Some(Action::Read(_) | Action::Close(_)) => {}
                // A driver of any version has to know them all.
                Some(other) => panic!("unknown action {other:?}"),
                None => break,
            }
        }
        assert!(self.server.poll_timeout().is_some_and(|at| at > self.now), "work was left");
    }

    /// The error codes of the replies kept for a connection, notifications left out.
    pub(crate) fn replies(&self, conn: ConnId) -> Vec<ErrorCode> {
        let mut replies = Vec::new();
        let kept = self.kept.iter().flatten().filter(|(to, _)| *to == conn);
        let stream: Vec<u8> = kept.flat_map(|(_, bytes)| bytes).copied().collect();
        let mut rest = &stream[..];
        while let Some((length, behind)) = rest.split_first_chunk() {
            let (body, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
            rest = behind;
            let header: ReplyHeader = zookeeper_core::wire::Reader::new(body).read().expect("long");
            if header.xid != Xid::NOTIFICATION {
                replies.push(header.error);
            }
        }
        replies
    }

    /// The newest transaction.
    pub(crate) const fn applied(&self) -> Zxid {
        self.server.applied()
    }

    /// Connections that are open or closing.
    pub(crate) fn connection_count(&self) -> usize {
        self.server.connection_count()
    }

    fn transmit(&mut self, conn: ConnId) {
        while let Some(mut transmit) = self.server.poll_transmit(conn) {
            let count = transmit.chunk().len();
            if let Some(kept) = &mut self.kept {
                kept.push((conn, transmit.chunk().to_vec()));
            }
            transmit.advance(count);
        }
    }
}

/// What asks for a new session.
pub(crate) fn connect_frame() -> Vec<u8> {
    with_length(
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 30_000,
            session: SessionId::NONE,
            password: Some(Blob::from(&[0; PASSWORD_LENGTH][..])),
            read_only: Some(false),
        }
        .to_vec(),
    )
}

/// A request as it is sent.
pub(crate) fn frame(xid: Xid, request: &Request<'_>) -> Vec<u8> {
    let mut body = RequestHeader { xid, op: request.op().code() }.to_vec();
    request.encode(&mut body);
    with_length(body)
}

/// A frame of this body.
pub(crate) fn with_length(body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    [&length.to_be_bytes()[..], &body].concat()
}

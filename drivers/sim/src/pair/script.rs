//! What a test lets a client do.

use std::{net::SocketAddr, time::Duration};

use zookeeper_core::{
    Disconnect, SessionId, Zxid,
    wire::{Blob, Command, ConnectRequest, Encode, Op, Request, RequestHeader, Xid},
};

use super::{
    answer::{Answer, Handshake, Message},
    store::Store,
    world::{ClientId, World},
};

/// What an ordinary client says first.
pub(super) const HELLO: ConnectRequest<'static> = ConnectRequest {
    protocol_version: 0,
    last_zxid_seen: Zxid::ZERO,
    timeout_ms: 10_000,
    session: SessionId::NONE,
    password: Some(Blob::Slice(&[0; 16])),
    read_only: Some(false),
};

impl<S: Store> World<S> {
    /// A client connects, from the usual address.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    #[track_caller]
    pub fn open(&mut self) -> ClientId {
        let port = u16::try_from(self.clients.len() % 60_000).unwrap_or(0) + 1_024;
        self.open_from(SocketAddr::from(([127, 0, 0, 1], port))).expect("one more is welcome")
    }

    /// A client connects and gets a session of 10 s.
    ///
    /// # Panics
    ///
    /// When it gets none.
    #[track_caller]
    pub fn start(&mut self) -> ClientId {
        let client = self.open();
        let handshake = self.shake_hands(client, &HELLO);
        assert!(handshake.is_some_and(|handshake| handshake.is_granted()), "a session");
        client
    }

    /// A client connects and comes back to the session of another one.
    #[track_caller]
    pub fn resume(&mut self, other: ClientId) -> ClientId {
        let (session, password) = (self.client(other).session(), self.client(other).password());
        let last_zxid_seen = self.client(other).last_zxid();
        let client = self.open();
        let password = Some(Blob::Slice(&password));
        self.shake_hands(client, &ConnectRequest { session, password, last_zxid_seen, ..HELLO });
        client
    }

    /// A client sends a ConnectRequest and waits; `None` when no answer comes.
    pub fn shake_hands(
        &mut self,
        client: ClientId,
        request: &ConnectRequest<'_>,
    ) -> Option<Handshake> {
        self.send_frame(client, &request.to_vec());
        self.settle();
        self.client(client).handshake().cloned()
    }

    /// A client sends a request and does not wait.
    pub fn send(&mut self, client: ClientId, request: &Request<'_>) -> Xid {
        let xid = self.clients[client.0].next_xid();
        self.send_as(client, xid, request.op(), &request.to_vec());
        xid
    }

    /// A client sends a request's record and does not wait.
    pub fn send_record(&mut self, client: ClientId, op: Op, record: &[u8]) -> Xid {
        let xid = self.clients[client.0].next_xid();
        self.send_as(client, xid, op, record);
        xid
    }

    /// A client sends a request of any xid.
    pub fn send_as(&mut self, client: ClientId, xid: Xid, op: Op, record: &[u8]) {
        self.send_code(client, xid, op.code(), record);
    }

    /// A client sends a request of any operation code.
    pub fn send_code(&mut self, client: ClientId, xid: Xid, op: i32, record: &[u8]) {
        let header = RequestHeader { xid, op };
        self.clients[client.0].ask(header);
        self.send_frame(client, &[&header.to_vec(), record].concat());
    }

    /// A client sends a frame.
    pub fn send_frame(&mut self, client: ClientId, body: &[u8]) {
        let length = u32::try_from(body.len()).expect("a frame has a length");
        self.send_bytes(client, &[&length.to_be_bytes(), body].concat());
    }

    /// A client sends a four-letter word.
    pub fn send_command(&mut self, client: ClientId, command: Command) {
        self.send_bytes(client, &command.to_bytes());
    }

    /// A client sends any bytes.
    pub fn send_bytes(&mut self, client: ClientId, bytes: &[u8]) {
        self.clients[client.0].send(bytes);
        let link = &mut self.links[client.0];
        if link.is_closed || link.is_half_closed || link.to_server.is_ending() {
            return;
        }
        link.unsent.extend(bytes);
        link.fill();
        self.edge(client);
    }

    /// A client sends a request and waits for the answer.
    ///
    /// # Panics
    ///
    /// When none comes.
    #[track_caller]
    pub fn call(&mut self, client: ClientId, request: &Request<'_>) -> Answer {
        let xid = self.send(client, request);
        self.settle();
        self.answer(client, xid).unwrap_or_else(|| {
            panic!("no answer to {:?}; the connection: {:?}", request.op(), self.end(client))
        })
    }

    /// The answer to a request, if it came.
    #[must_use]
    pub fn answer(&self, client: ClientId, xid: Xid) -> Option<Answer> {
        self.client(client).messages().iter().find_map(|message| match message {
            Message::Answer(answer) if answer.xid == xid => Some(answer.clone()),
            _ => None,
        })
    }

    /// A client pings and hears of it.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn ping(&mut self, client: ClientId) {
        self.send_as(client, Xid::PING, Op::Ping, &[]);
        self.settle();
        assert_eq!(self.client(client).unanswered(), 0, "a ping is answered");
    }

    /// Time passes, and these clients ping every second.
    pub fn advance_pinging(&mut self, time: Duration, clients: &[ClientId]) {
        let until = self.now + time;
        while self.now < until {
            for &client in clients {
                self.ping(client);
            }
            let left = until.saturating_duration_since(self.now);
            self.advance(left.min(Duration::from_secs(1)));
        }
    }

    /// A client takes nothing more out of its socket.
    pub fn stop_reading(&mut self, client: ClientId) {
        self.clients[client.0].is_reading = false;
    }

    /// A client goes on reading.
    pub fn resume_reading(&mut self, client: ClientId) {
        self.clients[client.0].is_reading = true;
    }

    /// A client's socket holds this many bytes from now on.
    pub fn set_socket_buffer(&mut self, client: ClientId, capacity: usize) {
        self.links[client.0].to_client.set_capacity(capacity);
    }

    /// A client ends its side, behind what it sent; it still reads.
    pub fn half_close(&mut self, client: ClientId) {
        let link = &mut self.links[client.0];
        link.is_half_closed = true;
        link.fill();
        self.edge(client);
    }

    /// A client's connection is lost: what is under way is lost too.
    pub fn reset(&mut self, client: ClientId) {
        let link = &mut self.links[client.0];
        link.unsent.clear();
        link.to_server.end(Disconnect::Reset);
        link.to_client.end(Disconnect::Reset);
        self.edge(client);
    }
}

impl World {
    /// An ordinary ConnectRequest, to change.
    #[must_use]
    pub const fn hello() -> ConnectRequest<'static> {
        HELLO
    }
}

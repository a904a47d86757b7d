//! A server on a real socket that does what a test tells it, right or wrong.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use zookeeper_core::wire::{
    Blob, ConnectRequest, ConnectResponse, Encode, ErrorCode, Op, Reader, ReplyHeader,
    RequestHeader, Stat, WatcherEvent, Xid,
};
use zookeeper_core::{SessionId, Zxid};

use crate::client::PATIENCE;
use crate::deadline::Deadline;

/// The session time-out that a handshake is answered with, in milliseconds.
const TIMEOUT_MS: i32 = 20_000;
const PASSWORD: [u8; 16] = [7; 16];

/// A listening socket.
#[derive(Debug)]
pub struct Scripted {
    listener: TcpListener,
    address: SocketAddr,
}

impl Scripted {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection.
    ///
    /// # Panics
    ///
    /// If nobody connects.
    #[must_use]
    pub fn accept(&self) -> ScriptedConnection {
        let accepted =
            Deadline::after(PATIENCE).poll("a client", || match self.listener.accept() {
                Ok((stream, _)) => Ok(Some(stream)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error),
            });
        let stream = accepted.expect("somebody connects");
        stream.set_nonblocking(false).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        ScriptedConnection { stream }
    }

    /// The next connection, after its handshake; a client without a session gets `new`.
    ///
    /// # Panics
    ///
    /// If nobody connects, or not as a client does.
    #[must_use]
    pub fn accept_session(&self, new: SessionId) -> ScriptedConnection {
        let mut connection = self.accept();
        let asked = connection.handshake();
        connection.grant(if asked == SessionId::NONE { new } else { asked });
        connection
    }
}

/// One connection of a client. Everything here panics when the client does something else.
#[derive(Debug)]
pub struct ScriptedConnection {
    stream: TcpStream,
}

#[expect(clippy::missing_panics_doc, reason = "as the type says")]
impl ScriptedConnection {
    /// The first frame; the session it asks for.
    pub fn handshake(&mut self) -> SessionId {
        let frame = self.frame().expect("a client begins");
        let request: ConnectRequest<'_> = Reader::new(&frame).read().expect("a handshake");
        if request.session != SessionId::NONE {
            let password = request.password.expect("a password");
            assert_eq!(password[..], PASSWORD, "what it was given");
        }
        request.session
    }

    /// Answers the handshake.
    pub fn grant(&mut self, session: SessionId) {
        self.answer_handshake(session, TIMEOUT_MS);
    }

    /// Answers the handshake: the session has expired.
    pub fn refuse(&mut self) {
        self.answer_handshake(SessionId::NONE, 0);
    }

    fn answer_handshake(&mut self, session: SessionId, timeout_ms: i32) {
        self.send_frame(&ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session,
            password: Some(Blob::from(&PASSWORD[..])),
            read_only: Some(false),
        });
    }

    /// The next request that is not a ping.
    pub fn request(&mut self) -> RequestHeader {
        loop {
            let frame = self.frame().expect("a client that stays");
            let header: RequestHeader = Reader::new(&frame).read().expect("a header");
            if header.op != Op::Ping.code() {
                return header;
            }
            self.reply(Xid::PING, 0, ErrorCode::OK, &[]);
        }
    }

    /// Answers a request; the record stands behind the header.
    pub fn reply(&mut self, xid: Xid, zxid: i64, error: ErrorCode, record: &[u8]) {
        let mut body = ReplyHeader { xid, zxid: Zxid(zxid), error }.to_vec();
        body.extend_from_slice(record);
        self.send_frame_of(&body);
    }

    /// Answers the next request, which has to be `exists`, with a stat of this version.
    pub fn answer_exists(&mut self, zxid: i64, version: i32) {
        let header = self.request();
        assert_eq!(header.op, Op::Exists.code());
        let stat = Stat { version, ..Stat::default() };
        self.reply(header.xid, zxid, ErrorCode::OK, &stat.to_array());
    }

    /// Tells of a change.
    pub fn notify(&mut self, kind: i32, state: i32, path: Option<&str>) {
        let event = WatcherEvent { kind, state, path: path.map(Into::into) };
        self.reply(Xid::NOTIFICATION, -1, ErrorCode::OK, &event.to_vec());
    }

    /// Sends bytes as they are. The client may be gone already.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads until the client closes.
    pub fn wait_for_end(&mut self) {
        while self.frame().is_ok() {}
    }

    fn send_frame(&mut self, record: &impl Encode) {
        self.send_frame_of(&record.to_vec());
    }

    fn send_frame_of(&mut self, body: &[u8]) {
        let length = i32::try_from(body.len()).expect("a short frame");
        self.send(&[&length.to_be_bytes()[..], body].concat());
    }

    fn frame(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).expect("a wide machine");
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }
}

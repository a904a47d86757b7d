//! A client of plain blocking sockets, which trusts nothing but deadlines.
#![allow(dead_code, reason = "no test needs all of it")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use socket2::SockRef;
use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        AclEntry, Blob, ConnectRequest, ConnectResponse, CreateRequest, Encode, ErrorCode, List,
        Op, PathRequest, ReadRequest, Reader, ReplyHeader, Request, RequestHeader, Response, Text,
        Xid, perms,
    },
};

use super::{Config, Running, Server};

/// Only a server that hangs takes this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A free port on this machine, and as many connections as it takes.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    let endpoint = &mut config.server.endpoint;
    endpoint.connections_per_address_max = 0;
    // No deadline of the server's may hide that it does not notice something.
    endpoint.session_timeout_max = Some(10 * DEADLINE);
    endpoint.handshake_timeout = Some(10 * DEADLINE);
    endpoint.linger = 10 * DEADLINE;
    config
}

pub(crate) fn start() -> Running {
    Server::spawn(config()).expect("a free port")
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    xid: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::from_stream(TcpStream::connect(address).expect("the server listens"))
    }

    pub(crate) fn from_stream(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, xid: 0 }
    }

    /// A client with a session.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.send(&connect_frame());
        let (timeout_ms, ..) = client.connected();
        assert!(timeout_ms > 0);
        client
    }

    /// A client with a session that another one had; `None` if there is no such session any more.
    pub(crate) fn resume(address: SocketAddr, session: SessionId, password: &[u8]) -> Option<Self> {
        let mut client = Self::connect(address);
        client.send(&resume_frame(session, password));
        let (timeout_ms, ..) = client.connected();
        (timeout_ms > 0).then_some(client)
    }

    /// Makes the end of this client a reset.
    pub(crate) fn reset_on_drop(&self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket");
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("the server answers");
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).expect("the server answers in full");
        frame
    }

    /// Time-out, session and password of the handshake's answer.
    pub(crate) fn connected(&mut self) -> (i32, SessionId, Vec<u8>) {
        let frame = self.frame();
        let response: ConnectResponse<'_> = Reader::new(&frame).read().expect("a ConnectResponse");
        let password = response.password.map(|password| password[..].to_vec()).unwrap_or_default();
        (response.timeout_ms, response.session, password)
    }

    pub(crate) fn submit(&mut self, request: &Request<'_>) {
        self.xid += 1;
        self.send(&frame(self.xid, request));
    }

    /// The next reply, which must be a good one; the record is handed on.
    pub(crate) fn reply<T>(&mut self, op: Op, look: impl FnOnce(Response<'_>) -> T) -> T {
        let frame = self.frame();
        let mut reader = Reader::new(&frame);
        let header: ReplyHeader = reader.read().expect("a header");
        assert_eq!(header.error, ErrorCode::OK);
        look(Response::decode(op, &mut reader).expect("a record"))
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8]) {
        self.submit_create(path, data, 0);
        self.reply(Op::Create, |_| ());
    }

    pub(crate) fn submit_create(&mut self, path: &str, data: &[u8], flags: i32) {
        self.xid += 1;
        self.send(&create_frame(self.xid, path, data, flags));
    }

    /// Whether there is a znode.
    pub(crate) fn exists(&mut self, path: &str) -> bool {
        self.submit(&Request::Exists(ReadRequest { path: Some(path.into()), watch: false }));
        let frame = self.frame();
        let header: ReplyHeader = Reader::new(&frame).read().expect("a header");
        assert!([ErrorCode::OK, ErrorCode::NO_NODE].contains(&header.error), "{header:?}");
        header.error == ErrorCode::OK
    }

    pub(crate) fn submit_read(&mut self, path: &str) {
        self.submit(&get_data(path));
    }

    /// The data of the next `getData` reply.
    pub(crate) fn data(&mut self) -> Vec<u8> {
        self.reply(Op::GetData, |response| match response {
            Response::Data { data: Some(data), .. } => data[..].to_vec(),
            other => panic!("{other:?}"),
        })
    }

    pub(crate) fn ping(&mut self) {
        self.send(&ping_frame());
        let frame = self.frame();
        let header: ReplyHeader = Reader::new(&frame).read().expect("a header");
        assert_eq!((header.xid, header.error), (Xid::PING, ErrorCode::OK));
    }

    /// Everything until the server closes, which it must do without a reset.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("a clean end");
        rest
    }

    /// Everything until the server closes, in whatever way.
    pub(crate) fn rest_of_any_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
        }
        rest
    }

    /// Waits for the server to close, in whatever way.
    pub(crate) fn wait_for_end(&mut self) {
        self.rest_of_any_end();
    }
}

/// The answer to a four-letter word.
pub(crate) fn ask(address: SocketAddr, command: &[u8]) -> String {
    let mut client = Client::connect(address);
    client.send(command);
    String::from_utf8(client.rest()).expect("text")
}

/// Asks until the server has this many connections, the asking one not counted.
pub(crate) fn wait_for_connections(address: SocketAddr, count: usize) {
    let line = format!("Connections: {}\n", count + 1);
    let start = std::time::Instant::now();
    while !ask(address, b"srvr").contains(&line) {
        assert!(start.elapsed() < DEADLINE, "never had {count} connections");
    }
}

pub(crate) fn connect_frame() -> Vec<u8> {
    resume_frame(SessionId::NONE, &[0; 16])
}

pub(crate) fn resume_frame(session: SessionId, password: &[u8]) -> Vec<u8> {
    framed(&ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: i32::MAX,
        session,
        password: Some(Blob::from(password)),
        read_only: Some(false),
    })
}

pub(crate) fn ping_frame() -> Vec<u8> {
    framed(&RequestHeader { xid: Xid::PING, op: Op::Ping.code() })
}

pub(crate) fn frame(xid: i32, request: &Request<'_>) -> Vec<u8> {
    let mut body = RequestHeader { xid: Xid(xid), op: request.op().code() }.to_vec();
    request.encode(&mut body);
    with_length(body)
}

/// A create with these flags; everybody may do everything with the znode.
pub(crate) fn create_frame(xid: i32, path: &str, data: &[u8], flags: i32) -> Vec<u8> {
    let acl = [AclEntry {
        perms: perms::ALL,
        scheme: Some(Text::from("world")),
        id: Some(Text::from("anyone")),
    }];
    let request = Request::Create(CreateRequest {
        path: Some(path.into()),
        data: Some(Blob::from(data)),
        acl: Some(List::new(&acl)),
        flags,
    });
    frame(xid, &request)
}

pub(crate) fn get_data(path: &str) -> Request<'_> {
    Request::GetData(ReadRequest { path: Some(path.into()), watch: false })
}

pub(crate) fn sync(path: &str) -> Request<'_> {
    Request::Sync(PathRequest { path: Some(path.into()) })
}

fn framed(record: &impl Encode) -> Vec<u8> {
    with_length(record.to_vec())
}

fn with_length(mut body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    body.splice(..0, length.to_be_bytes());
    body
}

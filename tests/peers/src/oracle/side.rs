//! One server and the clients' connections to it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use zookeeper_core::SessionId;
use zookeeper_core::wire::{Blob, ConnectRequest, ConnectResponse, Encode, Reader};

use super::script::{Connect, Frame, LastZxid, Password, SessionName, SessionRef, Slot, length_of};
use super::zxids::Zxids;

/// How long a server may take for one answer; a JVM on a busy machine can pause for seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// An id that no server gives out.
const UNKNOWN_SESSION: i64 = 0x0666_0666_0666_0666;

/// What came on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A frame, without its length.
    Frame(Vec<u8>),
    /// The end of the connection.
    Closed,
    /// Nothing, for longer than any server takes.
    Silence,
}

/// One server, its clients and what they know.
#[derive(Debug)]
pub(crate) struct Side {
    /// The server's name, for the report.
    pub(crate) name: &'static str,
    /// Its count of transactions.
    pub(crate) zxids: Zxids,
    address: SocketAddr,
    links: Vec<Option<Link>>,
    sessions: BTreeMap<SessionName, Credentials>,
}

#[derive(Clone, Debug)]
struct Credentials {
    id: i64,
    password: Vec<u8>,
}

#[derive(Debug)]
struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Side {
    /// A server without clients.
    #[must_use]
    pub(crate) fn new(name: &'static str, address: SocketAddr, slots: usize) -> Self {
        let links = (0..slots).map(|_| None).collect();
        Self { name, address, links, sessions: BTreeMap::new(), zxids: Zxids::default() }
    }

    /// Whether the client has a connection.
    #[must_use]
    pub(crate) fn is_linked(&self, slot: Slot) -> bool {
        self.links[slot].is_some()
    }

    /// Whether the session was granted.
    #[must_use]
    pub(crate) fn knows(&self, session: SessionName) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Opens a connection for the client and gives back its old one.
    ///
    /// # Errors
    ///
    /// Those of connecting.
    pub(crate) fn open(&mut self, slot: Slot) -> io::Result<Option<OldLink>> {
        let link = Link::open(self.address)?;
        Ok(self.links[slot].replace(link).map(OldLink))
    }

    /// Sends bytes on the client's connection, in two pieces where there is a cut.
    pub(crate) fn send(&mut self, slot: Slot, bytes: &[u8], cut: Option<usize>) {
        let Some(link) = &mut self.links[slot] else { return };
        let (first, second) = bytes.split_at(cut.unwrap_or(0).min(bytes.len()));
        // A connection that the server has closed shows when it is read.
        let _ = link.stream.write_all(first).and_then(|()| link.stream.write_all(second));
    }

    /// Reads the next frame; a connection that ends is gone then.
    pub(crate) fn receive(&mut self, slot: Slot) -> Received {
        let Some(link) = &mut self.links[slot] else { return Received::Closed };
        let received = link.receive();
        if received == Received::Closed {
            self.links[slot] = None;
        }
        received
    }

    /// Reads to the `pings`-th ping reply, or to the end of the connection.
    pub(crate) fn receive_to_ping(&mut self, slot: Slot, pings: usize) -> Vec<Received> {
        let mut all = Vec::new();
        let mut left = pings;
        while left > 0 {
            let received = self.receive(slot);
            match &received {
                Received::Frame(frame) if frame.starts_with(&[0xff, 0xff, 0xff, 0xfe]) => left -= 1,
                Received::Frame(_) => {}
                Received::Closed | Received::Silence => left = 0,
            }
            all.push(received);
        }
        all
    }

    /// Reads to the end of the connection.
    pub(crate) fn receive_to_end(&mut self, slot: Slot) -> Vec<Received> {
        let received = receive_to_end(|| self.receive(slot));
        self.links[slot] = None;
        received
    }

    /// Ends the client's connection and returns when the server has noticed.
    pub(crate) fn hang_up(&mut self, slot: Slot) -> Vec<Received> {
        if let Some(link) = &self.links[slot] {
            let _ = link.stream.shutdown(Shutdown::Write);
        }
        self.receive_to_end(slot)
    }

    /// Sends `bytes` on a connection of their own and reads to its end.
    ///
    /// # Errors
    ///
    /// Those of connecting.
    pub(crate) fn outsider(&self, bytes: &[u8]) -> io::Result<(Vec<u8>, Received)> {
        let mut link = Link::open(self.address)?;
        let _ = link.stream.write_all(bytes);
        while link.fill() {}
        let end = if link.is_silent() { Received::Silence } else { Received::Closed };
        Ok((link.buffer, end))
    }

    /// The bytes of a handshake's frame. `None` if it names a session that was never granted.
    #[must_use]
    pub(crate) fn handshake(&self, connect: &Connect, newest: i64) -> Option<Vec<u8>> {
        let credentials = match connect.session {
            SessionRef::New(_) => Credentials { id: 0, password: vec![0; 16] },
            SessionRef::Known(name) => self.sessions.get(&name)?.clone(),
            SessionRef::Unknown => Credentials { id: UNKNOWN_SESSION, password: vec![0; 16] },
        };
        let mut password = credentials.password;
        match connect.password {
            Password::Wrong => password[0] ^= 1,
            Password::Short => password.truncate(3),
            Password::Empty => password.clear(),
            Password::Right | Password::Null => {}
        }
        let null = connect.password == Password::Null;
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: zookeeper_core::Zxid(match connect.last_zxid {
                LastZxid::Zero => 0,
                LastZxid::Newest => self.zxids.raw(newest),
                LastZxid::Ahead => self.zxids.raw(newest) + 1_000_000,
            }),
            timeout_ms: connect.timeout_ms,
            session: SessionId(credentials.id),
            password: (!null).then_some(Blob::Slice(&password)),
            read_only: connect.read_only,
        };
        let bytes = request.to_vec();
        Some(self.encode(&Frame::raw("", length_of(&bytes), bytes), newest))
    }

    /// The bytes of a frame, its zxid filled in.
    #[must_use]
    pub(crate) fn encode(&self, frame: &Frame, newest: i64) -> Vec<u8> {
        let mut bytes = frame.length.to_vec();
        bytes.extend_from_slice(&frame.bytes);
        if let Some(slot) = frame.zxid {
            let zxid = self.zxids.raw((newest - slot.age).max(0)).to_be_bytes();
            bytes[4 + slot.offset..][..zxid.len()].copy_from_slice(&zxid);
        }
        bytes
    }

    /// Remembers what a handshake granted.
    pub(crate) fn note_grant(&mut self, name: SessionName, frame: &[u8]) {
        let Ok(response) = Reader::new(frame).read::<ConnectResponse<'_>>() else { return };
        if response.session != SessionId::NONE {
            // Not `to_vec`, which would write the length too.
            let password = response.password.map(|blob| Vec::from(&*blob)).unwrap_or_default();
            self.sessions.insert(name, Credentials { id: response.session.0, password });
        }
    }

    /// Takes the zxid at `offset` from the header's for none.
    pub(crate) fn burn(&mut self, received: &Received, offset: Option<i64>) {
        if let (Received::Frame(frame), Some(offset)) = (received, offset) {
            let zxid = frame.get(4..12).and_then(|bytes| bytes.try_into().ok());
            self.zxids.burn(zxid.map_or(0, i64::from_be_bytes) + offset);
        }
    }

    /// A session id as the script knows it.
    #[must_use]
    pub(crate) fn session_name(&self, id: i64) -> String {
        match self.sessions.iter().find(|(_, credentials)| credentials.id == id) {
            _ if id == 0 => "none".to_owned(),
            Some((name, _)) => format!("s{name}"),
            None => "unknown".to_owned(),
        }
    }

    /// Whether this is the password of the session.
    #[must_use]
    pub(crate) fn is_password_of(&self, id: i64, password: &[u8]) -> bool {
        self.sessions.values().any(|known| known.id == id && known.password == password)
    }
}

/// A connection whose place in its slot was taken by a newer one.
#[derive(Debug)]
pub(crate) struct OldLink(Link);

impl OldLink {
    /// Reads to its end.
    pub(crate) fn receive_to_end(mut self) -> Vec<Received> {
        receive_to_end(|| self.0.receive())
    }
}

impl Link {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    fn receive(&mut self) -> Received {
        loop {
            if let Some((length, rest)) = self.buffer.split_first_chunk::<4>() {
                // A reply's length is never negative; if it were, the frame would never end.
                let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
                if rest.len() >= length {
                    let frame = rest[..length].to_vec();
                    self.buffer.drain(..4 + length);
                    return Received::Frame(frame);
                }
            }
            if !self.fill() {
                return if self.is_silent() { Received::Silence } else { Received::Closed };
            }
        }
    }

    /// Reads once; false at the end of the connection and after a long silence.
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                count > 0
            }
            // A reset is an end: which of the two comes depends on what was left unread.
            Err(error) => error.kind() == ErrorKind::Interrupted,
        }
    }

    /// Whether the connection still stands.
    fn is_silent(&self) -> bool {
        let _ = self.stream.set_nonblocking(true);
        let peeked = self.stream.peek(&mut [0]).map_err(|error| error.kind());
        let _ = self.stream.set_nonblocking(false);
        peeked == Err(ErrorKind::WouldBlock)
    }
}

fn receive_to_end(mut receive: impl FnMut() -> Received) -> Vec<Received> {
    let mut all = Vec::new();
    loop {
        all.push(receive());
        if !matches!(all.last(), Some(Received::Frame(_))) {
            return all;
        }
    }
}

//! One socket of a session: the attempt to connect it, its readiness, its unsent output.

use std::{
    fmt,
    future::Future,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    pin::Pin,
    task::{Context, Poll},
};

use async_io::Async;
use bytes::Buf as _;
use zookeeper_core::{ConnId, Disconnect, client::Session};

use super::resolve::Connected;

/// Bytes taken from the session at a time. They are copied, so that no system call is made while
/// the session is locked.
const OUTPUT_MAX: usize = 64 * 1024;

/// An attempt to connect.
type Attempt = Pin<Box<dyn Future<Output = Result<Connected, Disconnect>> + Send>>;

/// A connection that the session asked for.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) conn: ConnId,
    phase: Phase,
    /// The session may have bytes to send.
    has_output: bool,
}

enum Phase {
    Connecting(Attempt),
    Open(Socket),
    /// Its end was told, and its socket is closed.
    Ended,
}

/// What a link brought.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// It is connected.
    Connected(SocketAddr),
    /// So many bytes are in the buffer.
    Input(usize),
    /// It is over.
    Ended(Disconnect),
}

impl Link {
    pub(crate) fn new(
        conn: ConnId,
        attempt: impl Future<Output = Result<Connected, Disconnect>> + Send + 'static,
    ) -> Self {
        Self { conn, phase: Phase::Connecting(Box::pin(attempt)), has_output: false }
    }

    /// What happened, if something did; otherwise the task is woken when something does.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Option<LinkEvent> {
        let event = match &mut self.phase {
            Phase::Connecting(attempt) => match attempt.as_mut().poll(cx) {
                Poll::Pending => return None,
                Poll::Ready(Ok((stream, peer))) => {
                    self.phase = Phase::Open(Socket::new(stream));
                    LinkEvent::Connected(peer)
                }
                Poll::Ready(Err(cause)) => LinkEvent::Ended(cause),
            },
            Phase::Open(socket) => socket.poll(cx, buffer)?,
            Phase::Ended => return None,
        };
        if let LinkEvent::Ended(_) = event {
            self.phase = Phase::Ended;
        }
        Some(event)
    }

    /// The session has bytes to send.
    pub(crate) const fn notice_output(&mut self) {
        self.has_output = true;
    }

    /// Whether [`Link::take_output`] would take something.
    pub(crate) fn has_room(&self) -> bool {
        self.has_output && matches!(&self.phase, Phase::Open(socket) if socket.has_room())
    }

    /// Takes bytes from the session. Whether there were any.
    pub(crate) fn take_output(&mut self, session: &mut Session) -> bool {
        let Phase::Open(socket) = &mut self.phase else { return false };
        if !self.has_output || !socket.has_room() {
            return false;
        }
        while let Some(mut transmit) = session.poll_transmit(self.conn) {
            let free = OUTPUT_MAX - socket.output.len();
            let chunk = transmit.chunk();
            let count = chunk.len().min(free);
            if count == 0 {
                self.has_output = free == 0;
                return !socket.output.is_empty();
            }
            socket.output.extend_from_slice(&chunk[..count]);
            transmit.advance(count);
        }
        self.has_output = false;
        !socket.output.is_empty()
    }

    /// Writes what was taken.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) {
        if let Phase::Open(socket) = &mut self.phase {
            socket.flush(cx);
        }
    }

    /// Whether the session wants this link's input.
    pub(crate) const fn set_wants_read(&mut self, wants_read: bool) {
        if let Phase::Open(socket) = &mut self.phase {
            socket.wants_read = wants_read;
        }
    }
}

struct Socket {
    stream: Async<TcpStream>,
    /// There may be something to read.
    is_readable: bool,
    wants_read: bool,
    output: Vec<u8>,
    /// Bytes of `output` that are written.
    written: usize,
    /// The socket was full.
    is_blocked: bool,
    /// Why nothing can be written any more. What came before may still be read.
    failure: Option<Disconnect>,
}

impl Socket {
    const fn new(stream: Async<TcpStream>) -> Self {
        Self {
            stream,
            is_readable: false,
            wants_read: true,
            output: Vec::new(),
            written: 0,
            is_blocked: false,
            failure: None,
        }
    }

    /// Only when all was written is more taken: then a batch goes out in one piece.
    const fn has_room(&self) -> bool {
        self.output.is_empty() && self.failure.is_none()
    }

    fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Option<LinkEvent> {
        if !self.wants_read {
            return self.failure.map(LinkEvent::Ended);
        }
        loop {
            if !self.is_readable {
                match self.stream.poll_readable(cx) {
                    Poll::Pending => return self.failure.map(LinkEvent::Ended),
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        return Some(LinkEvent::Ended(error.kind().into()));
                    }
                }
            }
            match self.stream.get_ref().read(buffer) {
                Ok(0) => return Some(LinkEvent::Ended(self.failure.unwrap_or(Disconnect::End))),
                Ok(count) => {
                    // A socket that gave less than asked is empty. Its end, should it have come
                    // already, is announced again: the reactor asks for the level.
                    let is_drained = cfg!(any(target_os = "linux", target_os = "android"))
                        && count < buffer.len();
                    self.is_readable = !is_drained;
                    return Some(LinkEvent::Input(count));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.is_readable = false,
                    io::ErrorKind::Interrupted => {}
                    kind => return Some(LinkEvent::Ended(kind.into())),
                },
            }
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        while self.written < self.output.len() {
            if self.is_blocked {
                match self.stream.poll_writable(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(())) => self.is_blocked = false,
                    Poll::Ready(Err(error)) => return self.fail(error.kind()),
                }
            }
            match self.stream.get_ref().write(&self.output[self.written..]) {
                Ok(0) => return self.fail(io::ErrorKind::WriteZero),
                Ok(count) => self.written += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.is_blocked = true,
                    io::ErrorKind::Interrupted => {}
                    kind => return self.fail(kind),
                },
            }
        }
        self.output.clear();
        self.written = 0;
    }

    fn fail(&mut self, kind: io::ErrorKind) {
        self.failure = Some(kind.into());
        self.output = Vec::new();
        self.written = 0;
        // Whatever the peer said last is there already.
        self.is_readable = true;
    }
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting(_) => f.write_str("connecting"),
            Self::Open(socket) => write!(f, "open, {} bytes to write", socket.output.len()),
            Self::Ended => f.write_str("ended"),
        }
    }
}

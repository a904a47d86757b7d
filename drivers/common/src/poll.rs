//! What a driver has to offer: sockets, and a way to wait for them.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, TcpStream},
};

use socket2::SockRef;

/// Waits for sockets.
///
/// A socket that was registered is announced by [`EventLoop::notice`](crate::EventLoop::notice),
/// at least once, when it becomes ready. It need not be announced again before it was used until
/// it would block and the methods here and those of [`Interest`] were told.
pub trait Poll: Interest + fmt::Debug {
    /// A listening socket.
    type Listener: fmt::Debug;

    /// Registers a listening socket that does not block.
    ///
    /// # Errors
    ///
    /// The system's.
    fn listen(&mut self, socket: TcpListener, source: Source) -> io::Result<Self::Listener>;

    /// Accepts one connection, as a socket that does not block. When nobody waits, the next one is
    /// announced.
    ///
    /// # Errors
    ///
    /// The system's; [`io::ErrorKind::WouldBlock`] when nobody waits.
    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<(TcpStream, SocketAddr)>;

    /// Registers a connected socket that does not block, for input alone.
    ///
    /// # Errors
    ///
    /// The system's.
    fn register(&mut self, stream: TcpStream, source: Source) -> io::Result<Self::Stream>;

    /// Announces the socket as `source` from now on, for input alone.
    ///
    /// # Errors
    ///
    /// The system's.
    fn reregister(&mut self, stream: &mut Self::Stream, source: Source) -> io::Result<()>;
}

/// Announces what connected sockets are ready for.
pub trait Interest {
    /// A connected socket.
    type Stream: Stream;

    /// The socket has no more input, as far as is known: more is to be announced.
    ///
    /// # Errors
    ///
    /// The system's.
    fn expect_input(&mut self, stream: &mut Self::Stream) -> io::Result<()>;

    /// The socket is full: room is to be announced.
    ///
    /// # Errors
    ///
    /// The system's.
    fn expect_room(&mut self, stream: &mut Self::Stream) -> io::Result<()>;

    /// Everything is written: nobody looks for room any more, if anybody did.
    ///
    /// # Errors
    ///
    /// The system's.
    fn forget_room(&mut self, stream: &mut Self::Stream) -> io::Result<()>;
}

/// A connected socket that does not block.
pub trait Stream: io::Read + io::Write + fmt::Debug {
    /// The socket itself.
    fn socket(&self) -> SockRef<'_>;
}

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The listener of this index.
    Listener(usize),
    /// The connection in this slot. It may be another one than the event was meant for, which is
    /// harmless: a socket that is not ready says so.
    Connection(usize),
    /// The closing socket of this key; the same holds for it.
    Closing(usize),
}

/// What the system says about a socket. Too much is harmless, except for `is_broken`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of the system's")]
pub struct Readiness {
    /// There may be something to read.
    pub is_readable: bool,
    /// There may be room to write.
    pub is_writable: bool,
    /// The end of input has come, and will not be announced again.
    pub is_read_closed: bool,
    /// The socket is reset, or closed both ways.
    pub is_broken: bool,
}

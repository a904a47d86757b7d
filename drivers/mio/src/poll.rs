//! The sockets of mio, edge triggered.

use std::{
    io::{self, IoSlice, Read, Write},
    net::SocketAddr,
    time::Duration,
};

use mio::{
    Events, Interest, Poll, Registry,
    event::Event,
    net::{TcpListener, TcpStream},
};
use socket2::SockRef;
use zookeeper_common::{Readiness, Source, Stream};

use crate::token::Token;

/// Waits for sockets of mio.
#[derive(Debug)]
pub(crate) struct MioPoll(Poll);

impl MioPoll {
    pub(crate) fn new() -> io::Result<Self> {
        Poll::new().map(Self)
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.0.registry()
    }

    pub(crate) fn wait(&mut self, events: &mut Events, timeout: Duration) -> io::Result<()> {
        self.0.poll(events, Some(timeout))
    }
}

impl zookeeper_common::Poll for MioPoll {
    type Listener = TcpListener;

    fn listen(
        &mut self,
        socket: std::net::TcpListener,
        source: Source,
    ) -> io::Result<Self::Listener> {
        let mut socket = TcpListener::from_std(socket);
        self.registry().register(&mut socket, token(source), Interest::READABLE)?;
        Ok(socket)
    }

    fn accept(
        &mut self,
        listener: &mut Self::Listener,
    ) -> io::Result<(std::net::TcpStream, SocketAddr)> {
        listener.accept().map(|(stream, peer)| (stream.into(), peer))
    }

    fn register(
        &mut self,
        stream: std::net::TcpStream,
        source: Source,
    ) -> io::Result<Self::Stream> {
        let socket = TcpStream::from_std(stream);
        MioStream::register(socket, token(source), Interest::READABLE, self.registry())
    }

    fn reregister(&mut self, stream: &mut Self::Stream, source: Source) -> io::Result<()> {
        stream.token = token(source);
        stream.is_armed = false;
        self.registry().reregister(&mut stream.socket, stream.token, Interest::READABLE)
    }
}

impl zookeeper_common::Interest for MioPoll {
    type Stream = MioStream;

    fn expect_input(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        Edges(self.registry()).expect_input(stream)
    }

    fn expect_room(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        Edges(self.registry()).expect_room(stream)
    }

    fn forget_room(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        Edges(self.registry()).forget_room(stream)
    }
}

/// Announces by the edges of a registry.
#[derive(Debug)]
pub(crate) struct Edges<'a>(pub(crate) &'a Registry);

impl zookeeper_common::Interest for Edges<'_> {
    type Stream = MioStream;

    /// An edge announces it.
    fn expect_input(&mut self, _stream: &mut Self::Stream) -> io::Result<()> {
        Ok(())
    }

    fn expect_room(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        stream.set_write_interest(true, self.0)
    }

    fn forget_room(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        stream.set_write_interest(false, self.0)
    }
}

/// A socket of mio.
#[derive(Debug)]
pub(crate) struct MioStream {
    socket: TcpStream,
    token: mio::Token,
    /// Whether write interest is registered.
    is_armed: bool,
}

impl MioStream {
    /// Registers a socket.
    pub(crate) fn register(
        mut socket: TcpStream,
        token: mio::Token,
        interest: Interest,
        registry: &Registry,
    ) -> io::Result<Self> {
        registry.register(&mut socket, token, interest)?;
        Ok(Self { socket, token, is_armed: interest.is_writable() })
    }

    pub(crate) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The only place that changes the write interest: armed when the socket is full, disarmed when
    /// everything is written.
    fn set_write_interest(&mut self, is_armed: bool, registry: &Registry) -> io::Result<()> {
        if self.is_armed == is_armed {
            return Ok(());
        }
        self.is_armed = is_armed;
        let interest =
            if is_armed { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        registry.reregister(&mut self.socket, self.token, interest)
    }
}

impl Stream for MioStream {
    fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }
}

impl Read for MioStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for MioStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

const fn token(source: Source) -> mio::Token {
    Token::Socket(source).pack()
}

/// What the system says of a socket.
pub(crate) fn readiness(event: &Event) -> Readiness {
    Readiness {
        is_readable: event.is_readable(),
        is_writable: event.is_writable(),
        is_read_closed: event.is_read_closed(),
        is_broken: event.is_error() || event.is_write_closed(),
    }
}

//! The sockets of mio, edge triggered.

use std::{
    io::{self, IoSlice, Read, Write},
    net::SocketAddr,
    time::Duration,
};

use mio::{
    Events, Interest, Poll, Registry,
    net::{TcpListener, TcpStream},
};
use socket2::SockRef;
use zookeeper_common::{Source, Stream};

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

    /// The only place that changes the write interest: armed when the socket is full, disarmed when
    /// everything is written.
    fn set_write_interest(
        &self,
        stream: &mut MioStream,
        source: Source,
        is_armed: bool,
    ) -> io::Result<()> {
        if stream.is_armed == is_armed {
            return Ok(());
        }
        stream.is_armed = is_armed;
        let interest =
            if is_armed { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.registry().reregister(&mut stream.socket, token(source), interest)
    }

    pub(crate) fn wait(&mut self, events: &mut Events, timeout: Duration) -> io::Result<()> {
        self.0.poll(events, Some(timeout))
    }
}

impl zookeeper_common::Poll for MioPoll {
    type Listener = TcpListener;
    type Stream = MioStream;

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
        let mut socket = TcpStream::from_std(stream);
        self.registry().register(&mut socket, token(source), Interest::READABLE)?;
        Ok(MioStream { socket, is_armed: false })
    }

    fn reregister(&mut self, stream: &mut Self::Stream, source: Source) -> io::Result<()> {
        stream.is_armed = false;
        self.registry().reregister(&mut stream.socket, token(source), Interest::READABLE)
    }

    /// An edge announces it.
    fn expect_input(&mut self, _stream: &mut Self::Stream) -> io::Result<()> {
        Ok(())
    }

    fn expect_room(&mut self, stream: &mut Self::Stream, source: Source) -> io::Result<()> {
        self.set_write_interest(stream, source, true)
    }

    fn forget_room(&mut self, stream: &mut Self::Stream, source: Source) -> io::Result<()> {
        self.set_write_interest(stream, source, false)
    }
}

/// A socket of mio.
#[derive(Debug)]
pub(crate) struct MioStream {
    socket: TcpStream,
    /// Whether write interest is registered.
    is_armed: bool,
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

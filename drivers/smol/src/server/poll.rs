//! Sockets of [`async_io`], whose reactor tells each readiness once, on demand.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_io::Async;
use socket2::SockRef;
use zookeeper_common::{Source, Stream};

use super::wakeups::{About, Wakeups};

/// Waits for sockets of [`async_io`].
#[derive(Debug)]
pub(crate) struct AsyncPoll {
    wakeups: Arc<Wakeups>,
}

/// A socket in the reactor, and the waker that says which it is.
#[derive(Debug)]
pub(crate) struct AsyncSocket<T> {
    socket: Async<T>,
    waker: Waker,
}

impl AsyncPoll {
    pub(crate) const fn new(wakeups: Arc<Wakeups>) -> Self {
        Self { wakeups }
    }

    fn waker(&self, source: Source) -> Waker {
        self.wakeups.waker(About::Socket(source))
    }
}

impl zookeeper_common::Poll for AsyncPoll {
    type Listener = AsyncSocket<TcpListener>;

    fn listen(&mut self, socket: TcpListener, source: Source) -> io::Result<Self::Listener> {
        let socket = Async::new_nonblocking(socket)?;
        let listener = AsyncSocket { socket, waker: self.waker(source) };
        listener.expect_input()?;
        Ok(listener)
    }

    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<(TcpStream, SocketAddr)> {
        match listener.socket.get_ref().accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                Ok((stream, peer))
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    listener.expect_input()?;
                }
                Err(error)
            }
        }
    }

    fn register(&mut self, stream: TcpStream, source: Source) -> io::Result<Self::Stream> {
        let socket = Async::new_nonblocking(stream)?;
        let stream = AsyncSocket { socket, waker: self.waker(source) };
        stream.expect_input()?;
        Ok(stream)
    }

    fn reregister(&mut self, stream: &mut Self::Stream, source: Source) -> io::Result<()> {
        stream.waker = self.waker(source);
        stream.expect_input()
    }
}

impl zookeeper_common::Interest for AsyncPoll {
    type Stream = AsyncSocket<TcpStream>;

    fn expect_input(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        stream.expect_input()
    }

    fn expect_room(&mut self, stream: &mut Self::Stream) -> io::Result<()> {
        stream.arm(Async::poll_writable)
    }

    /// The reactor announces room once for each time it was expected, and that was taken note of.
    fn forget_room(&mut self, _stream: &mut Self::Stream) -> io::Result<()> {
        Ok(())
    }
}

/// Nobody will look for what is announced from now on.
impl Drop for AsyncPoll {
    fn drop(&mut self) {
        self.wakeups.end();
    }
}

impl<T> AsyncSocket<T> {
    fn expect_input(&self) -> io::Result<()> {
        self.arm(Async::poll_readable)
    }

    /// Asks the reactor for one announcement. It looks at the socket anew, so nothing that came in
    /// between is missed.
    fn arm(
        &self,
        poll: impl Fn(&Async<T>, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> io::Result<()> {
        let mut context = Context::from_waker(&self.waker);
        // The announcement before is first taken back, at most once.
        while let Poll::Ready(result) = poll(&self.socket, &mut context) {
            result?;
        }
        Ok(())
    }
}

impl Stream for AsyncSocket<TcpStream> {
    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.socket.get_ref())
    }
}

impl Read for AsyncSocket<TcpStream> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.get_ref().read(buffer)
    }
}

impl Write for AsyncSocket<TcpStream> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.get_ref().write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.get_ref().write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

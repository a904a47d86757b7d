//! Accepting connections, and not accepting them while the system has no room.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use zookeeper_core::Instant;

use crate::poll::{Poll, Source};

/// A listening socket and what is known about it.
#[derive(Debug)]
pub(crate) struct Listener<L> {
    socket: L,
    address: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nobody waits; the next one is announced.
    Idle,
    /// Somebody may wait, and is not announced again.
    Pending,
    /// The same, but the system has no room before this time.
    Paused(Instant),
}

/// What accepting brought.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A connection.
    Stream(TcpStream, SocketAddr),
    /// Nothing yet: try again.
    Again,
    /// Nobody waits.
    None,
    /// No room: the listener pauses.
    NoRoom(io::Error),
}

impl<L> Listener<L> {
    pub(crate) fn new(
        socket: TcpListener,
        index: usize,
        poll: &mut impl Poll<Listener = L>,
    ) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let socket = poll.listen(socket, Source::Listener(index))?;
        Ok(Self { socket, address, state: State::Idle })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The system says that somebody waits.
    pub(crate) fn notice(&mut self) {
        if self.state == State::Idle {
            self.state = State::Pending;
        }
    }

    /// There may be room again.
    pub(crate) const fn resume(&mut self) {
        if let State::Paused(_) = self.state {
            self.state = State::Pending;
        }
    }

    /// When to try again without being told: `None` if there is nothing to try.
    pub(crate) const fn timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle => None,
            State::Pending => Some(Instant::ZERO),
            State::Paused(until) => Some(until),
        }
    }

    /// Takes one connection, if it is time to.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        backoff: Duration,
        poll: &mut impl Poll<Listener = L>,
    ) -> Accepted {
        if self.timeout().is_none_or(|at| at > now) {
            return Accepted::None;
        }
        self.state = State::Pending;
        match poll.accept(&mut self.socket) {
            Ok((stream, peer)) => Accepted::Stream(stream, peer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.state = State::Idle;
                Accepted::None
            }
            Err(error) if is_about_one_connection(&error) => Accepted::Again,
            // Too many descriptors, no memory, or something unheard of: it would only fail again.
            Err(error) => {
                self.state = State::Paused(now + backoff);
                Accepted::NoRoom(error)
            }
        }
    }
}

/// Whether the next connection may be better: the peer went away, or its network did.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_peer_is_skipped_and_a_lack_of_room_is_not() {
        for kind in [io::ErrorKind::ConnectionAborted, io::ErrorKind::Interrupted] {
            assert!(is_about_one_connection(&kind.into()), "{kind}");
        }
        for kind in [io::ErrorKind::OutOfMemory, io::ErrorKind::QuotaExceeded] {
            assert!(!is_about_one_connection(&kind.into()), "{kind}");
        }
        #[cfg(unix)]
        for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOBUFS]
        {
            assert!(!is_about_one_connection(&errno.into()), "{errno}");
        }
    }
}

//! One socket: what it is ready for, and what is registered for it.

use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::SocketAddr,
};

use bytes::Buf;
use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use zookeeper_core::Disconnect;

/// Pieces of output given to the system at a time.
const SLICES_MAX: usize = 64;

/// A socket and its readiness, which the system tells only once.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    stream: TcpStream,
    token: Token,
    /// There may be something to read.
    pub(crate) is_readable: bool,
    /// The end of input has come, so that no further edge will.
    is_read_closed: bool,
    /// The socket is broken: reset, or closed both ways.
    pub(crate) is_broken: bool,
    /// The session knows that no more input will come.
    pub(crate) has_ended: bool,
    pub(crate) output: Output,
    /// Whether write interest is registered; written by `set_write_interest` alone.
    is_armed: bool,
    /// The turn in which `written` bytes were written.
    turn: u64,
    written: usize,
}

/// Whether bytes can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    /// As far as is known.
    Open,
    /// The socket was full; write interest is armed, and an event will come.
    Blocked,
    /// The socket has room again, or the turn's share was used up: there is more to write.
    Pending,
    /// Never again.
    Failed,
}

/// What reading brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Blocked,
    /// Nothing ever again.
    Ended(Disconnect),
}

/// What writing brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// Some bytes went.
    Some,
    /// The socket is full.
    Blocked,
    /// The socket is broken.
    Failed,
}

impl Connection {
    /// Takes over a socket that connected by itself and is registered for everything. What was told
    /// of it so far was about connecting: it may be readable, and it may have ended.
    pub(crate) const fn new(stream: TcpStream, peer: SocketAddr, token: Token) -> Self {
        Self {
            peer,
            stream,
            token,
            is_readable: true,
            is_read_closed: true,
            is_broken: false,
            has_ended: false,
            output: Output::Open,
            is_armed: true,
            turn: 0,
            written: 0,
        }
    }

    /// Takes down what the system says.
    pub(crate) fn notice(&mut self, event: &Event) {
        self.is_broken |= event.is_error() || event.is_write_closed();
        self.is_read_closed |= event.is_read_closed() || self.is_broken;
        self.is_readable |= event.is_readable() || self.is_read_closed;
        if (event.is_writable() || self.is_broken) && self.output == Output::Blocked {
            self.output = Output::Pending;
        }
    }

    /// One read.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Input {
        match self.stream.read(buffer) {
            Ok(0) => Input::Ended(Disconnect::End),
            Ok(count) => {
                // A socket that gave less than asked is empty, and an edge announces what comes
                // later; unless the end has come already, which no edge announces again.
                let is_drained = cfg!(any(target_os = "linux", target_os = "android"))
                    && count < buffer.len()
                    && !self.is_read_closed;
                self.is_readable = !is_drained;
                Input::Bytes(count)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    // Otherwise it would have said so.
                    self.is_read_closed = self.is_broken || self.output == Output::Failed;
                    Input::Blocked
                }
                io::ErrorKind::Interrupted => Input::Bytes(0),
                kind => Input::Ended(Disconnect::from(kind)),
            },
        }
    }

    /// One write; takes off `bytes` what the socket took.
    pub(crate) fn write(&mut self, bytes: &mut impl Buf) -> Written {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = bytes.chunks_vectored(&mut slices);
        match self.stream.write_vectored(&slices[..count]) {
            Ok(0) => Written::Failed,
            Ok(count) => {
                bytes.advance(count);
                self.written += count;
                Written::Some
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Written::Blocked,
                io::ErrorKind::Interrupted => Written::Some,
                _ => Written::Failed,
            },
        }
    }

    /// Bytes written in this turn so far.
    pub(crate) const fn written_in(&mut self, turn: u64) -> usize {
        if self.turn != turn {
            self.turn = turn;
            self.written = 0;
        }
        self.written
    }

    /// The only place that changes the write interest: armed when the socket is full, disarmed when
    /// everything is written.
    pub(crate) fn set_write_interest(&mut self, is_armed: bool, poll: &Registry) {
        if self.is_armed == is_armed {
            return;
        }
        self.is_armed = is_armed;
        let interest =
            if is_armed { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        if let Err(error) = poll.reregister(&mut self.stream, self.token, interest) {
            tracing::warn!(peer = %self.peer, %error, "cannot wait for a connection");
            self.fail_output();
        }
    }

    /// The socket takes nothing any more. What came before its end may still be read.
    pub(crate) const fn fail_output(&mut self) {
        self.output = Output::Failed;
        self.is_readable = true;
        self.is_read_closed = true;
    }
}

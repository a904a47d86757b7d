//! One socket: what it is ready for, and what is registered for it.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
};

use bytes::Buf;
use zookeeper_core::{ConnId, Disconnect};

use crate::poll::{Interest, Readiness, Stream};

/// Pieces of output given to the system at a time.
const SLICES_MAX: usize = 64;

/// A socket and its readiness, which the system tells only once.
#[derive(Debug)]
pub struct Connection<S> {
    /// The machine's name for it.
    pub id: ConnId,
    /// The other end's address.
    pub peer: SocketAddr,
    stream: S,
    /// There may be something to read.
    pub is_readable: bool,
    /// The end of input has come, so that no further edge will.
    is_read_closed: bool,
    /// The socket is broken: reset, or closed both ways.
    pub is_broken: bool,
    /// The machine knows that no more input will come.
    pub has_ended: bool,
    /// Whether bytes can be written.
    pub output: Output,
    /// Whether it stands in the queue of those with work.
    pub is_queued: bool,
    /// The turn in which `written` bytes were written.
    turn: u64,
    written: usize,
}

/// Whether bytes can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
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
pub enum Input {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Blocked,
    /// Nothing ever again.
    Ended(Disconnect),
}

/// What writing brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// Some bytes went.
    Some,
    /// The socket is full.
    Blocked,
    /// The socket is broken.
    Failed,
}

impl<S: Stream> Connection<S> {
    /// A socket that is registered.
    pub const fn new(stream: S, peer: SocketAddr, id: ConnId) -> Self {
        Self {
            id,
            peer,
            stream,
            is_readable: false,
            is_read_closed: false,
            is_broken: false,
            has_ended: false,
            output: Output::Open,
            is_queued: false,
            turn: 0,
            written: 0,
        }
    }

    /// What the system told before was about something else, such as connecting: the socket may be
    /// readable, and its input may have ended.
    #[must_use]
    pub fn unknown(self) -> Self {
        Self { is_readable: true, is_read_closed: true, ..self }
    }

    /// Takes down what the system says.
    pub fn notice(&mut self, readiness: Readiness) {
        self.is_broken |= readiness.is_broken;
        self.is_read_closed |= readiness.is_read_closed || self.is_broken;
        self.is_readable |= readiness.is_readable || self.is_read_closed;
        if (readiness.is_writable || self.is_broken) && self.output == Output::Blocked {
            self.output = Output::Pending;
        }
    }

    /// One read.
    pub fn read(&mut self, buffer: &mut [u8], poll: &mut impl Interest<Stream = S>) -> Input {
        match self.stream.read(buffer) {
            Ok(0) => Input::Ended(Disconnect::End),
            Ok(count) => {
                // A socket that gave less than asked is empty, and what comes later is announced;
                // unless the end has come already, which is not announced again.
                let is_drained = cfg!(any(target_os = "linux", target_os = "android"))
                    && count < buffer.len()
                    && !self.is_read_closed;
                if is_drained {
                    self.expect_input(poll);
                }
                Input::Bytes(count)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    // Otherwise the socket would have said so.
                    self.is_read_closed = self.is_broken || self.output == Output::Failed;
                    self.expect_input(poll);
                    Input::Blocked
                }
                io::ErrorKind::Interrupted => Input::Bytes(0),
                kind => Input::Ended(Disconnect::from(kind)),
            },
        }
    }

    /// The socket is empty.
    fn expect_input(&mut self, poll: &mut impl Interest<Stream = S>) {
        self.is_readable = false;
        if let Err(error) = poll.expect_input(&mut self.stream) {
            self.forsake(&error);
        }
    }

    /// One write; takes off `bytes` what the socket took.
    pub fn write(&mut self, bytes: &mut impl Buf) -> Written {
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
    pub const fn written_in(&mut self, turn: u64) -> usize {
        if self.turn != turn {
            self.turn = turn;
            self.written = 0;
        }
        self.written
    }

    /// The socket is full: room is announced.
    pub fn expect_room(&mut self, poll: &mut impl Interest<Stream = S>) {
        self.output = Output::Blocked;
        if let Err(error) = poll.expect_room(&mut self.stream) {
            self.forsake(&error);
        }
    }

    /// Everything is written: room is announced no more.
    pub fn forget_room(&mut self, poll: &mut impl Interest<Stream = S>) {
        if let Err(error) = poll.forget_room(&mut self.stream) {
            self.forsake(&error);
        }
    }

    /// The system does not announce any more what happens to the socket.
    fn forsake(&mut self, error: &io::Error) {
        tracing::warn!(peer = %self.peer, %error, "cannot wait for a connection");
        self.fail_output();
    }

    /// The socket takes nothing any more. What came before its end may still be read.
    pub const fn fail_output(&mut self) {
        self.output = Output::Failed;
        self.is_readable = true;
        self.is_read_closed = true;
    }

    /// The socket without the rest.
    pub fn into_stream(self) -> S {
        self.stream
    }
}

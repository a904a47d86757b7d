//! One direction of a connection: a socket buffer of limited size, and what can happen to it.

use std::collections::VecDeque;

use zookeeper_core::{Disconnect, Rng};

/// How a stream is cut up on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunking {
    /// Everything that is there at once.
    Whole,
    /// Byte by byte.
    Bytes,
    /// Between 1 and this many bytes.
    Random(usize),
}

impl Chunking {
    /// The length of the next piece.
    pub fn next(self, rng: &mut Rng) -> usize {
        match self {
            Self::Whole => usize::MAX,
            Self::Bytes => 1,
            Self::Random(max) => {
                let more = rng.below(u64::try_from(max).unwrap_or(u64::MAX).max(1));
                usize::try_from(more).unwrap_or(0) + 1
            }
        }
    }
}

/// One direction of a connection.
#[derive(Debug)]
pub struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    ended: Option<Disconnect>,
}

impl Pipe {
    /// A pipe that holds `capacity` bytes.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { bytes: VecDeque::new(), capacity, ended: None }
    }

    /// Takes bytes while there is room; says how many.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        if self.ended.is_some() {
            return 0;
        }
        let count = bytes.len().min(self.room());
        self.bytes.extend(&bytes[..count]);
        count
    }

    /// Gives up to `max` bytes.
    pub fn read(&mut self, max: usize) -> Vec<u8> {
        let count = self.bytes.len().min(max);
        self.bytes.drain(..count).collect()
    }

    /// Nothing more is written. Only after a graceful end is the rest still read.
    pub fn end(&mut self, cause: Disconnect) {
        if cause != Disconnect::End {
            self.bytes.clear();
        }
        self.ended.get_or_insert(cause);
    }

    /// How it ended, once everything is read.
    #[must_use]
    pub fn ended(&self) -> Option<Disconnect> {
        self.ended.filter(|_| self.bytes.is_empty())
    }

    /// Whether the writer said that nothing more comes.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.ended.is_some()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }

    /// Changes how many bytes it holds.
    pub const fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pipe_takes_no_more() {
        let mut pipe = Pipe::new(3);
        assert_eq!(pipe.write(b"abcd"), 3);
        assert_eq!(pipe.write(b"d"), 0);
        assert_eq!(pipe.read(2), b"ab");
        assert_eq!(pipe.write(b"de"), 2);
        assert_eq!(pipe.read(usize::MAX), b"cde");
    }

    #[test]
    fn only_a_graceful_end_keeps_what_was_written() {
        let mut pipe = Pipe::new(10);
        pipe.write(b"abc");
        pipe.end(Disconnect::End);
        assert_eq!((pipe.ended(), pipe.write(b"d")), (None, 0));
        assert_eq!(pipe.read(9), b"abc");
        assert_eq!(pipe.ended(), Some(Disconnect::End));

        let mut pipe = Pipe::new(10);
        pipe.write(b"abc");
        pipe.end(Disconnect::Reset);
        assert_eq!(pipe.ended(), Some(Disconnect::Reset));
    }
}

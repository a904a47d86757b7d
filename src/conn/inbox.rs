//! Bytes that came and were not taken as frames yet.
//!
//! ```text
//!            start            first frame's end               bytes.len()
//!   ┌──────────┬────────┬────────┬────────┬──────────────────────┐
//!   │  taken   │ length │  body  │ length │  incomplete tail …   │
//!   └──────────┴────────┴────────┴────────┴──────────────────────┘
//!   start <= bytes.len(); empty means no buffer
//! ```
//!
//! The buffer grows with what was received, never with what a length announces. While frames are
//! taken it is a pooled one; the tail of an incomplete frame waits in a buffer of its own size, so
//! that a peer that announces much and sends little costs little.

use std::mem;

use super::pool::{BUFFER_LENGTH, Pool};
use crate::wire::{FrameError, LENGTH_BYTES, decode_length};

/// An incomplete tail moves out of a buffer that is this many times larger.
const SPARE_FACTOR: usize = 4;

/// Received bytes, from which whole frames are taken in place.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
}

impl Inbox {
    /// Adds what came.
    pub(crate) fn push(&mut self, bytes: &[u8], pool: &mut Pool) {
        if bytes.is_empty() {
            return;
        }
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            self.make_room(pool);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves an incomplete tail to a buffer of its size, if it occupies a much larger one. To be
    /// called when there is no whole frame.
    pub(crate) fn settle(&mut self, pool: &mut Pool) {
        if self.len() == 0 {
            self.clear(pool);
        } else if self.bytes.capacity() / SPARE_FACTOR >= self.len() {
            let tail = self.bytes[self.start..].to_vec();
            self.start = 0;
            pool.give(mem::replace(&mut self.bytes, tail));
        }
    }

    /// What the first frame's length field announces, if it is there and legal.
    pub(crate) fn announced(&self, max: usize) -> Option<usize> {
        decode_length(self.first_four()?, max).ok()
    }

    /// The body of the first frame, if it is whole. [`Inbox::consume`] takes it.
    pub(crate) fn frame(&self, max: usize) -> Result<Option<&[u8]>, FrameError> {
        let rest = &self.bytes[self.start..];
        let Some((&field, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = decode_length(field, max)?;
        Ok(rest.get(..length))
    }

    /// The first bytes, if there are four: a length, or a command.
    pub(crate) fn first_four(&self) -> Option<[u8; LENGTH_BYTES]> {
        self.bytes[self.start..].first_chunk().copied()
    }

    /// Bytes waiting.
    pub(crate) const fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Takes `length` bytes off the front.
    pub(crate) fn consume(&mut self, length: usize, pool: &mut Pool) {
        self.start += length;
        debug_assert!(self.start <= self.bytes.len());
        if self.start >= self.bytes.len() {
            self.clear(pool);
        }
    }

    /// Bytes behind the first four.
    pub(crate) fn after_first_four(&self) -> &[u8] {
        self.bytes[self.start..].get(LENGTH_BYTES..).unwrap_or_default()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        self.start = 0;
        if self.bytes.capacity() > 0 {
            pool.give(mem::take(&mut self.bytes));
        }
    }

    /// Moves what waits to the front, of a pooled buffer if its own is small.
    fn make_room(&mut self, pool: &mut Pool) {
        let start = mem::take(&mut self.start);
        if self.bytes.capacity() < BUFFER_LENGTH {
            let mut buffer = pool.take();
            buffer.extend_from_slice(&self.bytes[start..]);
            pool.give(mem::replace(&mut self.bytes, buffer));
        } else {
            // Once per buffer filled: what was taken meanwhile pays for the move.
            self.bytes.drain(..start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    fn frame(length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, length];
        bytes.extend((0..length).map(|index| index ^ length));
        bytes
    }

    #[test]
    fn any_chunking_gives_the_same_frames() {
        let stream: Vec<u8> = (0..=255).flat_map(frame).collect();
        for step in [1, 2, 3, 7, 64, 1_000, stream.len()] {
            let (mut inbox, mut pool) = (Inbox::default(), Pool::default());
            let mut lengths = 0..=255;
            for bytes in stream.chunks(step) {
                inbox.push(bytes, &mut pool);
                while let Some(body) = inbox.frame(MAX).unwrap() {
                    let length = body.len();
                    assert_eq!(*body, frame(lengths.next().unwrap())[LENGTH_BYTES..]);
                    inbox.consume(LENGTH_BYTES + length, &mut pool);
                }
                inbox.settle(&mut pool);
            }
            assert!(lengths.is_empty());
            assert_eq!(inbox.bytes.capacity(), 0, "an idle connection owns no buffer");
        }
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let (mut inbox, mut pool) = (Inbox::default(), Pool::default());
        inbox.push(&[0, 0xf, 0xff, 0xff], &mut pool);
        assert_eq!(inbox.frame(MAX), Ok(None));
        assert_eq!(inbox.announced(MAX), Some(0xf_ffff));
        inbox.settle(&mut pool);
        assert!(inbox.bytes.capacity() <= 8);
        assert_eq!(inbox.first_four(), Some([0, 0xf, 0xff, 0xff]));
    }

    #[test]
    fn a_bad_length_is_found_when_its_turn_comes() {
        let (mut inbox, mut pool) = (Inbox::default(), Pool::default());
        inbox.push(&frame(2), &mut pool);
        inbox.push(&[0xff; 4], &mut pool);
        assert!(matches!(inbox.frame(MAX), Ok(Some([_, _]))));
        inbox.consume(LENGTH_BYTES + 2, &mut pool);
        assert_eq!(inbox.frame(MAX), Err(FrameError::Negative(-1)));
    }
}

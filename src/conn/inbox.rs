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
//! The buffer grows with what was received, never with what a length announces.

use std::mem;

use super::pool::Pool;
use crate::wire::{FrameError, LENGTH_BYTES, decode_length};

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
        if self.bytes.capacity() == 0 {
            self.bytes = pool.take();
        }
        if self.start > 0 && self.bytes.capacity() - self.bytes.len() < bytes.len() {
            // Rather move the tail than grow: taken bytes are at least as many as were moved
            // before, or the buffer grows by half.
            self.bytes.drain(..mem::take(&mut self.start));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The body of the first frame, if it is whole. [`Inbox::take_frame`] takes it.
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
}

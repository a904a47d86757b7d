//! What the driver writes from.

use std::io::IoSlice;

use bytes::Buf;

use super::{
    outbox::{Chunk, Outbox},
    pool::Pool,
};

/// Bytes waiting for one socket, lent to the driver.
///
/// [`Buf::chunks_vectored`] feeds a vectored write and [`Buf::advance`] says what the socket took;
/// what was not taken stays queued. Only bytes that may leave are shown.
#[derive(Debug)]
#[must_use]
pub struct Transmit<'a> {
    outbox: &'a mut Outbox,
    pool: &'a mut Pool,
}

impl<'a> Transmit<'a> {
    pub(super) const fn new(outbox: &'a mut Outbox, pool: &'a mut Pool) -> Self {
        Self { outbox, pool }
    }
}

impl Buf for Transmit<'_> {
    fn remaining(&self) -> usize {
        self.outbox.sendable()
    }

    fn chunk(&self) -> &[u8] {
        let Some(first) = self.outbox.chunks.front() else { return &[] };
        let bytes = &first.as_slice()[self.outbox.head..];
        &bytes[..bytes.len().min(self.remaining())]
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut left = self.remaining();
        let mut head = self.outbox.head;
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.outbox.chunks) {
            if left == 0 {
                break;
            }
            let bytes = &chunk.as_slice()[head..];
            let bytes = &bytes[..bytes.len().min(left)];
            head = 0;
            left -= bytes.len();
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    /// Takes `count` bytes off the front.
    ///
    /// # Panics
    ///
    /// When there are fewer.
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining(), "cannot advance past what may be sent");
        self.outbox.sent += count as u64;
        while let Some(first) = self.outbox.chunks.front() {
            let left = first.as_slice().len() - self.outbox.head;
            if count < left {
                self.outbox.head += count;
                return;
            }
            count -= left;
            self.outbox.head = 0;
            if let Some(Chunk::Copied(buffer)) = self.outbox.chunks.pop_front() {
                self.pool.give(buffer);
            }
        }
    }
}

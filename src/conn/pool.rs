//! Buffers shared by all connections: an idle connection owns none.

/// The capacity a pooled buffer starts with, in bytes.
pub(super) const BUFFER_LENGTH: usize = 16 * 1024;

/// Buffers kept for reuse, at most.
const KEPT: usize = 64;

/// Empty buffers waiting for their next use.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Vec<u8>>,
}

impl Pool {
    /// An empty buffer of at least [`BUFFER_LENGTH`] bytes.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_LENGTH))
    }

    /// Gives a buffer back. One that has grown large is freed.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        if self.free.len() < KEPT
            && (BUFFER_LENGTH..=4 * BUFFER_LENGTH).contains(&buffer.capacity())
        {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}

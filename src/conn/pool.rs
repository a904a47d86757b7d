//! Buffers shared by all connections: an idle connection owns none.

/// The capacity of a pooled buffer, in bytes.
pub(super) const BUFFER_LENGTH: usize = 16 * 1024;

/// What a buffer starts with when all pooled ones are in use, in bytes: many connections with
/// little to say must not cost a whole buffer each.
const EXTRA_LENGTH: usize = 1024;

/// Buffers kept for reuse, at most.
const KEPT: usize = 64;

/// Empty buffers waiting for their next use.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Vec<u8>>,
}

impl Pool {
    /// An empty buffer; it may grow.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_else(|| Vec::with_capacity(EXTRA_LENGTH))
    }

    /// Gives a buffer back. It is freed if it has grown large, or enough are there.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        if self.free.len() < KEPT && (EXTRA_LENGTH..=4 * BUFFER_LENGTH).contains(&buffer.capacity())
        {
            buffer.clear();
            buffer.reserve_exact(BUFFER_LENGTH);
            self.free.push(buffer);
        }
    }
}

//! Bytes on their way to one socket.
//!
//! ```text
//!      sent              released                 queued     (offsets in the whole stream)
//!   ─────┬───────────────────┬───────────────────────┬────
//!        │  may leave now    │  held: waits for zxid │
//!   ─────┴───────────────────┴───────────────────────┴────
//!   sent <= released <= queued; holds end at rising offsets <= queued, with rising zxids
//! ```
//!
//! Small records are copied into pooled chunks, so that one write takes many; large data stay
//! shared with their owner.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    pool::{BUFFER_LENGTH, Pool},
    transmit::Transmit,
};
use crate::{ids::Zxid, wire::Sink};

/// Data of this many bytes and more is shared rather than copied.
const SHARED_LENGTH_MIN: usize = 4 * 1024;

/// Places that an empty queue keeps for next time.
const PLACES_KEPT: usize = 16;

/// One stretch of bytes.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Copied, and still open for more while it is the last.
    Copied(Vec<u8>),
    /// Owned by somebody else too.
    Shared(Bytes),
}

impl Chunk {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Bytes that wait.
#[derive(Clone, Copy, Debug)]
struct Hold {
    /// Until this is durable.
    until: Zxid,
    /// Where they end.
    end: u64,
    /// How many replies they are.
    replies: usize,
}

/// Whether something has to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    /// It may leave.
    No,
    /// It has to, and nothing waited before.
    First,
    /// It has to, behind something else.
    Behind,
}

/// What was let go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Released {
    /// How many replies.
    pub(crate) replies: usize,
    /// What the rest waits for.
    pub(crate) next: Option<Zxid>,
}

/// Bytes queued for one socket, some of them held back.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(super) chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that were sent.
    pub(super) head: usize,
    pub(super) sent: u64,
    released: u64,
    queued: u64,
    holds: VecDeque<Hold>,
}

impl Outbox {
    /// Where messages are written to. [`Outbox::hold`] has to follow.
    pub(crate) fn begin<'a>(&'a mut self, pool: &'a mut Pool) -> OutboxWriter<'a> {
        OutboxWriter { outbox: self, pool }
    }

    /// Room for a message of `length` bytes, in one piece, if it is short enough to be copied as a
    /// whole. [`Outbox::reserved`] has to follow, then [`Outbox::hold`].
    pub(crate) fn reserve(&mut self, pool: &mut Pool, length: usize) -> Option<&mut Vec<u8>> {
        if length > SHARED_LENGTH_MIN {
            return None;
        }
        let has_room = |last: &Vec<u8>| last.len() + length <= last.capacity().max(BUFFER_LENGTH);
        if !matches!(self.chunks.back(), Some(Chunk::Copied(last)) if has_room(last)) {
            self.chunks.push_back(Chunk::Copied(pool.take()));
        }
        let Some(Chunk::Copied(last)) = self.chunks.back_mut() else { return None };
        last.reserve(length);
        Some(last)
    }

    /// `length` bytes were put where [`Outbox::reserve`] said.
    pub(crate) const fn reserved(&mut self, length: usize) {
        self.queued += length as u64;
    }

    /// What was queued since the last call, `replies` replies, waits until `until` is durable.
    /// Returns the zxid that the connection now waits for, if this put it into waiting.
    pub(crate) fn hold(&mut self, until: Zxid, durable: Zxid, replies: usize) -> Held {
        match self.holds.back_mut() {
            None if until <= durable => {
                self.released = self.queued;
                Held::No
            }
            // Order is kept: what follows held bytes waits behind them.
            Some(last) if until <= last.until => {
                last.end = self.queued;
                last.replies += replies;
                Held::Behind
            }
            last => {
                let held = if last.is_none() { Held::First } else { Held::Behind };
                self.holds.push_back(Hold { until, end: self.queued, replies });
                held
            }
        }
    }

    /// Lets go what waited for `durable`.
    pub(crate) fn release(&mut self, durable: Zxid) -> Released {
        let mut released = Released::default();
        while let Some(&hold) = self.holds.front() {
            if hold.until > durable {
                released.next = Some(hold.until);
                break;
            }
            self.released = hold.end;
            released.replies += hold.replies;
            self.holds.pop_front();
        }
        released
    }

    /// Whether everything is sent and nothing waits.
    pub(crate) fn is_drained(&self) -> bool {
        self.sent == self.queued && self.holds.is_empty()
    }

    /// Bytes that may leave now, as a buffer to write from.
    pub(crate) fn transmit<'a>(&'a mut self, pool: &'a mut Pool) -> Option<Transmit<'a>> {
        (self.sendable() > 0).then(|| Transmit::new(self, pool))
    }

    /// How many bytes may leave now.
    pub(crate) fn sendable(&self) -> usize {
        usize::try_from(self.released - self.sent).unwrap_or(usize::MAX)
    }

    /// How many bytes are queued, held ones included.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.queued - self.sent).unwrap_or(usize::MAX)
    }

    /// How many bytes of the whole stream were sent.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Where in the whole stream the next byte queued will be.
    pub(crate) const fn queued(&self) -> u64 {
        self.queued
    }

    /// Forgets everything; nothing more is lent.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        for chunk in self.chunks.drain(..) {
            if let Chunk::Copied(buffer) = chunk {
                pool.give(buffer);
            }
        }
        self.holds.clear();
        self.head = 0;
        self.sent = self.queued;
        self.released = self.queued;
    }

    /// Gives the memory of long queues back once they are empty: an idle connection keeps little.
    pub(crate) fn settle(&mut self) {
        if self.chunks.is_empty() && self.chunks.capacity() > PLACES_KEPT {
            self.chunks = VecDeque::new();
        }
        if self.holds.is_empty() && self.holds.capacity() > PLACES_KEPT {
            self.holds = VecDeque::new();
        }
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.sent <= self.released && self.released <= self.queued);
        let total: usize = self.chunks.iter().map(|chunk| chunk.as_slice().len()).sum();
        assert_eq!(total - self.head, self.len(), "chunks hold what is queued");
        let holds = self.holds.iter().map(|hold| (hold.until, hold.end));
        assert!(holds.is_sorted(), "holds rise");
        match self.holds.back() {
            Some(last) => assert_eq!(last.end, self.queued),
            None => assert_eq!(self.released, self.queued),
        }
    }
}

/// Writes one message; a [`Sink`].
#[derive(Debug)]
pub(crate) struct OutboxWriter<'a> {
    outbox: &'a mut Outbox,
    pool: &'a mut Pool,
}

impl Sink for OutboxWriter<'_> {
    fn put(&mut self, bytes: &[u8]) {
        // An empty chunk would look like the end to whoever writes.
        if bytes.is_empty() {
            return;
        }
        self.outbox.queued += bytes.len() as u64;
        if let Some(Chunk::Copied(last)) = self.outbox.chunks.back_mut()
            && last.len() + bytes.len() <= last.capacity().max(BUFFER_LENGTH)
        {
            last.extend_from_slice(bytes);
            return;
        }
        let mut buffer = if bytes.len() <= BUFFER_LENGTH {
            self.pool.take()
        } else {
            Vec::with_capacity(bytes.len())
        };
        buffer.extend_from_slice(bytes);
        self.outbox.chunks.push_back(Chunk::Copied(buffer));
    }

    fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_LENGTH_MIN {
            return self.put(bytes);
        }
        self.outbox.queued += bytes.len() as u64;
        self.outbox.chunks.push_back(Chunk::Shared(bytes.clone()));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    fn put(outbox: &mut Outbox, pool: &mut Pool, bytes: &[u8], until: i64, durable: i64) -> Held {
        outbox.begin(pool).put(bytes);
        let held = outbox.hold(Zxid(until), Zxid(durable), 1);
        outbox.check_invariants();
        held
    }

    /// Takes everything that may leave, `step` bytes at a time.
    fn drain(outbox: &mut Outbox, pool: &mut Pool, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(mut transmit) = outbox.transmit(pool) {
            let count = transmit.chunk().len().min(step);
            assert!(count > 0, "a buffer that lends nothing would never end");
            out.extend_from_slice(&transmit.chunk()[..count]);
            transmit.advance(count);
            outbox.check_invariants();
        }
        out
    }

    #[test]
    fn held_bytes_wait_and_keep_their_order() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        assert_eq!(put(&mut outbox, &mut pool, b"a", 5, 5), Held::No);
        assert_eq!(put(&mut outbox, &mut pool, b"b", 7, 5), Held::First);
        assert_eq!(put(&mut outbox, &mut pool, b"c", 0, 5), Held::Behind);
        assert_eq!(put(&mut outbox, &mut pool, b"d", 9, 5), Held::Behind);
        assert_eq!(drain(&mut outbox, &mut pool, 9), b"a");
        let released = outbox.release(Zxid(8));
        assert_eq!(released, Released { replies: 2, next: Some(Zxid(9)) });
        assert_eq!(drain(&mut outbox, &mut pool, 1), b"bc");
        assert!(!outbox.is_drained());
        assert_eq!(outbox.release(Zxid(9)), Released { replies: 1, next: None });
        assert_eq!(drain(&mut outbox, &mut pool, 1), b"d");
        assert!(outbox.is_drained());
    }

    #[test]
    fn an_empty_hold_alone_keeps_it_from_being_drained() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.hold(Zxid(3), Zxid(2), 0), Held::First);
        assert!(!outbox.is_drained());
        outbox.release(Zxid(3));
        assert!(outbox.is_drained());
    }

    #[test]
    fn large_data_are_shared_and_writes_may_stop_anywhere() {
        let large = Bytes::from(vec![7; 3 * BUFFER_LENGTH]);
        let small = Bytes::from_static(b"small");
        for step in [1, 5, BUFFER_LENGTH - 1, usize::MAX] {
            let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
            let mut writer = outbox.begin(&mut pool);
            writer.put(b"");
            writer.put_shared(&large);
            writer.put(b"");
            writer.put_shared(&small);
            writer.put(&large);
            outbox.hold(Zxid::ZERO, Zxid::ZERO, 1);
            let mut slices = [std::io::IoSlice::new(&[]); 8];
            let transmit = outbox.transmit(&mut pool).unwrap();
            assert_eq!(transmit.chunks_vectored(&mut slices), 3);
            assert_eq!(slices[0].as_ptr(), large.as_ptr(), "not copied");
            assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), 2 * large.len() + 5);
            let all = drain(&mut outbox, &mut pool, step);
            assert!(all == [&large[..], &small[..], &large[..]].concat());
            assert!(outbox.is_drained() && outbox.chunks.is_empty());
        }
    }

    #[test]
    fn long_queues_are_given_back_once_empty() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        let large = Bytes::from(vec![7; SHARED_LENGTH_MIN]);
        for until in 1..=1_000 {
            outbox.begin(&mut pool).put_shared(&large);
            outbox.hold(Zxid(until), Zxid::ZERO, 1);
        }
        outbox.settle();
        outbox.release(Zxid(1_000));
        assert_eq!(drain(&mut outbox, &mut pool, usize::MAX).len(), 1_000 * SHARED_LENGTH_MIN);
        outbox.settle();
        assert_eq!((outbox.chunks.capacity(), outbox.holds.capacity()), (0, 0));
    }

    #[test]
    fn small_records_share_one_chunk() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for _ in 0..100 {
            put(&mut outbox, &mut pool, &[1; 150], 0, 0);
        }
        assert_eq!(outbox.chunks.len(), 1);
    }
}

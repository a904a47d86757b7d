//! Names of things: connections, sessions, transactions, requests.

use std::fmt;

/// Names one connection for its whole life: a slot and that slot's generation.
///
/// A stale id never aliases a newer connection, so a late call with it is harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    slot: u32,
    generation: u32,
}

impl ConnId {
    /// The id of `generation` in `slot`.
    #[must_use]
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// The table slot, reused after the connection is gone.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// How often the slot was used before.
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation
    }

    /// Both parts as one number, for a driver's token: generation in the upper half.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The inverse of [`ConnId::to_bits`].
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the halves are cut on purpose")]
    pub const fn from_bits(bits: u64) -> Self {
        Self { slot: bits as u32, generation: (bits >> 32) as u32 }
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}.{}", self.slot, self.generation)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A ZooKeeper session id. Zero means "no session".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub i64);

impl SessionId {
    /// What a client without a session sends, and what a refusal answers.
    pub const NONE: Self = Self(0);
}

impl fmt::Debug for SessionId {
    /// Lower-case hexadecimal, as ZooKeeper's own logs and commands print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A transaction id: the place of one write in the server's one order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub i64);

impl Zxid {
    /// Before the first transaction. As a `hold` it means "may leave at once".
    pub const ZERO: Self = Self(0);

    /// The id after this one; saturates at the largest.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Names one request of one connection; `sequence` counts that connection's requests from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId {
    /// The connection it came on.
    pub conn: ConnId,
    /// Its place among the connection's requests.
    pub sequence: u64,
}

/// Names one group of storage operations of one lane; grows with each group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ticket(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conn_id_survives_the_trip_through_a_token() {
        for id in [ConnId::new(0, 0), ConnId::new(u32::MAX, 7), ConnId::new(3, u32::MAX)] {
            assert_eq!(ConnId::from_bits(id.to_bits()), id);
        }
    }

    #[test]
    fn session_ids_print_as_unsigned_hex() {
        assert_eq!(SessionId(-1).to_string(), "0xffffffffffffffff");
    }
}

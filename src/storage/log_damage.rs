//! What can be wrong with a log, to the byte.

use thiserror::Error;

use super::log::{LOG_MAGIC, LOG_VERSION, RECORD_END};
use crate::{ids::Zxid, wire::DecodeError};

/// Where a log stops making sense, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("at offset {offset}: {kind}")]
pub struct LogDamage {
    /// Where the damaged record, or the damaged header, starts in the file, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub kind: LogDamageKind,
}

/// Why a log stops making sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum LogDamageKind {
    /// The file ends inside its header.
    #[error("the file ends inside its header, after {present} bytes")]
    HeaderCut {
        /// Bytes of it that are there.
        present: u64,
    },
    /// It does not start as a log does.
    #[error("expected the magic number {LOG_MAGIC:#x} of a log, found {found:#x}")]
    Magic {
        /// What it starts with.
        found: i32,
    },
    /// A version nobody has written yet.
    #[error("expected version {LOG_VERSION} of the log's format, found {found}")]
    Version {
        /// The version.
        found: i32,
    },
    /// The file ends inside a record.
    #[error("expected a record of {expected} bytes, the file ends after {present} of them")]
    RecordCut {
        /// What the record says it takes, or as much of it as is known.
        expected: u64,
        /// Bytes of it that are there.
        present: u64,
    },
    /// Zeros where a record should start, and more behind them: a log ends in zeros only.
    #[error("expected a record or zeros up to the end of the file, found zeros and then more")]
    Hole,
    /// A record of no length, or of a negative one.
    #[error("expected the length of a record, found {found}")]
    Length {
        /// The length.
        found: i32,
    },
    /// A record longer than the limit.
    #[error("record of {length} bytes, the limit is {max}: see jute.maxbuffer")]
    TooLong {
        /// What the record says.
        length: u64,
        /// The limit.
        max: u64,
    },
    /// The checksum is not that of the payload.
    #[error("expected the checksum {expected:#x}, found {found:#x}")]
    Checksum {
        /// What the record says.
        expected: i64,
        /// What its payload gives.
        found: i64,
    },
    /// Something else where the byte that ends a record should be.
    #[error("expected {RECORD_END:#x} at the end of the record, found {found:#x}")]
    RecordEnd {
        /// The byte.
        found: u8,
    },
    /// The payload is no transaction, although its checksum is right.
    #[error("the record is no transaction: {0}")]
    Transaction(DecodeError),
    /// A transaction that is not newer than the one before it.
    #[error("expected a transaction after {last}, found {found}")]
    Order {
        /// The one before.
        last: Zxid,
        /// The transaction.
        found: Zxid,
    },
}

impl LogDamageKind {
    /// Whether the file is of a format that this crate does not know, rather than damaged.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::Magic { .. } | Self::Version { .. })
    }
}

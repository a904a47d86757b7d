//! What can be wrong with a snapshot, to the byte.

use thiserror::Error;

use super::{
    compression::CompressionDamage,
    snapshot::{SNAPSHOT_MAGIC, SNAPSHOT_VERSION},
};
use crate::wire::DecodeError;

/// Where a snapshot stops making sense, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("at offset {offset}: {kind}")]
pub struct SnapshotDamage {
    /// Where the damaged part starts, in bytes from the start of the snapshot, as it is when it is
    /// decompressed.
    pub offset: u64,
    /// What is wrong with it.
    pub kind: SnapshotDamageKind,
}

/// Why a snapshot stops making sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SnapshotDamageKind {
    /// It ends too early.
    #[error("the snapshot ends inside its {part}")]
    Cut {
        /// The part that is not whole.
        part: SnapshotPart,
    },
    /// It does not start as a snapshot does.
    #[error("expected the magic number {SNAPSHOT_MAGIC:#x} of a snapshot, found {found:#x}")]
    Magic {
        /// What it starts with.
        found: i32,
    },
    /// A version nobody has written yet.
    #[error("expected version {SNAPSHOT_VERSION} of the snapshot's format, found {found}")]
    Version {
        /// The version.
        found: i32,
    },
    /// A session, an ACL or a znode longer than the limit.
    #[error("{part} of at least {length} bytes, the limit is {max}: see jute.maxbuffer")]
    TooLong {
        /// What it is.
        part: SnapshotPart,
        /// How long it is at least.
        length: u64,
        /// The limit.
        max: u64,
    },
    /// Bytes that are not what they should be.
    #[error("the {part} cannot be decoded: {error}")]
    Undecodable {
        /// What they should be.
        part: SnapshotPart,
        /// What is wrong with them.
        error: DecodeError,
    },
    /// A znode's ACL is not in the table.
    #[error("expected ACL {index} in the table, found none")]
    UnknownAcl {
        /// What the znode calls it.
        index: i64,
    },
    /// A checksum is not that of everything before it.
    #[error("expected the checksum {expected:#x}, found {found:#x}")]
    Seal {
        /// What the seal says.
        expected: i64,
        /// What the bytes before it give.
        found: i64,
    },
    /// A seal that does not end as seals do.
    #[error("the seal does not end as it should")]
    SealEnd,
    /// The file cannot be decompressed.
    #[error("{0}")]
    Compression(CompressionDamage),
}

/// A part of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SnapshotPart {
    /// The first bytes.
    Header,
    /// How many sessions there are, and one of them.
    Session,
    /// How many ACLs there are, and one of them.
    Acl,
    /// A znode, or the mark behind the last one.
    Node,
    /// The tree's digest.
    Digest,
    /// The newest transaction.
    LastZxid,
    /// A seal.
    Seal,
}

impl std::fmt::Display for SnapshotPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Session => "session",
            Self::Acl => "ACL",
            Self::Node => "znode",
            Self::Digest => "digest",
            Self::LastZxid => "last zxid",
            Self::Seal => "seal",
        })
    }
}

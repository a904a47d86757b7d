//! What an operator should hear about a recovery.

use std::fmt;

use super::SnapshotProblem;
use crate::{
    ids::Zxid,
    storage::{log_damage::LogDamage, operation::File},
};

/// Something an operator should hear about; the recovery goes on.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecoveryEvent {
    /// There is no snapshot and no record: the store is new.
    Fresh,
    /// There is no snapshot; the logs are taken for the whole history.
    WithoutSnapshot {
        /// The first transaction.
        first: Zxid,
    },
    /// A snapshot that was never completed; it will be removed.
    Leftover {
        /// The file.
        file: File,
    },
    /// A snapshot cannot be used; the next older one is tried, if there is one.
    SnapshotUnusable {
        /// The snapshot.
        file: File,
        /// Why not.
        problem: SnapshotProblem,
    },
    /// A snapshot was read as a whole; the logs come next.
    SnapshotLoaded {
        /// The snapshot.
        file: File,
        /// Everything up to this transaction is in it.
        zxid: Zxid,
    },
    /// A crash left a part of a log that was never acknowledged. It will be cut.
    TornTail {
        /// The log.
        file: File,
        /// Where it is cut, and how it stops making sense there.
        damage: LogDamage,
        /// Bytes that go.
        length: u64,
        /// Valid records among them; they were never acknowledged either.
        records_behind: u64,
    },
    /// A log without a record will be removed.
    EmptyLog {
        /// The log.
        file: File,
    },
    /// A log ends in damage, and nothing is missing: the next log goes on where its records end.
    HarmlessDamage {
        /// The log.
        file: File,
        /// The damage.
        damage: LogDamage,
    },
    /// The tree is not what the server that wrote the files had. Told once; the number of times is
    /// in [`RecoverySummary`](super::RecoverySummary).
    DigestMismatch {
        /// After this transaction.
        zxid: Zxid,
        /// What the file says.
        expected: u64,
        /// What the tree gives.
        found: u64,
    },
    /// Ephemerals of sessions that nobody knows were removed.
    OrphansRemoved {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for RecoveryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("the store is new"),
            Self::WithoutSnapshot { first } => {
                write!(f, "no snapshot: the history starts with transaction {first} of the logs")
            }
            Self::Leftover { file } => write!(f, "{file} was never completed and will be removed"),
            Self::SnapshotUnusable { file, problem } => {
                write!(f, "{file} cannot be used: {problem}")
            }
            Self::SnapshotLoaded { file, zxid } => {
                write!(f, "{file} was read: everything up to transaction {zxid}")
            }
            Self::TornTail { file, damage, length, records_behind } => write!(
                f,
                "{file} was torn by a crash {damage}; the last {length} bytes with \
                 {records_behind} whole records, none of them ever acknowledged, will be cut"
            ),
            Self::EmptyLog { file } => write!(f, "{file} holds no record and will be removed"),
            Self::HarmlessDamage { file, damage } => write!(
                f,
                "{file} is damaged {damage}; nothing is missing, the next log goes on from there"
            ),
            Self::DigestMismatch { zxid, expected, found } => write!(
                f,
                "after transaction {zxid} the tree's digest should be {expected:#x} and is \
                 {found:#x}: this is not what the server that wrote the files had"
            ),
            Self::OrphansRemoved { count } => {
                write!(f, "{count} ephemeral znodes of unknown sessions were removed")
            }
        }
    }
}

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
    /// A crash left a part of a log that was never acknowledged. It will be cut. If it holds whole
    /// records, that is so only with a disk that keeps what it has synced, and who does the cutting
    /// keeps a copy first.
    TornTail {
        /// The log.
        file: File,
        /// Where it is cut, and how it stops making sense there.
        damage: LogDamage,
        /// Bytes that go.
        length: u64,
        /// Valid records among them.
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
    /// The tree's digest is not the one in the files. Told once; the number of times is in
    /// [`RecoverySummary`](super::RecoverySummary).
    ///
    /// That alone is no damage: for a multi that makes a child of `/` and then sets the data of `/`
    /// Apache ZooKeeper logs a digest that its own tree does not have.
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
            Self::TornTail { file, damage, length, records_behind: 0 } => write!(
                f,
                "{file} was torn by a crash {damage}; the last {length} bytes, which were never \
                 acknowledged, will be cut"
            ),
            Self::TornTail { file, damage, length, records_behind } => write!(
                f,
                "{file} was torn by a crash {damage}; the last {length} bytes will be cut, and a \
                 copy is kept, as whole records are among them ({records_behind}); they cannot \
                 have been acknowledged if the disk kept what it said is stored"
            ),
            Self::EmptyLog { file } => write!(f, "{file} holds no record and will be removed"),
            Self::HarmlessDamage { file, damage } => write!(
                f,
                "{file} is damaged {damage}; nothing is missing, the next log goes on from there"
            ),
            Self::DigestMismatch { zxid, expected, found } => write!(
                f,
                "after transaction {zxid} the tree's digest is {found:#x}, and the server that \
                 wrote the files logged {expected:#x}; Apache ZooKeeper logs such digests in rare \
                 multis, otherwise the tree is not what that server had"
            ),
            Self::OrphansRemoved { count } => {
                write!(f, "{count} ephemeral znodes of unknown sessions were removed")
            }
        }
    }
}

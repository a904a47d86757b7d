//! Why a store cannot be recovered, and what can be done about it.

use thiserror::Error;

use crate::{
    ids::Zxid,
    storage::{
        log_damage::{LogDamage, LogDamageKind},
        operation::{File, StorageError},
        snapshot_damage::SnapshotDamage,
    },
    tree::RestoreError,
};

/// Why a store cannot be recovered. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// A log in the directory of snapshots, or the other way round.
    #[error(
        "{file} is in the wrong directory: logs and snapshots have one each; move it, or give \
         both the same directory"
    )]
    Misplaced {
        /// The file.
        file: File,
    },
    /// There are logs and no snapshot, and the logs do not start at the beginning.
    #[error(
        "{file} starts with transaction {first}, expected 0x1 as there is no snapshot: what came \
         before is missing; restore the snapshot from a backup, or set snapshot.trust.empty if \
         the logs are the whole history"
    )]
    NoSnapshot {
        /// The oldest log with a record.
        file: File,
        /// Its first transaction.
        first: Zxid,
    },
    /// There are snapshots, and none can be used.
    #[error(
        "no snapshot can be used; the newest, {file}: {problem}; restore a snapshot from a backup"
    )]
    NoUsableSnapshot {
        /// The newest snapshot.
        file: File,
        /// Why not.
        problem: SnapshotProblem,
    },
    /// A file that is called a log, and is none.
    #[error("{file} is no log of a known format, {damage}; move it away, or use a newer version")]
    ForeignLog {
        /// The file.
        file: File,
        /// What it has instead.
        damage: LogDamage,
    },
    /// A log's name is not its first transaction.
    #[error(
        "{file} starts with transaction {found} at offset {offset}, expected {expected} by its \
         name: it is a copy, or was renamed; give it its name back, or move it away"
    )]
    Misnamed {
        /// The log.
        file: File,
        /// Where its first record is, in bytes.
        offset: u64,
        /// What the name says.
        expected: Zxid,
        /// The first transaction.
        found: Zxid,
    },
    /// Transactions are missing between two files.
    #[error(
        "{file} starts with transaction {found} at offset {offset}, expected {expected}: \
         what is between is missing{}; restore the missing log, or a newer snapshot, from a \
         backup", DamagedBefore(before.as_deref())
    )]
    Gap {
        /// The log behind the gap.
        file: File,
        /// Where its first record is, in bytes.
        offset: u64,
        /// The transaction that should be there.
        expected: Zxid,
        /// The first transaction.
        found: Zxid,
        /// The log before it, if that ends in damage.
        before: Option<Box<(File, LogDamage)>>,
    },
    /// A log starts before the end of the one before it.
    #[error(
        "{file} starts with transaction {found} at offset {offset}, expected one after {last}: \
         two logs tell of the same; keep the one of this server and move the other away"
    )]
    Overlap {
        /// The later log.
        file: File,
        /// Where its first record is, in bytes.
        offset: u64,
        /// The last transaction of the log before it.
        last: Zxid,
        /// The first transaction.
        found: Zxid,
    },
    /// The newest log ends in damage that no crash explains.
    #[error(
        "{file} is damaged {damage}{}; nothing valid follows: `zk data repair` keeps a copy and \
         cuts the file there", Fitting(*fitting_length)
    )]
    CorruptTail {
        /// The log.
        file: File,
        /// The damage.
        damage: LogDamage,
        /// The length of payload that the record's checksum is right for, if its length is wrong.
        fitting_length: Option<u64>,
    },
    /// A log is damaged, and valid records follow.
    #[error(
        "{file} is damaged {damage}{}; {records_behind} valid records follow, from transaction \
         {next} at offset {next_offset} on, and nobody can tell what is missing between: restore \
         the file from a backup", Fitting(*fitting_length)
    )]
    DamagedInside {
        /// The log.
        file: File,
        /// The damage.
        damage: LogDamage,
        /// As in [`RecoveryError::CorruptTail`].
        fitting_length: Option<u64>,
        /// Where the first valid record behind the damage is, in bytes.
        next_offset: u64,
        /// Its transaction.
        next: Zxid,
        /// How many valid records follow.
        records_behind: u64,
    },
    /// A record is longer than the limit, and may be right.
    #[error(
        "{file} holds a record of {length} bytes at offset {offset}, the limit is {max}: if it was \
         written with a larger jute.maxbuffer, start with that; otherwise it is damage, see `zk \
         log verify`"
    )]
    RecordTooLong {
        /// The log.
        file: File,
        /// Where the record is, in bytes.
        offset: u64,
        /// What it says.
        length: u64,
        /// The limit.
        max: u64,
    },
    /// The logs end before the newest snapshot, which cannot be used.
    #[error(
        "the logs end with transaction {reached}, expected {expected} as {snapshot} exists, which \
         cannot be used: what is between is missing; restore the snapshot or the logs from a \
         backup, or move the snapshot away to do without"
    )]
    EndsBeforeSnapshot {
        /// The newest snapshot.
        snapshot: File,
        /// Its transaction.
        expected: Zxid,
        /// The newest transaction that could be recovered.
        reached: Zxid,
    },
    /// The snapshot that was loaded was taken while transactions went on, and the logs end before
    /// the newest of which it holds traces. That one had been stored when the snapshot saw it.
    #[error(
        "the logs end with transaction {reached}, expected {expected} as {snapshot} holds traces \
         of it: what is between is missing; restore the missing log from a backup; if it was lost \
         in a power cut of a server with forceSync=no, move {snapshot} away, so that the snapshot \
         before it is used"
    )]
    SnapshotAhead {
        /// The snapshot.
        snapshot: File,
        /// The newest transaction of which it holds traces.
        expected: Zxid,
        /// The newest transaction that could be recovered.
        reached: Zxid,
    },
    /// No transaction can follow the newest one.
    #[error(
        "the newest transaction is {zxid}, the largest there can be: no server can go on from \
         there; restore the store from a backup"
    )]
    NoMoreTransactions {
        /// The newest transaction.
        zxid: Zxid,
    },
    /// A file cannot be read.
    #[error("{error}; nothing is known about what is in {file}")]
    Unreadable {
        /// The file.
        file: File,
        /// The store's words.
        error: StorageError,
    },
}

/// Why a snapshot cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SnapshotProblem {
    /// It is damaged.
    #[error("it is damaged {0}")]
    Damaged(SnapshotDamage),
    /// A znode does not fit into the tree.
    #[error("znode {path} at offset {offset}: {error}")]
    Misfit {
        /// The znode's path.
        path: Box<str>,
        /// Where the znode is, in bytes from the start of the decompressed snapshot.
        offset: u64,
        /// Why not.
        error: RestoreError,
    },
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(StorageError),
}

/// What to say about a length that is not the one in the record.
struct Fitting(Option<u64>);

impl std::fmt::Display for Fitting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(length) => write!(f, " (its checksum is right for a length of {length})"),
            None => Ok(()),
        }
    }
}

/// What to say about the log before a gap.
struct DamagedBefore<'a>(Option<&'a (File, LogDamage)>);

impl std::fmt::Display for DamagedBefore<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some((file, damage)) => write!(f, ", and {file} is damaged {damage}"),
            None => Ok(()),
        }
    }
}

impl RecoveryError {
    /// What is to be said of damage at the end of a log, with nothing valid behind it.
    pub(super) const fn corrupt_tail(
        file: File,
        damage: LogDamage,
        fitting_length: Option<u64>,
    ) -> Self {
        match (damage.kind, fitting_length) {
            (LogDamageKind::TooLong { length, max }, None) => {
                Self::RecordTooLong { file, offset: damage.offset, length, max }
            }
            (kind, _) if kind.is_foreign() => Self::ForeignLog { file, damage },
            _ => Self::CorruptTail { file, damage, fitting_length },
        }
    }
}

//! What a server starts from.

use std::mem;

use super::operation::{Dir, File, FileOp};
use crate::{ids::Zxid, tree::Tree};

/// How a recovery went.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct RecoverySummary {
    /// The snapshot that was used; none where there is none.
    pub snapshot: Option<File>,
    /// The newest transaction.
    pub zxid: Zxid,
    /// Logs that were read, whole or in part.
    pub logs_read: usize,
    /// Transactions that did not fit, as it is where a snapshot was taken while they went on.
    pub misfits: u64,
    /// How often the tree's digest was not the one in the files.
    pub digest_mismatches: u64,
    /// Ephemerals of unknown sessions that were removed.
    pub orphans_removed: usize,
}

/// What a server starts from: a tree that was brought up to date, and where its storage goes on.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The tree; `None` is a fresh one.
    pub(crate) tree: Option<Tree>,
    /// The time of the newest transaction, in milliseconds of Unix time.
    pub(crate) newest_ms: i64,
    /// What is on disk.
    pub(crate) files: KnownFiles,
}

/// What is on disk, and what is to be done about it before anything new is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct KnownFiles {
    /// Snapshots, oldest first.
    pub(crate) snapshots: Vec<KnownSnapshot>,
    /// Logs with the zxid their names tell, oldest first.
    pub(crate) logs: Vec<(Zxid, File)>,
    /// For the log lane, before its first record: torn tails are cut, logs without a record go.
    pub(crate) repairs: Vec<FileOp>,
    /// For the snapshot lane, before its first snapshot: temporaries of snapshots that were never
    /// completed.
    pub(crate) leftovers: Vec<File>,
    /// Whether the tree is what the newest valid snapshot and the logs behind it tell. If not, a
    /// snapshot must be durable before the first record: there is none yet, or the recovery did
    /// what no record tells.
    pub(crate) is_reproducible: bool,
    /// Transactions replayed on top of the snapshot, and the bytes of their records.
    pub(crate) transactions_replayed: u64,
    pub(crate) bytes_replayed: u64,
    /// How all this was found out.
    pub(crate) summary: RecoverySummary,
}

impl KnownFiles {
    /// What is done to the files before anything new is written, and before anybody hears of what
    /// was recovered. What was read may be in the system's memory only, where a process that ended
    /// before its sync has left it: a power cut would still take it.
    pub(crate) fn preparations(&mut self, syncs: bool) -> Vec<FileOp> {
        let mut all = mem::take(&mut self.repairs);
        if !syncs || self.logs.is_empty() && self.snapshots.is_empty() {
            return all;
        }
        // A log is synced before the next one is made.
        let newest = self.logs.last().map(|(_, file)| FileOp::Sync { file: file.clone() });
        let dirs = [Dir::Log, Dir::Snapshot].map(|dir| FileOp::SyncDir { dir });
        for sync in newest.into_iter().chain(dirs) {
            if !all.contains(&sync) {
                all.push(sync);
            }
        }
        all
    }
}

/// A snapshot on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KnownSnapshot {
    /// What its name says: everything up to this transaction is in it.
    pub(crate) zxid: Zxid,
    pub(crate) file: File,
    /// Whether it was read or written as a whole by this process. Nothing else counts as a
    /// snapshot to go back to.
    pub(crate) is_valid: bool,
}

impl Recovered {
    /// Nothing: the server starts with a fresh tree, on an empty store.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A tree that was brought up to date, and the time of its newest transaction; the store is
    /// empty.
    #[must_use]
    pub fn new(tree: Tree, newest_ms: i64) -> Self {
        Self { tree: Some(tree), newest_ms, ..Self::default() }
    }

    /// The tree; none is a fresh one.
    #[must_use]
    pub const fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// The newest transaction.
    #[must_use]
    pub fn zxid(&self) -> Zxid {
        self.tree.as_ref().map_or(Zxid::ZERO, Tree::last_zxid)
    }

    /// The time of the newest transaction, in milliseconds of Unix time.
    #[must_use]
    pub const fn newest_ms(&self) -> i64 {
        self.newest_ms
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.tree.as_ref().map_or(0, |tree| tree.sessions().len())
    }

    /// How the recovery went.
    #[must_use]
    pub const fn summary(&self) -> &RecoverySummary {
        &self.files.summary
    }

    /// Transactions replayed on top of the snapshot.
    #[must_use]
    pub const fn transactions_replayed(&self) -> u64 {
        self.files.transactions_replayed
    }

    /// The bytes of their records.
    #[must_use]
    pub const fn bytes_replayed(&self) -> u64 {
        self.files.bytes_replayed
    }

    /// What a server does to the log's files before it writes its first record.
    #[must_use]
    pub fn repairs(&self) -> &[FileOp] {
        &self.files.repairs
    }

    /// Files that a server removes before it writes its first snapshot.
    #[must_use]
    pub fn leftovers(&self) -> &[File] {
        &self.files.leftovers
    }

    /// Whether the newest valid snapshot and the logs behind it give this very tree. If not, a
    /// server begins with a snapshot.
    #[must_use]
    pub const fn is_reproducible(&self) -> bool {
        self.files.is_reproducible
    }
}

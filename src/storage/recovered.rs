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
    /// The files that the tree was made of: the snapshot, and the logs that were read.
    pub(crate) sources: Vec<File>,
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
        // Each one: the process may have been one that syncs nothing.
        let sources = mem::take(&mut self.sources).into_iter().map(|file| FileOp::Sync { file });
        let dirs = [Dir::Log, Dir::Snapshot].map(|dir| FileOp::SyncDir { dir });
        for sync in sources.chain(dirs) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        SessionId,
        storage::{
            FileInfo, Recovery, RecoveryConfig, SnapshotEncoder, encode_file_header, encode_record,
        },
        tree::StoredStat,
        wire::{Txn, TxnHeader},
    };

    fn snapshot() -> Vec<u8> {
        let mut encoder = SnapshotEncoder::new();
        encoder.count(0);
        encoder.count(0);
        encoder.node("", Some(b""), -1, &StoredStat::default());
        encoder.end_nodes();
        encoder.take()
    }

    fn log(zxids: impl IntoIterator<Item = i64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_file_header(&mut bytes);
        for zxid in zxids {
            let session = SessionId(zxid);
            let header = TxnHeader { session, cxid: 0, zxid: Zxid(zxid), time_ms: 1_000 };
            encode_record(&mut bytes, &header, &Txn::CreateSession { timeout_ms: 5 }, None);
        }
        bytes
    }

    /// What is done first with these files: operations and names.
    fn prepare(files: &[(&str, Vec<u8>)]) -> Vec<String> {
        let list = files.iter().map(|(name, bytes)| {
            let dir = if name.starts_with("log.") { Dir::Log } else { Dir::Snapshot };
            FileInfo { file: File { dir, name: (*name).into() }, length: bytes.len() as u64 }
        });
        let mut recovery = Recovery::new(RecoveryConfig::default(), 1, list.collect());
        while let Some(request) = recovery.poll_read() {
            let content = files.iter().find(|(name, _)| *name == &*request.file.name);
            let (_, bytes) = content.expect("it is there");
            recovery.handle_read(&bytes[usize::try_from(request.offset).expect("short")..]);
        }
        let mut recovered = recovery.finish().expect("a good store");
        let text = |op: FileOp| match &op {
            FileOp::SyncDir { dir } => format!("{} {dir:?}", op.name()),
            FileOp::Sync { file } | FileOp::Truncate { file, .. } | FileOp::Remove { file } => {
                format!("{} {file}", op.name())
            }
            _ => op.name().into(),
        };
        assert_eq!(recovered.files.clone().preparations(false), recovered.repairs());
        recovered.files.preparations(true).into_iter().map(text).collect()
    }

    #[test]
    fn whatever_the_tree_was_made_of_is_synced_first() {
        let dirs = ["sync directory Log", "sync directory Snapshot"];
        assert_eq!(prepare(&[]), [""; 0]);
        assert_eq!(
            prepare(&[("snapshot.0", snapshot())]),
            [&["sync snapshot.0"], &dirs[..]].concat()
        );
        let mut files = vec![
            ("snapshot.0", snapshot()),
            ("snapshot.3", snapshot()),
            ("log.1", log(1..=2)),
            ("log.3", log(3..=4)),
            ("log.5", log(5..=6)),
        ];
        // What is before the snapshot does not matter.
        let syncs = ["sync snapshot.3", "sync log.3", "sync log.5"];
        assert_eq!(prepare(&files), [&syncs[..], &dirs].concat());
        // What is cut is synced once, and what is removed is not.
        let torn = log(5..=6);
        files[4].1 = torn[..torn.len() - 3].to_vec();
        files.push(("log.6", log(6..=6)[..16].to_vec()));
        let repairs = ["truncate log.5", "sync log.5", "remove log.6", "sync directory Log"];
        let syncs = ["sync snapshot.3", "sync log.3", "sync directory Snapshot"];
        assert_eq!(prepare(&files), [&repairs[..], &syncs].concat());
    }

    #[test]
    fn logs_alone_are_synced_all() {
        let files = [("log.1", log(1..=2)), ("log.3", log(3..=4))];
        let expected =
            ["sync log.1", "sync log.3", "sync directory Log", "sync directory Snapshot"];
        assert_eq!(prepare(&files), expected);
    }
}

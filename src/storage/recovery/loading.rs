//! One snapshot, read into a tree of its own.

use super::{SnapshotProblem, files::Named};
use crate::{
    ids::Zxid,
    rng::Rng,
    storage::{
        compression::Compression,
        snapshot_reader::{SnapshotItem, SnapshotReader},
    },
    tree::{Config, Tree},
};

/// Where the configuration of an ensemble is.
const CONFIG: &str = "/zookeeper/config";

/// A snapshot that is being read.
#[derive(Debug)]
pub(super) struct Loading {
    /// Its place among the snapshots of the store.
    pub(super) index: usize,
    pub(super) zxid: Zxid,
    reader: SnapshotReader,
    pub(super) tree: Tree,
    /// The newest time of a znode.
    pub(super) newest_ms: i64,
    pub(super) digest: Option<(Zxid, Option<u64>)>,
    /// The newest transaction that left a trace in a znode.
    pub(super) newest_trace: Zxid,
}

impl Loading {
    pub(super) fn new(
        index: usize,
        snapshot: &Named,
        record_length_max: usize,
        config: Config,
        seed: u64,
    ) -> Self {
        let compression = Compression::of_name(&snapshot.info.file.name);
        Self {
            index,
            zxid: snapshot.zxid,
            reader: SnapshotReader::new(compression, record_length_max),
            tree: Tree::new(config, &mut Rng::new(seed)),
            newest_ms: 0,
            digest: None,
            newest_trace: Zxid::ZERO,
        }
    }

    /// Takes the next bytes. Returns whether that was all.
    pub(super) fn push(&mut self, bytes: &[u8], is_end: bool) -> Result<bool, SnapshotProblem> {
        self.reader.push(bytes);
        if is_end {
            self.reader.finish();
        }
        loop {
            let offset = self.reader.offset();
            match self.reader.next().map_err(SnapshotProblem::Damaged)? {
                SnapshotItem::NeedBytes => return Ok(false),
                SnapshotItem::Session { session, timeout_ms } => {
                    self.tree.restore_session(session, timeout_ms);
                }
                SnapshotItem::Node(node) => {
                    let newest_ms = node.stat.ctime_ms.max(node.stat.mtime_ms);
                    self.newest_ms = self.newest_ms.max(newest_ms);
                    let path = node.path;
                    // Upstream sets this one by the version of its configuration's file.
                    if path != CONFIG {
                        let trace = node.stat.czxid.max(node.stat.mzxid).max(node.stat.pzxid);
                        self.newest_trace = self.newest_trace.max(trace);
                    }
                    self.tree.restore_node(node).map_err(|error| SnapshotProblem::Misfit {
                        path: path.into(),
                        offset,
                        error,
                    })?;
                }
                SnapshotItem::Digest { zxid, digest } => self.digest = Some((zxid, digest)),
                // Znodes come with theirs; and the snapshot's name says which transaction it is
                // of, as upstream has it.
                SnapshotItem::Acl { .. } | SnapshotItem::LastZxid(_) => {}
                SnapshotItem::End => {
                    self.tree.restore_zxid(self.zxid);
                    return Ok(true);
                }
            }
        }
    }
}

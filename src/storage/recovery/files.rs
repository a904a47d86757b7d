//! The files of a store, by what their names say.

use std::cmp::Reverse;

use super::FileInfo;
use crate::{
    ids::Zxid,
    storage::{
        compression::Compression,
        operation::{Dir, File},
    },
};

/// What the name of a snapshot that is being written starts with.
const TEMPORARY: &str = "tmp.snapshot.";

/// A file with a zxid in its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    pub(super) zxid: Zxid,
    pub(super) info: FileInfo,
}

/// The files of a store.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Newest first; the order in which they are tried.
    pub(super) snapshots: Vec<Named>,
    /// Oldest first.
    pub(super) logs: Vec<Named>,
    /// Snapshots that were never completed.
    pub(super) leftovers: Vec<File>,
    /// Files in the directory of the other kind.
    pub(super) misplaced: Vec<File>,
}

impl Files {
    pub(super) fn new(files: Vec<FileInfo>) -> Self {
        let mut all = Self::default();
        for info in files {
            let File { dir, name } = &info.file;
            let to = if let Some(zxid) = log_zxid(name) {
                (Dir::Log, &mut all.logs, zxid)
            } else if let Some((zxid, _)) = snapshot_zxid(name) {
                (Dir::Snapshot, &mut all.snapshots, zxid)
            } else {
                if *dir == Dir::Snapshot && name.starts_with(TEMPORARY) {
                    all.leftovers.push(info.file);
                }
                continue;
            };
            match to {
                (right, _, _) if right != *dir => all.misplaced.push(info.file),
                (_, list, zxid) => list.push(Named { zxid, info }),
            }
        }
        all.logs.sort_by_key(|log| log.zxid);
        all.snapshots.sort_by_key(|snapshot| (Reverse(snapshot.zxid), snapshot.info.file.clone()));
        all.leftovers.sort();
        all.misplaced.sort();
        all
    }

    /// The logs behind a snapshot: the one that may hold the next transaction, and all later ones.
    pub(super) fn first_log_for(&self, next: Zxid) -> usize {
        self.logs.partition_point(|log| log.zxid <= next).saturating_sub(1)
    }
}

/// The zxid in a log's name: that of its first record. `None` for every other name.
#[must_use]
pub fn log_zxid(name: &str) -> Option<Zxid> {
    parse_zxid(name.strip_prefix("log.")?)
}

/// The zxid in a snapshot's name, and how the name says it is compressed. `None` for every other
/// name.
#[must_use]
pub fn snapshot_zxid(name: &str) -> Option<(Zxid, Compression)> {
    let compression = Compression::of_name(name);
    let zxid = name.strip_prefix("snapshot.")?.strip_suffix(compression.extension())?;
    Some((parse_zxid(zxid)?, compression))
}

/// Only as servers write it: no copy that somebody made has the name of a file of the store.
fn parse_zxid(text: &str) -> Option<Zxid> {
    let zxid = i64::from_str_radix(text, 16).ok().filter(|zxid| *zxid >= 0)?;
    (format!("{zxid:x}") == text).then_some(Zxid(zxid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(log_zxid("log.1f"), Some(Zxid(0x1f)));
        for name in ["log", "log.", "log.1F", "log.01", "log.-1", "log.1.bak", "log.+1", "dog.1"] {
            assert_eq!(log_zxid(name), None, "{name}");
        }
        for (name, zxid, compression) in [
            ("snapshot.0", 0, Compression::None),
            ("snapshot.100000001.gz", 0x1_0000_0001, Compression::Gzip),
            ("snapshot.a.snappy", 10, Compression::Snappy),
        ] {
            assert_eq!(snapshot_zxid(name), Some((Zxid(zxid), compression)));
        }
        for name in ["snapshot.5.tmp", "snapshot.gz", "snapshot.", "tmp.snapshot.5", "snapshot.5."]
        {
            assert_eq!(snapshot_zxid(name), None, "{name}");
        }
    }

    #[test]
    fn each_file_has_its_place() {
        let info = |dir, name: &str| FileInfo { file: File { dir, name: name.into() }, length: 1 };
        let files = Files::new(vec![
            info(Dir::Snapshot, "snapshot.5"),
            info(Dir::Snapshot, "snapshot.10"),
            info(Dir::Snapshot, "tmp.snapshot.11"),
            info(Dir::Snapshot, "log.2"),
            info(Dir::Log, "log.10"),
            info(Dir::Log, "log.1"),
            info(Dir::Log, "tmp.snapshot.12"),
            info(Dir::Log, "snapshot.3"),
            info(Dir::Snapshot, "acceptedEpoch"),
        ]);
        let zxids = |list: &[Named]| list.iter().map(|named| named.zxid.0).collect::<Vec<_>>();
        assert_eq!(zxids(&files.snapshots), [0x10, 5]);
        assert_eq!(zxids(&files.logs), [1, 0x10]);
        assert_eq!(files.leftovers.len(), 1);
        assert_eq!(files.misplaced.len(), 2);
        let first = [1, 0xf, 0x10, 0x11].map(|next| files.first_log_for(Zxid(next)));
        assert_eq!(first, [0, 0, 1, 1]);
    }
}

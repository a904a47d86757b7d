//! How many bytes there are, measured where nobody waits for it.
//!
//! A listing takes as long as storage likes, so the lanes' threads make it between their operations,
//! and the server's loop only looks at what they saw last.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use zookeeper_core::{Ticket, storage::FileOp};

use crate::directories::Directories;

/// How often files are measured that only grow.
const INTERVAL: Duration = Duration::from_secs(5);

/// The sizes of both directories, as somebody has seen them last.
#[derive(Debug)]
pub(crate) struct Meter {
    directories: Directories,
    snapshots: AtomicU64,
    logs: AtomicU64,
}

impl Meter {
    /// Measures what is there at the beginning.
    pub(crate) fn new(directories: Directories) -> Self {
        let meter = Self { directories, snapshots: AtomicU64::new(0), logs: AtomicU64::new(0) };
        meter.measure();
        meter
    }

    /// Lists the directories.
    pub(crate) fn measure(&self) {
        let (snapshots, logs) = self.directories.sizes();
        self.snapshots.store(snapshots, Ordering::Relaxed);
        self.logs.store(logs, Ordering::Relaxed);
    }

    /// Whether to measure after this batch: files came, went or were cut, or it is long ago.
    pub(crate) fn is_due(measured: Instant, batch: &[(Ticket, FileOp)]) -> bool {
        let only_grows = |op: &FileOp| {
            matches!(op, FileOp::Append { .. } | FileOp::Sync { .. } | FileOp::SyncDir { .. })
        };
        !batch.iter().all(|(_, op)| only_grows(op)) || measured.elapsed() >= INTERVAL
    }

    /// Bytes in the directories of snapshots and of logs.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        (self.snapshots.load(Ordering::Relaxed), self.logs.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::storage::{Dir, File};

    use super::*;

    #[test]
    fn what_only_grows_is_measured_now_and_then() {
        let file = File { dir: Dir::Log, name: "log.1".into() };
        let sync = (Ticket(1), FileOp::Sync { file: file.clone() });
        let remove = (Ticket(2), FileOp::Remove { file });
        let now = Instant::now();
        assert!(!Meter::is_due(now, std::slice::from_ref(&sync)));
        assert!(Meter::is_due(now, &[sync.clone(), remove]));
        if let Some(long_ago) = now.checked_sub(INTERVAL) {
            assert!(Meter::is_due(long_ago, &[sync]));
        }
    }
}

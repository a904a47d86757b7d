//! Settings of the storage.

use std::time::Duration;

/// Settings of the log, of snapshots, and of what is kept of both. The default is upstream's.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Commit groups that may be unacknowledged at a time; later transactions wait for the next
    /// group, so groups grow with load. At least 1.
    pub groups_in_flight_max: usize,
    /// `forceSync`: whether a write waits until it would survive a power cut. Without it a write
    /// survives the end of the process only.
    pub sync: bool,
    /// `preAllocSize`: bytes to reserve for a log file at a time.
    pub reserve: u64,
    /// `txnLogSizeLimitInKb`: bytes after which a log file is followed by the next one; `None` is
    /// no limit.
    pub log_length_max: Option<u64>,
    /// `snapCount`: a snapshot is due after between half of this many transactions and all of them.
    /// At least 2.
    pub snapshot_transactions: u64,
    /// `snapSizeLimitInKb`: the same in bytes of the log; `None` is no limit.
    pub snapshot_bytes: Option<u64>,
    /// `serializeLastProcessedZxid.enabled`: whether a snapshot ends with its transaction's number.
    pub last_zxid_in_snapshot: bool,
    /// What is kept of old files; `None` is everything.
    pub retention: Option<Retention>,
}

/// What is kept of old files.
///
/// Behaviour: `org.apache.zookeeper.server.PurgeTxnLog` and `DatadirCleanupManager`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// `autopurge.snapRetainCount`: valid snapshots that stay, and the logs behind the oldest of
    /// them. At least 3.
    pub snapshots: usize,
    /// `autopurge.purgeInterval`: time between two purges; zero is after every snapshot.
    pub interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            groups_in_flight_max: 2,
            sync: true,
            reserve: 64 << 20,
            log_length_max: None,
            snapshot_transactions: 100_000,
            snapshot_bytes: Some(4 << 30),
            last_zxid_in_snapshot: true,
            retention: None,
        }
    }
}

//! The formats on disk and the order of operations that keeps them safe.
//!
//! Nothing here touches a file: what is to be done comes out as [`FileOp`]s, which a store executes
//! in order, one lane at a time, and acknowledges by [`Ticket`](crate::Ticket).
//!
//! | what | where |
//! |---|---|
//! | operations of a store, and what is known of its files | `operation.rs`, `recovered.rs` |
//! | logs: format and writing | `log.rs`, `log_writer.rs` |
//! | logs: reading, one record after the other, or a whole file | `log_reader.rs`, `log_scan.rs` |
//! | what the end of a log is: the end, a crash, or damage | `tail_check.rs`, `record_search.rs` |
//! | which transaction may follow which | `continuity.rs` |
//! | snapshots: format and writing; the tree encodes itself | `snapshot.rs`, `snapshot_writer.rs` |
//! | snapshots: reading, compressed ones, too | `snapshot_reader.rs`, `compression.rs` |
//! | from files to a tree | `recovery/` |
//! | which old files may go | `retention.rs` |

mod compression;
mod config;
mod continuity;
mod log;
mod log_damage;
mod log_reader;
mod log_scan;
mod log_writer;
mod operation;
mod record_search;
mod recovered;
mod recovery;
mod retention;
mod snapshot;
mod snapshot_damage;
mod snapshot_reader;
mod snapshot_writer;
mod tail_check;

pub use compression::{Compression, CompressionDamage};
pub use config::{Config, Retention};
pub use continuity::follows;
pub use log::{LOG_MAGIC, LOG_VERSION, RECORD_END, encode_file_header, encode_record};
pub use log_damage::{LogDamage, LogDamageKind};
pub use log_reader::{LogItem, LogReader, LogRecord, RECORD_LENGTH_MAX};
pub use log_scan::{LogScan, ScanItem};
pub(crate) use log_writer::LogWriter;
pub use operation::{Dir, File, FileOp, Lane, StorageError};
pub(crate) use recovered::{KnownFiles, KnownSnapshot};
pub use recovered::{Recovered, RecoverySummary};
pub use recovery::{
    FileInfo, ReadRequest, Recovery, RecoveryConfig, RecoveryError, RecoveryEvent,
    RecoveryProgress, SnapshotProblem, log_zxid, snapshot_zxid,
};
pub(crate) use retention::Purge;
pub use snapshot::{SNAPSHOT_MAGIC, SNAPSHOT_VERSION, SnapshotEncoder};
pub use snapshot_damage::{SnapshotDamage, SnapshotDamageKind, SnapshotPart};
pub use snapshot_reader::{SnapshotItem, SnapshotReader};
pub(crate) use snapshot_writer::{Progress, Setback, SnapshotWriter};
pub use tail_check::{LogTail, TailCheck, TailState};

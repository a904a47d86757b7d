//! The formats on disk and the order of operations that keeps them safe.
//!
//! Nothing here touches a file: what is to be done comes out as [`FileOp`]s, which a store executes
//! in order, one lane at a time, and acknowledges by [`Ticket`](crate::Ticket).

mod config;
mod log;
mod log_writer;
mod operation;
mod recovered;
mod recovery;
mod snapshot;

pub use config::{Config, Retention};
pub use log::{LOG_MAGIC, LOG_VERSION, RECORD_END, encode_file_header, encode_record};
pub(crate) use log_writer::LogWriter;
pub use operation::{Dir, File, FileOp, Lane, StorageError};
pub use recovered::Recovered;
#[expect(unused_imports)]
pub(crate) use recovered::{KnownFiles, KnownSnapshot};
pub use recovery::{FileInfo, ReadRequest, Recovery, RecoveryConfig, RecoveryError, RecoveryEvent};
pub use snapshot::{SNAPSHOT_MAGIC, SNAPSHOT_VERSION, SnapshotEncoder};

//! The formats on disk and the order of operations that keeps them safe.
//!
//! Nothing here touches a file: what is to be done comes out as [`FileOp`]s, which a store executes
//! in order, one lane at a time, and acknowledges by [`Ticket`](crate::Ticket).

mod log;
mod log_writer;
mod operation;

pub use log::{LOG_MAGIC, LOG_VERSION, RECORD_END, encode_file_header, encode_record};
pub(crate) use log_writer::LogWriter;
pub use operation::{Dir, File, FileOp, Lane, StorageError};

//! Tools for the files of a server that does not run: logs, snapshots, and whole directories.
//!
//! What a file means, and what is wrong with it, is for the core to say; here it is shown.

mod command;
mod data;
mod data_verify;
mod export;
mod failure;
mod log;
mod log_dump;
mod log_scan;
mod log_stat;
mod log_verify;
mod number;
mod output;
mod repair;
mod repair_plan;
mod snapshot;
mod snapshot_dump;
mod snapshot_scan;
mod snapshot_stat;
mod snapshot_tree;
mod snapshot_verify;
mod source;
mod store;
mod txn;
mod verdict;

pub(crate) use self::command::{OfflineCommand, run};

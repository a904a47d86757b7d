//! The readers of logs and snapshots, on files of Apache ZooKeeper and on damaged ones.

#[path = "../fixtures/mod.rs"]
mod fixtures;

mod log_reader;
mod log_tail;
mod snapshot_damage;
mod snapshot_reader;

//! From the files of a store to the tree they tell: a state machine.
//!
//! It is told which files there are, asks for bytes of them, and ends with the tree, its sessions
//! and where the store goes on, or with what is wrong, to the byte.
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileTxnSnapLog.restore`.

use thiserror::Error;

use super::{Recovered, operation::File};
use crate::tree;

/// A file of the store and its length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileInfo {
    /// The file.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
}

/// Settings of a [`Recovery`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// Settings of the tree to be made.
    pub tree: tree::Config,
    /// `snapshot.trust.empty`: whether logs without any snapshot are taken for the whole history.
    pub trust_empty_snapshot: bool,
}

/// What to read next.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadRequest {
    /// The file.
    pub file: File,
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes; fewer are given only where the file ends.
    pub length: usize,
}

/// Something an operator should hear about; the recovery goes on.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecoveryEvent {}

/// Why a store cannot be recovered.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RecoveryError {}

/// The recovery of one store.
#[derive(Debug)]
pub struct Recovery {}

impl Recovery {
    /// A recovery from these files; those of other programs are left alone. Equal seeds and equal
    /// files give equal trees.
    #[must_use]
    pub fn new(config: RecoveryConfig, seed: u64, files: Vec<FileInfo>) -> Self {
        let _ = (config, seed, files);
        unimplemented!()
    }

    /// The bytes asked for; fewer where the file ends.
    pub fn handle_read(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }

    /// The bytes asked for cannot be read.
    pub fn handle_read_error(&mut self, error: super::StorageError) {
        let _ = error;
        unimplemented!()
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<RecoveryEvent> {
        unimplemented!()
    }

    /// What to read next. Asked again it says the same until it was answered; `None` is the end.
    pub fn poll_read(&mut self) -> Option<ReadRequest> {
        unimplemented!()
    }

    /// The outcome, after [`Recovery::poll_read`] has returned `None`.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what can be done about it.
    ///
    /// # Panics
    ///
    /// When there is still something to read.
    pub fn finish(self) -> Result<Recovered, RecoveryError> {
        unimplemented!()
    }
}

//! `zk snapshot`: what snapshots hold.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use zookeeper_core::storage::RECORD_LENGTH_MAX;

use super::{
    command::Outcome, output::Output, snapshot_dump::Dump, snapshot_stat::SnapshotStat,
    snapshot_tree::SnapshotTree, snapshot_verify::Verify,
};

/// What can be asked of snapshots.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    Dump(Dump),
    Verify(Verify),
    Stat(SnapshotStat),
    Tree(SnapshotTree),
}

impl SnapshotCommand {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Dump(command) => command.run(output),
            Self::Verify(command) => command.run(output),
            Self::Stat(command) => command.run(output),
            Self::Tree(command) => command.run(output),
        }
    }
}

/// Which snapshots.
#[derive(Args, Clone, Debug)]
pub(super) struct SnapshotFiles {
    /// The files, as version-2/snapshot.100000001; .gz and .snappy are decompressed.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    limits: Limits,
}

/// What is believed.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The longest znode that is believed, in bytes; for servers with a larger jute.maxbuffer.
    #[arg(long, value_name = "BYTES", default_value_t = RECORD_LENGTH_MAX)]
    record_max: usize,
}

impl Limits {
    pub(super) const fn record_length_max(self) -> usize {
        self.record_max
    }
}

impl SnapshotFiles {
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.files
    }

    pub(super) const fn record_length_max(&self) -> usize {
        self.limits.record_max
    }
}

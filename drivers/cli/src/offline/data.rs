//! `zk data`: a server's whole directory.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use zookeeper_core::storage::{RECORD_LENGTH_MAX, RecoveryConfig};
use zookeeper_disk::{Config, Disk, OpenError};

use super::{command::Outcome, data_verify::Verify, output::Output, repair::Repair};

/// What can be asked of a directory.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DataCommand {
    Verify(Verify),
    Repair(Repair),
}

impl DataCommand {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Verify(command) => command.run(output),
            Self::Repair(command) => command.run(output),
        }
    }
}

/// Which directory, and what is believed of it.
#[derive(Args, Clone, Debug)]
pub(super) struct DataDirectory {
    /// The directory that has version-2 in it: zk's --data-dir, Apache's dataDir.
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// The same for logs, if they have one of their own: --data-log-dir, dataLogDir.
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    /// Take logs without any snapshot for the whole history, as snapshot.trust.empty does.
    #[arg(long)]
    trust_empty_snapshot: bool,

    /// The longest record that is believed, in bytes; for servers with a larger jute.maxbuffer.
    #[arg(long, value_name = "BYTES", default_value_t = RECORD_LENGTH_MAX)]
    record_max: usize,
}

impl DataDirectory {
    /// Opens and locks it; nothing is made but the lock's file.
    pub(super) fn open(&self) -> Result<Disk, OpenError> {
        let mut config = Config::new(&self.directory);
        config.log_dir.clone_from(&self.log_dir);
        config.create = false;
        Disk::open(&config)
    }

    /// How it is read.
    pub(super) fn config(&self) -> RecoveryConfig {
        let mut config = RecoveryConfig::default();
        config.trust_empty_snapshot = self.trust_empty_snapshot;
        config.record_length_max = self.record_max;
        config
    }
}

//! `zk log`: what transaction logs hold.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use zookeeper_core::storage::RECORD_LENGTH_MAX;

use super::{
    command::Outcome, log_dump::Dump, log_stat::LogStat, log_verify::Verify, output::Output,
};

/// What can be asked of logs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LogCommand {
    Dump(Dump),
    Verify(Verify),
    Stat(LogStat),
}

impl LogCommand {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Dump(command) => command.run(output),
            Self::Verify(command) => command.run(output),
            Self::Stat(command) => command.run(output),
        }
    }
}

/// Which logs.
#[derive(Args, Clone, Debug)]
pub(super) struct LogFiles {
    /// The files, as version-2/log.100000001.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The longest record that is believed, in bytes; for servers with a larger jute.maxbuffer.
    #[arg(long, value_name = "BYTES", default_value_t = RECORD_LENGTH_MAX)]
    record_max: usize,
}

impl LogFiles {
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.files
    }

    pub(super) const fn record_length_max(&self) -> usize {
        self.record_max
    }
}

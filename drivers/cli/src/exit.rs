//! How a command ends.
//!
//! Behaviour: `org.apache.zookeeper.server.ExitCode`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use thiserror::Error;
use zookeeper_mio::{BindError, RunError};

use crate::zoo_cfg::ConfigError;

/// Why a command failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// The configuration file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration is wrong in a way that shows outside of the file.
    #[error("{0}")]
    Setting(String),
    /// The server cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The server ended by itself.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The system refuses something that it should not.
    #[error("{what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl Failure {
    /// The status to exit with.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Setting(_) => ExitCode::from(2),
            Self::Bind(BindError::Open(_) | BindError::Recover(_)) => ExitCode::from(3),
            Self::Bind(_) | Self::Run(_) | Self::System { .. } => ExitCode::from(1),
        }
    }
}

/// Says why, where people look.
pub(crate) fn report(failure: &Failure) {
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "error: {failure}");
}

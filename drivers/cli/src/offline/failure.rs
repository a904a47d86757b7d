//! Why nothing could be said about files.

use std::{
    io::{self, Write as _},
    path::Path,
};

use serde_json::json;
use thiserror::Error;
use zookeeper_disk::{OpenError, RecoverError};

/// Why a command ended without a verdict.
#[derive(Debug, Error)]
pub(super) enum OfflineError {
    /// It cannot be done as it was said.
    #[error("{0}")]
    Usage(String),
    /// The directories cannot be used, or must not be.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// They cannot be listed, or what is taken from them cannot be kept.
    #[error(transparent)]
    Disk(#[from] RecoverError),
    /// A file cannot be read.
    #[error("{file}: {source}")]
    System {
        /// Which.
        file: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl OfflineError {
    /// What the system says about a file.
    pub(super) fn system(path: &Path) -> impl Fn(io::Error) -> Self {
        let file = path.display().to_string();
        move |source| Self::System { file: file.clone(), source }
    }

    /// What cannot be written to standard output.
    pub(super) fn output(source: io::Error) -> Self {
        Self::System { file: "standard output".into(), source }
    }

    /// The status to exit with.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Open(_) | Self::Disk(_) | Self::System { .. } => 1,
        }
    }

    /// Whether whoever reads has read enough.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::System { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Says on standard error why a command failed.
pub(super) fn report(error: &OfflineError, json: bool) {
    let text = match json {
        true => json!({ "message": error.to_string() }).to_string(),
        false => format!("error: {error}"),
    };
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "{text}");
}

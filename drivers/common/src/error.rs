//! What can go wrong in the driver itself.

use std::{io, net::SocketAddr};

use thiserror::Error;
use zookeeper_core::server::Failure;

/// Why a server could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The configuration names no address.
    #[error("no address to listen on")]
    NoAddress,
    /// An address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The system gives no event queue.
    #[error("cannot wait for events: {0}")]
    Poll(#[source] io::Error),
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        let kind = match &error {
            BindError::NoAddress => io::ErrorKind::InvalidInput,
            BindError::Listen { source, .. } | BindError::Poll(source) => source.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why a server stopped without being told to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Waiting for events failed.
    #[error("cannot wait for events: {0}")]
    Poll(#[source] io::Error),
    /// The server failed, and promises nothing any more.
    #[error("server failed: {0}")]
    Failed(#[source] Failure),
    /// The server is configured to store its data, which this driver cannot do.
    #[error("this driver stores nothing: only servers that keep their data in memory can run")]
    NoStore,
}

//! What can go wrong in the driver itself.

use std::{io, net::SocketAddr};

use thiserror::Error;
use zookeeper_core::server::Failure;
use zookeeper_disk::{OpenError, RecoverError};

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
    /// Writes are to be stored, and nothing says where.
    #[error("the server is to store its data, but no directory is configured")]
    NoDirectory,
    /// A directory is configured for a server that stores nothing.
    #[error("a directory is configured, but the server is to keep its data in memory")]
    NoDurability,
    /// The directories cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The data in the directories cannot be used.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The system gives no thread that stores.
    #[error("cannot start the threads that store data: {0}")]
    Store(#[source] io::Error),
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        let kind = match &error {
            BindError::NoAddress | BindError::NoDirectory | BindError::NoDurability => {
                io::ErrorKind::InvalidInput
            }
            BindError::Listen { source, .. }
            | BindError::Poll(source)
            | BindError::Store(source) => source.kind(),
            BindError::Open(error) => error.kind(),
            BindError::Recover(error) => error.kind(),
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
    /// The server was told to stop, and its last writes could not be stored in time.
    #[error("storage hangs: the last writes, which nobody was told are done, may be lost")]
    StoreHangs,
}

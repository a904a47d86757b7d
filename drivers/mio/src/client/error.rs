//! Why a client does not come to be.

use std::{io, time::Duration};

use thiserror::Error;
use zookeeper_core::client::{CloseReason, ConnectStringError};

/// Why there is no connected client.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connect string is not one.
    #[error(transparent)]
    ConnectString(#[from] ConnectStringError),
    /// The system gives no event queue or no thread.
    #[error("cannot start a client: {0}")]
    Start(#[from] io::Error),
    /// No server was reached in time.
    #[error("no server was reached within {0:?}")]
    TimedOut(Duration),
    /// The session ended before it had begun.
    #[error("no session: {0}")]
    Closed(CloseReason),
}

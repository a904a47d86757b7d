//! Why a connection is refused, and why one ends.

use thiserror::Error;

use crate::{
    conn::Disconnect,
    wire::{DecodeError, FrameError},
};

/// Why a connection must be dropped before anything was allocated for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// `maxClientCnxns` is reached for its address.
    #[error("too many connections from this address")]
    TooManyFromAddress,
    /// `maxCnxns` is reached.
    #[error("too many connections")]
    TooMany,
    /// The endpoint is shutting down.
    #[error("shutting down")]
    ShuttingDown,
}

/// Why a connection ended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer ended it.
    #[error("{0}")]
    Peer(Disconnect),
    /// The client ended its session.
    #[error("session closed")]
    SessionClosed,
    /// The session expired.
    #[error("session expired")]
    SessionExpired,
    /// The session was resumed on another connection.
    #[error("session moved to another connection")]
    SessionMoved,
    /// A four-letter command was answered.
    #[error("command answered")]
    CommandAnswered,
    /// The session asked for is not there, or the password is not its own.
    #[error("session refused")]
    SessionRefused,
    /// The client has seen transactions this server has not.
    #[error("client has seen a newer zxid than this server has")]
    ClientAhead,
    /// No handshake for now.
    #[error("too many handshakes")]
    Busy,
    /// A length field that cannot start a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A first frame that is no ConnectRequest.
    #[error("bad handshake: {0}")]
    BadHandshake(DecodeError),
    /// A frame too short for a request header.
    #[error("bad request header: {0}")]
    BadHeader(DecodeError),
    /// An `auth` or `sasl` request that could not be read.
    #[error("bad authentication request: {0}")]
    BadAuthentication(DecodeError),
    /// An operation nobody knows; it was answered.
    #[error("unknown operation {0}")]
    UnknownOperation(i32),
    /// Credentials that were refused; they were answered.
    #[error("authentication failed")]
    AuthenticationFailed,
    /// A request without the authentication this server demands; it was answered.
    #[error("authentication required")]
    AuthenticationRequired,
    /// No handshake in time.
    #[error("no handshake in time")]
    HandshakeTimeout,
    /// What was promised to it was not read in time.
    #[error("closing took too long")]
    LingerTimeout,
    /// Too much unsent output.
    #[error("too much unsent output")]
    OutputOverflow,
    /// Large requests over their budget.
    #[error("too many bytes of large requests")]
    LargeRequests,
    /// The application closed it.
    #[error("closed by the application")]
    Disconnected,
    /// The endpoint shut down.
    #[error("server shut down")]
    Shutdown,
    /// The server failed and promises nothing any more.
    #[error("server failed")]
    Failed,
}

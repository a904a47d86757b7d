//! Why something did not happen: requests, connections, sessions.
//!
//! Behaviour: `org.apache.zookeeper.KeeperException.Code` and `ClientCnxn.conLossPacket`.

use thiserror::Error;

use crate::{
    conn::Disconnect,
    ids::{SessionId, Zxid},
    wire::{DecodeError, ErrorCode, FrameError, Op, Xid},
};

/// Why a request was not accepted. It was not sent, and completes by this alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The session has expired.
    #[error("the session has expired")]
    Expired,
    /// The session's credentials were refused.
    #[error("authentication failed")]
    AuthFailed,
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// The session is being closed.
    #[error("the session is closing")]
    Closing,
    /// As many requests are unfinished as may be.
    #[error("{0} requests are unfinished already")]
    QueueFull(usize),
    /// As many bytes of requests wait as may.
    #[error("requests of {0} bytes are waiting already")]
    BytesFull(usize),
    /// As many watches are set or on their way as may be.
    #[error("{0} watches are set already")]
    TooManyWatches(usize),
    /// The encoded request is longer than any server with the same limit accepts.
    #[error("request of {length} bytes is over the limit of {max}")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The session itself sends this operation, or nobody does.
    #[error("{0} is not submitted as a request")]
    NotARequest(Op),
    /// The operation does nothing without a watcher.
    #[error("no watcher was given")]
    WatcherNeeded,
    /// The watch's mode does not exist, or its path is no text or too long to be set again after a
    /// reconnect.
    #[error("no such watch can be set")]
    InvalidWatch,
    /// The operation cannot set a watch.
    #[error("{0} sets no watch")]
    NotWatchable(Op),
}

impl SubmitError {
    /// Upstream's code for it. What upstream has no code for is `BAD_ARGUMENTS`, or
    /// `OPERATION_TIMEOUT` for a queue that is full: not executed, to be tried again later.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Expired | Self::Closed => ErrorCode::SESSION_EXPIRED,
            Self::AuthFailed => ErrorCode::AUTH_FAILED,
            Self::Closing => ErrorCode::CONNECTION_LOSS,
            Self::QueueFull(_) | Self::BytesFull(_) | Self::TooManyWatches(_) => {
                ErrorCode::OPERATION_TIMEOUT
            }
            Self::TooLong { .. }
            | Self::NotARequest(_)
            | Self::WatcherNeeded
            | Self::InvalidWatch
            | Self::NotWatchable(_) => ErrorCode::BAD_ARGUMENTS,
        }
    }
}

/// Why a request that was accepted did not succeed.
///
/// `maybe_executed` is false only if no byte of the request was handed to the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server's answer.
    #[error("{0}")]
    Server(ErrorCode),
    /// The connection ended, or none could be made.
    #[error("connection lost{}", outcome(*maybe_executed))]
    ConnectionLoss {
        /// Whether the server may have executed the request.
        maybe_executed: bool,
    },
    /// The session ended on the server.
    #[error("session expired{}", outcome(*maybe_executed))]
    SessionExpired {
        /// Whether the server may have executed the request.
        maybe_executed: bool,
    },
    /// The session's credentials were refused.
    #[error("authentication failed{}", outcome(*maybe_executed))]
    AuthFailed {
        /// Whether the server may have executed the request.
        maybe_executed: bool,
    },
    /// There was no reply in time.
    #[error("request timed out{}", outcome(*maybe_executed))]
    TimedOut {
        /// Whether the server may have executed the request.
        maybe_executed: bool,
    },
    /// The session was closed or detached here.
    #[error("session closed{}", outcome(*maybe_executed))]
    Closed {
        /// Whether the server may have executed the request.
        maybe_executed: bool,
    },
    /// The server executed it, but its reply is longer than this side accepts.
    #[error("reply of {length} bytes is over the limit of {max}")]
    ReplyTooLarge {
        /// What the server announced, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The server executed it, but its reply cannot be read.
    #[error("malformed reply: {0}")]
    MalformedReply(DecodeError),
    /// There is no such watch to remove.
    #[error("no such watch")]
    NoWatcher,
}

const fn outcome(maybe_executed: bool) -> &'static str {
    if maybe_executed {
        ", the request may have been executed"
    } else {
        ", the request was not sent"
    }
}

impl RequestError {
    /// Upstream's code for it.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Server(code) => code,
            Self::ConnectionLoss { .. } => ErrorCode::CONNECTION_LOSS,
            Self::SessionExpired { .. } | Self::Closed { .. } => ErrorCode::SESSION_EXPIRED,
            Self::AuthFailed { .. } => ErrorCode::AUTH_FAILED,
            Self::TimedOut { .. } => ErrorCode::REQUEST_TIMEOUT,
            Self::ReplyTooLarge { .. } | Self::MalformedReply(_) => ErrorCode::MARSHALLING_ERROR,
            Self::NoWatcher => ErrorCode::NO_WATCHER,
        }
    }

    /// Whether the server may have executed the request. A server's own error says no, but for
    /// those that are given after the fact.
    #[must_use]
    pub const fn maybe_executed(self) -> bool {
        match self {
            Self::Server(_) | Self::NoWatcher => false,
            Self::ConnectionLoss { maybe_executed }
            | Self::SessionExpired { maybe_executed }
            | Self::AuthFailed { maybe_executed }
            | Self::TimedOut { maybe_executed }
            | Self::Closed { maybe_executed } => maybe_executed,
            Self::ReplyTooLarge { .. } | Self::MalformedReply(_) => true,
        }
    }
}

/// Why a connection ended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum LostReason {
    /// The network said so.
    #[error("{0}")]
    Network(Disconnect),
    /// The name, the connection or the handshake took too long.
    #[error("no session within the connect time-out")]
    ConnectTimeout,
    /// Nothing came for two thirds of the session time-out.
    #[error("nothing heard within the read time-out")]
    ReadTimeout,
    /// A request's time was over while its reply was due.
    #[error("a request timed out")]
    RequestTimeout,
    /// A frame's length is impossible.
    #[error("{0}")]
    Frame(FrameError),
    /// A record cannot be decoded.
    #[error("malformed {what}: {error}")]
    Malformed {
        /// What it should have been.
        what: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A reply to nothing.
    #[error("reply with xid {} although no request is in flight", .0.0)]
    UnexpectedReply(Xid),
    /// Replies are out of order.
    #[error("reply with xid {} where {} was due", received.0, expected.0)]
    XidMismatch {
        /// The oldest request in flight.
        expected: Xid,
        /// What came.
        received: Xid,
    },
    /// A handshake was answered with a time-out but without a session.
    #[error("the server granted a session without an id")]
    NoSession,
    /// A read-only server, and this session needs a writable one.
    #[error("the server is read-only")]
    ReadOnly,
    /// A writable server was found while connected to a read-only one.
    #[error("left for a writable server")]
    WritableFound,
    /// What a probe came to.
    #[error("probed: {0}")]
    Probed(&'static str),
    /// The list of servers changed, and this connection has to move.
    #[error("moved to another server of the new list")]
    Rebalanced,
    /// The session ended; see the [`CloseReason`].
    #[error("the session ended")]
    SessionEnded,
}

/// Why a session ended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`Session::close`](super::Session::close), confirmed by the server or not.
    #[error("closed")]
    Closed {
        /// Whether the server confirmed it: its ephemerals are gone. Otherwise they go when the
        /// session times out.
        confirmed: bool,
    },
    /// [`Session::detach`](super::Session::detach): it lives on at the server, for a while.
    #[error("detached")]
    Detached,
    /// The server does not know the session any more.
    #[error("expired by the server")]
    Expired,
    /// The server answered with another session than the one that was to go on.
    #[error("expired: the server answered with session {0}")]
    ForeignSession(SessionId),
    /// Nothing was heard for so long that the session must be gone.
    #[error("expired: no server was reached in time")]
    SelfExpired,
    /// The server refused a credential.
    #[error("authentication failed")]
    AuthFailed,
    /// The server demands an authentication that this session does not have.
    #[error("the server requires authentication")]
    AuthRequired,
    /// The SASL exchange failed.
    #[error("SASL authentication failed: {0}")]
    SaslFailed(&'static str),
}

/// Something odd that a server did, and that changed nothing.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Warning {
    /// A notification of a kind that nobody knows.
    #[error("notification of unknown kind {0}")]
    UnknownEventKind(i32),
    /// A notification that cannot be read.
    #[error("malformed notification: {0}")]
    MalformedNotification(DecodeError),
    /// A notification longer than this side accepts: its watches are to be read again.
    #[error("notification of {0} bytes skipped")]
    NotificationTooLarge(usize),
    /// A reply shows an older state than one before it.
    #[error("zxid {received} after {seen}")]
    ZxidBackwards {
        /// The newest seen.
        seen: Zxid,
        /// What came.
        received: Zxid,
    },
    /// Watches could not be set again.
    #[error("watches not restored: {0}")]
    WatchesRefused(ErrorCode),
    /// An answer to an authentication that nobody asked for.
    #[error("unexpected reply to an authentication")]
    UnexpectedAuthReply,
}

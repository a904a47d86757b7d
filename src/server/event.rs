//! What a server tells its driver.

use std::time::Duration;

use crate::{
    endpoint::CloseReason,
    ids::{ConnId, SessionId, Ticket, Zxid},
    storage::{File, FileOp, Lane, StorageError},
};

/// Something happened. Nothing has to be done about it; drivers log it.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client began a session.
    SessionCreated {
        /// The session.
        session: SessionId,
        /// Its connection.
        conn: ConnId,
        /// The negotiated time-out.
        timeout: Duration,
    },
    /// A client came back to its session.
    SessionResumed {
        /// The session.
        session: SessionId,
        /// Its new connection.
        conn: ConnId,
        /// The negotiated time-out.
        timeout: Duration,
    },
    /// A client asked for a session that is not there, or not its own.
    SessionRefused {
        /// The session asked for.
        session: SessionId,
        /// The connection, which closes.
        conn: ConnId,
    },
    /// A session's client was silent for too long.
    SessionExpired {
        /// The session.
        session: SessionId,
    },
    /// A client ended its session.
    SessionClosed {
        /// The session.
        session: SessionId,
    },
    /// A connection ended.
    ConnectionClosed {
        /// The connection.
        conn: ConnId,
        /// The session it belonged to.
        session: Option<SessionId>,
        /// Why.
        reason: CloseReason,
    },
    /// A snapshot of everything up to a transaction is being written.
    SnapshotStarted {
        /// The transaction.
        zxid: Zxid,
    },
    /// A snapshot is there for good.
    SnapshotStored {
        /// The transaction it goes up to.
        zxid: Zxid,
        /// Its length.
        bytes: u64,
        /// How long it took.
        duration: Duration,
    },
    /// A snapshot was given up. The older ones stay, and it is tried again later.
    SnapshotFailed {
        /// The transaction it was to go up to.
        zxid: Zxid,
        /// Why.
        error: StorageError,
    },
    /// Old snapshots and logs, or what was left of unfinished snapshots, could not be removed. That
    /// is tried again later.
    PurgeFailed {
        /// Why.
        error: StorageError,
    },
    /// Old snapshots and logs were removed.
    FilesPurged {
        /// The files.
        files: Vec<File>,
    },
    /// The server stopped for good: nothing that waited for storage was or will be sent.
    Failed(Failure),
}

/// Why a server stopped for good.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The log could not be written, so no write can be promised any more.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A transaction that was just prepared did not fit the tree: a bug in this crate.
    #[error("transaction did not fit the tree it was prepared for")]
    Inconsistent,
}

/// Something for the driver to do.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Write what [`Server::poll_transmit`](super::Server::poll_transmit) lends, until it is `None`
    /// or the socket would block.
    Transmit(ConnId),
    /// [`Server::wants_read`](super::Server::wants_read) turned true: read without waiting for an
    /// edge.
    Read(ConnId),
    /// Close the socket. The id means nothing any more.
    Close(ConnId),
    /// Execute an operation on the store, in the lane's order, and acknowledge its ticket.
    Store {
        /// The order it belongs to.
        lane: Lane,
        /// What to acknowledge with.
        ticket: Ticket,
        /// What to do.
        op: FileOp,
    },
}
